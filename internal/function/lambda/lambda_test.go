package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/trace"
)

// logSink collects log lines.
type logSink struct {
	mu    sync.Mutex
	lines []LogLine
}

func (s *logSink) add(l LogLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, l)
}

func (s *logSink) all() []LogLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]LogLine(nil), s.lines...)
}

// find returns the first line that contains text.
func (s *logSink) find(text string) (LogLine, bool) {
	for _, l := range s.all() {
		if strings.Contains(l.Text, text) {
			return l, true
		}
	}
	return LogLine{}, false
}

func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

func newRuntime(t testing.TB, opts Options) (*Runtime, *logSink) {
	t.Helper()
	sink := &logSink{}
	if opts.Logs == nil {
		opts.Logs = sink.add
	}
	if opts.CacheDir == "" {
		opts.CacheDir = t.TempDir()
	}
	rt := New(opts)
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return rt, sink
}

func nodeSpec(code string) Spec {
	return Spec{Name: "fn", ARN: "arn:aws:lambda:eu-west-1:123456789012:function:fn", Runtime: "nodejs22.x", Handler: "index.handler",
		Code: Code{Inline: code}, Timeout: 20 * time.Second, Region: "eu-west-1", Account: "123456789012"}
}

func pythonSpec(code string) Spec {
	s := nodeSpec(code)
	s.Runtime = "python3.13"
	return s
}

func acquire(t testing.TB, rt *Runtime, spec Spec) *Function {
	t.Helper()
	f, err := rt.Acquire(spec)
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	return f
}

func invoke(t testing.TB, f *Function, payload string) Result {
	t.Helper()
	r, err := f.Invoke(context.Background(), Invocation{Payload: []byte(payload), RequestID: "req-1", Tail: true})
	if err != nil {
		t.Fatalf("invoke: %v", err)
	}
	return r
}

func TestEcho(t *testing.T) {
	need(t, "node", "python3")
	rt, _ := newRuntime(t, Options{})
	for name, spec := range map[string]Spec{
		"node":   nodeSpec(`exports.handler = async (event) => ({ got: event, é: "ü" });`),
		"python": pythonSpec("def handler(event, context):\n  return {'got': event, 'é': 'ü'}\n"),
	} {
		f := acquire(t, rt, spec)
		for range 3 {
			var got map[string]any
			r := invoke(t, f, `{"a":[1,2,"ø"]}`)
			if err := json.Unmarshal(r.Payload, &got); err != nil || r.FunctionError != "" {
				t.Fatalf("%s: %s %s %v", name, r.FunctionError, r.Payload, err)
			}
			if want := map[string]any{"a": []any{1.0, 2.0, "ø"}}; !equal(got["got"], want) || got["é"] != "ü" {
				t.Errorf("%s: got %s", name, r.Payload)
			}
		}
		f.Release()
	}
}

func equal(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// handlerCase is one function and what invoking it must give. Payload and error are compared after the fields that
// depend on the machine are taken away; contains are parts of the payload.
type handlerCase struct {
	name, code, handler, event string
	payload                    string
	contains                   []string
	failed                     bool
}

func (c handlerCase) run(t *testing.T, rt *Runtime, spec Spec) {
	t.Helper()
	if c.handler != "" {
		spec.Handler = c.handler
	}
	if c.event == "" {
		c.event = "{}"
	}
	f := acquire(t, rt, spec)
	defer f.Release()
	for range 2 { // the second call meets a used worker, or a new one after a crash
		r := invoke(t, f, c.event)
		if (r.FunctionError == "Unhandled") != c.failed {
			t.Fatalf("function error %q, payload %s", r.FunctionError, r.Payload)
		}
		if c.payload != "" && string(r.Payload) != c.payload {
			t.Errorf("payload %s, want %s", r.Payload, c.payload)
		}
		for _, part := range c.contains {
			if !strings.Contains(string(r.Payload), part) {
				t.Errorf("payload %s lacks %s", r.Payload, part)
			}
		}
	}
}

var nodeCases = []handlerCase{
	{name: "undefined", code: `exports.handler = async () => {};`, payload: `null`},
	{name: "callback", code: `exports.handler = (e, c, cb) => { setTimeout(() => cb(null, {ok: 1}), 5) };`, payload: `{"ok":1}`},
	{name: "callback waits for the loop", code: `
		let late = 0;
		exports.handler = (e, c, cb) => { const r = {}; setTimeout(() => { r.late = ++late; }, 10); cb(null, r); };`,
		contains: []string{`{"late":`}},
	{name: "callback does not wait", code: `
		exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; const r = {}; setTimeout(() => { r.late = 1; }, 5000); cb(null, r); };`,
		payload: `{}`},
	{name: "callback error", code: `exports.handler = (e, c, cb) => cb(new TypeError('no'));`, failed: true,
		contains: []string{`{"errorType":"TypeError","errorMessage":"no","trace":["TypeError: no","`}},
	{name: "callback string error", code: `exports.handler = (e, c, cb) => cb('no');`, failed: true,
		payload: `{"errorType":"string","errorMessage":"no","trace":[]}`},
	{name: "succeed", code: `exports.handler = (e, c) => c.succeed(7);`, payload: `7`},
	{name: "fail", code: `exports.handler = (e, c) => c.fail(new Error('f'));`, failed: true, contains: []string{`"errorMessage":"f"`}},
	{name: "fail with nothing", code: `exports.handler = (e, c) => c.fail();`, failed: true,
		payload: `{"errorType":"string","errorMessage":"handled","trace":[]}`},
	{name: "done", code: `exports.handler = (e, c) => c.done(null, 'd');`, payload: `"d"`},
	{name: "second callback is ignored", code: `exports.handler = (e, c, cb) => { cb(null, 1); cb(null, 2); cb(new Error('x')); };`, payload: `1`},
	{name: "never answers", code: `exports.handler = (e, c, cb) => {};`, payload: `null`},
	{name: "promise never settles", code: `exports.handler = () => new Promise(() => {});`, payload: `null`},
	{name: "throws", code: `exports.handler = () => { throw new Error('boom'); };`, failed: true,
		contains: []string{`{"errorType":"Error","errorMessage":"boom","trace":["Error: boom","    at `}},
	{name: "rejects", code: `class Odd extends Error { constructor(m) { super(m); this.name = 'Odd'; } }
		exports.handler = async () => { throw new Odd('boom'); };`, failed: true,
		contains: []string{`{"errorType":"Odd","errorMessage":"boom","trace":["Odd: boom"`}},
	{name: "rejects with a value", code: `exports.handler = async () => { throw 'text'; };`, failed: true,
		payload: `{"errorType":"string","errorMessage":"text","trace":[]}`},
	{name: "cannot be serialised", code: `exports.handler = async () => { const a = {}; a.a = a; return a; };`, failed: true,
		contains: []string{`"errorType":"Error","errorMessage":"Unable to stringify response body"`}},
	{name: "uncaught exception", code: `exports.handler = (e, c, cb) => { setTimeout(() => { throw new RangeError('late') }, 1); };`, failed: true,
		contains: []string{`{"errorType":"RangeError","errorMessage":"late"`}},
	{name: "unhandled rejection", code: `exports.handler = (e, c, cb) => { Promise.reject(new Error('lost')); setTimeout(cb, 100); };`, failed: true,
		contains: []string{`{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost"`}},
	{name: "exit", code: `exports.handler = () => process.exit(1);`, failed: true,
		payload: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: req-1 Error: Runtime exited with error: exit status 1"}`},
	{name: "exit 0", code: `exports.handler = () => process.exit(0);`, failed: true,
		payload: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: req-1 Error: Runtime exited without providing a reason"}`},
	{name: "killed", code: `exports.handler = () => { process.kill(process.pid, 'SIGKILL'); return new Promise((r) => setTimeout(r, 9000)); };`, failed: true,
		payload: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: req-1 Error: Runtime exited with error: signal: killed"}`},
	{name: "module missing", code: `require('not-there');`, failed: true,
		contains: []string{`{"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'not-there'\nRequire stack:\n- `}},
	{name: "file missing", handler: "other.handler", code: `1`, failed: true,
		contains: []string{`{"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'other'`}},
	{name: "handler missing", handler: "index.other", code: `exports.handler = 1`, failed: true,
		contains: []string{`{"errorType":"Runtime.HandlerNotFound","errorMessage":"index.other is undefined or not exported"`}},
	{name: "handler is no function", code: `exports.handler = 1`, failed: true,
		contains: []string{`{"errorType":"Runtime.HandlerNotFound","errorMessage":"index.handler is not a function"`}},
	{name: "bad handler", handler: "index", code: `1`, failed: true, contains: []string{`"errorType":"Runtime.MalformedHandlerName","errorMessage":"Bad handler"`}},
	{name: "nested handler", handler: "index.a.b", code: `exports.a = { b: async () => 'n' };`, payload: `"n"`},
	{name: "syntax error", code: `exports.handler = (;`, failed: true,
		contains: []string{`{"errorType":"Runtime.UserCodeSyntaxError","errorMessage":"SyntaxError: Unexpected token`}},
	{name: "throws at init", code: `throw new Error('init');`, failed: true, contains: []string{`{"errorType":"Error","errorMessage":"init"`}},
	{name: "exits at init", code: `process.exit(7);`, failed: true,
		payload: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: req-1 Error: Runtime exited with error: exit status 7"}`},
	{name: "too large", code: `exports.handler = async () => 'x'.repeat(6291556);`, failed: true,
		payload: `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`},
	{name: "rubbish on the pipe", code: `exports.handler = async () => { require('fs').writeSync(4, 'rubbish rubbish'); await new Promise((r) => setTimeout(r, 9000)); };`, failed: true,
		contains: []string{`"Runtime.ExitError"`}},
	{name: "streaming", code: `exports.handler = awslambda.streamifyResponse(async () => {});`, failed: true,
		contains: []string{`"Runtime.MalformedStreamingHandler"`, "does not support"}},
	{name: "event", event: `{"n":1}`, code: `exports.handler = async (e) => e.n;`, payload: `1`},
	{name: "cfn-response", code: `exports.handler = async () => Object.keys(require('cfn-response')).sort();`, payload: `["FAILED","SUCCESS","send"]`},
}

func TestNode(t *testing.T) {
	need(t, "node")
	rt, _ := newRuntime(t, Options{})
	for _, c := range nodeCases {
		t.Run(c.name, func(t *testing.T) { c.run(t, rt, nodeSpec(c.code)) })
	}
}

var pythonCases = []handlerCase{
	{name: "none", code: "def handler(e, c): pass", payload: `null`},
	{name: "spaces", code: "def handler(e, c): return {'a': 1, 'b': 'ü'}", payload: `{"a": 1, "b": "ü"}`},
	{name: "decimal", code: "import decimal\ndef handler(e, c): return decimal.Decimal('1.5')", payload: `1.5`},
	{name: "raises", code: "def handler(e, c):\n  raise ValueError('boom')", failed: true,
		contains: []string{`{"errorMessage": "boom", "errorType": "ValueError", "requestId": "req-1", "stackTrace": ["  File \"`, `index.py\", line 2, in handler\n    raise ValueError('boom')\n"]}`}},
	{name: "cannot be serialised", code: "def handler(e, c): return object()", failed: true,
		payload: `{"errorMessage": "Unable to marshal response: Object of type object is not JSON serializable", "errorType": "Runtime.MarshalError", "requestId": "req-1", "stackTrace": []}`},
	{name: "bad event", event: `{`, code: "def handler(e, c): return 1", failed: true,
		contains: []string{`"errorMessage": "Unable to unmarshal input: `, `"errorType": "Runtime.UnmarshalError"`}},
	{name: "exit", code: "import sys\ndef handler(e, c): sys.exit(3)", failed: true,
		payload: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: req-1 Error: Runtime exited with error: exit status 3"}`},
	{name: "os exit", code: "import os\ndef handler(e, c): os._exit(0)", failed: true,
		payload: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: req-1 Error: Runtime exited without providing a reason"}`},
	{name: "segfault", code: "import os, signal\ndef handler(e, c): os.kill(os.getpid(), signal.SIGSEGV)", failed: true,
		contains: []string{`"Runtime.ExitError"`, `signal: segmentation fault`}},
	{name: "module missing", code: "import not_there", failed: true,
		payload: `{"errorMessage": "Unable to import module 'index': No module named 'not_there'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`},
	{name: "handler missing", handler: "index.other", code: "def handler(e, c): pass", failed: true,
		payload: `{"errorMessage": "Handler 'other' missing on module 'index'", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": []}`},
	{name: "bad handler", handler: "index", code: "1", failed: true,
		contains: []string{`"errorMessage": "Bad handler 'index': not enough values to unpack (expected 2, got 1)", "errorType": "Runtime.MalformedHandlerName"`}},
	{name: "syntax error", code: "def handler(:", failed: true,
		contains: []string{`"errorMessage": "Syntax error in module 'index': `, `"errorType": "Runtime.UserCodeSyntaxError"`}},
	{name: "raises at init", code: "raise KeyError('k')", failed: true, contains: []string{`"errorMessage": "'k'", "errorType": "KeyError", "requestId": ""`}},
	{name: "exits at init", code: "import sys\nsys.exit(4)", failed: true, contains: []string{`exit status 4`}},
	{name: "too large", code: "def handler(e, c): return 'x' * 6291556", failed: true, contains: []string{`Function.ResponseSizeTooLarge`}},
	{name: "rubbish on the pipe", code: "import os, time\ndef handler(e, c):\n  os.write(4, b'rubbish rubbish')\n  time.sleep(9)", failed: true,
		contains: []string{`"Runtime.ExitError"`}},
	{name: "closes the pipe", code: "import os, time\ndef handler(e, c):\n  os.close(4)\n  time.sleep(9)", failed: true, contains: []string{`"Runtime.ExitError"`}},
	{name: "cfnresponse", code: "import cfnresponse\ndef handler(e, c): return cfnresponse.SUCCESS", payload: `"SUCCESS"`},
}

func TestPython(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{})
	for _, c := range pythonCases {
		t.Run(c.name, func(t *testing.T) { c.run(t, rt, pythonSpec(c.code)) })
	}
}

func TestTimeout(t *testing.T) {
	need(t, "node", "python3")
	rt, sink := newRuntime(t, Options{})
	for name, spec := range map[string]Spec{
		"node":        nodeSpec(`exports.handler = async () => { console.log('before'); await new Promise((r) => setTimeout(r, 60000)); };`),
		"node busy":   nodeSpec(`exports.handler = async () => { for (;;); };`),
		"python":      pythonSpec("import time\ndef handler(e, c): time.sleep(60)"),
		"python busy": pythonSpec("def handler(e, c):\n  while True: pass"),
	} {
		spec.Timeout = time.Second
		f := acquire(t, rt, spec)
		r := invoke(t, f, "{}")
		want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: req-1 Error: Task timed out after 1.00 seconds"}`
		if string(r.Payload) != want || r.FunctionError != "Unhandled" {
			t.Errorf("%s: %s %s", name, r.FunctionError, r.Payload)
		}
		for _, part := range []string{"START RequestId: req-1 Version: $LATEST\n", " req-1 Task timed out after 1.00 seconds\n\nEND RequestId: req-1\n", "\tStatus: timeout\n"} {
			if !strings.Contains(r.LogTail, part) {
				t.Errorf("%s: log %q lacks %q", name, r.LogTail, part)
			}
		}
		f.Release()
	}
	if l, ok := sink.find("Task timed out"); !ok || !l.Platform {
		t.Errorf("sink has no line about the timeout")
	}
}

func TestRefusals(t *testing.T) {
	rt, _ := newRuntime(t, Options{})
	spec := nodeSpec("exports.handler = async () => 1")
	spec.Runtime = "java21"
	f := acquire(t, rt, spec)
	_, err := f.Invoke(context.Background(), Invocation{})
	var e *Error
	if !errors.As(err, &e) || e.Type != "InvalidRuntimeException" || e.Finding == nil {
		t.Errorf("java: %v", err)
	}
	if _, err := rt.Acquire(Spec{Name: "x", Runtime: "nodejs22.x"}); !errors.As(err, &e) || e.Finding == nil {
		t.Errorf("no code: %v", err)
	}
	missing := nodeSpec("")
	missing.Code = Code{Dir: filepath.Join(t.TempDir(), "gone")}
	if _, err = acquire(t, rt, missing).Invoke(context.Background(), Invocation{}); !errors.As(err, &e) || e.Finding == nil {
		t.Errorf("no folder: %v", err)
	}
	reserved := nodeSpec("exports.handler = async () => 1")
	reserved.ReservedConcurrency = new(0)
	_, err = acquire(t, rt, reserved).Invoke(context.Background(), Invocation{})
	if !errors.As(err, &e) || e.Status != 429 || e.Reason != "ReservedFunctionConcurrentInvocationLimitExceeded" {
		t.Errorf("reserved 0: %v", err)
	}
	_, err = acquire(t, rt, nodeSpec("1")).Invoke(context.Background(), Invocation{Payload: make([]byte, MaxPayload+1)})
	if !errors.As(err, &e) || e.Status != 413 {
		t.Errorf("large payload: %v", err)
	}
	lost, _ := newRuntime(t, Options{Node: filepath.Join(t.TempDir(), "node")})
	_, err = acquire(t, lost, nodeSpec("1")).Invoke(context.Background(), Invocation{})
	if !errors.As(err, &e) || e.Type != "InvalidRuntimeException" || len(e.Finding.Fixes) == 0 {
		t.Errorf("no interpreter: %v", err)
	}
}

func TestContextAndEnvironment(t *testing.T) {
	need(t, "node", "python3")
	t.Setenv("FOREGATE_SECRET", "host")
	rt, _ := newRuntime(t, Options{Environment: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}})
	for name, spec := range map[string]Spec{
		"node": nodeSpec(`exports.handler = async (e, c) => ({ name: c.functionName, version: c.functionVersion, arn: c.invokedFunctionArn,
			memory: c.memoryLimitInMB, id: c.awsRequestId, group: c.logGroupName, stream: c.logStreamName, left: c.getRemainingTimeInMillis(),
			client: c.clientContext.custom, identity: c.identity.cognitoIdentityId, env: process.env, cwd: process.cwd(), mine: process.env.MINE });`),
		"python": pythonSpec("import os\ndef handler(e, c):\n  return dict(name=c.function_name, version=c.function_version, arn=c.invoked_function_arn," +
			" memory=c.memory_limit_in_mb, id=c.aws_request_id, group=c.log_group_name, stream=c.log_stream_name, left=c.get_remaining_time_in_millis()," +
			" client=c.client_context.custom, identity=c.identity.cognito_identity_id, env=dict(os.environ), cwd=os.getcwd(), mine=os.environ['MINE'])"),
	} {
		spec.Environment = map[string]string{"MINE": "yes", "AWS_REGION": "not-mine"}
		spec.Credentials = func() Credentials { return Credentials{AccessKeyID: "AK", SecretAccessKey: "SK", SessionToken: "ST"} }
		f := acquire(t, rt, spec)
		r, err := f.Invoke(context.Background(), Invocation{Payload: []byte("{}"), RequestID: "req-7", ARN: spec.ARN + ":live", TraceID: "Root=1-2-3",
			ClientContext: "{\"custom\":\n{\"k\":\"v\"}}", Identity: `{"cognitoIdentityId":"me"}`})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Name, Version, ARN, Memory, ID, Group, Stream, Identity, Cwd, Mine string
			Left                                                               float64
			Client                                                             map[string]string
			Env                                                                map[string]string
		}
		if err := json.Unmarshal(r.Payload, &got); err != nil {
			t.Fatalf("%s: %v in %s", name, err, r.Payload)
		}
		if got.Name != "fn" || got.Version != "$LATEST" || got.ARN != spec.ARN+":live" || got.Memory != "128" || got.ID != "req-7" ||
			got.Group != "/aws/lambda/fn" || !strings.Contains(got.Stream, "/[$LATEST]") || got.Client["k"] != "v" || got.Identity != "me" ||
			got.Left < 15000 || got.Left > 20000 || got.Mine != "yes" {
			t.Errorf("%s: context %s", name, r.Payload)
		}
		for k, want := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_NAME": "fn",
			"_HANDLER": "index.handler", "AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "ST", "TZ": ":UTC",
			"AWS_EXECUTION_ENV": "AWS_Lambda_" + spec.Runtime, "AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "_X_AMZN_TRACE_ID": "Root=1-2-3",
			"LAMBDA_TASK_ROOT": got.Cwd, "FOREGATE_SECRET": "", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"} {
			if got.Env[k] != want {
				t.Errorf("%s: %s is %q, want %q", name, k, got.Env[k], want)
			}
		}
	}
}

func TestLogs(t *testing.T) {
	need(t, "node", "python3")
	for name, c := range map[string]struct {
		spec  Spec
		lines []string
	}{
		"node": {nodeSpec(`console.log('loading');
			exports.handler = async () => { console.log('one', {a: 1}); console.error('two'); process.stdout.write('three\nfour');
			require('child_process').execSync('echo five; echo six >&2', {stdio: 'inherit'}); return 1; };`),
			[]string{"\treq-1\tINFO\tone { a: 1 }", "\treq-1\tERROR\ttwo", "three", "fourfive", "six"}},
		"python": {pythonSpec("import logging, os, sys\nprint('loading')\ndef handler(e, c):\n  print('one')\n  logging.getLogger().warning('two')\n" +
			"  print('three\\nfour', end='')\n  sys.stdout.flush()\n  os.system('echo five; echo six >&2')\n  sys.stderr.write('seven')\n"),
			[]string{"one", "[WARNING]\t", "Z\treq-1\ttwo", "three", "fourfive", "six", "seven"}},
	} {
		rt, sink := newRuntime(t, Options{})
		r := invoke(t, acquire(t, rt, c.spec), "{}")
		var text []string
		for _, l := range sink.all() {
			if strings.Contains(l.Text, "loading") {
				if l.RequestID != "" || l.Function != "fn" {
					t.Errorf("%s: line at init %+v", name, l)
				}
			} else if !l.Platform {
				text = append(text, l.Text)
				if l.RequestID != "req-1" {
					t.Errorf("%s: line %+v", name, l)
				}
			}
		}
		all := strings.Join(text, "\n")
		at := 0
		for _, want := range c.lines {
			i := strings.Index(all[at:], want)
			if i < 0 {
				t.Errorf("%s: lines %q lack %q in order", name, all, want)
				break
			}
			at += i
			if !strings.Contains(r.LogTail, want) {
				t.Errorf("%s: tail %q lacks %q", name, r.LogTail, want)
			}
		}
		if !strings.HasPrefix(r.LogTail[strings.Index(r.LogTail, "REPORT"):], "REPORT RequestId: req-1\tDuration: ") ||
			!strings.Contains(r.LogTail, "\tMemory Size: 128 MB\tMax Memory Used: ") || !strings.Contains(r.LogTail, "\tInit Duration: ") {
			t.Errorf("%s: tail %q", name, r.LogTail)
		}
	}
}

func TestTrace(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{})
	spec := pythonSpec("def handler(e, c): raise ValueError('boom')")
	spec.SourcePath = "Resources.Fn"
	tr := &trace.Trace{}
	if _, err := acquire(t, rt, spec).Invoke(context.Background(), Invocation{Trace: tr}); err != nil {
		t.Fatal(err)
	}
	hop := tr.Hops()[0]
	if hop.Component != "lambda" || hop.ID != "fn" || len(hop.Steps) != 3 || hop.Steps[2] != (trace.Step{Phase: "result", Verdict: "Unhandled", Reason: "ValueError: boom"}) {
		t.Errorf("hop %+v", hop)
	}
	if len(hop.Facts) != 1 || hop.Facts[0] != (trace.Fact{Kind: trace.FunctionFailed, Name: "fn", Detail: "ValueError: boom", Path: "Resources.Fn"}) {
		t.Errorf("facts %+v", hop.Facts)
	}
}
