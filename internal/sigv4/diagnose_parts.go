package sigv4

import (
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// pathAlternatives are the usual ways in which a signed path differs: an origin path or a stage that one side does not
// know of, the encoding rules of S3 used for another service or the reverse, a slash at the end.
func pathAlternatives(q *subject, c Candidates) []alternative {
	var alts []alternative
	seen := []string{q.path}
	add := func(p, why string) {
		if p == "" || slices.Contains(seen, p) {
			return
		}
		seen = append(seen, p)
		alts = append(alts, alternative{Change{PartPath, "", p, q.path, why}, func(s *subject) { s.path = p },
			c.Viewer != nil && p == c.Viewer.Path})
	}
	if c.Viewer != nil {
		add(c.Viewer.Path, "the path changed on the way: an origin path or a stage was added or taken away")
	}
	for _, p := range c.Paths {
		add(p, "the path changed on the way: an origin path or a stage was added or taken away")
	}
	if _, rest, ok := strings.Cut(strings.TrimPrefix(q.path, "/"), "/"); ok {
		add("/"+rest, "the client signed the path without its first segment, such as the stage")
	} else {
		add("/", "the client signed the path without its first segment, such as the stage")
	}
	if strings.HasSuffix(q.path, "/") {
		add(strings.TrimRight(q.path, "/"), "the client signed the path without the slash at its end")
	} else {
		add(q.path+"/", "the client signed the path with a slash at its end")
	}
	rules, why := !q.s3, "the client encoded the path once, as for S3; this service wants it encoded twice"
	if q.s3 {
		why = "the client normalised the path and encoded it twice; S3 wants it as it is, encoded once"
	}
	return append(alts, alternative{Change{PartPath, "", q.path, q.path, why}, func(s *subject) { s.s3 = rules }, false})
}

func queryAlternatives(q *subject, c Candidates) []alternative {
	var alts []alternative
	add := func(query, why string) {
		alts = append(alts, alternative{Change{PartQuery, "", shortQuery(query), shortQuery(q.query), why},
			func(s *subject) { s.query = query }, c.Viewer != nil && query == c.Viewer.Query})
	}
	if c.Viewer != nil && c.Viewer.Query != q.query {
		add(c.Viewer.Query, "the query changed on the way: a policy dropped or rewrote parameters")
	}
	if q.query != "" && !q.presigned {
		add("", "the client signed no query")
	}
	if strings.ContainsAny(q.query, "+%") {
		alts = append(alts, alternative{Change{PartQuery, "", shortQuery(q.query), shortQuery(q.query),
			"the client signed the query in its own encoding; AWS decodes it and encodes it again, with %20 for a plus sign"},
			func(s *subject) { s.rawQuery = true }, false})
	}
	if strings.Contains(q.query, "+") {
		add(strings.ReplaceAll(q.query, "+", "%2B"), "the client signed a plus sign in the query where the server reads a space; it must be sent as %2B")
	}
	return alts
}

// shortQuery hides the values of a query that carries a signature or a token.
func shortQuery(q string) string {
	parts := strings.Split(q, "&")
	for i, p := range parts {
		if name, value, ok := strings.Cut(p, "="); ok && (name == "X-Amz-Signature" || name == "X-Amz-Security-Token") {
			parts[i] = name + "=" + trace.Shorten(value)
		}
	}
	return strings.Join(parts, "&")
}

func payloadAlternatives(q *subject, c Candidates) []alternative {
	var alts []alternative
	seen := []string{q.payload}
	add := func(h, why string) {
		if h == "" || slices.Contains(seen, h) {
			return
		}
		seen = append(seen, h)
		alts = append(alts, alternative{Change{PartPayload, "", h, q.payload, why}, func(s *subject) { s.payload = h }, false})
	}
	if h := q.header.Get("X-Amz-Content-Sha256"); h != UnsignedPayload {
		add(h, "the body that arrived is not the one whose hash the client sent in x-amz-content-sha256")
	}
	for _, h := range c.PayloadHashes {
		add(h, "the body changed on the way")
	}
	add(EmptyHash, "the client signed an empty body")
	add(UnsignedPayload, "the client signed UNSIGNED-PAYLOAD, which this service does not take")
	return alts
}

// headerWhy explains the headers that proxies are known to change.
func headerWhy(name string, present bool) string {
	switch name {
	case "user-agent":
		return "CloudFront replaces User-Agent unless a policy forwards it; it should not be signed"
	case "accept-encoding":
		return "CloudFront normalises Accept-Encoding; it should not be signed"
	}
	if !present {
		return "the signed header did not arrive: no policy forwards it"
	}
	return "the header's value changed on the way"
}

func headerAlternatives(q *subject, viewer *message.Request) []alternative {
	var alts []alternative
	for _, n := range splitNames(nil, q.signed) {
		signed, arrived := viewer.Header.Values(n), q.header.Values(n)
		if n == "host" || slices.Equal(signed, arrived) {
			continue
		}
		ch := Change{PartHeader, n, trace.Redact(n, strings.Join(signed, ",")), trace.Redact(n, strings.Join(arrived, ",")),
			headerWhy(n, len(arrived) > 0)}
		alts = append(alts, alternative{ch, func(s *subject) {
			h := s.header.Clone()
			h.Del(n)
			for _, v := range signed {
				h.Add(n, v)
			}
			s.header = h
		}, true})
	}
	return alts
}
