package sigv4

import (
	"crypto/subtle"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Options make a Verifier.
type Options struct {
	// Service and Region are what a signature must be scoped to; Region "" takes any. Input may override both.
	Service, Region string
	Dialect         Dialect
	Lookup          Lookup
	// Asymmetric takes Signature Version 4A as well.
	Asymmetric bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Skew is how far the clocks may differ: 0 means 5 minutes, and 15 in dialect S3 (facts: sigv4-iam 2).
	Skew time.Duration
}

// Verifier verifies signatures. It is safe for use by several goroutines and owns a bounded cache of signing keys.
type Verifier struct {
	opt  Options
	keys keyCache
}

// NewVerifier returns a Verifier.
func NewVerifier(o Options) *Verifier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Skew == 0 {
		o.Skew = 5 * time.Minute
		if o.Dialect == S3 {
			o.Skew = 15 * time.Minute
		}
	}
	return &Verifier{opt: o}
}

// Input is one request to verify.
type Input struct {
	Request *message.Request
	// PayloadHash is HashPayload of the body; "" means that there is none. Dialect S3 takes the hash from the request.
	PayloadHash string
	// Service and Region override the Verifier's when they are not empty.
	Service, Region string
	// SentHost is the host as the client sent it when that is not Request.Host, because a suffix such as .localhost was
	// taken off; a signature for either is right.
	SentHost string
}

// scope is what a signature must be for.
type scope struct{ region, service string }

func (v *Verifier) scope(in *Input) scope {
	s := scope{v.opt.Region, v.opt.Service}
	if in.Region != "" {
		s.region = in.Region
	}
	if in.Service != "" {
		s.service = in.Service
	}
	return s
}

// examined is a request of which all is right but the signature, which is not computed yet.
type examined struct {
	c       claim
	want    scope
	date    time.Time
	basic   string
	cred    credential
	payload string
	key     Key
}

// examine checks all that can be checked without the body.
func (v *Verifier) examine(in *Input) (x examined, err *Error) {
	if x.c, err = v.claim(in.Request); err != nil {
		return x, err
	}
	x.want = v.scope(in)
	if x.date, x.basic, err = v.checkTime(&x.c, x.want); err != nil {
		return x, err
	}
	if v.asymmetric(&x.c) {
		x.cred, err = v.checkAsymmetricForm(in, &x.c, x.want, x.basic)
	} else {
		x.cred, err = v.checkForm(&x.c, x.want, x.basic)
	}
	if err != nil {
		return x, err
	}
	if x.payload, err = v.payload(in, &x.c, x.want); err != nil {
		return x, err
	}
	var known bool
	if x.key, known = v.opt.Lookup(x.cred.key); !known || x.key.SessionToken != "" && x.c.token == "" {
		return x, v.fail(UnknownKey, &x.c, x.want, unknownKeyText)
	}
	return x, nil
}

// Precheck makes the checks of Verify that need no body: the parts of the signature, its date and scope, and that its key is
// known. Whoever passes may still have the wrong secret; whoever does not need not be read any further. Input.PayloadHash
// does not count.
func (v *Verifier) Precheck(in Input) *Error {
	_, err := v.examine(&in)
	return err
}

// Verify checks the signature of a request, in the order and with the texts of AWS (facts: sigv4-iam 2).
func (v *Verifier) Verify(in Input) (Result, *Error) {
	x, err := v.examine(&in)
	if err != nil {
		return Result{}, err
	}
	c, want, cred, key := x.c, x.want, x.cred, x.key
	q := subjectOf(in.Request, c.signed, x.payload)
	q.presigned, q.s3 = c.presigned, usesS3Rules(want.service)
	q.date, q.scope = x.basic, cred.scope(c.credential)
	var k *signingKey
	if v.asymmetric(&c) {
		err = v.checkAsymmetric(&in, &q, cred, key.Secret, &c)
	} else {
		k = v.keys.get(keyID{key.Secret, cred.date, cred.region, cred.service})
		err = v.checkSignature(&in, &q, k, &c)
	}
	if err != nil {
		return Result{}, err
	}
	if key.SessionToken != c.token && subtle.ConstantTimeCompare([]byte(key.SessionToken), []byte(c.token)) != 1 {
		return Result{}, v.fail(WrongSessionToken, &c, want, wrongTokenText)
	}
	if now := v.opt.Now(); !key.Expires.IsZero() && !now.Before(key.Expires) {
		e := v.fail(ExpiredKey, &c, want, expiredTokenText)
		e.Expires, e.Now = key.Expires, now
		return Result{}, e
	}
	return Result{AccessKeyID: cred.key, Date: x.date, Region: cred.region, Service: cred.service, SignedHeaders: c.signed,
		SessionToken: c.token, PayloadHash: x.payload, Presigned: c.presigned, Host: q.host,
		seed: seed{k, q.date, q.scope, c.signature}}, nil
}

// claim finds the signature and checks that all its parts are there (steps 1 to 3).
func (v *Verifier) claim(r *message.Request) (claim, *Error) {
	auth, has := r.Header.Lookup("Authorization")
	auth = strings.TrimSpace(auth)
	if auth == "" {
		has = false
	}
	if c, found := queryClaim(r.Query); found {
		if !has {
			if t := missingText(&c); t != "" {
				return c, v.fail(MissingParts, &c, scope{}, t)
			}
			return c, nil
		}
		if v.opt.Dialect == S3 {
			return c, v.fail(TwoSignatures, &c, scope{}, "")
		}
	}
	if !has {
		return claim{}, v.fail(MissingToken, &claim{}, scope{}, v.missingToken())
	}
	signed := strings.HasPrefix(auth, "AWS4-")
	if !signed && v.opt.Dialect == S3 {
		return claim{}, v.fail(BadAlgorithm, &claim{}, scope{}, "")
	}
	// Control planes look at the prefix first; API Gateway takes the header apart before (facts: apigateway 3).
	if !signed && v.opt.Dialect != ExecuteAPI {
		return claim{}, v.fail(MissingToken, &claim{}, scope{}, v.missingToken())
	}
	c, cause, bad := parseAuthorization(auth)
	switch cause {
	case NoAlgorithm:
		return c, v.fail(cause, &c, scope{}, noAlgorithmText(auth))
	case NotKeyValue:
		return c, v.fail(cause, &c, scope{}, notKeyValueText(bad, auth))
	}
	c.headerDate(r.Header)
	c.token = r.Header.Get("X-Amz-Security-Token")
	if t := missingText(&c); t != "" {
		return c, v.fail(MissingParts, &c, scope{}, t)
	}
	if !signed {
		// An unknown algorithm with all the parts of a signature gives this, as recorded in LIVE 48858043474.
		return c, v.fail(MissingToken, &c, scope{}, v.missingToken())
	}
	return c, nil
}

func (v *Verifier) missingToken() string {
	if v.opt.Dialect == ExecuteAPI {
		return missingTokenText
	}
	return missingTokenControlText
}

// checkTime reads the date and compares it with the clock (step 4).
func (v *Verifier) checkTime(c *claim, want scope) (date time.Time, basic string, e *Error) {
	date, basic, ok := parseDate(c.date)
	if !ok {
		return date, "", v.fail(BadDate, c, want, badDateText(c.date))
	}
	life := v.opt.Skew
	if c.presigned && (c.expires != "" || v.opt.Dialect == S3) {
		if c.expires == "" {
			return date, "", v.fail(MissingParts, c, want, "")
		}
		if life, ok = parseExpires(c.expires); !ok {
			return date, "", v.fail(BadExpires, c, want, "X-Amz-Expires must be a number of seconds, at most 604800.")
		}
	}
	now := v.opt.Now().UTC()
	if date.Before(now.Add(-life)) {
		e = v.fail(Expired, c, want, "")
		if v.opt.Dialect != S3 {
			e.Message = expiredText(date, now, life)
		}
		e.Expires, e.Now = date.Add(life), now
		return date, "", e
	}
	if date.After(now.Add(v.opt.Skew)) {
		e = v.fail(NotYetCurrent, c, want, "")
		if v.opt.Dialect != S3 {
			e.Message = notYetText(date, now, v.opt.Skew)
		}
		e.Expires, e.Now = date, now
		return date, "", e
	}
	return date, basic, nil
}

// checkForm checks SignedHeaders, algorithm and Credential (steps 5 to 8).
func (v *Verifier) checkForm(c *claim, want scope, basic string) (credential, *Error) {
	if !lists(c.signed, "host") && !lists(c.signed, ":authority") {
		return credential{}, v.fail(HostNotSigned, c, want, hostNotSignedText)
	}
	if c.algorithm != Algorithm {
		return credential{}, v.fail(BadAlgorithm, c, want, badAlgorithmText(c.algorithm))
	}
	cred, ok := parseCredential(c.credential)
	if !ok {
		return credential{}, v.fail(BadCredential, c, want, badCredentialText(c.credential))
	}
	if (want.region == "" || cred.region == want.region) && cred.service == want.service && cred.term == terminator && cred.date == basic[:8] {
		return cred, nil
	}
	e := v.fail(BadScope, c, want, scopeText(cred, want, basic))
	if cred.region != want.region {
		e.Region = want.region
	}
	return cred, e
}

// payload returns the last line of the canonical request.
func (v *Verifier) payload(in *Input, c *claim, want scope) (string, *Error) {
	if v.opt.Dialect != S3 {
		if in.PayloadHash == "" {
			return EmptyHash, nil
		}
		return in.PayloadHash, nil
	}
	if e := v.checkCovered(in.Request, c, want); e != nil {
		return "", e
	}
	h, has := in.Request.Header.Lookup("X-Amz-Content-Sha256")
	if !has && c.presigned {
		return UnsignedPayload, nil
	}
	if !has {
		return "", v.fail(MissingPayloadHash, c, want, "Missing required header for this request: x-amz-content-sha256")
	}
	if h != UnsignedPayload && !strings.HasPrefix(h, StreamingPrefix) && !isHash(h) {
		e := v.fail(MissingPayloadHash, c, want, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.")
		e.Type = "InvalidArgument"
		return "", e
	}
	return h, nil
}

// checkCovered refuses x-amz- headers that the signature does not cover, as S3 does.
func (v *Verifier) checkCovered(r *message.Request, c *claim, want scope) *Error {
	var missing []string
	for i := range r.Header {
		n := r.Header[i].Name
		if len(n) > 6 && strings.EqualFold(n[:6], "x-amz-") && !lists(c.signed, n) {
			missing = append(missing, strings.ToLower(n))
		}
	}
	if missing == nil {
		return nil
	}
	e := v.fail(HeadersNotSigned, c, want, "")
	e.Headers = strings.Join(missing, ", ")
	return e
}

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if _, ok := unhex(s[i]); !ok {
			return false
		}
	}
	return true
}

// lists tells whether a SignedHeaders list has name, ignoring case.
func lists(signed, name string) bool {
	for signed != "" {
		n, rest, _ := strings.Cut(signed, ";")
		if strings.EqualFold(n, name) {
			return true
		}
		signed = rest
	}
	return false
}

// checkSignature computes and compares (step 10). It sets q.host to the host that was signed.
func (v *Verifier) checkSignature(in *Input, q *subject, k *signingKey, c *claim) *Error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if s.matches(q, k, c.signature) {
		return nil
	}
	if in.SentHost != "" && in.SentHost != q.host {
		host := q.host
		q.host = in.SentHost
		if s.matches(q, k, c.signature) {
			return nil
		}
		q.host = host
		s.canonical(q)
	}
	e := v.fail(Mismatch, c, scope{}, "")
	e.CanonicalRequest, e.StringToSign = withoutToken(string(s.buf), c.token), string(s.sts)
	if v.opt.Dialect != S3 {
		e.Message = longMismatchText(e.CanonicalRequest, e.StringToSign)
	}
	return e
}

// withoutToken shortens a session token in a canonical request. AWS shows it whole; here errors hold no secrets, at the
// price that the text's hash is not the one in the string to sign.
func withoutToken(canonical, token string) string {
	if token == "" {
		return canonical
	}
	var encoded []byte
	for i := range len(token) {
		encoded = appendEscaped(encoded, token[i])
	}
	canonical = strings.ReplaceAll(canonical, token, trace.Shorten(token))
	return strings.ReplaceAll(canonical, string(encoded), trace.Shorten(token))
}

func (s *scratch) matches(q *subject, k *signingKey, signature string) bool {
	s.canonical(q)
	k.sign(s)
	return len(signature) == len(s.hex) && equal(s.hex[:], signature)
}

// equal compares in constant time without copying the string.
func equal(want []byte, got string) bool {
	var diff byte
	for i := range want {
		diff |= want[i] ^ got[i]
	}
	return subtle.ConstantTimeByteEq(diff, 0) == 1
}

func (v *Verifier) fail(cause Cause, c *claim, want scope, text string) *Error {
	a := answerFor(v.opt.Dialect, cause)
	e := &Error{Cause: cause, Type: a.code, Status: a.status, Message: text, Signature: c.signature}
	if cred, ok := parseCredential(c.credential); ok {
		e.AccessKeyID = cred.key
	}
	if v.opt.Dialect == S3 {
		s3Text(e, c, want)
	}
	return e
}
