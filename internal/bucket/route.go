package bucket

import (
	"slices"
	"strings"
)

// hostName is what the Host header says.
type hostName struct {
	bucket, region string
	pathStyle      bool
	website        bool
}

// parseHost reads the names of S3's endpoints (S3 user guide, VirtualHosting and WebsiteEndpoints). Any other name is
// taken for a bucket's, which is what S3 does with a domain of one's own: so a distribution that forwards the viewer's
// Host gets NoSuchBucket.
func parseHost(host string) hostName {
	host = hostOnly(host)
	base, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		if base, ok = strings.CutSuffix(host, ".amazonaws.com.cn"); !ok {
			return hostName{bucket: host}
		}
	}
	labels := strings.Split(base, ".")
	// The endpoint's own labels stand at the end: a bucket's name may hold dots, and may not look like them.
	for _, n := range []int{3, 2, 1} {
		if len(labels) < n {
			continue
		}
		h, ok := endpoint(labels[len(labels)-n:])
		if !ok {
			continue
		}
		h.bucket = strings.Join(labels[:len(labels)-n], ".")
		h.pathStyle = h.bucket == "" && !h.website
		return h
	}
	return hostName{bucket: host}
}

// hostOnly takes port and final dot off, and writes in lower case.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// endpoint reads the labels between the bucket and amazonaws.com.
func endpoint(l []string) (hostName, bool) {
	first := l[0]
	switch len(l) {
	case 1:
		if first == "s3" {
			return hostName{}, true
		}
		if r, ok := strings.CutPrefix(first, "s3-website-"); ok {
			return hostName{region: r, website: true}, true
		}
		if r, ok := strings.CutPrefix(first, "s3-"); ok && isRegion(r) {
			return hostName{region: r}, true
		}
	case 2:
		if (first == "s3" || first == "s3-fips") && isRegion(l[1]) {
			return hostName{region: l[1]}, true
		}
		if first == "s3-website" && isRegion(l[1]) {
			return hostName{region: l[1], website: true}, true
		}
	case 3:
		if (first == "s3" || first == "s3-fips") && l[1] == "dualstack" && isRegion(l[2]) {
			return hostName{region: l[2]}, true
		}
	}
	return hostName{}, false
}

// isRegion tells whether s looks like us-east-1 or us-gov-west-1.
func isRegion(s string) bool {
	p := strings.Split(s, "-")
	if len(p) < 3 || len(p) > 4 || len(p[0]) != 2 {
		return false
	}
	n := p[len(p)-1]
	return len(n) == 1 && n[0] >= '1' && n[0] <= '9'
}

// pathKey returns the decoded path without its first slash. A percent sign that begins no escape is itself.
func pathKey(path string) string { return decode(strings.TrimPrefix(path, "/"), "") }

// decode undoes percent encoding; the characters in spaces stand for a space.
func decode(s, spaces string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+2 < len(s) && hexValue(s[i+1]) >= 0 && hexValue(s[i+2]) >= 0:
			b = append(b, byte(hexValue(s[i+1])<<4|hexValue(s[i+2])))
			i += 2
		case strings.IndexByte(spaces, s[i]) >= 0:
			b = append(b, ' ')
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// hexValue returns the value of a hexadecimal digit, or -1.
func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// params are query parameters in order.
type params []param

type param struct{ name, value string }

func parseParams(query string) params {
	var p params
	for query != "" {
		part, rest, _ := strings.Cut(query, "&")
		query = rest
		if part == "" {
			continue
		}
		n, v, _ := strings.Cut(part, "=")
		p = append(p, param{decode(n, "+"), decode(v, "+")})
	}
	return p
}

func (p params) lookup(name string) (string, bool) {
	for i := range p {
		if p[i].name == name {
			return p[i].value, true
		}
	}
	return "", false
}

func (p params) get(name string) string { v, _ := p.lookup(name); return v }

// subresources are the parameters that make another operation of a request (the S3 model's operations).
var subresources = []string{"accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "location", "logging", "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "partNumber",
	"policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "session", "tagging",
	"torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website"}

// subresource returns the parameter that makes the request something else than getting, listing, putting or deleting.
func (p params) subresource() string {
	for i := range p {
		if slices.Contains(subresources, p[i].name) && !(p[i].name == "versionId" && p[i].value == "null") {
			return p[i].name
		}
	}
	return ""
}
