package cloudfront

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"github.com/foregate/foregate/internal/message"
)

// maxResponse is what a response of a function may have, with its headers (facts: edge-functions B, Limits, which the manual
// gives for functions of viewer events).
const maxResponse = 40 << 10

// Result is what a function returned: a request, or a response.
type Result struct {
	// Response is true for a response.
	Response bool
	// URI, Query and HasQuery are of a request. What the function has not changed is as it was, to the byte.
	URI, Query string
	HasQuery   bool
	// Header has the visible fields, with Cookie or Set-Cookie behind them, when HeaderChanged; else they are those of the event.
	Header        message.Header
	HeaderChanged bool
	// Status and StatusDescription are of a response; HasBody tells whether it brings a body.
	Status            int
	StatusDescription string
	Body              []byte
	HasBody           bool

	method                  string
	headers, query, cookies []item
	queryText, bodyJSON     string
	hasCookies, isQueryText bool
}

// Method is the method of a returned request, which may not be another one.
func (out *Result) Method() string { return out.method }

// item is a header, a parameter or a cookie as returned.
type item struct {
	name   string
	values []value
	multi  bool
	// same is true when it is what the event showed.
	same bool
}

type invalidValue struct{ text string }

func (e *invalidValue) Error() string { return e.text }

func invalid(format string, args ...any) *invalidValue {
	return &invalidValue{fmt.Sprintf(format, args...)}
}

// result reads what the handler returned.
func (r *realm) result(v goja.Value) (*Result, *Error) {
	out, err := r.read(v)
	if err != nil {
		return nil, &Error{Invalid: true, Message: err.text}
	}
	return out, nil
}

func (r *realm) read(v goja.Value) (*Result, *invalidValue) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, invalid("the function must return a request or a response object.") // text: our words
	}
	if o != r.request && (o == r.response || !nullish(o.Get("statusCode"))) {
		return r.readResponse(o)
	}
	if o != r.request && nullish(o.Get("uri")) {
		return nil, invalid("response.statusCode is missing.") // text: our words
	}
	if r.event.Type == ViewerResponse {
		return nil, invalid("a viewer response function must return a response object.") // text: our words
	}
	return r.readRequest(o)
}

func (r *realm) readRequest(o *goja.Object) (*Result, *invalidValue) {
	ev := r.event
	out := &Result{URI: ev.URI, Query: ev.Query, HasQuery: ev.HasQuery, method: ev.Method}
	rec := r.recordOf(o)
	if rec != nil && o == r.request && !rec.touched && rec.unread(1) && rec.unread(2) && rec.unread(3) && rec.unread(4) && ev.JSON == nil {
		return out, nil
	}
	uri, ok := o.Get("uri").(goja.String)
	if !ok {
		return nil, invalid("request.uri must be a string.") // text: our words
	}
	if text := uri.String(); text != utf8Text(ev.URI) || ev.JSON != nil {
		out.URI = strings.ReplaceAll(text, "?", "%3F") // a path has no query (general knowledge)
	}
	if m := o.Get("method"); !nullish(m) {
		out.method = m.String()
	}
	var err *invalidValue
	if err = r.readQuery(o, rec, out); err != nil {
		return nil, err
	}
	var shown, cookies []group
	if ev.JSON == nil && (rec == nil || !rec.memberUnread("headers") || !rec.memberUnread("cookies")) {
		shown, cookies = headerGroups(ev.Header, "Cookie", Hidden), cookieGroups(ev.Header)
	}
	if rec != nil && rec.memberUnread("headers") && rec.memberUnread("cookies") {
		return out, nil
	}
	if out.headers, err = r.items(o.Get("headers"), shown, "request.headers"); err != nil {
		return nil, err
	}
	if out.cookies, err = r.items(o.Get("cookies"), cookies, "request.cookies"); err != nil {
		return nil, err
	}
	out.hasCookies = true
	out.HeaderChanged = changed(out.headers, shown) || changed(out.cookies, cookies)
	if out.HeaderChanged {
		out.Header = headerOf(out.headers)
		if !changed(out.cookies, cookies) {
			for _, f := range ev.Header {
				if strings.EqualFold(f.Name, "Cookie") {
					out.Header = append(out.Header, f)
				}
			}
		} else if len(out.cookies) > 0 {
			out.Header = append(out.Header, message.Field{Name: "Cookie", Value: joinPairs(out.cookies, "; ")})
		}
	}
	return out, nil
}

// memberUnread tells whether the script never read nor set a member.
func (o *record) memberUnread(name string) bool {
	i := o.index(name)
	return i >= 0 && o.unread(i)
}

func (r *realm) readQuery(o *goja.Object, rec *record, out *Result) *invalidValue {
	if rec != nil && rec.memberUnread("querystring") {
		return nil
	}
	v := o.Get("querystring")
	if s, ok := v.(goja.String); ok {
		out.queryText, out.isQueryText = s.String(), true
		out.Query, out.HasQuery = out.queryText, out.queryText != ""
		return nil
	}
	var shown []group
	if r.event.JSON == nil {
		shown = queryGroups(r.event.Query)
	}
	var err *invalidValue
	if out.query, err = r.items(v, shown, "request.querystring"); err != nil {
		return err
	}
	if changed(out.query, shown) {
		out.Query, out.HasQuery = joinQuery(out.query), len(out.query) > 0
	}
	return nil
}

func (r *realm) readResponse(o *goja.Object) (*Result, *invalidValue) {
	out := &Result{Response: true, hasCookies: true}
	status := o.Get("statusCode")
	n, ok := statusOf(status)
	if !ok || n < 200 || n > 599 {
		return nil, invalid("response.statusCode must be an integer between 200 and 599.") // text: our words
	}
	out.Status = n
	if d := o.Get("statusDescription"); !nullish(d) {
		s, ok := d.(goja.String)
		if !ok || strings.ContainsAny(s.String(), "\r\n") {
			return nil, invalid("response.statusDescription must be a string without line breaks.") // text: our words
		}
		out.StatusDescription = s.String()
	}
	var shown, cookies []group
	if r.event.JSON == nil && r.event.Type == ViewerResponse {
		shown, cookies = headerGroups(r.event.ResponseHeader, "Set-Cookie", Hidden), setCookieGroups(r.event.ResponseHeader)
	}
	var err *invalidValue
	if out.headers, err = r.items(o.Get("headers"), shown, "response.headers"); err != nil {
		return nil, err
	}
	if out.cookies, err = r.items(o.Get("cookies"), cookies, "response.cookies"); err != nil {
		return nil, err
	}
	if out.HeaderChanged = changed(out.headers, shown) || changed(out.cookies, cookies) || o != r.response; out.HeaderChanged {
		out.Header = append(headerOf(out.headers), setCookies(out.cookies)...)
	}
	if err := out.readBody(o.Get("body")); err != nil {
		return nil, err
	}
	size := len(out.Body)
	for _, f := range out.Header {
		size += len(f.Name) + len(f.Value)
	}
	if size > maxResponse && (out.HasBody || r.event.Type == ViewerRequest) {
		return nil, invalid("the response is larger than 40 KB.") // text: our words
	}
	return out, nil
}

func statusOf(v goja.Value) (int, bool) {
	if v == nil {
		return 0, false
	}
	switch n := plain(v).(type) {
	case int64:
		return int(min(max(n, 0), 1000)), true
	case float64:
		return int(n), n == float64(int(n))
	case string: // AWS's own samples have integers only; whether text is refused is not known
		i, err := strconv.Atoi(n)
		return i, err == nil
	}
	return 0, false
}

func (out *Result) readBody(v goja.Value) *invalidValue {
	if nullish(v) {
		return nil
	}
	if s, ok := v.(goja.String); ok {
		out.Body, out.HasBody = []byte(s.String()), true
		out.bodyJSON = jsonText(s.String())
		return nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return invalid("response.body must be a string or an object with data and encoding.") // text: our words
	}
	data, ok := o.Get("data").(goja.String)
	if !ok {
		return invalid("response.body.data must be a string.") // text: our words
	}
	encoding := "text"
	if e := o.Get("encoding"); !nullish(e) {
		encoding = e.String()
	}
	switch encoding {
	case "text":
		out.Body = []byte(data.String())
	case "base64":
		b, err := base64.StdEncoding.DecodeString(data.String())
		if err != nil {
			return invalid("response.body.data is not valid base64.") // text: our words
		}
		out.Body = b
	default:
		return invalid("response.body.encoding must be text or base64.") // text: our words
	}
	out.HasBody = true
	out.bodyJSON = `{"encoding":` + jsonText(encoding) + `,"data":` + jsonText(data.String()) + `}`
	return nil
}

// items reads a headers, cookies or querystring object, and tells what is as it was shown.
func (r *realm) items(v goja.Value, shown []group, path string) ([]item, *invalidValue) {
	if nullish(v) {
		return nil, nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, invalid("%s must be an object.", path) // text: our words
	}
	rec := r.recordOf(o)
	keys := o.Keys()
	out := make([]item, 0, len(keys))
	for i, k := range keys {
		var was *group
		for j := range shown {
			if shown[j].name == k {
				was = &shown[j]
			}
		}
		if rec != nil && rec.unread(i) && was != nil {
			out = append(out, item{name: k, values: was.values, multi: len(was.values) > 1, same: true})
			continue
		}
		if strings.HasSuffix(path, ".headers") && asciiLower(k) != k {
			return nil, invalid("%s must have header names in lower case.", path)
		}
		it, err := readItem(o.Get(k), was, path+"."+k)
		if err != nil {
			return nil, err
		}
		it.name = k
		out = append(out, it)
	}
	return out, nil
}

// readItem reads {value, multiValue, attributes}. A multiValue that was changed wins, else value replaces the first one (AWS's
// manual, "Duplicate query strings, headers, and cookies").
func readItem(v goja.Value, was *group, path string) (item, *invalidValue) {
	o, ok := v.(*goja.Object)
	if !ok {
		return item{}, invalid("%s must be an object with a value.", path) // text: our words
	}
	single, err := readValue(o, path)
	if err != nil && nullish(o.Get("multiValue")) {
		return item{}, err
	}
	it := item{values: []value{single}}
	if list, ok := o.Get("multiValue").(*goja.Object); ok {
		it.values, it.multi = nil, true
		for i := range min(lengthOf(list), maxLength) {
			e, ok := list.Get(itoa(i)).(*goja.Object)
			if !ok {
				return item{}, invalid("%s.multiValue must have objects with a value.", path) // text: our words
			}
			one, err := readValue(e, path+".multiValue")
			if err != nil {
				return item{}, err
			}
			it.values = append(it.values, one)
		}
		if was != nil && slices.EqualFunc(it.values, was.values, value.equal) && err == nil {
			it.values[0] = single
		}
	}
	if was != nil && slices.EqualFunc(it.values, was.values, value.equal) {
		it.values, it.same = was.values, true
	}
	return it, nil
}

func (v value) equal(w value) bool {
	return utf8Text(v.text) == utf8Text(w.text) && utf8Text(v.attributes) == utf8Text(w.attributes)
}

func readValue(o *goja.Object, path string) (value, *invalidValue) {
	v := o.Get("value")
	if nullish(v) {
		return value{}, invalid("%s.value is missing.", path) // text: our words
	}
	if _, ok := v.(*goja.Object); ok {
		return value{}, invalid("%s.value must be a string.", path) // text: our words
	}
	out := value{text: v.String()}
	if a := o.Get("attributes"); !nullish(a) {
		out.attributes = a.String()
	}
	return out, nil
}

func changed(items []item, shown []group) bool {
	if len(items) != len(shown) {
		return true
	}
	for i := range items {
		if !items[i].same || items[i].name != shown[i].name {
			return true
		}
	}
	return false
}

func headerOf(items []item) message.Header {
	h := make(message.Header, 0, len(items)+2)
	for _, it := range items {
		for _, v := range it.values {
			if it.same && v.field.Name != "" {
				h = append(h, v.field)
			} else {
				h = append(h, message.Field{Name: titleCase(it.name), Value: v.text})
			}
		}
	}
	return h
}

func setCookies(items []item) (h message.Header) {
	for _, it := range items {
		for _, v := range it.values {
			f := v.field
			if !it.same || f.Name == "" {
				f = message.Field{Name: "Set-Cookie", Value: it.name + "=" + v.text}
				if v.attributes != "" {
					f.Value += "; " + v.attributes
				}
			}
			h = append(h, f)
		}
	}
	return h
}

func joinQuery(items []item) string { return joinPairs(items, "&") }

func joinPairs(items []item, separator string) string {
	var b strings.Builder
	for _, it := range items {
		for _, v := range it.values {
			if b.Len() > 0 {
				b.WriteString(separator)
			}
			if it.same && v.raw != "" {
				b.WriteString(v.raw)
			} else {
				b.WriteString(it.name + "=" + v.text)
			}
		}
	}
	return b.String()
}

// titleCase writes the first letter of each word of a header's name as a capital (AWS's manual, event structure, headers).
func titleCase(name string) string {
	b := []byte(name)
	for i, up := 0, true; i < len(b); i++ {
		if up && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 32
		}
		up = b[i] == '-'
	}
	return string(b)
}

func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string: no error
	return strings.TrimSuffix(b.String(), "\n")
}

// JSON is the result as TestFunction's FunctionOutput has it.
func (out *Result) JSON() string {
	if out.Response {
		s := `{"response":{"headers":` + itemsJSON(out.headers) + `,"statusDescription":` + jsonText(out.StatusDescription) + `,"cookies":` +
			itemsJSON(out.cookies) + `,"statusCode":` + strconv.Itoa(out.Status)
		if out.HasBody {
			s += `,"body":` + out.bodyJSON
		}
		return s + "}}"
	}
	query := itemsJSON(out.query)
	if out.isQueryText {
		query = jsonText(out.queryText)
	}
	return `{"request":{"headers":` + itemsJSON(out.headers) + `,"method":` + jsonText(out.method) + `,"querystring":` + query +
		`,"uri":` + jsonText(out.URI) + `,"cookies":` + itemsJSON(out.cookies) + "}}"
}

func itemsJSON(items []item) string {
	var b strings.Builder
	b.WriteString("{")
	for i, it := range items {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(jsonText(it.name) + ":{")
		if len(it.values) > 0 {
			b.WriteString(valueJSON(it.values[0]))
		}
		if it.multi {
			b.WriteString(`,"multiValue":[`)
			for j, v := range it.values {
				if j > 0 {
					b.WriteString(",")
				}
				b.WriteString("{" + valueJSON(v) + "}")
			}
			b.WriteString("]")
		}
		b.WriteString("}")
	}
	return b.String() + "}"
}

func valueJSON(v value) string {
	s := `"value":` + jsonText(v.text)
	if v.attributes != "" { // first, as in the outputs that AWS's samples show
		s = `"attributes":` + jsonText(v.attributes) + "," + s
	}
	return s
}
