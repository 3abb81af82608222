package http2

import "time"

// budget bounds what a client makes us do without asking for anything: a flood of PING, SETTINGS or empty frames, or
// streams that are reset as soon as they are begun (CVE-2023-44487). Each costs, answers that were sent earn, and some comes
// back with time. Memory is bounded without it, since nothing is read while what we owe has not been taken.
type budget struct {
	left int
	at   time.Time
}

const (
	budgetMost   = 4096
	budgetSecond = 200 // comes back in a second
	costFrame    = 1
	costReset    = 20 // of a stream whose answer was not complete
	earnAnswer   = 8
)

func (b *budget) earn(n int) { b.left = min(b.left+n, budgetMost) }

// spend returns false when the client has gone too far.
func (b *budget) spend(n int) bool {
	if b.left -= n; b.left > 0 {
		return true
	}
	now := time.Now()
	b.earn(int(min(now.Sub(b.at).Seconds(), 60) * budgetSecond))
	b.at = now
	return b.left > 0
}
