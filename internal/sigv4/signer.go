package sigv4

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// Credentials sign requests.
type Credentials struct{ AccessKeyID, Secret, SessionToken string }

// Signer signs requests. It is immutable and may be shared.
type Signer struct {
	Credentials     Credentials
	Region, Service string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// SkipHeaders are further headers, in lower case, that the signature leaves out.
	SkipHeaders []string
	// Minimal leaves out all headers but the host, content-type and those that begin with x-amz-: what lies between may change others.
	Minimal bool
}

// unsigned lists the headers that no signature covers: proxies change them, and AWS's SDKs leave them out for that.
var unsigned = []string{"authorization", "user-agent", "x-amzn-trace-id", "expect", "connection", "transfer-encoding"}

func (s *Signer) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// Sign sets X-Amz-Date, X-Amz-Security-Token when the credentials have one, X-Amz-Content-Sha256 for S3, and
// Authorization. An Authorization header that was there is replaced; an X-Amz-Date that was there is kept. payloadHash is
// HashPayload of the body, or UnsignedPayload.
func (s *Signer) Sign(r *message.Request, payloadHash string) error {
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		date = s.now().Format(dateFormat)
		r.Header.Set("X-Amz-Date", date)
	} else if _, err := time.Parse(dateFormat, date); err != nil {
		return fmt.Errorf("sign request: parse X-Amz-Date %q: %w", date, err)
	}
	r.Header.Del("Authorization")
	if s.Credentials.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", s.Credentials.SessionToken)
	}
	if usesS3Rules(s.Service) {
		r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	}
	q := subjectOf(r, s.signedHeaders(r.Header), payloadHash)
	sig, scope := s.signature(&q, date)
	r.Header.Add("Authorization", Algorithm+" Credential="+s.Credentials.AccessKeyID+"/"+scope+
		", SignedHeaders="+q.signed+", Signature="+sig)
	return nil
}

// Presign adds the signature to the query, good for expires from now. Only the host is signed. payloadHash is
// UnsignedPayload for S3 and HashPayload of the body for others.
func (s *Signer) Presign(r *message.Request, expires time.Duration, payloadHash string) error {
	if expires < time.Second || expires > 7*24*time.Hour {
		return fmt.Errorf("presign request: expiry %s: want 1s to 168h", expires)
	}
	date := s.now().Format(dateFormat)
	scope := date[:8] + "/" + s.Region + "/" + s.Service + "/" + terminator
	add := func(name, value string) {
		if r.Query != "" {
			r.Query += "&"
		}
		var b []byte
		for i := range len(value) {
			b = appendEscaped(b, value[i])
		}
		r.Query += name + "=" + string(b)
	}
	r.HasQuery = true
	add("X-Amz-Algorithm", Algorithm)
	add("X-Amz-Credential", s.Credentials.AccessKeyID+"/"+scope)
	add("X-Amz-Date", date)
	add("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	add("X-Amz-SignedHeaders", "host")
	if s.Credentials.SessionToken != "" {
		add("X-Amz-Security-Token", s.Credentials.SessionToken)
	}
	q := subjectOf(r, "host", payloadHash)
	q.presigned = true
	sig, _ := s.signature(&q, date)
	add("X-Amz-Signature", sig)
	return nil
}

func (s *Signer) signature(q *subject, date string) (signature, scope string) {
	scope = date[:8] + "/" + s.Region + "/" + s.Service + "/" + terminator
	q.date, q.scope, q.s3 = date, scope, usesS3Rules(s.Service)
	w := scratches.Get().(*scratch)
	defer scratches.Put(w)
	w.canonical(q)
	newSigningKey(keyID{s.Credentials.Secret, date[:8], s.Region, s.Service}).sign(w)
	return string(w.hex[:]), scope
}

func (s *Signer) signedHeaders(h message.Header) string {
	names := []string{"host"}
	for _, f := range h {
		n := strings.ToLower(f.Name)
		if s.Minimal && n != "content-type" && !strings.HasPrefix(n, "x-amz-") {
			continue
		}
		if !slices.Contains(unsigned, n) && !slices.Contains(s.SkipHeaders, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ";")
}
