package url

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// event is the payload of version 2.0 (Lambda developer guide, urls-invocation, "Request payload format").
type event struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  requestContext    `json:"requestContext"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	Authorizer   *authorizer `json:"authorizer,omitempty"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type authorizer struct {
	IAM iamContext `json:"iam"`
}

type iamContext struct {
	AccessKey       string  `json:"accessKey"`
	AccountID       string  `json:"accountId"`
	CallerID        string  `json:"callerId"`
	CognitoIdentity *string `json:"cognitoIdentity"`
	PrincipalOrgID  *string `json:"principalOrgId"`
	UserARN         string  `json:"userArn"`
	UserID          string  `json:"userId"`
}

// event makes the function's event.
func (x *exchange) event() ([]byte, error) {
	r := x.r
	path, err := url.PathUnescape(r.Path)
	if err != nil {
		path = r.Path
	}
	protocol := "HTTP/1.1"
	if r.Proto == message.HTTP2 {
		protocol = "HTTP/2.0"
	}
	source := r.Client.Addr().Unmap().String()
	e := event{Version: "2.0", RouteKey: "$default", RawPath: r.Path, RawQueryString: r.Query, Query: query(r.Query),
		RequestContext: requestContext{AccountID: "anonymous", APIID: x.p.ID, DomainName: x.p.Host, DomainPrefix: x.p.ID, RequestID: x.id, RouteKey: "$default", Stage: "$default",
			Time: x.now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: x.now.UnixMilli(),
			HTTP: httpContext{Method: r.Method, Path: path, Protocol: protocol, SourceIP: source, UserAgent: r.Header.Get("User-Agent")}}}
	if x.who != nil {
		p := x.who.Principal
		e.RequestContext.AccountID = p.Account
		e.RequestContext.Authorizer = &authorizer{iamContext{AccessKey: x.who.AccessKeyID, AccountID: p.Account, CallerID: p.UserID, UserARN: p.ARN, UserID: p.UserID}}
	}
	e.Headers, e.Cookies = x.headers(source)
	if e.Body = string(x.body); len(x.body) > 0 && !isText(r.Header.Get("Content-Type")) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(x.body), true
	}
	return json.Marshal(e)
}

// headers are the fields in lower case, repeated ones joined by commas; cookies stand apart.
func (x *exchange) headers(source string) (map[string]string, []string) {
	out := map[string]string{"host": x.p.Host, "x-amzn-trace-id": "Root=1-" + fmt.Sprintf("%08x", x.now.Unix()) + "-" + strings.ReplaceAll(x.id, "-", "")[:24],
		"x-forwarded-proto": x.r.Scheme, "x-forwarded-port": map[string]string{"https": "443"}[x.r.Scheme]}
	if out["x-forwarded-port"] == "" {
		out["x-forwarded-port"] = "80"
	}
	var cookies []string
	seen := map[string]bool{}
	for _, f := range x.r.Header {
		name := strings.ToLower(f.Name)
		if name == "cookie" {
			for c := range strings.SplitSeq(f.Value, ";") {
				cookies = append(cookies, strings.TrimSpace(c))
			}
		}
		if seen[name] {
			sep := ","
			if name == "cookie" {
				sep = "; "
			}
			out[name] += sep + f.Value
			continue
		}
		seen[name] = true
		out[name] = f.Value
	}
	if len(x.body) > 0 {
		out["content-length"] = fmt.Sprint(len(x.body))
	}
	if prior := x.r.Header.Get("X-Forwarded-For"); prior != "" {
		out["x-forwarded-for"] = prior + ", " + source
	} else {
		out["x-forwarded-for"] = source
	}
	return out, cookies
}

// query are the decoded parameters, repeated ones joined by commas.
func query(raw string) map[string]string {
	if raw == "" {
		return nil
	}
	out := map[string]string{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		k, v = unescape(k), unescape(v)
		if old, ok := out[k]; ok {
			v = old + "," + v
		}
		out[k] = v
	}
	return out
}

func unescape(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return t
	}
	return s
}

// isText tells whether a body of this type goes into the event as it is; others are encoded in base64. [unsourced: forms are
// encoded, as people report; a body without a type is text]
func isText(contentType string) bool {
	t, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	t = strings.TrimSpace(t)
	return t == "" || strings.HasPrefix(t, "text/") || t == "application/json" || t == "application/javascript" || t == "application/xml" ||
		strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}
