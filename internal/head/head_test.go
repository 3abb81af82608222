package head

import (
	"fmt"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// read gives lines "name: value" to a head and tells in words what became of it.
func read(k Kind, r Rules, lines ...string) string {
	h := &Head{}
	h.Reset(k, r)
	for _, l := range lines {
		i := strings.Index(l[1:], ": ") + 1
		h.Add(l[:i], l[i+2:])
	}
	if k == Request {
		refusal := h.Finish(false)
		switch {
		case h.Bad != "":
			return "bad: " + h.Bad
		case refusal != nil:
			return "refused: " + refusal.Reason
		}
		req := message.Request{Scheme: "https"}
		h.Fill(&req)
		return fmt.Sprint(req.Method, " ", req.Host, " ", req.Target(), " ", req.Header)
	}
	if h.Bad != "" {
		return "bad: " + h.Bad
	}
	return fmt.Sprint(h.Status(), " ", h.Over, " ", h.Fields)
}

func TestHead(t *testing.T) {
	get := func(more ...string) []string {
		return append([]string{":method: GET", ":scheme: https", ":path: /a?b", ":authority: h.example:443"}, more...)
	}
	rules := Rules{MaxBytes: 200, MaxFields: 3, Scheme: "https"}
	for _, c := range []struct {
		kind  Kind
		lines []string
		want  string
	}{
		{Request, get("x: y"), "GET h.example /a?b [{x y}]"},
		{Request, get("cookie: a=1", "x: y", "cookie: b=2", "cookie: c=3", "z: z"), "GET h.example /a?b [{cookie a=1; b=2; c=3} {x y} {z z}]"},
		{Request, get("a: 1", "b: 2", "c: 3", "d: 4"), "refused: fields are over the limit"},
		{Request, get("a: " + strings.Repeat("x", 200)), "refused: fields are over the limit"},
		{Request, get("host: h.example:443"), "GET h.example /a?b []"},
		{Request, get("host: other.example"), "refused: Host differs from :authority"},
		{Request, []string{":method: GET", ":scheme: http", ":path: /", ":authority: h"}, "refused: :scheme is not https"},
		{Request, []string{":method: GET", ":path: /", ":authority: h"}, "bad: pseudo-header field missing"},
		{Request, get(":path: /"), "bad: repeated pseudo-header field"},
		{Request, get("x: y", ":protocol: websocket"), "bad: unknown pseudo-header field"},
		{Request, []string{"x: y", ":method: GET"}, "bad: pseudo-header field after others"},
		{Request, get("TE: trailers"), "bad: invalid field name"},
		{Request, get("te: gzip"), "bad: TE other than trailers"},
		{Request, get("upgrade: websocket"), "bad: field of a connection"},
		{Request, get("content-length: 1", "content-length: 1"), "bad: invalid or repeated content-length"},
		{Request, get("expect: 200-ok"), "refused: Expect is not 100-continue"},
		{Response, []string{":status: 204", "x: y", "te: gzip"}, "204 false [{x y} {te gzip}]"},
		{Response, []string{":status: 20"}, "0 false []"},
		{Response, []string{":method: GET"}, "bad: unknown pseudo-header field"},
		{Trailer, []string{"x: y", "te: gzip", "host: h"}, "0 false [{x y} {te gzip} {host h}]"},
		{Trailer, []string{"a: 1", "b: 2", "c: 3", "d: 4"}, "0 true [{a 1} {b 2} {c 3}]"},
		{Trailer, []string{":status: 200"}, "bad: pseudo-header field in a trailer"},
	} {
		if got := read(c.kind, rules, c.lines...); got != c.want {
			t.Errorf("%d %q: got %s, want %s", c.kind, c.lines, got, c.want)
		}
	}
}

func TestParsePriority(t *testing.T) {
	for v, want := range map[string]Priority{
		"":              {3, false, false},
		"u=0":           {0, false, true},
		"u=7, i":        {7, true, true},
		"i=?0,u=5":      {5, false, true},
		"i;x=1 , u=1;y": {1, true, true},
		"u=8":           {3, false, false},
		"u=-1, i=1":     {3, false, false},
		"u=2, u=4":      {4, false, true},
		"urgent":        {3, false, false},
	} {
		if got := ParsePriority(v); got != want {
			t.Errorf("%q: got %v, want %v", v, got, want)
		}
	}
}
