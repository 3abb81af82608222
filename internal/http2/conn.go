package http2

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/head"
)

// conn is a connection, of a client or of a server. What stands before mu belongs to the goroutine that leads.
type conn struct {
	o      Options
	client *ClientConn // nil on the server's side
	nc     net.Conn
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	in        []byte // pooled, nil while idle; in[r:w] is read and not consumed
	r, w      int
	first     [headSize]byte // where an idle connection is read into
	encrypted bool
	lean      bool // the buffer has been given back
	prefaced  bool
	settled   bool // the client's SETTINGS have come
	dec       *hpack.Decoder
	cur       *head.Head // what dec adds to
	block     block      // the field block that has begun
	trailer   head.Head  // of trailers and of blocks that are thrown away
	remembers memory     // of the last request's block

	mu      sync.Mutex
	streams map[uint32]*stream
	free    []*stream
	running int    // handlers
	working int    // of them, those that have not answered: resets do not free a client of the bound, and who only cleans up does not count
	uploads int    // requests whose bodies are on their way
	top     uint32 // the highest stream of the client
	past    [128]uint32
	pastAt  int
	budget  budget

	term     uint64 // counts those who have led
	inline   uint64 // not 0 while the leader is in a handler
	calls    uint64
	seen     uint64 // calls when the ticker looked last
	ticking  bool
	tick     *time.Timer
	pace     pace
	reading  bool // the leader waits for the client
	shed     bool // the leader is to give back what an idle connection has no use for
	lastRead time.Time
	lastEnd  time.Time // when there were streams last
	begun    time.Time // of a field block that is not complete
	pinged   bool
	alive    *time.Timer

	out        []byte
	writing    bool
	writeBy    time.Time
	written    sync.Cond
	waiting    []*stream // streams that have something to send
	starved    time.Time // when the connection's window kept one waiting
	granted    int64     // since then
	turns      uint64
	inOrder    [head.UrgencyLeast + 1]uint64 // turns of the streams that are not incremental
	promised   []promised
	enc        encoder
	date       string
	dateAt     int64
	lengthOf   int64
	lengthWas  string
	sendWindow int64
	peerWindow int64 // of new streams

	streamWindow  int64 // what the other side may send ahead of whoever reads it
	connWindow    int64 // and on all streams together
	receiveWindow int64
	unacked       int64

	leaving bool   // the first GOAWAY has been sent
	last    uint32 // of the second one; streams above are not served
	gone    bool   // the client has sent GOAWAY
	parting bool   // the last PING has been sent
	parted  bool   // and been answered: the client has all that we sent
	leave   *time.Timer
	failed  error
	closed  bool
}

var (
	errEnd     = errors.New("the connection has served its purpose")
	errIdle    = errors.New("the client was silent for too long")
	errStalled = errors.New("the client takes or sends nothing")
)

func newConn(ctx context.Context, nc net.Conn, o Options) *conn {
	own, cancel := context.WithCancel(ctx)
	now := time.Now()
	_, encrypted := nc.(interface{ NetConn() net.Conn })
	c := &conn{
		o: o, nc: nc, ctx: own, cancel: cancel, streams: make(map[uint32]*stream), budget: budget{left: budgetMost, at: now},
		lastRead: now, lastEnd: now, sendWindow: defaultWindow, peerWindow: defaultWindow, encrypted: encrypted,
		streamWindow: serverStreamWindow, connWindow: serverConnWindow, receiveWindow: serverConnWindow, last: lastID, enc: newEncoder(),
	}
	c.written.L = &c.mu
	c.dec = hpack.NewDecoder(tableSize, func(f hpack.HeaderField) { c.cur.Add(f.Name, f.Value) })
	c.dec.SetMaxStringLength(maxBlock)
	c.tick = time.AfterFunc(time.Hour, c.onTick)
	c.tick.Stop()
	return c
}

func (c *conn) serve() {
	defer c.cancel()
	stops := []func() bool{context.AfterFunc(c.ctx, func() { _ = c.nc.Close() })}
	lowLatency(c.nc)
	c.mu.Lock()
	c.hello()
	if every := c.period(); every > 0 {
		c.alive = time.AfterFunc(every, func() { c.look(every) })
	}
	c.mu.Unlock()
	if c.o.Drain != nil {
		stops = append(stops, context.AfterFunc(c.o.Drain, c.drain))
	}
	c.lead(0)
	c.wg.Wait()
	for _, stop := range stops {
		stop()
	}
	c.mu.Lock()
	c.closed, c.ticking = true, false
	c.tick.Stop()
	for _, t := range []*time.Timer{c.alive, c.leave} {
		if t != nil {
			t.Stop()
		}
	}
	c.mu.Unlock()
	_ = c.nc.Close()
}

// hello sends our SETTINGS.
func (c *conn) hello() {
	c.room(64)
	b := appendFrame(c.out, 18, frameSettings, 0, 0)
	b = appendSetting(b, settingStreams, c.o.MaxStreams)
	b = appendSetting(b, settingWindow, uint32(c.streamWindow))
	b = appendSetting(b, settingNoTree, 1) // rfc9218 2.1: priorities of rfc7540 are not followed
	c.out = appendWindow(b, 0, uint32(c.connWindow-defaultWindow))
}

// lead reads and handles frames until the connection ends or another goroutine has taken the lead.
func (c *conn) lead(term uint64) {
	for {
		f, ok, err := c.next()
		if err == nil && !ok {
			err = c.fill()
		}
		if err == nil && ok {
			err = c.handle(&f, term)
		}
		if err == errLed {
			return
		}
		if err != nil {
			c.finish(err)
			return
		}
	}
}

// next returns the frame at the start of the buffer, if all of it is there.
func (c *conn) next() (f frame, ok bool, err error) {
	b := c.in[c.r:c.w]
	if !c.prefaced {
		n := min(len(b), len(Preface))
		if string(b[:n]) != Preface[:n] {
			return f, false, fatal(protocolError, "invalid preface")
		}
		if n < len(Preface) {
			return f, false, nil
		}
		c.r += n
		c.prefaced = true
		b = b[n:]
	}
	if len(b) < headSize {
		return f, false, nil
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if n > maxPayload {
		return f, false, fatal(frameSizeError, "frame too large")
	}
	if len(b) < headSize+n {
		return f, false, nil
	}
	f = frame{kind: b[3], flags: b[4], id: (uint32(b[5])<<24 | uint32(b[6])<<16 | uint32(b[7])<<8 | uint32(b[8])) & lastID, payload: b[headSize : headSize+n]}
	c.r += headSize + n
	return f, true, nil
}

// fill writes what there is and reads once.
func (c *conn) fill() error {
	c.mu.Lock()
	if len(c.out) > 0 && (c.uploads > 0 || c.client != nil) {
		go c.flushAll() // a write may wait for the other side to read, which may wait for us to read
	} else {
		c.flush()
	}
	c.partIfDone()
	if c.failed != nil {
		defer c.mu.Unlock()
		return c.failed
	}
	idle := len(c.streams) == 0
	to := c.buffer(idle)
	c.reading = true
	c.mu.Unlock()
	n, err := c.nc.Read(to)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if n > 0 {
		c.lean = false
		if c.in == nil {
			c.in, c.r = getBuffer(smallSize), 0
			c.w = copy(c.in, c.first[:n])
		} else {
			c.w += n
		}
		c.lastRead, c.pinged = time.Now(), false
		return nil
	}
	switch {
	case c.failed != nil:
		return c.failed
	case c.shed && errors.Is(err, os.ErrDeadlineExceeded):
		c.shed = false
		_ = c.nc.SetReadDeadline(time.Time{})
		if c.r == c.w && c.in != nil {
			putBuffer(c.in)
			c.in, c.r, c.w = nil, 0, 0
			c.lean = true
		}
		return nil
	case err == nil:
		err = io.ErrNoProgress
	}
	return err
}

// buffer returns where to read to. An idle connection whose bytes are decrypted, and so are in memory already, has no buffer;
// one in clear loses its buffer to shed.
func (c *conn) buffer(idle bool) []byte {
	n := c.w - c.r
	if n == 0 && c.in != nil && idle && (c.encrypted || len(c.in) > smallSize) {
		putBuffer(c.in)
		c.in = nil
	}
	switch {
	case c.in == nil && idle && (c.encrypted || c.lean):
		c.r, c.w = 0, 0
		return c.first[:]
	case c.in == nil:
		c.in, c.r, c.w = getBuffer(smallSize), 0, 0
	case n == 0:
		c.r, c.w = 0, 0
	case n >= headSize && headSize+(int(c.in[c.r+1])<<8|int(c.in[c.r+2])|int(c.in[c.r])<<16) > len(c.in):
		b := getBuffer(largeSize)
		c.w = copy(b, c.in[c.r:c.w])
		c.r = 0
		putBuffer(c.in)
		c.in = b
	case c.r > 0:
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	return c.in[c.w:]
}
