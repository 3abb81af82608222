package origin

import (
	"context"
	"time"
)

// Most exchanges are over within milliseconds. So nothing is set up for each of them that would end it with its caller's
// context: a timer, which runs only while there are exchanges, looks for those that have lasted, and sets it up for them.

// lookEvery is how long the end of a context may go unnoticed at first, twice over.
const lookEvery = 50 * time.Millisecond

// nudgeAfter is after how many looks a connection that still waits for its answer is looked at.
const nudgeAfter = 20

// begin starts an exchange under a context.
func (k *conn) begin(ctx context.Context) {
	k.mu.Lock()
	k.ctx, k.age, k.stop = ctx, 0, nil
	if k.unwatched && ctx.Done() != nil {
		k.stop = context.AfterFunc(ctx, k.close)
	}
	k.mu.Unlock()
	if c := k.p.c; !c.looking.Load() && !c.looking.Swap(true) {
		c.lookout.Reset(lookEvery)
	}
}

// end ends it. It returns false when the context has ended and the connection is being closed.
func (k *conn) end() bool {
	k.mu.Lock()
	stop := k.stop
	k.ctx, k.stop = nil, nil
	k.mu.Unlock()
	return stop == nil || stop()
}

// look is what the timer does.
func (c *Client) look() {
	busy := c.lookAll()
	if !busy {
		c.looking.Store(false)
		// An exchange that began since has either seen true, and is found now, or sets the timer itself.
		busy = c.lookAll() && !c.looking.Swap(true)
	}
	if busy {
		c.lookout.Reset(lookEvery)
	}
}

func (c *Client) lookAll() (busy bool) {
	var waiting []*conn
	c.mu.RLock()
	for _, p := range c.pools {
		p.mu.Lock()
		for k := range p.all {
			switch age := k.look(); {
			case age > 0 && age%nudgeAfter == 0:
				waiting = append(waiting, k)
				fallthrough
			case age > 0:
				busy = true
			}
		}
		p.mu.Unlock()
	}
	c.mu.RUnlock()
	for _, k := range waiting {
		k.http.Nudge()
	}
	return busy
}

// look returns how often an exchange has been looked at, 0 when there is none.
func (k *conn) look() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx == nil {
		return 0
	}
	if k.age++; k.age > 1 && k.stop == nil && k.ctx.Done() != nil {
		k.stop = context.AfterFunc(k.ctx, k.close)
	}
	return k.age
}
