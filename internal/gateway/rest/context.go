package rest

import (
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/vtl"
)

// contextVariables are $context's names with their values; nil is one without a value (facts: apigateway 6).
var contextVariables = []struct {
	name  string
	value func(*exchange) vtl.Value
}{
	{"accountId", func(x *exchange) vtl.Value { return x.stage.plan.API.Account }},
	{"apiId", func(x *exchange) vtl.Value { return x.stage.plan.API.ID }},
	{"awsEndpointRequestId", func(*exchange) vtl.Value { return nil }},
	{"deploymentId", func(x *exchange) vtl.Value { return x.stage.plan.Stage.DeploymentID }},
	{"domainName", func(x *exchange) vtl.Value { return x.domainName() }},
	{"domainPrefix", func(x *exchange) vtl.Value { return x.domainPrefix() }},
	{"error.message", func(x *exchange) vtl.Value { return optional(x.failure.message) }},
	{"error.messageString", func(x *exchange) vtl.Value { return x.messageString() }},
	{"error.responseType", func(x *exchange) vtl.Value { return optional(string(x.failure.kind)) }},
	{"error.validationErrorString", func(x *exchange) vtl.Value { return optional(x.failure.validation) }},
	{"extendedRequestId", func(x *exchange) vtl.Value { return x.extendedID }},
	{"httpMethod", func(x *exchange) vtl.Value { return x.req.Method }},
	{"identity.accountId", func(x *exchange) vtl.Value {
		return x.identity(func(p *iam.Principal) string { return p.Account })
	}},
	{"identity.apiKey", func(x *exchange) vtl.Value {
		if x.apiKey == nil {
			return nil
		}
		return x.apiKey.Value
	}},
	{"identity.apiKeyId", func(x *exchange) vtl.Value {
		if x.apiKey == nil {
			return nil
		}
		return x.apiKey.ID
	}},
	{"identity.caller", func(x *exchange) vtl.Value {
		return x.identity(func(p *iam.Principal) string { return p.UserID })
	}},
	{"identity.sourceIp", func(x *exchange) vtl.Value { return x.sourceIP() }},
	{"identity.user", func(x *exchange) vtl.Value {
		return x.identity(func(p *iam.Principal) string { return p.UserID })
	}},
	{"identity.userAgent", func(x *exchange) vtl.Value { return optional(x.req.Header.Get("User-Agent")) }},
	{"identity.userArn", func(x *exchange) vtl.Value {
		return x.identity(func(p *iam.Principal) string { return p.ARN })
	}},
	{"isCanaryRequest", func(*exchange) vtl.Value { return nil }},
	{"path", func(x *exchange) vtl.Value { return x.req.Path }},
	{"protocol", func(x *exchange) vtl.Value { return x.protocol() }},
	{"requestId", func(x *exchange) vtl.Value { return x.requestID }},
	{"requestTime", func(x *exchange) vtl.Value { return x.requestTime() }},
	{"requestTimeEpoch", func(x *exchange) vtl.Value { return x.now.UnixMilli() }},
	{"resourceId", func(x *exchange) vtl.Value {
		if x.resource == nil {
			return nil
		}
		return x.resource.plan.ID
	}},
	{"resourcePath", func(x *exchange) vtl.Value {
		if x.resource == nil {
			return nil
		}
		return x.resource.plan.Path
	}},
	{"stage", func(x *exchange) vtl.Value { return x.stage.plan.Stage.Name }},
	{"wafResponseCode", func(*exchange) vtl.Value { return nil }},
	{"webaclArn", func(*exchange) vtl.Value { return nil }},
	{"xrayTraceId", func(x *exchange) vtl.Value { return strings.TrimPrefix(x.traceID, "Root=") }},
	{"status", func(x *exchange) vtl.Value {
		if x.response == nil {
			return nil
		}
		return int64(x.response.Status)
	}},
	{"responseLength", func(x *exchange) vtl.Value {
		if x.response == nil || x.response.ContentLength < 0 {
			return nil
		}
		return x.response.ContentLength
	}},
	{"responseLatency", func(x *exchange) vtl.Value { return x.stage.fx.Now().Sub(x.now).Milliseconds() }},
	{"integrationLatency", func(x *exchange) vtl.Value { return x.integrationLatency() }},
	{"integration.latency", func(x *exchange) vtl.Value { return x.integrationLatency() }},
	{"integration.status", func(x *exchange) vtl.Value { return x.integrationStatus() }},
	{"integration.integrationStatus", func(x *exchange) vtl.Value { return x.integrationStatus() }},
	{"integrationStatus", func(x *exchange) vtl.Value { return x.integrationStatus() }},
	{"endpointType", func(x *exchange) vtl.Value { return string(x.stage.plan.API.EndpointType) }},
	{"customDomain.basePathMatched", func(x *exchange) vtl.Value {
		if x.arrival.Mapping == nil {
			return nil
		}
		if x.arrival.Mapping.BasePath == "" {
			return "(none)"
		}
		return x.arrival.Mapping.BasePath
	}},
}

func optional(s string) vtl.Value {
	if s == "" {
		return nil
	}
	return s
}

func (x *exchange) identity(field func(*iam.Principal) string) vtl.Value {
	if x.caller == nil {
		return nil
	}
	return optional(field(&x.caller.Principal))
}

func (x *exchange) integrationLatency() vtl.Value {
	if x.started.IsZero() {
		return nil
	}
	return x.latency.Milliseconds()
}

func (x *exchange) integrationStatus() vtl.Value {
	if x.backend.status == 0 {
		return nil
	}
	return int64(x.backend.status)
}

// messageString is the error's message as a JSON string; null for those without text.
func (x *exchange) messageString() vtl.Value {
	if x.failure.reason == reasonNone {
		return nil
	}
	if x.failure.null {
		return "null"
	}
	return string(vtl.AppendJSONString(nil, x.failure.message))
}

func (x *exchange) domainName() string {
	if i := strings.LastIndexByte(x.req.Host, ':'); i > 0 && !strings.HasSuffix(x.req.Host, "]") {
		return x.req.Host[:i]
	}
	return x.req.Host
}

func (x *exchange) domainPrefix() string {
	prefix, _, _ := strings.Cut(x.req.Host, ".")
	return prefix
}

func (x *exchange) protocol() string {
	switch v := x.req.Proto.String(); v {
	case "1.0", "2.0", "3.0":
		return "HTTP/" + v
	}
	return "HTTP/1.1"
}

// requestTime is dd/MMM/yyyy:HH:mm:ss Z (facts: apigateway 5).
func (x *exchange) requestTime() string { return x.now.UTC().Format("02/Jan/2006:15:04:05 -0700") }

// contextText is a $context variable as text.
func (x *exchange) contextText(name string) (string, bool) {
	if rest, ok := strings.CutPrefix(name, "authorizer."); ok {
		if x.authorizer == nil || !x.authorizer.Has(rest) {
			return "", false
		}
		s, err := vtl.Text(x.authorizer.Get(rest))
		return s, err == nil
	}
	for i := range contextVariables {
		if contextVariables[i].name != name {
			continue
		}
		switch v := contextVariables[i].value(x).(type) {
		case string:
			return v, true
		case int64:
			return strconv.FormatInt(v, 10), true
		}
		return "", false
	}
	return "", false
}

// contextMap is $context for templates.
func (x *exchange) contextMap() *vtl.Map {
	m := vtl.NewMap()
	for i := range contextVariables {
		v := contextVariables[i].value(x)
		if v == nil {
			continue
		}
		owner, key := m, contextVariables[i].name
		if parent, child, ok := strings.Cut(key, "."); ok {
			sub, _ := m.Get(parent).(*vtl.Map)
			if sub == nil {
				sub = vtl.NewMap()
				m.Put(parent, sub)
			}
			owner, key = sub, child
		}
		owner.Put(key, v)
	}
	if x.authorizer != nil {
		m.Put("authorizer", x.authorizer)
	}
	request, response := vtl.NewMap(), vtl.NewMap()
	for _, part := range [...]string{"header", "path", "querystring"} {
		request.Put(part, vtl.NewMap())
	}
	response.Put("header", vtl.NewMap())
	m.Put("requestOverride", request)
	m.Put("responseOverride", response)
	return m
}

// templateEnv is what templates of this request see; both of an integration's share it, and so the overrides.
func (x *exchange) templateEnv(body string) *vtl.Env {
	if x.env == nil {
		x.env = &vtl.Env{Context: x.contextMap, StageVariables: x.stage.variables}
		x.env.Path, x.env.Query, x.env.Header = vtl.NewMap(), vtl.NewMap(), vtl.NewHeaderMap()
		for _, p := range x.params {
			x.env.Path.Put(p.name, unescapePath(p.raw))
		}
		for _, q := range x.query {
			x.env.Query.Put(q.name, q.value)
		}
		for _, f := range x.req.Header {
			if !droppedFromRequest(f.Name) {
				x.env.Header.Put(f.Name, f.Value)
			}
		}
		x.env.Header.Put("Host", x.req.Host)
	}
	x.env.SetBody(body)
	return x.env
}

// override returns a map below $context when a template has used it.
func (x *exchange) override(which, part string) *vtl.Map {
	if x.env == nil || x.env.UsedContext() == nil {
		return nil
	}
	m, _ := x.env.UsedContext().Get(which).(*vtl.Map)
	if part == "" || m == nil {
		return m
	}
	sub, _ := m.Get(part).(*vtl.Map)
	return sub
}
