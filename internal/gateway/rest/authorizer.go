package rest

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
	"github.com/foregate/foregate/internal/vtl"
)

// lambdaAuthorizer is a TOKEN or REQUEST authorizer with its cache.
type lambdaAuthorizer struct {
	*Authorizer
	sources    []source
	validation *regexp.Regexp
	// broken is set when the identity source or the validation cannot be used.
	broken  bool
	allowed bool // by the function's policy or the role
	cache   *grantCache
}

// grantCache keeps an authorizer's output for its time to live.
type grantCache struct {
	mu     sync.Mutex
	grants map[string]*grant
}

// maxGrants bounds an authorizer's cache.
const maxGrants = 4096

// grant is an authorizer's output.
type grant struct {
	policy   *iam.Document
	context  *vtl.Map
	usageKey string
	expires  time.Time
}

// authorizerFault is the answer to an authorizer that cannot be used (facts: apigateway 3).
var authorizerFault = fault{kind: AuthorizerConfiguration, status: 500, errorType: "AuthorizerConfigurationException", null: true}

// authorizeLambda asks the method's authorizer, or its cache, and decides with its policy and the resource policy
// (facts: apigateway 4, 9).
func (x *exchange) authorizeLambda() (phaseID, Reason) {
	a := x.stage.authorizers[x.method.Authorizer]
	if a == nil || a.broken || a.Function == nil {
		return x.refuse(reasonAuthorizerFailed, authorizerFault)
	}
	key, reason := x.identityKey(a)
	if reason != reasonNone {
		return x.refuseAt(reason, unauthorized, a.SourcePath)
	}
	g := a.cached(key, x.now)
	hit := g != nil
	if !hit {
		var f fault
		if g, reason, f = x.askAuthorizer(a, key); g == nil {
			return x.refuseAt(reason, f, a.SourcePath)
		}
		a.keep(key, g, x.now)
	}
	x.authorizer, x.usageKey = g.context, g.usageKey
	id := &iam.Identity{
		Principal: iam.Principal{Kind: iam.User, Account: x.stage.plan.API.Account},
		Policies:  []iam.NamedPolicy{{Name: "authorizer " + a.Name, Document: g.policy}},
	}
	d := x.evaluate(id)
	if x.hop != nil {
		x.detail = a.Name + ", " + decisionText(d)
	}
	if d.Allowed() {
		if hit {
			return phaseThrottle, reasonAuthorizerCached
		}
		return phaseThrottle, reasonAuthorizer
	}
	reason = reasonAuthorizerImplicit
	if d.Effect == iam.ExplicitDeny {
		reason = reasonAuthorizerExplicit
	}
	return x.refuseAt(reason, fault{kind: AccessDenied, status: 403, errorType: "AccessDeniedException", capital: true,
		message: "User is not authorized to access this resource" + d.Suffix(invokeAction)}, a.SourcePath)
}

// identityKey joins the identity sources. One that is missing is 401 without a call: always for a TOKEN, and for a
// REQUEST while its policies are cached (facts: apigateway 9).
func (x *exchange) identityKey(a *lambdaAuthorizer) (string, Reason) {
	var b strings.Builder
	for i, s := range a.sources {
		v, _ := x.value(s)
		if v == "" && (a.Type == "TOKEN" || a.TTL > 0) {
			if x.hop != nil {
				x.detail = a.IdentitySource[i]
			}
			return "", reasonNoToken
		}
		b.WriteString(v)
		b.WriteByte(0)
	}
	key := b.String()
	if a.validation != nil && a.Type == "TOKEN" && !a.validation.MatchString(strings.TrimSuffix(key, "\x00")) {
		return "", reasonTokenPattern
	}
	return key, reasonNone
}

func (a *lambdaAuthorizer) cached(key string, now time.Time) *grant {
	if a.TTL <= 0 || len(a.sources) == 0 {
		return nil
	}
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	if g := a.cache.grants[key]; g != nil && now.Before(g.expires) {
		return g
	}
	return nil
}

func (a *lambdaAuthorizer) keep(key string, g *grant, now time.Time) {
	if a.TTL <= 0 || len(a.sources) == 0 {
		return
	}
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	if a.cache.grants == nil || len(a.cache.grants) >= maxGrants {
		a.cache.grants = map[string]*grant{}
	}
	g.expires = now.Add(a.TTL)
	a.cache.grants[key] = g
}

// askAuthorizer calls the function.
func (x *exchange) askAuthorizer(a *lambdaAuthorizer, key string) (*grant, Reason, fault) {
	if !a.allowed || a.Function.Missing {
		if x.hop != nil {
			x.detail = "API Gateway may not call " + a.Function.ARN
		}
		return nil, reasonAuthorizerFailed, authorizerFault
	}
	var event []byte
	if a.Type == "TOKEN" {
		event = append(event, `{"type":"TOKEN","methodArn":`...)
		event = vtl.AppendJSONString(event, x.methodARN())
		event = append(event, `,"authorizationToken":`...)
		event = append(vtl.AppendJSONString(event, strings.TrimSuffix(key, "\x00")), '}')
	} else {
		event = x.appendAuthorizerEvent(event)
	}
	ctx, cancel := context.WithTimeout(x.ctx, defaultTimeout)
	defer cancel()
	res, err := x.stage.fx.InvokeLambda(ctx, Call{Function: a.Function, Payload: event, RequestID: x.requestID, Trace: x.req.Trace,
		TraceID: x.traceID, Timeout: defaultTimeout})
	if err != nil {
		if x.hop != nil {
			x.detail = err.Error()
		}
		return nil, reasonAuthorizerFailed, authorizerFault
	}
	if res.FunctionError != "" {
		if lambdaErrorMessage(res.Payload) == "Unauthorized" {
			return nil, reasonAuthorizerRefused, unauthorized
		}
		x.hop.Fact(trace.FunctionFailed, a.Function.ARN, lambdaErrorMessage(res.Payload), a.Function.SourcePath)
		return nil, reasonAuthorizerFailed, authorizerFault
	}
	g, err := parseGrant(string(res.Payload))
	if err != nil {
		if x.hop != nil {
			x.detail = err.Error()
		}
		return nil, reasonAuthorizerOutput, authorizerFault
	}
	return g, reasonNone, fault{}
}

// appendAuthorizerEvent writes the event of a REQUEST authorizer (facts: apigateway 9).
func (x *exchange) appendAuthorizerEvent(b []byte) []byte {
	b = append(b, `{"type":"REQUEST","methodArn":`...)
	b = vtl.AppendJSONString(b, x.methodARN())
	b = append(b, `,"resource":`...)
	b = vtl.AppendJSONString(b, x.resource.plan.Path)
	b = append(b, `,"path":`...)
	b = vtl.AppendJSONString(b, x.eventPath())
	b = append(b, `,"httpMethod":`...)
	b = vtl.AppendJSONString(b, x.req.Method)
	h := append(make(message.Header, 0, len(x.req.Header)+8), message.Field{Name: "Host", Value: x.req.Host})
	for _, f := range x.req.Header {
		if !droppedFromRequest(f.Name) && !contains(ownHeaders, f.Name) {
			h = append(h, f)
		}
	}
	b = x.appendHeaders(b, x.addOwn(h))
	b = x.appendQuery(b)
	b = x.appendParams(b)
	b = append(b, `,"stageVariables":`...)
	b = append(b, x.stage.variablesJSON...)
	b = append(b, `,"requestContext":`...)
	return append(x.appendRequestContext(b), '}')
}

// parseGrant reads {principalId, policyDocument, context, usageIdentifierKey}.
func parseGrant(src string) (*grant, error) {
	v, err := vtl.ParseStrictJSON(src)
	if err != nil {
		return nil, err
	}
	m, ok := v.(*vtl.Map)
	if !ok {
		return nil, errOutput("it is no object")
	}
	principal, _ := m.Get("principalId").(string)
	doc, _ := m.Get("policyDocument").(*vtl.Map)
	if principal == "" || doc == nil {
		return nil, errOutput("principalId or policyDocument is missing")
	}
	text, err := vtl.JSON(doc)
	if err != nil {
		return nil, err
	}
	g := &grant{context: vtl.NewMap()}
	if g.policy, err = iam.Parse([]byte(text)); err != nil {
		return nil, err
	}
	g.usageKey, _ = m.Get("usageIdentifierKey").(string)
	g.context.Put("principalId", principal)
	ctx, ok := m.Get("context").(*vtl.Map)
	if !ok && m.Get("context") != nil {
		return nil, errOutput("context is no object")
	}
	ctx.All(func(k string, v vtl.Value) bool {
		switch v.(type) {
		case *vtl.Map, *vtl.List:
			err = errOutput("context has a value that is no string, number or boolean: " + k)
			return false
		}
		s, _ := vtl.Text(v)
		g.context.Put(k, s)
		return true
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// errOutput is an authorizer's output that cannot be used.
type errOutput string

// Error says why.
func (e errOutput) Error() string { return "authorizer output: " + string(e) }
