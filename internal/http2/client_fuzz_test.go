package http2

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// FuzzClient gives bytes of a server to a client's connection: what it takes for an answer may be handed on, and it ends.
func FuzzClient(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x03\x00\x01\x00\x00\x00\x01abc"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, p []byte) {
		near, far := newPipe(1 << 20)
		k := NewClientConn(near, ClientOptions{})
		go func() {
			_, _ = far.Write(p)
			_ = far.CloseWrite()
		}()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		defer far.Close()
		defer k.Close()
		if !k.Reserve() {
			return
		}
		resp, err := k.RoundTrip(context.Background(), getRequest("/"), Call{})
		if err != nil {
			return
		}
		if resp.Status < 200 || resp.Status > 999 {
			t.Errorf("took status %d", resp.Status)
		}
		if resp.Body != nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		check := func(h message.Header) {
			for _, f := range h {
				if strings.ContainsAny(f.Name+f.Value, "\r\n\x00") || f.Name == "" || strings.ToLower(f.Name) != f.Name || f.Name[0] == ':' {
					t.Errorf("took field %q: %q", f.Name, f.Value)
				}
			}
		}
		check(resp.Header)
		if resp.Trailer != nil {
			check(resp.Trailer())
		}
	})
}
