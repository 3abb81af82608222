package resource

import "github.com/foregate/foregate/internal/store"

// StageNames returns the stages of a REST API, in order.
func StageNames(r store.Reader, region, apiID string) []string { return nil }

// CustomDomains returns the custom domain names of all APIs.
func CustomDomains(r store.Reader) []string { return nil }
