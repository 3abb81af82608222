package bucket

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

// The causes that a Refused fact gives in Detail, besides those of package sigv4.
const (
	CauseAnonymous         = "anonymous-not-allowed"
	CausePolicyDenies      = "policy-denies"
	CauseNotAllowed        = "no-policy-allows"
	CausePublicRestricted  = "public-access-blocked"
	CauseMissingKeyNoList  = "missing-key-without-list-bucket"
	CauseMissingKey        = "missing-key"
	CauseOriginAccess      = "origin-access-not-allowed"
	CauseAnonymousOverride = "anonymous-response-override"
)

// caller is who makes a request.
type caller struct {
	identity  *iam.Identity
	principal iam.Principal
	source    ServiceCaller
	signed    sigv4.Result
	vouched   bool // by WithServicePrincipal or WithOriginAccessIdentity
}

func (c *caller) anonymous() bool { return c.identity == nil && c.principal.Kind == iam.Anonymous }

func (c *caller) account() string {
	if c.identity != nil {
		return c.identity.Principal.Account
	}
	return c.principal.Account
}

func (c *caller) String() string {
	if c.identity != nil {
		return c.identity.Principal.ARN
	}
	if c.anonymous() {
		return "anonymous"
	}
	if c.source.SourceARN != "" {
		return c.principal.ARN + " for " + c.source.SourceARN
	}
	return c.principal.ARN
}

// authenticate finds out who asks. It returns the answer when a signature is wrong.
func (x *exchange) authenticate() *message.Response {
	if m, _ := x.ctx.Value(callerKey{}).(*inMemory); m != nil {
		x.caller = caller{principal: m.principal, source: m.source, vouched: true}
		return nil
	}
	auth, has := x.r.Header.Lookup("Authorization")
	if !sigv4.HasSignature(x.r) && !has {
		return nil
	}
	if strings.HasPrefix(auth, "AWS ") {
		return x.refuse(s3Error{code: "InvalidRequest", status: 400,
			message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."}, sigv4.BadAlgorithm.String(), "")
	}
	in := sigv4.Input{Request: x.r, Region: x.plan.Region, SentHost: x.r.SentHost}
	res, err := x.s.opt.Verifier.Verify(in)
	if err != nil {
		return x.refuseSignature(in, err)
	}
	id, ok := x.s.opt.Directory.Lookup(res.AccessKeyID)
	if !ok {
		return x.refuse(internalError, "identity-vanished", "")
	}
	x.caller = caller{identity: id, signed: res}
	return nil
}

// refuseSignature answers with S3's error for a signature, whose elements depend on the cause.
func (x *exchange) refuseSignature(in sigv4.Input, e *sigv4.Error) *message.Response {
	out := s3Error{code: e.Type, status: e.Status, message: e.Message}
	add := func(name, value string) { out.extra = append(out.extra, element{name, value}) }
	switch e.Cause {
	case sigv4.Mismatch:
		add("AWSAccessKeyId", e.AccessKeyID)
		add("StringToSign", e.StringToSign)
		add("SignatureProvided", e.Signature)
		add("StringToSignBytes", fmt.Sprintf("% x", e.StringToSign))
		add("CanonicalRequest", e.CanonicalRequest)
		add("CanonicalRequestBytes", fmt.Sprintf("% x", e.CanonicalRequest))
		x.diagnose(in)
	case sigv4.UnknownKey:
		add("AWSAccessKeyId", e.AccessKeyID)
	case sigv4.BadScope:
		if e.Region != "" {
			add("Region", e.Region)
		}
	case sigv4.HeadersNotSigned:
		add("HeadersNotSigned", e.Headers)
	case sigv4.BadAlgorithm:
		if out.code == "InvalidArgument" {
			add("ArgumentName", "Authorization")
			add("ArgumentValue", trace.Redact("Authorization", x.r.Header.Get("Authorization")))
		}
	case sigv4.Expired, sigv4.NotYetCurrent:
		const form = "2006-01-02T15:04:05Z"
		if out.code == "RequestTimeTooSkewed" {
			add("RequestTime", x.r.Header.Get("X-Amz-Date"))
			add("ServerTime", e.Now.Format(form))
			add("MaxAllowedSkewMilliseconds", "900000")
		} else {
			add("X-Amz-Expires", x.params.get("X-Amz-Expires"))
			add("Expires", e.Expires.Format(form))
			add("ServerTime", e.Now.Format(form))
		}
	}
	return x.refuse(out, e.Cause.String(), "")
}

// diagnose records why a signature does not match, when the request is explained.
func (x *exchange) diagnose(in sigv4.Input) {
	if x.hop == nil {
		return
	}
	d, ok := x.s.opt.Verifier.Diagnose(in, sigv4.Candidates{})
	if !ok {
		return
	}
	x.hop.Fact(trace.SignatureChecked, d.Host, x.r.Host, "")
	for _, c := range d.Changes {
		x.hop.Step("authorize", "signature differs in "+string(c.Part), c.Why)
	}
}

// allowed asks the policies.
func (x *exchange) allowed(action, resource string) iam.Decision {
	q := iam.Request{Identity: x.caller.identity, Principal: &x.caller.principal, Action: action, Resource: resource,
		Account: x.plan.Account, Context: x, Explain: x.hop != nil}
	if x.plan.Policy != nil {
		q.ResourcePolicy = &iam.NamedPolicy{Name: "bucket policy of " + x.plan.Name, Document: x.plan.Policy}
	}
	return iam.Evaluate(&q)
}

// restricted tells whether the public access block keeps the caller out of a bucket with a public policy: all but the
// bucket's account and AWS services (S3 user guide, access-control-block-public-access, RestrictPublicBuckets).
func (x *exchange) restricted() bool {
	if !x.plan.PublicAccess.RestrictPublicBuckets || !x.s.public[x.plan] {
		return false
	}
	return x.caller.account() != x.plan.Account && x.caller.principal.Kind != iam.Service
}

// mayPass tells whether both the policies and the public access block let the caller through.
func (x *exchange) mayPass(d iam.Decision) bool { return d.Allowed() && !x.restricted() }

// authorize returns nil when the caller may, and otherwise the answer.
func (x *exchange) authorize(action, resource string) *message.Response {
	d := x.allowed(action, resource)
	if x.hop != nil {
		x.traceDecision(action, d)
	}
	if x.mayPass(d) {
		return nil
	}
	e := s3Error{code: "AccessDenied", status: 403, message: "Access Denied"}
	// Callers of the bucket's own account are told more since 2024 (S3 user guide, troubleshoot-403-errors).
	if id := x.caller.identity; id != nil && id.Principal.Account == x.plan.Account && !d.Allowed() {
		e.message = "User: " + id.Principal.ARN + " is not authorized to perform: " + action + " on resource: \"" + resource + "\"" + d.Suffix(action)
	}
	return x.refuse(e, x.cause(d), x.policyPath())
}

func (x *exchange) policyPath() string {
	if x.plan.PolicyPath != "" {
		return x.plan.PolicyPath
	}
	return x.plan.SourcePath
}

func (x *exchange) cause(d iam.Decision) string {
	switch {
	case d.Allowed():
		return CausePublicRestricted
	case d.Effect == iam.ExplicitDeny:
		return CausePolicyDenies
	case x.caller.vouched:
		return CauseOriginAccess
	case x.caller.anonymous():
		return CauseAnonymous
	}
	return CauseNotAllowed
}

func (x *exchange) traceDecision(action string, d iam.Decision) {
	reason := x.caller.String() + ", " + action + ": " + d.Why
	if d.Allowed() && !x.mayPass(d) {
		x.hop.Step("authorize", "deny", reason+"; but the policy is public, and the public access block restricts such buckets")
		return
	}
	for _, n := range d.Near {
		reason += fmt.Sprintf("; statement %d of the %s would, but its %s is %s and the request has %s",
			n.Statement+1, n.Source, n.Element, n.Want, n.Got)
	}
	x.hop.Step("authorize", d.Effect.String(), reason)
}

// missing answers for a key that does not exist: only who may list the bucket learns it (S3 API reference, GetObject,
// "Permissions").
func (x *exchange) missing() *message.Response {
	if x.mayPass(x.allowed("s3:ListBucket", x.plan.ARN())) {
		return x.refuse(noSuchKey(x.key), CauseMissingKey, x.plan.SourcePath)
	}
	if x.hop != nil {
		x.hop.Step("get", "no such key", fmt.Sprintf("there is no object %q; S3 says AccessDenied to a caller without s3:ListBucket", x.key))
	}
	return x.refuse(s3Error{code: "AccessDenied", status: 403, message: "Access Denied"}, CauseMissingKeyNoList, x.policyPath())
}

// Lookup gives the condition keys of the request (IAM service authorization reference, list_amazons3).
func (x *exchange) Lookup(key string) ([]string, bool) {
	v, ok := x.conditionKey(key)
	if !ok {
		return nil, false
	}
	return []string{v}, true
}

func (x *exchange) conditionKey(key string) (string, bool) {
	switch key {
	case "aws:sourceip":
		// A service's own address is not the viewer's, and AWS leaves the key out.
		return x.r.Client.Addr().Unmap().String(), x.r.Client.IsValid() && x.caller.principal.Kind != iam.Service
	case "aws:securetransport":
		return strconv.FormatBool(x.r.TLS != nil || x.r.Scheme == "https"), true
	case "aws:useragent":
		return x.r.Header.Lookup("User-Agent")
	case "aws:referer":
		return x.r.Header.Lookup("Referer")
	case "aws:currenttime":
		return x.now.Format("2006-01-02T15:04:05Z"), true
	case "aws:epochtime":
		return strconv.FormatInt(x.now.Unix(), 10), true
	case "aws:sourcearn":
		return x.caller.source.SourceARN, x.caller.source.SourceARN != ""
	case "aws:sourceaccount":
		return x.caller.source.SourceAccount, x.caller.source.SourceAccount != ""
	case "aws:resourceaccount", "s3:resourceaccount":
		return x.plan.Account, true
	case "s3:prefix", "s3:delimiter", "s3:max-keys":
		if x.key != "" || x.r.Method != http.MethodGet {
			return "", false
		}
		return x.params.lookup(strings.TrimPrefix(key, "s3:"))
	case "s3:authtype":
		if x.caller.identity == nil {
			return "", false
		}
		if x.caller.signed.Presigned {
			return "REST-QUERY-STRING", true
		}
		return "REST-HEADER", true
	case "s3:signatureversion":
		return sigv4.Algorithm, x.caller.identity != nil
	case "s3:x-amz-content-sha256", "s3:x-amz-acl", "s3:x-amz-storage-class", "s3:x-amz-server-side-encryption":
		return x.r.Header.Lookup(strings.TrimPrefix(key, "s3:"))
	}
	return "", false
}

// PolicyIsPublic tells whether a bucket policy opens the bucket to everyone, as Block Public Access reads it: an Allow for
// "*" that no condition narrows to fixed values (S3 user guide, access-control-block-public-access, "The meaning of
// public").
func PolicyIsPublic(d *iam.Document) bool {
	for _, s := range d.Statements {
		if s.Effect != iam.Allow || !s.HasPrincipal() {
			continue
		}
		open := s.NotPrincipal
		for _, p := range s.Principals {
			open = open || p.Value == "*"
		}
		if open && !narrowed(s) {
			return true
		}
	}
	return false
}

// narrowing are the condition keys that can make a policy private.
var narrowing = map[string]bool{
	"aws:sourceip": true, "aws:sourcearn": true, "aws:sourcevpc": true, "aws:sourcevpce": true, "aws:sourceowner": true,
	"aws:sourceaccount": true, "aws:principalorgid": true, "aws:principalorgpaths": true, "aws:principalaccount": true,
	"aws:principalarn": true, "aws:userid": true, "s3:x-amz-server-side-encryption-aws-kms-key-id": true,
	"s3:dataaccesspointaccount": true, "s3:dataaccesspointarn": true,
}

func narrowed(s *iam.Statement) bool {
	for _, c := range s.Conditions {
		if !narrowing[strings.ToLower(c.Key)] || strings.Contains(c.Operator, "Not") || strings.Contains(c.Operator, "IfExists") ||
			strings.HasPrefix(c.Operator, "ForAllValues:") || c.Operator == "Null" {
			continue
		}
		fixed := true
		for _, v := range c.Values {
			// A wildcard or a variable is not a fixed value, nor is an address range wider than /8 for IPv4, /32 for IPv6.
			fixed = fixed && !strings.ContainsAny(v, "*?") && !strings.Contains(v, "${") && !wideRange(v)
		}
		if fixed {
			return true
		}
	}
	return false
}

func wideRange(v string) bool {
	addr, bits, ok := strings.Cut(v, "/")
	n, err := strconv.Atoi(bits)
	if !ok || err != nil {
		return false
	}
	if strings.Contains(addr, ":") {
		return n < 32
	}
	return strings.Count(addr, ".") == 3 && n < 8
}
