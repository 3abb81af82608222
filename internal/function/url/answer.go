package url

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// result is what a function may return (Lambda developer guide, urls-invocation, "Response payload format").
type result struct {
	StatusCode      json.RawMessage            `json:"statusCode"`
	Headers         map[string]json.RawMessage `json:"headers"`
	Body            json.RawMessage            `json:"body"`
	Cookies         []string                   `json:"cookies"`
	IsBase64Encoded bool                       `json:"isBase64Encoded"`
}

func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string
	return strings.TrimSuffix(b.String(), "\n")
}

// scalar writes a JSON scalar as text: strings without their quotes.
func scalar(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// answer turns a function's result into a response. Without a statusCode the whole result is the body.
func (x *exchange) answer(payload []byte) *message.Response {
	var v result
	err := json.Unmarshal(payload, &v)
	if err != nil || len(v.StatusCode) == 0 {
		body := payload
		if len(payload) > 0 && payload[0] == '"' {
			body = []byte(scalar(payload))
		}
		x.hop.Step("respond", "200", "the result has no statusCode: it is the body")
		return x.finish(respond(200, message.Header{{Name: "Content-Type", Value: "application/json"}}, body))
	}
	status, err := strconv.Atoi(scalar(v.StatusCode))
	if err != nil || status < 100 || status > 599 {
		return x.refuse(502, "InternalServerErrorException", "Message", "Internal Server Error", "the result's statusCode is "+string(v.StatusCode))
	}
	var body []byte
	if len(v.Body) > 0 && string(v.Body) != "null" {
		body = []byte(scalar(v.Body))
	}
	if v.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(string(body)); err != nil {
			return x.refuse(502, "InternalServerErrorException", "Message", "Internal Server Error", "the result's body is not base64: "+err.Error())
		}
	}
	h := message.Header{}
	for _, name := range slices.Sorted(maps.Keys(v.Headers)) {
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding", "connection":
		default:
			h.Add(name, scalar(v.Headers[name]))
		}
	}
	if !h.Has("Content-Type") {
		h.Add("Content-Type", "application/json")
	}
	for _, c := range v.Cookies {
		h.Add("Set-Cookie", c)
	}
	if x.hop != nil {
		x.hop.Step("respond", strconv.Itoa(status), "")
	}
	return x.finish(respond(status, h, body))
}

func respond(status int, h message.Header, body []byte) *message.Response {
	return &message.Response{Status: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
}

// CORS is the configuration of a function URL's own CORS (Lambda API reference, Cors).
type CORS struct {
	Credentials                       bool
	Headers, Methods, Origins, Expose []string
	// MaxAge is in seconds, 0 for none.
	MaxAge int64
}

// allows returns the Access-Control-Allow-Origin for an origin, "" when it is not allowed.
func (c *CORS) allows(origin string) string {
	for _, o := range c.Origins {
		switch {
		case o == "*" && !c.Credentials:
			return "*"
		case o == "*" || strings.EqualFold(o, origin):
			return origin
		case strings.Contains(o, "*"):
			front, back, _ := strings.Cut(o, "*")
			if len(origin) >= len(front)+len(back) && strings.HasPrefix(origin, front) && strings.HasSuffix(origin, back) {
				return origin
			}
		}
	}
	return ""
}

// preflight answers a preflight request when the URL has CORS settings; the function does not see it then.
func (x *exchange) preflight() *message.Response {
	c, r := x.p.CORS, x.r
	if c == nil || r.Method != "OPTIONS" || !r.Header.Has("Origin") || !r.Header.Has("Access-Control-Request-Method") {
		return nil
	}
	resp := respond(200, message.Header{{Name: "Content-Type", Value: "application/json"}}, nil)
	c.apply(r.Header, resp)
	if len(c.Methods) > 0 {
		resp.Header.Add("Access-Control-Allow-Methods", strings.Join(c.Methods, ","))
	}
	if len(c.Headers) > 0 {
		resp.Header.Add("Access-Control-Allow-Headers", strings.Join(c.Headers, ","))
	}
	if c.MaxAge > 0 {
		resp.Header.Add("Access-Control-Max-Age", strconv.FormatInt(c.MaxAge, 10))
	}
	x.hop.Step("cors", "preflight", "answered by the function URL")
	return x.finish(resp)
}

// apply puts the fields of CORS into an answer; those of the function give way.
func (c *CORS) apply(request message.Header, resp *message.Response) {
	origin := request.Get("Origin")
	if c == nil || origin == "" {
		return
	}
	for _, n := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		resp.Header.Del(n)
	}
	allowed := c.allows(origin)
	if allowed == "" {
		return
	}
	resp.Header.Add("Access-Control-Allow-Origin", allowed)
	if allowed != "*" {
		resp.Header.Add("Vary", "Origin")
	}
	if c.Credentials {
		resp.Header.Add("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Expose) > 0 {
		resp.Header.Add("Access-Control-Expose-Headers", strings.Join(c.Expose, ","))
	}
}
