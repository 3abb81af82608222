package hostile

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience ends a test that hangs. Nothing waits for it when all is well.
const patience = 2 * time.Minute

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hostile")
	if err == nil {
		binary = filepath.Join(dir, "foregate")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", binary, "github.com/foregate/foregate/cmd/foregate").CombinedOutput(); err != nil {
			err = fmt.Errorf("build the program: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// amount is n, or ten times as much for a long run.
func amount(n int64) int64 {
	if os.Getenv("FOREGATE_SOAK") != "" {
		return 10 * n
	}
	return n
}

// program is a running `foregate up`.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *lockedBuffer
	port string
	// hosts are the first names of what the template made, by logical id.
	hosts map[string]string
	roots *x509.CertPool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write keeps the first megabyte.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(p[:min(len(p), max(1<<20-l.b.Len(), 0))])
	return len(p), nil
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// up starts the program on a template. When the test ends it must still be there, and end by itself.
func up(t *testing.T, template string, args ...string) *program {
	t.Helper()
	p := &program{t: t, log: &lockedBuffer{}, hosts: map[string]string{}, roots: x509.NewCertPool()}
	file := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = command(t, append(append([]string{"up", "-o", "json", "--listen", "127.0.0.1:0"}, args...), file)...)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var line struct {
		Listen, CA string
		Endpoints  []struct {
			LogicalID string
			Hosts     []string
		}
	}
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		_ = p.cmd.Wait()
		t.Fatalf("up did not come up: %v\n%s", err, p.log)
	}
	t.Cleanup(p.end)
	for _, e := range line.Endpoints {
		p.hosts[e.LogicalID] = e.Hosts[0]
	}
	_, p.port, _ = net.SplitHostPort(line.Listen)
	pem, err := os.ReadFile(line.CA)
	if err != nil {
		t.Fatal(err)
	}
	p.roots.AppendCertsFromPEM(pem)
	return p
}

// config is one folder for all programs: the local authority is made once.
var config = sync.OnceValue(func() string { return filepath.Join(filepath.Dir(binary), "config") })

// command is a run of the program.
func command(t *testing.T, args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "XDG_CONFIG_HOME="+config(), "HOME="+filepath.Dir(binary), "GOTRACEBACK=all")
	c.Dir = t.TempDir()
	return c
}

func (p *program) end() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program ended with %v\n%s", err, p.log)
	}
	for _, word := range []string{"panic", "fatal error", "DATA RACE"} {
		if strings.Contains(p.log.String(), word) {
			p.t.Errorf("the program printed %q:\n%s", word, p.log)
		}
	}
}

// memory reads a field of /proc/PID/status in MiB: VmRSS is what it has, VmHWM the most that it had.
func (p *program) memory(field string) int64 {
	if runtime.GOOS != "linux" {
		p.t.Skip("memory is read from /proc")
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		p.t.Fatalf("the program is gone: %v\n%s", err, p.log)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n >> 10
		}
	}
	p.t.Fatalf("no %s in %s", field, b)
	return 0
}

// keeps runs f, in which the program must not grow by more than MiB at any moment.
func (p *program) keeps(most int64, f func()) {
	p.t.Helper()
	// 5 resets the mark of the highest (proc(5), clear_refs).
	_ = os.WriteFile("/proc/"+strconv.Itoa(p.cmd.Process.Pid)+"/clear_refs", []byte("5"), 0)
	before := p.memory("VmRSS")
	f()
	peak := p.memory("VmHWM")
	p.t.Logf("memory: %d MiB before, %d MiB at most", before, peak)
	if peak-before > most {
		p.t.Errorf("memory grew from %d to %d MiB, by more than %d", before, peak, most)
	}
}

// descriptors counts open files.
func (p *program) descriptors() int {
	fds, err := os.ReadDir("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/fd")
	if err != nil {
		p.t.Fatal(err)
	}
	return len(fds)
}

// dial connects in clear.
func (p *program) dial() net.Conn {
	p.t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+p.port, patience)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.log)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// dialTLS connects for a host with a protocol of ALPN.
func (p *program) dialTLS(host, protocol string) *tls.Conn {
	p.t.Helper()
	c := tls.Client(p.dial(), &tls.Config{ServerName: host, RootCAs: p.roots, NextProtos: []string{protocol}})
	if err := c.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// answer is what one request of raw bytes gets.
type answer struct {
	*http.Response
	body string
	err  error
}

// send sends bytes on a connection of its own and reads one answer.
func (p *program) send(bytes string) answer {
	p.t.Helper()
	c := p.dial()
	defer c.Close()
	go func() { _, _ = io.WriteString(c, bytes) }() // who refuses need not read it all
	return p.read(bufio.NewReader(c), "GET")
}

func (p *program) read(in *bufio.Reader, method string) answer {
	p.t.Helper()
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return answer{err: err}
	}
	b, err := io.ReadAll(resp.Body)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		p.t.Errorf("no end of an answer after %d bytes", len(b))
	}
	return answer{resp, string(b), err}
}

// get asks for a path and wants a whole answer.
func (p *program) get(id, path string, fields ...string) answer {
	p.t.Helper()
	head := "GET " + path + " HTTP/1.1\r\nHost: " + p.hosts[id] + "\r\n"
	for i := 0; i < len(fields); i += 2 {
		head += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	a := p.send(head + "\r\n")
	if a.err != nil {
		p.t.Errorf("GET %.100s: %v", path, a.err)
		a.Response = &http.Response{Header: http.Header{}}
	}
	return a
}

// origin is a server of raw connections; serve gets each one, and its number.
func origin(t *testing.T, serve func(c net.Conn, n int)) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[c] = true
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				serve(c, n)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return ln.Addr().String()
}

// answers reads requests and answers each by what write does.
func answers(write func(w io.Writer, r *http.Request)) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			var w failing
			w.Writer = c
			write(&w, r)
			if _, err := io.Copy(io.Discard, r.Body); err != nil || w.failed {
				return
			}
		}
	}
}

// failing remembers that a write did not work.
type failing struct {
	io.Writer
	failed bool
}

func (f *failing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	f.failed = f.failed || err != nil
	return n, err
}

// site is a distribution with an origin for each behavior of a pass-through, a cache, and a cache by query string.
const site = `
Resources:
  ByQuery:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: by-query
        MinTTL: 0
        DefaultTTL: 3600
        MaxTTL: 36000
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          EnableAcceptEncodingBrotli: true
          CookiesConfig: { CookieBehavior: none }
          HeadersConfig: { HeaderBehavior: none }
          QueryStringsConfig: { QueryStringBehavior: all }
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        HttpVersion: http2and3
        Origins:
          - Id: origin
            DomainName: origin.example
            ConnectionAttempts: 1
            ConnectionTimeout: 10
            CustomOriginConfig: { OriginProtocolPolicy: http-only, OriginReadTimeout: 60 }
        DefaultCacheBehavior:
          TargetOriginId: origin
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad # CachingDisabled
          OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac # AllViewerExceptHostHeader
        CacheBehaviors:
          - PathPattern: /cached/*
            TargetOriginId: origin
            ViewerProtocolPolicy: allow-all
            Compress: true
            CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6 # CachingOptimized
          - PathPattern: /query/*
            TargetOriginId: origin
            ViewerProtocolPolicy: allow-all
            Compress: true
            CachePolicyId: !Ref ByQuery
`

// ok is an answer of an origin.
func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// counter counts bytes.
type counter struct{ n atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
