package edge

import (
	"slices"
	"strings"
	"time"
)

// Forward is what a behavior puts into the cache key and sends to the origin. It is made by CombinePolicies or
// LegacyForward and never changed.
type Forward struct {
	// Legacy is true for ForwardedValues: headers that no table names are forwarded then (facts: cloudfront-dataplane 5).
	Legacy bool
	// NoCache is true for the legacy header "*", which turns caching off (facts: cloudfront-policies 7).
	NoCache bool
	// Gzip and Brotli switch on the normalising of Accept-Encoding (facts: cloudfront-policies 6).
	Gzip, Brotli bool
	// KeyHeaders are lower case and sorted; KeyCookies and KeyQuery are what else is in the cache key.
	KeyHeaders           []string
	KeyCookies, KeyQuery Selector
	// Headers, Cookies and Query are what goes to the origin: the key's and the origin request policy's together.
	Headers, Cookies, Query Selector
	// CloudFront are the CloudFront-* headers to add, with AWS's spelling, sorted.
	CloudFront []string
	// named are those of CloudFront that a policy lists: the others come with a managed policy.
	named []string
	// keyed stands at the end of each cache key: what the key is made of, as fingerprint gives it.
	keyed [8]byte
	// DropS3Response is true for the managed policies that do not forward response-content-* to S3 origins.
	DropS3Response bool
}

// Selector tells which names are chosen. The zero Selector chooses none.
type Selector struct {
	mode     Mode // None, Whitelist, AllExcept or All
	names    []string
	wild     []Pattern // names with * or ?
	foldCase bool
}

// Mode returns None, Whitelist, AllExcept or All.
func (s *Selector) Mode() Mode {
	if s.mode == "" {
		return None
	}
	return s.mode
}

// Names returns the names that a Whitelist chooses or AllExcept leaves out; header names are in lower case.
func (s *Selector) Names() []string { return s.names }

// Has tells whether name is chosen. It does not allocate.
func (s *Selector) Has(name string) bool {
	switch s.mode {
	case All:
		return true
	case Whitelist:
		return s.lists(name)
	case AllExcept:
		return !s.lists(name)
	}
	return false
}

func (s *Selector) lists(name string) bool {
	for _, n := range s.names {
		if n == name || s.foldCase && strings.EqualFold(n, name) {
			return true
		}
	}
	for i := range s.wild {
		if s.wild[i].Match(name) {
			return true
		}
	}
	return false
}

// newSelector normalises a policy's part. With ForwardedValues "*" names all headers or cookies, and cookie names may hold wildcards
// (DG-downloaddistvaluescachebehavior); in policies a star is a letter like others (DG-cache-key-understand-cache-policy; for origin
// request policies, of which the manual says nothing, that is our reading).
func newSelector(sel Selection, kind selectorKind) Selector {
	s := Selector{mode: sel.Mode, foldCase: kind == headerNames || kind == legacyHeaders}
	switch sel.Mode {
	case "", None, All:
		return s
	case AllViewer:
		s.mode = All
		return s
	case AllViewerAndWhitelistCloudFront:
		s.mode = All
		return s
	}
	for _, n := range sel.Names {
		if s.foldCase {
			n = strings.ToLower(n)
		}
		if n == "*" && (kind == legacyHeaders || kind == legacyCookies) {
			return Selector{mode: All, foldCase: s.foldCase}
		}
		s.names = append(s.names, n)
	}
	return s.tidy(kind)
}

type selectorKind uint8

const (
	headerNames selectorKind = iota
	cookieNames
	queryNames
	legacyHeaders
	legacyCookies
)

func (s Selector) tidy(kind selectorKind) Selector {
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
	s.wild = nil
	if kind == legacyCookies {
		for _, n := range s.names {
			if strings.ContainsAny(n, "*?") {
				s.wild = append(s.wild, compilePattern(n))
			}
		}
	}
	return s
}

// union joins what the cache key names with what the origin request policy adds (facts: cloudfront-policies 5).
func union(key, add Selector, kind selectorKind) Selector {
	out := Selector{foldCase: key.foldCase || add.foldCase}
	switch {
	case key.mode == All || add.mode == All:
		out.mode = All
	case key.mode == "" || key.mode == None:
		return add
	case add.mode == "" || add.mode == None:
		return key
	case key.mode == Whitelist && add.mode == Whitelist:
		out.mode, out.names = Whitelist, slices.Concat(key.names, add.names)
	case key.mode == AllExcept && add.mode == AllExcept:
		out.mode, out.names = AllExcept, slices.Concat(key.names, add.names)
	default:
		// An allow-list beats the other policy's block-list for the names that it has.
		allow, block := key, add
		if key.mode == AllExcept {
			allow, block = add, key
		}
		out.mode = AllExcept
		for _, n := range block.names {
			if !allow.lists(n) {
				out.names = append(out.names, n)
			}
		}
	}
	return out.tidy(kind)
}

// CombinePolicies joins a cache policy and an origin request policy, which may be nil.
func CombinePolicies(c *CachePolicy, o *OriginRequestPolicy) (*Forward, TTLs) {
	if o == nil {
		o = &OriginRequestPolicy{}
	}
	key := newSelector(c.Headers, headerNames)
	f := &Forward{
		Gzip: c.Gzip, Brotli: c.Brotli,
		KeyHeaders: key.names,
		KeyCookies: newSelector(c.Cookies, cookieNames),
		KeyQuery:   newSelector(c.QueryStrings, queryNames),
	}
	f.Headers = union(key, newSelector(o.Headers, headerNames), headerNames)
	f.Cookies = union(f.KeyCookies, newSelector(o.Cookies, cookieNames), cookieNames)
	f.Query = union(f.KeyQuery, newSelector(o.QueryStrings, queryNames), queryNames)
	added := c.Headers.Names
	if o.Headers.Mode == Whitelist || o.Headers.Mode == AllViewerAndWhitelistCloudFront {
		added = slices.Concat(added, o.Headers.Names)
	}
	f.CloudFront = cloudFrontNames(added)
	f.named = f.CloudFront
	if o.ID == allViewerExceptHostID {
		// "This policy also includes additional CloudFront request headers for HTTP protocol, HTTP version, TLS version, and all device
		// type and viewer location headers" (DG-using-managed-origin-request-policies).
		f.CloudFront = cloudFrontNames(slices.Concat(added, cloudFrontHeaders2022()))
	}
	switch o.ID {
	case allViewerID, allViewerExceptHostID, allViewerCloudFrontID, mediaTailorManifestsID:
		f.DropS3Response = true
	}
	f.keyed = f.fingerprint()
	return f, TTLs{seconds(c.MinTTL), seconds(c.DefaultTTL), seconds(c.MaxTTL)}
}

// LegacyForward compiles ForwardedValues. compress is the behavior's Compress, which is what normalises Accept-Encoding
// without a cache policy, for gzip only (facts: cloudfront-dataplane 5, 6).
func LegacyForward(v *ForwardedValues, compress bool) *Forward {
	key := newSelector(Selection{Whitelist, v.Headers}, legacyHeaders)
	f := &Forward{
		Legacy: true, Gzip: compress, Headers: key,
		KeyCookies: newSelector(v.Cookies, legacyCookies), Cookies: newSelector(v.Cookies, legacyCookies),
		CloudFront: cloudFrontNames(v.Headers),
	}
	f.named = f.CloudFront
	if key.mode == All {
		f.NoCache = true
	} else {
		f.KeyHeaders = key.names
	}
	if v.QueryString {
		f.Query = Selector{mode: All}
		f.KeyQuery = f.Query
		if len(v.QueryStringCacheKeys) > 0 {
			f.KeyQuery = newSelector(Selection{Whitelist, v.QueryStringCacheKeys}, queryNames)
		}
	}
	f.keyed = f.fingerprint()
	return f
}

func seconds(n int64) time.Duration {
	const most = int64(100 * year) // facts: cloudfront-policies 7
	return time.Duration(min(max(n, 0), most)) * time.Second
}

// cloudFrontNames picks the CloudFront-* names and gives them AWS's spelling.
func cloudFrontNames(names []string) []string {
	var out []string
	for _, n := range names {
		if len(n) < 11 || !strings.EqualFold(n[:11], "CloudFront-") {
			continue
		}
		for _, known := range cloudFrontSpelling {
			if strings.EqualFold(known, n) {
				n = known
			}
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Asked returns the CloudFront-* headers that the policies list by name. Those that the managed policy AllViewerExceptHostHeader
// brings along are not among them: it is used for other reasons, so nobody misses what of them is not known.
func (f *Forward) Asked() []string { return f.named }

// ForwardsHost tells whether the viewer's Host reaches the origin instead of the origin's own name.
func (f *Forward) ForwardsHost() bool { return f.Headers.Has("host") }
