package rest

import (
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/vtl"
)

// sourceKind is where a mapping expression takes its value from (facts: apigateway 5, 6).
type sourceKind uint8

const (
	fromStatic sourceKind = iota
	fromHeader
	fromQuery
	fromPath
	fromBody
	fromContext
	fromResponseHeader
	fromResponseBody
)

// source is a parsed mapping expression. name is a parameter, a $context path without "context.", or a JSONPath; all is
// set for the multivalue forms.
type source struct {
	kind sourceKind
	name string
	all  bool
}

// requestSources are the prefixes of method.request expressions, sourceBody the expressions of bodies.
var sources = []struct {
	prefix string
	kind   sourceKind
	all    bool
}{
	{"method.request.header.", fromHeader, false},
	{"method.request.multivalueheader.", fromHeader, true},
	{"method.request.querystring.", fromQuery, false},
	{"method.request.multivaluequerystring.", fromQuery, true},
	{"method.request.path.", fromPath, false},
	{"method.request.body", fromBody, false},
	{"integration.response.header.", fromResponseHeader, false},
	{"integration.response.multivalueheader.", fromResponseHeader, true},
	{"integration.response.body", fromResponseBody, false},
	{"context.", fromContext, false},
}

// parseSource reads a mapping expression; stage variables are filled in.
func (s *Stage) parseSource(expr string) (source, error) {
	if len(expr) >= 2 && expr[0] == '\'' && expr[len(expr)-1] == '\'' {
		return source{name: expr[1 : len(expr)-1]}, nil
	}
	if name, ok := strings.CutPrefix(expr, "stageVariables."); ok {
		v, _ := s.variables.Get(name).(string)
		return source{name: v}, nil
	}
	for _, c := range sources {
		name, ok := strings.CutPrefix(expr, c.prefix)
		if !ok {
			continue
		}
		if c.kind == fromBody || c.kind == fromResponseBody {
			if name != "" && name[0] != '.' && name[0] != '[' {
				continue
			}
			if name != "" {
				name = "$" + name
			}
		}
		return source{kind: c.kind, name: name, all: c.all}, nil
	}
	return source{}, fmt.Errorf("parse mapping expression %q: no such source", expr)
}

// values calls yield for each value of a source; a missing one has none.
func (x *exchange) values(s source, yield func(string)) {
	switch s.kind {
	case fromStatic:
		if s.name != "" {
			yield(s.name)
		}
	case fromHeader:
		if s.all {
			for _, v := range x.req.Header.Values(s.name) {
				yield(v)
			}
		} else if v, ok := x.header(s.name); ok {
			yield(v)
		}
	case fromQuery:
		if !s.all {
			if v, ok := x.queryParam(s.name); ok {
				yield(v)
			}
			return
		}
		for i := range x.query {
			if x.query[i].name == s.name {
				yield(x.query[i].value)
			}
		}
	case fromPath:
		if v, ok := x.pathParam(s.name); ok {
			yield(v)
		}
	case fromContext:
		if v, ok := x.contextText(s.name); ok {
			yield(v)
		}
	case fromResponseHeader:
		for _, f := range x.backend.header {
			if strings.EqualFold(f.Name, s.name) {
				yield(f.Value)
				if !s.all {
					return
				}
			}
		}
	case fromBody:
		bodyValue(string(x.body), s.name, yield)
	case fromResponseBody:
		bodyValue(string(x.backend.body), s.name, yield)
	}
}

// value is the first value of a source.
func (x *exchange) value(s source) (string, bool) {
	var out string
	found := false
	x.values(s, func(v string) {
		if !found {
			out, found = v, true
		}
	})
	return out, found
}

// bodyValue is a body, or what a JSONPath selects in it: strings as they are, everything else as JSON.
func bodyValue(body, path string, yield func(string)) {
	if path == "" {
		yield(body)
		return
	}
	root, err := vtl.ParseJSON(body)
	if err != nil {
		return
	}
	v, err := vtl.JSONPath(root, path)
	if err != nil || v == nil {
		return
	}
	if s, ok := v.(string); ok {
		yield(s)
		return
	}
	if s, err := vtl.JSON(v); err == nil {
		yield(s)
	}
}

// ExpandStageVariables fills ${stageVariables.name} in an integration's URI or a credentials ARN.
func ExpandStageVariables(s string, vars []Variable) string {
	const prefix = "${stageVariables."
	var b strings.Builder
	for {
		i := strings.Index(s, prefix)
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break
		}
		b.WriteString(s[:i])
		name := s[i+len(prefix) : i+end]
		for _, v := range vars {
			if v.Name == name {
				b.WriteString(v.Value)
			}
		}
		s = s[i+end+1:]
	}
	if b.Len() == 0 {
		return s
	}
	return b.String() + s
}

// ExpandPolicy replaces the shorthand execute-api:/stage/METHOD/path in a resource policy's JSON by whole ARNs
// (facts: apigateway 4). Prefix is arn:aws:execute-api:region:account:api.
func ExpandPolicy(policy, prefix string) string {
	return strings.ReplaceAll(policy, `"execute-api:/`, `"`+strings.TrimSuffix(prefix, "/")+"/")
}
