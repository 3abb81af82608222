package resource

import (
	"slices"

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
