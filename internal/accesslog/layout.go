package accesslog

import (
	"fmt"
	"strings"
)

// Format is how a record is written.
type Format uint8

// The formats. Raw is written as Plain is: the manual tells nothing of either.
const (
	W3C Format = iota
	JSON
	Plain
	Raw
)

// layout writes records as lines. It is for one goroutine.
type layout struct {
	columns   []column
	format    Format
	delimiter string
	room      []byte
}

// newLayout picks columns by name, in the order in which they are named. Without cookies the field of that name is always empty:
// cookie logging is a setting of the distribution (standard-logging).
func newLayout(picked []string, format Format, delimiter string, cookies bool) (*layout, error) {
	all := columns()
	l := &layout{format: format, delimiter: delimiter}
	for _, name := range picked {
		c, ok := find(all, name)
		if !ok {
			return nil, fmt.Errorf("log field %q: there is no such field", name)
		}
		if name == cookieColumn && !cookies {
			c.of = nil
		}
		l.columns = append(l.columns, c)
	}
	return l, nil
}

func find(all []column, name string) (column, bool) {
	for i := range all {
		if all[i].name == name {
			return all[i], true
		}
	}
	return column{}, false
}

// realTimeLayout picks columns of real-time logs, which come in the order of the manual whatever the order in which they are named.
func realTimeLayout(picked []string) *layout {
	l := &layout{format: Plain, delimiter: "\t"}
	for _, c := range realTimeColumns() {
		for _, name := range picked {
			if c.name == name {
				l.columns = append(l.columns, c)
				break
			}
		}
	}
	return l
}

func (l *layout) needs() (n Needs) {
	for i := range l.columns {
		n |= l.columns[i].needs
	}
	return n
}

// head is what a file begins with.
func (l *layout) head() string {
	if l.format != W3C {
		return ""
	}
	return "#Version: 1.0\n#Fields: " + strings.Join(names(l.columns), " ") + "\n"
}

// append writes a record as a line without a line break.
func (l *layout) append(dst []byte, r *Record) []byte {
	if l.format == JSON {
		dst = append(dst, '{')
	}
	for i := range l.columns {
		c := &l.columns[i]
		switch {
		case l.format == JSON:
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), c.name...), `":"`...)
		case i > 0:
			dst = append(dst, l.delimiter...)
		}
		dst, l.room = c.append(dst, l.room, r)
		if l.format == JSON {
			dst = append(dst, '"')
		}
	}
	if l.format == JSON {
		dst = append(dst, '}')
	}
	return dst
}

// append writes the value of a field; room is memory for it, which is given back.
func (c *column) append(dst, room []byte, r *Record) ([]byte, []byte) {
	if c.of == nil {
		return append(dst, '-'), room
	}
	start := len(dst)
	room = c.of(room[:0], r)
	dst = appendEncoded(dst, room)
	if end := start + c.limit; c.limit > 0 && len(dst) > end {
		for n := range 2 { // not within %20
			if dst[end-1-n] == '%' {
				end -= n + 1
				break
			}
		}
		dst = dst[:end]
	}
	return dst, room
}

// appendEncoded writes a value as logs have it: percent-encoded where it is not plain (standard-logging-legacy-s3: ASCII 0 to 32 and
// from 127, and < > " # % { } | \ ^ ~ [ ] ` '), and a hyphen for an empty one. Nothing that JSON would escape is left.
func appendEncoded(dst, v []byte) []byte {
	if len(v) == 0 {
		return append(dst, '-')
	}
	const hex = "0123456789ABCDEF"
	start := 0
	for i, c := range v {
		if plain[c] {
			continue
		}
		dst = append(append(dst, v[start:i]...), '%', hex[c>>4], hex[c&15])
		start = i + 1
	}
	dst = append(dst, v[start:]...)
	return dst
}

// plain tells which bytes stand for themselves.
var plain = func() (t [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		t[c] = !strings.ContainsRune("<>\"#%{}|\\^~[]`'", c)
	}
	return t
}()
