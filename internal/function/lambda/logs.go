package lambda

import (
	"bytes"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// maxLine is where a line without end is cut: the largest event of CloudWatch Logs was 256 KiB for long.
	maxLine = 256 << 10
	// tailSize is what X-Amz-Log-Type: Tail returns of the log (Lambda API, Invoke).
	tailSize    = 4096
	logReadSize = 16 << 10
	// turn is how much is read before others get their turn: more than a pipe holds on Linux by default (pipe(7)), so
	// that what a worker wrote before it answered is read even while a process that it left behind writes on.
	turn = 128 << 10
)

// logPipe reads the output of one process and passes it on line by line.
type logPipe struct {
	file *os.File
	raw  syscall.RawConn
	fd   uintptr
	sink func(LogLine)
	now  func() time.Time

	mu      sync.Mutex
	open    bool
	buf     []byte
	line    []byte
	tail    []byte
	name    string
	request string
}

func newLogPipe(f *os.File, sink func(LogLine), now func() time.Time) (*logPipe, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	l := &logPipe{file: f, raw: raw, sink: sink, now: now, open: true}
	if err := raw.Control(func(fd uintptr) { l.fd = fd }); err != nil {
		return nil, err
	}
	return l, nil
}

// run reads until the pipe is closed on either side. It lets go of the lock now and then: a function may print without end.
func (l *logPipe) run() {
	_ = l.raw.Read(func(uintptr) bool {
		for {
			l.mu.Lock()
			got := l.drain()
			l.mu.Unlock()
			if got != more {
				return got == ended
			}
			runtime.Gosched()
		}
	})
}

// drained is what a turn of reading came to.
type drained uint8

const (
	nothing drained = iota // there is nothing to read now
	more                   // there may be more
	ended                  // the pipe is closed
)

// drain reads what is there, one turn of it at most. The caller holds l.mu, which keeps the order of what run and end read.
func (l *logPipe) drain() drained {
	if !l.open {
		return ended
	}
	if l.buf == nil {
		l.buf = make([]byte, logReadSize)
	}
	for read := 0; read < turn; {
		n, again, err := readNow(l.fd, l.buf)
		if again {
			return nothing
		}
		if err != nil || n <= 0 {
			return ended
		}
		l.take(l.buf[:n])
		read += n
	}
	return more
}

func (l *logPipe) take(b []byte) {
	if l.tail = append(l.tail, b...); len(l.tail) > 4*tailSize {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-tailSize:]...)
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			i = min(len(b), maxLine-len(l.line))
			l.line = append(l.line, b[:i]...)
			if b = b[i:]; len(l.line) >= maxLine {
				l.flush()
			}
			continue
		}
		if len(l.line)+i > maxLine {
			i = maxLine - len(l.line)
			l.line = append(l.line, b[:i]...)
			l.flush()
			b = b[i:]
			continue
		}
		l.line = append(l.line, b[:i]...)
		l.flush()
		b = b[i+1:]
	}
}

// flush passes the line on, an empty one too.
func (l *logPipe) flush() {
	l.sink(LogLine{Function: l.name, RequestID: l.request, Time: l.now(), Text: string(l.line)})
	if l.line = l.line[:0]; cap(l.line) > logReadSize {
		l.line = nil
	}
}

// bind says whose output it is from now on.
func (l *logPipe) bind(name string) {
	l.mu.Lock()
	l.name = name
	l.mu.Unlock()
}

// begin attributes what is written from now on to an invocation. What was written before stays in the tail only while
// the function was loading.
func (l *logPipe) begin(request string, keepTail bool) {
	l.mu.Lock()
	if !keepTail {
		l.tail = l.tail[:0]
	}
	l.request = request
	l.mu.Unlock()
}

// end reads what the worker wrote before it answered, and returns the last of it when wanted.
func (l *logPipe) end(wanted bool) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drain()
	if len(l.line) > 0 {
		l.flush()
	}
	if !wanted {
		return nil
	}
	return bytes.Clone(l.tail)
}

// finish reads what a dead process has left and closes the pipe.
func (l *logPipe) finish() {
	l.mu.Lock()
	l.drain()
	if len(l.line) > 0 {
		l.flush()
	}
	l.open = false
	l.mu.Unlock()
	l.file.Close()
}
