package accesslog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// maxStream is how much a stream's file has at most: then it becomes the older one, and the older one before it goes.
const maxStream = 64 << 20

// Streams takes the place of Kinesis: a folder with a file for each stream, NAME.log, to which records are appended. Make it with
// OpenStreams, and Close it.
type Streams struct {
	dir   string
	limit int64
	mu    sync.Mutex
	files map[string]*os.File
}

// OpenStreams uses a folder, making it when need be.
func OpenStreams(dir string) (*Streams, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open folder of real-time logs: %w", err)
	}
	return &Streams{dir: dir, limit: maxStream, files: map[string]*os.File{}}, nil
}

// write appends whole records to a stream.
func (s *Streams) write(name string, records []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, filepath.Base(name)+".log")
	f := s.files[name]
	if f == nil {
		var err error
		if f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		s.files[name] = f
	}
	if info, err := f.Stat(); err != nil {
		return err
	} else if info.Size() > 0 && info.Size()+int64(len(records)) > s.limit {
		delete(s.files, name)
		if err := errors.Join(f.Close(), os.Rename(path, path+".1")); err != nil {
			return err
		}
		if f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		s.files[name] = f
	}
	_, err := f.Write(records)
	return err
}

// Close closes the files.
func (s *Streams) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	clear(s.files)
	return err
}
