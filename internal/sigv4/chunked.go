package sigv4

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// The values of x-amz-content-sha256 that announce a body in chunks (S3 API reference, sigv4-streaming).
const (
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// ErrChunkSignature is what a chunk reader returns for a chunk or a trailer whose signature is wrong.
var ErrChunkSignature = errors.New("chunk signature does not match")

// ErrChunkFraming is what a chunk reader returns for a body that is not in aws-chunked form.
var ErrChunkFraming = errors.New("body is not in aws-chunked form")

// ChunkReader takes the aws-chunked form off a body and verifies the chunks as they pass. Data of a chunk is given out
// before its signature is known to be right, so the receiver must throw everything away on an error.
type ChunkReader struct {
	r       *bufio.Reader
	seed    seed
	signed  bool
	trailer bool
	prev    string
	left    int64
	sum     hash.Hash
	want    string // signature of the current chunk
	fields  message.Header
	err     error
	started bool
}

// NewChunkReader returns a reader of the data in body; false when the kind of streaming that the request announces is
// unknown (the ECDSA ones are).
func NewChunkReader(res Result, body io.Reader) (*ChunkReader, bool) {
	c := &ChunkReader{r: bufio.NewReader(body), seed: res.seed, prev: res.seed.signature, sum: sha256.New()}
	switch res.PayloadHash {
	case StreamingSigned:
		c.signed = true
	case StreamingSignedTrailer:
		c.signed, c.trailer = true, true
	case StreamingUnsignedTrailer:
		c.trailer = true
	default:
		return nil, false
	}
	return c, true
}

// Trailer returns the trailing fields, after Read returned io.EOF.
func (c *ChunkReader) Trailer() message.Header { return c.fields }

// Read reads data.
func (c *ChunkReader) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.signed {
		c.sum.Write(p[:n])
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	return n, err
}

// next finishes a chunk and begins another.
func (c *ChunkReader) next() {
	if c.started {
		if line, err := c.line(); err != nil || line != "" {
			c.fail(err)
			return
		}
		if c.err = c.check(); c.err != nil {
			return
		}
	}
	c.started = true
	line, err := c.line()
	if err != nil {
		c.fail(err)
		return
	}
	size, ext, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 62)
	if err != nil || size == "" {
		c.fail(nil)
		return
	}
	c.left, c.want = int64(n), ""
	if sig, ok := strings.CutPrefix(ext, "chunk-signature="); ok {
		c.want = sig
	}
	if n == 0 {
		c.finish()
	}
}

// maxLine is longer than any line of the form.
const maxLine = 8 << 10

func (c *ChunkReader) line() (string, error) {
	var b []byte
	for {
		part, err := c.r.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > maxLine {
			return "", ErrChunkFraming
		}
		if err == nil {
			return strings.TrimSuffix(string(b[:len(b)-1]), "\r"), nil
		}
		if err != bufio.ErrBufferFull {
			return string(b), err
		}
	}
}

func (c *ChunkReader) fail(err error) {
	switch {
	case err == io.EOF:
		c.err = io.ErrUnexpectedEOF
	case err != nil:
		c.err = err
	default:
		c.err = ErrChunkFraming
	}
}

// check compares the signature of the chunk that was read.
func (c *ChunkReader) check() error {
	if !c.signed {
		return nil
	}
	sum := hex.EncodeToString(c.sum.Sum(nil))
	c.sum.Reset()
	return c.compare("AWS4-HMAC-SHA256-PAYLOAD", EmptyHash+"\n"+sum, c.want)
}

func (c *ChunkReader) compare(kind, rest, got string) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.sts = fmt.Appendf(s.sts[:0], "%s\n%s\n%s\n%s\n%s", kind, c.seed.date, c.seed.scope, c.prev, rest)
	c.seed.key.sign(s)
	if len(got) != len(s.hex) || !equal(s.hex[:], got) {
		return ErrChunkSignature
	}
	c.prev = got
	return nil
}

// finish reads what follows the last chunk: its empty line or the trailer.
func (c *ChunkReader) finish() {
	if c.err = c.check(); c.err != nil {
		return
	}
	var canonical strings.Builder
	signature := ""
	for total := 0; ; {
		line, err := c.line()
		if total += len(line); total > maxLine {
			c.fail(nil)
			return
		}
		if err != nil && (err != io.EOF || line != "") {
			c.fail(err)
			return
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !c.trailer {
			c.fail(nil)
			return
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		c.fields.Add(name, value)
		canonical.WriteString(name + ":" + value + "\n")
	}
	if c.signed && c.trailer {
		sum := sha256.Sum256([]byte(canonical.String()))
		if c.err = c.compare("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(sum[:]), signature); c.err != nil {
			return
		}
	}
	c.err = io.EOF
}
