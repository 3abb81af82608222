package awsapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// reading says how a body is read into memory.
type reading struct {
	most int64
	// counted bodies count for Limits.Bodies. Those of unknown senders do not, so that they cannot keep others out.
	counted bool
	// operation is what the body is for, "" when that is not known.
	operation string
}

// firstRoom is how much room a body gets before any of it has come, if it says that it is that long: what it says is believed
// only as it comes.
const firstRoom = 512 << 10

// read takes the body into memory and leaves it in the request to be read again.
func (s *Server) read(in *incoming, o reading) *Error {
	in.body = nil
	if in.Body == nil {
		return nil
	}
	if in.ContentLength > o.most {
		return tooLarge(o)
	}
	b := make([]byte, 0, min(max(in.ContentLength, 511)+1, firstRoom))
	for {
		if err := s.hold(in, int64(cap(b)), o); err != nil {
			return err
		}
		n, err := in.Body.Read(b[len(b):cap(b)])
		if b = b[:len(b)+n]; int64(len(b)) > o.most {
			return tooLarge(o)
		}
		switch {
		case err == io.EOF:
			in.body = b
			in.Body = bytes.NewReader(b)
			in.ContentLength = int64(len(b))
			return nil
		case err != nil:
			return &Error{Code: "RequestTimeout", Status: http.StatusBadRequest, Message: "The request body could not be read.", Err: err}
		case len(b) == cap(b):
			room := min(2*int64(cap(b)), o.most+1)
			if err := s.hold(in, room, o); err != nil {
				return err
			}
			b = append(make([]byte, 0, room), b...)
		}
	}
}

// hold counts up to n bytes for a request, if there is room for them.
func (s *Server) hold(in *incoming, n int64, o reading) *Error {
	more := n - in.held
	if !o.counted || more <= 0 {
		return nil
	}
	if s.reading.Add(more) > in.limits.Bodies {
		s.reading.Add(-more)
		// text: our words. SDKs try again at this status.
		return StatusErrorf(http.StatusServiceUnavailable, "ServiceUnavailable", "Too many large requests are under way. Try again later.")
	}
	in.held = n
	return nil
}

// release gives back what a request has held.
func (s *Server) release(in *incoming) {
	s.reading.Add(-in.held)
	in.held = 0
}

func tooLarge(o reading) *Error {
	text := fmt.Sprintf("Request must be smaller than %d bytes", o.most)
	if o.operation != "" {
		text += " for the " + o.operation + " operation"
	}
	return StatusErrorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "%s", text)
}
