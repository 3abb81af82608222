package sigv4

import (
	"github.com/foregate/foregate/internal/message"
)

// Candidates are what a client may have signed instead of what arrived. All are optional.
type Candidates struct {
	// Viewer is the request as the viewer sent it, before anything on the way changed it. Its host, path, query, method
	// and each of its headers are tried.
	Viewer *message.Request
	// Hosts are names that the client may have used: a distribution's domain, an alias, the API's own.
	Hosts []string
	// Paths are raw paths that the client may have signed.
	Paths []string
	// PayloadHashes are hashes of bodies that the client may have signed.
	PayloadHashes []string
}

// Part names a part of a request that a signature covers.
type Part string

// The parts that a diagnosis names.
const (
	PartHost    Part = "host"
	PartPath    Part = "path"
	PartQuery   Part = "query"
	PartMethod  Part = "method"
	PartHeader  Part = "header"
	PartPayload Part = "payload"
)

// Change is one difference between what the client signed and what arrived.
type Change struct {
	Part Part
	// Name is the header's, for PartHeader.
	Name string
	// Signed is what the client signed, Arrived what arrived. Header values that are secrets are shortened.
	Signed, Arrived string
	// Why says in words how such a difference comes about.
	Why string
}

// Diagnosis explains a mismatch. With Found false nothing that was tried made the signature right: the secret is another
// one, or a change is not among the candidates.
type Diagnosis struct {
	Found   bool
	Changes []Change
	// Host is the host that the client signed for when Found.
	Host string
}

// alternative is one other value of one part.
type alternative struct {
	Change
	apply func(*subject)
	// viewer is true when this is how the viewer sent the part.
	viewer bool
}

// Diagnose finds out what a client signed, by computing the signature with other hosts, paths, queries, headers and
// payloads: each alone, then a host with each of the others, then everything as the viewer sent it. It is meant for
// explanations, not for live traffic: it computes up to a few thousand signatures. It returns false when in does not fail
// with Mismatch.
func (v *Verifier) Diagnose(in Input, c Candidates) (Diagnosis, bool) {
	cl, err := v.claim(in.Request)
	if err != nil {
		return Diagnosis{}, false
	}
	want := v.scope(&in)
	_, basic, ok := parseDate(cl.date)
	if !ok {
		return Diagnosis{}, false
	}
	cred, err := v.checkForm(&cl, want, basic)
	if err != nil {
		return Diagnosis{}, false
	}
	payload, err := v.payload(&in, &cl, want)
	if err != nil {
		return Diagnosis{}, false
	}
	key, known := v.opt.Lookup(cred.key)
	if !known {
		return Diagnosis{}, false
	}
	q := subjectOf(in.Request, cl.signed, payload)
	q.presigned, q.s3 = cl.presigned, usesS3Rules(want.service)
	q.date, q.scope = basic, cred.scope(cl.credential)
	d := diagnoser{base: q, signature: cl.signature, key: v.keys.get(keyID{key.Secret, cred.date, cred.region, cred.service}),
		s: scratches.Get().(*scratch)}
	defer scratches.Put(d.s)
	if d.try() {
		return Diagnosis{}, false
	}
	return d.search(hostAlternatives(&q, &in, c), otherAlternatives(&q, c)), true
}

type diagnoser struct {
	base      subject
	key       *signingKey
	signature string
	s         *scratch
}

// try tells whether the signature is right with some alternatives applied.
func (d *diagnoser) try(alts ...*alternative) bool {
	q := d.base
	for _, a := range alts {
		a.apply(&q)
	}
	return d.s.matches(&q, d.key, d.signature)
}

// maxPairs bounds the search.
const maxPairs = 4000

func (d *diagnoser) search(hosts, others []alternative) Diagnosis {
	all := append(append([]alternative(nil), hosts...), others...)
	for i := range all {
		if d.try(&all[i]) {
			return d.found(&all[i])
		}
	}
	tried := 0
	for i := range all {
		for j := i + 1; j < len(all) && tried < maxPairs; j++ {
			if all[i].Part == all[j].Part && all[i].Name == all[j].Name {
				continue
			}
			tried++
			if d.try(&all[i], &all[j]) {
				return d.found(&all[i], &all[j])
			}
		}
	}
	return d.viewerWhole(all)
}

// viewerWhole applies every change that the viewer's request has, by itself and with each other alternative, then takes
// away those that are not needed.
func (d *diagnoser) viewerWhole(all []alternative) Diagnosis {
	var whole []*alternative
	for i := range all {
		if all[i].viewer {
			whole = append(whole, &all[i])
		}
	}
	if d.try(whole...) {
		return d.smallest(whole)
	}
	for i := range all {
		if set := append([]*alternative{}, append(whole, &all[i])...); !all[i].viewer && d.try(set...) {
			return d.smallest(set)
		}
	}
	return Diagnosis{}
}

func (d *diagnoser) smallest(set []*alternative) Diagnosis {
	for i := 0; i < len(set); {
		rest := append(append([]*alternative(nil), set[:i]...), set[i+1:]...)
		if d.try(rest...) {
			set = rest
		} else {
			i++
		}
	}
	return d.found(set...)
}

func (d *diagnoser) found(alts ...*alternative) Diagnosis {
	r := Diagnosis{Found: true, Host: d.base.host}
	for _, a := range alts {
		r.Changes = append(r.Changes, a.Change)
		if a.Part == PartHost {
			r.Host = a.Signed
		}
	}
	return r
}

func hostAlternatives(q *subject, in *Input, c Candidates) []alternative {
	var alts []alternative
	seen := map[string]bool{q.host: true}
	add := func(h, why string) {
		if h == "" || seen[h] {
			return
		}
		seen[h] = true
		viewer := c.Viewer != nil && h == c.Viewer.Host
		alts = append(alts, alternative{Change{PartHost, "", h, q.host, why}, func(s *subject) { s.host = h }, viewer})
	}
	const forwarded = "the request was signed for one host and arrived with another"
	if c.Viewer != nil {
		add(c.Viewer.Host, forwarded)
	}
	for _, h := range c.Hosts {
		add(h, forwarded)
	}
	add(in.SentHost, forwarded)
	const port = "the client signed the host with its port"
	for _, a := range append([]alternative{{Change: Change{Signed: q.host}}}, alts...) {
		add(a.Signed+":443", port)
		add(a.Signed+":80", port)
	}
	return alts
}

func otherAlternatives(q *subject, c Candidates) []alternative {
	alts := pathAlternatives(q, c)
	alts = append(alts, queryAlternatives(q, c)...)
	alts = append(alts, payloadAlternatives(q, c)...)
	if c.Viewer == nil {
		return alts
	}
	if m := c.Viewer.Method; m != q.method {
		alts = append(alts, alternative{Change{PartMethod, "", m, q.method, "the method changed on the way"},
			func(s *subject) { s.method = m }, true})
	}
	return append(alts, headerAlternatives(q, c.Viewer)...)
}
