package rest

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
	"github.com/foregate/foregate/internal/vtl"
)

// outgoing is what the integration gets.
type outgoing struct {
	header  message.Header
	query   []pair
	path    []param // path parameters of the backend's URI
	body    []byte
	request *message.Request // for HTTP integrations
	status  int              // for mocks
	async   bool
	// buffer holds a Lambda event and goes back to the stage's pool.
	buffer *[]byte
}

// integrationRequest makes of the method's request what the integration gets.
func (x *exchange) integrationRequest() (phaseID, Reason) {
	in := x.method.integration
	if in == nil {
		return x.refuse(reasonNoIntegration, internalError)
	}
	if err := x.readBody(); err != nil {
		return x.refuseBody(err)
	}
	if x.hop != nil {
		x.detail = string(in.Type) + " " + in.uri
	}
	switch in.Type {
	case IntegrationAWSProxy:
		return x.lambdaProxyRequest(in)
	case IntegrationHTTPProxy:
		x.out.header = x.forwarded(make(message.Header, 0, len(x.req.Header)+8), "Content-Encoding", "Via")
		x.out.query = append(x.out.query, x.query...)
		x.out.body = x.body
		if bad := x.mapRequest(in); bad != "" {
			return x.refuseHeader(in, bad)
		}
		return x.httpRequest(in, reasonProxied)
	}
	return x.mappedRequest(in)
}

func (x *exchange) refuseHeader(in *integration, name string) (phaseID, Reason) {
	if x.hop != nil {
		x.detail = name
	}
	return x.refuseAt(reasonHeader, internalError, in.SourcePath)
}

func (x *exchange) lambdaProxyRequest(in *integration) (phaseID, Reason) {
	// Anything but POST towards Lambda fails (test_lambda_aws_proxy_integration_non_post_method, recorded by localstack).
	if in.HTTPMethod != "POST" {
		return x.refuseAt(reasonProxyMethod, internalError, in.SourcePath)
	}
	if in.Function == nil {
		return x.refuseService(in)
	}
	x.out.header = append(make(message.Header, 0, len(x.req.Header)+8), message.Field{Name: "Host", Value: x.req.Host})
	x.out.header = x.forwarded(x.out.header)
	// Mapped headers and query parameters reach the event
	// (test_lambda_aws_proxy_integration_request_data_mapping, recorded by localstack).
	if bad := x.mapRequest(in); bad != "" {
		return x.refuseHeader(in, bad)
	}
	x.query = append(x.query, x.out.query...)
	x.out.buffer, _ = x.stage.buffers.Get().(*[]byte)
	if x.out.buffer == nil {
		x.out.buffer = new([]byte)
	}
	*x.out.buffer = x.appendEvent((*x.out.buffer)[:0])
	x.out.body = *x.out.buffer
	return phaseIntegrate, reasonEvent
}

// refuseService says that an AWS service is not called.
func (x *exchange) refuseService(in *integration) (phaseID, Reason) {
	x.hop.Fact(trace.Unsupported, in.uri, "AWS service integrations other than Lambda are not called", in.SourcePath)
	return x.refuseAt(reasonService, internalError, in.SourcePath)
}

// mapRequest carries out requestParameters; it returns a header that must not be mapped.
func (x *exchange) mapRequest(in *integration) string {
	for i := range in.requestParams {
		m := &in.requestParams[i]
		if m.where == fromHeader && (contains(unmappable, m.name) || in.lambda() && contains(unmappableLambda, m.name)) {
			return m.name
		}
		first := true
		x.values(m.source, func(v string) {
			switch m.where {
			case fromHeader:
				if !validField(m.name, v) {
					return
				}
				if first {
					x.out.header.Set(m.name, v)
				} else {
					x.out.header.Add(m.name, v)
				}
			case fromQuery:
				x.out.query = append(x.out.query, pair{m.name, v})
			case fromPath:
				if m.source.kind != fromPath {
					v = escapeSegment(v)
				}
				x.out.path = append(x.out.path, param{m.name, v})
			}
			first = false
		})
	}
	return ""
}

// mappedRequest serves the types with templates: HTTP, AWS and MOCK.
func (x *exchange) mappedRequest(in *integration) (phaseID, Reason) {
	tmpl, ok := in.requestTemplate(x.contentType())
	if !ok {
		return x.refuseAt(reasonMediaType, fault{kind: UnsupportedMediaType, status: 415, errorType: "BadRequestException",
			message: "Unsupported Media Type", spaced: true}, in.SourcePath)
	}
	body, err := x.convert(x.body, x.stage.isBinary(x.req.Header.Get("Content-Type")), in.ContentHandling)
	if err != nil {
		return x.refuseAt(reasonBase64, internalError, in.SourcePath)
	}
	reason := reasonPassthrough
	if tmpl != nil {
		text, err := tmpl.run(x.templateEnv(string(body)))
		if err != nil {
			return x.refuseTemplate(err, in.SourcePath)
		}
		body, reason = []byte(text), reasonTemplate
	}
	x.out.body = body
	if bad := x.mapRequest(in); bad != "" {
		return x.refuseHeader(in, bad)
	}
	x.overrideRequest()
	switch {
	case in.Type == IntegrationMock:
		return x.mockRequest(in)
	case in.Type == IntegrationHTTP:
		x.defaultHeaders()
		return x.httpRequest(in, reason)
	case in.Function == nil:
		return x.refuseService(in)
	}
	x.out.async = strings.EqualFold(x.out.header.Get("X-Amz-Invocation-Type"), "Event")
	return phaseIntegrate, reason
}

func (x *exchange) refuseTemplate(err error, path string) (phaseID, Reason) {
	if x.hop != nil {
		x.detail = err.Error()
	}
	return x.refuseAt(reasonTemplateFailed, internalError, path)
}

// overrideRequest applies $context.requestOverride, which wins over parameter mappings.
func (x *exchange) overrideRequest() {
	x.override("requestOverride", "header").All(func(k string, v vtl.Value) bool {
		if s, _ := vtl.Text(v); validField(k, s) {
			x.out.header.Set(k, s)
		}
		return true
	})
	x.override("requestOverride", "querystring").All(func(k string, v vtl.Value) bool {
		s, _ := vtl.Text(v)
		x.out.query = append(removePair(x.out.query, k), pair{k, s})
		return true
	})
	x.override("requestOverride", "path").All(func(k string, v vtl.Value) bool {
		s, _ := vtl.Text(v)
		x.out.path = append([]param{{k, escapeSegment(s)}}, x.out.path...)
		return true
	})
}

func removePair(q []pair, name string) []pair {
	out := q[:0]
	for _, p := range q {
		if p.name != name {
			out = append(out, p)
		}
	}
	return out
}

// defaultHeaders are those of HTTP integrations that nothing maps (facts: apigateway 5).
func (x *exchange) defaultHeaders() {
	set := func(name, value string) {
		if value != "" && !x.out.header.Has(name) {
			x.out.header.Add(name, value)
		}
	}
	set("Accept", "application/json")
	set("User-Agent", "AmazonAPIGateway_"+x.stage.plan.API.ID)
	switch x.req.Method {
	case "GET", "HEAD", "OPTIONS":
	default:
		set("Content-Type", x.req.Header.Get("Content-Type"))
	}
	x.out.header = x.addOwn(x.out.header)
}

// mockRequest reads the status of a mock out of its template's result.
func (x *exchange) mockRequest(in *integration) (phaseID, Reason) {
	v, err := vtl.ParseJSON(string(x.out.body))
	if err == nil {
		if m, ok := v.(*vtl.Map); ok {
			if status, ok := m.Get("statusCode").(int64); ok {
				x.out.status = int(status)
				return phaseIntegrate, reasonTemplate
			}
		}
	}
	return x.refuseAt(reasonMockStatus, internalError, in.SourcePath)
}

// convert applies content handling to a payload (AWS's payload encodings workflow): binary payloads to and from Base64.
func (x *exchange) convert(body []byte, binary bool, to ContentHandling) ([]byte, error) {
	switch {
	case to == ConvertToText && binary:
		return base64.StdEncoding.AppendEncode(nil, body), nil
	case to == ConvertToBinary && !binary:
		return base64.StdEncoding.AppendDecode(nil, body)
	}
	return body, nil
}

// httpRequest builds the request to an HTTP backend.
func (x *exchange) httpRequest(in *integration, reason Reason) (phaseID, Reason) {
	target, ok := x.expandURI(in.uri)
	u, err := url.Parse(target)
	if !ok || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		if x.hop != nil {
			x.detail = target
		}
		return x.refuseAt(reasonEndpoint, internalError, in.SourcePath)
	}
	method := in.HTTPMethod
	if method == "" || method == "ANY" {
		method = x.req.Method
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	query := u.RawQuery
	for _, p := range x.out.query {
		if query != "" {
			query += "&"
		}
		query += url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value)
	}
	x.out.header.Set("X-Amzn-Apigateway-Api-Id", x.stage.plan.API.ID)
	r := &message.Request{Method: method, Scheme: u.Scheme, Host: u.Host, Path: path, Query: query, HasQuery: query != "",
		Proto: message.HTTP11, Header: x.out.header, Trace: x.req.Trace, Client: x.req.Client}
	if len(x.out.body) > 0 && method != "GET" && method != "HEAD" && method != "OPTIONS" {
		r.Body, r.ContentLength = bytes.NewReader(x.out.body), int64(len(x.out.body))
	}
	x.out.request = r
	if x.hop != nil {
		x.hop.Sent = &trace.Sent{Method: method, Scheme: r.Scheme, Host: r.Host, Path: trace.RedactTarget(r.Target())}
		for _, f := range r.Header {
			x.hop.Sent.Headers = append(x.hop.Sent.Headers, [2]string{f.Name, x.hop.Redact(f.Name, f.Value)})
		}
	}
	return phaseIntegrate, reason
}

// expandURI fills {name} by the mapped path parameters; false when one is left.
func (x *exchange) expandURI(uri string) (string, bool) {
	if strings.IndexByte(uri, '{') < 0 {
		return uri, true
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(uri, '{')
		end := strings.IndexByte(uri, '}')
		if i < 0 || end < i {
			b.WriteString(uri)
			return b.String(), i < 0
		}
		b.WriteString(uri[:i])
		name := strings.TrimSuffix(uri[i+1:end], "+")
		found := false
		for _, p := range x.out.path {
			if p.name == name {
				b.WriteString(p.raw)
				found = true
				break
			}
		}
		if !found {
			return b.String() + uri[i:], false
		}
		uri = uri[end+1:]
	}
}

// escapeSegment writes a value for a path; slashes stay, as a mapped value may hold several segments.
func escapeSegment(s string) string {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if !pathByte(s[i]) {
			b := make([]byte, 0, len(s)+8)
			for j := 0; j < len(s); j++ {
				if pathByte(s[j]) {
					b = append(b, s[j])
				} else {
					b = append(b, '%', hex[s[j]>>4], hex[s[j]&15])
				}
			}
			return string(b)
		}
	}
	return s
}

func pathByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0
}
