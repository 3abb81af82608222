package url

import (
	"context"
	"strconv"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

// actions are what a caller needs, both since October 2025; URLs that had an exception from that lost it on November 1, 2026
// (Lambda developer guide, urls-auth; AWS's notice in serverless/serverless#13147).
var actions = []string{"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}

// authorize returns nil when the caller may, and otherwise the answer.
func (x *exchange) authorize(ctx context.Context) *message.Response {
	if resp := x.authenticate(ctx); resp != nil {
		return resp
	}
	q := iam.Request{Identity: x.who, Resource: x.p.FunctionARN, Account: x.p.Account, Context: keys{x}, Explain: x.hop != nil}
	if x.p.Policy != nil {
		q.ResourcePolicy = &iam.NamedPolicy{Name: "resource policy of " + x.p.FunctionARN, Document: x.p.Policy}
	}
	if x.asked.Service != "" {
		q.Principal = new(iam.ServicePrincipal(x.asked.Service))
	}
	for _, action := range actions {
		q.Action = action
		d := iam.Evaluate(&q)
		if x.hop != nil {
			why := action + ": " + d.Why
			for _, n := range d.Near {
				why += "; statement " + n.Sid + " would, but its " + n.Element + " is " + n.Want + " and the request has " + n.Got
			}
			x.hop.Step("authorize", d.Effect.String(), why)
		}
		if !d.Allowed() {
			x.cause = CauseNotAllowed
			return x.refuse(403, "AccessDeniedException", "Message", forbiddenText, "nothing allows "+action+" on "+x.p.FunctionARN)
		}
	}
	return nil
}

// Missing returns the actions that no statement of the policy allows to everyone, as far as can be told without a request.
func (p *Plan) Missing() []string {
	var out []string
	for _, action := range actions {
		q := iam.Request{Action: action, Resource: p.FunctionARN, Account: p.Account, Context: keys{&exchange{p: p, r: &message.Request{Scheme: "https"}}}}
		if p.Policy != nil {
			q.ResourcePolicy = &iam.NamedPolicy{Document: p.Policy}
		}
		if !iam.Evaluate(&q).Allowed() {
			out = append(out, action)
		}
	}
	return out
}

// authenticate finds out who asks. With AuthType NONE a signature is not looked at.
func (x *exchange) authenticate(ctx context.Context) *message.Response {
	if !x.p.IAM {
		return nil
	}
	if x.s.opts.Vouched != nil {
		if c, ok := x.s.opts.Vouched(ctx); ok {
			x.asked = c
			return x.originAccess()
		}
	}
	if !sigv4.HasSignature(x.r) {
		return nil // anonymous, whom a policy of AWS_IAM lets in no more than others
	}
	in := sigv4.Input{Request: x.r, PayloadHash: sigv4.HashPayload(x.body), Region: x.p.Region, SentHost: x.r.SentHost}
	res, e := x.s.verifier.Verify(in)
	if e != nil {
		return x.refuse(e.Status, e.Type, "message", e.Message, e.Cause.String())
	}
	id, ok := x.s.opts.Directory.Lookup(res.AccessKeyID)
	if !ok {
		return x.refuse(403, "UnrecognizedClientException", "message", "The security token included in the request is invalid.", "identity-vanished")
	}
	x.who = id
	return nil
}

// originAccess refuses a body that CloudFront's signature does not cover: CloudFront signs without the body unless the
// viewer sends its hash (CloudFront developer guide, private-content-restricting-access-to-lambda: "If you use PUT or POST
// methods with your Lambda function URL, your users must compute the SHA256 of the body").
func (x *exchange) originAccess() *message.Response {
	if len(x.body) == 0 {
		return nil
	}
	why := "the body came without x-amz-content-sha256"
	switch x.r.Header.Get("x-amz-content-sha256") {
	case sigv4.HashPayload(x.body):
		return nil
	case "":
	default:
		why = "x-amz-content-sha256 is not the hash of the body"
	}
	x.cause = CausePayloadHash
	return x.refuse(403, "InvalidSignatureException", "message",
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
		why)
}

// keys are the condition keys of a call through a function URL (IAM service authorization reference, list_awslambda).
type keys struct{ x *exchange }

// Lookup returns the values of a key in lower case.
func (k keys) Lookup(key string) ([]string, bool) {
	x := k.x
	v, ok := "", true
	switch key {
	case "lambda:functionurlauthtype":
		if v = "NONE"; x.p.IAM {
			v = "AWS_IAM"
		}
	case "lambda:invokedviafunctionurl":
		v = "true"
	case "aws:sourceip":
		v, ok = x.r.Client.Addr().Unmap().String(), x.r.Client.IsValid() && x.asked.Service == ""
	case "aws:securetransport":
		v = strconv.FormatBool(x.r.TLS != nil || x.r.Scheme == "https")
	case "aws:useragent":
		v, ok = x.r.Header.Lookup("User-Agent")
	case "aws:referer":
		v, ok = x.r.Header.Lookup("Referer")
	case "aws:currenttime":
		v = x.now.Format("2006-01-02T15:04:05Z")
	case "aws:epochtime":
		v = strconv.FormatInt(x.now.Unix(), 10)
	case "aws:sourcearn":
		v, ok = x.asked.SourceARN, x.asked.SourceARN != ""
	case "aws:sourceaccount":
		v, ok = x.asked.SourceAccount, x.asked.SourceAccount != ""
	default:
		return nil, false
	}
	return []string{v}, ok
}
