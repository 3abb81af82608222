package rest

import (
	"strings"

	"github.com/foregate/foregate/internal/vtl"
)

// gatewayResponse is a customised error.
type gatewayResponse struct {
	*GatewayResponse
	params    []responseParam
	templates []template
}

// responseParam sets a header of an answer.
type responseParam struct {
	name   string
	source source
}

// gatewayResponse answers with the error of x.failure: the customised answer of its type, of DEFAULT_4XX or
// DEFAULT_5XX, or API Gateway's own (facts: apigateway 3).
func (x *exchange) gatewayResponse() (phaseID, Reason) {
	f := &x.failure
	g := x.stage.responses[f.kind]
	if g == nil && f.kind != RequestTooLarge {
		g = x.stage.responses[Default4XX]
		if f.status >= 500 {
			g = x.stage.responses[Default5XX]
		}
	}
	status := f.status
	if g != nil && g.StatusCode != 0 {
		status = g.StatusCode
	}
	x.closeBackend()
	resp := x.newResponse(status)
	contentType, body := "application/json", []byte(nil)
	if g != nil && len(g.templates) > 0 {
		t := pickTemplate(g.templates, x.req.Header.Get("Accept"))
		contentType = t.contentType
		// Templates of gateway responses only replace variables (AWS's gateway response customisation page).
		if text, err := t.run(x.errorEnv()); err == nil {
			body = []byte(text)
		} else {
			x.detail = "the template failed: " + err.Error()
			body = f.body()
		}
	} else {
		body = f.body()
	}
	h := &resp.Header
	h.Add("Content-Type", contentType)
	h.Add("x-amzn-ErrorType", f.errorType)
	if g != nil {
		for i := range g.params {
			if v, ok := x.value(g.params[i].source); ok {
				h.Set(g.params[i].name, v)
			}
		}
	}
	if x.hop != nil {
		x.verdict = string(f.kind)
	}
	x.setBody(body)
	if g != nil {
		return phaseLog, reasonCustomised
	}
	return phaseLog, reasonBuiltIn
}

// errorEnv is what a gateway response's template sees: no overrides, and the error in $context.
func (x *exchange) errorEnv() *vtl.Env {
	x.env = nil
	return x.templateEnv(string(x.body))
}

// closeBackend gives up what an integration answered before the error.
func (x *exchange) closeBackend() {
	if x.backend.stream != nil {
		x.backend.stream.Close()
		x.backend.stream = nil
	}
	if x.response != nil && x.response.Body != nil {
		x.response.Body.Close()
	}
	x.backend.header = nil
}

// body is API Gateway's own body of an error.
func (f *failure) body() []byte {
	key := `{"message":`
	switch {
	case f.capital:
		key = `{"Message":`
	case f.spaced:
		key = `{"message": `
	}
	b := append(make([]byte, 0, len(key)+len(f.message)+16), key...)
	if f.null {
		return append(b, "null}"...)
	}
	return append(vtl.AppendJSONString(b, f.message), '}')
}

// template is a parsed template of a content type. err is why it cannot be used.
type template struct {
	contentType string
	tmpl        *vtl.Template
	err         error
}

func (t *template) run(env *vtl.Env) (string, error) {
	if t.err != nil {
		return "", t.err
	}
	return t.tmpl.Execute(env)
}

// pickTemplate chooses the template of an answer: Accept's, that of application/json, or the first (AWS's page on
// transforming request and response bodies).
func pickTemplate(templates []template, accept string) *template {
	if len(templates) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		m := mediaType(part)
		for i := range templates {
			if templates[i].contentType == m {
				return &templates[i]
			}
		}
	}
	for i := range templates {
		if templates[i].contentType == "application/json" {
			return &templates[i]
		}
	}
	return &templates[0]
}

// log writes the stage's access log.
func (x *exchange) log() (phaseID, Reason) {
	if x.stage.accessLog == nil {
		return phaseDone, reasonNoLog
	}
	x.stage.fx.Log(strings.TrimSuffix(x.stage.arnPrefix, "/"), x.stage.accessLog.line(x))
	return phaseDone, reasonLogged
}

// logFormat is an access log's format: text with $context variables. What is unknown shows as "-".
type logFormat struct{ parts []logPart }

type logPart struct{ text, variable string }

func parseLogFormat(src string) *logFormat {
	if src == "" {
		return nil
	}
	f := &logFormat{}
	for src != "" {
		i := strings.Index(src, "$context.")
		if i < 0 {
			f.parts = append(f.parts, logPart{text: src})
			break
		}
		end := i + len("$context.")
		for end < len(src) && (src[end] == '.' || src[end] == '_' || src[end] == '-' || isAlphanumeric(src[end])) {
			end++
		}
		name := strings.TrimRight(src[i+len("$context."):end], ".-")
		end = i + len("$context.") + len(name)
		f.parts = append(f.parts, logPart{src[:i], name})
		src = src[end:]
	}
	return f
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (f *logFormat) line(x *exchange) string {
	var b strings.Builder
	for _, p := range f.parts {
		b.WriteString(p.text)
		if p.variable == "" {
			continue
		}
		if v, ok := x.contextText(p.variable); ok && v != "" {
			b.WriteString(strings.Map(printable, v))
		} else {
			b.WriteByte('-')
		}
	}
	return b.String()
}

// printable keeps a line of the log one line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
