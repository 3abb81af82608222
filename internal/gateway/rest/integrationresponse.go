package rest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
	"github.com/foregate/foregate/internal/vtl"
)

// integrationResponse makes of the integration's answer the method's.
func (x *exchange) integrationResponse() (phaseID, Reason) {
	in := x.method.integration
	switch in.Type {
	case IntegrationAWSProxy:
		return x.lambdaProxyResponse(in)
	case IntegrationHTTPProxy:
		return x.httpProxyResponse()
	}
	selection := strconv.Itoa(x.backend.status)
	if in.Function != nil {
		selection = lambdaErrorMessage(x.backend.body)
	}
	sel, reason := in.selectResponse(selection)
	if sel == nil {
		if x.hop != nil {
			x.detail = `"` + selection + `"`
		}
		return x.refuseAt(reasonNoResponse, internalError, in.SourcePath)
	}
	if x.hop != nil {
		x.verdict = sel.StatusCode
		x.detail = `"` + sel.SelectionPattern + `" of "` + selection + `"`
	}
	binary := x.stage.isBinary(x.backend.header.Get("Content-Type"))
	body, err := x.convertResponse(binary, sel.ContentHandling)
	if err != nil {
		return x.refuseAt(reasonBase64, internalError, sel.SourcePath)
	}
	contentType := "application/json"
	if t := sel.template(x.req.Header.Get("Accept")); t != nil {
		contentType = t.contentType
		text, err := t.run(x.templateEnv(string(body)))
		if err != nil {
			return x.refuseTemplate(err, sel.SourcePath)
		}
		body = []byte(text)
	}
	x.mapResponse(sel, contentType, body)
	return phaseMethodResponse, reason
}

// convertResponse applies content handling; without one, a binary payload for a client that does not accept it becomes
// Base64 (AWS's payload encodings workflow).
func (x *exchange) convertResponse(binary bool, to ContentHandling) ([]byte, error) {
	if to == "" && binary && !x.acceptsBinary() {
		to = ConvertToText
	}
	return x.convert(x.backend.body, binary, to)
}

// acceptsBinary looks at the first media type of Accept (facts: apigateway 10).
func (x *exchange) acceptsBinary() bool {
	first, _, _ := strings.Cut(x.req.Header.Get("Accept"), ",")
	return x.stage.isBinary(first)
}

// mapResponse builds the answer of a selected integration response; overrides of the templates win.
func (x *exchange) mapResponse(sel *integrationResponse, contentType string, body []byte) {
	resp := x.newResponse(sel.status)
	h := &resp.Header
	for i := range sel.params {
		m := &sel.params[i]
		first := true
		x.values(m.source, func(v string) {
			if first && h.Has(m.name) {
				h.Set(m.name, v)
			} else {
				x.addResponseHeader(h, m.name, v)
			}
			first = false
		})
	}
	if o := x.override("responseOverride", ""); o != nil {
		if status, ok := o.Get("status").(int64); ok && status >= 100 && status < 600 {
			resp.Status = int(status)
		}
	}
	x.override("responseOverride", "header").All(func(k string, v vtl.Value) bool {
		if s, _ := vtl.Text(v); s != "" {
			h.Del(k)
			x.addResponseHeader(h, k, s)
		}
		return true
	})
	if !h.Has("Content-Type") {
		h.Add("Content-Type", contentType)
	}
	x.setBody(body)
}

// newResponse begins the answer with the headers that all of them have (facts: apigateway 3).
func (x *exchange) newResponse(status int) *message.Response {
	h := make(message.Header, 0, 8+len(x.backend.header))
	h = append(h, message.Field{Name: "Date", Value: x.stage.date(x.now)},
		message.Field{Name: "x-amzn-RequestId", Value: x.requestID},
		message.Field{Name: "x-amz-apigw-id", Value: x.extendedID})
	x.response = &message.Response{Status: status, Header: h}
	return x.response
}

func (x *exchange) setBody(body []byte) {
	x.response.ContentLength = int64(len(body))
	if len(body) > 0 {
		x.response.Body = &bodyReader{b: body}
	}
}

// lambdaErrorMessage is what selection patterns of a Lambda integration match: errorMessage, or "".
func lambdaErrorMessage(body []byte) string {
	if len(body) == 0 || body[0] != '{' {
		return ""
	}
	v, err := vtl.ParseJSON(string(body))
	if err != nil {
		return ""
	}
	m, _ := v.(*vtl.Map)
	s, _ := vtl.Text(m.Get("errorMessage"))
	return s
}

func (x *exchange) httpProxyResponse() (phaseID, Reason) {
	resp := x.newResponse(x.backend.status)
	h := &resp.Header
	for _, f := range x.backend.header {
		x.addResponseHeader(h, f.Name, f.Value)
	}
	// The length that the backend gave is shown remapped (test_http_integration_with_lambda, recorded by localstack).
	if x.backend.length >= 0 {
		h.Add("x-amzn-Remapped-Content-Length", strconv.FormatInt(x.backend.length, 10))
	}
	resp.ContentLength = x.backend.length
	if x.backend.stream != nil {
		resp.Body = x.backend.stream
	}
	if x.hop != nil {
		x.verdict = strconv.Itoa(resp.Status)
	}
	return phaseMethodResponse, reasonProxyResponse
}

// lambdaProxyResponse reads {isBase64Encoded, statusCode, headers, multiValueHeaders, body} (facts: apigateway 5). An
// unknown member makes it malformed (test_aws_proxy_response_payload_format_validation, recorded by localstack).
func (x *exchange) lambdaProxyResponse(in *integration) (phaseID, Reason) {
	if x.backend.failed {
		return x.refuseAt(reasonFunctionError, badGateway, in.Function.SourcePath)
	}
	p, err := parseProxyResponse(string(x.backend.body))
	if err != nil {
		if x.hop != nil {
			x.detail = err.Error()
		}
		return x.refuseAt(reasonMalformed, badGateway, in.Function.SourcePath)
	}
	resp := x.newResponse(p.status)
	x.proxyHeaders(&p)
	body := []byte(p.body)
	if p.base64 && x.acceptsBinary() {
		if body, err = base64.StdEncoding.AppendDecode(make([]byte, 0, len(p.body)), body); err != nil {
			x.response = nil
			return x.refuseAt(reasonBase64, internalError, in.Function.SourcePath)
		}
	}
	x.setBody(body)
	if x.hop != nil {
		x.verdict = strconv.Itoa(resp.Status)
	}
	return phaseMethodResponse, reasonProxyResponse
}

// proxyResponse is a function's answer.
type proxyResponse struct {
	status         int
	base64         bool
	body           string
	headers, multi *vtl.Map
}

func parseProxyResponse(src string) (p proxyResponse, err error) {
	v, err := vtl.ParseStrictJSON(src)
	if err != nil {
		return p, err
	}
	m, ok := v.(*vtl.Map)
	if !ok || m.Len() == 0 {
		return p, fmt.Errorf("not an object with members")
	}
	p.status = 200
	m.All(func(key string, v vtl.Value) bool {
		if v == nil {
			err = knownMember(key)
			return err == nil
		}
		ok := true
		switch key {
		case "statusCode":
			p.status, ok = statusCode(v)
		case "body":
			p.body, ok = v.(string)
		case "isBase64Encoded":
			p.base64, ok = v.(bool)
		case "headers":
			p.headers, ok = v.(*vtl.Map)
		case "multiValueHeaders":
			p.multi, ok = v.(*vtl.Map)
		default:
			err = knownMember(key)
			return false
		}
		if !ok {
			err = fmt.Errorf("member %q has the wrong type", key)
		}
		return ok
	})
	if err == nil {
		err = checkHeaders(p.headers, p.multi)
	}
	return p, err
}

func knownMember(key string) error {
	switch key {
	case "statusCode", "body", "isBase64Encoded", "headers", "multiValueHeaders":
		return nil
	}
	return fmt.Errorf("member %q is not part of a proxy response", key)
}

func statusCode(v vtl.Value) (int, bool) {
	n, ok := v.(int64)
	if s, isText := v.(string); isText {
		i, err := strconv.Atoi(s)
		n, ok = int64(i), err == nil
	}
	return int(n), ok && n >= 100 && n < 600
}

// checkHeaders wants scalars in headers and lists in multiValueHeaders.
func checkHeaders(headers, multi *vtl.Map) (err error) {
	headers.All(func(k string, v vtl.Value) bool {
		switch v.(type) {
		case *vtl.List, *vtl.Map:
			err = fmt.Errorf("header %q is no string", k)
		}
		return err == nil
	})
	multi.All(func(k string, v vtl.Value) bool {
		if _, ok := v.(*vtl.List); !ok {
			err = fmt.Errorf("multi-value header %q is no list", k)
		}
		return err == nil
	})
	return err
}

// proxyHeaders adds the function's headers. A name in both maps has the list's values first, and the list's spelling
// (test_aws_proxy_response_payload_format_validation, recorded by localstack).
func (x *exchange) proxyHeaders(p *proxyResponse) {
	h := &x.response.Header
	p.headers.All(func(k string, v vtl.Value) bool {
		if v != nil && !hasFold(p.multi, k) {
			x.addText(h, k, v)
		}
		return true
	})
	p.multi.All(func(k string, v vtl.Value) bool {
		for _, item := range v.(*vtl.List).Items() {
			x.addText(h, k, item)
		}
		p.headers.All(func(name string, v vtl.Value) bool {
			if v != nil && strings.EqualFold(name, k) {
				x.addText(h, k, v)
			}
			return true
		})
		return true
	})
	if !h.Has("Content-Type") {
		h.Add("Content-Type", "application/json")
	}
}

func (x *exchange) addText(h *message.Header, name string, v vtl.Value) {
	if s, err := vtl.Text(v); err == nil && validField(name, s) {
		x.addResponseHeader(h, name, s)
	} else if x.hop != nil {
		x.hop.Fact(trace.HeaderDropped, name, "not a valid HTTP field", x.sourcePath())
	}
}

// validField tells whether a field can be sent (rfc9110 5.5, 5.6.2).
func validField(name, value string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return name != "" && !strings.ContainsAny(value, "\r\n\x00")
}

func hasFold(m *vtl.Map, key string) bool {
	found := false
	m.All(func(k string, _ vtl.Value) bool {
		found = strings.EqualFold(k, key)
		return !found
	})
	return found
}
