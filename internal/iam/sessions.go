package iam

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

// maxSessions bounds how many sessions are kept. A node that hands out more at a time forgets those that would end first.
const maxSessions = 50_000

// graceOfExpired is how long an ended session is known, so that its caller hears "expired" and not "invalid".
const graceOfExpired = time.Hour

// Sessions keeps the temporary credentials that STS and functions get. It is safe for use by several goroutines. Sessions
// live in memory only: after a restart their keys are unknown, and clients have to ask for new ones. What a session may do
// is not kept here: the Directory of the moment knows its role's policies.
type Sessions struct {
	now  func() time.Time
	mu   sync.RWMutex
	byID map[string]*Session
	// shared has, by role and session name, the last session that Reuse issued.
	shared map[[2]string]*Session
	// swept is when ended sessions were last dropped.
	swept time.Time
}

// SessionSpec describes a session.
type SessionSpec struct {
	// RoleARN and RoleID are those of the role; RoleID "" stands for a role that does not exist here.
	RoleARN, RoleID string
	// SessionName names the session of a role.
	SessionName string
	// User is set instead of a role for GetSessionToken: whose keys they are.
	User *Principal
	// Duration is how long the credentials are good.
	Duration time.Duration
	// SessionPolicies limit what the role has.
	SessionPolicies []NamedPolicy
	// Tags are session tags, by lower-case key.
	Tags map[string]string
}

// Credentials are temporary credentials. They are secrets but for AccessKeyID.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// Session is a session with its credentials. It is immutable.
type Session struct {
	Credentials
	SessionSpec
}

// NewSessions makes an empty set; now is the clock.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, byID: map[string]*Session{}, shared: map[[2]string]*Session{}, swept: now()}
}

// Issue makes credentials for a session.
func (s *Sessions) Issue(spec SessionSpec) Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(spec).Credentials
}

// Reuse returns the credentials that the last Reuse gave the same role and session name while they are good for at least
// half of the duration, else new ones.
func (s *Sessions) Reuse(spec SessionSpec) Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{spec.RoleARN, spec.SessionName}
	old := s.shared[key]
	if old == nil || old.RoleID != spec.RoleID || s.byID[old.AccessKeyID] == nil || old.Expires.Sub(s.now()) < spec.Duration/2 {
		old = s.issue(spec)
		s.shared[key] = old
	}
	return old.Credentials
}

// issue makes a session; s.mu is held.
func (s *Sessions) issue(spec SessionSpec) *Session {
	now := s.now().UTC()
	s.sweep(now)
	v := &Session{SessionSpec: spec, Credentials: Credentials{
		// The forms are those of AWS's answers: 20 characters, 40 characters, a long token.
		AccessKeyID: "ASIA" + random(base32Upper, 16), SecretAccessKey: random(base64Chars, 40), SessionToken: sessionToken(),
		Expires: now.Add(spec.Duration).Truncate(time.Second),
	}}
	s.byID[v.AccessKeyID] = v
	return v
}

// Lookup finds a session by its access key id; an ended one is found for a while.
func (s *Sessions) Lookup(accessKeyID string) (*Session, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.byID[accessKeyID]
	return v, ok
}

// sweep drops what ended long ago, and when there is still no room, what ends next.
func (s *Sessions) sweep(now time.Time) {
	full := len(s.byID) >= maxSessions
	if !full && now.Sub(s.swept) < graceOfExpired {
		return
	}
	s.swept = now
	for id, v := range s.byID {
		if now.Sub(v.Expires) > graceOfExpired {
			s.drop(id, v)
		}
	}
	if len(s.byID) < maxSessions {
		return
	}
	all := make([]*Session, 0, len(s.byID))
	for _, v := range s.byID {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b *Session) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.AccessKeyID, b.AccessKeyID))
	})
	for _, v := range all[:maxSessions/10] {
		s.drop(v.AccessKeyID, v)
	}
}

func (s *Sessions) drop(id string, v *Session) {
	delete(s.byID, id)
	if key := [2]string{v.RoleARN, v.SessionName}; s.shared[key] == v {
		delete(s.shared, key)
	}
}

const (
	base32Upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	base64Chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// random writes n random characters of an alphabet whose length divides 256.
func random(alphabet string, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand does not fail
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

func sessionToken() string {
	b := make([]byte, 270)
	_, _ = rand.Read(b)
	return "IQoJb3JpZ2luX2Vj" + base64.StdEncoding.EncodeToString(b)
}
