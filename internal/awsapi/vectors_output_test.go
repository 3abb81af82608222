package awsapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// TestOutputVectors encodes the results of the vectors and compares the answers with theirs; and it reads their answers
// with the decoders and compares the results.
func TestOutputVectors(t *testing.T) {
	dir := vectors(t)
	n := 0
	for _, sub := range []string{"protocols/output", "protocols/legacy/output"} {
		for _, file := range vectorFiles {
			path := filepath.Join(dir, sub, file)
			if _, err := os.Stat(path); err != nil {
				continue
			}
			for _, s := range readSuites(t, path) {
				for i := range s.Cases {
					c := &s.Cases[i]
					id := vectorID(sub, file, s, i)
					if reason(skippedOutputs, id) != "" {
						continue
					}
					n++
					t.Run(id, func(t *testing.T) {
						switch {
						case c.ErrorCode != "" || c.Error != nil:
							errorCase(t, &s, c)
						case c.Given.Output != nil:
							if reason(encodeSkips, id) == "" {
								encodeCase(t, &s, c)
							}
							readCase(t, &s, c)
						}
					})
				}
			}
		}
	}
	t.Logf("%d cases", n)
}

func encodeCase(t *testing.T, s *suite, c *vectorCase) {
	svc, op := s.service(c)
	out := op.NewOutput()
	fill(reflect.ValueOf(out).Elem(), op.Output, map[string]any(c.Result))
	r := encode(svc, op, out, "id")
	if c.Response.StatusCode != 0 && r.Status != c.Response.StatusCode {
		t.Errorf("status %d, want %d", r.Status, c.Response.StatusCode)
	}
	for k, v := range c.Response.Headers {
		if got := r.Header.Get(k); !strings.EqualFold(k, "Content-Type") && !strings.EqualFold(k, "x-amzn-requestid") && got != v {
			t.Errorf("field %s: %q, want %q", k, got, v)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	compareBody(t, svc, body, []byte(c.Response.Body))
}

func compareBody(t *testing.T, svc *Service, got, want []byte) {
	t.Helper()
	if svc.Protocol == RestXML || svc.Protocol == Query {
		g, gerr := parseXML(got, Limits{}.budget())
		w, werr := parseXML(want, Limits{}.budget())
		if gerr == nil && werr == nil {
			if a, b := canonical(g), canonical(w); a != b {
				t.Errorf("body\n%s\nwant\n%s", a, b)
			}
			return
		}
	} else {
		var g, w any
		if json.Unmarshal(got, &g) == nil && json.Unmarshal(want, &w) == nil {
			if !reflect.DeepEqual(normal(g), normal(w)) {
				t.Errorf("body\n%s\nwant\n%s", got, want)
			}
			return
		}
	}
	if strings.TrimSpace(string(got)) != strings.TrimSpace(string(want)) && len(bytes.TrimSpace(want)) > 0 {
		t.Errorf("body %q, want %q", got, want)
	}
}

// canonical writes a node without namespaces, order of siblings, and the metadata of the query protocol.
func canonical(n *node) string {
	var attrs []string
	for _, a := range n.attrs {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			attrs = append(attrs, a.Name.Local+"="+a.Value)
		}
	}
	slices.Sort(attrs)
	var kids []string
	for _, k := range n.kids {
		if k.name != "ResponseMetadata" && k.name != "RequestId" && k.name != "requestId" {
			kids = append(kids, canonical(k))
		}
	}
	slices.Sort(kids)
	text := n.text
	if len(n.kids) > 0 {
		text = ""
	}
	return fmt.Sprintf("(%s %v %q %v)", n.name, attrs, strings.TrimSpace(text), kids)
}

// readCase reads the answer of a vector as a client does.
func readCase(t *testing.T, s *suite, c *vectorCase) {
	svc, op := s.service(c)
	out := op.NewOutput()
	v := reflect.ValueOf(out).Elem()
	req := &message.Request{ContentLength: -1, Body: strings.NewReader(c.Response.Body)}
	for k, h := range c.Response.Headers {
		req.Header.Add(k, h)
	}
	in := &incoming{Request: req, match: &Match{Service: svc, Operation: op}, body: []byte(c.Response.Body)}
	if err := readOutput(in, v, op.Output, c.Response.StatusCode); err != nil {
		t.Fatalf("read answer: %v", err)
	}
	have, want := plain(reflect.ValueOf(out), op.Output), normal(map[string]any(c.Result))
	if c.Result == nil {
		want = map[string]any{}
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("result\n%v\nwant\n%v", show(have), show(want))
	}
}

func readOutput(in *incoming, v reflect.Value, s *Shape, status int) error {
	for _, m := range s.Members {
		f := v.Field(m.Field)
		switch m.Location {
		case Header:
			if err := in.header(f, m); err != nil {
				return err
			}
		case Headers:
			in.prefixHeaders(f, m)
		case StatusCode:
			place(f).SetInt(int64(status))
		}
	}
	svc := in.match.Service
	switch {
	case s.Payload != nil:
		return in.payload(v.Field(s.Payload.Field), s.Payload)
	case len(bytes.TrimSpace(in.body)) == 0:
		return nil
	case svc.Protocol == JSON || svc.Protocol == RestJSON:
		d := newJSONDecoder(in.body, Limits{}.budget())
		d.dropNull = true
		return d.document(v, s)
	}
	n, err := parseXML(in.body, Limits{}.budget())
	if err != nil {
		return err
	}
	if svc.Protocol == Query {
		if n = n.kid(in.match.Operation.ResultWrapper); n == nil {
			return nil
		}
	}
	d := xmlDecoder{}
	return d.structure(v, s, n)
}

func errorCase(t *testing.T, s *suite, c *vectorCase) {
	svc, _ := s.service(c)
	e := &Error{Code: c.ErrorCode, Message: c.ErrorMessage, Status: c.Response.StatusCode}
	for k, v := range c.Error {
		if text, ok := v.(string); ok && !strings.EqualFold(k, "message") {
			e.With(k, text)
		} else if k == "Message" {
			svc.errors[e.Code] = &ErrorShape{Code: e.Code, Message: k}
		}
	}
	r := encodeError(svc, e, "foo-id", nil)
	body, _ := io.ReadAll(r.Body)
	if r.Status != c.Response.StatusCode {
		t.Errorf("status %d, want %d", r.Status, c.Response.StatusCode)
	}
	if kind := c.Response.Headers["X-Amzn-Errortype"]; kind != "" && r.Header.Get("X-Amzn-Errortype") != kind {
		t.Errorf("error type %q, want %q", r.Header.Get("X-Amzn-Errortype"), kind)
	}
	compareBody(t, svc, body, []byte(c.Response.Body))
}
