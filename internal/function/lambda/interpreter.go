package lambda

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/diag"
)

//go:embed bootstrap
var bootstraps embed.FS

// language is one interpreter of this machine and the process of it that is started ahead.
type language struct {
	name       string // nodejs or python
	configured string

	find  sync.Mutex
	found map[string]string // runtime identifier → path, guarded by find

	mu    sync.Mutex
	spare *process
	// starting is true while a spare is on its way.
	starting bool
}

// interpreter returns the program for a runtime identifier and remembers it.
func (l *language) interpreter(runtime string) (string, error) {
	l.find.Lock()
	defer l.find.Unlock()
	if path, ok := l.found[runtime]; ok {
		return path, nil
	}
	names := []string{"node"}
	ask := []string{"-p", "process.execPath"}
	if l.name == "python" {
		names = []string{runtime, "python3", "python"}
		ask = []string{"-c", "import sys; print(sys.executable)"}
	}
	if l.configured != "" {
		names = []string{l.configured}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if path, err = realInterpreter(path, ask); err != nil {
			continue
		}
		if l.found == nil {
			l.found = map[string]string{}
		}
		l.found[runtime] = path
		return path, nil
	}
	return "", runtimeMissing(runtime, names)
}

// realInterpreter sees through the scripts of version managers, which cost 95 ms at each start (pyenv): it asks the
// interpreter itself once.
func realInterpreter(path string, ask []string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !isShim(path) {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, ask...).Output()
	if err != nil {
		return "", fmt.Errorf("ask %q for its program: %w", path, err)
	}
	real := strings.TrimSpace(string(out))
	if info, err := os.Stat(real); err != nil || info.IsDir() {
		return "", fmt.Errorf("ask %q for its program: it answered %q", path, real)
	}
	return real, nil
}

// isShim tells whether path is a script, or a link to a program of another name, as version managers make them.
func isShim(path string) bool {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return true
	}
	base := filepath.Base(target)
	if !strings.HasPrefix(base, "node") && !strings.HasPrefix(base, "python") {
		return true
	}
	f, err := os.Open(target)
	if err != nil {
		return true
	}
	defer f.Close()
	magic := make([]byte, 2)
	n, _ := f.Read(magic)
	return n == 2 && string(magic) == "#!"
}

func runtimeMissing(runtime string, names []string) *Error {
	install := "install Node.js (https://nodejs.org) so that node is on PATH"
	if strings.HasPrefix(runtime, "python") {
		install = "install Python 3 (https://www.python.org) so that python3 is on PATH"
	}
	return &Error{
		Type: "InvalidRuntimeException", Status: 502,
		Message: fmt.Sprintf("this machine has no program for runtime %q", runtime),
		Finding: &diag.Finding{
			Code: diag.RuntimeMissing, Severity: diag.Error,
			Message: fmt.Sprintf("runtime %q needs %s, which is not on PATH", runtime, strings.Join(names, " or ")),
			Fixes:   []string{install},
		},
	}
}

func runtimeUnsupported(spec *Spec) *Error {
	return &Error{
		Type: "InvalidRuntimeException", Status: 502,
		Message: fmt.Sprintf("Foregate does not run functions of runtime %q", spec.Runtime),
		Finding: &diag.Finding{
			Code: diag.RuntimeMissing, Severity: diag.Error, Path: spec.SourcePath,
			Message: fmt.Sprintf("function %q has runtime %q; Foregate runs nodejs and python3 functions", spec.Name, spec.Runtime),
			Fixes:   []string{"run the function elsewhere and name its address as an HTTP origin or integration"},
		},
	}
}

func codeMissing(spec *Spec, text string) *Error {
	return &Error{
		Type: "InvalidParameterValueException", Status: 400, Message: text,
		Finding: &diag.Finding{
			Code: diag.TemplateCodeMissing, Severity: diag.Error, Path: spec.SourcePath, Message: text,
			Fixes: []string{"give the folder of the code with --function LOGICALID=DIR"},
		},
	}
}

// bootstrapFile writes the script that runs functions of a language into the cache and returns its path. The name holds
// the hash of the content, so that versions of Foregate may share a cache.
func (rt *Runtime) bootstrapFile(l *language) (string, error) {
	name := "node.cjs"
	if l.name == "python" {
		name = "python.py"
	}
	text, err := bootstraps.ReadFile("bootstrap/" + name)
	if err != nil {
		return "", err
	}
	dir, err := rt.cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	path := filepath.Join(dir, "bootstrap-"+hex.EncodeToString(sum[:6])+filepath.Ext(name))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := writeAtomically(path, text); err != nil {
		return "", fmt.Errorf("write bootstrap %q: %w", path, err)
	}
	return path, nil
}

func writeAtomically(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
