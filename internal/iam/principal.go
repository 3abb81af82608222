package iam

import "strings"

// fit says how a Principal element names a caller; what a resource policy may grant depends on it (IAM guide,
// reference_policies_evaluation-logic, "Resource-based policies").
type fit uint8

const (
	noFit fit = iota
	// fitAccount: the caller's account is named, which hands the decision to that account's own policies.
	fitAccount
	// fitAnyone: "*".
	fitAnyone
	// fitRole: the role of a session is named.
	fitRole
	// fitExact: the user, session, service or identity itself is named.
	fitExact
)

// fitOf tells how entry e names p.
func (e *PrincipalEntry) fitOf(p *Principal) fit {
	switch e.Type {
	case AnyPrincipal:
		return fitAnyone
	case AWSPrincipal:
		return fitAWS(e.Value, p)
	case ServiceType:
		if p.Kind == Service && e.Value == p.ARN {
			return fitExact
		}
	case FederatedType:
		if p.Kind == WebIdentity && (e.Value == p.Provider || strings.HasSuffix(e.Value, "/"+p.Provider)) {
			return fitExact
		}
	case CanonicalUserType:
		if p.CanonicalID == "" || e.Value != p.CanonicalID {
			return noFit
		}
		if p.Kind == OriginAccessIdentity || p.Kind == Root {
			return fitExact
		}
		return fitAccount // a canonical user id names an account
	}
	return noFit
}

func fitAWS(value string, p *Principal) fit {
	if value == "*" {
		// {"AWS":"*"} is the same as "*" (IAM guide, reference_policies_elements_principal).
		return fitAnyone
	}
	switch p.Kind {
	case Anonymous, Service, WebIdentity:
		return noFit
	case OriginAccessIdentity:
		if value == p.ARN {
			return fitExact
		}
		return noFit
	}
	if value == p.ARN || value == p.UserID && p.UserID != "" {
		return fitExact
	}
	if p.RoleARN != "" && value == p.RoleARN {
		return fitRole
	}
	if p.Kind == AssumedRole {
		if roleID, _, ok := strings.Cut(p.UserID, ":"); ok && roleID != "" && value == roleID {
			return fitRole
		}
	}
	if value == p.Account || isRootARN(value, p.Account) {
		if p.Kind == Root {
			return fitExact
		}
		return fitAccount
	}
	return noFit
}

// isRootARN tells whether value is arn:<any partition>:iam::account:root.
func isRootARN(value, account string) bool {
	rest, ok := strings.CutPrefix(value, "arn:")
	if !ok {
		return false
	}
	_, rest, ok = strings.Cut(rest, ":")
	return ok && account != "" && rest == "iam::"+account+":root"
}

// principalFit returns the best way in which the statement names p; noFit when it does not apply to p.
func (s *Statement) principalFit(p *Principal) fit {
	best := noFit
	for i := range s.Principals {
		best = max(best, s.Principals[i].fitOf(p))
	}
	if !s.NotPrincipal {
		return best
	}
	if best == noFit || best == fitAccount && p.Kind != Root {
		return fitAnyone
	}
	return noFit
}
