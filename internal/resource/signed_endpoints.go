package resource

import "regexp"

// signedEndpoints are the names of origins that take Signature Version 4 from an origin access control, beside buckets
// (DG-private-content-restricting-access-to-lambda, -mediastore, -mediapackage).
var signedEndpoints = []struct {
	service string
	form    *regexp.Regexp
}{
	{"lambda", regexp.MustCompile(`^[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws$`)},
	{"mediastore", regexp.MustCompile(`^[a-z0-9-]+\.data\.mediastore\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)},
	{"mediapackagev2", regexp.MustCompile(`^[a-z0-9-]+\.egress\.[a-z0-9-]+\.mediapackagev2\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)},
}

// SignedEndpoint finds the service and region of an endpoint, in lower case, that takes signatures from an origin access control of
// the type with the service's name. Buckets are not among them.
func SignedEndpoint(domain string) (service, region string, ok bool) {
	for _, e := range signedEndpoints {
		if m := e.form.FindStringSubmatch(domain); m != nil {
			return e.service, m[1], true
		}
	}
	return "", "", false
}
