package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/foregate/foregate/internal/explain"
	"github.com/foregate/foregate/internal/geo/geotest"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// The scenarios of testdata/script: a template, requests, and the expected answers and decisions, in one file each. A request
// is made to a running Foregate over a socket, and once more by `foregate explain` on the same source; status, body and
// decisions must be equal.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"foregate": func() {
			os.Exit(Run(context.Background(), os.Args[1:], Streams{Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

func TestScripts(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	// One folder for all scripts: they run side by side in this process, which has one environment.
	config := t.TempDir()
	if err := os.Setenv("XDG_CONFIG_HOME", config); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("..", "..", "testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("WIRE", filepath.Join(filepath.Dir(examples), "testdata", "wire"))
			env.Setenv("XDG_CONFIG_HOME", config)
			env.Setenv("HOME", env.WorkDir)
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
				env.Setenv(name, "test")
			}
			env.Setenv("AWS_DEFAULT_REGION", "us-east-1")
			env.Setenv("AWS_PAGER", "")
			env.Setenv("PYENV_ROOT", os.Getenv("PYENV_ROOT"))
			env.Values[runKey{}] = &run{env: env}
			env.Defer(func() { env.Values[runKey{}].(*run).end() })
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "crt" { // the AWS CLI has what SigV4A takes
				return false, fmt.Errorf("unknown condition %q", name)
			}
			out, err := exec.Command("aws", "--version").CombinedOutput()
			return err == nil && bytes.HasPrefix(out, []byte("aws-cli/2")), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": cmdUp, "down": cmdDown, "request": cmdRequest, "status": cmdStatus, "finding": cmdFinding,
			"step": cmdStep, "explained": cmdExplained, "explanation": cmdExplanation, "log": cmdLog, "npm": cmdNPM, "mmdb": cmdMMDB,
			"origin": cmdOrigin, "seen": cmdSeen, "raw": cmdRaw, "refused": cmdRefused, "h2": cmdH2,
			"capture": cmdCapture,
		},
	})
}

type runKey struct{}

// run is what one script has running, and its last request.
type run struct {
	env  *testscript.Env
	args []string // flags and source of up
	stop context.CancelFunc
	done chan int
	log  *safeBuffer
	line readyLine

	status int
	live   *explain.Explanation
}

func (r *run) end() {
	if r.stop != nil {
		r.stop()
		<-r.done
		r.stop = nil
	}
}

// safeBuffer is a buffer that a server writes while a test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func of(ts *testscript.TestScript) *run { return ts.Value(runKey{}).(*run) }

// cmdUp starts `foregate up` and sets, for each endpoint, $LogicalID to its first host; $out_NAME to outputs; $ENDPOINT to
// the address of the AWS API.
func cmdUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("to see up fail, use ! foregate up")
	}
	r := of(ts)
	if r.stop != nil {
		ts.Fatalf("something is up already: use down first")
	}
	r.args = nil
	for i, a := range args {
		// Paths are relative to the script's folder, the process's is another.
		if k, v, ok := strings.Cut(a, "="); ok && i > 0 && slices.Contains([]string{"--bucket", "--function", "--key-pair"}, args[i-1]) {
			a = k + "=" + ts.MkAbs(v)
		} else if strings.HasSuffix(a, ".yaml") || strings.HasSuffix(a, ".json") || strings.HasSuffix(a, ".mmdb") {
			a = ts.MkAbs(a)
		}
		r.args = append(r.args, a)
	}
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	r.log, r.stop, r.done = &safeBuffer{}, stop, make(chan int, 1)
	go func() {
		status := Run(ctx, append([]string{"up", "-o", "json", "--listen", "127.0.0.1:0"}, r.args...), Streams{Out: in, Err: r.log})
		in.Close()
		r.done <- status
	}()
	r.line = readyLine{}
	if err := json.NewDecoder(out).Decode(&r.line); err != nil {
		ts.Fatalf("up did not come up: %v\n%s", err, r.log)
	}
	go io.Copy(io.Discard, out)
	ts.Setenv("ENDPOINT", "http://"+r.line.Listen)
	_, port, _ := net.SplitHostPort(r.line.Listen)
	ts.Setenv("PORT", port)
	ts.Setenv("CA", r.line.CA)
	for _, e := range r.line.Endpoints {
		if len(e.Hosts) > 0 {
			ts.Setenv(e.LogicalID, e.Hosts[0])
			ts.Setenv(e.LogicalID+"_id", e.ID)
		}
	}
	for k, v := range r.line.Outputs {
		ts.Setenv("out_"+k, v)
	}
}

// cmdDown stops what is up and fails when that does not end well.
func cmdDown(ts *testscript.TestScript, _ bool, _ []string) {
	r := of(ts)
	r.stop()
	r.stop = nil
	if status := <-r.done; status != 0 {
		ts.Fatalf("up ended with status %d:\n%s", status, r.log)
	}
}

// cmdRequest makes a request twice: over the socket, and with foregate explain. Its output is the answer as curl -i shows it.
// With --http3 it goes over QUIC. With ! there must be no answer at all.
func cmdRequest(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	overQUIC := slices.Contains(args, "--http3")
	args = slices.DeleteFunc(args, func(a string) bool { return a == "--http3" }) // explain has no connection
	flags, positional := splitArgs(args)
	address, method := positional[len(positional)-1], "GET"
	if len(positional) == 2 {
		method = positional[0]
	} else if slices.Contains(flags, "-d") {
		method = "POST"
	}
	send := r.overTCP
	if overQUIC {
		send = r.overQUIC
	}
	answer, body, err := r.overSocket(ts, []string{method, address}, flags, send)
	if neg {
		if err == nil {
			ts.Fatalf("an answer with status %d", answer.Status)
		}
		return
	}
	if err != nil {
		ts.Fatalf("%s %s: %v\n%s", method, address, err, r.log)
	}
	r.status = answer.Status
	fmt.Fprintf(ts.Stdout(), "HTTP/1.1 %d %s\n", answer.Status, http.StatusText(answer.Status))
	for _, f := range answer.Header {
		if f.Name != "Foregate-Explanation" {
			fmt.Fprintf(ts.Stdout(), "%s: %s\n", f.Name, f.Value)
		}
	}
	if answer.ContentLength >= 0 { // the client takes framing fields out of the header
		fmt.Fprintf(ts.Stdout(), "Content-Length: %d\n", answer.ContentLength)
	}
	fmt.Fprintf(ts.Stdout(), "\n%s\n", body)
	r.live = r.fetchExplanation(ts, answer.Header.Get("Foregate-Explanation"))
	if len(r.live.Hops) > 0 && r.live.Hops[0].Component == "cloudfront" && strings.HasPrefix(answer.Header.Get("X-Cache"), "Hit") {
		return // explain starts with an empty cache
	}
	r.compare(ts, method, address, flags)
}

func splitArgs(args []string) (flags, positional []string) {
	for i := 0; i < len(args); i++ {
		if slices.Contains([]string{"-H", "-d", "--sign"}, args[i]) {
			flags = append(flags, args[i], args[i+1])
			i++
			continue
		}
		positional = append(positional, args[i])
	}
	return flags, positional
}

// overSocket makes the request on a connection of its own, to the real host name, in TLS for https.
func (r *run) overSocket(ts *testscript.TestScript, what, flags []string, send func(*message.Request) (*message.Response, error)) (*message.Response, []byte, error) {
	f := &explainFlags{}
	for i := 0; i < len(flags); i += 2 {
		switch flags[i] {
		case "-H":
			f.headers = append(f.headers, flags[i+1])
		case "-d":
			f.data = flags[i+1]
		case "--sign":
			f.sign = flags[i+1]
		}
	}
	n := &Node{opts: Options{Region: r.line.Region}}
	req, err := f.request(n, what)
	ts.Check(err)
	req.Header.Add("Foregate-Explain", "1")
	answer, err := send(req)
	if err != nil || answer.Body == nil {
		return answer, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

func (r *run) overTCP(req *message.Request) (*message.Response, error) {
	nc, err := net.DialTimeout("tcp", r.line.Listen, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	conn := nc
	if req.Scheme == "https" {
		if conn, err = trusting(nc, req.TLS.ServerName, r.line.CA); err != nil {
			return nil, err
		}
	}
	answer, err := http1.NewClientConn(conn, http1.ClientOptions{}).RoundTrip(req)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	if answer.Body == nil {
		return answer, nc.Close()
	}
	answer.Body = closing{answer.Body, nc}
	return answer, nil
}

// closing closes the connection with the body.
type closing struct {
	io.ReadCloser
	conn io.Closer
}

func (c closing) Close() error { return errors.Join(c.ReadCloser.Close(), c.conn.Close()) }

func (r *run) fetchExplanation(ts *testscript.TestScript, address string) *explain.Explanation {
	if address == "" {
		ts.Fatalf("the answer has no Foregate-Explanation")
	}
	resp, err := http.Get(address)
	ts.Check(err)
	defer resp.Body.Close()
	e := &explain.Explanation{}
	if err := json.NewDecoder(resp.Body).Decode(e); err != nil {
		ts.Fatalf("explanation at %s: %v", address, err)
	}
	return e
}

// compare runs the request through foregate explain and compares what it decided.
func (r *run) compare(ts *testscript.TestScript, method, address string, flags []string) {
	source := r.args[len(r.args)-1]
	args := append([]string{"explain", "-o", "json"}, r.args[:len(r.args)-1]...)
	args = append(append(args, flags...), source, method, address)
	var out, errs bytes.Buffer
	status := Run(context.Background(), args, Streams{Out: &out, Err: &errs})
	if status > exitFinding || out.Len() == 0 {
		ts.Fatalf("foregate %s: status %d\n%s", strings.Join(args, " "), status, errs.String())
	}
	e := &explain.Explanation{}
	ts.Check(json.Unmarshal(out.Bytes(), e))
	if e.Response.Status != r.live.Response.Status {
		ts.Fatalf("explain answers %d, live traffic %d", e.Response.Status, r.live.Response.Status)
	}
	live, dry := decisions(r.live.Hops), decisions(e.Hops)
	if live != dry {
		ts.Fatalf("the decisions of live traffic:\n%s\nare not those of explain:\n%s", live, dry)
	}
	if a, b := codes(r.live), codes(e); !slices.Equal(a, b) {
		ts.Fatalf("findings of live traffic %v, of explain %v", a, b)
	}
	if (status == exitFinding) != slices.ContainsFunc(e.Findings, isError) {
		ts.Fatalf("explain ended with status %d, its findings are %v", status, codes(e))
	}
}

// volatile is what differs from run to run: ids, times, signatures, ports, folders.
var volatile = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{8}T\d{6}Z|current time [0-9T:-]+Z|[0-9a-f]{64}|ASIA[A-Z0-9]{16}|127\.0\.0\.1:\d+|\d+(\.\d+)? ?(ms|µs|s)\b|Root=1-[0-9a-f-]+|foregate-functions-\d+|[^ ]{4}…[^ ]{4}|\d+ bytes`)

func decisions(hops []*trace.Hop) string {
	var b strings.Builder
	for _, h := range hops {
		fmt.Fprintf(&b, "%s %s\n", h.Component, h.ID)
		for _, s := range h.Steps {
			fmt.Fprintf(&b, "  %s: %s: %s\n", s.Phase, volatile.ReplaceAllString(s.Verdict, "…"), volatile.ReplaceAllString(s.Reason, "…"))
		}
	}
	return b.String()
}

func codes(e *explain.Explanation) []string {
	var out []string
	for _, f := range e.Findings {
		out = append(out, string(f.Code))
	}
	return out
}

// cmdStatus checks the status of the last answer.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	if got := fmt.Sprint(r.status); (got == args[0]) == neg {
		ts.Fatalf("status %s, want %s\n%s", got, args[0], decisions(r.live.Hops))
	}
}

// cmdFinding checks that the explanation of the last request has a finding with a code.
func cmdFinding(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	if slices.Contains(codes(r.live), args[0]) == neg {
		ts.Fatalf("findings %v\n%s", codes(r.live), decisions(r.live.Hops))
	}
}

// cmdStep checks that a component of the last request has a step of a phase, and its verdict if a regular expression is given.
func cmdStep(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	found := false
	for _, h := range r.live.Hops {
		for _, s := range h.Steps {
			if h.Component == args[0] && s.Phase == args[1] && (len(args) < 3 || regexp.MustCompile(args[2]).MatchString(s.Verdict+" "+s.Reason)) {
				found = true
			}
		}
	}
	if found == neg {
		ts.Fatalf("no such step in\n%s", decisions(r.live.Hops))
	}
}

// cmdExplained prints the explanation of the last request as a person sees it.
func cmdExplained(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(of(ts).live.Text(ts.Stdout(), explain.Style{}))
}

// cmdExplanation prints the explanation of the last request as JSON.
func cmdExplanation(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(of(ts).live.JSON(ts.Stdout()))
}

// cmdLog waits until what up wrote to its terminal matches: a function's output comes through a pipe of its own.
func cmdLog(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	re := regexp.MustCompile(args[0])
	deadline := time.Now().Add(5 * time.Second)
	for {
		found := re.MatchString(r.log.String())
		if found != neg {
			return
		}
		if neg || time.Now().After(deadline) {
			ts.Fatalf("the terminal shows\n%s", r.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// cmdCapture puts what the last command printed into a variable.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// cmdNPM puts a package of testdata/npm into a folder of the script, or links all of them there.
func cmdNPM(ts *testscript.TestScript, _ bool, args []string) {
	root, err := filepath.Abs(filepath.Join("..", "..", "testdata", "npm"))
	ts.Check(err)
	modules := filepath.Join(root, "node_modules")
	npmOnce.Do(func() {
		want, err := os.Stat(filepath.Join(root, "package-lock.json"))
		ts.Check(err)
		// npm writes this file when it is done: one that is older than the list is from before the list changed.
		if got, err := os.Stat(filepath.Join(modules, ".package-lock.json")); err != nil || got.ModTime().Before(want.ModTime()) {
			out, err := exec.Command("npm", "ci", "--prefix", root, "--no-audit", "--no-fund").CombinedOutput()
			if err != nil {
				npmErr = fmt.Errorf("npm ci: %w\n%s", err, out)
			}
		}
	})
	if npmErr != nil && os.Getenv("CI") == "" {
		ts.Logf("%v", npmErr)
		return // the script fails where it needs the package
	}
	ts.Check(npmErr)
	if args[0] == "all" {
		ts.Check(os.Symlink(modules, filepath.Join(ts.MkAbs(args[1]), "node_modules")))
		return
	}
	target := filepath.Join(ts.MkAbs(args[1]), "node_modules", args[0])
	ts.Check(os.MkdirAll(filepath.Dir(target), 0o755))
	ts.Check(os.CopyFS(target, os.DirFS(filepath.Join(modules, args[0]))))
}

// cmdMMDB writes a database of addresses: NETWORK=COUNTRY, each with a city.
func cmdMMDB(ts *testscript.TestScript, _ bool, args []string) {
	var entries []geotest.Entry
	for _, a := range args[1:] {
		network, country, _ := strings.Cut(a, "=")
		entries = append(entries, geotest.Entry{Network: network, Record: geotest.Map{
			"country": geotest.Map{"iso_code": country}, "city": geotest.Map{"names": geotest.Map{"en": "City of " + country}}}})
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), geotest.Write("GeoLite2-City", entries...), 0o600))
}

var (
	npmOnce sync.Once
	npmErr  error
)
