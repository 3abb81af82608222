package lambda

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// eventually waits until what says nothing is wrong any more: processes end in their own time.
func eventually(t testing.TB, what func() string) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		text := what()
		if text == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitSpare waits until a language has a spare process that is fully up, which is when it sleeps in its first read.
func awaitSpare(rt *Runtime, l *language) {
	for range 2000 {
		l.mu.Lock()
		p := l.spare
		l.mu.Unlock()
		if p != nil && time.Since(p.started) > 150*time.Millisecond {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// children counts the processes whose parent is this one, zombies too.
func children(t testing.TB) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Skip("no /proc")
	}
	n := 0
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[1] == fmt.Sprint(os.Getpid()) {
			n++
		}
	}
	return n
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(entries)
}

func TestManyInvocationsLeaveNothing(t *testing.T) {
	need(t, "node", "python3")
	processes, files, goroutines := children(t), descriptors(t), runtime.NumGoroutine()
	cache := t.TempDir()
	rt := New(Options{CacheDir: cache, MaxProcesses: 12})
	const callers, calls = 50, 20
	var wg sync.WaitGroup
	for _, spec := range []Spec{
		nodeSpec(`let n = 0; exports.handler = async (e) => { if (e.n % 97 === 0) process.exit(2); return e.n; };`),
		pythonSpec("import os\ndef handler(e, c):\n  if e['n'] % 97 == 0: os._exit(2)\n  return e['n']\n"),
	} {
		f := acquire(t, rt, spec)
		for caller := range callers {
			wg.Go(func() {
				for i := range calls {
					n := caller*calls + i
					r, err := f.Invoke(context.Background(), Invocation{Payload: fmt.Appendf(nil, `{"n":%d}`, n)})
					switch {
					case err != nil:
						t.Errorf("call %d: %v", n, err)
					case n%97 == 0 && r.FunctionError == "" || n%97 != 0 && string(r.Payload) != fmt.Sprint(n):
						t.Errorf("call %d: %q %s", n, r.FunctionError, r.Payload)
					}
				}
			})
		}
	}
	wg.Wait()
	if s := rt.Stats(); s.Workers > 12 || s.Processes > 14 {
		t.Errorf("stats %+v", s)
	}
	if err := rt.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if n := children(t); n > processes {
			return fmt.Sprintf("%d processes are left", n-processes)
		}
		if n := descriptors(t); n > files {
			return fmt.Sprintf("%d descriptors are left", n-files)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			return fmt.Sprintf("%d goroutines are left", n-goroutines)
		}
		return ""
	})
}

func TestPoolIsSharedAndReleased(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true})
	spec := pythonSpec("import os\ndef handler(e, c): return os.getpid()")
	a, b := acquire(t, rt, spec), acquire(t, rt, spec)
	first := invoke(t, a, "{}")
	if second := invoke(t, b, "{}"); string(first.Payload) != string(second.Payload) || second.InitDuration != 0 || first.InitDuration == 0 {
		t.Errorf("workers %s and %s", first.Payload, second.Payload)
	}
	a.Release()
	a.Release()
	if rt.Stats().Processes != 1 {
		t.Errorf("worker ended while it is acquired")
	}
	b.Release()
	eventually(t, func() string {
		left, _ := filepath.Glob(filepath.Join(rt.dir, "*-*"))
		if s := rt.Stats(); s != (Stats{}) || len(left) != 1 { // the bootstrap script stays
			return fmt.Sprintf("stats %+v, files %q", s, left)
		}
		return ""
	})
	if _, err := a.Invoke(context.Background(), Invocation{}); !errors.Is(err, errReleased) {
		t.Errorf("invoke after release: %v", err)
	}
	other := spec
	other.Environment = map[string]string{"A": "1"}
	if a, b := acquire(t, rt, spec), acquire(t, rt, other); a.pool == b.pool {
		t.Error("different functions share a pool")
	}
}

func TestReleaseLetsInvocationsFinish(t *testing.T) {
	need(t, "python3")
	rt, sink := newRuntime(t, Options{NoSpares: true})
	f := acquire(t, rt, pythonSpec("import time\ndef handler(e, c):\n  print('began', flush=True)\n  time.sleep(0.3)\n  return 1"))
	done := make(chan Result, 1)
	go func() { r, _ := f.Invoke(context.Background(), Invocation{}); done <- r }()
	eventually(t, func() string {
		if _, ok := sink.find("began"); !ok {
			return "never began"
		}
		return ""
	})
	f.Release()
	if r := <-done; string(r.Payload) != "1" {
		t.Errorf("got %s %q", r.Payload, r.FunctionError)
	}
	eventually(t, func() string {
		if s := rt.Stats(); s.Processes != 0 {
			return fmt.Sprintf("stats %+v", s)
		}
		return ""
	})
}

func TestIdleWorkersEnd(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true, IdleTimeout: 50 * time.Millisecond})
	f := acquire(t, rt, pythonSpec("def handler(e, c): return 1"))
	invoke(t, f, "{}")
	eventually(t, func() string {
		if s := rt.Stats(); s.Processes != 0 || s.Workers != 0 {
			return fmt.Sprintf("stats %+v", s)
		}
		return ""
	})
	if r := invoke(t, f, "{}"); r.InitDuration == 0 {
		t.Error("no new worker")
	}
}

func TestDeadIdleWorkerIsReplaced(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true})
	f := acquire(t, rt, pythonSpec("import os, threading\ndef handler(e, c):\n  threading.Timer(0.02, os._exit, [5]).start()\n  return 1"))
	for range 3 {
		if r := invoke(t, f, "{}"); string(r.Payload) != "1" {
			t.Fatalf("got %s", r.Payload)
		}
		eventually(t, func() string {
			if s := rt.Stats(); s.Workers != 0 {
				return fmt.Sprintf("stats %+v", s)
			}
			return ""
		})
	}
}

func TestReservedConcurrency(t *testing.T) {
	need(t, "python3")
	rt, sink := newRuntime(t, Options{NoSpares: true})
	spec := pythonSpec("import time\ndef handler(e, c):\n  print('began', flush=True)\n  time.sleep(1)")
	spec.ReservedConcurrency = new(1)
	f := acquire(t, rt, spec)
	done := make(chan error, 1)
	go func() { _, err := f.Invoke(context.Background(), Invocation{}); done <- err }()
	eventually(t, func() string {
		if _, ok := sink.find("began"); !ok {
			return "never began"
		}
		return ""
	})
	var e *Error
	if _, err := f.Invoke(context.Background(), Invocation{}); !errors.As(err, &e) || e.Type != "TooManyRequestsException" {
		t.Errorf("second call: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r := invoke(t, f, "{}"); r.FunctionError != "" {
		t.Errorf("later call: %s", r.Payload)
	}
}

func TestProcessLimitIsSharedFairly(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true, MaxProcesses: 2})
	code := "import time\ndef handler(e, c):\n  time.sleep(0.01)\n  return 1 #"
	var wg sync.WaitGroup
	for i := range 4 {
		f := acquire(t, rt, pythonSpec(code+fmt.Sprint(i)))
		for range 4 {
			wg.Go(func() {
				for range 3 {
					if r, err := f.Invoke(context.Background(), Invocation{}); err != nil || string(r.Payload) != "1" {
						t.Errorf("%s %v", r.Payload, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if s := rt.Stats(); s.Workers > 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestQueueTimeout(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true, MaxProcesses: 1, QueueTimeout: 300 * time.Millisecond})
	slow := acquire(t, rt, pythonSpec("import time\ndef handler(e, c): time.sleep(5)"))
	other := acquire(t, rt, pythonSpec("def handler(e, c): return 1"))
	ctx, cancel := context.WithCancel(context.Background())
	go slow.Invoke(ctx, Invocation{})
	eventually(t, func() string {
		if rt.Stats().Workers == 0 {
			return "slow function never began"
		}
		return ""
	})
	var e *Error
	if _, err := other.Invoke(context.Background(), Invocation{}); !errors.As(err, &e) || e.Reason != "ConcurrentInvocationLimitExceeded" {
		t.Errorf("got %v", err)
	}
	cancel()
}

func TestCancelledCallerLeavesInvocationRunning(t *testing.T) {
	need(t, "node", "python3")
	for name, spec := range map[string]Spec{
		"node":   nodeSpec(`exports.handler = async () => { console.log('began'); await new Promise((r) => setTimeout(r, 200)); console.log('finished'); return process.pid; };`),
		"python": pythonSpec("import os, time\ndef handler(e, c):\n  print('began')\n  time.sleep(0.2)\n  print('finished')\n  return os.getpid()"),
	} {
		rt, sink := newRuntime(t, Options{NoSpares: true})
		f := acquire(t, rt, spec)
		first := invoke(t, f, "{}")
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if _, err := f.Invoke(ctx, Invocation{RequestID: "req-2"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		eventually(t, func() string {
			for _, l := range sink.all() {
				if l.RequestID == "req-2" && strings.Contains(l.Text, "finished") {
					return ""
				}
			}
			return name + ": invocation did not finish"
		})
		eventually(t, func() string {
			if r := invoke(t, f, "{}"); string(r.Payload) != string(first.Payload) {
				return fmt.Sprintf("%s: worker %s is not used again, but %s", name, first.Payload, r.Payload)
			}
			return ""
		})
	}
}

func TestTimeoutKillsChildrenOfTheFunction(t *testing.T) {
	need(t, "python3")
	rt, sink := newRuntime(t, Options{NoSpares: true})
	before := len(sleepers(t))
	spec := pythonSpec("import subprocess, time\ndef handler(e, c):\n  subprocess.Popen(['sleep', '98765'])\n  print('began', flush=True)\n  time.sleep(60)")
	spec.Timeout = time.Second
	if r := invoke(t, acquire(t, rt, spec), "{}"); !strings.Contains(string(r.Payload), "Sandbox.Timedout") {
		t.Errorf("got %s", r.Payload)
	}
	if _, ok := sink.find("began"); !ok {
		t.Error("function never began")
	}
	eventually(t, func() string {
		if n := len(sleepers(t)); n > before {
			return "a child of the function is left"
		}
		return ""
	})
}

// sleepers returns the processes that TestTimeoutKillsChildrenOfTheFunction starts.
func sleepers(t *testing.T) []string {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Skip("no /proc")
	}
	var found []string
	for _, path := range lines {
		if text, _ := os.ReadFile(path); strings.HasPrefix(string(text), "sleep\x0098765") {
			found = append(found, path)
		}
	}
	return found
}

func TestInitLimit(t *testing.T) {
	need(t, "node", "python3")
	rt, _ := newRuntime(t, Options{InitTimeout: 200 * time.Millisecond})
	for name, spec := range map[string]Spec{
		"node":   nodeSpec(`for (;;);`),
		"python": pythonSpec("import time\nprint('loading', flush=True)\ntime.sleep(60)"),
	} {
		spec.Timeout = time.Second
		r := invoke(t, acquire(t, rt, spec), "{}")
		if !strings.Contains(string(r.Payload), "Sandbox.Timedout") || !strings.Contains(r.LogTail, "INIT_REPORT Init Duration: ") {
			t.Errorf("%s: %s %q", name, r.Payload, r.LogTail)
		}
	}
}

// TestLongLivedWorker: the limit of loading is no limit of the invocations that come after it.
func TestLongLivedWorker(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{InitTimeout: time.Second})
	spec := pythonSpec("def handler(event, context):\n  return 1\n")
	spec.Timeout = 500 * time.Millisecond
	f := acquire(t, rt, spec)
	loaded := time.Now()
	for time.Since(loaded) < 1800*time.Millisecond {
		if r := invoke(t, f, "{}"); r.FunctionError != "" {
			t.Fatalf("after %v: %s", time.Since(loaded), r.Payload)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestHugeOutput(t *testing.T) {
	need(t, "node", "python3")
	for name, spec := range map[string]Spec{
		"node":   nodeSpec(`exports.handler = async () => { process.stdout.write('x'.repeat(3 << 20)); process.stdout.write('\nlast\n'); return 1; };`),
		"python": pythonSpec("import sys\ndef handler(e, c):\n  sys.stdout.write('x' * (3 << 20))\n  print('\\nlast')\n  return 1"),
	} {
		rt, sink := newRuntime(t, Options{NoSpares: true})
		r := invoke(t, acquire(t, rt, spec), "{}")
		total := 0
		for _, l := range sink.all() {
			if len(l.Text) > maxLine {
				t.Errorf("%s: line of %d bytes", name, len(l.Text))
			}
			if !l.Platform {
				total += strings.Count(l.Text, "x")
			}
		}
		if _, ok := sink.find("last"); !ok || total != 3<<20 || len(r.LogTail) > tailSize || !strings.Contains(r.LogTail, "last") {
			t.Errorf("%s: %d bytes, tail of %d", name, total, len(r.LogTail))
		}
	}
}

func TestLargePayloads(t *testing.T) {
	need(t, "node", "python3")
	rt, _ := newRuntime(t, Options{})
	event := `"` + strings.Repeat("ab", MaxPayload/2-1) + `"`
	for name, spec := range map[string]Spec{
		"node":   nodeSpec(`exports.handler = async (e) => e;`),
		"python": pythonSpec("def handler(e, c): return e"),
	} {
		f := acquire(t, rt, spec)
		for _, payload := range []string{event, `"s"`, event[:70000] + `"`} {
			if r := invoke(t, f, payload); string(r.Payload) != payload {
				t.Errorf("%s: %d bytes come back as %d, %s", name, len(payload), len(r.Payload), r.FunctionError)
			}
		}
	}
}

func TestStandby(t *testing.T) {
	need(t, "node")
	rt, _ := newRuntime(t, Options{})
	f := acquire(t, rt, nodeSpec(`exports.handler = async () => process.pid;`))
	for range 2*standbyAfter + 1 {
		invoke(t, f, "{}")
	}
	eventually(t, func() string {
		if _, ok := f.pool.oldestIdle(); ok && rt.Stats().Workers == 2 {
			return ""
		}
		return fmt.Sprintf("no standby: %+v", rt.Stats())
	})
}

func TestCredentialsAreRenewed(t *testing.T) {
	need(t, "python3")
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	rt, _ := newRuntime(t, Options{NoSpares: true, Now: clock})
	n := 0
	spec := pythonSpec("import os\ndef handler(e, c): return os.environ['AWS_ACCESS_KEY_ID']")
	spec.Credentials = func() Credentials {
		n++
		return Credentials{AccessKeyID: fmt.Sprintf("AK%d", n), SecretAccessKey: "s", Expires: clock().Add(time.Hour)}
	}
	f := acquire(t, rt, spec)
	for _, want := range []string{`"AK1"`, `"AK1"`, `"AK2"`} {
		if r := invoke(t, f, "{}"); string(r.Payload) != want {
			t.Errorf("key %s, want %s", r.Payload, want)
		}
		if want == `"AK1"` {
			mu.Lock()
			now = now.Add(45 * time.Minute)
			mu.Unlock()
		}
	}
}

func TestCloseEndsRunningInvocations(t *testing.T) {
	need(t, "python3")
	rt, sink := newRuntime(t, Options{})
	f := acquire(t, rt, pythonSpec("import time\ndef handler(e, c):\n  print('began', flush=True)\n  time.sleep(60)"))
	done := make(chan Result, 1)
	go func() { r, _ := f.Invoke(context.Background(), Invocation{}); done <- r }()
	eventually(t, func() string {
		if _, ok := sink.find("began"); !ok {
			return "never began"
		}
		return ""
	})
	if err := rt.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-done; !strings.Contains(string(r.Payload), "Runtime.ExitError") {
		t.Errorf("got %s", r.Payload)
	}
	if _, err := rt.Acquire(nodeSpec("1")); !errors.Is(err, errClosed) {
		t.Errorf("acquire after close: %v", err)
	}
}

func TestAllocationsPerCall(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true})
	f := acquire(t, rt, pythonSpec(pythonEdge))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	inv := Invocation{Payload: []byte(edgeEvent), RequestID: "req-1"}
	call := func() {
		if r, err := f.Invoke(ctx, inv); err != nil || r.FunctionError != "" {
			t.Fatalf("%v %s", err, r.Payload)
		}
	}
	call()
	if n := testing.AllocsPerRun(200, call); n > 8 {
		t.Errorf("%v allocations for each call, the budget is 8", n)
	}
}

// TestWorkersDieWithTheServer runs this test binary once more as a server, kills it and looks for its workers.
func TestWorkersDieWithTheServer(t *testing.T) {
	need(t, "node", "python3")
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children of their parent's death; elsewhere they end when they read their closed pipe")
	}
	if os.Getenv("LAMBDA_TEST_SERVER") != "" {
		rt := New(Options{CacheDir: os.Getenv("LAMBDA_TEST_SERVER")})
		var pids []string
		for _, spec := range []Spec{nodeSpec(`exports.handler = async () => { setTimeout(() => { for (;;); }, 0); return process.pid; };`),
			pythonSpec("import os, threading, time\ndef handler(e, c):\n  threading.Thread(target=time.sleep, args=[60]).start()\n  return os.getpid()")} {
			pids = append(pids, string(invoke(t, acquire(t, rt, spec), "{}").Payload))
		}
		fmt.Println("pids", strings.Join(pids, " "))
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWorkersDieWithTheServer$")
	cmd.Env = append(os.Environ(), "LAMBDA_TEST_SERVER="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	pids := strings.Fields(line)
	if err != nil || len(pids) != 3 {
		t.Fatalf("server said %q, %v", line, err)
	}
	eventually(t, func() string {
		for _, pid := range pids[1:] {
			if status, err := os.ReadFile("/proc/" + pid + "/status"); err == nil && !strings.Contains(string(status), "State:\tZ") {
				return "worker " + pid + " lives on"
			}
		}
		return ""
	})
}
