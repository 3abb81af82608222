package lambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

const (
	// maxUnzipped is the quota for a deployment package, unzipped (Lambda quotas: 250 MB).
	maxUnzipped = 262144000
	// maxFiles bounds the files of a package; AWS names no such limit.
	maxFiles = 100000
)

// code is unpacked code that pools share.
type code struct {
	refs int // guarded by Runtime.mu

	mu  sync.Mutex
	dir string
}

// codeDir returns the folder with the pool's code, unpacking it first when need be.
func (p *pool) codeDir() (string, error) {
	spec := &p.spec
	if spec.Code.Dir != "" {
		dir, err := filepath.Abs(spec.Code.Dir)
		if err == nil {
			var info os.FileInfo
			if info, err = os.Stat(dir); err == nil && !info.IsDir() {
				err = errors.New("it is no folder")
			}
		}
		if err != nil {
			return "", codeMissing(spec, fmt.Sprintf("open code of function %q: %v", spec.Name, err))
		}
		return dir, nil
	}
	cache, err := p.rt.cacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if spec.Code.Zip != nil {
		writeStrings(h, "zip", spec.Code.SHA256)
	} else {
		writeStrings(h, "inline", spec.family(), spec.Code.Inline)
	}
	key := hex.EncodeToString(h.Sum(nil)[:16])
	c := p.holdCode(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := filepath.Join(cache, "code-"+key)
	if c.dir == "" {
		if _, err := os.Stat(dir); err != nil {
			if err := unpack(dir, spec); err != nil {
				return "", err
			}
		}
		c.dir = dir
	}
	return c.dir, nil
}

// holdCode makes the pool one of the users of a code folder.
func (p *pool) holdCode(key string) *code {
	p.rt.mu.Lock()
	defer p.rt.mu.Unlock()
	c := p.rt.codes[key]
	if c == nil {
		c = &code{}
		p.rt.codes[key] = c
	}
	if p.codeKey == "" {
		p.codeKey = key
		c.refs++
	}
	return c
}

// dropCode removes the pool's code when no other pool uses it. It runs when the last worker is gone.
func (p *pool) dropCode() {
	if trash := p.retireCode(); trash != "" {
		_ = os.RemoveAll(trash)
	}
}

func (p *pool) retireCode() string {
	p.rt.mu.Lock()
	defer p.rt.mu.Unlock()
	c := p.rt.codes[p.codeKey]
	if c == nil {
		return ""
	}
	p.codeKey = ""
	if c.refs--; c.refs > 0 {
		return ""
	}
	for key, other := range p.rt.codes {
		if other == c {
			delete(p.rt.codes, key)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" {
		return ""
	}
	// Renamed first: a folder under its own name is always complete.
	trash := filepath.Join(filepath.Dir(c.dir), ".trash-"+newRequestID())
	if os.Rename(c.dir, trash) != nil {
		return ""
	}
	return trash
}

// unpack fills dir, which appears under its name only when it is complete.
func unpack(dir string, spec *Spec) error {
	temp, err := os.MkdirTemp(filepath.Dir(dir), ".unpack-*")
	if err != nil {
		return fmt.Errorf("unpack function %q: %w", spec.Name, err)
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("unpack function %q: %w", spec.Name, err)
	}
	if spec.Code.Zip != nil {
		err = unzip(temp, spec.Code.Zip)
	} else {
		err = writeInline(temp, spec)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			return nil
		}
		return fmt.Errorf("unpack function %q: %w", spec.Name, err)
	}
	return nil
}

// writeInline lays out a template's ZipFile text as CloudFormation does: a file named index, and beside it the module for
// custom resources' answers (AWS::Lambda::Function Code, ZipFile).
func writeInline(dir string, spec *Spec) error {
	files := map[string]string{"index.js": "", "node_modules/cfn-response/index.js": "bootstrap/cfn-response.js"}
	if spec.family() == "python" {
		files = map[string]string{"index.py": "", "cfnresponse.py": "bootstrap/cfnresponse.py"}
	}
	for name, source := range files {
		text := []byte(spec.Code.Inline)
		if source != "" {
			var err error
			if text, err = bootstraps.ReadFile(source); err != nil {
				return err
			}
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write code of function %q: %w", spec.Name, err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("write code of function %q: %w", spec.Name, err)
		}
	}
	return nil
}

func badZip(format string, args ...any) *Error {
	return &Error{Type: "InvalidParameterValueException", Status: 400, Message: fmt.Sprintf(format, args...)}
}

// notUnzippable is what CreateFunction answers for bytes that are no zip archive.
const notUnzippable = "Could not unzip uploaded file. Please check your file, then try to upload again."

// checkZip checks an archive's directory without unpacking anything.
func checkZip(data []byte) error {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return badZip("%s", notUnzippable)
	}
	if len(r.File) > maxFiles {
		return badZip("deployment package has %d files, more than %d", len(r.File), maxFiles)
	}
	var total uint64
	for _, f := range r.File {
		if _, err := memberName(f); err != nil {
			return err
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > maxUnzipped || total > maxUnzipped {
			return badZip("Unzipped size must be smaller than %d bytes", maxUnzipped)
		}
	}
	return nil
}

// memberName returns the name of an archive's member as a path below the root, empty for the root itself.
func memberName(f *zip.File) (string, error) {
	name := strings.TrimSuffix(f.Name, "/")
	for strings.HasPrefix(name, "./") {
		name = strings.TrimPrefix(name, "./")
	}
	if name == "" || name == "." {
		return "", nil
	}
	if strings.ContainsAny(name, "\\\x00") || !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", badZip("deployment package has a file with the name %q, which is not below its root", f.Name)
	}
	return name, nil
}

// unzip unpacks an archive. All goes through an os.Root, which lets nothing out of dir, and symbolic links come last and
// must lead to something in dir.
func unzip(dir string, data []byte) error {
	if err := checkZip(data); err != nil {
		return err
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return badZip("%s", notUnzippable)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open code folder: %w", err)
	}
	defer root.Close()
	left := int64(maxUnzipped)
	var links []*zip.File
	for _, f := range r.File {
		name, err := memberName(f)
		switch {
		case err != nil:
			return err
		case name == "":
		case f.FileInfo().IsDir() || strings.HasSuffix(f.Name, "/"):
			if err := root.MkdirAll(name, 0o755); err != nil {
				return badZip("unpack %q: %v", f.Name, err)
			}
		case f.Mode()&fs.ModeSymlink != 0:
			links = append(links, f)
		case f.Mode().IsRegular():
			if left, err = unzipFile(root, name, f, left); err != nil {
				return err
			}
		default:
			return badZip("deployment package has %q, which is neither a file nor a folder nor a link", f.Name)
		}
	}
	for _, f := range links {
		if err := unzipLink(root, f); err != nil {
			return err
		}
	}
	return checkLinks(root, links)
}

func unzipFile(root *os.Root, name string, f *zip.File, left int64) (int64, error) {
	in, err := f.Open()
	if err != nil {
		return 0, badZip("%s", notUnzippable)
	}
	defer in.Close()
	if err := makeParent(root, name); err != nil {
		return 0, badZip("unpack %q: %v", f.Name, err)
	}
	mode := fs.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		mode = 0o755
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return 0, badZip("unpack %q: %v", f.Name, err)
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if closeErr := out.Close(); err == nil && closeErr != nil {
		return 0, fmt.Errorf("unpack %q: %w", f.Name, closeErr)
	}
	switch {
	case errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF):
		return 0, badZip("%s", notUnzippable)
	case err != nil:
		return 0, fmt.Errorf("unpack %q: %w", f.Name, err)
	case n > left:
		return 0, badZip("Unzipped size must be smaller than %d bytes", maxUnzipped)
	}
	return left - n, nil
}

func makeParent(root *os.Root, name string) error {
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		return root.MkdirAll(name[:i], 0o755)
	}
	return nil
}

func unzipLink(root *os.Root, f *zip.File) error {
	name, err := memberName(f)
	if err != nil || name == "" {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return badZip("%s", notUnzippable)
	}
	defer in.Close()
	target, err := io.ReadAll(io.LimitReader(in, 4096))
	if err != nil {
		return badZip("%s", notUnzippable)
	}
	if err := makeParent(root, name); err != nil {
		return badZip("unpack %q: %v", f.Name, err)
	}
	if err := root.Symlink(string(target), name); err != nil {
		return badZip("unpack %q: %v", f.Name, err)
	}
	return nil
}

// checkLinks refuses links that lead out, now that all are there. One that leads to nothing is judged by its text.
func checkLinks(root *os.Root, links []*zip.File) error {
	for _, f := range links {
		name, err := memberName(f)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		target, err := root.Readlink(name)
		if err != nil {
			return badZip("unpack %q: %v", f.Name, err)
		}
		_, err = root.Stat(name)
		if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(target) &&
			filepath.IsLocal(filepath.Join(filepath.Dir(filepath.FromSlash(name)), target)) {
			err = nil
		}
		if err != nil {
			return badZip("deployment package has the link %q to %q, which leads out of it", f.Name, target)
		}
	}
	return nil
}
