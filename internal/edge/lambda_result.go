package edge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// invalidResult is what a function returned and may not return. Sentence is what the viewer's page says; detail, when there is one,
// is what the log says in its place, with names.
type invalidResult struct {
	sentence, detail string
	json             bool
}

func (e *invalidResult) Error() string {
	if e.detail != "" {
		return e.detail
	}
	return e.sentence
}

func invalid(format string, args ...any) *invalidResult {
	return &invalidResult{sentence: lambdaValidation + fmt.Sprintf(format, args...)}
}

func invalidEntry(format string, args ...any) *invalidResult {
	return &invalidResult{sentence: lambdaHeaders + fmt.Sprintf(format, args...)}
}

func invalidOrigin(format string, args ...any) *invalidResult {
	return &invalidResult{sentence: lambdaOriginConfig + fmt.Sprintf(format, args...)}
}

// readOnly refuses what a function did with a read-only header (live: CodeGenieApp/serverless-express 369).
func readOnly(verb, name string) *invalidResult {
	return &invalidResult{sentence: sentenceReadOnly,
		detail: "Lambda function result failed validation, the function tried to " + verb + " read-only header, headerName : " + name + "."}
}

func disallowed(name string) *invalidResult {
	return &invalidResult{sentence: sentenceDisallowed,
		detail: "Lambda function result failed validation, the function tried to add blacklisted header, headerName : " + name + "."}
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

// decodeLambda reads what a function returned for event. It checks everything that can be checked without the request
// (facts: edge-functions B).
func decodeLambda(payload []byte, event Event) (*lambdaResult, *invalidResult) {
	if !json.Valid(payload) {
		return nil, &invalidResult{sentence: sentenceLambdaJSON, json: true}
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(payload, &m); err != nil || m == nil {
		return nil, &invalidResult{sentence: sentenceLambdaObject, json: true}
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
	return r, r.decodeRequest(m, event)
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
		body, bad := decodeBody(text, m["bodyEncoding"], "text")
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

// decodeBody takes the encoding that a body has when it names none: text for responses, base64 for requests
// (DG-lambda-generating-http-responses, DG-lambda-event-structure).
func decodeBody(text string, encoding json.RawMessage, kind string) ([]byte, *invalidResult) {
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

func (r *lambdaResult) decodeRequest(m map[string]json.RawMessage, event Event) *invalidResult {
	var ok bool
	if r.uri, ok = jsonText(m["uri"]); !ok || !strings.HasPrefix(r.uri, "/") || badInTarget(r.uri) || strings.Contains(r.uri, "?") {
		return &invalidResult{sentence: sentenceURI, detail: lambdaValidation + "The URI must be a string that starts with / and has no spaces, control characters, ? or #."}
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
			return invalidOrigin("The origin object is not valid: %v.", err)
		}
		if (r.origin.Custom == nil) == (r.origin.S3 == nil) {
			return invalidOrigin("The origin must have exactly one of custom and s3.")
		}
	}
	return r.decodeRequestBody(m["body"], event)
}

// decodeRequestBody reads the body of a request, when the function replaces it: at most as long as what functions are shown, as text
// or in base64 (DG-lambda-at-edge-function-restrictions, "Restrictions on the request body").
func (r *lambdaResult) decodeRequestBody(raw json.RawMessage, event Event) *invalidResult {
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
	encoding, limit := json.RawMessage(nil), generatedLimit(event)
	if body.Encoding != "" {
		encoding = appendJSONString(nil, body.Encoding)
	}
	if body.Encoding != "text" {
		limit = limit * 133 / 100 // 53.2 KB, and 1.33 MB
	}
	if len(body.Data) > limit {
		return &invalidResult{sentence: sentenceLambdaBody}
	}
	b, bad := decodeBody(body.Data, encoding, "base64")
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
