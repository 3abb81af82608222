package edge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// invalidResult is what a function returned and may not return. Sentence is what the viewer's page says.
type invalidResult struct {
	sentence string
	json     bool
}

func (e *invalidResult) Error() string { return e.sentence }

func invalid(format string, args ...any) *invalidResult {
	return &invalidResult{sentence: lambdaValidation + fmt.Sprintf(format, args...)}
}

func invalidHeader(format string, args ...any) *invalidResult {
	return &invalidResult{sentence: lambdaHeaders + fmt.Sprintf(format, args...)}
}

// lambdaResult is what a function returned: a request when status is 0, else a response.
type lambdaResult struct {
	status      int
	description string
	headers     message.Header
	hasHeaders  bool
	body        []byte
	hasBody     bool

	uri, query, method string
	hasURI, hasQuery   bool
	origin             *lambdaOrigin
}

type lambdaOrigin struct {
	Custom *lambdaCustomOrigin `json:"custom"`
	S3     *lambdaS3Origin     `json:"s3"`
}

type lambdaCustomOrigin struct {
	CustomHeaders    json.RawMessage `json:"customHeaders"`
	DomainName       string          `json:"domainName"`
	KeepaliveTimeout int             `json:"keepaliveTimeout"`
	Path             string          `json:"path"`
	Port             int             `json:"port"`
	Protocol         string          `json:"protocol"`
	ReadTimeout      int             `json:"readTimeout"`
	SSLProtocols     []string        `json:"sslProtocols"`
}

type lambdaS3Origin struct {
	AuthMethod    string          `json:"authMethod"`
	CustomHeaders json.RawMessage `json:"customHeaders"`
	DomainName    string          `json:"domainName"`
	Path          string          `json:"path"`
	Region        string          `json:"region"`
}

// decodeLambda reads what a function returned for event. It checks everything that can be checked without the request
// (facts: edge-functions B).
func decodeLambda(payload []byte, event Event) (*lambdaResult, *invalidResult) {
	if !json.Valid(payload) {
		return nil, &invalidResult{sentence: sentenceLambdaJSON, json: true}
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(payload, &m); err != nil || m == nil {
		return nil, &invalidResult{sentence: sentenceLambdaBody}
	}
	r := &lambdaResult{}
	if raw, ok := m["headers"]; ok && string(raw) != "null" {
		h, bad := decodeHeaders(raw)
		if bad != nil {
			return nil, bad
		}
		r.headers, r.hasHeaders = h, true
	}
	_, isResponse := m["status"]
	if event == OriginResponse || event == ViewerResponse || isResponse {
		if bad := r.decodeResponse(m, event); bad != nil {
			return nil, bad
		}
		return r, nil
	}
	if _, ok := m["uri"]; !ok {
		return nil, invalid("The status code is missing.")
	}
	return r, r.decodeRequest(m)
}

func (r *lambdaResult) decodeResponse(m map[string]json.RawMessage, event Event) *invalidResult {
	raw, ok := m["status"]
	if !ok {
		return invalid("The status code is missing.")
	}
	text, ok := jsonText(raw)
	if !ok {
		text = string(raw) // a number is read too: whether AWS refuses it is not known
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 200 || n > 599 {
		return invalid("The status code %q is not between 200 and 599.", text)
	}
	r.status = n
	if raw, ok := m["statusDescription"]; ok {
		if r.description, ok = jsonText(raw); !ok && string(raw) != "null" {
			return invalid("The status description is not a string.")
		}
		if strings.ContainsAny(r.description, "\r\n") {
			return invalid("The status description has a line break.")
		}
	}
	if raw, ok := m["body"]; ok && string(raw) != "null" {
		text, ok := jsonText(raw)
		if !ok {
			return &invalidResult{sentence: sentenceLambdaBody}
		}
		body, bad := decodeBody(text, m["bodyEncoding"])
		if bad != nil {
			return bad
		}
		r.body, r.hasBody = body, true
	}
	size := len(r.body)
	for _, f := range r.headers {
		size += len(f.Name) + len(f.Value)
	}
	switch limit := generatedLimit(event); {
	case size > limit:
		return &invalidResult{sentence: sentenceLambdaBody}
	case event == ViewerRequest && r.status == 204 && len(r.body) > 0:
		return invalid("A response with status 204 has a body.")
	}
	return nil
}

// generatedLimit is 40 KB for viewer events and 1 MB for origin events (facts: edge-functions B, Limits).
func generatedLimit(event Event) int {
	if event == ViewerRequest || event == ViewerResponse {
		return 40 << 10
	}
	return 1 << 20
}

func decodeBody(text string, encoding json.RawMessage) ([]byte, *invalidResult) {
	kind := "text"
	if len(encoding) > 0 && string(encoding) != "null" {
		kind, _ = jsonText(encoding)
	}
	switch kind {
	case "text":
		return []byte(text), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, &invalidResult{sentence: sentenceLambdaBody}
		}
		return b, nil
	}
	return nil, invalid("The body encoding %q is neither text nor base64.", kind)
}

func (r *lambdaResult) decodeRequest(m map[string]json.RawMessage) *invalidResult {
	var ok bool
	if r.uri, ok = jsonText(m["uri"]); !ok || !strings.HasPrefix(r.uri, "/") || badInTarget(r.uri) || strings.Contains(r.uri, "?") {
		return invalid("The URI must be a string that starts with / and has no spaces, control characters, ? or #.")
	}
	r.hasURI = true
	if raw, given := m["querystring"]; given {
		if r.query, ok = jsonText(raw); !ok || badInTarget(r.query) {
			return invalid("The query string must be a string without spaces, control characters and #.")
		}
		r.hasQuery = true
	}
	if len(r.uri)+len(r.query) >= maxURL {
		return invalid("URI and query string are longer than 8,192 characters.")
	}
	if raw, given := m["method"]; given {
		if r.method, ok = jsonText(raw); !ok {
			return invalid("The method is not a string.")
		}
	}
	if raw, given := m["origin"]; given && string(raw) != "null" {
		r.origin = &lambdaOrigin{}
		if err := json.Unmarshal(raw, r.origin); err != nil {
			return invalid("The origin object is not valid.")
		}
		if (r.origin.Custom == nil) == (r.origin.S3 == nil) {
			return invalid("The origin must have exactly one of custom and s3.")
		}
	}
	return r.decodeRequestBody(m["body"])
}

func (r *lambdaResult) decodeRequestBody(raw json.RawMessage) *invalidResult {
	var body struct {
		Action, Encoding string
		Data             string
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return &invalidResult{sentence: sentenceLambdaBody}
	}
	switch body.Action {
	case "", "read-only": // changes are left out of account
		return nil
	case "replace":
	default:
		return invalid("The body action %q is neither read-only nor replace.", body.Action)
	}
	encoding := json.RawMessage(nil)
	if body.Encoding != "" {
		encoding = appendJSONString(nil, body.Encoding)
	}
	b, bad := decodeBody(body.Data, encoding)
	if bad != nil {
		return bad
	}
	r.body, r.hasBody = b, true
	return nil
}

func badInTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || s[i] == '#' {
			return true
		}
	}
	return false
}

func jsonText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil
}

// decodeHeaders reads a headers object in its order. A missing key is made from the name (facts: edge-functions B).
func decodeHeaders(raw json.RawMessage) (message.Header, *invalidResult) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, invalidHeader("The headers must be an object.")
	}
	h := message.Header{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, invalidHeader("The headers must be an object.")
		}
		var entries []struct {
			Key   *string
			Value *string
		}
		if err := d.Decode(&entries); err != nil {
			return nil, invalidHeader("The entry %q must be an array of objects with key and value.", name)
		}
		for _, e := range entries {
			key := titleHeader(name)
			if e.Key != nil && *e.Key != "" {
				key = *e.Key
			}
			switch {
			case !strings.EqualFold(key, name):
				return nil, invalidHeader("The key %q does not match the name %q.", key, name)
			case e.Value == nil:
				return nil, invalidHeader("The entry %q has no value.", name)
			case !validName(key) || !validValue(*e.Value):
				return nil, invalidHeader("The entry %q has characters that are not allowed.", name)
			}
			h = append(h, message.Field{Name: key, Value: *e.Value})
		}
	}
	return h, nil
}

// titleHeader writes content-type as Content-Type.
func titleHeader(name string) string {
	b := []byte(strings.ToLower(name))
	up := true
	for i, c := range b {
		if up && c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
		up = c == '-'
	}
	return string(b)
}

// validName is the token of rfc9110 5.6.2.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// checkHeaders compares what a function returned with what it was shown: read-only headers must be equal, and no invisible
// one may appear.
func checkHeaders(shown, returned message.Header, event Event) *invalidResult {
	for _, f := range returned {
		if invisibleToFunctions(f.Name) {
			return invalidHeader("The header %s is not allowed.", f.Name)
		}
		if event == ViewerRequest && hasPrefixFold(f.Name, "CloudFront-") && !shown.Has(f.Name) {
			return invalidHeader("The header %s cannot be added.", f.Name)
		}
	}
	for _, name := range readOnlyHeaders(event) {
		a, b := shown.Values(name), returned.Values(name)
		same := len(a) == len(b)
		for i := 0; same && i < len(a); i++ {
			same = a[i] == b[i]
		}
		if !same {
			return invalidHeader("The header %s is read-only in %s events.", name, event)
		}
	}
	return nil
}

// apply makes an Origin of what a function returned, on top of the origin that it was shown (facts: edge-functions B).
func (o *lambdaOrigin) apply(old *Origin) (*Origin, *invalidResult) {
	n := *old
	if s := o.S3; s != nil {
		headers, bad := originHeadersFrom(s.CustomHeaders)
		if bad != nil {
			return nil, bad
		}
		if bad := checkOriginName(s.DomainName, s.Path); bad != nil {
			return nil, bad
		}
		n.Kind, n.Domain, n.Path, n.Region, n.Headers = S3Origin, s.DomainName, s.Path, s.Region, headers
		switch s.AuthMethod {
		case "none":
			if old.Access.Kind == AccessIdentity || old.Kind != S3Origin {
				n.Access = OriginAccess{}
			}
		case "origin-access-identity":
			if old.Access.Kind != AccessIdentity || s.Region == "" {
				return nil, invalid("origin-access-identity needs an S3 origin with an identity, and a region.")
			}
		default:
			return nil, invalid("The authMethod %q is neither none nor origin-access-identity.", s.AuthMethod)
		}
		if old.Kind != S3Origin {
			n.Protocol = OriginMatchViewer
		}
		return &n, nil
	}
	c := o.Custom
	headers, bad := originHeadersFrom(c.CustomHeaders)
	if bad != nil {
		return nil, bad
	}
	if bad := checkOriginName(c.DomainName, c.Path); bad != nil {
		return nil, bad
	}
	switch {
	case c.Port != 80 && c.Port != 443 && (c.Port < 1024 || c.Port > 65535):
		return nil, invalid("The origin port %d is not 80, 443 or 1024 to 65535.", c.Port)
	case c.Protocol != "http" && c.Protocol != "https":
		return nil, invalid("The origin protocol %q is neither http nor https.", c.Protocol)
	case c.ReadTimeout < 1 || c.ReadTimeout > 120 || c.KeepaliveTimeout < 1 || c.KeepaliveTimeout > 120:
		return nil, invalid("The origin timeouts must be between 1 and 120 seconds.")
	}
	if old.Kind == S3Origin {
		n.Access = OriginAccess{}
	}
	n.Kind, n.Domain, n.Path, n.Headers, n.SSLProtocols = CustomOrigin, c.DomainName, c.Path, headers, c.SSLProtocols
	n.HTTPPort, n.HTTPSPort, n.Protocol = c.Port, c.Port, OriginHTTPOnly
	if c.Protocol == "https" {
		n.Protocol = OriginHTTPSOnly
	}
	n.ReadTimeout, n.KeepaliveTimeout = time.Duration(c.ReadTimeout)*time.Second, time.Duration(c.KeepaliveTimeout)*time.Second
	return &n, nil
}

func originHeadersFrom(raw json.RawMessage) ([]message.Field, *invalidResult) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	return decodeHeaders(raw)
}

func checkOriginName(domain, path string) *invalidResult {
	if _, err := netip.ParseAddr(domain); err == nil || domain == "" || len(domain) > 253 || strings.Contains(domain, ":") || badInTarget(domain) {
		return invalid("The origin domain name %q is not valid.", domain)
	}
	if path != "" && (path[0] != '/' || strings.HasSuffix(path, "/") || len(path) > 255 || badInTarget(path)) {
		return invalid("The origin path %q must start with / and not end with /.", path)
	}
	return nil
}
