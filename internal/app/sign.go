package app

import (
	"regexp"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

// serviceHosts tell by its host which service a request is signed for, and for which region.
var serviceHosts = []struct {
	form    *regexp.Regexp
	service string
}{
	{regexp.MustCompile(`\.execute-api\.([a-z0-9-]+)\.amazonaws\.com`), "execute-api"},
	{regexp.MustCompile(`\.lambda-url\.([a-z0-9-]+)\.on\.aws$`), "lambda"},
	{regexp.MustCompile(`(?:^|\.)s3[.-]([a-z0-9-]+)\.amazonaws\.com`), "s3"},
	{regexp.MustCompile(`(?:^|\.)s3\.amazonaws\.com`), "s3"},
}

// sign signs a request as a client with these credentials would: for execute-api, unless the host says otherwise.
func (n *Node) sign(r *message.Request, credentials string, body []byte) error {
	p := strings.SplitN(credentials, ":", 3)
	if len(p) < 2 || p[0] == "" || p[1] == "" {
		return usage("--sign wants KEYID:SECRET or KEYID:SECRET:TOKEN")
	}
	s := &sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: p[0], Secret: p[1]}, Service: "execute-api", Region: n.opts.Region}
	if len(p) == 3 {
		s.Credentials.SessionToken = p[2]
	}
	for _, h := range serviceHosts {
		if m := h.form.FindStringSubmatch(r.Host); m != nil {
			s.Service = h.service
			if len(m) > 1 {
				s.Region = m[1]
			}
			break
		}
	}
	for _, f := range r.Header { // SDKs sign Host, the date, X-Amz-* and Content-Type
		name := strings.ToLower(f.Name)
		if !strings.HasPrefix(name, "x-amz-") && name != "content-type" {
			s.SkipHeaders = append(s.SkipHeaders, name)
		}
	}
	return s.Sign(r, sigv4.HashPayload(body))
}
