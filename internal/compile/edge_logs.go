package compile

import (
	"strings"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// logPlan gathers where the standard logs of a distribution go.
type logPlan struct {
	d     *distributionCompiler
	p     *edge.Plan
	where []string
	to    accesslog.Destinations
}

// logging connects a distribution with the places of its standard logs: that of the legacy one, and those of its deliveries.
func (d *distributionCompiler) logging(rec *store.Record, p *edge.Plan, l *cloudfront.LoggingConfig) {
	const path = "DistributionConfig.Logging"
	lp := &logPlan{d: d, p: p}
	source := d.path(rec, path)
	if deref(l.Enabled) {
		name := bucketOf(deref(l.Bucket))
		t := accesslog.Target{Distribution: p.ID, Bucket: name, Prefix: deref(l.Prefix), Cookies: deref(l.IncludeCookies)}
		lp.where = append(lp.where, t.String())
		if instead := d.bucketElsewhere(name, "no standard log is written"); instead != "" {
			d.unsupported(rec, path, instead)
			p.Unsupported = append(p.Unsupported, edge.Unsupported{Name: "Logging", Detail: instead, SourcePath: source})
		} else {
			lp.to.Legacy = append(lp.to.Legacy, t)
		}
	}
	for src, v := range resource.DeliverySources.All(d.view, cloudFrontLogs) {
		if v.Resource == p.ARN {
			lp.deliveries(src, v, deref(l.IncludeCookies))
		}
	}
	if len(lp.where) == 0 {
		return
	}
	p.Logging = &edge.Logging{Where: strings.Join(lp.where, ", "), SourcePath: source}
	if len(lp.to.Legacy)+len(lp.to.Deliveries) == 0 {
		return
	}
	route, err := d.env.EdgeLogs.Route(lp.to)
	if err != nil { // the service has checked the fields
		d.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: source, Message: err.Error()})
		return
	}
	p.Logging.To, p.Logging.Needs = route, route.Needs
}

// cloudFrontLogs is the region of the deliveries of distributions (standard-logging).
const cloudFrontLogs = "us-east-1"

// bucketElsewhere says what a bucket that is not here means: one that is neither of this store nor filled from a folder is on AWS,
// where nothing is put.
func (d *distributionCompiler) bucketElsewhere(name, instead string) string {
	if _, here := resource.Buckets.Get(d.view, resource.Global, name); here || d.env.KeepsBucket != nil && d.env.KeepsBucket(name) {
		return ""
	}
	return "the bucket " + name + " is not here: " + instead + "; make it in the stack, or name a folder for it with --bucket " + name + "=DIR"
}

// deliveries takes up the deliveries of a source.
func (lp *logPlan) deliveries(rec *store.Record, src *resource.DeliverySource, cookies bool) {
	if src.LogType != "ACCESS_LOGS" {
		lp.d.unsupported(rec, "LogType", "no "+src.LogType+" are written: access logs are the only ones here")
		return
	}
	for rec, v := range resource.Deliveries.All(lp.d.view, cloudFrontLogs) {
		if v.Source == src.Name {
			lp.delivery(rec, v, cookies)
		}
	}
}

// formats are the output formats that are written here, with those of destinations that name none.
var formats = map[string]accesslog.Format{"w3c": accesslog.W3C, "json": accesslog.JSON, "plain": accesslog.Plain, "raw": accesslog.Raw}

func (lp *logPlan) delivery(rec *store.Record, v *resource.Delivery, cookies bool) {
	a, _ := arn.Parse(v.Destination)
	dst, ok := resource.DeliveryDestinations.Get(lp.d.view, cloudFrontLogs, strings.TrimPrefix(a.Resource, "delivery-destination:"))
	if !ok {
		return // its deletion is refused while there are deliveries
	}
	to, _ := arn.Parse(dst.Resource)
	d := accesslog.Delivery{Distribution: lp.p.ID, Account: lp.d.env.Account, Fields: v.Fields, Delimiter: v.Delimiter, Suffix: v.SuffixPath, Hive: v.Hive, Cookies: cookies}
	instead := ""
	switch dst.Type {
	case "S3":
		d.Bucket, d.Prefix, _ = strings.Cut(to.Resource, "/")
		instead = lp.d.bucketElsewhere(d.Bucket, "nothing is delivered")
	case "CWL":
		d.Region, d.Group = to.Region, strings.TrimSuffix(strings.TrimPrefix(to.Resource, "log-group:"), ":*")
		d.Format = accesslog.JSON
		if _, here := resource.LogGroups.Get(lp.d.view, d.Region, d.Group); !here {
			instead = "the log group " + d.Group + " of " + d.Region + " is not here: nothing is delivered"
		}
	default:
		instead = "nothing is delivered to destinations of the type " + dst.Type + ": deliver to a bucket or to a log group"
	}
	if f, known := formats[dst.OutputFormat]; known {
		d.Format = f
	} else if dst.OutputFormat != "" {
		instead = "nothing is delivered in the format " + dst.OutputFormat + ": json, w3c, plain and raw are written"
	}
	lp.where = append(lp.where, d.String())
	if instead != "" {
		lp.d.unsupported(rec, "DeliveryDestinationArn", instead)
		lp.p.Unsupported = append(lp.p.Unsupported, edge.Unsupported{Name: "DeliveryDestinationArn", Detail: instead, SourcePath: lp.d.path(rec, "DeliveryDestinationArn")})
		return
	}
	lp.to.Deliveries = append(lp.to.Deliveries, d)
}

// realtimeLog connects a behavior with the streams of its real-time log.
func (d *distributionCompiler) realtimeLog(rec *store.Record, out *edge.Behavior, path, config string) {
	_, name, _ := strings.Cut(config, "realtime-log-config/")
	v, ok := resource.RealtimeLogConfigs.Get(d.view, resource.Global, name)
	if !ok { // the service has checked it
		return
	}
	l := &edge.RealtimeLog{SamplingRate: deref(v.SamplingRate)}
	var to accesslog.Destinations
	var where []string
	for _, e := range v.EndPoints {
		a, _ := arn.Parse(deref(e.KinesisStreamConfig.StreamARN))
		stream := strings.TrimPrefix(a.Resource, "stream/")
		to.Streams = append(to.Streams, accesslog.Stream{Name: stream, Fields: v.Fields})
		where = append(where, "stream "+stream)
	}
	l.Where = strings.Join(where, ", ")
	if out.RealtimeLog = l; !d.env.RealtimeLogs {
		d.behaviorNote(rec, out, path, "RealtimeLogConfigArn", "there is no Kinesis here: no real-time log is written; name a folder for it with --realtime-logs DIR")
		return
	}
	if route, err := d.env.EdgeLogs.Route(to); err == nil {
		l.To, l.Needs = route, route.Needs
	}
}

// bucketOf takes the name of a bucket out of its domain name, as name.s3.amazonaws.com.
func bucketOf(domain string) string {
	if m := bucketDomain.FindStringSubmatch(strings.ToLower(domain)); m != nil {
		return m[1]
	}
	return domain
}

// monitoring notes that additional metrics are asked for.
func (d *distributionCompiler) monitoring() {
	for rec, v := range resource.MonitoringSubscriptions.All(d.view, resource.Global) {
		if c := v.RealtimeMetricsSubscriptionConfig; c != nil && deref(c.RealtimeMetricsSubscriptionStatus) == "Enabled" {
			d.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: d.path(rec, "MonitoringSubscription"),
				Message: "MonitoringSubscription is stored: there are no metrics here"})
		}
	}
}
