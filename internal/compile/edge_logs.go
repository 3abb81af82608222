package compile

import (
	"strings"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// logging connects a distribution with the bucket of its standard log. A bucket that is neither of this store nor filled from a
// folder is on AWS, where nothing is put.
func (d *distributionCompiler) logging(rec *store.Record, p *edge.Plan, l *cloudfront.LoggingConfig) {
	const path = "DistributionConfig.Logging"
	name := bucketOf(deref(l.Bucket))
	t := accesslog.Target{Distribution: p.ID, Bucket: name, Prefix: deref(l.Prefix)}
	p.Logging = &edge.Logging{Where: t.String(), Cookies: deref(l.IncludeCookies), SourcePath: d.path(rec, path)}
	_, here := resource.Buckets.Get(d.view, resource.Global, name)
	if !here && (d.env.KeepsBucket == nil || !d.env.KeepsBucket(name)) {
		instead := "the bucket " + name + " is not here: no standard log is written; make it in the stack, or name a folder for it with --bucket " + name + "=DIR"
		d.unsupported(rec, path, instead)
		p.Unsupported = append(p.Unsupported, edge.Unsupported{Name: "Logging", Detail: instead, SourcePath: p.Logging.SourcePath})
		return
	}
	p.Logging.To = d.env.EdgeLogs.Sink(t)
}

// bucketOf takes the name of a bucket out of its domain name, as name.s3.amazonaws.com.
func bucketOf(domain string) string {
	if m := bucketDomain.FindStringSubmatch(strings.ToLower(domain)); m != nil {
		return m[1]
	}
	return domain
}
