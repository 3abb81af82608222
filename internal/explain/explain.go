// Package explain turns the trace of a request into what a person reads: the way of the request, where it broke, why, and
// what to change.
//
// Start with Build, then Text or JSON. An explanation is a trace of the run, never a second opinion: the package looks at the
// facts that the engines recorded and at the findings that compiling gave, and decides nothing about requests itself.
package explain

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Explanation is the whole answer to "what happened to this request": the JSON of explain -o json.
type Explanation struct {
	Request  Request        `json:"request"`
	Response Response       `json:"response"`
	Hops     []*trace.Hop   `json:"hops"`
	Findings []diag.Finding `json:"findings"`
}

// Request is the request as the client sent it, secrets shortened.
type Request struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers"`
}

// Response is the answer that the client got. Body holds at most MaxBody bytes, and none of a body that is not text.
type Response struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// MaxBody bounds how much of an answer's body an explanation keeps.
const MaxBody = 64 << 10

// Input is what Build works from.
type Input struct {
	Request *message.Request
	// Response is the answer; its Body is not read. Body is what was sent of it, or its beginning.
	Response *message.Response
	Body     []byte
	Trace    *trace.Trace
	// Static are the findings of compiling the configuration; those about what the request passed are kept.
	Static []diag.Finding
	// Locate finds the place of a template path; nil when there is no template.
	Locate func(path string) diag.Position
}

// RequestOf copies what an explanation shows of a request, before engines change it.
func RequestOf(r *message.Request) Request {
	out := Request{Method: r.Method, URL: trace.RedactTarget(r.URL()), Headers: [][2]string{}}
	for _, f := range r.Header {
		out.Headers = append(out.Headers, [2]string{f.Name, trace.Redact(f.Name, f.Value)})
	}
	return out
}

// Build makes the explanation of one request.
func Build(in Input, request Request) *Explanation {
	e := &Explanation{Request: request, Hops: in.Trace.Hops(), Findings: []diag.Finding{}}
	e.Response = Response{Status: in.Response.Status, Headers: [][2]string{}}
	for _, f := range in.Response.Header {
		e.Response.Headers = append(e.Response.Headers, [2]string{f.Name, trace.Redact(f.Name, f.Value)})
	}
	if isText(in.Response.Header) {
		e.Response.Body = string(in.Body[:min(len(in.Body), MaxBody)])
	}
	if e.Hops == nil {
		e.Hops = []*trace.Hop{}
	}
	e.Findings = append(e.Findings, dynamic(e)...)
	e.Findings = append(e.Findings, concerning(in.Static, e)...)
	e.Findings = order(dedupe(e.Findings))
	if in.Locate != nil {
		for i := range e.Findings {
			if f := &e.Findings[i]; f.Position == (diag.Position{}) && f.Path != "" {
				f.Position = in.Locate(f.Path)
			}
		}
	}
	return e
}

// isText tells whether a body may be shown: text types without a content coding.
func isText(h message.Header) bool {
	if h.Has("Content-Encoding") {
		return false
	}
	ct := strings.ToLower(h.Get("Content-Type"))
	for _, t := range []string{"text/", "json", "xml", "javascript", "x-www-form-urlencoded"} {
		if strings.Contains(ct, t) {
			return true
		}
	}
	return ct == ""
}

// concerning picks the findings about what the request passed: of a distribution, those about its behavior and origin and
// those about the whole of it; of others, all about the resource.
func concerning(static []diag.Finding, e *Explanation) []diag.Finding {
	passed := map[string]bool{}
	var places []string
	for _, h := range e.Hops {
		for _, f := range h.Facts {
			if r := resourceOf(f.Path); r != "" {
				passed[r] = true
				places = append(places, f.Path)
			}
		}
	}
	inPlace := func(path string) bool {
		return slices.ContainsFunc(places, func(p string) bool {
			return strings.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '.' || path[len(p)] == '[')
		})
	}
	var out []diag.Finding
	for _, f := range static {
		if !passed[resourceOf(f.Path)] {
			continue
		}
		choice := strings.Contains(f.Path, ".Origins[") || strings.Contains(f.Path, "CacheBehavior")
		if !choice || inPlace(f.Path) {
			out = append(out, f)
		}
	}
	return out
}

// resourceOf returns the front part of a path that names the resource: Resources.Site of Resources.Site.Properties.X.
func resourceOf(path string) string {
	p := strings.SplitN(path, ".", 3)
	if len(p) < 2 {
		return path
	}
	return p[0] + "." + p[1]
}

// dedupe keeps the first finding of each code and path: the ones made from the request say more than the general ones.
func dedupe(fs []diag.Finding) []diag.Finding {
	seen := map[string]bool{}
	out := fs[:0]
	for _, f := range fs {
		key := string(f.Code) + "\x00" + f.Path
		if f.Code != diag.UnsupportedProperty {
			key = string(f.Code) + "\x00" + resourceOf(f.Path)
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, f)
		}
	}
	return out
}

// order puts errors first and keeps the order otherwise.
func order(fs []diag.Finding) []diag.Finding {
	out := make([]diag.Finding, 0, len(fs))
	for _, s := range []diag.Severity{diag.Error, diag.Warning, diag.Info} {
		for _, f := range fs {
			if f.Severity == s {
				out = append(out, f)
			}
		}
	}
	return out
}

// JSON writes the explanation as one JSON object and a newline.
func (e *Explanation) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}
