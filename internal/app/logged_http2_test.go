package app

import (
	"bytes"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/accesslog"
)

// TestLoggedHitAllocatesNothingOverHTTP2 is TestLoggedHitAllocatesNothing for HTTP/2.
func TestLoggedHitAllocatesNothingOverHTTP2(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const batches = 100
	n := nodeOf(t, loggedTemplate(), 1<<10)
	l := serveReplays(t, n)
	for name, request := range hitRequests(n.hostOf("Site"), 2) {
		if strings.HasPrefix(request, "HEAD") {
			l.run("GET"+request[4:], 1)
		}
		l.run(request, 1) // stores the object
		warm, r := l.runHTTP2(newPatient(request, batches)), newPatient(request, batches)
		n.accessLogs.Flush()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l.runHTTP2(r)
		runtime.ReadMemStats(&after)
		n.accessLogs.Flush()
		if r.ends != warm.ends {
			t.Fatalf("%s: %d answers, then %d", name, warm.ends, r.ends)
		}
		if per := float64(after.Mallocs-before.Mallocs) / float64(r.ends); per > 0.2 { // the connection itself costs some
			t.Errorf("%s: %.2f allocations a hit, want 0", name, per)
		}
	}
}

// http2Viewer is a connection of HTTP/2 that knows what it has received on each stream.
type http2Viewer struct {
	t      *testing.T
	framer *http2.Framer
	enc    *hpack.Encoder
	dec    *hpack.Decoder
	block  bytes.Buffer
	next   uint32
	leave  func() // returns when the server has closed the connection as well
}

// addressed is a connection from someAddress.
type addressed struct {
	net.Conn
	closed chan struct{}
	once   *sync.Once
}

func (a addressed) Close() error { a.once.Do(func() { close(a.closed) }); return a.Conn.Close() }

func (addressed) LocalAddr() net.Addr  { return someAddress }
func (addressed) RemoteAddr() net.Addr { return someAddress }

// viewHTTP2 connects.
func (l *replays) viewHTTP2(t *testing.T) *http2Viewer {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	v := &http2Viewer{t: t, dec: hpack.NewDecoder(4096, nil), next: 1}
	v.enc = hpack.NewEncoder(&v.block)
	out := make(chan []byte, 1000) // a pipe holds nothing
	go func() {
		for b := range out {
			_, _ = ours.Write(b)
		}
	}()
	v.framer = http2.NewFramer(writerTo(func(b []byte) { out <- bytes.Clone(b) }), ours)
	out <- []byte(http2.ClientPreface)
	if err := v.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if err := v.framer.WriteWindowUpdate(0, 1<<20); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	v.leave = func() { ours.Close(); <-closed }
	l.conns <- addressed{theirs, closed, new(sync.Once)}
	return v
}

type writerTo func([]byte)

func (w writerTo) Write(b []byte) (int, error) { w(b); return len(b), nil }

// ask sends a request and returns the fields of the answer, and how many bytes its frames have.
func (v *http2Viewer) ask(body string, fields ...string) (answer map[string]string, size int) {
	v.t.Helper()
	v.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := v.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			v.t.Fatal(err)
		}
	}
	id := v.next
	v.next += 2
	err := v.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: v.block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if err == nil && body != "" {
		err = v.framer.WriteData(id, true, []byte(body))
	}
	if err != nil {
		v.t.Fatal(err)
	}
	answer = map[string]string{}
	for {
		f, err := v.framer.ReadFrame()
		if err != nil {
			v.t.Fatal(err)
		}
		h := f.Header()
		if h.StreamID != id || h.Type != http2.FrameHeaders && h.Type != http2.FrameData {
			continue
		}
		size += 9 + int(h.Length)
		if f, ok := f.(*http2.HeadersFrame); ok {
			all, err := v.dec.DecodeFull(f.HeaderBlockFragment())
			if err != nil {
				v.t.Fatal(err)
			}
			for _, f := range all {
				answer[f.Name] = f.Value
			}
		}
		if h.Flags.Has(http2.FlagDataEndStream) {
			return answer, size
		}
	}
}

// TestLoggedBytesOverHTTP2 is TestLoggedBytes for HTTP/2: sc-bytes are those of the stream's frames, and cs-bytes what HTTP/1.1 would
// have written.
func TestLoggedBytesOverHTTP2(t *testing.T) {
	n := nodeOf(t, loggedTemplate(), 50_000)
	l := serveReplays(t, n)
	host := n.hostOf("Site")
	v := l.viewHTTP2(t)
	column := map[string]int{}
	for i, name := range accesslog.Columns()[:33] {
		column[name] = i
	}
	var want []map[string]string
	for _, c := range []struct {
		method, path, body string
		fields             []string
		want               map[string]string
	}{
		{"GET", "/a.js", "", nil, map[string]string{"x-edge-result-type": "Miss", "sc-status": "200", "sc-content-len": "50000"}},
		{"GET", "/a.js", "", nil, map[string]string{"x-edge-result-type": "Hit", "sc-status": "200", "sc-content-len": "50000"}},
		{"HEAD", "/a.js", "", nil, map[string]string{"x-edge-result-type": "Hit", "sc-status": "200", "sc-content-len": "50000"}},
		{"GET", "/a.js", "", []string{"range", "bytes=10-19"}, map[string]string{"sc-status": "206", "sc-range-start": "10", "sc-range-end": "19", "sc-content-len": "10"}},
		{"GET", "/a.js", "", []string{"if-none-match", `"1"`}, map[string]string{"sc-status": "304"}},
		{"POST", "/a.js", "abc", nil, map[string]string{"sc-status": "403", "x-edge-result-type": "Error", "x-edge-detailed-result-type": "InvalidRequestMethod"}},
		{"GET", "/new.js", "", []string{"user-agent", `u "x"`, "cookie", "a=1; b=2"}, map[string]string{"cs(User-Agent)": "u%20%22x%22", "cs(Cookie)": "a=1;%20b=2"}},
	} {
		received := len(c.method+" "+c.path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n") + len(c.body)
		for i := 0; i < len(c.fields); i += 2 {
			received += len(c.fields[i]+": \r\n") + len(c.fields[i+1])
		}
		fields := append([]string{":method", c.method, ":scheme", "http", ":authority", host, ":path", c.path}, c.fields...)
		if c.body != "" {
			fields = append(fields, "content-length", strconv.Itoa(len(c.body)))
			received += len("content-length: 3\r\n")
		}
		answer, size := v.ask(c.body, fields...)
		for name, value := range map[string]string{"sc-bytes": strconv.Itoa(size), "cs-bytes": strconv.Itoa(received), "cs-protocol": "http", "cs-protocol-version": "HTTP/2.0",
			"ssl-protocol": "-", "cs-method": c.method, "cs-uri-stem": c.path, "x-edge-request-id": answer["x-amz-cf-id"], "x-host-header": host, "sc-status": answer[":status"]} {
			if c.want[name] == "" {
				c.want[name] = value
			}
		}
		want = append(want, c.want)
	}
	v.leave()
	legacy, records := loggedLines(t, n)
	for deadline := time.Now().Add(10 * time.Second); len(records) < len(want) && time.Now().Before(deadline); { // see below
		legacy, records = loggedLines(t, n)
	}
	if len(legacy) != len(want) || len(records) != len(want) {
		t.Fatalf("%d and %d records of %d requests", len(legacy), len(records), len(want))
	}
	for _, w := range want { // records come as answers end here, which viewers may know before
		i := slices.IndexFunc(legacy, func(line []string) bool { return line[column["x-edge-request-id"]] == w["x-edge-request-id"] })
		if i < 0 {
			t.Fatalf("%s: no record", w["x-edge-request-id"])
		}
		for name, value := range w {
			if got := legacy[i][column[name]]; got != value || records[i][name] != got {
				t.Errorf("%s %s: %s is %q, and %q in JSON, want %q", w["cs-method"], w["sc-status"], name, got, records[i][name], value)
			}
		}
	}
}
