package accesslog

import (
	"fmt"
	"time"
)

// Target is where the standard log (legacy) of a distribution goes.
type Target struct {
	Distribution   string
	Bucket, Prefix string
	// Cookies is cookie logging.
	Cookies bool
}

// String names the target for people.
func (t Target) String() string { return "s3://" + t.Bucket + "/" + slashed(t.Prefix) }

// Delivery is one of standard logging (v2): the records of a distribution on their way to a bucket or to a log group.
type Delivery struct {
	Distribution, Account string
	// Bucket gets files, in a folder made of Prefix and Suffix; Hive writes the variables of Suffix with their names.
	Bucket, Prefix, Suffix string
	Hive                   bool
	// Group of Region gets events where there is no Bucket.
	Region, Group string
	Fields        []string
	Format        Format
	Delimiter     string
	Cookies       bool
}

// String names the place for people.
func (d *Delivery) String() string {
	if d.Bucket != "" {
		return "s3://" + d.Bucket + "/" + slashed(d.Prefix)
	}
	return "log group " + d.Group
}

// Stream is where real-time logs go: a data stream of Kinesis, by its name, with the fields of its records.
type Stream struct {
	Name   string
	Fields []string
}

// Route is where the records of some requests go. It is made by a Collector, and immutable.
type Route struct {
	c       *Collector
	outputs []output
	// Needs is what its records have to have.
	Needs Needs
}

// output takes records; only the collector's goroutine calls it.
type output interface {
	add(r *Record)
}

// Log takes a copy of a record. It never waits: when too many are waiting it is dropped and counted.
func (t *Route) Log(r *Record) { t.c.take(t, r) }

// Destinations are what a Route is made of.
type Destinations struct {
	Legacy     []Target
	Deliveries []Delivery
	Streams    []Stream
}

// Route makes the route to some destinations. A nil Collector, or one that delivers nothing, has none.
func (c *Collector) Route(d Destinations) (*Route, error) {
	t := &Route{c: c}
	for _, v := range d.Legacy {
		v.Prefix = slashed(v.Prefix) // standard-logging-legacy-s3: CloudFront appends the slash
		out, err := c.output(fmt.Sprintf("%+v", v), func() (output, error) {
			l, err := newLayout(names(columns()[:legacyColumns]), W3C, "\t", v.Cookies)
			return &bucketLog{c: c, bucket: v.Bucket, layout: l, distribution: v.Distribution, folder: func(*Record) string { return v.Prefix }}, err
		})
		if err != nil {
			return nil, err
		}
		t.outputs = append(t.outputs, out)
	}
	for _, v := range d.Deliveries {
		l, err := newLayout(v.Fields, v.Format, v.Delimiter, v.Cookies)
		if err != nil {
			return nil, err
		}
		t.Needs |= l.needs()
		out, _ := c.output(fmt.Sprintf("%+v", v), func() (output, error) {
			if v.Bucket != "" {
				return &bucketLog{c: c, bucket: v.Bucket, layout: l, distribution: v.Distribution, folder: v.folder}, nil
			}
			return &groupLog{c: c, region: v.Region, group: v.Group, stream: "CloudFront_" + v.Distribution, layout: l}, nil
		})
		t.outputs = append(t.outputs, out)
	}
	for _, v := range d.Streams {
		l := realTimeLayout(v.Fields)
		t.Needs |= l.needs()
		out, _ := c.output(fmt.Sprintf("%+v", v), func() (output, error) { return &streamLog{c: c, name: v.Name, layout: l}, nil })
		t.outputs = append(t.outputs, out)
	}
	return t, nil
}

// output returns the output of a name, the same one each time: files go on while plans are replaced.
func (c *Collector) output(key string, make func() (output, error)) (output, error) {
	if c == nil {
		return make()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.outputs[key]; o != nil {
		return o, nil
	}
	o, err := make()
	if err == nil {
		c.outputs[key] = o
	}
	return o, err
}

// bucketLog writes files into a bucket.
type bucketLog struct {
	c            *Collector
	bucket       string
	distribution string
	layout       *layout
	folder       func(*Record) string
	// last is the file of hour, which most records go to as well; hour counts from the epoch.
	last *file
	hour int64
}

func (o *bucketLog) add(r *Record) {
	f := o.last
	if hour := r.Ended.Unix() / 3600; f == nil || f.over || hour != o.hour {
		f = o.file(fileKey{o, o.folder(r), r.Ended.UTC().Format("2006-01-02-15")})
		o.last, o.hour = f, hour
	}
	f.text.Write(append(o.layout.append(f.text.AvailableBuffer(), r), '\n'))
	if f.n++; f.text.Len() >= maxFile {
		o.c.deliver(f)
	}
}

// file returns the file of a folder and an hour.
func (o *bucketLog) file(k fileKey) *file {
	f := o.c.files[k]
	if f == nil {
		f = &file{key: k}
		f.text.WriteString(o.layout.head())
		if len(o.c.files) == 0 {
			o.c.timer.Reset(o.c.opts.Every)
		}
		o.c.files[k] = f
	}
	return f
}

// groupLog writes events into a log group. The name of the stream is what live accounts show.
type groupLog struct {
	c                     *Collector
	region, group, stream string
	layout                *layout
	line                  []byte
}

func (o *groupLog) add(r *Record) {
	if o.c.opts.Event == nil {
		return
	}
	o.line = o.layout.append(o.line[:0], r)
	o.c.opts.Event(o.region, o.group, o.stream, r.Ended, string(o.line))
}

// streamLog adds records to a stream of Kinesis: each ends with a line feed.
type streamLog struct {
	c      *Collector
	name   string
	layout *layout
}

func (o *streamLog) add(r *Record) {
	b := o.c.streams[o.name]
	if b == nil {
		b = &[]byte{}
		o.c.streams[o.name] = b
	}
	*b = append(o.layout.append(*b, r), '\n')
}

// Event takes a line for a stream of a log group.
type Event func(region, group, stream string, at time.Time, line string)
