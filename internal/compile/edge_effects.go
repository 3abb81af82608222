package compile

import (
	"context"
	"crypto/tls"
	"errors"

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
	t.MinTLS, t.MaxTLS = tlsRange(o.SSLProtocols)
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

// tlsRange is the range of versions that OriginSslProtocols allows. SSLv3 is offered by nobody any more: TLS 1.0 is the oldest.
func tlsRange(names []string) (lowest, highest uint16) {
	for _, n := range names {
		v := map[string]uint16{"SSLv3": tls.VersionTLS10, "TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12}[n]
		if lowest == 0 || v < lowest {
			lowest = v
		}
		highest = max(highest, v)
	}
	return lowest, highest
}

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
