package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// decodeHeaders reads a headers object in its order. A missing key is made from the name (facts: edge-functions B).
func decodeHeaders(raw json.RawMessage) (message.Header, *invalidResult) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, invalidEntry("The headers must be an object.")
	}
	h := message.Header{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, invalidEntry("The headers must be an object.")
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, invalidEntry("The headers must be an object.")
		}
		var bad *invalidResult
		if h, bad = appendEntry(h, name, raw); bad != nil {
			return nil, bad
		}
	}
	return h, nil
}

// appendEntry reads the entry of one name: an array of objects with key and value. A value may be an array of strings as well (live:
// aws-samples/cloudfront-authorization-at-edge 12).
func appendEntry(h message.Header, name string, raw json.RawMessage) (message.Header, *invalidResult) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, &invalidResult{sentence: sentenceEntryArray, detail: sentenceEntryArray + " headerName : " + name + "."}
	}
	for _, item := range list {
		var entry struct {
			Key   *string
			Value json.RawMessage
		}
		if err := json.Unmarshal(item, &entry); err != nil {
			return nil, invalidEntry("The entry %q must be an array of objects with key and value.", name)
		}
		key := titleHeader(name)
		if entry.Key != nil && *entry.Key != "" {
			key = *entry.Key
		}
		var values []string
		if v, ok := jsonText(entry.Value); ok {
			values = []string{v}
		} else if len(entry.Value) == 0 || json.Unmarshal(entry.Value, &values) != nil || values == nil {
			return nil, &invalidResult{sentence: lambdaHeaders + "The value of each header value must be of string or array of string type.",
				detail: "The Lambda function returned an invalid entry in the headers object, the value of each header value must be of string or array of string type, header :" +
					name + " has one or more entries whose value is neither string nor array of strings."}
		}
		switch {
		case !strings.EqualFold(key, name):
			return nil, invalidEntry("The key %q does not match the name %q.", key, name)
		case !validName(key):
			return nil, invalidEntry("The name %q has characters that are not allowed.", key)
		}
		for _, v := range values {
			if i := invalidByte(v); i >= 0 {
				return nil, &invalidResult{sentence: lambdaValidation + "The function returned an invalid header.",
					detail: fmt.Sprintf("Lambda function result validation failed, the function returned an invalid header, invalid character : '%%%02X' in header value, headerName : %s.", v[i], key)}
			}
			h = append(h, message.Field{Name: key, Value: v})
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

// invalidByte returns the place of a control character in a value, -1 when there is none.
func invalidByte(s string) int {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return i
		}
	}
	return -1
}

func validValue(s string) bool { return invalidByte(s) < 0 }

// checkHeaders compares what a function returned with what it was shown: read-only headers must be equal, and no invisible
// one may appear (DG-edge-function-restrictions-all). CloudFront-Viewer-Country is the one of CloudFront's headers that a
// viewer-request function cannot add (DG-lambda-at-edge-function-restrictions, "CloudFront headers").
func checkHeaders(shown, returned message.Header, event Event) *invalidResult {
	for _, f := range returned {
		if invisibleToFunctions(f.Name) || event == ViewerRequest && strings.EqualFold(f.Name, "CloudFront-Viewer-Country") && !shown.Has(f.Name) {
			return disallowed(f.Name)
		}
	}
	for _, name := range readOnlyHeaders(event) {
		a, b := shown.Values(name), returned.Values(name)
		switch {
		case slices.Equal(a, b):
		case len(a) == 0:
			return readOnly("add", name)
		case len(b) == 0:
			return readOnly("delete", name)
		default:
			return readOnly("update", name)
		}
	}
	return nil
}

// checkGenerated refuses headers that a generated response may not have: those that functions never see, and the read-only ones of the
// event, Content-Length among them (live: Kludex/mangum 262, opennextjs/opennextjs-aws 427).
func checkGenerated(r *lambdaResult, event Event) *invalidResult {
	return checkHeaders(nil, r.headers, event)
}
