package http2

import (
	"errors"
	"time"
)

// errLed tells a goroutine that another one leads now.
var errLed = errors.New("another goroutine leads")

// patience is how often the ticker looks at a leader that is in a handler. One that it finds there twice loses the lead. An
// idle connection has no ticker.
const patience = 2 * time.Millisecond

// pace foretells whether handlers return at once, or say beforehand that they will not (message.Waiting). As long as they do
// they run in the leader's goroutine, which saves the switch to another; after one that kept the leader, each gets its own
// until a run of them was quick again, a longer run each time.
type pace struct {
	quick int // quick ones in a row
	need  int
}

const (
	quickly   = 100 * time.Microsecond
	needLeast = 4 // after the first handler that kept the leader
	needMost  = 1 << 12
)

func (p *pace) inline() bool { return p.quick >= p.need }

func (p *pace) slow() {
	p.quick = 0
	p.need = max(needLeast, min(2*p.need, needMost))
}

func (p *pace) took(d time.Duration) {
	if d > quickly {
		p.quick = 0
	} else if p.quick < p.need {
		p.quick++
	}
}

// start runs a stream's handler, here or in a goroutine of its own. It is called with c.mu held and lets it go.
func (c *conn) start(s *stream, term uint64) error {
	s.running, s.working = true, true
	c.running++
	c.working++
	if !s.received || !c.pace.inline() {
		c.wg.Add(1)
		c.mu.Unlock()
		go func() {
			defer c.wg.Done()
			deepen(false)
			c.exchange(s)
		}()
		return nil
	}
	s.inline = true
	c.calls++
	c.inline, s.turnIn = c.calls, c.calls
	if !c.ticking {
		c.ticking = true
		c.tick.Reset(patience)
	}
	c.mu.Unlock()
	c.exchange(s) // s is not ours any more
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.term != term {
		return errLed
	}
	c.inline = 0
	return nil
}

// onTick takes the lead from a goroutine that has been in one handler for too long.
func (c *conn) onTick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.calls == c.seen && c.inline == 0:
		c.ticking = false
		return
	case c.inline != 0 && c.inline == c.seen:
		c.pace.slow()
		c.pass()
	}
	c.seen = c.calls
	c.tick.Reset(patience)
}

// pass makes another goroutine lead. It is called with c.mu held.
func (c *conn) pass() {
	c.inline = 0
	c.term++
	term := c.term
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		deepen(false)
		c.lead(term)
	}()
}

// deepen grows the stack of a goroutine that has just begun to what a handler needs that asks an origin, since nothing is in it yet
// that would have to be copied: growing twice on the way costs ten times as much.
//
//go:noinline
func deepen(never bool) (b byte) {
	if never {
		var room [5 << 10]byte // all that matters is that it is in the frame
		for i := range room {
			room[i] = b
		}
		b = room[len(room)/2]
	}
	return b
}

// handOff gives the lead away if s has it: its body is slow. It locks c.mu.
func (c *conn) handOff(s *stream) {
	c.mu.Lock()
	if c.leads(s) {
		c.pass()
	}
	c.flush()
	c.mu.Unlock()
}

// leads tells whether the goroutine that runs the handler of s leads.
func (c *conn) leads(s *stream) bool { return s.inline && c.inline == s.turnIn }
