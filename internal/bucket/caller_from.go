package bucket

import (
	"context"

	"github.com/foregate/foregate/internal/iam"
)

// CallerFrom returns the service that WithServicePrincipal put into ctx, for engines beside S3 that trust the same callers.
func CallerFrom(ctx context.Context) (ServiceCaller, bool) {
	m, _ := ctx.Value(callerKey{}).(*inMemory)
	if m == nil || m.principal.Kind != iam.Service {
		return ServiceCaller{}, false
	}
	return m.source, true
}
