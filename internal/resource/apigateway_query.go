package resource

import (
	"slices"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/store"
)

// StageNames returns the stages of a REST API, in order of their names; nil for an API that the store does not have.
func StageNames(r store.Reader, region, apiID string) []string {
	var names []string
	for _, v := range RestStages.All(r, region) {
		if v.API == apiID && v.Value.StageName != nil {
			names = append(names, *v.Value.StageName)
		}
	}
	slices.Sort(names)
	return names
}

// CustomDomains returns the custom domain names of all APIs in all regions, in order.
func CustomDomains(r store.Reader) []string {
	var names []string
	for rec := range GatewayDomains.Everywhere(r) {
		names = append(names, rec.Key.ID)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// EdgeOptimizedAPI tells whether the store has the REST API, with an edge-optimized endpoint: the default (API Gateway API
// reference, EndpointConfiguration).
func EdgeOptimizedAPI(r store.Reader, region, apiID string) bool {
	api, ok := RestAPIs.Get(r, region, apiID)
	return ok && edgeOptimized(api.Value.EndpointConfiguration)
}

// EdgeOptimizedDomain tells whether name is a custom domain with an edge-optimized endpoint, in any region.
func EdgeOptimizedDomain(r store.Reader, name string) bool {
	for rec, d := range GatewayDomains.Everywhere(r) {
		if rec.Key.ID == name && edgeOptimized(d.Value.EndpointConfiguration) {
			return true
		}
	}
	return false
}

func edgeOptimized(c *apigateway.EndpointConfiguration) bool {
	return c == nil || len(c.Types) == 0 || slices.Contains(c.Types, "EDGE")
}

// AuthorizedMethod returns how a GET method of an API finds out who asks, as AWS names it; "" when none does.
func AuthorizedMethod(r store.Reader, region, apiID string) string {
	for _, v := range RestMethods.All(r, region) {
		m := v.Value
		if v.API != apiID || m.HttpMethod == nil || *m.HttpMethod != "GET" && *m.HttpMethod != "ANY" {
			continue
		}
		if m.AuthorizationType != nil && *m.AuthorizationType != "NONE" {
			return *m.AuthorizationType
		}
	}
	return ""
}
