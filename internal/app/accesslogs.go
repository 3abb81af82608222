package app

import (
	"bytes"
	"context"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/bucket"
)

// openAccessLogs makes what delivers the access logs of distributions. A node for one request writes none.
func (n *Node) openAccessLogs() (err error) {
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
		o.Event = func(region, group, stream string, at time.Time, line string) {
			n.edgeLogs(region, group, stream, at, line)
		}
		if n.opts.RealtimeLogs != "" {
			if n.streams, err = accesslog.OpenStreams(n.opts.RealtimeLogs); err != nil {
				return err
			}
			o.Streams = n.streams
		}
	}
	n.accessLogs = accesslog.New(o)
	return nil
}
