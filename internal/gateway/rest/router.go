package rest

import (
	"net/url"
	"strings"
)

// routeNode is a segment of the resources tree. Static segments win over {name}, and that over {name+}
// (facts: apigateway 5).
type routeNode struct {
	static   []staticChild
	param    *routeNode
	name     string // of the parameter, for param and greedy nodes
	greedy   *routeNode
	resource *resource // nil when no resource with methods ends here
}

type staticChild struct {
	segment string
	node    *routeNode
}

// add puts a resource into the tree.
func (n *routeNode) add(path string, r *resource) {
	for rest := strings.Trim(path, "/"); rest != ""; {
		segment, tail, _ := strings.Cut(rest, "/")
		rest = tail
		switch {
		case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "+}"):
			if n.greedy == nil {
				n.greedy = &routeNode{name: segment[1 : len(segment)-2]}
			}
			n = n.greedy
		case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}"):
			if n.param == nil {
				n.param = &routeNode{name: segment[1 : len(segment)-1]}
			}
			n = n.param
		default:
			n = n.child(segment)
		}
	}
	n.resource = r
}

func (n *routeNode) child(segment string) *routeNode {
	if c := n.lookup(segment); c != nil {
		return c
	}
	c := &routeNode{}
	n.static = append(n.static, staticChild{segment, c})
	return c
}

func (n *routeNode) lookup(segment string) *routeNode {
	for i := range n.static {
		if n.static[i].segment == segment {
			return n.static[i].node
		}
	}
	return nil
}

// find matches a raw path without slashes at its ends, and appends the parameters that it took from it. A path in which
// a more specific branch ends nowhere falls back to the less specific one.
func (n *routeNode) find(path string, params []param) (*resource, []param) {
	if path == "" {
		return n.resource, params
	}
	segment, rest := path, ""
	more := false
	if i := strings.IndexByte(path, '/'); i >= 0 {
		segment, rest, more = path[:i], path[i+1:], true
	}
	// An empty segment matches nothing but a greedy parameter.
	if segment != "" && !(more && rest == "") {
		c := n.lookup(segment)
		if c == nil && strings.IndexByte(segment, '%') >= 0 {
			if decoded, err := url.PathUnescape(segment); err == nil {
				c = n.lookup(decoded)
			}
		}
		if c != nil {
			if r, p := c.find(rest, params); r != nil {
				return r, p
			}
		}
		if c := n.param; c != nil {
			if r, p := c.find(rest, append(params, param{c.name, segment})); r != nil {
				return r, p
			}
		}
	}
	if c := n.greedy; c != nil && c.resource != nil {
		return c.resource, append(params, param{c.name, path})
	}
	return nil, nil
}

// pair is a query parameter, decoded.
type pair struct{ name, value string }

// parseQuery appends the parameters of a raw query. Plus signs are blanks, and ";" splits like "&" (facts: apigateway 5;
// test_lambda_aws_proxy_integration, recorded from AWS by localstack).
func parseQuery(out []pair, raw string) []pair {
	for raw != "" {
		part := raw
		if i := strings.IndexAny(raw, "&;"); i >= 0 {
			part, raw = raw[:i], raw[i+1:]
		} else {
			raw = ""
		}
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, pair{unescapeQuery(name), unescapeQuery(value)})
	}
	return out
}

// unescapeQuery decodes; what is no valid escape stays as it is.
func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// route finds resource and method.
func (x *exchange) route() (phaseID, Reason) {
	path := strings.Trim(x.path, "/")
	res, params := x.stage.root.find(path, x.paramBuf[:0])
	x.query = parseQuery(x.queryBuf[:0], x.req.Query)
	if res == nil {
		return x.refuseRoute(reasonUnknownResource)
	}
	x.resource, x.params = res, params
	x.method = res.method(x.req.Method)
	if x.hop != nil {
		x.detail = x.req.Method + " " + res.plan.Path
	}
	if x.method == nil {
		return x.refuseRoute(reasonUnknownMethod)
	}
	if x.req.ContentLength > maxBody {
		return x.refuseBody(errTooLong)
	}
	return phaseCheckAccess, reasonMatched
}

// refuseRoute answers as an IAM method would to a caller whose signature says nothing (facts: apigateway 3).
func (x *exchange) refuseRoute(reason Reason) (phaseID, Reason) {
	if err := x.readBody(); err != nil {
		return x.refuseBody(err)
	}
	_, e := x.verify()
	if e == nil {
		return x.refuse(reason, missingToken)
	}
	f := signatureFault(e)
	return x.refuse(reason, f)
}

// missingToken is the answer to a request without a signature.
var missingToken = fault{kind: MissingAuthenticationType, status: 403, errorType: "MissingAuthenticationTokenException",
	message: "Missing Authentication Token"}
