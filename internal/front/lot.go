package front

import (
	"math"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/http1"
)

// lot is where idle connections are parked: the kernel watches their sockets, and one goroutine waits for all of them. So an
// idle connection is its descriptor and some hundred bytes, where a goroutine's stack and a buffer would be ten times that.
type lot struct {
	mu     sync.Mutex
	watch  watcher
	spaces []space
	free   []uint32
	sweep  *time.Timer
	closed bool
	// left is how many connections have been parked since their memory was last given back, at gaveBack; counted is what it
	// was when tidy was set.
	left, counted int
	tidy          *time.Timer
	gaveBack      int64
}

// space is one parked connection; parked is nil when it is free.
type space struct {
	parked http1.Parked
	conn   *conn
	// round tells one use of the space from another: the kernel may report a connection that has just left.
	round uint32
	until int64 // nanoseconds of lotClock
}

// What active connections have held is garbage once they are parked, and a server that has nothing to do collects none for
// minutes. So after many have been parked, their memory is given back: not before more may follow, and not often.
const (
	worthTidying = 500
	tidyAfter    = time.Second / 2
	tidyEvery    = time.Minute
)

// sweepEvery is how often connections are looked for whose time is over: less than the quarter by which http1 may be late.
const sweepEvery = 5 * time.Second

var lotStart = time.Now()

func lotClock() int64 { return int64(time.Since(lotStart)) }

// Park implements http1.Parker for a connection.
func (c *conn) Park(nc net.Conn, limit time.Duration, p http1.Parked) bool {
	return c.f.lot.park(c, limit, p)
}

// Over implements http1.Parker.
func (c *conn) Over() { c.f.gone(c) }

func (l *lot) park(c *conn, limit time.Duration, p http1.Parked) bool {
	until := int64(math.MaxInt64)
	if limit >= 0 {
		until = lotClock() + int64(limit)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.watch.open(l) {
		return false
	}
	if len(l.free) == 0 {
		l.spaces = append(l.spaces, space{})
		l.free = append(l.free, uint32(len(l.spaces)-1))
	}
	i := l.free[len(l.free)-1]
	s := &l.spaces[i]
	if !l.watch.add(c.nc, i, s.round) {
		return false
	}
	l.free = l.free[:len(l.free)-1]
	s.parked, s.conn, s.until = p, c, until
	c.space = i
	if l.sweep == nil {
		l.sweep = time.AfterFunc(sweepEvery, l.expire)
	}
	if l.left++; l.left >= worthTidying && l.tidy == nil {
		wait := tidyAfter
		if l.gaveBack != 0 {
			wait = max(wait, tidyEvery-time.Duration(lotClock()-l.gaveBack))
		}
		l.counted, l.tidy = l.left, time.AfterFunc(wait, l.giveBack)
	}
	return true
}

// giveBack returns memory to the system, once no more connections are parked one after the other.
func (l *lot) giveBack() {
	l.mu.Lock()
	more := l.left - l.counted
	if more > l.left/50 && !l.closed {
		l.counted, l.tidy = l.left, time.AfterFunc(tidyAfter, l.giveBack)
		l.mu.Unlock()
		return
	}
	l.tidy, l.left, l.gaveBack = nil, 0, lotClock()
	l.mu.Unlock()
	debug.FreeOSMemory()
}

// leave frees a space and returns who was there, nil when it was another round. It is called with the lock.
func (l *lot) leave(i, round uint32) http1.Parked {
	if int(i) >= len(l.spaces) || l.spaces[i].round != round || l.spaces[i].parked == nil {
		return nil
	}
	s := &l.spaces[i]
	p := s.parked
	*s = space{round: round + 1}
	l.free = append(l.free, i)
	return p
}

// ready wakes a connection that can be read.
func (l *lot) ready(i, round uint32) {
	l.mu.Lock()
	p := l.leave(i, round)
	l.mu.Unlock()
	if p != nil {
		go p.Wake(true)
	}
}

// end ends a connection if it is parked.
func (l *lot) end(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := c.space
	if int(i) >= len(l.spaces) || l.spaces[i].conn != c {
		return false
	}
	go l.leave(i, l.spaces[i].round).Wake(false)
	return true
}

// expire ends connections that have waited for too long.
func (l *lot) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, some := lotClock(), false
	for i := range l.spaces {
		s := &l.spaces[i]
		if s.parked == nil {
			continue
		}
		if s.until <= now {
			go l.leave(uint32(i), s.round).Wake(false)
		} else {
			some = true
		}
	}
	if l.sweep = nil; some && !l.closed {
		l.sweep = time.AfterFunc(sweepEvery, l.expire)
	}
	if !some && len(l.spaces) == len(l.free) {
		l.spaces, l.free = nil, nil
	}
}

// close ends all parked connections, and takes no more.
func (l *lot) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	for i := range l.spaces {
		if l.spaces[i].parked != nil {
			go l.leave(uint32(i), l.spaces[i].round).Wake(false)
		}
	}
	for _, t := range [...]*time.Timer{l.sweep, l.tidy} {
		if t != nil {
			t.Stop()
		}
	}
	l.watch.close()
}
