package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

func openTest(t *testing.T, dir string, disk int64) *Cache {
	t.Helper()
	c, err := Open(Options{Memory: 1 << 20, Dir: dir, Disk: disk}) // bodies over 64 KiB go to the disk
	if err != nil {
		t.Fatal(err)
	}
	<-c.disk.loaded
	c.closeTime = time.Hour
	return c
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func testObject(target string) *Object {
	head := "Content-Type: text/plain\r\nETag: \"v1\"\r\n"
	o := &Object{Distribution: "E1", Target: target, Status: 200, Head: message.MakeLines(head, 26, false), Via: "1.1 x", ETag: `"v1"`,
		Stored: time.Unix(1000, 5), Expires: time.Unix(2000, 7), Age: 3 * time.Second, StaleIfError: -1, StaleWhileRevalidate: 9}
	return o
}

// fill delivers a body through the cache, as the engine does.
func fill(t *testing.T, c *Cache, key string, o *Object, body []byte, length int64) {
	t.Helper()
	o.Epoch = c.Epoch()
	_, r := c.NewStream(io.NopCloser(bytes.NewReader(body)), StreamOptions{Length: length, Keep: true, Complete: func(b []byte, f *File) {
		whole := *o
		whole.Body, whole.File = b, f
		c.Admit([]byte(key), &whole)
	}})
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("delivered %d bytes, %v", len(got), err)
	}
	r.Close()
}

// bodyOf reads a stored body; nil with ok false when it is lost.
func bodyOf(t *testing.T, o *Object) (body []byte, ok bool) {
	t.Helper()
	if o.File == nil {
		return o.Body, true
	}
	s, err := o.File.Open(0, o.File.Size())
	if err != nil {
		return nil, false
	}
	defer s.Close()
	body, err = io.ReadAll(s)
	return body, err == nil
}

func countFiles(t *testing.T, dir string) (n int, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
			info, _ := d.Info()
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, size
}

func TestDiskRoundTrip(t *testing.T) {
	for _, size := range []int{blockSize + 1, 2 * blockSize, 300_000} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d known %v", size, known), func(t *testing.T) {
				dir := t.TempDir()
				c := openTest(t, dir, 10<<20)
				body, length := noise(uint64(size), size), int64(-1)
				if known {
					length = int64(size)
				}
				fill(t, c, "k", testObject("/a"), body, length)
				for range 2 {
					o := c.Lookup([]byte("k"))
					if o == nil || o.File == nil || o.Size() != int64(size) {
						t.Fatalf("%+v", o)
					}
					if got, ok := bodyOf(t, o); !ok || !bytes.Equal(got, body) {
						t.Fatal("another body")
					}
					s, err := o.File.Open(64_500, 1000)
					if err != nil {
						t.Fatal(err)
					}
					var part bytes.Buffer
					if n, err := s.WriteTo(&part); n != 1000 || err != nil || !bytes.Equal(part.Bytes(), body[64_500:65_500]) {
						t.Errorf("a part: %d, %v", n, err)
					}
					s.Close()
					want := testObject("/a")
					if o.Target != want.Target || o.Status != 200 || o.Head.Text != want.Head.Text || o.Head.TypeEnd != 26 || o.Via != want.Via || o.ETag != want.ETag ||
						!o.Stored.Equal(want.Stored) || !o.Expires.Equal(want.Expires) || o.Age != want.Age || o.StaleIfError != -1 || o.StaleWhileRevalidate != 9 {
						t.Errorf("%+v", o)
					}
					// The second round is after a restart.
					c.Close()
					c = openTest(t, dir, 10<<20)
				}
				c.Close()
			})
		}
	}
}

// Whatever byte of the files of an object is lost or changed, the object is missing or whole, and never wrong.
func TestDiskCorruption(t *testing.T) {
	body := noise(7, 3*blockSize+100)
	damage := func(t *testing.T, change func(path string, b []byte) []byte, which string, restart bool) {
		dir := t.TempDir()
		c := openTest(t, dir, 10<<20)
		fill(t, c, "k", testObject("/a"), body, int64(len(body)))
		fill(t, c, "small", testObject("/b"), body[:100], 100)
		files, _ := filepath.Glob(filepath.Join(dir, which))
		if len(files) != 1 {
			t.Fatalf("%q", files)
		}
		if restart {
			c.Close()
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], change(files[0], b), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(files[0], time.Time{}, time.Unix(12345, 0)); err != nil {
			t.Fatal(err)
		}
		if restart {
			c = openTest(t, dir, 10<<20)
		}
		defer c.Close()
		if o := c.Lookup([]byte("k")); o != nil {
			if got, ok := bodyOf(t, o); ok && !bytes.Equal(got, body) {
				t.Error("a wrong body")
			} else if !ok {
				c.Remove([]byte("k"))
			}
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "body", "*")); len(left) != 0 {
			t.Errorf("left %q", left)
		}
		if c.Lookup([]byte("k")) != nil {
			t.Error("still there")
		}
	}
	entry := "[0-9a-f][0-9a-f]/*"
	for _, at := range []int{0, 1, blockSize, 3*blockSize + 99, 3*blockSize + 100, 3*blockSize + 104, -1, -5, -16} {
		t.Run(fmt.Sprintf("body %d", at), func(t *testing.T) {
			damage(t, func(_ string, b []byte) []byte {
				b[(at+len(b))%len(b)] ^= 0x10
				return b
			}, "body/*", at%2 == 0)
		})
	}
	for _, n := range []int{0, 1, blockSize, 3 * blockSize, 3*blockSize + 100, 3*blockSize + 110} {
		t.Run(fmt.Sprintf("body cut to %d", n), func(t *testing.T) {
			damage(t, func(_ string, b []byte) []byte { return b[:n] }, "body/*", true)
		})
	}
	for _, n := range []int{0, 5, 12, 100} {
		t.Run(fmt.Sprintf("entry cut to %d", n), func(t *testing.T) {
			damage(t, func(path string, b []byte) []byte { return b[:n] }, entry, true)
		})
	}
	t.Run("entry changed", func(t *testing.T) {
		damage(t, func(_ string, b []byte) []byte { b[40] ^= 1; return b }, entry, true)
	})
	t.Run("zeros", func(t *testing.T) {
		damage(t, func(_ string, b []byte) []byte { clear(b); return b }, "body/*", true)
	})
}

// What a process leaves that is killed while it writes is removed by the next one.
func TestDiskRemains(t *testing.T) {
	dir := t.TempDir()
	c := openTest(t, dir, 10<<20)
	body := noise(1, 200_000)
	fill(t, c, "k", testObject("/a"), body, -1)
	_, r := c.NewStream(io.NopCloser(bytes.NewReader(body)), StreamOptions{Length: int64(len(body)), Keep: true})
	_, _ = io.ReadFull(r, make([]byte, 100_000))
	if err := os.WriteFile(c.disk.bodyPath(99), body, 0o600); err != nil {
		t.Fatal(err)
	}
	n, _ := countFiles(t, dir)
	again := openTest(t, dir, 10<<20) // the other one is dead
	if left, _ := countFiles(t, dir); n != 4 || left != 2 {
		t.Errorf("%d files, then %d", n, left)
	}
	if o := again.Lookup([]byte("k")); o == nil {
		t.Error("the whole object is gone")
	}
	again.Close()
}

func TestDiskBudget(t *testing.T) {
	dir := t.TempDir()
	const budget = 4 << 20
	c := openTest(t, dir, budget)
	for i := range 40 {
		o := testObject(fmt.Sprintf("/%d", i))
		fill(t, c, o.Target, o, noise(uint64(i), 200_000), -1+int64(i%2)*200_001)
		if i > 0 {
			c.disk.lookup([]byte("/0")) // it is used, so it stays
		}
		if _, size := countFiles(t, dir); size > budget || c.disk.used > budget {
			t.Fatalf("%d bytes on disk, %d counted", size, c.disk.used)
		}
	}
	if c.disk.lookup([]byte("/0")) == nil || c.disk.lookup([]byte("/1")) != nil || c.disk.lookup([]byte("/39")) == nil {
		t.Error("another object than the oldest unused ones had to go")
	}
	// More than half of the disk is not for one object; it passes.
	fill(t, c, "big", testObject("/big"), noise(5, 3<<20), -1)
	if c.Lookup([]byte("big")) != nil {
		t.Error("an object over the limit was stored")
	}
	// A renewed object keeps its body; one in memory takes the place of one on disk.
	o := c.Lookup([]byte("/39"))
	c.Admit([]byte("/39"), o.Renewed(time.Unix(5000, 0), time.Unix(6000, 0)))
	if got, ok := bodyOf(t, c.disk.lookup([]byte("/39"))); !ok || len(got) != 200_000 || !c.disk.lookup([]byte("/39")).Expires.Equal(time.Unix(6000, 0)) {
		t.Error("the renewed object is not on disk")
	}
	small := testObject("/39")
	small.Body = []byte("small")
	c.Admit([]byte("/39"), small)
	if c.disk.lookup([]byte("/39")) != nil {
		t.Error("the older object is still on disk")
	}
	c.Invalidate("E1", []string{"/*"})
	if n, _ := countFiles(t, dir); n != 0 || c.disk.used != 0 {
		t.Errorf("%d files, %d bytes counted after invalidating all", n, c.disk.used)
	}
	c.Close()
}

// What is used and has to leave the memory goes to the disk, and comes back from there.
func TestDemotion(t *testing.T) {
	dir := t.TempDir()
	c := openTest(t, dir, 100<<20)
	for range 3 {
		for i := range 400 {
			key := fmt.Sprintf("/%d", i)
			o := c.Lookup([]byte(key))
			if o == nil {
				o = testObject(key)
				o.Body = noise(uint64(i), 10_000)
				c.Admit([]byte(key), o)
			}
			c.Lookup([]byte(key))
			for len(c.disk.demote) > 0 { // it is full at times, and objects are lost then
				runtime.Gosched()
			}
			if !bytes.Equal(o.Body, noise(uint64(i), 10_000)) {
				t.Fatalf("%s has another body", key)
			}
		}
	}
	c.Close()
	c = openTest(t, dir, 100<<20)
	found := 0
	for i := range 400 {
		if o := c.Lookup(fmt.Appendf(nil, "/%d", i)); o != nil {
			if body, ok := bodyOf(t, o); !ok || !bytes.Equal(body, noise(uint64(i), 10_000)) {
				t.Fatalf("/%d has another body", i)
			}
			found++
		}
	}
	if found < 300 {
		t.Errorf("%d of 400 after a restart, which is more than the memory holds", found)
	}
	c.Close()
}

// An object that was fetched before an invalidation does not come in after it, on whatever way.
func TestInvalidateInFlight(t *testing.T) {
	for _, size := range []int{100, 200_000} {
		c := openTest(t, t.TempDir(), 10<<20)
		flight, _ := c.Join([]byte("k"))
		o := testObject("/a?x=%c3%a9")
		o.Epoch = c.Epoch()
		body := noise(3, size)
		stream, r := c.NewStream(io.NopCloser(bytes.NewReader(body)), StreamOptions{Length: int64(size), Keep: true, Done: flight.Close, Complete: func(b []byte, f *File) {
			whole := *o
			whole.Body, whole.File = b, f
			c.Admit([]byte("k"), &whole)
		}})
		flight.Share(o, stream)
		_, _ = io.ReadFull(r, make([]byte, size/2))
		c.Invalidate("E1", []string{"/other", "/a?x=\u00e9"})
		if _, leader := c.Join([]byte("k")); !leader {
			t.Error("a later request joins the fetch from before the invalidation")
		}
		if _, err := io.ReadAll(r); err != nil {
			t.Error(err)
		}
		r.Close()
		if c.Lookup([]byte("k")) != nil || c.disk.used != 0 {
			t.Errorf("%d bytes: the object came in after the invalidation; %d bytes on disk", size, c.disk.used)
		}
		o.Epoch = c.Epoch()
		fill(t, c, "k", o, body, int64(size))
		if c.Lookup([]byte("k")) == nil {
			t.Errorf("%d bytes: a later object is kept out", size)
		}
		c.Close()
	}
}

func TestForgottenInvalidations(t *testing.T) {
	c := New(1 << 20)
	o := testObject("/a")
	for range 2 * keptInvalidations {
		c.Invalidate("E2", []string{"/a"})
	}
	if c.Admit([]byte("k"), o); c.Lookup([]byte("k")) != nil {
		t.Error("admitted, although the invalidations since are not known any more")
	}
	o.Epoch = c.Epoch() - 5
	if c.Admit([]byte("k"), o); c.Lookup([]byte("k")) == nil {
		t.Error("not admitted")
	}
}

func FuzzDecode(f *testing.F) {
	o := testObject("/a")
	o.Body = []byte("body")
	f.Add(encode([]byte("key"), o))
	o.Body, o.File = nil, &File{id: 5, size: 1 << 30}
	f.Add(encode([]byte("key"), o))
	f.Add([]byte("FGC1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// With a right checksum, so that the fields are reached.
		for _, in := range [][]byte{b, seal(b)} {
			key, o, err := decode(in)
			if err != nil {
				continue
			}
			_ = o.Header()
			again, p, err := decode(encode([]byte(key), o))
			if err != nil || again != key || p.Target != o.Target || p.Head.Text != o.Head.Text || !p.Expires.Equal(o.Expires) || !bytes.Equal(p.Body, o.Body) {
				t.Fatalf("%q: %v, %+v, %+v", key, err, o, p)
			}
		}
	})
}

// seal makes the fields of an entry one that fits its checksum.
func seal(fields []byte) []byte {
	o := testObject("/")
	b := append(encode(nil, o)[:12:12], fields...)
	return sealed(b)
}

// errReader fails after some bytes.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err == io.EOF {
		err = e.err
	}
	return n, err
}

// A body that breaks off leaves nothing on disk.
func TestIncompleteOnDisk(t *testing.T) {
	dir := t.TempDir()
	c := openTest(t, dir, 10<<20)
	stored := false
	broken := errors.New("broken")
	_, r := c.NewStream(io.NopCloser(&errReader{bytes.NewReader(noise(1, 150_000)), broken}),
		StreamOptions{Length: 200_000, Keep: true, Complete: func([]byte, *File) { stored = true }})
	if b, err := io.ReadAll(r); len(b) != 150_000 || !errors.Is(err, broken) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	r.Close()
	if n, _ := countFiles(t, dir); n != 0 || stored || c.disk.used != 0 {
		t.Errorf("%d files, stored %v, %d bytes counted", n, stored, c.disk.used)
	}
	c.Close()
}
