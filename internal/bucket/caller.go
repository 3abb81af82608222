package bucket

import (
	"context"

	"github.com/foregate/foregate/internal/iam"
)

// ServiceCaller is an AWS service that asks on behalf of one of its resources.
type ServiceCaller struct {
	// Service is such as cloudfront.amazonaws.com.
	Service string
	// SourceARN is the resource, a distribution's ARN; SourceAccount the account that owns it. They are aws:SourceArn and
	// aws:SourceAccount in the bucket policy (facts: cloudfront-dataplane 12).
	SourceARN, SourceAccount string
}

type callerKey struct{}

// inMemory is a caller that is vouched for by code of this process, where AWS would see a signature.
type inMemory struct {
	principal iam.Principal
	source    ServiceCaller
}

// WithServicePrincipal says that requests with this context are signed by an AWS service: CloudFront with an origin access
// control. A signature in the request is not looked at then.
func WithServicePrincipal(ctx context.Context, c ServiceCaller) context.Context {
	return context.WithValue(ctx, callerKey{}, &inMemory{principal: iam.ServicePrincipal(c.Service), source: c})
}

// WithOriginAccessIdentity says that requests with this context are made by a CloudFront origin access identity: its id
// (E…) and its S3 canonical user id.
func WithOriginAccessIdentity(ctx context.Context, id, canonicalID string) context.Context {
	return context.WithValue(ctx, callerKey{}, &inMemory{principal: iam.OAIPrincipal(id, canonicalID)})
}

// WithoutCaller takes such a caller away again, for a handler that passes its context on to a request of its own.
func WithoutCaller(ctx context.Context) context.Context {
	if ctx.Value(callerKey{}) == nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, (*inMemory)(nil))
}
