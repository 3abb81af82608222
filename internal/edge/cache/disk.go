package cache

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// The disk has the objects that memory has no room for: bodies over the limit, written while they are delivered, and objects
// that were used and had to leave. Layout of the folder:
//
//	tmp/        files that are being written
//	body/ID     bodies, each with checksums behind it (diskfile.go)
//	ab/HASH     entries: the object's key and fields, and which body it has, or the body itself when it is small (diskmeta.go)
//
// An entry's file is renamed into place as a whole, after its body: it is what makes an object exist. So a process that is
// killed leaves whole objects, and files of which nobody knows, which the next start removes. Nothing is synced, for the
// origin has it all: a machine that loses power may leave any file in any state, and whatever does not fit its checksums is
// removed when it is met, and counts as missing. Only what an invalidation removes is synced, so that it does not come back.
//
// The index in memory has a hash, the target and the size of each object. What was used stays longer: the queue has a second
// chance for it.
type disk struct {
	dir    string
	budget int64
	cache  *Cache
	ahead  int64 // verifyAtOnce, in blocks

	mu      sync.Mutex
	used    int64
	entries map[hash]*diskEntry
	changes uint64    // how often something came into the index or left it
	queue   list.List // of *diskEntry, oldest first
	files   map[uint64]*diskEntry

	loaded chan struct{}
	quit   chan struct{}
	work   sync.WaitGroup
	demote chan demotion
}

type hash [16]byte

type diskEntry struct {
	hash                 hash
	file                 *File // nil when the body is in the entry's file
	bytes                int64
	distribution, target string
	used                 bool
	place                *list.Element
}

type demotion struct {
	key    string
	object *Object
}

var errNoRoom = errors.New("the disk cache has no room")

func hashOf(key []byte) hash {
	sum := sha256.Sum256(key)
	return hash(sum[:16])
}

func (d *disk) metaPath(h hash) string {
	name := hex.EncodeToString(h[:])
	return filepath.Join(d.dir, name[:2], name)
}

func openDisk(dir string, budget int64) (*disk, error) {
	d := &disk{dir: dir, budget: budget, ahead: verifyAtOnce / blockSize, entries: map[hash]*diskEntry{}, files: map[uint64]*diskEntry{},
		loaded: make(chan struct{}), quit: make(chan struct{}), demote: make(chan demotion, 256)}
	if err := os.RemoveAll(filepath.Join(dir, "tmp")); err != nil {
		return nil, err
	}
	return d, d.makeFolders()
}

func (d *disk) makeFolders() error {
	for _, sub := range [...]string{"tmp", "body"} {
		if err := os.MkdirAll(filepath.Join(d.dir, sub), 0o700); err != nil {
			return fmt.Errorf("make folder of the cache: %w", err)
		}
	}
	return nil
}

// inFolders runs what makes a file; when somebody has removed the folders, it makes them again.
func (d *disk) inFolders(run func() error) error {
	err := run()
	if errors.Is(err, os.ErrNotExist) && d.makeFolders() == nil {
		err = run()
	}
	return err
}

// start reads what is there, and then writes what leaves the memory, in the background.
func (d *disk) start() {
	bodies, _ := os.ReadDir(filepath.Join(d.dir, "body")) // those that are there before this process writes any
	d.work.Go(func() {
		defer close(d.loaded)
		if !d.load() {
			return
		}
		for _, b := range bodies {
			if id, err := strconv.ParseUint(b.Name(), 16, 64); err != nil || !d.refers(id) {
				os.Remove(filepath.Join(d.dir, "body", b.Name()))
			}
		}
	})
	d.work.Go(func() {
		for {
			select {
			case m := <-d.demote:
				d.write(m)
			case <-d.quit:
				return
			}
		}
	})
}

func (d *disk) close() {
	close(d.quit)
	d.work.Wait()
	for {
		select {
		case m := <-d.demote:
			d.write(m)
		default:
			return
		}
	}
}

// load builds the index from the entries' files. It returns false when it was stopped before it was through.
func (d *disk) load() bool {
	folders, _ := os.ReadDir(d.dir)
	for _, f := range folders {
		if len(f.Name()) != 2 {
			continue
		}
		names, _ := os.ReadDir(filepath.Join(d.dir, f.Name()))
		for _, n := range names {
			select {
			case <-d.quit:
				return false
			default:
			}
			var h hash
			if k, err := hex.Decode(h[:], []byte(n.Name())); err != nil || k != len(h) {
				continue
			}
			d.read(h)
		}
	}
	return true
}

// read reads an entry's file and puts it into the index. It returns nothing for a file that does not fit. The file is read
// without the lock; when the index has changed meanwhile, it is read again, at last with the lock.
func (d *disk) read(h hash) (key string, o *Object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for try := 0; ; try++ {
		e, changes := d.entries[h], d.changes
		if try < 3 {
			d.mu.Unlock()
		}
		key, o, bytes, err := d.readMeta(h)
		if try < 3 {
			d.mu.Lock()
		}
		if d.entries[h] != e || e == nil && d.changes != changes {
			continue
		}
		if err != nil {
			if e != nil || !errors.Is(err, os.ErrNotExist) {
				d.removeLocked(h)
			}
			return "", nil
		}
		return key, d.found(h, o, bytes)
	}
}

// readMeta reads an entry's file, and returns its length as well.
func (d *disk) readMeta(h hash) (key string, o *Object, bytes int64, err error) {
	path := d.metaPath(h)
	info, err := os.Lstat(path)
	if err != nil {
		return "", nil, 0, err
	}
	if info.Size() > maxMeta || !info.Mode().IsRegular() {
		return "", nil, 0, errMeta
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", nil, 0, err
	}
	if key, o, err = decode(b); err == nil && hashOf([]byte(key)) != h {
		err = errMeta
	}
	return key, o, int64(len(b)), err
}

// found puts what was read into the index, unless it is there.
func (d *disk) found(h hash, o *Object, bytes int64) *Object {
	if e := d.entries[h]; e != nil {
		if (o.File == nil) != (e.file == nil) || o.File != nil && (o.File.id != e.file.id || o.File.size != e.file.size) {
			d.removeLocked(h) // somebody has put another file in its place
			return nil
		}
		e.used, o.File = true, e.file
		return o
	}
	if o.File != nil {
		if d.files[o.File.id] != nil { // of another entry: one of the two is not what was written
			d.removeLocked(h)
			return nil
		}
		o.File.disk, o.File.state = d, filePlaced
		bytes += fileSize(o.File.size)
	}
	d.insert(&diskEntry{hash: h, file: o.File, bytes: bytes, distribution: o.Distribution, target: o.Target})
	d.used += bytes
	d.evictLocked(0)
	return o
}

func (d *disk) refers(id uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[id] != nil
}

func (d *disk) insert(e *diskEntry) {
	d.changes++
	d.entries[e.hash] = e
	e.place = d.queue.PushBack(e)
	if e.file != nil {
		d.files[e.file.id] = e
	}
}

// lookup returns the object under key, its body in memory or as a file, or nil.
func (d *disk) lookup(key []byte) *Object {
	h := hashOf(key)
	d.mu.Lock()
	e := d.entries[h]
	d.mu.Unlock()
	if e == nil {
		select {
		case <-d.loaded:
			return nil
		default: // it may not have been found yet
		}
	}
	if stored, o := d.read(h); o != nil && stored == string(key) {
		return o
	}
	return nil
}

// condition tells whether an object may still be written.
type condition func() bool

func always() bool { return true }

// commit writes the entry of an object, whose body is in its place already. It returns false when it did not: no room, an
// invalidation since the object's epoch, or the condition.
func (d *disk) commit(key []byte, o *Object, may condition) bool {
	h, b := hashOf(key), encode(key, o)
	tmp := filepath.Join(d.dir, "tmp", "m"+strconv.FormatUint(d.newID(), 16))
	if int64(len(b)) > maxMeta || d.inFolders(func() error { return os.WriteFile(tmp, b, 0o600) }) != nil {
		os.Remove(tmp)
		d.drop(o.File)
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.entries[h]
	if !may() || d.cache.invalid.hits(o) || !d.evictLocked(int64(len(b))) || o.File != nil && o.File.state == fileGone ||
		place(tmp, d.metaPath(h)) != nil {
		os.Remove(tmp)
		d.dropLocked(o.File)
		return false
	}
	bytes := int64(len(b))
	d.used += bytes
	if o.File != nil {
		bytes += fileSize(o.File.size) // reserved while it was written
		o.File.state = filePlaced
	}
	// Making room may have evicted the entry that this one replaces.
	if old != nil && d.entries[h] == old {
		d.forgetLocked(old)
		if old.file != nil && old.file != o.File {
			d.removeBody(old.file)
		} else if old.file != nil {
			d.used += fileSize(old.file.size)
		}
	}
	d.insert(&diskEntry{hash: h, file: o.File, bytes: bytes, distribution: o.Distribution, target: o.Target, used: old != nil})
	return true
}

// place renames an entry's file into its folder, which it makes when it is the first.
func place(tmp, path string) error {
	err := os.Rename(tmp, path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.Mkdir(filepath.Dir(path), 0o700); err == nil {
			err = os.Rename(tmp, path)
		}
	}
	return err
}

// forgetLocked takes an entry out of the index.
func (d *disk) forgetLocked(e *diskEntry) {
	d.changes++
	d.queue.Remove(e.place)
	delete(d.entries, e.hash)
	if e.file != nil {
		delete(d.files, e.file.id)
	}
	d.used -= e.bytes
}

// removeLocked removes an object: its entry first, which makes it not exist, then its body.
func (d *disk) removeLocked(h hash) {
	d.changes++
	os.Remove(d.metaPath(h))
	if e := d.entries[h]; e != nil {
		d.forgetLocked(e)
		if e.file != nil {
			d.removeBody(e.file)
		}
	}
}

func (d *disk) removeBody(f *File) {
	f.state = fileGone
	os.Remove(d.bodyPath(f.id))
}

// forget removes the object under key.
func (d *disk) forget(key []byte) {
	h := hashOf(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.entries[h]; !ok {
		select {
		case <-d.loaded:
			return
		default:
		}
	}
	d.removeLocked(h)
}

// discard removes a file that turned out not to be what was written, with its entry.
func (d *disk) discard(f *File) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.files[f.id]; e != nil {
		d.removeLocked(e.hash)
	}
}

// drop removes a file to which no entry refers.
func (d *disk) drop(f *File) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropLocked(f)
}

func (d *disk) dropLocked(f *File) {
	if f != nil && f.state == filePending {
		d.removeBody(f)
		d.used -= fileSize(f.size)
	}
}

// reserve takes n bytes of the budget for a body that has total bytes so far.
func (d *disk) reserve(n, total int64) bool {
	if total > d.budget/2 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.evictLocked(n) {
		return false
	}
	d.used += n
	return true
}

func (d *disk) release(n int64) {
	d.mu.Lock()
	d.used -= n
	d.mu.Unlock()
}

// evictLocked makes room for n bytes.
func (d *disk) evictLocked(n int64) bool {
	for range 2*len(d.entries) + 1 {
		if d.used+n <= d.budget {
			return true
		}
		front := d.queue.Front()
		if front == nil {
			return false
		}
		if e := front.Value.(*diskEntry); e.used {
			e.used = false
			d.queue.MoveToBack(front)
		} else {
			d.removeLocked(e.hash)
		}
	}
	return d.used+n <= d.budget
}

// invalidate removes what m names. It waits until all that is on disk is known.
func (d *disk) invalidate(m *matcher) int {
	<-d.loaded
	d.mu.Lock()
	defer d.mu.Unlock()
	folders := map[string]bool{}
	n := 0
	for h, e := range d.entries {
		if m.match(e.distribution, e.target) {
			folders[filepath.Dir(d.metaPath(h))] = true
			d.removeLocked(h)
			n++
		}
	}
	for folder := range folders {
		if f, err := os.Open(folder); err == nil {
			_ = f.Sync()
			f.Close()
		}
	}
	return n
}

func (d *disk) newID() uint64 {
	for {
		if id := rand.Uint64(); id != 0 {
			return id
		}
	}
}

// demoteLater has an object that leaves the memory written to the disk, unless there is too much to do already. The caller has
// locked its shard: no invalidation up to epoch has hit the object.
func (d *disk) demoteLater(e *entry, epoch uint64) {
	o := *e.object
	o.Epoch = epoch
	select {
	case d.demote <- demotion{e.key, &o}:
	default:
	}
}

// write writes an object that has left the memory, unless a newer one has come.
func (d *disk) write(m demotion) {
	d.put(m.key, m.object, func() bool { return !d.cache.holds([]byte(m.key)) })
}

func (d *disk) put(key string, o *Object, may condition) {
	if len(o.Body) > inlineLimit {
		w := d.create(int64(len(o.Body)))
		if w == nil {
			return
		}
		_, err := w.Write(o.Body)
		if err == nil {
			o.File = w.finish()
		} else {
			w.abandon()
		}
		w.f.Close()
		if o.File == nil {
			return
		}
		o.Body = nil
	}
	d.commit([]byte(key), o, may)
}
