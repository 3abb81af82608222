package bucket

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Folder keeps objects as files under a directory: the key is the path. Nothing outside the directory can be reached, by
// ".." or by a symbolic link (os.Root). A key that is no clean path (empty or dot segments, a slash at the end) does not
// exist and cannot be put. Make one with NewFolder; Close it when its plan is gone.
//
// Attributes of objects that were put live in memory, as long as the file is not changed from outside; otherwise the
// content type comes from the file name.
type Folder struct {
	root *os.Root
	mu   sync.Mutex
	seen map[string]known
}

// known is what is remembered of a file, good while size and time stay.
type known struct {
	size  int64
	mod   time.Time
	etag  string
	attrs Attributes
}

// maxKnown bounds the memory of a Folder; beyond it everything is forgotten and computed again.
const maxKnown = 1 << 16

// uploadPrefix begins the names of files that are being written. They are no objects.
const uploadPrefix = ".foregate-upload-"

// NewFolder opens dir.
func NewFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open bucket folder %q: %w", dir, err)
	}
	return &Folder{root: root, seen: map[string]known{}}, nil
}

// Close lets go of the directory.
func (f *Folder) Close() error { return f.root.Close() }

// file returns the path of a key.
func file(key string) (string, bool) {
	ok := key != "." && fs.ValidPath(key) && !strings.ContainsAny(key, "\\\x00") && !strings.HasPrefix(path.Base(key), uploadPrefix)
	return key, ok
}

// Head returns what is known of an object.
func (f *Folder) Head(ctx context.Context, key string) (Info, error) {
	o, err := f.Get(ctx, key)
	if err != nil {
		return Info{}, err
	}
	return o.Info, o.Content.Close()
}

// Get opens an object.
func (f *Folder) Get(_ context.Context, key string) (*Object, error) {
	name, ok := file(key)
	if !ok {
		return nil, ErrNotFound
	}
	// Asked before opening, because opening a pipe would wait for a writer.
	if st, err := f.root.Stat(name); err != nil || !st.Mode().IsRegular() {
		return nil, notFoundOr(key, err)
	}
	h, err := f.root.Open(name)
	if err != nil {
		return nil, notFoundOr(key, err)
	}
	info, err := f.describe(key, h)
	if err != nil {
		h.Close()
		return nil, err
	}
	return &Object{Info: info, Content: h}, nil
}

// notFoundOr makes ErrNotFound of everything that means that there is no such file in the folder: a missing file, a file
// where a directory should be, a name that is too long, a link that leads out.
func notFoundOr(key string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open object %q: %w", key, err)
	}
	return ErrNotFound
}

func (f *Folder) describe(key string, h *os.File) (Info, error) {
	st, err := h.Stat()
	if err != nil {
		return Info{}, fmt.Errorf("stat object %q: %w", key, err)
	}
	if !st.Mode().IsRegular() {
		return Info{}, ErrNotFound
	}
	f.mu.Lock()
	k, ok := f.seen[key]
	f.mu.Unlock()
	if !ok || k.size != st.Size() || !k.mod.Equal(st.ModTime()) {
		sum := md5.New()
		if _, err := io.Copy(sum, io.NewSectionReader(h, 0, st.Size())); err != nil {
			return Info{}, fmt.Errorf("hash object %q: %w", key, err)
		}
		k = known{st.Size(), st.ModTime(), `"` + hex.EncodeToString(sum.Sum(nil)) + `"`, Attributes{ContentType: contentType(key)}}
		f.remember(key, k)
	}
	return Info{Attributes: k.attrs, Size: k.size, ModTime: k.mod.UTC().Truncate(time.Second), ETag: k.etag}, nil
}

func (f *Folder) remember(key string, k known) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen) >= maxKnown {
		clear(f.seen)
	}
	f.seen[key] = k
}

// List yields keys in order. A folder's own order is by name, which is not the order of whole keys ("a-b" is before
// "a/b"), so the names below the prefix are read and sorted first.
func (f *Folder) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := f.names(ctx, prefix, after)
		if err != nil {
			yield("", err)
			return
		}
		for _, k := range keys {
			if !yield(k, nil) {
				return
			}
		}
	}
}

func (f *Folder) names(ctx context.Context, prefix, after string) ([]string, error) {
	start := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		name, ok := file(prefix[:i])
		if !ok {
			return nil, nil
		}
		start = name
	}
	var keys []string
	err := fs.WalkDir(f.root.FS(), start, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == start || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, ok := file(p); !ok || d.IsDir() || !strings.HasPrefix(p, prefix) || p <= after {
			return nil
		}
		if !d.Type().IsRegular() {
			// A link counts when it leads to a file inside.
			if st, err := f.root.Stat(p); err != nil || !st.Mode().IsRegular() {
				return nil
			}
		}
		keys = append(keys, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list folder: %w", err)
	}
	slices.Sort(keys)
	return keys, nil
}

// Put writes a new file and moves it into place.
func (f *Folder) Put(_ context.Context, key string, body io.Reader, a Attributes) (Info, error) {
	name, ok := file(key)
	if !ok {
		return Info{}, fmt.Errorf("put object %q: %w", key, ErrBadKey)
	}
	dir := path.Dir(name)
	if err := f.root.MkdirAll(dir, 0o755); err != nil {
		return Info{}, fmt.Errorf("put object %q: %w: %w", key, ErrBadKey, err)
	}
	tmp := path.Join(dir, uploadPrefix+strconv.FormatUint(rand.Uint64(), 36))
	etag, err := f.write(tmp, body)
	if err == nil {
		err = f.root.Rename(tmp, name)
	}
	if err != nil {
		f.root.Remove(tmp)
		return Info{}, fmt.Errorf("put object %q: %w", key, err)
	}
	st, err := f.root.Stat(name)
	if err != nil {
		return Info{}, fmt.Errorf("put object %q: %w", key, err)
	}
	if a.ContentType == "" {
		a.ContentType = defaultContentType
	}
	f.remember(key, known{st.Size(), st.ModTime(), etag, a})
	return Info{Attributes: a, Size: st.Size(), ModTime: st.ModTime().UTC().Truncate(time.Second), ETag: etag}, nil
}

func (f *Folder) write(name string, body io.Reader) (etag string, err error) {
	h, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	sum := md5.New()
	_, err = io.Copy(io.MultiWriter(h, sum), body)
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)) + `"`, err
}

// Delete removes a file. Empty directories stay; they are no objects.
func (f *Folder) Delete(_ context.Context, key string) error {
	name, ok := file(key)
	if !ok {
		return nil
	}
	if st, err := f.root.Lstat(name); err != nil || st.IsDir() {
		return nil
	}
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete object %q: %w", key, err)
	}
	return nil
}

// contentTypes are the types that the AWS CLI gives files when it uploads them, so that a folder serves like the bucket
// that it stands for. The system's own tables are left out: they differ between machines.
var contentTypes = map[string]string{
	".html": "text/html", ".htm": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
	".json": "application/json", ".map": "application/json", ".xml": "application/xml", ".txt": "text/plain", ".csv": "text/csv",
	".md": "text/markdown", ".ico": "image/vnd.microsoft.icon", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".gif": "image/gif", ".svg": "image/svg+xml", ".webp": "image/webp", ".avif": "image/avif", ".bmp": "image/bmp",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".eot": "application/vnd.ms-fontobject",
	".wasm": "application/wasm", ".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip", ".tar": "application/x-tar",
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".webmanifest": "application/manifest+json", ".yaml": "application/yaml",
	".yml": "application/yaml",
}

func contentType(key string) string {
	if t, ok := contentTypes[strings.ToLower(path.Ext(key))]; ok {
		return t
	}
	return defaultContentType
}
