package app

import (
	"bytes"
	"context"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/bucket"
)

// openAccessLogs makes what delivers the standard logs of distributions. A node for one request writes none.
func (n *Node) openAccessLogs() *accesslog.Collector {
	o := accesslog.Options{Every: n.opts.LogEvery, Log: n.opts.Log}
	if !n.opts.Local {
		o.Put = func(ctx context.Context, name, key string, body []byte) error {
			objects, err := n.objects.of(name, "")
			if err != nil {
				return err
			}
			_, err = objects.Put(ctx, key, bytes.NewReader(body), bucket.Attributes{ContentType: "application/x-gzip"})
			return err
		}
	}
	return accesslog.New(o)
}
