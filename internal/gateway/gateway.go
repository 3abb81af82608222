// Package gateway is what a region's API Gateway shows to the world: it finds the API that a Host and a path belong to.
//
// Start with Regional. It knows default endpoints and custom domains with their mappings, and nothing of what an API does:
// REST, HTTP and WebSocket APIs are API implementations in the packages below. What nobody owns is answered as AWS does,
// 403 Forbidden (facts: apigateway 1). The package must not import those packages, the store, or AWS's API types.
package gateway

import (
	"context"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// API is an API behind a Regional. It must be safe for concurrent use.
type API interface {
	// ID is the API's id, the first label of its default host.
	ID() string
	// Serve answers a request that was found to belong to the API.
	Serve(ctx context.Context, r *message.Request, a Arrival) *message.Response
}

// Arrival says how a request came to its API.
type Arrival struct {
	// Mapping is nil for the default endpoint, where the stage is still in Path.
	Mapping *Mapping
	// Domain is the custom domain, nil for the default endpoint.
	Domain *Domain
	// Path is the raw path without the mapping's base path. It starts with "/".
	Path string
}

// Domain is a custom domain name with its mappings.
type Domain struct {
	// Name is lower case; "*.example.com" stands for one level of names.
	Name string
	// EdgeOptimized domains are served like regional ones, with a note in the trace.
	EdgeOptimized bool
	Mappings      []Mapping
	SourcePath    string
}

// Mapping sends a base path to a stage of an API.
type Mapping struct {
	// BasePath has no slash at either end; "" is the catch-all, "(none)" in the API.
	BasePath   string
	APIID      string
	Stage      string
	SourcePath string
}

// Plan is what a region serves. It is not changed after New.
type Plan struct {
	Region  string
	Account string
	APIs    []API
	Domains []Domain
	// Effects serve the answers that no API makes.
	Effects Effects
}

// Effects is what answers need from the world.
type Effects interface {
	// Now is the time.
	Now() time.Time
	// NewID makes a request id, a random UUID.
	NewID() string
}
