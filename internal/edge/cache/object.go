package cache

import (
	"strconv"
	"time"
	"unsafe"

	"github.com/foregate/foregate/internal/message"
)

// Object is one stored answer. It never changes once it is admitted.
type Object struct {
	// Distribution and Target (raw path, with "?" and query when there was one) are what an invalidation names.
	Distribution, Target string
	Status               int
	// Head has the fields of the origin that viewers get, but for Via, whose value CloudFront continues. Where the answer
	// is an origin's, Content-Type and Date come first, as in CloudFront's answers.
	Head *message.Lines
	Via  string
	// Body is the whole body when it is in memory. It is nil while a Stream still fills it, for a body that is a File, and
	// for an answer to HEAD.
	Body []byte
	// File is the body of an object that is on disk, nil for others.
	File *File
	// Parts are the parts of the body that are known, where not all of it is; they ascend and do not overlap. Such objects have
	// keys of their own (see AdmitPart).
	Parts []Part
	// HeadOnly is an answer to HEAD, and Length the length that GET would have, -1 when the origin did not say. Of an object
	// of parts, it is the complete length.
	HeadOnly bool
	Length   int64
	// Unsized is a body that came without a length: it goes without one to viewers as well, in chunks over HTTP/1.1
	// (DG-requestandresponsebehaviorcustomorigin, Transfer-Encoding).
	Unsized bool
	// Stored is when the origin confirmed the object last, Age how old it said it was then, Expires when it goes stale.
	Stored, Expires time.Time
	Age             time.Duration
	// Retry is until when the expired object answers because the origin has failed.
	Retry time.Time
	// StaleWhileRevalidate and StaleIfError extend the use after Expires; StaleIfError is -1 when the origin did not say.
	StaleWhileRevalidate, StaleIfError time.Duration
	// ETag and LastModified are the validators, "" when absent.
	ETag, LastModified string
	// Result is the X-Cache value of hits when it is not a plain hit (an error), else "".
	Result string
	// Self is true for a page that CloudFront made itself.
	Self bool
	// Epoch is what Cache.Epoch said before the object was fetched: an invalidation since then keeps it out.
	Epoch uint64

	// onDisk is true for an object in memory that the disk has as well.
	onDisk bool
}

// Usable tells whether the object may answer at now without asking the origin.
func (o *Object) Usable(now time.Time) bool { return now.Before(o.Expires) || now.Before(o.Retry) }

// Size is the length of the body; of an answer to HEAD, and of parts, the length that the whole has.
func (o *Object) Size() int64 {
	switch {
	case o.HeadOnly, o.Parts != nil:
		return o.Length
	case o.File != nil:
		return o.File.size
	}
	return int64(len(o.Body))
}

// Header returns the fields with Via, in memory of their own.
func (o *Object) Header() message.Header {
	h := o.Head.Append(make(message.Header, 0, 16))
	if o.Via != "" {
		h.Add("Via", o.Via)
	}
	return h
}

// AppendAge writes the value of Age for now.
func (o *Object) AppendAge(dst []byte, now time.Time) []byte {
	return strconv.AppendInt(dst, max(int64((now.Sub(o.Stored)+o.Age)/time.Second), 0), 10)
}

// Renewed returns a copy that was confirmed at now and is fresh until expires; the body is shared.
func (o *Object) Renewed(now, expires time.Time) *Object {
	n := *o
	n.Stored, n.Expires, n.Age, n.Retry, n.onDisk = now, expires, 0, time.Time{}, false
	return &n
}

// overhead is what an entry costs in memory besides its strings and its body: the object, the entry, the table of fields, and
// the place in the map. TestMemoryPerObject measures it.
const overhead = int64(unsafe.Sizeof(Object{})+unsafe.Sizeof(entry{})+unsafe.Sizeof(message.Lines{})) + 112

// round is the least that the allocator gives for n bytes, roughly.
func round(n int) int64 { return int64(n+15) &^ 15 }

func (o *Object) size(key int) int64 {
	n := overhead + round(key) + round(len(o.Body)) + round(len(o.Target)) + round(len(o.Via))
	if o.Head != nil {
		n += round(len(o.Head.Text))
	}
	for _, p := range o.Parts {
		n += round(cap(p.Body)) + int64(unsafe.Sizeof(p))
	}
	return n
}
