package accesslog

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func id(text string) (id [IDLength]byte) { copy(id[:], text); return id }

// legacy writes a line of a legacy log.
func legacy(t testing.TB, r *Record) string {
	l, err := newLayout(names(columns()[:legacyColumns]), W3C, "\t", true)
	if err != nil {
		t.Fatal(err)
	}
	return string(l.append(nil, r))
}

// The last line of the example in standard-logs-reference, but for the bytes of the answer's own head.
func TestLegacyLine(t *testing.T) {
	r := &Record{
		Ended: time.Date(2019, 12, 13, 22, 37, 2, 0, time.UTC), Taken: 103400 * time.Microsecond, FirstByte: 103 * time.Millisecond,
		Location: "SEA19-C2", Sent: 900, Client: netip.MustParseAddrPort("[::ffff:192.0.2.200]:12644"), Method: "GET",
		Domain: "d111111abcdef8.cloudfront.net", Host: "www.example.com", Path: "/", Status: 502, UserAgent: "curl/7.55.1",
		Result: "Error", ResponseResult: "Error", Detailed: "OriginDnsError", RequestID: id("kBkDzGnceVtWHqSCqBUqtA_cEs2T3tFUBbnBNkB9El_uVRhHgcZfcw=="),
		Protocol: "http", Received: 387, Version: "HTTP/1.1", ContentType: "text/html", ContentLength: 507,
	}
	want := "2019-12-13\t22:37:02\tSEA19-C2\t900\t192.0.2.200\tGET\td111111abcdef8.cloudfront.net\t/\t502\t-\tcurl/7.55.1\t-\t-\tError\tkBkDzGnceVtWHqSCqBUqtA_cEs2T3tFUBbnBNkB9El_uVRhHgcZfcw==\twww.example.com\thttp\t387\t0.103\t-\t-\t-\tError\tHTTP/1.1\t-\t-\t12644\t0.103\tOriginDnsError\ttext/html\t507\t-\t-"
	if got := legacy(t, r); got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	odd := &Record{UserAgent: "Mozilla/5.0 (Windows NT 10.0)", Path: "/a%20b\"é", Cookie: "a=1; b=2", ContentLength: -1, RangeStart: "0", RangeEnd: "9"}
	line := strings.Split(legacy(t, odd), "\t")
	for i, want := range map[int]string{4: "-", 7: "/a%2520b%22%C3%A9", 8: "000", 10: "Mozilla/5.0%20(Windows%20NT%2010.0)", 12: "a=1;%20b=2", 26: "-", 30: "-", 31: "0", 32: "9"} {
		if len(line) != 33 || line[i] != want {
			t.Errorf("field %s: %q, want %q", Columns()[i], line[i], want)
		}
	}
}

type files struct {
	mu  sync.Mutex
	all map[string]string
	err error
}

func (f *files) put(_ context.Context, bucket, key string, body []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(z)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string]string{}
	}
	f.all[bucket+"/"+key] = string(text)
	return errors.Join(err, f.err)
}

func (f *files) copy() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.all)
}

func TestCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f files
		c := New(Options{Put: f.put, Every: time.Minute})
		one, two := c.to(t, Target{Distribution: "E1", Bucket: "logs", Prefix: "site"}), c.to(t, Target{Distribution: "E2", Bucket: "logs"})
		again := c.to(t, Target{Distribution: "E1", Bucket: "logs", Prefix: "site/"})
		at := time.Date(2026, 1, 2, 3, 59, 59, 0, time.UTC)
		one.Log(&Record{Ended: at, Path: "/1"})
		one.Log(&Record{Ended: at.Add(time.Second), Path: "/2"})
		two.Log(&Record{Ended: at, Path: "/3"})
		again.Log(&Record{Ended: at, Path: "/4"}) // of a later plan: the same file
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := len(f.copy()); n != 0 {
			t.Errorf("delivered before its time: %d files", n)
		}
		time.Sleep(time.Second + gather)
		synctest.Wait()
		for _, want := range []struct{ name, paths string }{
			{`^logs/site/E1\.2026-01-02-03\.[0-9a-f]{8}\.gz$`, "/1 /4"}, {`^logs/site/E1\.2026-01-02-04\.[0-9a-f]{8}\.gz$`, "/2"}, {`^logs/E2\.2026-01-02-03\.[0-9a-f]{8}\.gz$`, "/3"},
		} {
			found := false
			for name, text := range f.copy() {
				if !regexp.MustCompile(want.name).MatchString(name) {
					continue
				}
				found = true
				lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
				var paths []string
				for _, l := range lines[2:] {
					paths = append(paths, strings.Split(l, "\t")[7])
				}
				if lines[0] != "#Version: 1.0" || !strings.HasPrefix(lines[1], "#Fields: date time x-edge-location sc-bytes ") || strings.Join(paths, " ") != want.paths {
					t.Errorf("%s:\n%s", name, text)
				}
			}
			if !found {
				t.Errorf("no file %s", want.name)
			}
		}
		two.Log(&Record{Ended: at, Path: "/5"})
		c.Flush()
		if n := len(f.copy()); n != 4 {
			t.Errorf("%d files after Flush", n)
		}
		two.Log(&Record{Ended: at, Path: "/6"})
		c.Close()
		c.Close()
		c.Flush()
		if n := len(f.copy()); n != 5 {
			t.Errorf("%d files after Close", n)
		}
	})
}

// Who logs never waits: what has no room is dropped, counted, and told.
func TestDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f files
		f.err = errors.New("no room")
		gate := make(chan struct{})
		var said []string
		c := New(Options{Queue: 2, Every: time.Second, Log: func(format string, _ ...any) { said = append(said, format) },
			Put: func(ctx context.Context, bucket, key string, body []byte) error {
				<-gate
				return f.put(ctx, bucket, key, body)
			}})
		s := c.to(t, Target{Distribution: "E1", Bucket: "logs"})
		s.Log(&Record{})
		time.Sleep(time.Second + gather) // the collector is in Put now
		synctest.Wait()
		for range 5 {
			s.Log(&Record{})
		}
		if n := c.Dropped(); n != 3 {
			t.Errorf("%d dropped", n)
		}
		close(gate)
		c.Close()
		if text := strings.Join(said, "\n"); !strings.Contains(text, "were dropped") || !strings.Contains(text, "could not be put") {
			t.Errorf("said %q", said)
		}
	})
	var none *Collector
	none.to(t, Target{}).Log(&Record{}) // discards
	c := New(Options{})
	c.to(t, Target{}).Log(&Record{})
	c.Close()
}

// to is the route to a bucket.
func (c *Collector) to(t *testing.T, target Target) *Route {
	r, err := c.Route(Destinations{Legacy: []Target{target}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func FuzzLine(f *testing.F) {
	f.Add("/a b", "x\ty\n", "q=\x00")
	f.Fuzz(func(t *testing.T, path, agent, query string) {
		r := &Record{Path: path, UserAgent: agent, Query: query, Fields: "A: " + agent + "\r\nCMCD-Object: " + query + "\r\n"}
		line := legacy(t, r)
		if strings.Count(line, "\t") != 32 || strings.ContainsAny(line, "\n ") {
			t.Errorf("line %q", line)
		}
		live := string(realTimeLayout(RealTimeColumns()).append(nil, r))
		if strings.Count(live, "\t") != len(RealTimeColumns())-1 || strings.ContainsAny(live, "\n ") {
			t.Errorf("record %q", live)
		}
		l, err := newLayout(Columns(), JSON, "", true)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]string
		if err := json.Unmarshal(l.append(nil, r), &fields); err != nil || len(fields) != len(Columns()) {
			t.Errorf("%v, %d fields: %s", err, len(fields), l.append(nil, r))
		}
	})
}
