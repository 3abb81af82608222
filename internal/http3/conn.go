package http3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/foregate/foregate/internal/message"
)

// Conn is a connection of a client, its handshake over.
type Conn struct {
	q      *quic.Conn
	tls    *message.TLS
	agreed bool // on h3
	o      Options

	control *quic.SendStream

	mu       sync.Mutex
	active   int
	next     quic.StreamID // the first that was not accepted yet
	draining bool
	idle     *time.Timer
	budget   int
	last     time.Time // when active became zero
	peer     [4]bool   // by type, the streams that a client has one of each
	unknown  int       // streams of unknown type
	priority priorities
}

// linger is how long a drained connection waits for the client to close it: quic-go cannot tell when an answer has arrived,
// and closing a connection drops what has not.
const linger = time.Second

// Abuse: streams that ended without a whole answer cost, answers earn.
const (
	budgetMost = 4096
	costReset  = 20
	earnAnswer = 8
)

// Serve serves the connection until it ends and its handlers have returned. Cancelling ctx closes it at once.
func (c *Conn) Serve(ctx context.Context, o Options) {
	o.setDefaults()
	c.o, c.budget = o, budgetMost
	if !c.agreed {
		c.fail(connFault(generalProtocolError, "the handshake did not agree on h3"))
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if err := c.open(); err != nil {
		_ = c.Close()
		return
	}
	if o.IdleTimeout > 0 {
		c.idle = time.AfterFunc(o.IdleTimeout, func() { c.closeIfIdle() })
		defer c.idle.Stop()
	}
	if o.Drain != nil {
		stop := context.AfterFunc(o.Drain, c.drain)
		defer stop()
	}
	var running sync.WaitGroup
	running.Go(c.acceptUni)
	for {
		s, err := c.q.AcceptStream(c.q.Context())
		if err != nil {
			break
		}
		if !c.begin(s) {
			s.CancelRead(quic.StreamErrorCode(requestRejected))
			s.CancelWrite(quic.StreamErrorCode(requestRejected))
			s.ReleaseStreamCredit()
			continue
		}
		running.Go(func() {
			whole := c.exchange(s)
			s.ReleaseStreamCredit()
			c.end(s.StreamID(), whole)
		})
	}
	running.Wait()
}

// open opens the control stream and sends the settings: no dynamic table, and how large a head may be (rfc9114 7.2.4.1).
func (c *Conn) open() error {
	s, err := c.q.OpenUniStream()
	if err != nil {
		return fmt.Errorf("open the control stream: %w", err)
	}
	c.control = s
	const maxFieldSectionSize = 0x06
	settings := quicvarint.Append(nil, maxFieldSectionSize)
	settings = quicvarint.Append(settings, uint64(c.o.MaxHead)+32*uint64(c.o.MaxFields)) // rfc9114 4.2.2 counts 32 for each
	b := append([]byte{streamControl, frameSettings}, byte(len(settings)))
	if _, err := s.Write(append(b, settings...)); err != nil {
		return fmt.Errorf("send the settings: %w", err)
	}
	return nil
}

// begin counts a request in. It returns false for one that came after the drain.
func (c *Conn) begin(s *quic.Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return false
	}
	c.active++
	c.next = max(c.next, s.StreamID()+4)
	c.priority.begin(s.StreamID(), s)
	if c.idle != nil {
		c.idle.Stop()
	}
	return true
}

// end counts a request out, and closes a connection that was abused.
func (c *Conn) end(id quic.StreamID, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
	c.priority.end(id)
	if whole {
		c.budget = min(c.budget+earnAnswer, budgetMost)
	} else if c.budget -= costReset; c.budget <= 0 {
		go c.fail(connFault(excessiveLoad, "too many requests that were given up"))
	}
	if c.active > 0 {
		return
	}
	c.last = time.Now()
	switch {
	case c.draining:
		time.AfterFunc(linger, func() { _ = c.Close() })
	case c.idle != nil:
		c.idle.Reset(c.o.IdleTimeout)
	}
}

func (c *Conn) closeIfIdle() {
	c.mu.Lock()
	idle := c.active == 0
	c.mu.Unlock()
	if idle {
		_ = c.Close()
	}
}

// drain tells the client which requests are still answered (rfc9114 5.2). One that is idle is closed at once.
func (c *Conn) drain() {
	c.mu.Lock()
	c.draining = true
	next, active, last := c.next, c.active, c.last
	c.mu.Unlock()
	if active == 0 && time.Since(last) >= linger {
		_ = c.Close()
		return
	}
	payload := quicvarint.Append(nil, uint64(next))
	_ = c.control.SetWriteDeadline(time.Now().Add(linger))
	_, _ = c.control.Write(append([]byte{frameGoaway, byte(len(payload))}, payload...))
	if active == 0 {
		time.AfterFunc(linger, func() { _ = c.Close() })
	}
}

// fail ends the connection for what the client did.
func (c *Conn) fail(f *fault) { _ = c.q.CloseWithError(f.code, f.why) }

// Stream types (rfc9114 6.2, rfc9204 4.2).
const (
	streamControl = 0x00
	streamPush    = 0x01
	streamEncoder = 0x02
	streamDecoder = 0x03
)

// acceptUni reads the streams that the client opens in its own direction.
func (c *Conn) acceptUni() {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		s, err := c.q.AcceptUniStream(c.q.Context())
		if err != nil {
			return
		}
		running.Go(func() {
			defer s.ReleaseStreamCredit()
			err := c.serveUni(s)
			var f *fault
			if errors.As(err, &f) {
				if f.conn {
					c.fail(f)
				}
				s.CancelRead(quic.StreamErrorCode(f.code))
			}
		})
	}
}

// serveUni reads a stream in the client's direction until it ends, which those that matter may not.
func (c *Conn) serveUni(s *quic.ReceiveStream) error {
	r := bufio.NewReaderSize(s, 256)
	_ = s.SetReadDeadline(after(c.o.HeadTimeout))
	kind, err := readVarint(r)
	if err != nil {
		return streamFault(streamCreationError, "no stream type")
	}
	_ = s.SetReadDeadline(time.Time{})
	read := map[uint64]func(*bufio.Reader) error{streamControl: c.readControl, streamEncoder: readEncoder, streamDecoder: readDecoder}[kind]
	switch {
	case kind == streamPush:
		return connFault(streamCreationError, "a client cannot push") // rfc9114 6.2.2
	case read == nil:
		c.mu.Lock()
		c.unknown++
		flood := c.unknown > maxUnknownFrames
		c.mu.Unlock()
		if flood {
			return connFault(excessiveLoad, "too many streams of unknown type")
		}
		return streamFault(streamCreationError, "unknown stream type") // rfc9114 6.2
	}
	c.mu.Lock()
	twice := c.peer[kind]
	c.peer[kind] = true
	c.mu.Unlock()
	if twice {
		return connFault(streamCreationError, "a second stream of its type")
	}
	err = read(r)
	var f *fault
	if errors.As(err, &f) {
		return err
	}
	return connFault(closedCriticalStream, "a stream ended that may not") // also after a reset
}
