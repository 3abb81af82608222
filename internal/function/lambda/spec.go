package lambda

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Spec describes a function. Two specs of equal content share workers.
type Spec struct {
	Name string
	// ARN is what handlers see as the invoked function's ARN unless an Invocation says otherwise.
	ARN string
	// Version is $LATEST when empty.
	Version string
	// Runtime is AWS's identifier, such as nodejs22.x.
	Runtime     string
	Handler     string
	Code        Code
	Environment map[string]string
	// Timeout is 3 seconds when zero, and MemoryMB 128, as in AWS's CreateFunction.
	Timeout  time.Duration
	MemoryMB int
	// ReservedConcurrency limits simultaneous invocations when it is set; zero refuses all of them.
	ReservedConcurrency *int
	Region, Account     string
	// Role is the execution role's ARN. It stands for Credentials where specs are compared.
	Role string
	// Credentials returns the keys for the function's environment when a worker starts. Nil gives it none.
	Credentials func() Credentials `json:"-"`
	// SourcePath is the function's place in the template, for explanations.
	SourcePath string
}

// Credentials are what a function signs its own requests with.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expires is when a worker with these credentials is replaced by one with fresh ones; zero is never.
	Expires time.Time
}

// Code is where a function's code comes from: exactly one of Zip, Dir and Inline.
type Code struct {
	// Zip is a deployment package.
	Zip []byte
	// SHA256 is the base64 hash of Zip as the Lambda API gives it; it is computed when empty.
	SHA256 string
	// Dir is a folder whose code runs in place.
	Dir string
	// Revision tells apart states of the same Dir; see DirRevision.
	Revision string
	// Inline is the text of a template's ZipFile property. CloudFormation writes it to index.js, a CommonJS module, or
	// to index.py, and adds its response module (AWS::Lambda::Function Code, ZipFile).
	Inline string
}

func (s *Spec) normalise() {
	if s.Version == "" {
		s.Version = "$LATEST"
	}
	setDefault(&s.Timeout, 3*time.Second)
	setDefault(&s.MemoryMB, 128)
	if s.Code.Zip != nil && s.Code.SHA256 == "" {
		sum := sha256.Sum256(s.Code.Zip)
		s.Code.SHA256 = base64.StdEncoding.EncodeToString(sum[:])
	}
}

func (s *Spec) validate() error {
	kinds := 0
	for _, has := range []bool{s.Code.Zip != nil, s.Code.Dir != "", s.Code.Inline != ""} {
		if has {
			kinds++
		}
	}
	switch {
	case s.Name == "":
		return &Error{Type: "InvalidParameterValueException", Status: 400, Message: "function has no name"}
	case kinds != 1:
		return codeMissing(s, "function "+s.Name+" needs code: exactly one of a zip, a folder or inline text")
	case s.Code.Zip != nil:
		return checkZip(s.Code.Zip)
	}
	return nil
}

// hash identifies the content of a spec.
func (s *Spec) hash() string {
	h := sha256.New()
	writeStrings(h, s.Name, s.ARN, s.Version, s.Runtime, s.Handler, s.Region, s.Account, s.Role, s.SourcePath)
	writeStrings(h, s.Code.SHA256, s.Code.Dir, s.Code.Revision, s.Code.Inline)
	for _, k := range slices.Sorted(maps.Keys(s.Environment)) {
		writeStrings(h, k, s.Environment[k])
	}
	reserved := int64(-1)
	if s.ReservedConcurrency != nil {
		reserved = int64(*s.ReservedConcurrency)
	}
	for _, n := range []int64{int64(s.Timeout), int64(s.MemoryMB), reserved} {
		_ = binary.Write(h, binary.BigEndian, n)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeStrings hashes strings with their lengths, so that no two lists of strings look the same.
func writeStrings(h hash.Hash, values ...string) {
	for _, v := range values {
		_ = binary.Write(h, binary.BigEndian, uint64(len(v)))
		h.Write([]byte(v))
	}
}

// DirRevision returns a value that changes when a file in dir changes, for Code.Revision: it looks at names, sizes and
// times, not at contents.
func DirRevision(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "__pycache__" || d.Name() == ".git") {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		writeStrings(h, path, info.Mode().String())
		if !d.IsDir() {
			_ = binary.Write(h, binary.BigEndian, []int64{info.Size(), info.ModTime().UnixNano()})
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// family is what a runtime identifier is run by.
func (s *Spec) family() string {
	switch {
	case strings.HasPrefix(s.Runtime, "nodejs"):
		return "nodejs"
	case strings.HasPrefix(s.Runtime, "python3"):
		return "python"
	}
	return ""
}
