package rest

import (
	"sync"
	"sync/atomic"
	"time"
)

// bucket is a token bucket, kept as the time at which it will be full again.
type bucket struct {
	interval int64 // nanoseconds for one token
	burst    int64 // nanoseconds for all of them
	full     atomic.Int64
}

// newBucket makes a bucket; a rate or burst of nothing lets nothing through.
func newBucket(t Throttle) *bucket {
	b := &bucket{}
	if t.Rate > 0 && t.Burst > 0 {
		b.interval = max(1, int64(float64(time.Second)/t.Rate))
		b.burst = b.interval * int64(t.Burst)
	}
	return b
}

// take takes a token when there is one.
func (b *bucket) take(now time.Time) bool {
	if b == nil {
		return true
	}
	if b.interval == 0 {
		return false
	}
	t := now.UnixNano()
	for {
		full := b.full.Load()
		next := max(full, t) + b.interval
		if next-t > b.burst {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}

// quota counts the requests of a key in a period.
type quota struct {
	plan   *Quota
	mu     sync.Mutex
	period int64
	used   int
	first  bool
}

// take counts a request when there is one left.
func (q *quota) take(now time.Time) bool {
	if q == nil {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	p := periodOf(q.plan.Period, now.UTC())
	if p != q.period {
		q.used = 0
		if !q.first {
			q.used, q.first = q.plan.Offset, true
		}
		q.period = p
	}
	if q.used >= q.plan.Limit {
		return false
	}
	q.used++
	return true
}

// periodOf numbers days, weeks (from Monday) and months, from 1.
func periodOf(period string, t time.Time) int64 {
	day := t.Unix()/86400 + 1
	switch period {
	case "WEEK":
		return (day + 2) / 7
	case "MONTH":
		return int64(t.Year())*12 + int64(t.Month())
	}
	return day
}

// clientKey is an API key with the usage plan by which it came to this stage.
type clientKey struct {
	APIKey
	plan   *UsagePlan
	bucket *bucket
	quota  *quota
}

// throttle identifies the client by its API key and takes from its limits, then from the method's (facts: apigateway 8).
func (x *exchange) throttle() (phaseID, Reason) {
	if x.method.APIKeyRequired {
		value := x.usageKey
		if !x.stage.plan.API.APIKeyFromAuthorizer {
			value, _ = x.header("x-api-key")
		}
		key := x.stage.keys[value]
		if key == nil || !key.Enabled {
			return x.refuse(reasonAPIKey, fault{kind: InvalidAPIKey, status: 403, errorType: "ForbiddenException",
				message: "Forbidden"})
		}
		x.apiKey = key
		if x.hop != nil {
			x.detail = "usage plan " + key.plan.ID
		}
		limit := key.bucket
		if b := x.method.planBuckets[key.plan.ID]; b != nil {
			limit = b
		}
		if !limit.take(x.now) {
			return x.refuseAt(reasonThrottled, tooMany, key.plan.SourcePath)
		}
		if !key.quota.take(x.now) {
			return x.refuseAt(reasonQuota, fault{kind: QuotaExceeded, status: 429, errorType: "LimitExceededException",
				message: "Limit Exceeded"}, key.plan.SourcePath)
		}
	}
	if !x.method.bucket.take(x.now) {
		return x.refuseAt(reasonThrottled, tooMany, x.method.settingsPath)
	}
	return phaseValidate, reasonWithinLimits
}

var tooMany = fault{kind: Throttled, status: 429, errorType: "TooManyRequestsException", message: "Too Many Requests"}
