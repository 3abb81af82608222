package rest

import (
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// droppedRequest are the request headers that no integration sees (facts: apigateway 5, header handling;
// localstack header_utils, validated against AWS).
var droppedRequest = []string{"Connection", "Content-Length", "Content-MD5", "Expect", "Max-Forwards", "Proxy-Authenticate",
	"Server", "TE", "Transfer-Encoding", "Trailer", "Upgrade", "WWW-Authenticate"}

func droppedFromRequest(name string) bool { return contains(droppedRequest, name) }

func contains(names []string, name string) bool {
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// What becomes of the headers of an integration's answer (facts: apigateway 5, header handling).
var (
	droppedResponse  = []string{"Expect", "Host", "Proxy-Authenticate", "TE", "Transfer-Encoding", "Trailer", "Upgrade"}
	remappedResponse = []string{"Authorization", "Connection", "Content-Length", "Content-MD5", "Date", "Max-Forwards", "Server",
		"User-Agent", "WWW-Authenticate", "x-amzn-RequestId"}
)

// addResponseHeader puts a header of the integration into the answer, dropped or remapped as the table says. Via passes
// for the HTTP type only.
func (x *exchange) addResponseHeader(h *message.Header, name, value string) {
	switch {
	case contains(droppedResponse, name), !validField(name, value):
		return
	case strings.EqualFold(name, "Via") && x.method.integration.Type != IntegrationHTTP:
		return
	case strings.EqualFold(name, "X-Amzn-Trace-Id"):
		return
	case contains(remappedResponse, name):
		name = "x-amzn-Remapped-" + name
	}
	h.Add(name, value)
}

// forwarded appends the request's headers as proxy integrations send them on.
func (x *exchange) forwarded(h message.Header, drop ...string) message.Header {
	for _, f := range x.req.Header {
		switch {
		case droppedFromRequest(f.Name), contains(drop, f.Name), contains(ownHeaders, f.Name):
			continue
		// The backend gets no signature that was for API Gateway (facts: apigateway 5).
		case strings.EqualFold(f.Name, "Authorization"):
			if x.method.AuthorizationType == AuthIAM || strings.HasPrefix(f.Value, "AWS4-HMAC-SHA256") {
				continue
			}
			f.Name = "Authorization"
		case strings.EqualFold(f.Name, "User-Agent"):
			f.Name = "User-Agent"
		}
		h = append(h, f)
	}
	return x.addOwn(h)
}

// ownHeaders are those that API Gateway writes itself.
var ownHeaders = []string{"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Amzn-Trace-Id", "Host"}

func (x *exchange) addOwn(h message.Header) message.Header {
	from := x.sourceIP()
	if v := x.req.Header.Get("X-Forwarded-For"); v != "" {
		from = v + ", " + from
	}
	port, proto := "443", "https"
	if x.req.Scheme == "http" {
		port, proto = "80", "http"
	}
	return append(h, message.Field{Name: "X-Amzn-Trace-Id", Value: x.traceID},
		message.Field{Name: "X-Forwarded-For", Value: from},
		message.Field{Name: "X-Forwarded-Port", Value: port},
		message.Field{Name: "X-Forwarded-Proto", Value: proto})
}

// Headers that a mapping may not set, as AWS answers 500 (localstack integration_request, validated against AWS).
var (
	unmappable       = []string{"content-length", "transfer-encoding", "x-amzn-trace-id", "x-amzn-apigateway-api-id"}
	unmappableLambda = []string{"authorization", "connection", "expect", "proxy-authenticate", "te"}
)
