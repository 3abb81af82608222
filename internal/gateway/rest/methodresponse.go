package rest

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/message"
)

// dateCache is a formatted second.
type dateCache struct {
	second int64
	text   string
}

// date formats a Date field, once a second.
func (s *Stage) date(t time.Time) string {
	second := t.Unix()
	if c := s.dates.Load(); c != nil && c.second == second {
		return c.text
	}
	c := &dateCache{second, gateway.HTTPDate(t)}
	s.dates.Store(c)
	return c.text
}

// bodyReader is a body in memory.
type bodyReader struct{ b []byte }

// Read copies out of the body.
func (r *bodyReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// WriteTo writes the rest of the body at once.
func (r *bodyReader) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(r.b)
	r.b = r.b[n:]
	return int64(n), err
}

// Close does nothing.
func (r *bodyReader) Close() error { return nil }

// methodResponse finishes the answer: trace id and compression.
func (x *exchange) methodResponse() (phaseID, Reason) {
	// Answers of backends carry the trace id; mocks have none (localstack response_enricher, validated against AWS;
	// for HTTP_PROXY test_http_integration_with_lambda).
	if x.method.integration.Type != IntegrationMock {
		sampled := ";Sampled=0"
		if x.stage.plan.Stage.TracingEnabled {
			sampled = ";Sampled=1"
		}
		x.response.Header = append(x.response.Header, message.Field{Name: "X-Amzn-Trace-Id", Value: x.traceID + sampled})
	}
	x.compress()
	return phaseLog, reasonDelivered
}

// compress applies minimumCompressionSize with gzip (facts: apigateway 10). A stream passes as it is.
func (x *exchange) compress() {
	limit := x.stage.plan.API.MinimumCompressionSize
	body, ok := x.response.Body.(*bodyReader)
	if limit < 0 || !ok || len(body.b) < limit || x.response.Header.Has("Content-Encoding") ||
		!acceptsGzip(x.req.Header.Get("Accept-Encoding")) {
		return
	}
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(body.b); err != nil || w.Close() != nil {
		return
	}
	x.response.Header.Add("Content-Encoding", "gzip")
	x.setBody(buf.Bytes())
}

func acceptsGzip(v string) bool {
	for coding := range strings.SplitSeq(v, ",") {
		name, q, _ := strings.Cut(coding, ";")
		name = strings.TrimSpace(name)
		if (name == "*" || strings.EqualFold(name, "gzip")) && !strings.HasSuffix(strings.TrimSpace(q), "q=0") {
			return true
		}
	}
	return false
}
