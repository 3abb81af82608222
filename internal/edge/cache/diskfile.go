package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// A file of a body has the body, then the CRC-32C of each of its blocks, then a trailer: the length of the body, the CRC-32C of
// the file's id and the table, and a magic number. A file that was cut off, of which the machine lost a part, or that is in the
// place of another one, does not fit its trailer or its table.
const (
	blockSize   = 64 << 10
	trailerSize = 16
	trailerMark = 0x46474232 // FGB2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("stored body does not fit its checksums")

// stamp is what a file was like when its checksums were last known to be right.
type stamp struct{ modified, size int64 }

// File is the body of an object on disk.
type File struct {
	disk *disk
	id   uint64
	size int64
	// good is set when all of the file is known to be right; checks has what is known of a file that this process has not
	// written.
	good   atomic.Pointer[stamp]
	checks atomic.Pointer[checks]
	// state is guarded by the disk.
	state fileState
}

type fileState uint8

const (
	filePending fileState = iota // whole, but no entry refers to it yet
	filePlaced
	fileGone
)

func (d *disk) bodyPath(id uint64) string {
	return filepath.Join(d.dir, "body", fmt.Sprintf("%016x", id))
}

func blocks(size int64) int64 { return (size + blockSize - 1) / blockSize }

func fileSize(size int64) int64 { return size + 4*blocks(size) + trailerSize }

// tableSum is the checksum over the id and the table: a whole file under another name does not fit.
func tableSum(id uint64, table []byte) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], id)
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, table)
}

// verifyAtOnce is how much of what is asked for is checked before any of it is served, so that damage there counts as a miss;
// the rest is checked block by block while it is served.
const verifyAtOnce = 32 << 20

// checks are the checksums of a file, and which blocks fit theirs.
type checks struct {
	at    stamp
	table []byte
	right []atomic.Uint64
	left  atomic.Int64
}

func newChecks(at stamp, table []byte) *checks {
	n := int64(len(table) / 4)
	c := &checks{at: at, table: table, right: make([]atomic.Uint64, (n+63)/64)}
	c.left.Store(n)
	return c
}

func (c *checks) known(i int64) bool { return c.right[i/64].Load()&(1<<(i%64)) != 0 }

// passed records that a block is right, and tells whether all are now.
func (c *checks) passed(i int64) (whole bool) {
	bit := uint64(1) << (i % 64)
	return c.right[i/64].Or(bit)&bit == 0 && c.left.Add(-1) == 0
}

// Open returns n bytes of the body from off on. When the file is not what was written, it is removed and Open fails; so the
// caller can treat the object as missing.
func (f *File) Open(off, n int64) (*Section, error) {
	s, err := f.open(off, n)
	if err != nil {
		f.disk.discard(f)
		return nil, fmt.Errorf("open stored body: %w", err)
	}
	return s, nil
}

func (f *File) open(off, n int64) (*Section, error) {
	file, err := os.Open(f.disk.bodyPath(f.id))
	if err != nil {
		return nil, err
	}
	s := &Section{f: file, file: f, off: off, end: off + n}
	if err := f.check(s); err != nil {
		file.Close()
		return nil, err
	}
	return s, nil
}

// check finds out whether the file has changed since it was known to be right; if so, it reads what it has to.
func (f *File) check(s *Section) error {
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	now := stamp{info.ModTime().UnixNano(), info.Size()}
	if info.Size() != fileSize(f.size) || !info.Mode().IsRegular() {
		return errCorrupt
	}
	if g := f.good.Load(); g != nil && *g == now {
		return nil
	}
	c := f.checks.Load()
	if c == nil || c.at != now {
		table, err := readTable(s.f, f.id, f.size)
		if err != nil {
			return err
		}
		c = newChecks(now, table)
		f.checks.Store(c)
	}
	first, last := s.off/blockSize, min(blocks(s.end), blocks(f.size))
	ahead := min(last, first+f.disk.ahead)
	var buf []byte
	for i := first; i < ahead; i++ {
		if c.known(i) {
			continue
		}
		if buf == nil {
			buf = make([]byte, blockSize)
		}
		if err := f.verify(s.f, c, i, buf); err != nil {
			return err
		}
	}
	if ahead < last {
		s.checks = c
	}
	return nil
}

// verify reads block i into buf and checks it.
func (f *File) verify(file *os.File, c *checks, i int64, buf []byte) error {
	if err := readBlock(file, f.size, i, c.table, buf); err != nil {
		return err
	}
	if c.passed(i) {
		f.good.Store(&c.at)
		f.checks.Store(nil)
	}
	return nil
}

func readTable(f *os.File, id uint64, size int64) ([]byte, error) {
	t := make([]byte, 4*blocks(size)+trailerSize)
	if _, err := f.ReadAt(t, size); err != nil {
		return nil, err
	}
	table, trailer := t[:len(t)-trailerSize], t[len(t)-trailerSize:]
	if binary.LittleEndian.Uint64(trailer) != uint64(size) || binary.LittleEndian.Uint32(trailer[8:]) != tableSum(id, table) ||
		binary.LittleEndian.Uint32(trailer[12:]) != trailerMark {
		return nil, errCorrupt
	}
	return table, nil
}

// readBlock reads block i into buf and checks it.
func readBlock(f *os.File, size, i int64, table, buf []byte) error {
	b := buf[:min(blockSize, size-i*blockSize)]
	if _, err := f.ReadAt(b, i*blockSize); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(table[4*i:]) != crc32.Checksum(b, castagnoli) {
		return errCorrupt
	}
	return nil
}

// readAll returns the whole body.
func (f *File) readAll() ([]byte, error) {
	s, err := f.Open(0, f.size)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	b := make([]byte, f.size)
	_, err = io.ReadFull(s, b)
	return b, err
}

// Section is a part of a stored body that is being read. It is for one goroutine.
type Section struct {
	f        *os.File
	file     *File
	off, end int64
	// checks is nil when all of the section is known to be right; else buf holds the block that was checked last.
	checks *checks
	buf    []byte
	block  int64
	// part is true for a Section that is a part of another one, which closes the file.
	part bool
}

// Read implements io.Reader. What it returns has the right checksum.
func (s *Section) Read(p []byte) (int, error) {
	if s.off >= s.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.end-s.off)]
	if s.checks == nil {
		n, err := s.f.ReadAt(p, s.off)
		s.off += int64(n)
		if n > 0 {
			err = nil
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	i := s.off / blockSize
	if s.buf == nil || s.block != i {
		if s.buf == nil {
			s.buf = make([]byte, blockSize)
		}
		s.block = i
		if err := s.file.verify(s.f, s.checks, i, s.buf); err != nil {
			s.buf = nil
			s.file.disk.discard(s.file)
			return 0, err
		}
	}
	n := copy(p, s.buf[s.off-i*blockSize:min(blockSize, s.file.size-i*blockSize)])
	s.off += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo. What is known to be right goes to a writer that reads files itself, so that the kernel can send
// it without a copy.
func (s *Section) WriteTo(w io.Writer) (written int64, err error) {
	if to, ok := w.(io.ReaderFrom); ok && s.checks == nil {
		if _, err := s.f.Seek(s.off, io.SeekStart); err != nil {
			return 0, err
		}
		written, err = to.ReadFrom(io.LimitReader(s.f, s.end-s.off))
		if s.off += written; err == nil && s.off < s.end {
			err = io.ErrUnexpectedEOF
		}
		return written, err
	}
	buf := make([]byte, blockSize)
	for {
		n, err := s.Read(buf)
		if n > 0 {
			m, err := w.Write(buf[:n])
			written += int64(m)
			if err != nil {
				return written, err
			}
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

// Close implements io.Closer.
func (s *Section) Close() error {
	if s.part {
		return nil
	}
	return s.f.Close()
}

// Part returns n bytes of the body from off on, over the same open file: s must stay open while it is read.
func (s *Section) Part(off, n int64) *Section {
	return &Section{f: s.f, file: s.file, off: off, end: off + n, checks: s.checks, part: true}
}

// bodyWriter writes the file of a body. Its owner closes f.
type bodyWriter struct {
	disk     *disk
	f        *os.File
	id       uint64
	size     int64
	reserved int64
	crc      uint32
	table    []byte
	gone     bool
}

// reserveStep is how much room a body of unknown length takes at a time.
const reserveStep = 1 << 20

// create begins a file for a body of about length bytes, -1 when unknown; nil when there is no room for it.
func (d *disk) create(length int64) *bodyWriter {
	w := &bodyWriter{disk: d}
	if length >= 0 && !w.reserve(fileSize(length)) {
		return nil
	}
	w.id = d.newID()
	err := d.inFolders(func() (err error) {
		w.f, err = os.OpenFile(filepath.Join(d.dir, "tmp", fmt.Sprintf("%016x", w.id)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		d.release(w.reserved)
		return nil
	}
	return w
}

func (w *bodyWriter) reserve(total int64) bool {
	for w.reserved < total {
		n := max(total-w.reserved, reserveStep)
		if w.reserved == 0 {
			n = total
		}
		if !w.disk.reserve(n, w.reserved+n) {
			return false
		}
		w.reserved += n
	}
	return true
}

// Write appends to the body.
func (w *bodyWriter) Write(p []byte) (int, error) {
	if size := w.size + int64(len(p)); size > MaxBody || !w.reserve(fileSize(size)) {
		return 0, errNoRoom
	}
	if _, err := w.f.WriteAt(p, w.size); err != nil {
		return 0, fmt.Errorf("write body to disk: %w", err)
	}
	for rest := p; len(rest) > 0; {
		n := min(int64(len(rest)), blockSize-w.size%blockSize)
		w.crc = crc32.Update(w.crc, castagnoli, rest[:n])
		w.size += n
		if w.size%blockSize == 0 {
			w.table, w.crc = binary.LittleEndian.AppendUint32(w.table, w.crc), 0
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// ReadAt reads what was written.
func (w *bodyWriter) ReadAt(p []byte, off int64) (int, error) { return w.f.ReadAt(p, off) }

// finish writes the trailer and puts the file in its place; nil when that fails. Nothing refers to the file yet.
func (w *bodyWriter) finish() *File {
	if w.size%blockSize != 0 {
		w.table = binary.LittleEndian.AppendUint32(w.table, w.crc)
	}
	t := binary.LittleEndian.AppendUint64(w.table, uint64(w.size))
	t = binary.LittleEndian.AppendUint32(t, tableSum(w.id, w.table))
	t = binary.LittleEndian.AppendUint32(t, trailerMark)
	if !w.reserve(fileSize(w.size)) {
		w.abandon()
		return nil
	}
	if _, err := w.f.WriteAt(t, w.size); err != nil {
		w.abandon()
		return nil
	}
	info, err := w.f.Stat()
	if err == nil {
		err = os.Rename(w.f.Name(), w.disk.bodyPath(w.id))
	}
	if err != nil {
		w.abandon()
		return nil
	}
	w.gone = true
	f := &File{disk: w.disk, id: w.id, size: w.size}
	f.good.Store(&stamp{info.ModTime().UnixNano(), info.Size()})
	w.disk.release(w.reserved - fileSize(w.size))
	return f
}

// abandon removes the file.
func (w *bodyWriter) abandon() {
	if w.gone {
		return
	}
	w.gone = true
	os.Remove(w.f.Name())
	w.disk.release(w.reserved)
}

// Size is the length of the body.
func (f *File) Size() int64 { return f.size }
