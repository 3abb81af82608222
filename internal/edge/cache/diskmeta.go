package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// An entry's file has a magic number with the version of the format, the length of what follows and its CRC-32C, then the
// object's fields in order, and at last the body when it is small.
const metaMark = "FGC1"

// inlineLimit is the largest body that stands in the entry's own file.
const inlineLimit = 32 << 10

// maxMeta is more than an entry's file can have: key, target and head are bounded by what HTTP takes here.
const maxMeta = inlineLimit + 1<<20

var errMeta = errors.New("not a stored object")

type metaWriter struct{ b []byte }

func (w *metaWriter) text(s string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *metaWriter) number(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *metaWriter) time(t time.Time) { w.number(t.UnixNano()) }

// encode writes the entry of an object.
func encode(key []byte, o *Object) []byte {
	w := metaWriter{b: make([]byte, 12, 512+len(o.Head.Text)+len(o.Body))}
	w.text(string(key))
	w.text(o.Distribution)
	w.text(o.Target)
	w.text(o.Head.Text)
	w.text(o.Via)
	w.text(o.Result)
	w.text(o.ETag)
	w.text(o.LastModified)
	w.number(int64(o.Status))
	w.number(int64(o.Head.TypeEnd))
	flags := int64(0)
	for i, set := range [...]bool{o.Head.Dated, o.Self, o.HeadOnly, o.File != nil, o.Unsized} {
		if set {
			flags |= 1 << i
		}
	}
	w.number(flags)
	w.number(o.Length)
	w.time(o.Stored)
	w.time(o.Expires)
	w.number(int64(o.Age))
	w.number(int64(o.StaleWhileRevalidate))
	w.number(int64(o.StaleIfError))
	if o.File != nil {
		w.number(int64(o.File.id))
		w.number(o.File.size)
	}
	w.text(string(o.Body))
	return sealed(w.b)
}

type metaReader struct {
	b   []byte
	bad bool
}

func (r *metaReader) text() string {
	n, k := binary.Uvarint(r.b)
	if k <= 0 || n > uint64(len(r.b)-k) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[k : k+int(n)])
	r.b = r.b[k+int(n):]
	return s
}

func (r *metaReader) number() int64 {
	n, k := binary.Varint(r.b)
	if k <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *metaReader) time() time.Time { return time.Unix(0, r.number()) }

// decode reads an entry. Whatever it is given, it returns an object that can be served, or an error.
func decode(b []byte) (key string, o *Object, err error) {
	if len(b) < 12 || string(b[:4]) != metaMark || uint64(binary.LittleEndian.Uint32(b[4:])) != uint64(len(b)-12) ||
		binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[12:], castagnoli) {
		return "", nil, errMeta
	}
	r := metaReader{b: b[12:]}
	key = r.text()
	o = &Object{Distribution: r.text(), Target: r.text()}
	head := r.text()
	o.Via, o.Result, o.ETag, o.LastModified = r.text(), r.text(), r.text(), r.text()
	o.Status = int(r.number())
	typeEnd := r.number()
	flags := r.number()
	o.Length = r.number()
	o.Stored, o.Expires = r.time(), r.time()
	o.Age, o.StaleWhileRevalidate, o.StaleIfError = time.Duration(r.number()), time.Duration(r.number()), time.Duration(r.number())
	o.Self, o.HeadOnly, o.Unsized = flags&2 != 0, flags&4 != 0, flags&16 != 0
	if flags&8 != 0 {
		o.File = &File{id: uint64(r.number()), size: r.number()}
	}
	body := r.text()
	if r.bad || len(r.b) > 0 || !isHead(head) || typeEnd < 0 || typeEnd > int64(len(head)) || o.Status < 100 || o.Status > 999 ||
		o.File != nil && (o.File.size < 0 || o.File.size > 1<<50 || body != "") {
		return "", nil, errMeta
	}
	if o.File == nil && !o.HeadOnly {
		o.Body = []byte(body)
	}
	o.Head = message.MakeLines(head, int(typeEnd), flags&1 != 0)
	// Parts of the head share its memory.
	if v, ok := o.Head.Lookup("ETag"); ok && v == o.ETag {
		o.ETag = v
	}
	if v, ok := o.Head.Lookup("Last-Modified"); ok && v == o.LastModified {
		o.LastModified = v
	}
	return key, o, nil
}

// isHead tells whether text is what message.Lines wants: whole lines with a name and a value.
func isHead(text string) bool {
	for text != "" {
		line, rest, ok := strings.Cut(text, "\r\n")
		colon := strings.Index(line, ": ")
		if !ok || colon < 1 || strings.IndexByte(line, ':') != colon || strings.IndexByte(line, '\r') >= 0 {
			return false
		}
		text = rest
	}
	return true
}

// sealed puts length and checksum over an entry.
func sealed(b []byte) []byte {
	copy(b, metaMark)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-12))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
	return b
}
