package compile

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"

	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/origin"
)

// edgeEffects are what the CloudFront engine reaches the world by.
type edgeEffects struct {
	edge.Local
	env *Env
	// canonical gives the S3 canonical user id of an origin access identity.
	canonical map[string]string
	served    served
}

// Fetch asks an origin: in memory when it is served here, over the network otherwise.
func (fx *edgeEffects) Fetch(ctx context.Context, f *edge.FetchRequest) (*message.Response, error) {
	outside := false
	switch sign := signs(f); {
	case sign && fx.env.OriginCredentials != nil && !fx.served.origin(f.Origin.Domain):
		var err error
		if outside, err = fx.sign(f); err != nil {
			return nil, err
		}
		ctx = bucket.WithoutCaller(ctx)
	case sign && f.Access.Kind == edge.AccessControl:
		ctx = bucket.WithServicePrincipal(ctx, bucket.ServiceCaller{Service: "cloudfront.amazonaws.com", SourceARN: f.DistributionARN, SourceAccount: fx.env.Account})
	case sign:
		ctx = bucket.WithOriginAccessIdentity(ctx, f.Access.ID, fx.canonical[f.Access.ID])
	default:
		ctx = bucket.WithoutCaller(ctx)
	}
	o := f.Origin
	t := origin.Target{
		Scheme: f.Scheme, Host: o.Domain, Port: f.Port, SNI: f.SNI, VerifyNames: f.VerifyNames,
		ConnectTimeout: o.ConnectTimeout, ReadTimeout: o.ReadTimeout, KeepAlive: o.KeepaliveTimeout, Attempts: f.Attempts,
		CompletionTimeout: o.CompletionTimeout, Room: f.Room, Network: outside,
	}
	if t.HTTP2 = f.GRPC; f.GRPC && f.Scheme != "https" {
		return nil, &edge.FetchError{Kind: edge.FetchProtocol, Err: errGRPCInClear}
	}
	if f.GRPC && o.VPC {
		return nil, &edge.FetchError{Kind: edge.FetchProtocol, Err: errGRPCInVPC}
	}
	ok := false
	if t.MinTLS, t.MaxTLS, t.NoTLS11, ok = tlsRange(o.SSLProtocols); !ok && f.Scheme == "https" {
		return nil, &edge.FetchError{Kind: edge.FetchTLS, Err: errSSLv3}
	}
	if f.Timing != nil {
		t.Timing = (*origin.Timing)(f.Timing)
	}
	resp, err := fx.env.Origins.Fetch(ctx, t, f.Request)
	if err != nil {
		return nil, fetchError(err)
	}
	return resp, nil
}

// errGRPCInClear is an origin that a request of gRPC cannot go to (DG26-distribution-using-grpc).
var errGRPCInClear = errors.New("gRPC goes to origins over HTTPS only, and the origin's protocol policy is http-only")

// errGRPCInVPC is DG-private-content-vpc-origins, "Protocol and Feature Restrictions"; what CloudFront answers is not known.
var errGRPCInVPC = errors.New("VPC origins do not support gRPC")

// tlsRange is what OriginSslProtocols allows: a range, and whether TLS 1.1 is missing from between its ends. SSLv3 is offered by nobody
// any more; ok is false when nothing else is allowed.
func tlsRange(names []string) (lowest, highest uint16, gap, ok bool) {
	if len(names) == 0 {
		return 0, 0, false, true
	}
	for i, n := range []string{"TLSv1", "TLSv1.1", "TLSv1.2"} {
		v := tls.VersionTLS10 + uint16(i)
		if !slices.Contains(names, n) {
			continue
		}
		if lowest == 0 {
			lowest = v
		}
		highest = v
	}
	return lowest, highest, lowest == tls.VersionTLS10 && highest == tls.VersionTLS12 && !slices.Contains(names, "TLSv1.1"), lowest != 0
}

// errSSLv3 is an origin that allows nothing newer.
var errSSLv3 = errors.New("the origin allows SSLv3 only, which is not offered: it is broken (rfc7568)")

// fetchError turns a failure of a connection into what CloudFront's pages tell apart.
func fetchError(err error) error {
	kinds := map[origin.Kind]edge.FetchErrorKind{
		origin.DNS: edge.FetchDNS, origin.Connect: edge.FetchConnect, origin.ConnectTimeout: edge.FetchConnectTimeout, origin.TLS: edge.FetchTLS,
		origin.ResponseTimeout: edge.FetchTimeout, origin.Closed: edge.FetchClosed, origin.Incomplete: edge.FetchClosed, origin.Limit: edge.FetchConnectTimeout,
	}
	return &edge.FetchError{Kind: kinds[origin.KindOf(err)], Err: err}
}

// LogFunction passes on what a CloudFront Function wrote.
func (fx *edgeEffects) LogFunction(l *edge.FunctionLog) {
	if fx.env.FunctionLog != nil {
		fx.env.FunctionLog(l)
	}
}

// InvokeLambda runs a Lambda@Edge function.
func (fx *edgeEffects) InvokeLambda(ctx context.Context, inv *edge.LambdaInvocation) ([]byte, error) {
	f, ok := inv.Association.Handle.(*function)
	if !ok || f.Function == nil {
		why := "there is no function " + inv.Association.ARN
		if ok {
			why = f.Missing
		}
		return nil, &edge.LambdaError{Kind: edge.LambdaUnavailable, Message: why}
	}
	ctx, cancel := context.WithTimeout(ctx, inv.Timeout)
	defer cancel()
	result, err := f.Invoke(ctx, lambda.Invocation{Payload: inv.Payload})
	var refused *lambda.Error
	switch {
	case errors.As(err, &refused) && refused.Status == 429:
		return nil, &edge.LambdaError{Kind: edge.LambdaThrottled, Message: refused.Message}
	case errors.As(err, &refused):
		return nil, &edge.LambdaError{Kind: edge.LambdaUnavailable, Message: refused.Message}
	case err != nil:
		return nil, &edge.LambdaError{Kind: edge.LambdaFailed, Message: err.Error()}
	case result.FunctionError != "":
		return nil, &edge.LambdaError{Kind: edge.LambdaFailed, Message: string(result.Payload)}
	}
	return result.Payload, nil
}
