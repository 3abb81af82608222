package bucket

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// ErrNotFound is what Objects return for a key that does not exist.
var ErrNotFound = errors.New("no such object")

// ErrBadKey is what Put returns for a key that this kind of Objects cannot keep, such as one with ".." in a folder.
var ErrBadKey = errors.New("the key cannot be kept here")

// Objects is where a bucket's objects are. Implementations are safe for use by several goroutines.
type Objects interface {
	// Head returns what is known of an object.
	Head(ctx context.Context, key string) (Info, error)
	// Get opens an object. What it returns stays the object as it was, whatever happens to the key.
	Get(ctx context.Context, key string) (*Object, error)
	// List yields the keys that begin with prefix and sort behind after, in the order of their bytes.
	List(ctx context.Context, prefix, after string) iter.Seq2[string, error]
	// Put reads body to its end and keeps it under key. When body fails nothing changes.
	Put(ctx context.Context, key string, body io.Reader, a Attributes) (Info, error)
	// Delete removes an object; it is no error when there is none.
	Delete(ctx context.Context, key string) error
}

// Attributes are the headers that are kept with an object. An empty one is not sent.
type Attributes struct {
	ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Expires string
	// RedirectLocation is x-amz-website-redirect-location.
	RedirectLocation string
	// Metadata are the x-amz-meta- headers, in order.
	Metadata []message.Field
}

// Info describes an object.
type Info struct {
	Attributes
	Size    int64
	ModTime time.Time
	// ETag has its quotes.
	ETag string
}

// Object is an open object. Whoever gets it closes Content.
type Object struct {
	Info
	Content interface {
		io.ReaderAt
		io.Closer
	}
}

// defaultContentType is what S3 gives an object that was put without one.
const defaultContentType = "binary/octet-stream"

// section is part of an object as a response body. An object that ends too soon is an error, so that the client's
// connection shows it.
type section struct {
	obj       *Object
	off, left int64
}

func (s *section) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.obj.Content.ReadAt(p, s.off)
	s.off += int64(n)
	s.left -= int64(n)
	if err == io.EOF {
		err = nil
		if s.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (s *section) Close() error { return s.obj.Content.Close() }
