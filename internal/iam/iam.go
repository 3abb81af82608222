// Package iam reads IAM policies and decides with them, as AWS's policy evaluation does.
//
// Start with Parse and Evaluate. A Decision names the policy and the statement that decided, and with Request.Explain also
// the statements that nearly did, so that a refusal can be explained by the run that refused. Identity and Directory are
// what engines know of callers. The package must not know any service: actions, resources and condition keys come from
// the caller as text.
//
// Caveats: service control policies, resource control policies and VPC endpoint policies do not exist here. An element
// NotPrincipal excludes a role's sessions when it lists the role; AWS also wants the account listed.
package iam

import (
	"time"
)

// PrincipalKind is the kind of a caller.
type PrincipalKind uint8

// The kinds of principals.
const (
	// Anonymous made no signature.
	Anonymous PrincipalKind = iota
	// Root is the account itself.
	Root
	// User is an IAM user.
	User
	// AssumedRole is a session of a role.
	AssumedRole
	// FederatedUser is a session of GetFederationToken.
	FederatedUser
	// WebIdentity is a token of an identity provider, as role trust policies see it.
	WebIdentity
	// Service is an AWS service acting for itself, such as cloudfront.amazonaws.com with an origin access control.
	Service
	// OriginAccessIdentity is a special CloudFront user (facts: cloudfront-dataplane 12).
	OriginAccessIdentity
)

// String returns the value of aws:PrincipalType.
func (k PrincipalKind) String() string {
	switch k {
	case Root:
		return "Account"
	case User, OriginAccessIdentity:
		return "User"
	case AssumedRole, WebIdentity:
		return "AssumedRole"
	case FederatedUser:
		return "FederatedUser"
	case Service:
		return "Service"
	}
	return "Anonymous"
}

// Principal is who makes a request. Build one with the functions of this package; the zero value is anonymous.
type Principal struct {
	Kind PrincipalKind
	// ARN is as policies and error texts write it: arn:aws:iam::123456789012:user/path/name, or for a session
	// arn:aws:sts::123456789012:assumed-role/Role/Session. Empty for Anonymous; the service's name for Service.
	ARN string
	// RoleARN is the role of a session: arn:aws:iam::123456789012:role/path/Role.
	RoleARN string
	// Account is the 12 digits; "" for Anonymous and Service.
	Account string
	// UserID is aws:userid: AIDA… for a user, AROA…:session for a session, the account for root.
	UserID string
	// UserName is aws:username, for users only.
	UserName string
	// SessionName is the name of a role session.
	SessionName string
	// CanonicalID is the S3 canonical user id of an account or an origin access identity, where it is known.
	CanonicalID string
	// Provider is the identity provider of a WebIdentity: cognito-identity.amazonaws.com.
	Provider string
	// Tags are principal tags, by lower-case key.
	Tags map[string]string
}

// RootPrincipal returns the root of an account.
func RootPrincipal(partition, account string) Principal {
	return Principal{Kind: Root, ARN: "arn:" + partition + ":iam::" + account + ":root", Account: account, UserID: account}
}

// UserPrincipal returns an IAM user; path begins and ends with a slash.
func UserPrincipal(partition, account, path, name, id string) Principal {
	return Principal{Kind: User, ARN: "arn:" + partition + ":iam::" + account + ":user" + path + name, Account: account, UserID: id, UserName: name}
}

// SessionPrincipal returns a session of the role called name; path begins and ends with a slash, id is the role's AROA….
func SessionPrincipal(role Role, session string) Principal {
	prefix := "arn:" + role.Partition
	return Principal{Kind: AssumedRole, ARN: prefix + ":sts::" + role.Account + ":assumed-role/" + role.Name + "/" + session,
		RoleARN: prefix + ":iam::" + role.Account + ":role" + role.Path + role.Name, Account: role.Account,
		UserID: role.ID + ":" + session, SessionName: session}
}

// Role names a role for SessionPrincipal.
type Role struct{ Partition, Account, Path, Name, ID string }

// ServicePrincipal returns an AWS service, such as "cloudfront.amazonaws.com". What it acts for goes into the context as
// aws:SourceArn and aws:SourceAccount.
func ServicePrincipal(name string) Principal { return Principal{Kind: Service, ARN: name} }

// OAIPrincipal returns a CloudFront origin access identity, with its id (E…) and canonical user id.
func OAIPrincipal(id, canonical string) Principal {
	return Principal{Kind: OriginAccessIdentity, ARN: "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity " + id,
		Account: "cloudfront", CanonicalID: canonical}
}

// NamedPolicy is a policy with the name by which a decision tells of it.
type NamedPolicy struct {
	// Name is a policy's ARN or, inline, its name.
	Name     string
	Document *Document
}

// Identity is an access key with all that is known of whom it belongs to. It is immutable. Secret and SessionToken must
// never be printed; String leaves them out.
type Identity struct {
	AccessKeyID, Secret, SessionToken string
	// Expires is when temporary credentials end; zero for lasting ones.
	Expires   time.Time
	Principal Principal
	// Root is allowed everything in its account that no resource policy denies.
	Root bool
	// Policies are all identity policies: inline, attached and those of groups.
	Policies []NamedPolicy
	// Boundary is the permissions boundary, nil when there is none.
	Boundary *NamedPolicy
	// Session has the session policies; a session without any is not limited by them.
	Session []NamedPolicy
}

// String shows the identity without its secrets.
func (i *Identity) String() string { return i.AccessKeyID + " (" + i.Principal.ARN + ")" }

// GoString is String, so that %#v shows no secret either.
func (i *Identity) GoString() string { return i.String() }

// Directory finds identities. It must be safe for use by several goroutines.
type Directory interface {
	Lookup(accessKeyID string) (*Identity, bool)
}

// DirectoryFunc makes a Directory of a function.
type DirectoryFunc func(accessKeyID string) (*Identity, bool)

// Lookup calls f.
func (f DirectoryFunc) Lookup(accessKeyID string) (*Identity, bool) { return f(accessKeyID) }
