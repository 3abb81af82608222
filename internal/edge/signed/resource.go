package signed

import "strings"

// address is a URL in the four sections within which wildcards match.
type address struct{ scheme, host, path, query string }

// matches tells whether a policy's Resource covers an address: * stands for any characters and ? for one, within a section. An
// unescaped ? may also be the one that begins the query string; the manual writes it so, and "\?" in patterns.
func matches(resource string, a address) bool {
	if resource == "*" {
		return true
	}
	scheme, rest, ok := strings.Cut(resource, "://")
	switch {
	case !ok && !strings.HasPrefix(resource, "*"):
		return false // a Resource begins with a protocol, or with * in the domain
	case !ok:
		scheme, rest = "*", resource
	}
	if !glob(strings.ToLower(scheme), a.scheme) {
		return false
	}
	host, path, hasPath := strings.Cut(rest, "/")
	if !hasPath {
		if i := strings.Index(host, `\?`); i >= 0 {
			host, path, hasPath = host[:i], host[i:], true
		}
	}
	if !glob(strings.ToLower(host), strings.ToLower(a.host)) {
		return false
	}
	if !hasPath {
		return strings.HasSuffix(host, "*") || a.path == "/" && a.query == ""
	}
	target := strings.TrimPrefix(a.path, "/")
	if i := strings.Index(path, `\?`); i >= 0 {
		return glob(path[:i], target) && glob(path[i+2:], a.query)
	}
	if glob(path, target) && (a.query == "" || strings.HasSuffix(path, "*")) {
		return true
	}
	for i, tries := 0, 0; i < len(path) && tries < maxSplits; i++ {
		if path[i] != '?' {
			continue
		}
		tries++
		if glob(path[:i], target) && glob(path[i+1:], a.query) {
			return true
		}
	}
	return false
}

// maxSplits bounds how many question marks of a pattern are tried as the beginning of the query string.
const maxSplits = 16

// glob matches * with any characters and ? with one.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
