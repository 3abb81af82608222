package iam

import "strings"

// EvaluateTrust decides whether a caller may assume a role of the same account or another. A role's trust policy is an
// exception among resource policies: it has to allow, whatever the caller's own policies say. When it names an account
// only, the caller's own policies decide further (IAM guide, reference_policies_evaluation-logic and
// id_roles_terms-and-concepts). q.ResourcePolicy is the trust policy.
//
// On AWS root cannot assume roles. Here root is what every developer's key test/test is, so it may assume the roles whose
// trust policy names its account, it itself or everybody.
func EvaluateTrust(q *Request) Decision {
	e := evaluation{q: q, principal: q.Principal, action: strings.ToLower(q.Action)}
	if q.Identity != nil {
		e.principal = &q.Identity.Principal
	}
	if e.principal == nil {
		e.principal = &anonymous
	}
	trust := e.resourceVerdict()
	switch {
	case trust.deny != nil:
		return e.denied(ResourcePolicy, trust)
	case trust.allow == nil:
		d := e.implicit(ResourcePolicy)
		if q.Explain {
			d.Near = e.near()
		}
		return d
	}
	return Evaluate(q)
}
