package iam

// Effect is a statement's, Allow or Deny, or a decision's: Allow, ExplicitDeny or ImplicitDeny. The zero value refuses.
type Effect uint8

// The effects.
const (
	// ImplicitDeny: nothing allows.
	ImplicitDeny Effect = iota
	Allow
	// Deny is of statements only; a decision made by one is an ExplicitDeny.
	Deny
	ExplicitDeny
)

// String returns the word of the policy language, or of a decision for traces.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	case ExplicitDeny:
		return "explicit deny"
	}
	return "implicit deny"
}

// The versions of the policy language.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Document is a policy, parsed and compiled. It is immutable.
type Document struct {
	// Version is Version2012 or Version2008; without one in the text it is Version2008, which has no variables.
	Version    string
	HasVersion bool
	ID         string
	Statements []*Statement
}

// Statement is one statement of a policy.
type Statement struct {
	// Index counts from 0 in the order of the text.
	Index  int
	Sid    string
	Effect Effect
	// Principals is nil when the statement has neither Principal nor NotPrincipal.
	Principals   []PrincipalEntry
	NotPrincipal bool
	hasPrincipal bool
	// Actions and Resources are as written; the Not forms invert them.
	Actions     []string
	NotAction   bool
	Resources   []string
	NotResource bool
	Conditions  []Condition

	hasAction, hasResource bool
	actions, resources     []pattern
}

// HasPrincipal tells whether the statement has Principal or NotPrincipal.
func (s *Statement) HasPrincipal() bool { return s.hasPrincipal }

// HasResource tells whether the statement has Resource or NotResource.
func (s *Statement) HasResource() bool { return s.hasResource }

// PrincipalType is the key of a Principal element.
type PrincipalType uint8

// The keys of a Principal element; AnyPrincipal is "Principal": "*".
const (
	AnyPrincipal PrincipalType = iota
	AWSPrincipal
	ServiceType
	FederatedType
	CanonicalUserType
)

// String returns the key as a policy writes it.
func (t PrincipalType) String() string {
	switch t {
	case AWSPrincipal:
		return "AWS"
	case ServiceType:
		return "Service"
	case FederatedType:
		return "Federated"
	case CanonicalUserType:
		return "CanonicalUser"
	}
	return "*"
}

// PrincipalEntry is one value of a Principal element.
type PrincipalEntry struct {
	Type  PrincipalType
	Value string
}

// Condition is one operator with one key of a Condition element.
type Condition struct {
	// Operator is as written: ForAnyValue:StringLikeIfExists. Key too.
	Operator, Key string
	Values        []string

	op       operator
	set      setOperator
	ifExists bool
	key      string // lower case
	patterns []pattern
	arns     [][]pattern // for ARN operators
}
