// Package bucket is the data plane of S3 as an origin shows it: objects over REST, listings, and website endpoints.
//
// Start with Service, which picks a bucket by the Host header and answers like S3, and with Plan, the immutable
// configuration of one bucket. Objects is where the bytes are: a folder (NewFolder) or memory (NewMemory). The package
// must not know CloudFront: an edge says with WithServicePrincipal or WithOriginAccessIdentity on whose behalf it asks. It
// does not know the S3 API's bucket operations either; those go to Options.Fallback.
//
// Caveats: ACLs do not exist (every bucket is "bucket owner enforced", the default since 2023); there are no versions,
// multipart uploads, copies, tags or encryption keys. Requests for them are answered with 501 NotImplemented or
// S3's own refusal, never half done.
package bucket

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

// Plan is one bucket, compiled. It is immutable; Objects has its own synchronisation.
type Plan struct {
	Name, Region, Account string
	// SourcePath is the bucket's place in the template, PolicyPath the bucket policy's, for findings.
	SourcePath, PolicyPath string
	// Policy is the bucket policy, nil when there is none.
	Policy *iam.Document
	// PublicAccess is the public access block. New buckets have all of it.
	PublicAccess PublicAccessBlock
	// Website is nil when the bucket is no website.
	Website *Website
	// CORS are the rules of the CORS configuration, in their order; the first that matches counts.
	CORS    []CORSRule
	Objects Objects
}

// ARN returns the bucket's ARN.
func (p *Plan) ARN() string { return "arn:" + arn.Partition(p.Region) + ":s3:::" + p.Name }

// PublicAccessBlock is what stops a policy from opening a bucket to everyone. The two settings about ACLs mean nothing
// here, where there are none.
type PublicAccessBlock struct {
	BlockPublicAcls, IgnorePublicAcls bool
	// BlockPublicPolicy makes PutBucketPolicy refuse a public policy; see PolicyIsPublic.
	BlockPublicPolicy bool
	// RestrictPublicBuckets leaves a bucket with a public policy to its own account and to AWS services.
	RestrictPublicBuckets bool
}

// Options make a Service.
type Options struct {
	Directory iam.Directory
	// Verifier checks signatures; make it once with NewVerifier and share it between revisions, for its key cache. Nil
	// makes one.
	Verifier *sigv4.Verifier
	// Fallback answers what the data plane does not: bucket operations and the service's own, such as ListBuckets. Nil
	// answers 501 NotImplemented.
	Fallback message.Handler
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NewIDs returns x-amz-request-id and x-amz-id-2; nil makes random ones.
	NewIDs func() (requestID, hostID string)
}

// Service serves the buckets of all regions. It is immutable: a new revision makes a new one.
type Service struct {
	opt     Options
	buckets map[string]*Plan
	public  map[*Plan]bool
}

// New returns a Service with these buckets.
func New(o Options, plans []*Plan) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewIDs == nil {
		o.NewIDs = randomIDs
	}
	if o.Verifier == nil {
		o.Verifier = NewVerifier(o.Directory, o.Now)
	}
	s := &Service{opt: o, buckets: make(map[string]*Plan, len(plans)), public: make(map[*Plan]bool)}
	for _, p := range plans {
		s.buckets[p.Name] = p
		s.public[p] = p.Policy != nil && PolicyIsPublic(p.Policy)
	}
	return s
}

// NewVerifier returns a verifier with S3's rules over a directory.
func NewVerifier(d iam.Directory, now func() time.Time) *sigv4.Verifier {
	return sigv4.NewVerifier(sigv4.Options{Service: "s3", Dialect: sigv4.S3, Now: now, Lookup: func(id string) (sigv4.Key, bool) {
		if d == nil {
			return sigv4.Key{}, false
		}
		i, ok := d.Lookup(id)
		if !ok {
			return sigv4.Key{}, false
		}
		return sigv4.Key{Secret: i.Secret, SessionToken: i.SessionToken, Expires: i.Expires}, true
	}})
}

const idLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func randomIDs() (string, string) {
	var id [16]byte
	n := rand.Uint64()
	for i := range id {
		id[i] = idLetters[n&31]
		if n >>= 5; i == 11 {
			n = rand.Uint64()
		}
	}
	var host [56]byte
	for i := 0; i < len(host); i += 8 {
		for j, n := 0, rand.Uint64(); j < 8; j++ {
			host[i+j], n = byte(n), n>>8
		}
	}
	return string(id[:]), base64.StdEncoding.EncodeToString(host[:])
}

// exchange is one request on its way through the service.
type exchange struct {
	s    *Service
	ctx  context.Context
	r    *message.Request
	hop  *trace.Hop
	plan *Plan
	name string // the bucket's name, also of one that does not exist
	key  string
	// params are the decoded query parameters.
	params params
	caller caller
	// reqID and hostID are the two ids of every answer.
	reqID, hostID string
	now           time.Time
}

// Serve answers a request by its Host header.
func (s *Service) Serve(ctx context.Context, r *message.Request) *message.Response {
	return s.serve(ctx, r, parseHost(r.Host))
}

// Website is the handler for names that resolve to a website endpoint: a Host that is no S3 name is taken for the name of
// the bucket, as S3 does for a domain of one's own.
func (s *Service) Website() message.Handler {
	return message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		h := parseHost(r.Host)
		h.website = true
		return s.serve(ctx, r, h)
	})
}

func (s *Service) serve(ctx context.Context, r *message.Request, h hostName) *message.Response {
	x := &exchange{s: s, ctx: ctx, r: r, now: s.opt.Now().UTC(), params: parseParams(r.Query)}
	x.reqID, x.hostID = s.opt.NewIDs()
	x.name, x.key = h.bucket, pathKey(r.Path)
	if h.pathStyle {
		x.name, x.key, _ = strings.Cut(x.key, "/")
	}
	x.plan = s.buckets[x.name]
	x.hop = r.Trace.Hop("s3", x.name)
	if x.hop != nil {
		x.traceCORS()
	}
	if h.website {
		return x.serveWebsite()
	}
	return x.serveREST(h)
}

func (x *exchange) serveREST(h hostName) *message.Response {
	if x.name == "" {
		return x.fallback("the request names no bucket")
	}
	if x.r.Method == http.MethodOptions && (x.plan == nil || h.region == "" || h.region == x.plan.Region) {
		return x.preflight(func(e s3Error, cause string) *message.Response { return x.refuse(e, cause, x.source()) })
	}
	if x.plan == nil {
		if x.key == "" && x.r.Method == http.MethodPut {
			return x.fallback("CreateBucket")
		}
		return x.refuse(noSuchBucket(x.name), "no-such-bucket", "")
	}
	if h.region != "" && h.region != x.plan.Region {
		return x.redirectToRegion()
	}
	if sub := x.params.subresource(); sub != "" {
		return x.fallback("the query parameter " + sub)
	}
	if resp := x.authenticate(); resp != nil {
		return resp
	}
	if x.key == "" {
		return x.serveBucket()
	}
	return x.serveObject()
}

// source is the bucket's place in the template, "" for one that does not exist.
func (x *exchange) source() string {
	if x.plan == nil {
		return ""
	}
	return x.plan.SourcePath
}

func (x *exchange) serveBucket() *message.Response {
	switch x.r.Method {
	case http.MethodGet:
		return x.list()
	case http.MethodHead:
		if resp := x.authorize("s3:ListBucket", x.plan.ARN()); resp != nil {
			return resp
		}
		resp := x.respond(200, message.Field{Name: "x-amz-bucket-region", Value: x.plan.Region},
			message.Field{Name: "x-amz-access-point-alias", Value: "false"}, message.Field{Name: "Content-Type", Value: "application/xml"})
		return resp
	}
	return x.fallback(x.r.Method + " on a bucket")
}

func (x *exchange) serveObject() *message.Response {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		return x.get()
	case http.MethodPut:
		return x.put()
	case http.MethodDelete:
		return x.delete()
	case http.MethodPost:
		// S3's POST is for browser forms on the bucket and for multipart uploads, which are subresources.
	}
	return x.refuse(s3Error{code: "MethodNotAllowed", status: 405, message: "The specified method is not allowed against this resource.",
		extra: []element{{"Method", x.r.Method}, {"ResourceType", "OBJECT"}}}, "method-not-allowed", "")
}

// fallback hands over what the data plane does not do.
func (x *exchange) fallback(what string) *message.Response {
	if f := x.s.opt.Fallback; f != nil {
		x.hop.Step("route", "control plane", what)
		resp := f.Serve(x.ctx, x.r)
		if resp != nil {
			resp.Header = append(resp.Header, x.cors()...)
		}
		return resp
	}
	if x.hop != nil {
		x.hop.Fact(trace.Unsupported, "S3", what, "")
	}
	return x.refuse(notImplemented(what), "not-implemented", "")
}

// redirectToRegion answers a request at another region's endpoint.
func (x *exchange) redirectToRegion() *message.Response {
	resp := x.refuse(s3Error{code: "PermanentRedirect", status: 301,
		message: "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
		extra:   []element{{"Endpoint", x.name + ".s3." + x.plan.Region + ".amazonaws.com"}, {"Bucket", x.name}}}, "wrong-region", x.plan.SourcePath)
	resp.Header.Add("x-amz-bucket-region", x.plan.Region)
	return resp
}
