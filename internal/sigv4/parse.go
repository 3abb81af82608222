package sigv4

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// claim is a signature as a request states it, from the header or the query.
type claim struct {
	algorithm, credential, signed, signature string
	date                                     string // as it came
	token                                    string
	hasDate, presigned                       bool
	expires                                  string
	header                                   string // the Authorization value, for texts
}

// parseAuthorization takes an Authorization value apart. The cause is 0 when there is nothing to complain about yet;
// missing parts are for the caller to see. bad is the part that has no equal sign.
func parseAuthorization(h string) (c claim, cause Cause, bad string) {
	c.header = h
	alg, rest, found := strings.Cut(strings.TrimSpace(h), " ")
	if strings.Contains(alg, "=") {
		return c, NoAlgorithm, ""
	}
	c.algorithm = alg
	if !found {
		return c, 0, ""
	}
	for rest != "" {
		part, tail, _ := strings.Cut(rest, ",")
		rest = tail
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return c, NotKeyValue, part
		}
		switch name {
		case "Credential":
			c.credential = value
		case "SignedHeaders":
			c.signed = value
		case "Signature":
			c.signature = value
		}
	}
	return c, 0, ""
}

// credential is the scope that a signature names.
type credential struct{ key, date, region, service, term string }

// parseCredential wants exactly five parts; trailing slashes are ignored (facts: sigv4-iam 2, step 7). The key may not
// hold a slash.
func parseCredential(s string) (credential, bool) {
	s = strings.TrimRight(s, "/")
	var p [5]string
	for i := range p {
		part, rest, more := strings.Cut(s, "/")
		if part == "" || more != (i < 4) {
			return credential{}, false
		}
		p[i], s = part, rest
	}
	return credential{p[0], p[1], p[2], p[3], p[4]}, true
}

// scope returns the credential without the key.
func (c credential) scope(whole string) string {
	return strings.TrimRight(whole[len(c.key)+1:], "/")
}

// queryClaim finds a presigned signature in a raw query.
func queryClaim(query string) (c claim, found bool) {
	for query != "" {
		part, rest, _ := strings.Cut(query, "&")
		query = rest
		if !strings.HasPrefix(part, "X-Amz-") {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "X-Amz-Algorithm":
			found = true
			c.algorithm = unescapeAll(value)
		case "X-Amz-Credential":
			c.credential = unescapeAll(value)
		case "X-Amz-SignedHeaders":
			c.signed = unescapeAll(value)
		case "X-Amz-Signature":
			c.signature = unescapeAll(value)
		case "X-Amz-Date":
			c.date, c.hasDate = unescapeAll(value), true
		case "X-Amz-Expires":
			c.expires = unescapeAll(value)
		case "X-Amz-Security-Token":
			c.token = unescapeAll(value)
		}
	}
	c.presigned = true
	return c, found
}

// HasSignature tells whether r carries a SigV4 signature, right or wrong, in its header or its query. Services that also
// answer anonymous callers ask it first.
func HasSignature(r *message.Request) bool {
	if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
		return true
	}
	_, found := queryClaim(r.Query)
	return found
}

func unescapeAll(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c, n := unescape(s, i)
		if s[i] == '+' {
			c = ' '
		}
		i += n - 1
		b = append(b, c)
	}
	return string(b)
}

// headerDate finds the date that goes with an Authorization header: X-Amz-Date, else Date (facts: sigv4-iam 1).
func (c *claim) headerDate(h message.Header) {
	if c.date, c.hasDate = h.Lookup("X-Amz-Date"); !c.hasDate {
		c.date, c.hasDate = h.Lookup("Date")
	}
}

// parseDate reads the basic format of ISO 8601, or HTTP's as a Date header has it, and returns the basic format too.
func parseDate(s string) (t time.Time, basic string, ok bool) {
	if t, err := time.Parse(dateFormat, s); err == nil {
		return t, s, true
	}
	if t, err := http.ParseTime(s); err == nil {
		t = t.UTC()
		return t, t.Format(dateFormat), true
	}
	return time.Time{}, "", false
}

// maxExpires is the longest life of a presigned URL: a week (facts: sigv4-iam 1).
const maxExpires = 604800

func parseExpires(s string) (time.Duration, bool) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxExpires {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}
