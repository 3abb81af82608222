package edge

import (
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// grpc tells whether the request is one of gRPC that the behavior passes on: by its Content-Type, application/grpc with or
// without a message format behind it (DG26-distribution-using-grpc; facts: cloudfront-dataplane 13). It comes over HTTP/2, has
// no functions of Lambda@Edge, no custom error responses, no failover and no cache.
func (x *exchange) grpc() bool {
	b := x.behavior
	if b == nil || !b.GRPC || x.nested || x.viewer.Proto != message.HTTP2 || x.method != POST {
		return false
	}
	rest, ok := cutPrefixFold(x.req.Header.Get("Content-Type"), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if !hasPrefixFold(s, prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// lambda is the behavior's function for an event, which a request of gRPC does not have, and on the events of the origin none to
// a VPC origin (DG-private-content-vpc-origins).
func (x *exchange) lambda(e Event) *LambdaAssociation {
	a := x.behavior.Lambda[e]
	if a == nil || x.grpc() {
		return nil
	}
	if (e == OriginRequest || e == OriginResponse) && x.fetched != nil && x.fetched.origin != nil && x.fetched.origin.VPC {
		x.hop.Fact(trace.VPCRestricted, "Lambda@Edge on origin events", "the function was not run", a.SourcePath)
		return nil
	}
	return a
}

// grpcField tells which of a viewer's fields gRPC itself needs at the origin, whatever the policies say. That CloudFront
// forwards them is unsourced; without them no call would work.
func grpcField(name string) bool {
	return strings.EqualFold(name, "TE") || hasPrefixFold(name, "grpc-")
}
