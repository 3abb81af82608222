package rest

import "slices"

// methodKey names a method of a stage.
type methodKey struct{ path, method string }

// Adopt takes over what a former Build of the same stage has counted and cached, as far as its settings are the same:
// token buckets, quotas, and the policies of authorizers. Call it before the stage serves; prev may go on serving.
func (s *Stage) Adopt(prev *Stage) {
	if prev == nil {
		return
	}
	for k, m := range s.methods {
		old := prev.methods[k]
		if old == nil {
			continue
		}
		m.bucket = adoptBucket(m.bucket, old.bucket)
		for plan, b := range m.planBuckets {
			m.planBuckets[plan] = adoptBucket(b, old.planBuckets[plan])
		}
	}
	for value, k := range s.keys {
		old := prev.keys[value]
		if old == nil || old.ID != k.ID || old.plan.ID != k.plan.ID {
			continue
		}
		k.bucket = adoptBucket(k.bucket, old.bucket)
		if k.quota != nil && old.quota != nil && *k.quota.plan == *old.quota.plan {
			k.quota = old.quota
		}
	}
	for p, a := range s.authorizers {
		for q, old := range prev.authorizers {
			if p.ID == q.ID && p.Type == q.Type && p.TTL == q.TTL && slices.Equal(p.IdentitySource, q.IdentitySource) &&
				p.Function != nil && q.Function != nil && p.Function.ARN == q.Function.ARN {
				a.cache = old.cache
			}
		}
	}
}

// adoptBucket returns the old bucket when it has the same limits.
func adoptBucket(b, old *bucket) *bucket {
	if b != nil && old != nil && b.interval == old.interval && b.burst == old.burst {
		return old
	}
	return b
}
