package message

import (
	"iter"
	"strings"
	"sync/atomic"
)

// Lines are fields that many answers share, checked and written out once: the head of a stored object, what a node says
// about itself. They never change. Make them with http1.NewLines, which knows what may be sent.
type Lines struct {
	// Text has a line "Name: value\r\n" for each field. Fields that frame a message are not among them.
	Text string
	// TypeEnd is where the line of Content-Type ends in Text, 0 without one: HTTP/1.1 has the framing fields there.
	TypeEnd int
	// Dated tells whether there is a Date.
	Dated bool

	names uint64 // a bit for each name, so that most lookups of what is not there end at once
	lower atomic.Pointer[Header]
}

// MakeLines is for http1.NewLines only: text must be as Lines says.
func MakeLines(text string, typeEnd int, dated bool) *Lines {
	l := &Lines{Text: text, TypeEnd: typeEnd, Dated: dated}
	for name := range l.All() {
		l.names |= nameBit(name)
	}
	return l
}

// nameBit spreads names over 64 bits without looking at all of them.
func nameBit(name string) uint64 {
	n := len(name)
	if n == 0 {
		return 0
	}
	return 1 << ((uint(n)*5 ^ uint(name[0]|0x20) ^ uint(name[n-1]|0x20)<<1 ^ uint(name[n/2]|0x20)<<2) & 63)
}

// All goes through the fields in order, without allocating.
func (l *Lines) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for rest := l.Text; rest != ""; {
			colon := strings.IndexByte(rest, ':')
			end := colon + 2 + strings.IndexByte(rest[colon+2:], '\r')
			if !yield(rest[:colon], rest[colon+2:end]) {
				return
			}
			rest = rest[end+2:]
		}
	}
}

// Lookup returns the first value of name and whether there is one.
func (l *Lines) Lookup(name string) (string, bool) {
	if l.names&nameBit(name) == 0 {
		return "", false
	}
	for rest := l.Text; rest != ""; {
		colon := strings.IndexByte(rest, ':')
		end := colon + 2 + strings.IndexByte(rest[colon+2:], '\r')
		if SameName(rest[:colon], name) {
			return rest[colon+2 : end], true
		}
		rest = rest[end+2:]
	}
	return "", false
}

// Append appends the fields to h. Their strings are parts of Text.
func (l *Lines) Append(h Header) Header {
	for n, v := range l.All() {
		h = append(h, Field{n, v})
	}
	return h
}

// Lower returns the fields with their names in lower case, as HTTP/2 and 3 send them. They are made at the first call and
// shared: the caller must not change them, and may take the address of the first as their identity.
func (l *Lines) Lower() Header {
	if h := l.lower.Load(); h != nil {
		return *h
	}
	h := make(Header, 0, strings.Count(l.Text, "\r\n"))
	for n, v := range l.All() {
		h = append(h, Field{strings.ToLower(n), v})
	}
	l.lower.CompareAndSwap(nil, &h)
	return *l.lower.Load()
}

// Room is memory that a protocol engine lends for one answer, and the sign that it understands Response.Before and After. It
// is the handler's from Serve on, and the engine's again once the answer is sent: then all that was made in it is void,
// strings included, so that an answer out of the cache costs no allocation. A handler need not use it.
type Room struct {
	Response Response
	Fields   [24]Field
	Text     [128]byte
	Body     Bytes
	// Sent is how many bytes of the connection the answer has taken when its body is closed. The engine counts them; it is 0 where
	// it does not.
	Sent int64
}
