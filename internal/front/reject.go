package front

import (
	"context"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Refuser is a service that has its own answers to what a protocol engine refuses before it is a request.
type Refuser interface {
	// Refuse returns nil where it has none.
	Refuse(ctx context.Context, r *http1.Rejection) *message.Response
}

// reject has a malformed request answered in the words of the service that it was probably for: by its Host, as far as that
// could be read, else by the name that the client connected to.
func (f *Front) reject(ctx context.Context, r *http1.Rejection) *message.Response {
	if f.opts.Reject != nil {
		return f.opts.Reject(ctx, r)
	}
	host := r.Host
	if host == "" && r.TLS != nil {
		host = r.TLS.ServerName
	}
	name, _ := stripLocalhost(Canonical(host))
	h, _, ok := f.Snapshot().Resolve(name)
	if service, has := h.(Refuser); ok && has {
		return service.Refuse(ctx, r)
	}
	return nil
}
