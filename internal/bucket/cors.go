package bucket

import (
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// CORSRule is one rule of a bucket's CORS configuration (S3-managecorsusing). Origins and Headers may have one star each.
type CORSRule struct {
	Origins, Methods, Headers, Expose []string
	// MaxAge is in seconds, nil when it is not set.
	MaxAge *int64
}

// corsVary is what S3 puts into answers that a rule has matched, and into no others: an answer to a request without Origin has no
// Vary (recorded: localstack test_s3_cors). So a cache in between that does not put Origin into its key keeps it for all.
const corsVary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

const (
	requestMethod  = "Access-Control-Request-Method"
	requestHeaders = "Access-Control-Request-Headers"
)

// cors returns the fields of the first rule that matches the request, nil for none. A request with Access-Control-Request-Method
// or -Headers is matched like a preflight, whatever its method (recorded: localstack test_s3_cors).
func (x *exchange) cors() []message.Field {
	if x.plan == nil || len(x.plan.CORS) == 0 {
		return nil
	}
	origin, ok := x.r.Header.Lookup("Origin")
	if !ok {
		return nil
	}
	method, ok := x.r.Header.Lookup(requestMethod)
	if !ok {
		method = x.r.Method
	}
	asked := splitNames(x.r.Header.Get(requestHeaders))
	for i := range x.plan.CORS {
		if rule := &x.plan.CORS[i]; slices.Contains(rule.Methods, method) && rule.allows(asked) {
			if allowed := rule.origin(origin); allowed != "" {
				return rule.fields(allowed, asked)
			}
		}
	}
	return nil
}

// traceCORS records what the rules say of the request.
func (x *exchange) traceCORS() {
	if x.plan == nil || len(x.plan.CORS) == 0 {
		return
	}
	verdict := "refused"
	if !x.r.Header.Has("Origin") {
		verdict = "unasked"
	} else if x.cors() != nil {
		verdict = "allowed"
	}
	x.hop.Fact(trace.CORSChecked, verdict, "", x.plan.SourcePath)
}

// origin returns what Access-Control-Allow-Origin says, "" when the rule is not for this origin.
func (r *CORSRule) origin(origin string) string {
	if slices.Contains(r.Origins, "*") {
		return "*"
	}
	for _, pattern := range r.Origins {
		if matchStar(pattern, origin) {
			return origin
		}
	}
	return ""
}

func (r *CORSRule) allows(names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(r.Headers, func(pattern string) bool { return matchStar(strings.ToLower(pattern), strings.ToLower(name)) }) {
			return false
		}
	}
	return true
}

// matchStar matches s with a pattern that has at most one star, which stands for any text.
func matchStar(pattern, s string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

// splitNames splits a list of header names at its commas.
func splitNames(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// fields are in the order of S3-testing-cors.
func (r *CORSRule) fields(origin string, asked []string) []message.Field {
	f := append(make([]message.Field, 0, 7), message.Field{Name: "Access-Control-Allow-Origin", Value: origin},
		message.Field{Name: "Access-Control-Allow-Methods", Value: strings.Join(r.Methods, ", ")})
	if len(asked) > 0 {
		f = append(f, message.Field{Name: "Access-Control-Allow-Headers", Value: strings.Join(asked, ", ")})
	}
	if len(r.Expose) > 0 {
		f = append(f, message.Field{Name: "Access-Control-Expose-Headers", Value: strings.Join(r.Expose, ", ")})
	}
	if r.MaxAge != nil {
		f = append(f, message.Field{Name: "Access-Control-Max-Age", Value: strconv.FormatInt(*r.MaxAge, 10)})
	}
	if origin != "*" {
		f = append(f, message.Field{Name: "Access-Control-Allow-Credentials", Value: "true"})
	}
	return append(f, message.Field{Name: "Vary", Value: corsVary})
}

// preflight answers OPTIONS, which nobody has to be allowed to send: 200 when a rule matches, and errors as recorded by localstack's
// test_s3_cors; the text for a missing method is unsourced. refuse renders them, as XML or as a website's page.
func (x *exchange) preflight(refuse func(e s3Error, cause string) *message.Response) *message.Response {
	origin, hasOrigin := x.r.Header.Lookup("Origin")
	method := x.r.Header.Get(requestMethod)
	forbidden := func(text, resource, cause string) *message.Response {
		if method == "" {
			method = x.r.Method
		}
		return refuse(s3Error{code: "AccessForbidden", status: 403, message: "CORSResponse: " + text,
			extra: []element{{"Method", method}, {"ResourceType", resource}}}, cause)
	}
	switch {
	case !hasOrigin || origin == "":
		resp := refuse(s3Error{code: "BadRequest", status: 400, message: "Insufficient information. Origin request header needed."}, "cors-origin")
		resp.Close = true
		return resp
	case x.plan == nil:
		return forbidden("Bucket not found", "BUCKET", "no-such-bucket")
	case len(x.plan.CORS) == 0:
		return forbidden("CORS is not enabled for this bucket.", "BUCKET", "no-cors")
	case !slices.Contains(corsMethods, method):
		if method == "" {
			method = "null"
		}
		return refuse(s3Error{code: "BadRequest", status: 400, message: "Invalid Access-Control-Request-Method: " + method}, "cors-method")
	}
	fields := x.cors()
	if fields == nil {
		resource := "OBJECT"
		if x.key == "" {
			resource = "BUCKET"
		}
		return forbidden("This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or "+
			"Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.", resource, "cors-not-allowed")
	}
	x.hop.Step("cors", "allow", "a rule of the bucket allows the request that is asked about")
	return x.respond(200) // with the rule's fields
}

// corsMethods are what rules may name (S3-managecorsusing).
var corsMethods = []string{"GET", "PUT", "POST", "DELETE", "HEAD"}
