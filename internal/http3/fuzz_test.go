package http3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/quic-go/qpack"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
)

// decodeAll returns the fields that the engine's decoder sees.
func decodeAll(p []byte) (fields []qpack.HeaderField, ok bool) {
	var d decoder
	h := &head.Head{}
	h.Reset(head.Request, head.Rules{MaxBytes: 1 << 20, MaxFields: 1 << 20})
	ok = d.decode(p, h)
	text := string(d.text)
	for _, s := range d.spans {
		f := qpack.HeaderField{Name: text[s.name:s.nameEnd], Value: text[s.nameEnd:s.end]}
		if s.static >= 0 {
			f.Name = staticTable[s.static].name
		}
		if s.whole {
			f.Value = staticTable[s.static].value
		}
		fields = append(fields, f)
	}
	return fields, ok
}

// FuzzSection compares the decoder with quic-go's, which is stricter about a base that nobody uses.
func FuzzSection(f *testing.F) {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for _, x := range []qpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":path", Value: "/a/long/path?x=1"}, {Name: "cookie", Value: "a=b"}, {Name: "x-y", Value: "z"}} {
		if err := e.WriteField(x); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(b.Bytes())
	f.Add([]byte{0, 0, 0xff, 0x23})
	f.Add([]byte{0, 0x05, 0x51, 0x81, 0x1f})
	f.Add([]byte{0, 0, 0x27, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, p []byte) {
		got, ok := decodeAll(p)
		if len(p) < 2 || p[0] != 0 || p[1] != 0 {
			return
		}
		var want []qpack.HeaderField
		next := qpack.NewDecoder().Decode(p)
		for {
			x, err := next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				if ok {
					t.Fatalf("%x: decoded as %v, which quic-go refuses: %v", p, got, err)
				}
				return
			}
			want = append(want, x)
		}
		if !ok {
			t.Fatalf("%x: refused, quic-go sees %v", p, want)
		}
		if len(got) != len(want) {
			t.Fatalf("%x: %v, quic-go sees %v", p, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%x: %v, quic-go sees %v", p, got[i], want[i])
			}
		}
	})
}

// FuzzField writes a field, which quic-go's decoder must read.
func FuzzField(f *testing.F) {
	for _, x := range staticTable {
		if !strings.HasPrefix(x.name, ":") {
			f.Add(strings.ToUpper(x.name[:1])+x.name[1:], x.value)
		}
	}
	f.Add("Set-Cookie", "a=b; Path=/")
	f.Add("x-a-name-that-is-longer-than-the-room-which-the-encoder-has-for-names-on-its-stack", strings.Repeat("v", 300))
	f.Fuzz(func(t *testing.T, name, value string) {
		if !http1.ValidName(name) || !http1.ValidValue(value) {
			return
		}
		section := appendField(appendStatus(appendSection(nil), 451), name, value)
		next := qpack.NewDecoder().Decode(section)
		if x, err := next(); err != nil || x != (qpack.HeaderField{Name: ":status", Value: "451"}) {
			t.Fatalf("status %v, %v", x, err)
		}
		x, err := next()
		if err != nil || !strings.EqualFold(x.Name, name) || x.Name != strings.ToLower(x.Name) || x.Value != value {
			t.Fatalf("%q: %q came back as %v, %v", name, value, x, err)
		}
		if _, err := next(); err != io.EOF {
			t.Fatalf("more than a field: %v", err)
		}
	})
}

// FuzzStreams feeds the readers of streams; they end with an error, and never hang or panic.
func FuzzStreams(f *testing.F) {
	f.Add([]byte{frameSettings, 2, 6, 1, frameGoaway, 1, 0})
	f.Add([]byte{0x20, 0x44, 0x7f, 0x80, 1})
	f.Add(append(headers(getSection("/")), frame(0x21, []byte("x"))...))
	f.Fuzz(func(t *testing.T, p []byte) {
		c := &Conn{}
		for _, read := range []func(*bufio.Reader) error{c.readControl, readEncoder, readDecoder} {
			if read(bufio.NewReader(bytes.NewReader(p))) == nil {
				t.Fatal("ended without an error")
			}
		}
		x := &exchange{c: c, in: bufio.NewReader(bytes.NewReader(p))}
		c.o.setDefaults()
		x.frames.r = x.in
		x.head.Reset(head.Request, c.o.rules())
		if over, err := x.readHead(); err == nil && !over {
			x.head.Finish(false)
		}
	})
}

func TestStatusTable(t *testing.T) {
	for status := 100; status < 1000; status++ {
		fields, ok := decodeAll(appendStatus(appendSection(nil), status))
		want := string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
		if !ok || len(fields) != 1 || fields[0] != (qpack.HeaderField{Name: ":status", Value: want}) {
			t.Errorf("%d: %v", status, fields)
		}
	}
}
