package awsapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// fillTokens gives an idempotency token to an input that lacks a required one: clients are to make one up, and a request
// by hand need not.
func fillTokens(s *Shape, in any) {
	if s == nil {
		return
	}
	v := reflect.ValueOf(in).Elem()
	for _, m := range s.Members {
		if f := v.Field(m.Field); m.IdempotencyToken && m.Required && m.Shape.Kind == String && f.IsNil() {
			place(f).SetString(NewUUID())
		}
	}
}

// unchunk takes the aws-chunked coding off the body of an S3 request. SDKs send it for uploads, with a checksum behind
// the body (S3 API reference, SigV4 streaming). The signatures of the chunks and the checksum are not verified: the
// signature of the head is, by Authenticate.
func unchunk(in *incoming) *Error {
	if !in.match.Service.isS3() || !strings.HasPrefix(in.Request.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return nil
	}
	if in.Body == nil {
		return nil
	}
	length := int64(-1)
	if text := in.Request.Header.Get("X-Amz-Decoded-Content-Length"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return StatusErrorf(http.StatusBadRequest, "InvalidArgument", "invalid x-amz-decoded-content-length")
		}
		length = n
	}
	in.ContentLength = length
	var codings []string
	for c := range strings.SplitSeq(in.Request.Header.Get("Content-Encoding"), ",") {
		if c = strings.TrimSpace(c); c != "" && !strings.EqualFold(c, "aws-chunked") {
			codings = append(codings, c)
		}
	}
	if codings == nil {
		in.Request.Header.Del("Content-Encoding")
	} else {
		in.Request.Header.Set("Content-Encoding", strings.Join(codings, ","))
	}
	body := &chunkReader{r: bufio.NewReader(in.Body), want: length}
	if in.body == nil {
		in.Body = body
		return nil
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return &Error{Code: "IncompleteBody", Status: http.StatusBadRequest, Err: err,
			Message: "The request body terminated unexpectedly"}
	}
	in.body, in.Body = b, bytes.NewReader(b)
	return nil
}

// chunkReader reads a body in the aws-chunked coding: SIZE[;chunk-signature=…]CRLF DATA CRLF … 0[;…]CRLF trailers CRLF.
type chunkReader struct {
	r    *bufio.Reader
	left int64 // of the current chunk
	read int64
	want int64 // -1: not known
	// started is true once a chunk has begun, so that the CRLF behind its data is due.
	started bool
	err     error
}

var errChunk = errors.New("read aws-chunked body: malformed chunk")

// Read returns decoded bytes.
func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if c.err = c.next(); c.err != nil {
			return 0, c.err
		}
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.read += int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	return n, err
}

// next reads the head of a chunk; it returns io.EOF behind the last one.
func (c *chunkReader) next() error {
	if c.started {
		if line, err := c.line(); err != nil || line != "" {
			return errors.Join(errChunk, err)
		}
	}
	c.started = true
	line, err := c.line()
	if err != nil {
		return errors.Join(errChunk, err)
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 62)
	if err != nil {
		return errChunk
	}
	if n > 0 {
		c.left = int64(n)
		return nil
	}
	for range 32 { // trailers, up to the empty line or the end
		line, err := c.line()
		if err == io.EOF || err == nil && line == "" {
			if c.want >= 0 && c.read != c.want {
				return fmt.Errorf("read aws-chunked body: %d bytes where %d were announced", c.read, c.want)
			}
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
	return errChunk
}

func (c *chunkReader) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	if err == io.EOF && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
