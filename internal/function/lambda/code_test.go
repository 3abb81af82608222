package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// member is one entry of a test archive; a link has its target as text.
type member struct {
	name, text string
	mode       fs.FileMode
}

func makeZip(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if m.mode == 0 {
			m.mode = 0o644
		}
		h.SetMode(m.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const link = fs.ModeSymlink | 0o777

func TestUnzip(t *testing.T) {
	for name, c := range map[string]struct {
		members []member
		files   map[string]string
		err     string
	}{
		"files": {members: []member{{name: "a.js", text: "1"}, {name: "d/", mode: fs.ModeDir | 0o755}, {name: "d/e/b.sh", text: "2", mode: 0o755}, {name: "./c", text: "3"}},
			files: map[string]string{"a.js": "1", "d/e/b.sh": "2", "c": "3"}},
		"links within":    {members: []member{{name: "x/l", text: "../a", mode: link}, {name: "a", text: "1"}}, files: map[string]string{"x/l": "1"}},
		"link to nothing": {members: []member{{name: "l", text: "none", mode: link}}},
		"parent":          {members: []member{{name: "../a", text: "1"}}, err: "not below its root"},
		"inner parent":    {members: []member{{name: "a/../../b", text: "1"}}, err: "not below its root"},
		"absolute":        {members: []member{{name: "/etc/x", text: "1"}}, err: "not below its root"},
		"backslash":       {members: []member{{name: `..\a`, text: "1"}}, err: "not below its root"},
		"link out":        {members: []member{{name: "l", text: "../../etc/passwd", mode: link}}, err: "leads out"},
		"absolute link":   {members: []member{{name: "l", text: "/etc/passwd", mode: link}}, err: "leads out"},
		"chained links":   {members: []member{{name: "a", text: "b/..", mode: link}, {name: "b", text: "..", mode: link}}, err: "leads out"},
		"through a link":  {members: []member{{name: "l", text: "..", mode: link}, {name: "l/x", text: "1"}}, err: "unpack"},
		"device":          {members: []member{{name: "d", mode: fs.ModeDevice | 0o644}}, err: "neither a file"},
		"too large": {members: []member{{name: "a", text: strings.Repeat("0", maxUnzipped/2)}, {name: "b", text: strings.Repeat("0", maxUnzipped/2+1)}},
			err: "Unzipped size must be smaller than 262144000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "too large" && testing.Short() {
				t.Skip("writes 250 MB")
			}
			outer := t.TempDir()
			dir := filepath.Join(outer, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			err := unzip(dir, makeZip(t, c.members...))
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Status != 400) {
				t.Errorf("error %v is none of the API", err)
			}
			for path, want := range c.files {
				if got, err := os.ReadFile(filepath.Join(dir, path)); string(got) != want {
					t.Errorf("%s has %q, %v", path, got, err)
				}
			}
			if entries, _ := os.ReadDir(outer); len(entries) != 1 {
				t.Errorf("something was written outside: %v", entries)
			}
		})
	}
	if info, err := os.Stat("code_test.go"); err != nil || info.IsDir() {
		t.Error("the package's own folder has changed")
	}
}

// TestUnzipBelievesNoHeader gives a member a size in the directory that is smaller than its content.
func TestUnzipBelievesNoHeader(t *testing.T) {
	data := makeZip(t, member{name: "a", text: strings.Repeat("0", 100000)})
	at := bytes.Index(data, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(data[at+24:], 10)
	if err := unzip(t.TempDir(), data); err == nil {
		t.Error("a false size was accepted")
	}
}

func TestAcquireChecksZip(t *testing.T) {
	rt, _ := newRuntime(t, Options{NoSpares: true})
	spec := nodeSpec("")
	spec.Code = Code{Zip: []byte("no zip")}
	var e *Error
	if _, err := rt.Acquire(spec); !errors.As(err, &e) || e.Message != notUnzippable {
		t.Errorf("got %v", err)
	}
}

func FuzzUnzip(f *testing.F) {
	f.Add(makeZip(f, member{name: "a.js", text: "1"}, member{name: "d/l", text: "../a.js", mode: link}))
	f.Add(makeZip(f, member{name: "../a", text: "1"}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = unzip(dir, data)
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Errorf("something was written outside: %v", entries)
		}
	})
}

func TestModuleForms(t *testing.T) {
	need(t, "node", "python3")
	rt, _ := newRuntime(t, Options{})
	for name, c := range map[string]struct {
		handler string
		members []member
		want    string
	}{
		"module by name":    {"index.handler", []member{{name: "index.mjs", text: `export const handler = async () => 'mjs';`}}, `"mjs"`},
		"module by package": {"index.handler", []member{{name: "index.js", text: `export const handler = async () => import.meta.url.slice(-8);`}, {name: "package.json", text: `{"type":"module"}`}}, `"index.js"`},
		"cjs":               {"index.handler", []member{{name: "index.cjs", text: `exports.handler = async () => 'cjs';`}, {name: "package.json", text: `{"type":"module"}`}}, `"cjs"`},
		"nested path":       {"src/app.handler", []member{{name: "src/app.js", text: `const u = require('./u'); exports.handler = async () => u;`}, {name: "src/u.js", text: `module.exports = 'u';`}}, `"u"`},
		"dependency":        {"index.handler", []member{{name: "index.js", text: `exports.handler = async () => require('dep');`}, {name: "node_modules/dep/index.js", text: `module.exports = 'dep';`}}, `"dep"`},
		"top-level await":   {"index.handler", []member{{name: "index.mjs", text: `const v = await Promise.resolve('tla'); export const handler = async () => v;`}}, `"tla"`},
		"default export":    {"index.default.handler", []member{{name: "index.mjs", text: `export default { handler: async () => 'd' };`}}, `"d"`},
	} {
		spec := nodeSpec("")
		spec.Handler, spec.Code = c.handler, Code{Zip: makeZip(t, c.members...)}
		if r := invoke(t, acquire(t, rt, spec), "{}"); string(r.Payload) != c.want {
			t.Errorf("%s: %s", name, r.Payload)
		}
	}
	spec := pythonSpec("")
	spec.Handler, spec.Code = "src/app.run", Code{Zip: makeZip(t, member{name: "src/app.py", text: "import helper\ndef run(e, c): return helper.x"}, member{name: "helper.py", text: "x = 'h'"})}
	if r := invoke(t, acquire(t, rt, spec), "{}"); string(r.Payload) != `"h"` {
		t.Errorf("python: %s", r.Payload)
	}
}

func TestDirRunsInPlace(t *testing.T) {
	need(t, "python3")
	rt, _ := newRuntime(t, Options{NoSpares: true})
	dir := t.TempDir()
	file := filepath.Join(dir, "index.py")
	write := func(text string) string {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		revision, err := DirRevision(dir)
		if err != nil {
			t.Fatal(err)
		}
		return revision
	}
	spec := pythonSpec("")
	spec.Code = Code{Dir: dir, Revision: write("import other\ndef handler(e, c): return [1, __file__]\n")}
	if err := os.WriteFile(filepath.Join(dir, "other.py"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	first := acquire(t, rt, spec)
	if r := invoke(t, first, "{}"); string(r.Payload) != `[1, "`+file+`"]` {
		t.Errorf("got %s", r.Payload)
	}
	revision := write("def handler(e, c): return 'second'\n")
	if revision == spec.Code.Revision {
		t.Error("revision does not change with the file")
	}
	spec.Code.Revision = revision
	second := acquire(t, rt, spec)
	first.Release()
	if r := invoke(t, second, "{}"); string(r.Payload) != `"second"` {
		t.Errorf("got %s", r.Payload)
	}
	// An edit of the same length in the same second is seen too. The times are set, since Python looks at their seconds.
	for _, text := range []string{"one", "two"} {
		write("def handler(e, c): return '" + text + "'\n")
		at := time.Unix(1700000000, int64(text[0]))
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		var err error
		if spec.Code.Revision, err = DirRevision(dir); err != nil {
			t.Fatal(err)
		}
		if r := invoke(t, acquire(t, rt, spec), "{}"); string(r.Payload) != `"`+text+`"` {
			t.Errorf("edited to %s: got %s", text, r.Payload)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("the folder has got more files: %v", entries)
	}
}

func TestVariablesReadAtStart(t *testing.T) {
	need(t, "node", "python3")
	rt, _ := newRuntime(t, Options{})
	spec := nodeSpec(`exports.handler = async () => { try { throw new Error('x') } catch (e) { return e.stack.split('\n').length } };`)
	spec.Environment = map[string]string{"NODE_OPTIONS": "--stack-trace-limit=0"}
	if r := invoke(t, acquire(t, rt, spec), "{}"); string(r.Payload) != "1" {
		t.Errorf("node: %s", r.Payload)
	}
	spec = pythonSpec("import sys\ndef handler(e, c): return '/some/where' in sys.path")
	spec.Environment = map[string]string{"PYTHONPATH": "/some/where"}
	if r := invoke(t, acquire(t, rt, spec), "{}"); string(r.Payload) != "true" {
		t.Errorf("python: %s", r.Payload)
	}
}

func TestReloadUnderTraffic(t *testing.T) {
	need(t, "node")
	rt, _ := newRuntime(t, Options{})
	spec := nodeSpec(`exports.handler = async () => 1;`)
	last := acquire(t, rt, spec)
	for i := range 30 {
		next := spec
		next.Environment = map[string]string{"N": strings.Repeat("i", i)}
		f := acquire(t, rt, next)
		if r, err := f.Invoke(context.Background(), Invocation{}); err != nil || string(r.Payload) != "1" {
			t.Fatalf("%s %v", r.Payload, err)
		}
		last.Release()
		last = f
	}
	eventually(t, func() string {
		if s := rt.Stats(); s.Functions != 1 || s.Processes > 2 {
			return "functions are left over"
		}
		return ""
	})
}

// trickle gives its bytes in pieces, with an error between them.
type trickle struct {
	data []byte
	step int
	odd  bool
}

var errAgain = errors.New("again")

func (r *trickle) Read(b []byte) (int, error) {
	if r.odd = !r.odd; r.odd {
		return 0, errAgain
	}
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.data[:min(len(r.data), r.step)])
	r.data = r.data[n:]
	return n, nil
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x07O\x00\x00\x00\x01{}"), uint8(1))
	f.Add([]byte("\x00\x00\x00\x05X\x00\x00\x00\x01"), uint8(4))
	f.Add([]byte("\xff\xff\xff\xffO\x00\x00\x00\x01"), uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		whole, parts := answer{}, answer{}
		errWhole := whole.read(bytes.NewReader(data))
		r := &trickle{data: data, step: int(step) + 1}
		err := errAgain
		for err == errAgain {
			err = parts.read(r)
		}
		if errWhole == nil && err == nil && (whole.kind != parts.kind || whole.seq != parts.seq || !bytes.Equal(whole.payload, parts.payload)) {
			t.Errorf("frame differs when it comes in pieces: %q and %q", whole.payload, parts.payload)
		}
		if len(parts.payload) > maxResponse {
			t.Errorf("payload of %d bytes", len(parts.payload))
		}
	})
}

func TestMetaFieldsCannotBreakFrames(t *testing.T) {
	b, err := appendRequestHead(nil, 7, &Invocation{RequestID: "a\nb", ARN: "arn", ClientContext: "{\n}", Payload: []byte("xyz")}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b[requestHead:]); got != "a b\n5\n\narn\n{ }\n" {
		t.Errorf("meta %q", got)
	}
	if n := binary.BigEndian.Uint32(b); int(n) != len(b)-4+3 {
		t.Errorf("length %d of %d", n, len(b))
	}
	if _, err := appendRequestHead(nil, 7, &Invocation{ClientContext: strings.Repeat("x", 70000)}, 5); err == nil {
		t.Error("a client context of 70000 bytes was accepted")
	}
}

func TestLogLines(t *testing.T) {
	sink := &logSink{}
	l := &logPipe{sink: sink.add, now: time.Now}
	for _, part := range []string{"a", "b\n\nc", "\n", strings.Repeat("x", maxLine-1), "yz\nend"} {
		l.take([]byte(part))
	}
	var got []string
	for _, line := range sink.all() {
		got = append(got, line.Text)
	}
	want := []string{"ab", "", "c", strings.Repeat("x", maxLine-1) + "y", "z"}
	if !equal(got, want) || string(l.line) != "end" {
		t.Errorf("lines %.200q, rest %q", got, l.line)
	}
}
