package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// baseEnvironment is what every process of a language gets: PATH and the locale of this machine, and the modules that are
// installed beside the interpreter, which stand for those that Lambda's images bring along.
func baseEnvironment(l *language, program string) []string {
	return environmentList(baseVariables(l, program))
}

func baseVariables(l *language, program string) map[string]string {
	vars := map[string]string{"LANG": "C.UTF-8", "PATH": os.Getenv("PATH"), "TZ": ":UTC"}
	for _, name := range []string{"LANG", "LC_ALL", "LC_CTYPE"} {
		if v := os.Getenv(name); v != "" {
			vars[name] = v
		}
	}
	if l.name == "nodejs" {
		if real, err := filepath.EvalSymlinks(program); err == nil {
			modules := filepath.Join(filepath.Dir(filepath.Dir(real)), "lib", "node_modules")
			if info, err := os.Stat(modules); err == nil && info.IsDir() {
				vars["NODE_PATH"] = modules
			}
		}
	}
	return vars
}

// environment returns a function's variables (Lambda developer guide, "Defined runtime environment variables").
func (p *pool) environment(program, root, scratch string, keys Credentials) map[string]string {
	spec := &p.spec
	vars := baseVariables(p.lang, program)
	vars["AWS_XRAY_CONTEXT_MISSING"] = "LOG_ERROR"
	vars["AWS_XRAY_DAEMON_ADDRESS"] = "127.0.0.1:2000"
	vars["TMPDIR"], vars["HOME"] = scratch, scratch
	maps.Copy(vars, p.rt.opts.Environment)
	maps.Copy(vars, spec.Environment)
	maps.Copy(vars, map[string]string{
		"_HANDLER":                        spec.Handler,
		"AWS_REGION":                      spec.Region,
		"AWS_DEFAULT_REGION":              spec.Region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_" + spec.Runtime,
		"AWS_LAMBDA_FUNCTION_NAME":        spec.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     spec.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(spec.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + spec.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      logStream(p.rt.opts.Now(), spec.Version),
		"LAMBDA_TASK_ROOT":                root,
	})
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":     keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": keys.SecretAccessKey,
		"AWS_SESSION_TOKEN":     keys.SessionToken,
	} {
		if delete(vars, name); value != "" {
			vars[name] = value
		}
	}
	return vars
}

// logStream names a worker's log stream as Lambda does: date, version, 32 random digits.
func logStream(now time.Time, version string) string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return now.UTC().Format("2006/01/02/") + "[" + version + "]" + hex.EncodeToString(id[:])
}

func environmentList(vars map[string]string) []string {
	list := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		list = append(list, name+"="+vars[name])
	}
	return list
}

// needsOwnStart tells whether a variable is read only when a process starts, so that a spare one will not do.
func needsOwnStart(vars map[string]string) bool {
	for name := range vars {
		if name == "NODE_PATH" {
			continue
		}
		for _, prefix := range []string{"NODE_", "PYTHON", "LD_", "MALLOC_", "UV_", "OPENSSL_"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

// newRequestID returns a random UUID, the form of Lambda's request ids.
func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
