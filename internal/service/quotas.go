package service

// QuotaDistributions names the quota on an account's distributions, which AWS raises on request.
const QuotaDistributions = "distributions"

// QuotaNames are the quotas that Env.Quotas may raise. Those that AWS does not raise have no name.
func QuotaNames() []string { return []string{QuotaDistributions} }

// Quota is how many there may be: the default of AWS, or what was asked for.
func (e *Env) Quota(name string, byDefault int) int {
	if n, ok := e.Quotas[name]; ok {
		return n
	}
	return byDefault
}
