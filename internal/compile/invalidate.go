package compile

// Invalidate drops what the cache holds of a distribution under the paths of an invalidation, in memory and on disk, in every
// variant by headers and cookies. A path is exact: its query string belongs to it where the behavior caches by query strings, so
// that /a.jpg leaves /a.jpg?x=1 alone, and /a.jpg* drops both (facts: cloudfront-dataplane 14;
// DG26-invalidation-specifying-objects, "Forwarding query strings"). It returns when all of it is gone, and no fetch under way
// brings it back. A node without a cache has nothing to drop.
func (e *Env) Invalidate(distributionID string, paths []string) {
	if e.Cache != nil {
		e.Cache.Invalidate(distributionID, paths)
	}
}
