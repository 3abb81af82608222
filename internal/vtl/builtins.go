package vtl

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
)

// inputObject is $input, utilObject $util; both work on the run's Env.
type (
	inputObject struct{}
	utilObject  struct{}
)

// rootValue is the body as JSON; a body that is none is a string, so that $input.json('$') can quote a form's body.
func (r *run) rootValue() (Value, error) {
	e := r.env
	if e.rooted {
		return e.root, nil
	}
	if err := r.step(len(e.Body) / 16); err != nil {
		return nil, err
	}
	v, err := ParseJSON(e.body())
	if err != nil {
		v = e.Body
	}
	e.root, e.rooted = v, true
	return v, nil
}

func (e *Env) body() string {
	if strings.TrimSpace(e.Body) == "" {
		return "{}"
	}
	return e.Body
}

func (r *run) inputCall(name string, args []Value) (Value, error) {
	switch {
	case name == "params" && len(args) == 0:
		m := NewMap()
		for _, p := range [...]struct {
			name string
			m    *Map
		}{{"path", r.env.Path}, {"querystring", r.env.Query}, {"header", r.env.Header}} {
			if p.m == nil {
				p.m = NewMap()
			}
			m.Put(p.name, p.m)
		}
		return m, nil
	case name == "params" && len(args) == 1:
		key, err := r.text(args[0])
		if err != nil {
			return nil, err
		}
		for _, m := range [...]*Map{r.env.Path, r.env.Query, r.env.Header} {
			if m != nil && m.Has(key) {
				return m.Get(key), nil
			}
		}
		return "", nil
	case (name == "path" || name == "json") && len(args) == 1:
		path, err := r.text(args[0])
		if err != nil {
			return nil, err
		}
		root, err := r.rootValue()
		if err != nil {
			return nil, err
		}
		v, err := r.jsonPath(root, path)
		if err != nil || name == "path" {
			return v, err
		}
		if v == nil {
			return `""`, nil
		}
		b, err := r.appendJSON(nil, v, 0)
		return string(b), err
	}
	return nil, nil
}

func (r *run) utilCall(name string, args []Value) (Value, error) {
	if len(args) != 1 || args[0] == nil {
		return nil, nil
	}
	s, err := r.text(args[0])
	if err != nil {
		return nil, err
	}
	if err := r.step(1 + len(s)/16); err != nil {
		return nil, err
	}
	switch name {
	case "escapeJavaScript":
		return r.bounded(escapeJavaScript(s))
	case "parseJson":
		v, err := ParseJSON(s)
		if err != nil {
			return nil, fmt.Errorf("$util.parseJson: %w", err)
		}
		return v, nil
	case "urlEncode":
		return r.bounded(urlEncode(s))
	case "urlDecode":
		d, err := url.QueryUnescape(s)
		if err != nil {
			return nil, fmt.Errorf("$util.urlDecode: %w", err)
		}
		return d, nil
	case "base64Encode":
		return r.bounded(base64.StdEncoding.EncodeToString([]byte(s)))
	case "base64Decode":
		d, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("$util.base64Decode: %w", err)
		}
		return string(d), nil
	}
	return nil, nil
}

// escapeJavaScript is StringEscapeUtils.escapeJavaScript of commons-lang 2.6: quotes of both kinds, slashes and
// backslashes get a backslash, what is not printable ASCII becomes \uXXXX.
func escapeJavaScript(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+len(s)/8)
	unicode := func(u uint16) {
		b = append(b, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	for _, c := range s {
		switch {
		case c == '\'' || c == '"' || c == '\\' || c == '/':
			b = append(b, '\\', byte(c))
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c > 0xffff:
			hi, lo := utf16.EncodeRune(c)
			unicode(uint16(hi))
			unicode(uint16(lo))
		case c < ' ' || c > 0x7f:
			unicode(uint16(c))
		default:
			b = append(b, byte(c))
		}
	}
	return string(b)
}

// urlEncode is java.net.URLEncoder: a space becomes a plus sign, and * stays.
func urlEncode(s string) string {
	e := url.QueryEscape(s)
	e = strings.ReplaceAll(e, "%2A", "*")
	return strings.ReplaceAll(e, "~", "%7E")
}
