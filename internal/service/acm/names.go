package acm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/acm"
)

func fold(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// requestedNames returns the names of a request, the domain name first, each once.
func requestedNames(in *acm.RequestCertificateInput) ([]string, error) {
	domain := fold(deref(in.DomainName))
	if err := checkName("DomainName", domain); err != nil {
		return nil, err
	}
	if len(domain) > 64 { // a common name (ACM API reference, RequestCertificate)
		return nil, refuse(acm.ErrCodeInvalidParameterException, "DomainName", "The first domain name can be at most 64 characters long.") // text: ours
	}
	names := []string{domain}
	for i, n := range in.SubjectAlternativeNames {
		n = fold(n)
		if err := checkName(fmt.Sprintf("SubjectAlternativeNames[%d]", i), n); err != nil {
			return nil, err
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) > maxNames {
		return nil, refuse(acm.ErrCodeLimitExceededException, "SubjectAlternativeNames", fmt.Sprintf("Cannot exceed the maximum number of domain names (%d).", maxNames)) // text: ours
	}
	return names, nil
}

// checkName: letters, digits and hyphens, at least two labels, a star only as the whole first label (facts: sigv4-iam 6).
func checkName(path, name string) error {
	text := fmt.Sprintf("Domain name %s is not valid.", name) // text: ours, but for the pattern errors that the model gives
	bad := func(because string) error {
		return refuse(acm.ErrCodeInvalidParameterException, path, text, because)
	}
	rest := strings.TrimPrefix(name, "*.")
	labels := strings.Split(rest, ".")
	switch {
	case len(name) > 253:
		return bad("a name has at most 253 characters")
	case strings.Contains(rest, "*"):
		return bad("a star stands alone in the first label: *.example.com")
	case len(labels) < 2:
		return bad("a name has at least two labels")
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return bad(fmt.Sprintf("%q is no label of a name", l))
		}
		for i := range len(l) {
			if c := l[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
				return bad(fmt.Sprintf("%q has a character that no name has", l))
			}
		}
	}
	return nil
}
