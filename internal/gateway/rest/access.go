package rest

import (
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

const invokeAction = "execute-api:Invoke"

// methodARN is arn:aws:execute-api:region:account:api/stage/METHOD/path, with the path as the client sent it
// (facts: sigv4-iam 3).
func (x *exchange) methodARN() string {
	return x.stage.arnPrefix + x.req.Method + "/" + strings.TrimPrefix(x.path, "/")
}

// maskedARN shows the last four digits of the account (facts: apigateway 3).
func (x *exchange) maskedARN() string {
	arn := x.methodARN()
	account := x.stage.plan.API.Account
	if len(account) <= 4 {
		return arn
	}
	masked := strings.Repeat("*", len(account)-4) + account[len(account)-4:]
	return strings.Replace(arn, ":"+account+":", ":"+masked+":", 1)
}

// resourcePolicy is the API's, nil without one.
func (x *exchange) resourcePolicy() *iam.NamedPolicy { return x.stage.policy }

// checkAccess decides by the resource policy where it stands alone: without authorization it must allow, and in front of
// an authorizer an explicit deny is enough (facts: apigateway 4).
func (x *exchange) checkAccess() (phaseID, Reason) {
	if x.stage.policy == nil {
		return phaseAuthorize, reasonNoPolicy
	}
	if x.method.AuthorizationType == AuthIAM {
		return phaseAuthorize, reasonPolicyLater
	}
	d := x.evaluate(nil)
	if d.Allowed() {
		return phaseAuthorize, reasonPolicyAllows
	}
	explicit := d.Effect == iam.ExplicitDeny
	if !explicit && x.method.AuthorizationType != AuthNone && x.method.AuthorizationType != "" {
		return phaseAuthorize, reasonPolicyLater
	}
	reason := reasonPolicyImplicit
	if explicit {
		reason = reasonPolicyExplicit
	}
	if x.hop != nil {
		x.detail = decisionText(d)
	}
	return x.refuseAt(reason, x.denied("anonymous", d), x.stage.plan.API.PolicyPath)
}

// evaluate asks IAM; a nil identity is anonymous.
func (x *exchange) evaluate(id *iam.Identity) iam.Decision {
	return iam.Evaluate(&iam.Request{
		Identity: id, ResourcePolicy: x.resourcePolicy(), Action: invokeAction, Resource: x.methodARN(),
		Account: x.stage.plan.API.Account, Context: conditionKeys{x}, Explain: x.hop != nil,
	})
}

// denied is the answer to a caller that policies do not let in (facts: apigateway 3).
func (x *exchange) denied(user string, d iam.Decision) fault {
	return fault{kind: AccessDenied, status: 403, errorType: "AccessDeniedException", capital: true,
		message: "User: " + user + " is not authorized to perform: " + invokeAction + " on resource: " + x.maskedARN() +
			d.Suffix(invokeAction)}
}

func decisionText(d iam.Decision) string {
	text := d.Why
	for _, n := range d.Near {
		text += "; statement " + strconv.Itoa(n.Statement) + " of " + n.Policy + " misses by its " + n.Element +
			" (it has " + n.Want + ", the request " + n.Got + ")"
	}
	return text
}

// conditionKeys are the condition keys of a request to an API (facts: apigateway 4).
type conditionKeys struct{ x *exchange }

// Lookup returns the values of a key in lower case.
func (k conditionKeys) Lookup(key string) ([]string, bool) {
	x := k.x
	header := func(name string) ([]string, bool) {
		v, ok := x.header(name)
		return []string{v}, ok
	}
	switch key {
	case "aws:sourceip":
		return []string{x.sourceIP()}, true
	case "aws:useragent":
		return header("User-Agent")
	case "aws:referer":
		return header("Referer")
	case "aws:securetransport":
		return []string{strconv.FormatBool(x.req.Scheme == "https")}, true
	case "aws:currenttime":
		return []string{x.now.UTC().Format("2006-01-02T15:04:05Z")}, true
	case "aws:epochtime":
		return []string{strconv.FormatInt(x.now.Unix(), 10)}, true
	}
	return nil, false
}

// sourceIP is the other end of the connection.
func (x *exchange) sourceIP() string {
	if x.ip == "" {
		x.ip = "127.0.0.1"
		if x.req.Client.IsValid() {
			x.ip = x.req.Client.Addr().Unmap().String()
		}
	}
	return x.ip
}

// authorize establishes the caller.
func (x *exchange) authorize() (phaseID, Reason) {
	switch x.method.AuthorizationType {
	case AuthIAM:
		return x.authorizeIAM()
	case AuthCustom:
		return x.authorizeLambda()
	case AuthCognito:
		x.hop.Fact(trace.Unsupported, string(AuthCognito), "tokens are not checked", x.method.SourcePath)
		return x.refuse(reasonCognito, unauthorized)
	}
	return phaseThrottle, reasonOpen
}

// unauthorized is the answer to a missing or refused token (facts: apigateway 3).
var unauthorized = fault{kind: Unauthorized, status: 401, errorType: "UnauthorizedException", message: "Unauthorized"}

// verify checks the signature of the request as it arrived; the body must have been read.
func (x *exchange) verify() (sigv4.Result, *sigv4.Error) {
	return x.stage.verifier.Verify(x.signed())
}

func (x *exchange) signed() sigv4.Input {
	in := sigv4.Input{Request: x.req, SentHost: x.req.SentHost}
	if len(x.body) > 0 && sigv4.HasSignature(x.req) {
		in.PayloadHash = sigv4.HashPayload(x.body)
	}
	return in
}

func (x *exchange) authorizeIAM() (phaseID, Reason) {
	if err := x.readBody(); err != nil {
		return x.refuseBody(err)
	}
	res, e := x.verify()
	if e != nil {
		x.explainSignature(e)
		return x.refuse(signatureReason(e), signatureFault(e))
	}
	id, ok := x.stage.fx.Identities().Lookup(res.AccessKeyID)
	if !ok {
		return x.refuse(reasonUnknownKey, fault{kind: Default4XX, status: 403, errorType: "UnrecognizedClientException",
			message: "The security token included in the request is invalid."})
	}
	x.caller = id
	d := x.evaluate(id)
	if x.hop != nil {
		x.detail = id.Principal.ARN + ", " + decisionText(d)
	}
	if d.Allowed() {
		return phaseThrottle, reasonSigned
	}
	reason := reasonIAMImplicit
	if d.Effect == iam.ExplicitDeny {
		reason = reasonIAMExplicit
	}
	path := ""
	if d.Source == iam.ResourcePolicy {
		path = x.stage.plan.API.PolicyPath
	}
	return x.refuseAt(reason, x.denied(id.Principal.ARN, d), path)
}

// explainSignature records for which host a signature was computed, when the request is explained.
func (x *exchange) explainSignature(e *sigv4.Error) {
	if x.hop == nil || e.Cause != sigv4.Mismatch {
		return
	}
	c := sigv4.Candidates{Hosts: x.stage.signatureHosts, Paths: []string{x.path, x.stage.prefixed(x.path)}}
	d, ok := x.stage.verifier.Diagnose(x.signed(), c)
	if !ok {
		return
	}
	host := ""
	if d.Found {
		host = d.Host
		for _, change := range d.Changes {
			part := string(change.Part)
			if change.Name != "" {
				part += " " + change.Name
			}
			x.detail += part + ": signed " + change.Signed + ", arrived " + change.Arrived + ". "
		}
	}
	x.hop.Fact(trace.SignatureChecked, host, x.req.Host, x.sourcePath())
}

func signatureReason(e *sigv4.Error) Reason {
	switch e.Cause {
	case sigv4.MissingToken:
		return reasonMissingAuthentication
	case sigv4.NotKeyValue, sigv4.NoAlgorithm, sigv4.MissingParts, sigv4.BadDate:
		return reasonIncompleteSignature
	case sigv4.Mismatch:
		return reasonMismatch
	case sigv4.UnknownKey, sigv4.WrongSessionToken:
		return reasonUnknownKey
	case sigv4.ExpiredKey:
		return reasonExpiredToken
	}
	return reasonInvalidSignature
}

// signatureFault chooses the gateway response type; texts and error types are the verifier's.
func signatureFault(e *sigv4.Error) fault {
	f := fault{kind: InvalidSignature, status: 403, errorType: e.Type, message: e.Message}
	switch e.Cause {
	case sigv4.MissingToken:
		f = missingToken
	case sigv4.ExpiredKey:
		f.kind = ExpiredToken
	case sigv4.UnknownKey, sigv4.WrongSessionToken:
		f.kind = Default4XX
	}
	return f
}
