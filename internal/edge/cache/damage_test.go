package cache

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fileWriter takes files itself, as a connection does.
type fileWriter struct{ bytes.Buffer }

func (w *fileWriter) ReadFrom(r io.Reader) (int64, error) { return w.Buffer.ReadFrom(r) }

// Whatever is done to the file of a body, no byte that is not the right one in its place leaves, what is known to be damaged
// before anything was sent is a miss, and then the object is gone.
func FuzzDamagedBody(f *testing.F) {
	const size, ahead = 5*blockSize + 100, 2
	f.Add(int64(0), byte(1), int64(0), int64(size), int64(0), true, false)
	f.Add(int64(4*blockSize), byte(1), int64(0), int64(size), int64(0), true, true)
	f.Add(int64(4*blockSize), byte(0), int64(3*blockSize+5), int64(size), int64(100_000), false, true)
	f.Add(int64(size+3), byte(0x80), int64(7), int64(8), int64(0), true, false)
	f.Add(int64(0), byte(0), int64(7), int64(80_000), int64(1), true, true)
	body := noise(11, size)
	f.Fuzz(func(t *testing.T, at int64, flip byte, off, end, cut int64, restart, sendfile bool) {
		total := fileSize(size)
		if at < 0 || at >= total || off < 0 || off >= end || end > size || cut < 0 || cut >= total {
			return
		}
		dir := t.TempDir()
		c := openTest(t, dir, 10<<20)
		fill(t, c, "k", testObject("/a"), body, size)
		if restart {
			c.Close()
		}
		files, _ := filepath.Glob(filepath.Join(dir, "body", "*"))
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= flip
		damaged := flip != 0 && at < total-cut || cut > 0
		if err := os.WriteFile(files[0], b[:total-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Chtimes(files[0], time.Time{}, time.Unix(99, 0))
		if restart {
			c = openTest(t, dir, 10<<20)
		}
		defer c.Close()
		c.disk.ahead = ahead
		o := c.Lookup([]byte("k"))
		if o == nil {
			t.Fatal("the entry is as it was")
		}
		s, err := o.File.Open(off, end-off)
		early := cut > 0 || flip != 0 && (at >= size || at >= off/blockSize*blockSize && at < min((off/blockSize+ahead)*blockSize, blocks(end)*blockSize))
		if (err != nil) != early {
			t.Fatalf("open: %v, damage known before: %v", err, early)
		}
		if err == nil {
			var w fileWriter
			if sendfile {
				_, err = s.WriteTo(&w)
			} else {
				_, err = io.Copy(&w.Buffer, io.MultiReader(s)) // Read alone
			}
			s.Close()
			got := w.Bytes()
			if !bytes.HasPrefix(body[off:end], got) || err == nil && int64(len(got)) != end-off {
				t.Fatalf("%d of %d bytes, %v", len(got), end-off, err)
			}
			if err != nil && !damaged {
				t.Fatal(err)
			}
		}
		if err == nil {
			return
		}
		c.Remove([]byte("k"))
		if left, _ := filepath.Glob(filepath.Join(dir, "body", "*")); len(left) != 0 || c.Lookup([]byte("k")) != nil || c.disk.used != 0 {
			t.Errorf("left %q, %d bytes counted", left, c.disk.used)
		}
	})
}

// Files that were swapped, and files that are not the cache's, are never served.
func TestDiskForeignFiles(t *testing.T) {
	swap := func(t *testing.T, a, b string) {
		t.Helper()
		for _, r := range [][2]string{{a, a + ".x"}, {b, a}, {a + ".x", b}} {
			if err := os.Rename(r[0], r[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	glob := func(dir, pattern string) []string {
		out, _ := filepath.Glob(filepath.Join(dir, pattern))
		return out
	}
	const size = 2*blockSize + 1
	bodies := map[string][]byte{"a": noise(1, size), "b": noise(2, size)}
	for _, restart := range []bool{false, true} {
		for name, spoil := range map[string]func(*testing.T, string){
			"bodies swapped": func(t *testing.T, dir string) {
				f := glob(dir, "body/*")
				swap(t, f[0], f[1])
			},
			"entries swapped": func(t *testing.T, dir string) {
				f := glob(dir, "[0-9a-f][0-9a-f]/*")
				swap(t, f[0], f[1])
			},
			"folders in place of bodies": func(t *testing.T, dir string) {
				for _, f := range glob(dir, "body/*") {
					_ = os.Remove(f)
					_ = os.Mkdir(f, 0o700)
				}
			},
			"folders in place of entries": func(t *testing.T, dir string) {
				for _, f := range glob(dir, "[0-9a-f][0-9a-f]/*") {
					_ = os.Remove(f)
					_ = os.Mkdir(f, 0o700)
				}
			},
			"links in place of entries": func(t *testing.T, dir string) {
				for _, f := range glob(dir, "[0-9a-f][0-9a-f]/*") {
					_ = os.Remove(f)
					_ = os.Symlink("/dev/zero", f)
				}
			},
			"folders removed": func(_ *testing.T, dir string) {
				for _, f := range glob(dir, "*") {
					_ = os.RemoveAll(f)
				}
			},
		} {
			t.Run(fmt.Sprintf("%s, restart %v", name, restart), func(t *testing.T) {
				dir := t.TempDir()
				c := openTest(t, dir, 10<<20)
				for key, body := range bodies {
					fill(t, c, key, testObject("/"+key), body, size)
				}
				if restart {
					c.Close()
				} else { // the memory forgets them
					for key := range bodies {
						c.removeObject([]byte(key), nil)
					}
				}
				spoil(t, dir)
				for _, foreign := range []string{"body/x", "README", "ab/x", "tmp/y"} {
					_ = os.MkdirAll(filepath.Dir(filepath.Join(dir, foreign)), 0o700)
					_ = os.WriteFile(filepath.Join(dir, foreign), []byte("foreign"), 0o600)
				}
				if restart {
					c = openTest(t, dir, 10<<20)
				}
				defer c.Close()
				for key := range bodies {
					if o := c.Lookup([]byte(key)); o != nil {
						if _, ok := bodyOf(t, o); ok {
							t.Errorf("%s was served", key)
						}
						c.Remove([]byte(key))
					}
				}
				// It goes on, and has the room again.
				for key, body := range bodies {
					fill(t, c, key, testObject("/"+key), body, size)
					if o := c.Lookup([]byte(key)); o == nil {
						t.Errorf("%s is not stored again", key)
					} else if got, ok := bodyOf(t, o); !ok || !bytes.Equal(got, body) {
						t.Errorf("%s has another body", key)
					}
				}
				if most := 2 * (fileSize(size) + 1000); c.disk.used > most {
					t.Errorf("%d bytes counted, at most %d expected", c.disk.used, most)
				}
			})
		}
	}
}

// A disk that cannot be written any more, in the midst of a body: the viewers get all of it, and nothing is stored.
func TestDiskFails(t *testing.T) {
	for _, step := range []int{0, 100_000, 199_999} {
		c := openTest(t, t.TempDir(), 10<<20)
		body := noise(5, 200_000)
		stored := false
		stream, r := c.NewStream(io.NopCloser(bytes.NewReader(body)), StreamOptions{Length: int64(len(body)), Keep: true,
			Complete: func([]byte, *File) { stored = true }})
		second := stream.NewReader()
		begin := make([]byte, step)
		if _, err := io.ReadFull(r, begin); err != nil {
			t.Fatal(err)
		}
		// As it is when the disk is full: what was written can be read, and nothing more is written.
		full, err := os.Open(stream.file.f.Name())
		if err != nil {
			t.Fatal(err)
		}
		stream.file.f.Close()
		stream.file.f = full
		rest, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(append(begin, rest...), body) {
			t.Errorf("step %d: %d bytes, %v", step, len(begin)+len(rest), err)
		}
		if b, err := io.ReadAll(second); err != nil || !bytes.Equal(b, body) {
			t.Errorf("step %d: second reader: %d bytes, %v", step, len(b), err)
		}
		r.Close()
		second.Close()
		if n, _ := countFiles(t, c.disk.dir); n != 0 || stored || c.disk.used != 0 {
			t.Errorf("step %d: %d files, stored %v, %d bytes counted", step, n, stored, c.disk.used)
		}
		c.Close()
	}
}

// Files that may not be read count as missing.
func TestDiskPermissions(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	c := openTest(t, dir, 10<<20)
	body := noise(1, 100_000)
	fill(t, c, "k", testObject("/k"), body, -1)
	files, _ := filepath.Glob(filepath.Join(dir, "body", "*"))
	_ = os.Chmod(files[0], 0)
	if o := c.Lookup([]byte("k")); o != nil {
		if _, ok := bodyOf(t, o); ok {
			t.Error("it was read")
		}
	}
	if c.Lookup([]byte("k")) != nil {
		c.Remove([]byte("k"))
	}
	fill(t, c, "k", testObject("/k"), body, -1)
	if c.Lookup([]byte("k")) == nil {
		t.Error("not stored again")
	}
	c.Close()
	_ = os.Chmod(filepath.Join(dir, "body"), 0)
	defer os.Chmod(filepath.Join(dir, "body"), 0o700)
	if c, err := Open(Options{Memory: 1 << 20, Dir: dir, Disk: 10 << 20}); err == nil {
		fill(t, c, "k", testObject("/k"), body, -1)
		c.Close()
	}
}

// Lookups on disk while the index is still read, objects are replaced, removed and invalidated: a lookup gives what was stored
// under its key, and nothing that was invalidated before it.
func TestDiskLookupsAtOnce(t *testing.T) {
	dir := t.TempDir()
	const keys = 8
	c := openTest(t, dir, 1<<20)
	for i := range keys {
		o := testObject(fmt.Sprintf("/%d", i))
		o.Body = []byte("0")
		c.disk.put(o.Target, o, always)
	}
	c.Close()
	c, err := Open(Options{Memory: 1 << 20, Dir: dir, Disk: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var version, oldest [keys]atomic.Int64
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 300 {
				i := (n*7 + g) % keys
				key := fmt.Sprintf("/%d", i)
				switch (n + g) % 5 {
				case 0:
					v := version[i].Add(1)
					c.Invalidate("E1", []string{key})
					for old := oldest[i].Load(); old < v && !oldest[i].CompareAndSwap(old, v); old = oldest[i].Load() {
					}
				case 1:
					o := testObject(key)
					o.Epoch = c.Epoch()
					o.Body = fmt.Appendf(nil, "%d", version[i].Load())
					c.disk.put(key, o, always)
				default:
					from := oldest[i].Load()
					epoch := c.Epoch()
					o := c.disk.lookup([]byte(key))
					if o == nil {
						continue
					}
					var v int64
					if _, err := fmt.Sscan(string(o.Body), &v); err != nil || o.Target != key {
						t.Errorf("%s: %q of %s", key, o.Body, o.Target)
					}
					if o.Epoch = epoch; v < from && !c.invalid.hits(o) {
						t.Errorf("%s: version %d after %d was invalidated", key, v, from)
					}
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkDiskLookup(b *testing.B) {
	c, err := Open(Options{Memory: 1 << 20, Dir: b.TempDir(), Disk: 100 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	<-c.disk.loaded
	const keys = 2000
	for i := range keys {
		o := testObject(fmt.Sprintf("/%d", i))
		o.Body = make([]byte, 20_000)
		c.disk.put(o.Target, o, always)
	}
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if c.disk.lookup(fmt.Appendf(nil, "/%d", n.Add(1)%keys)) == nil {
				b.Error("missing")
			}
		}
	})
}
