package front

import (
	"net/netip"
	"strings"
)

// localhostSuffix is what people append to a real name to reach it here without touching DNS: resolvers send names under
// it to loopback (rfc6761 6.3).
const localhostSuffix = ".localhost"

// SplitPort parts an authority into host and port. Brackets of an IPv6 address are taken off. The port is "" when there
// is none; what is no valid authority comes back whole as host, where no lookup finds it.
func SplitPort(authority string) (host, port string) {
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return authority, ""
		}
		rest := authority[end+1:]
		if rest == "" {
			return authority[1:end], ""
		}
		if rest[0] == ':' && digits(rest[1:]) {
			return authority[1:end], rest[1:]
		}
		return authority, ""
	}
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.IndexByte(authority, ':') != colon || !digits(authority[colon+1:]) {
		return authority, "" // no port, or a bare IPv6 address
	}
	return authority[:colon], authority[colon+1:]
}

// digits tells whether s can be a port. The empty one can (rfc3986 3.2.3).
func digits(s string) bool {
	if len(s) > 5 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Canonical returns the name in an authority as lookups want it: lower case, without port and without the root's dot. It
// allocates only when there are capitals.
func Canonical(authority string) string {
	host, _ := SplitPort(authority)
	return lower(strings.TrimSuffix(host, "."))
}

// lower is strings.ToLower for ASCII: names in DNS have no other letters, and bytes beyond are left as they are.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// stripLocalhost takes the suffix .localhost off a canonical name.
func stripLocalhost(name string) (string, bool) {
	if bare, ok := strings.CutSuffix(name, localhostSuffix); ok && bare != "" {
		return bare, true
	}
	return name, false
}

// validName tells whether name, canonical, can be a host in a Snapshot: labels of 1 to 63 letters, digits, hyphens and
// underscores. Underscores are no host names, but buckets and DNS records have them.
func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// isAddress tells whether name is an IP address.
func isAddress(name string) bool {
	if name == "" || (name[0] > '9' && strings.IndexByte(name, ':') < 0) {
		return false
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// isAPIEndpoint tells whether name has the form of an endpoint of AWS's API: SERVICE.amazonaws.com or
// SERVICE.REGION.amazonaws.com, also under amazonaws.com.cn and api.aws. Names that AWS gives to customers' things
// (ID.execute-api.REGION…, BUCKET.s3…, NAME.elb…, ec2-….compute-1…) have another form, and are no endpoints.
// (Source: the endpoints table of botocore, data/endpoints.json and partitions.json.)
func isAPIEndpoint(name string) bool {
	for _, suffix := range [...]string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"} {
		rest, ok := strings.CutSuffix(name, suffix)
		if !ok || rest == "" {
			continue
		}
		service, region, two := strings.Cut(rest, ".")
		if !two {
			return true
		}
		if after, dual := strings.CutPrefix(region, "dualstack."); dual && service == "s3" {
			region = after
		}
		return service != "" && isRegion(region)
	}
	return false
}

// isRegion tells whether s has the form of a region's name: us-east-1, us-gov-west-1, ap-southeast-2.
func isRegion(s string) bool {
	dash := strings.LastIndexByte(s, '-')
	if dash < 4 || len(s)-dash < 2 || len(s)-dash > 3 || !digits(s[dash+1:]) || s[2] != '-' {
		return false
	}
	for i := range dash {
		if c := s[i]; (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return true
}

// Covers tells whether one of a certificate's names is valid for host: a wildcard stands for exactly one label
// (facts: cloudfront-dataplane 1; rfc6125 6.4.3). Names and host are canonical.
func Covers(names []string, host string) bool {
	for _, n := range names {
		if n == host {
			return true
		}
		if suffix, ok := strings.CutPrefix(n, "*"); ok && strings.HasPrefix(suffix, ".") {
			if dot := strings.IndexByte(host, '.'); dot > 0 && host[dot:] == suffix {
				return true
			}
		}
	}
	return false
}

// LocalURL returns an address that a browser and curl can open as it stands: host under .localhost, with the port of
// listen.
func LocalURL(scheme, host, listen string) string {
	_, port := SplitPort(listen)
	return scheme + "://" + withLocalhost(host, port, scheme)
}

// withLocalhost is the inverse of what happens to a Host that comes in.
func withLocalhost(host, port, scheme string) string {
	if port == "" || port == defaultPort(scheme) {
		return host + localhostSuffix
	}
	return host + localhostSuffix + ":" + port
}

// defaultPort is the port that a scheme's addresses leave out.
func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}
