package app

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// objects0 is how many versioned objects the origin has.
const objects0 = 12

// mixedOrigin is what TestMixedTraffic fetches from.
type mixedOrigin struct {
	ln                    net.Listener
	server                *http.Server
	versions, invalidated [objects0]atomic.Int64
}

func newMixedOrigin(t *testing.T) *mixedOrigin {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &mixedOrigin{ln: ln}
	o.server = &http.Server{Handler: o}
	go func() { _ = o.server.Serve(ln) }()
	return o
}

func (o *mixedOrigin) stop() { _ = o.server.Close() }

// versioned is the body of one version of an object: a line, again and again; some fit into memory, some go to the disk.
func versioned(i int, v int64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%02d %09d\n", i, v), 10+i*i*180) // up to 280 KB
}

func (o *mixedOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	i, _ := strconv.Atoi(rest)
	h := w.Header()
	switch kind {
	case "v", "signed":
		i %= objects0
		v := o.versions[i].Load()
		h.Set("ETag", fmt.Sprintf(`"%d-%d"`, i, v))
		h.Set("Cache-Control", "max-age=3600")
		h.Set("Content-Type", []string{"text/plain", "application/octet-stream"}[i%2])
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(versioned(i, v)))
	case "failover":
		if r.Header.Get("X-Amz-Cf-Id") != "" && strings.HasPrefix(r.Host, "failing.") {
			http.Error(w, "failing", http.StatusServiceUnavailable)
			return
		}
		h.Set("Cache-Control", "no-store")
		fmt.Fprint(w, "second")
	case "user":
		h.Set("Cache-Control", "max-age=60")
		fmt.Fprintf(w, "for %s", r.Header.Get("Authorization"))
	case "fn":
		h.Set("Cache-Control", "no-store")
		fmt.Fprint(w, r.Header.Get("X-Function"))
	case "lambda":
		h.Set("Cache-Control", "no-store")
		fmt.Fprint(w, r.Header.Get("X-Lambda"))
	case "sum":
		sum := sha256.New()
		if _, err := io.Copy(sum, r.Body); err == nil {
			fmt.Fprintf(w, "%x", sum.Sum(nil))
		}
	case "slow":
		for range 5 {
			fmt.Fprint(w, "slow ")
			w.(http.Flusher).Flush()
			runtime.Gosched()
		}
	case "cut":
		if rest == "" {
			h.Set("Content-Length", "100000")
		}
		_, _ = w.Write(make([]byte, 50_000))
		panic(http.ErrAbortHandler)
	case "fail":
		http.Error(w, "failed", 500+i%4)
	case "ws":
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.CopyN(c, rw, 5)
	default:
		http.NotFound(w, r)
	}
}
