package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// mixedViewer sends requests of one kind or another, and judges the answers.
type mixedViewer struct {
	*mixed
	rnd  *rand.Rand
	name string
}

// ask makes one request.
func (v *mixedViewer) ask() {
	kinds := []func(){v.versioned, v.versioned, v.versioned, v.versioned, v.user, v.upload, v.function, v.lambda, v.failover, v.slow, v.broken,
		v.failed, v.leave, v.signed, v.socket, v.options, v.redirected}
	kinds[v.rnd.IntN(len(kinds))]()
}

// request sends one request and reads the answer whole; the error is about the body.
func (v *mixedViewer) request(id, protocol, method, path string, body io.Reader, fields ...string) (*http.Response, []byte, error) {
	scheme := "https"
	if protocol == "h1" {
		scheme = "http"
	}
	ctx, cancel := context.WithTimeout(context.Background(), explainTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, scheme+"://"+v.hosts[id]+path, body)
	if err != nil {
		v.t.Error(err)
		return nil, nil, err
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	resp, err := v.clients[protocol].Do(r)
	if err != nil {
		if !strings.HasPrefix(path, "/cut/") || protocol != "h3" { // there, a reset may overtake the head
			v.t.Errorf("%s %s %s: %v", protocol, method, path, err)
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

func (v *mixedViewer) protocol() string { return []string{"h1", "h1 TLS", "h2", "h3"}[v.rnd.IntN(4)] }

// want sends a request that has one right answer.
func (v *mixedViewer) want(status int, body, protocol, method, path string, in io.Reader, fields ...string) {
	resp, b, err := v.request("Site", protocol, method, path, in, fields...)
	if resp != nil && (err != nil || resp.StatusCode != status || body != "" && string(b) != body) {
		v.t.Errorf("%s %s %s: status %d, %.200q, %v; want %d %.100q", protocol, method, path, resp.StatusCode, b, err, status, body)
	}
}

var tag = regexp.MustCompile(`^(?:W/)?"(\d+)-(\d+)"$`)

// versioned asks for an object whose versions change, whole or a part of it or only if it has changed.
func (v *mixedViewer) versioned() {
	i := v.rnd.IntN(objects0)
	protocol, id := v.protocol(), []string{"Site", "Primary"}[v.rnd.IntN(2)]
	if protocol == "h3" {
		id = "Site" // staging and HTTP/3 exclude each other
	}
	oldest := v.origin.invalidated[i].Load()
	whole := len(versioned(i, 0))
	method, fields, first := "GET", []string(nil), 0
	switch v.rnd.IntN(6) {
	case 0:
		method = "HEAD"
	case 1:
		first = v.rnd.IntN(whole)
		fields = []string{"Range", fmt.Sprintf("bytes=%d-", first)}
	case 2:
		fields = []string{"If-None-Match", fmt.Sprintf(`"%d-%d"`, i, v.origin.versions[i].Load())}
	case 3:
		fields = []string{"Range", "bytes=0-9,20-29"}
	}
	resp, b, err := v.request(id, protocol, method, fmt.Sprintf("/v/%d", i), nil, fields...)
	if resp == nil {
		return
	}
	what := fmt.Sprintf("%s %s %s /v/%d %q: status %d, %q, %s", protocol, id, method, i, fields, resp.StatusCode, resp.Header.Get("ETag"), resp.Header.Get("X-Cache"))
	match := tag.FindStringSubmatch(resp.Header.Get("ETag"))
	if err != nil || match == nil || match[1] != strconv.Itoa(i) {
		v.t.Errorf("%s: %v", what, err)
		return
	}
	version, _ := strconv.ParseInt(match[2], 10, 64)
	if version < oldest {
		v.t.Errorf("%s: version %d was invalidated, at least %d wanted", what, version, oldest)
	}
	all := versioned(i, version)
	switch multi := strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/"); {
	case resp.StatusCode == 304 && len(b) == 0:
	case method == "HEAD" && resp.StatusCode == 200 && resp.ContentLength == int64(whole) && len(b) == 0:
	case resp.StatusCode == 206 && multi && bytes.Count(b, []byte("Content-Range: bytes ")) == 2 && bytes.Contains(b, all[20:30]):
	case resp.StatusCode == 206 && !multi && bytes.Equal(b, all[first:]) && resp.Header.Get("Content-Range") == fmt.Sprintf("bytes %d-%d/%d", first, whole-1, whole):
	case method == "GET" && resp.StatusCode == 200 && bytes.Equal(b, all):
	default:
		v.t.Errorf("%s: %d bytes of length %d that do not fit, from %.24q", what, len(b), resp.ContentLength, b)
	}
}

// user asks for what is its own.
func (v *mixedViewer) user() {
	v.want(200, "for "+v.name, v.protocol(), "GET", fmt.Sprintf("/user/%d", v.rnd.IntN(3)), nil, "Authorization", v.name)
}

// upload streams a body, of a known length or not.
func (v *mixedViewer) upload() {
	b := bytes.Repeat([]byte{byte(v.rnd.IntN(256))}, v.rnd.IntN(300_000))
	var in io.Reader = bytes.NewReader(b)
	if v.rnd.IntN(2) == 0 {
		in = struct{ io.Reader }{in}
	}
	v.want(200, fmt.Sprintf("%x", sha256.Sum256(b)), v.protocol(), "POST", "/sum/", in)
}

func (v *mixedViewer) function() {
	if v.rnd.IntN(2) == 0 {
		v.want(302, "", "h2", "GET", "/fn/go", nil)
		return
	}
	resp, b, err := v.request("Site", "h2", "GET", "/fn/x", nil)
	if resp != nil && (err != nil || resp.StatusCode != 200 || !strings.HasPrefix(string(b), "load-")) {
		v.t.Errorf("function: status %d, %q, %v", resp.StatusCode, b, err)
	}
}

func (v *mixedViewer) lambda() {
	if v.node && v.rnd.IntN(4) == 0 {
		v.want(200, "was here", v.protocol(), "GET", "/lambda/x", nil)
	}
}

func (v *mixedViewer) failover() { v.want(200, "second", v.protocol(), "GET", "/failover/x", nil) }

func (v *mixedViewer) slow() {
	v.want(200, "slow slow slow slow slow ", v.protocol(), "GET", "/slow/x", nil)
}

// broken is for bodies that the origin breaks off: the viewer must notice.
func (v *mixedViewer) broken() {
	resp, b, err := v.request("Site", v.protocol(), "GET", []string{"/cut/", "/cut/chunked"}[v.rnd.IntN(2)], nil)
	if resp != nil && err == nil {
		v.t.Errorf("a body that was broken off looks whole: status %d, %d bytes", resp.StatusCode, len(b))
	}
}

func (v *mixedViewer) failed() {
	n := v.rnd.IntN(4)
	v.want(500+n, "failed\n", v.protocol(), "GET", fmt.Sprintf("/fail/%d", n), nil)
}

// leave breaks off the reading of an answer.
func (v *mixedViewer) leave() {
	protocol := v.protocol()
	scheme := map[bool]string{true: "http", false: "https"}[protocol == "h1"]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", scheme+"://"+v.hosts["Site"]+fmt.Sprintf("/v/%d", objects0-1), nil)
	if err != nil {
		v.t.Error(err)
		return
	}
	resp, err := v.clients[protocol].Do(r)
	if err != nil {
		v.t.Error(err)
		return
	}
	_, err = resp.Body.Read(make([]byte, 100))
	cancel()
	if closed := resp.Body.Close(); err != nil && err != io.EOF && closed != nil && !errors.Is(err, context.Canceled) {
		v.t.Error(err, closed)
	}
}

func (v *mixedViewer) signed() {
	if v.rnd.IntN(2) == 0 {
		v.want(403, "", v.protocol(), "GET", "/signed/1", nil)
		return
	}
	v.want(200, "", v.protocol(), "GET", "/signed/1?"+anySignature+"&Key-Pair-Id="+v.key, nil)
}

func (v *mixedViewer) options() { v.want(404, "", v.protocol(), "OPTIONS", "/nothing", nil) }

func (v *mixedViewer) redirected() { v.want(301, "", "h1", "GET", "/fn/x", nil) }

// socket opens a WebSocket connection that echoes five bytes.
func (v *mixedViewer) socket() {
	c, err := net.Dial("tcp", v.n.opts.Listen)
	if err != nil {
		v.t.Error(err)
		return
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /ws/x HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", v.hosts["Site"])
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		v.t.Errorf("WebSocket: %v, %v", resp, err)
		return
	}
	io.WriteString(c, "hello")
	if b, err := io.ReadAll(in); err != nil || string(b) != "hello" {
		v.t.Errorf("WebSocket: %q, %v", b, err)
	}
}
