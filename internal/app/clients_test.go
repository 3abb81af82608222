package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The clients that people use, against a running Foregate and an origin behind it: connections that are kept, uploads and
// downloads that are large, chunked or broken off, pipelining, HTTP/1.1 and HTTP/2, in clear and over TLS. A client that is
// not installed is skipped; Chromium, which is never installed for this, only runs by FOREGATE_CHROMIUM=/usr/bin/chromium.

// clientSize is the length of a large body: more than all buffers on the way.
const clientSize = 16 << 20

// clientBed is a running Foregate with its origin.
type clientBed struct {
	host, port, ca string
	data           []byte
	digest         string
	aborted        chan struct{} // the origin saw a download end early
}

func newClientBed(t *testing.T) *clientBed {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	b := &clientBed{data: bytes.Repeat(everyByte(), clientSize/256), aborted: make(chan struct{}, 100)}
	b.digest = digestOf(b.data)
	origin := httptest.NewServer(b)
	t.Cleanup(origin.Close)
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	log, done := &safeBuffer{}, make(chan int, 1)
	go func() {
		done <- Run(ctx, []string{"up", "-o", "json", "--listen", "127.0.0.1:0", "--origin", "origin.example.com=" + origin.URL,
			filepath.Join("testdata", "clients", "site.yaml")}, Streams{Out: in, Err: log})
		in.Close()
	}()
	t.Cleanup(func() {
		stop()
		if status := <-done; status != 0 {
			t.Errorf("up ended with status %d:\n%s", status, log)
		}
	})
	var line readyLine
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		t.Fatalf("up did not come up: %v\n%s", err, log)
	}
	go io.Copy(io.Discard, out)
	b.host, b.ca = line.Endpoints[0].Hosts[0], line.CA
	_, b.port, _ = net.SplitHostPort(line.Listen)
	return b
}

func everyByte() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ServeHTTP is the origin: /sum tells what was uploaded; /download/N, /stream/N and /cached/N answer N bytes.
func (b *clientBed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, size, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	n, _ := strconv.Atoi(size)
	switch kind {
	case "sum":
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err != nil {
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"bytes": n, "sha256": hex.EncodeToString(h.Sum(nil))})
		return
	case "page":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, strings.Replace(page, "SIZE", strconv.Itoa(clientSize), 1))
		return
	case "cached":
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("Content-Length", size)
	case "download":
		w.Header().Set("Content-Length", size)
	}
	if r.Method == "HEAD" {
		return
	}
	for part := range chunksOf(b.data[:n]) {
		if _, err := w.Write(part); err != nil {
			b.aborted <- struct{}{}
			return
		}
	}
}

func chunksOf(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(len(b), 32<<10)
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

func TestClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves some hundred megabytes")
	}
	b := newClientBed(t)
	t.Run("curl", b.curl)
	t.Run("nghttp", b.nghttp)
	t.Run("h2load", b.h2load)
	t.Run("wrk", b.wrk)
	t.Run("python", b.python)
	t.Run("node", b.node)
	t.Run("go", b.goClient)
	t.Run("chromium", b.chromium)
}

// run runs a program and returns its output; it skips the test when the program is not installed.
func (b *clientBed) run(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed, so nobody knows whether it works with Foregate", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%.2000s\n%.2000s", name, strings.Join(args, " "), err, out.Bytes(), log.Bytes())
	}
	return out.String()
}

func (b *clientBed) curl(t *testing.T) {
	for _, mode := range []struct {
		name, scheme, version string
		args                  []string
	}{
		{"HTTP/1.1", "http", "1.1", nil},
		{"HTTP/1.1 over TLS", "https", "1.1", []string{"--http1.1"}},
		{"HTTP/2 over TLS", "https", "2", []string{"--http2"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			base := mode.scheme + "://" + b.host + ":" + b.port
			common := append([]string{"-sS", "--fail", "--cacert", b.ca, "--resolve", b.host + ":" + b.port + ":127.0.0.1"}, mode.args...)
			curl := func(stdin []byte, args ...string) string {
				return b.run(t, stdin, "curl", append(append([]string(nil), common...), args...)...)
			}
			got := curl(nil, "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_version} %{size_download} %{num_connects}\n", base+"/cached/1024", base+"/cached/1024")
			if want := fmt.Sprintf("%s 1024 1\n%[1]s 1024 0\n", mode.version); got != want {
				t.Errorf("two requests: %q, want %q", got, want)
			}
			want := fmt.Sprintf(`{"bytes":%d,"sha256":"%s"}`, clientSize, b.digest)
			file := filepath.Join(t.TempDir(), "data")
			if err := os.WriteFile(file, b.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(curl(nil, "-T", file, base+"/sum")); got != want {
				t.Errorf("upload: %s, want %s", got, want)
			}
			if got := strings.TrimSpace(curl(b.data, "-T", "-", "-X", "POST", base+"/sum")); got != want {
				t.Errorf("upload without a length: %s, want %s", got, want)
			}
			for _, path := range []string{"/download/", "/stream/"} {
				if got := curl(nil, base+path+strconv.Itoa(clientSize)); digestOf([]byte(got)) != b.digest {
					t.Errorf("%s: %d bytes that differ", path, len(got))
				}
			}
			b.abort(t, append(append([]string(nil), common...), base+"/download/"+strconv.Itoa(clientSize)))
			if got := curl(nil, base+"/cached/1024"); len(got) != 1024 {
				t.Errorf("after an aborted download: %d bytes", len(got))
			}
		})
	}
}

// abort begins a download with curl, kills curl, and waits until the origin has been told.
func (b *clientBed) abort(t *testing.T, args []string) {
	t.Helper()
	for len(b.aborted) > 0 {
		<-b.aborted
	}
	cmd := exec.CommandContext(t.Context(), "curl", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // its status is our doing
	<-b.aborted
}

func (b *clientBed) nghttp(t *testing.T) {
	got := b.run(t, nil, "nghttp", "-ns", "-m", "20", "-H", ":authority: "+b.host, "https://127.0.0.1:"+b.port+"/cached/1024")
	if n := strings.Count(got, " 200 "); n != 20 {
		t.Errorf("%d of 20 answers\n%s", n, got)
	}
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, b.data, 0o600); err != nil {
		t.Fatal(err)
	}
	got = b.run(t, nil, "nghttp", "-d", file, "-H", ":authority: "+b.host, "https://127.0.0.1:"+b.port+"/sum")
	if !strings.Contains(got, b.digest) {
		t.Errorf("upload: %s", got)
	}
	got = b.run(t, nil, "nghttp", "-H", ":authority: "+b.host, "https://127.0.0.1:"+b.port+"/download/"+strconv.Itoa(clientSize))
	if digestOf([]byte(got)) != b.digest {
		t.Errorf("download: %d bytes that differ", len(got))
	}
}

func (b *clientBed) h2load(t *testing.T) {
	to := "--connect-to=127.0.0.1:" + b.port
	for _, args := range [][]string{
		{"-n2000", "https://" + b.host + "/cached/1024"}, {"-n2000", "--h1", "http://" + b.host + "/cached/1024"}, {"-n64", "https://" + b.host + "/download/1000000"},
	} {
		got := b.run(t, nil, "h2load", append([]string{"-c10", "-m10", to}, args...)...)
		n := strings.TrimPrefix(args[0], "-n")
		if !strings.Contains(got, n+" succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: "+n+" 2xx") {
			t.Errorf("%q\n%s", args, got)
		}
	}
}

func (b *clientBed) wrk(t *testing.T) {
	script, err := filepath.Abs(filepath.Join("testdata", "clients", "pipeline.lua"))
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http", "https"} {
		got := b.run(t, nil, "wrk", "-t1", "-c8", "-d1s", "-s", script, "-H", "Host: "+b.host, scheme+"://localhost:"+b.port)
		if m := regexp.MustCompile(`RESULT (\d+) 0 0\n`).FindStringSubmatch(got); m == nil || m[1] == "0" {
			t.Errorf("pipelined over %s:\n%s", scheme, got)
		}
	}
}

func (b *clientBed) python(t *testing.T) {
	b.script(t, "python3", "client.py")
}

func (b *clientBed) node(t *testing.T) {
	b.script(t, "node", "client.mjs")
}

func (b *clientBed) script(t *testing.T, program, name string) {
	got := b.run(t, nil, program, filepath.Join("testdata", "clients", name), b.host, b.port, b.ca, strconv.Itoa(clientSize))
	if got != "ok\n" {
		t.Errorf("%s says %q", name, got)
	}
}

func (b *clientBed) goClient(t *testing.T) {
	pem, err := os.ReadFile(b.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, mode := range []struct {
		scheme, proto string
	}{{"http", "HTTP/1.1"}, {"https", "HTTP/1.1"}, {"https", "HTTP/2.0"}} {
		t.Run(mode.scheme+" "+mode.proto, func(t *testing.T) {
			opened := 0
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: new(http.Protocols)}
			tr.Protocols.SetHTTP1(mode.proto == "HTTP/1.1")
			tr.Protocols.SetHTTP2(mode.proto == "HTTP/2.0")
			tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				opened++
				return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+b.port)
			}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr}
			ask := func(method, path string, body io.Reader) []byte {
				req, err := http.NewRequestWithContext(t.Context(), method, mode.scheme+"://"+b.host+path, body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 200 || resp.Proto != mode.proto {
					t.Errorf("%s %s: %s %s, %v", method, path, resp.Proto, resp.Status, err)
				}
				return got
			}
			if got := ask("GET", "/cached/1024", nil); len(got) != 1024 {
				t.Errorf("%d bytes", len(got))
			}
			want := fmt.Sprintf(`{"bytes":%d,"sha256":"%s"}`, clientSize, b.digest)
			for _, body := range []io.Reader{bytes.NewReader(b.data), io.MultiReader(bytes.NewReader(b.data))} {
				if got := strings.TrimSpace(string(ask("POST", "/sum", body))); got != want {
					t.Errorf("upload: %s", got)
				}
			}
			for _, path := range []string{"/download/", "/stream/"} {
				if got := ask("GET", path+strconv.Itoa(clientSize), nil); digestOf(got) != b.digest {
					t.Errorf("%s: %d bytes that differ", path, len(got))
				}
			}
			if opened != 1 {
				t.Errorf("%d connections for requests one after the other", opened)
			}
		})
	}
}

// page makes requests as pages do, and says what came of them.
const page = `<!doctype html><title>page</title><link rel="icon" href="data:,"><p id="result">waiting</p><script>
(async () => {
  const size = SIZE, sha = async (b) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", b))].map((x) => x.toString(16).padStart(2, "0")).join("");
  const cached = await Promise.all(Array.from({ length: 50 }, (_, i) => fetch("/cached/" + (1000 + i)).then((r) => r.arrayBuffer())));
  const data = new Uint8Array(size).map((_, i) => i & 255);
  const up = await (await fetch("/sum", { method: "POST", body: data })).json();
  const down = await sha(await (await fetch("/download/" + size)).arrayBuffer());
  const stream = await sha(await (await fetch("/stream/" + size)).arrayBuffer());
  const stop = new AbortController();
  const part = await fetch("/download/" + size, { signal: stop.signal, cache: "no-store" });
  await part.body.getReader().read();
  stop.abort();
  const after = (await (await fetch("/cached/77")).arrayBuffer()).byteLength;
  const protocols = new Set(performance.getEntriesByType("resource").map((e) => e.nextHopProtocol).filter((p) => p));
  document.getElementById("result").textContent = [cached.every((b, i) => b.byteLength === 1000 + i), up.sha256, down, stream, after, ...protocols].join(" ");
})().catch((e) => { document.getElementById("result").textContent = "failed: " + e; });
</script>`

// chromium loads a page over TLS. Its script makes many requests at a time, an upload, downloads, and one that it breaks off.
func (b *clientBed) chromium(t *testing.T) {
	program := os.Getenv("FOREGATE_CHROMIUM")
	if program == "" {
		t.Skip("SKIPPED: FOREGATE_CHROMIUM names no browser")
	}
	for version, args := range map[string][]string{
		"h2": {"--disable-quic", "--ignore-certificate-errors"},
		// Over QUIC Chromium takes certificates of public roots only, but for a key that it is told of.
		"h3": {"--origin-to-force-quic-on=" + b.host + ":443", "--ignore-certificate-errors-spki-list=" + b.keyHash(t)},
	} {
		t.Run(version, func(t *testing.T) {
			args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
				"--host-resolver-rules=MAP " + b.host + ":443 127.0.0.1:" + b.port,
				"--virtual-time-budget=60000", "--dump-dom"}, args...)
			dom := b.run(t, nil, program, append(args, "https://"+b.host+"/page")...)
			want := strings.Join([]string{"true", b.digest, b.digest, b.digest, "77", version}, " ")
			if !strings.Contains(dom, `<p id="result">`+want+`</p>`) {
				t.Errorf("want %s in\n%s", want, dom)
			}
		})
	}
}

// keyHash is the hash of the certificate's public key, as Chromium wants it.
func (b *clientBed) keyHash(t *testing.T) string {
	cfg, err := trust(b.host, b.ca)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", "127.0.0.1:"+b.port, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
