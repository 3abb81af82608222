package head

import (
	"context"
	"net/http"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Refuse gives the answer to a request that is refused. j has all but Status and Host, reject may be nil, and scheme is the
// connection's.
func (h *Head) Refuse(ctx context.Context, j *http1.Rejection, scheme string, reject func(context.Context, *http1.Rejection) *message.Response) *message.Response {
	j.Status = j.Err.Status()
	for _, host := range []string{h.Authority, h.Host} {
		if j.Host == "" && http1.ValidHost(host) {
			j.Host = http1.TrimPort(host, scheme)
		}
	}
	var resp *message.Response
	if reject != nil {
		resp = reject(ctx, j)
	}
	if !Sendable(resp) {
		resp = message.Text(j.Status, "text/plain; charset=utf-8", http.StatusText(j.Status)+"\n")
	}
	return resp
}

// Sendable tells whether an answer's status and fields may be sent.
func Sendable(resp *message.Response) bool {
	if resp == nil || resp.Status < 200 || resp.Status > 999 {
		return false
	}
	for i := range resp.Header {
		if f := &resp.Header[i]; !http1.ValidName(f.Name) || !http1.ValidValue(f.Value) {
			return false
		}
	}
	return true
}
