package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// video is an origin with ranges and validators, as nginx and S3 have them.
type video struct {
	body    string
	etag    string
	control string
	fields  []string
	chunked bool // without Content-Length
}

func (v *video) answer(f *FetchRequest) (*message.Response, error) {
	h := f.Request.Header
	res := withHeaderOf(200, v.body, append([]string{"ETag", v.etag, "Cache-Control", v.control}, v.fields...))
	if c, ok := h.Lookup("If-None-Match"); ok && etagListed(c, v.etag) {
		res.Status, res.Body, res.ContentLength = 304, nil, 0
		return res, nil
	}
	if value, ok := h.Lookup("Range"); ok && h.Get("If-Range") == "" || ok && h.Get("If-Range") == v.etag {
		spans, verdict := parseRange(value, int64(len(v.body)))
		switch {
		case verdict == rangeUnsatisfiable:
			return withHeaderOf(416, "", []string{"Content-Range", "bytes */" + strconv.Itoa(len(v.body))}), nil
		case len(spans) == 1:
			part := v.body[spans[0].first : spans[0].last+1]
			res.Status, res.Body, res.ContentLength = 206, io.NopCloser(strings.NewReader(part)), int64(len(part))
			res.Header.Add("Content-Range", spans[0].contentRange(int64(len(v.body))))
			if v.chunked {
				res.ContentLength = -1
			}
		}
	}
	return res, nil
}

func withHeaderOf(status int, body string, fields []string) *message.Response {
	res, _ := withHeader(status, body, fields...)(nil)
	return res
}

const digits = "0123456789abcdefghij"

// A part of an object is kept and answers for what lies within it; parts that touch answer together, and all of them are the
// object (DG-rangegets).
func TestPartsAreKept(t *testing.T) {
	w, s := newWorld(testPlan(zeroPolicy()))
	v := &video{body: digits, etag: `"v1"`, control: "max-age=60"}
	w.origin = v.answer
	for i, tt := range []struct {
		request []string
		status  int
		body    string
		xcache  string
		fetches int
	}{
		{[]string{"Range", "bytes=4-7"}, 206, "4567", "Miss", 1},
		{[]string{"Range", "bytes=4-7"}, 206, "4567", "Hit", 1},
		{[]string{"Range", "bytes=5-6"}, 206, "56", "Hit", 1},
		{[]string{"Range", "bytes=5-6", "If-Range", `"v1"`}, 206, "56", "Hit", 1},
		{[]string{"Range", "bytes=4-4,7-7"}, 206, "", "Hit", 1},
		{[]string{"Range", "bytes=6-9"}, 206, "6789", "Miss", 2}, // no more is asked for than the viewer does
		{[]string{"Range", "bytes=4-9"}, 206, "456789", "Hit", 2},
		{[]string{"Range", "bytes=12-13"}, 206, "cd", "Miss", 3},
		{[]string{"Range", "bytes=4-13"}, 206, "456789abcd", "Miss", 4},
		{[]string{"Range", "bytes=90-"}, 416, "", "Hit", 4},
		{[]string{"Range", "bytes=5-6", "If-None-Match", `"v1"`}, 304, "", "Hit", 4},
		{[]string{"Range", "bytes=-6"}, 206, "efghij", "Miss", 5},
		{[]string{"Range", "bytes=4-"}, 206, digits[4:], "Hit", 5},
		{[]string{"Range", "bytes=0-3"}, 206, "0123", "Miss", 6},
		{nil, 200, digits, "Hit", 6}, // it is whole now
		{[]string{"Range", "bytes=0-19"}, 206, digits, "Hit", 6},
	} {
		r := ask(s, get("/a", tt.request...))
		if r.Status != tt.status || tt.body != "" && r.body != tt.body || r.xcache() != tt.xcache || len(w.fetched) != tt.fetches || r.err != nil {
			t.Fatalf("%d %v: %d %q %s, %d fetches, %v", i, tt.request, r.Status, r.body, r.xcache(), len(w.fetched), r.err)
		}
		if r.Status == 206 && tt.body != "" && r.Header.Get("Content-Range") == "" || len(r.Header.Values("Content-Range")) > 1 || r.Header.Get("ETag") != `"v1"` && r.Status != 416 {
			t.Errorf("%d: %v", i, r.Header)
		}
	}
}

// What parts are joined, when they expire, and what is not kept.
func TestPartsExpire(t *testing.T) {
	const first, second = "bytes=0-3", "bytes=4-7"
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, w *world, v *video, ask func(fields ...string) *reply)
	}{
		{"confirmed", func(t *testing.T, w *world, _ *video, ask func(...string) *reply) {
			w.advance(time.Hour)
			r := ask("Range", "bytes=1-2")
			h := w.last().Request.Header
			if r.xcache() != "RefreshHit" || r.Status != 206 || r.body != "12" || h.Get("If-None-Match") != `"v1"` || h.Get("Range") != "bytes=1-2" {
				t.Errorf("%s %d %q, asked with %v", r.xcache(), r.Status, r.body, h)
			}
			if r := ask("Range", first); r.xcache() != "Hit" || r.body != "0123" {
				t.Errorf("then %s %q", r.xcache(), r.body)
			}
		}},
		{"changed", func(t *testing.T, w *world, v *video, ask func(...string) *reply) {
			w.advance(time.Hour)
			v.body, v.etag = strings.ToUpper("zyxwvutsrqponmlkjihg"), `"v2"`
			if r := ask("Range", "bytes=1-2"); r.xcache() != "Miss" || r.Status != 206 || r.body != "YX" {
				t.Errorf("%s %d %q", r.xcache(), r.Status, r.body)
			}
			if r := ask("Range", first); r.xcache() != "Miss" || r.body != "ZYXW" {
				t.Errorf("a part of the older object: %s %q", r.xcache(), r.body)
			}
		}},
		{"expired, and another part", func(t *testing.T, w *world, _ *video, ask func(...string) *reply) {
			w.advance(time.Hour)
			if r := ask("Range", second); r.xcache() != "Miss" || r.body != "4567" || w.last().Request.Header.Has("If-None-Match") {
				t.Errorf("%s %q, asked with %v", r.xcache(), r.body, w.last().Request.Header)
			}
			if r := ask("Range", "bytes=0-7"); r.xcache() != "Hit" || r.body != "01234567" { // the same ETag confirms what was there
				t.Errorf("joined: %s %q", r.xcache(), r.body)
			}
		}},
		{"origin fails", func(t *testing.T, w *world, _ *video, ask func(...string) *reply) {
			w.advance(time.Hour)
			w.origin = withHeader(503, "down")
			if r := ask("Range", "bytes=2-3"); r.xcache() != "RefreshHit" || r.Status != 206 || r.body != "23" {
				t.Errorf("%s %d %q", r.xcache(), r.Status, r.body)
			}
			if r := ask("Range", second); r.Status != 503 {
				t.Errorf("a part that is not there: %d", r.Status)
			}
		}},
		{"invalidated", func(t *testing.T, w *world, _ *video, ask func(...string) *reply) {
			if n := w.Cache.Invalidate("E2EXAMPLE", []string{"/a"}); n != 1 {
				t.Errorf("%d invalidated", n)
			}
			if r := ask("Range", first); r.xcache() != "Miss" {
				t.Errorf("%s", r.xcache())
			}
		}},
		{"another If-Range", func(t *testing.T, w *world, _ *video, ask func(...string) *reply) {
			if r := ask("Range", first, "If-Range", `"v0"`); r.Status != 200 || r.body != digits || r.xcache() != "Miss" {
				t.Errorf("%d %q %s", r.Status, r.body, r.xcache())
			}
			if r := ask("Range", second); r.xcache() != "Hit" || r.body != "4567" {
				t.Errorf("out of the whole: %s %q", r.xcache(), r.body)
			}
		}},
		{"weak ETag", func(t *testing.T, _ *world, v *video, ask func(...string) *reply) {
			v.etag = `W/"v1"`
			ask("Range", second)
			ask("Range", "bytes=8-9")
			if r := ask("Range", "bytes=4-9"); r.xcache() != "Miss" {
				t.Errorf("joined by a weak ETag: %s", r.xcache())
			}
			if r := ask("Range", "bytes=5-6"); r.xcache() != "Hit" || r.body != "56" {
				t.Errorf("one part alone: %s %q", r.xcache(), r.body)
			}
		}},
		{"chunked", func(t *testing.T, _ *world, v *video, ask func(...string) *reply) {
			v.chunked = true
			if r := ask("Range", second); r.body != "4567" {
				t.Errorf("%q", r.body)
			}
			if r := ask("Range", "bytes=0-7"); r.xcache() != "Hit" || r.body != "01234567" {
				t.Errorf("%s %q", r.xcache(), r.body)
			}
		}},
		{"an older whole object", func(t *testing.T, w *world, v *video, ask func(...string) *reply) {
			ask()
			w.advance(time.Hour)
			v.body, v.etag = strings.ToUpper(digits), `"v2"`
			if r := ask("Range", "bytes=-2"); r.Status != 206 || r.body != "IJ" || r.xcache() != "Miss" || w.last().Request.Header.Get("If-None-Match") != `"v1"` {
				t.Errorf("%d %q %s, asked with %v", r.Status, r.body, r.xcache(), w.last().Request.Header)
			}
			if r := ask("Range", "bytes=-1"); r.body != "J" || r.xcache() != "Hit" {
				t.Errorf("%q %s", r.body, r.xcache())
			}
		}},
		{"an expired whole object is confirmed", func(t *testing.T, w *world, _ *video, ask func(...string) *reply) {
			ask()
			w.advance(time.Hour)
			if r := ask("Range", "bytes=-2"); r.Status != 206 || r.body != "ij" || r.xcache() != "RefreshHit" {
				t.Errorf("%d %q %s", r.Status, r.body, r.xcache())
			}
			if r := ask(); r.xcache() != "Hit" || r.body != digits {
				t.Errorf("%q %s", r.body, r.xcache())
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s := newWorld(testPlan(zeroPolicy()))
			v := &video{body: digits, etag: `"v1"`, control: "max-age=60"}
			w.origin = v.answer
			request := func(fields ...string) *reply { return ask(s, get("/a", fields...)) }
			request("Range", first)
			tt.run(t, w, v, request)
		})
	}
}

// Parts that are not kept: by Cache-Control, of an unknown place, of no range, incomplete, too long for the memory.
func TestPartsNotKept(t *testing.T) {
	part := func(body string, length int64, fields ...string) func(*FetchRequest) (*message.Response, error) {
		return func(*FetchRequest) (*message.Response, error) {
			res := withHeaderOf(206, "", fields)
			res.Body, res.ContentLength = io.NopCloser(strings.NewReader(body)), length
			return res, nil
		}
	}
	for name, origin := range map[string]func(*FetchRequest) (*message.Response, error){
		"no-store":        part("0123", 4, "Content-Range", "bytes 0-3/20", "ETag", `"1"`, "Cache-Control", "no-store"),
		"unknown length":  part("0123", 4, "Content-Range", "bytes 0-3/*", "ETag", `"1"`, "Cache-Control", "max-age=9"),
		"no place":        part("0123", 4, "ETag", `"1"`, "Cache-Control", "max-age=9"),
		"behind the end":  part("0123", 4, "Content-Range", "bytes 0-3/3", "ETag", `"1"`, "Cache-Control", "max-age=9"),
		"several":         part("0123", 4, "Content-Type", "multipart/byteranges; boundary=x", "ETag", `"1"`, "Cache-Control", "max-age=9"),
		"cut off":         part("012", 4, "Content-Range", "bytes 0-3/20", "ETag", `"1"`, "Cache-Control", "max-age=9"),
		"cut off, chunks": part("012", -1, "Content-Range", "bytes 0-3/20", "ETag", `"1"`, "Cache-Control", "max-age=9"),
		"too long, chunk": part("01234", -1, "Content-Range", "bytes 0-3/20", "ETag", `"1"`, "Cache-Control", "max-age=9"),
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newWorld(testPlan(zeroPolicy()))
			w.origin = origin
			for range 2 {
				if r := ask(s, get("/a", "Range", "bytes=0-3")); r.Status != 206 || r.xcache() != "Miss" {
					t.Errorf("%d %s", r.Status, r.xcache())
				}
			}
			if w.Cache.Len() != 0 {
				t.Errorf("%d objects", w.Cache.Len())
			}
		})
	}
	w, s := newWorld(testPlan(zeroPolicy()))
	w.origin = part("01", 2, "Content-Range", "bytes 0-3/20")
	if r := ask(s, get("/a", "Range", "bytes=0-3")); r.Status != 502 {
		t.Errorf("Content-Length against Content-Range: %d", r.Status) // OriginContentRangeLengthError
	}
	w.Cache = cache.New(4 << 20)
	long := strings.Repeat("x", 2<<20) // the limit is a quarter
	w.origin = part(long, int64(len(long)), "Content-Range", fmt.Sprintf("bytes 0-%d/9999999", len(long)-1), "ETag", `"1"`, "Cache-Control", "max-age=9")
	if r := ask(s, get("/b", "Range", "bytes=0-2097151")); r.body != long || w.Cache.Len() != 0 {
		t.Errorf("%d bytes, %d objects", len(r.body), w.Cache.Len())
	}
}

// A range that breaks CloudFront's rules gives the whole object, also when the origin would take it (DG-rangegets).
func TestRangeRules(t *testing.T) {
	for value, sent := range map[string]string{
		"bytes=1-2":             "bytes=1-2",
		"bytes=1-2,4-":          "bytes=1-2,4-",
		"bytes=0-0,-1":          "bytes=0-0,-1",
		"bytes=100-200,300-400": "bytes=100-200,300-400",
		"bytes=300-400,100-200": "",
		"bytes=100-200,150-250": "",
		"bytes=4-,9-10":         "",
		"bytes=--2":             "",
		"bytes=5-2":             "",
		"bytes=":                "",
		"bytes=a-b":             "",
		"items=0-9":             "items=0-9",
	} {
		w, s := newWorld(testPlan(zeroPolicy()))
		w.origin = withHeader(200, digits)
		ask(s, get("/a", "Range", value, "If-Range", `"1"`))
		h := w.last().Request.Header
		if h.Get("Range") != sent || h.Has("If-Range") != (sent != "") {
			t.Errorf("%s: %v", value, h)
		}
	}
}

// FuzzParts asks for ranges of objects that change, expire and are invalidated: each answer is a part of one version, the one of
// its ETag, at the place that it tells.
func FuzzParts(f *testing.F) {
	f.Add([]byte{1, 0, 9, 1, 10, 20, 1, 5, 15, 2, 0, 0, 1, 0, 40})
	f.Add([]byte{1, 0, 40, 3, 0, 0, 1, 5, 6, 4, 0, 0, 1, 2, 50, 5, 9, 0, 1, 0, 63})
	f.Add(bytes.Repeat([]byte{1, 7, 3, 1, 1, 1, 6, 2, 3}, 20))
	const size = 64
	versions := func(n int) string { return strings.Repeat(string(rune('a'+n%26)), 1) + strconv.Itoa(n) }
	bodyOf := func(n int) string { return strings.Repeat(versions(n)+"-0123456789", size)[:size] }
	f.Fuzz(func(t *testing.T, ops []byte) {
		w, s := newWorld(testPlan(zeroPolicy()))
		w.Cache = cache.New(1 << 20)
		v := &video{body: bodyOf(0), etag: `"0"`, control: "max-age=60"}
		w.origin = v.answer
		version, oldest := 0, 0
		for ; len(ops) >= 3; ops = ops[3:] {
			a, b := int(ops[1])%size, int(ops[2])%size
			switch ops[0] % 8 {
			case 2:
				w.advance(time.Duration(ops[1]) * time.Second)
			case 3:
				version++
				v.body, v.etag = bodyOf(version), `"`+strconv.Itoa(version)+`"`
			case 4:
				w.Cache.Invalidate("E2EXAMPLE", []string{"/a"})
				oldest = version
			case 5:
				v.chunked = !v.chunked
			default:
				request := get("/a")
				if ops[0]%8 != 6 {
					request.Header.Add("Range", fmt.Sprintf("bytes=%d-%d", a, a+b))
				}
				if ops[0]%8 == 7 {
					request.Header.Add("If-Range", v.etag)
				}
				res := s.Serve(context.Background(), request)
				body, err := io.ReadAll(orEmpty(res.Body))
				if err != nil {
					t.Fatal(err)
				}
				if res.Body != nil {
					res.Body.Close()
				}
				n, _ := strconv.Atoi(strings.Trim(res.Header.Get("ETag"), `"`))
				want := bodyOf(n)
				if res.Status == 206 {
					place, total, ok := parseContentRange(res.Header.Get("Content-Range"))
					if !ok || total != size || place.first != int64(a) || place.last != int64(min(a+b, size-1)) {
						t.Fatalf("Content-Range %q of %d-%d", res.Header.Get("Content-Range"), a, a+b)
					}
					want = want[place.first : place.last+1]
				}
				if res.Status > 206 || string(body) != want || n < oldest {
					t.Fatalf("%d, version %d of %d and %d: %q, want %q", res.Status, n, oldest, version, body, want)
				}
			}
		}
	})
}

func orEmpty(r io.Reader) io.Reader {
	if r == nil {
		return strings.NewReader("")
	}
	return r
}
