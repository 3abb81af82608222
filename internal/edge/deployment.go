package edge

import (
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Deployment is the continuous deployment policy of a primary distribution: a part of its requests go to a staging distribution,
// which has a cache of its own (understanding-continuous-deployment).
type Deployment struct {
	PolicyID string
	// Staging is nil when there is none; a disabled one gets no requests.
	Staging *Plan
	// Header and Value choose requests; without a Header it is Weight, from 0 to 0.15.
	Header, Value string
	Weight        float64
	// Idle and Longest bound a session; without Idle there are no sessions. Epoch changes when all sessions end.
	Idle, Longest time.Duration
	Epoch         string
}

// sessionCookie keeps a viewer on one distribution. Its name and its content are ours: AWS does not publish them.
const sessionCookie = "aws-cf-cd-session"

// deploy decides which distribution answers. The request goes on in it as if the viewer had asked for it.
func (x *exchange) deploy(d *Deployment) {
	staging, why := false, "the continuous deployment policy "+d.PolicyID+" leaves the request here"
	switch {
	case d.Staging == nil || !d.Staging.Enabled:
		why = "the staging distribution is disabled"
	case d.Header != "":
		v, ok := x.viewer.Header.Lookup(d.Header)
		staging = ok && v == d.Value
	case d.Idle > 0:
		staging = x.session(d)
	default:
		staging = x.sampled(d.Weight * 100)
	}
	if !staging {
		if x.hop != nil {
			x.hop.Step("accept", "primary", why)
		}
		return
	}
	x.primary, x.plan = x.plan, d.Staging
	if x.hop != nil {
		x.hop.Step("accept", "staging", "the continuous deployment policy "+d.PolicyID+" sends the request to the staging distribution "+d.Staging.ID)
		for _, u := range x.plan.Unsupported {
			x.hop.Fact(trace.Unsupported, u.Name, u.Detail, u.SourcePath)
		}
	}
}

// session keeps a viewer where its session began, and begins one for others.
func (x *exchange) session(d *Deployment) (staging bool) {
	old, ok := cookieOf(x.viewer.Header, sessionCookie)
	s, valid := parseSession(old)
	if !ok || !valid || s.epoch != d.Epoch || x.now.Sub(s.last) > d.Idle || x.now.Sub(s.began) > d.Longest {
		s = session{staging: x.sampled(d.Weight * 100), began: x.now, epoch: d.Epoch}
	}
	s.last = x.now
	x.cookie = sessionCookie + "=" + s.String() + "; Path=/; Max-Age=" + strconv.Itoa(int(d.Idle/time.Second)) + "; HttpOnly"
	if ok {
		x.req.Header = withoutCookie(x.req.Header, sessionCookie)
	}
	return s.staging
}

// session is the content of the cookie.
type session struct {
	staging     bool
	began, last time.Time
	epoch       string
}

// String writes s-BEGAN-LAST-EPOCH, or p for the primary; times are seconds, in base 36.
func (s session) String() string {
	kind := "p"
	if s.staging {
		kind = "s"
	}
	return kind + "-" + strconv.FormatInt(s.began.Unix(), 36) + "-" + strconv.FormatInt(s.last.Unix(), 36) + "-" + s.epoch
}

func parseSession(text string) (s session, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 4 || parts[0] != "s" && parts[0] != "p" {
		return s, false
	}
	began, err := strconv.ParseInt(parts[1], 36, 64)
	last, err2 := strconv.ParseInt(parts[2], 36, 64)
	if err != nil || err2 != nil || began < 0 || last < began {
		return s, false
	}
	return session{parts[0] == "s", time.Unix(began, 0), time.Unix(last, 0), parts[3]}, true
}

// cookieOf returns the first cookie of a name.
func cookieOf(h message.Header, name string) (string, bool) {
	for i := range h {
		if !message.SameName(h[i].Name, "Cookie") {
			continue
		}
		for pair := range strings.SplitSeq(h[i].Value, ";") {
			if n, v, ok := strings.Cut(strings.Trim(pair, " \t"), "="); ok && n == name {
				return v, true
			}
		}
	}
	return "", false
}

// withoutCookie returns h without a cookie; h itself stays as it is.
func withoutCookie(h message.Header, name string) message.Header {
	out := make(message.Header, 0, len(h))
	for _, f := range h {
		if message.SameName(f.Name, "Cookie") {
			var kept []string
			for pair := range strings.SplitSeq(f.Value, ";") {
				pair = strings.Trim(pair, " \t")
				if n, _, _ := strings.Cut(pair, "="); n != name && pair != "" {
					kept = append(kept, pair)
				}
			}
			if f.Value = strings.Join(kept, "; "); f.Value == "" {
				continue
			}
		}
		out = append(out, f)
	}
	return out
}
