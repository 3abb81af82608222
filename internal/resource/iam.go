package resource

import (
	"strings"
	"time"

	"github.com/foregate/foregate/internal/store"
)

// The kinds of IAM, all of them Global. What belongs to a user, group or role has records of its own, so that each keeps
// the Source of the template resource that it came from.
var (
	Users           = store.NewKind[User]("iam", "user")
	Groups          = store.NewKind[Group]("iam", "group")
	Roles           = store.NewKind[Role]("iam", "role")
	ManagedPolicies = store.NewKind[ManagedPolicy]("iam", "policy")
	AccessKeys      = store.NewKind[AccessKey]("iam", "access-key")
	InlinePolicies  = store.NewKind[InlinePolicy]("iam", "inline-policy")
	Attachments     = store.NewKind[Attachment]("iam", "attachment")
	Memberships     = store.NewKind[Membership]("iam", "membership")
)

func iamDecoders() []store.Decoder {
	return []store.Decoder{
		Users.Decoder(), Groups.Decoder(), Roles.Decoder(), ManagedPolicies.Decoder(), AccessKeys.Decoder(),
		InlinePolicies.Decoder(), Attachments.Decoder(), Memberships.Decoder(),
	}
}

// User is stored under its name.
type User struct {
	Name, ID, ARN, Path string
	// Boundary is the ARN of the permissions boundary, "" for none.
	Boundary string
	Tags     map[string]string
}

// Group is stored under its name.
type Group struct{ Name, ID, ARN, Path string }

// Role is stored under its name.
type Role struct {
	Name, ID, ARN, Path string
	Description         string
	// TrustPolicy is the JSON text that says who may assume the role.
	TrustPolicy string
	// MaxSessionDuration is in seconds.
	MaxSessionDuration int64
	Boundary           string
	Tags               map[string]string
}

// ManagedPolicy is a customer managed policy, stored under its ARN. Those of AWS are not stored: compile has their documents.
type ManagedPolicy struct {
	ARN, ID, Name, Path, Description string
	// Versions are in the order of their making; Default is the id of the one that counts.
	Versions []PolicyVersion
	Default  string
	// LastVersion numbers the versions; numbers are not used twice.
	LastVersion int
	Tags        map[string]string
}

// PolicyVersion is a version of a managed policy.
type PolicyVersion struct {
	ID, Document string
	Created      time.Time
}

// Document returns the JSON text of the default version.
func (p *ManagedPolicy) Document() string {
	for i := range p.Versions {
		if p.Versions[i].ID == p.Default {
			return p.Versions[i].Document
		}
	}
	return ""
}

// AccessKey is stored under its id (AKIA…).
type AccessKey struct {
	ID, UserName string
	// Secret must never be shown but in the answer that makes the key.
	Secret string
	// Active is false for a key with the status Inactive.
	Active bool
}

// Owner is what a policy belongs to.
type Owner struct {
	// Kind is "user", "group" or "role".
	Kind, Name string
}

// InlinePolicy is stored under its Key.
type InlinePolicy struct {
	Owner          Owner
	Name, Document string
}

// Key is the id of the policy called name.
func (o Owner) Key(name string) string { return o.Kind + "/" + o.Name + "/" + name }

// Attachment attaches a managed policy; it is stored under the Owner's Key of the ARN.
type Attachment struct {
	Owner     Owner
	PolicyARN string
}

// Membership puts a user into a group; it is stored under GROUP/USER.
type Membership struct{ Group, User string }

// MembershipKey is the id of a Membership.
func MembershipKey(group, user string) string { return group + "/" + user }

// IsAWSManaged tells whether an ARN is that of a managed policy of AWS: its account is "aws".
func IsAWSManaged(policyARN string) bool {
	p := strings.SplitN(policyARN, ":", 6)
	return len(p) == 6 && p[0] == "arn" && p[2] == "iam" && p[4] == "aws" && strings.HasPrefix(p[5], "policy/")
}
