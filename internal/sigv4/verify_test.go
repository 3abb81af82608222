package sigv4

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

const apiHost = "abc123.execute-api.us-east-1.amazonaws.com"

func apiVerifier(d Dialect) *Verifier {
	return NewVerifier(Options{Service: "execute-api", Region: "us-east-1", Dialect: d, Now: func() time.Time { return suiteTime },
		Lookup: func(id string) (Key, bool) {
			switch id {
			case suiteKey:
				return Key{Secret: suiteSecret}, true
			case "ASIASESSION":
				return Key{Secret: suiteSecret, SessionToken: "the-token-of-the-session", Expires: suiteTime.Add(time.Hour)}, true
			case "ASIAEXPIRED":
				return Key{Secret: suiteSecret, SessionToken: "the-token-of-the-session", Expires: suiteTime}, true
			}
			return Key{}, false
		}})
}

func apiRequest(auth string, fields ...string) *message.Request {
	r := get("/prod/pets")
	r.Host = apiHost
	if auth != "" {
		r.Header.Add("Authorization", auth)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

// TestTexts has the table of facts apigateway 3 and the order of facts sigv4-iam 2.
func TestTexts(t *testing.T) {
	const date = "20150830T123600Z"
	cred := func(scope, rest string) string { return "AWS4-HMAC-SHA256 Credential=" + scope + ", " + rest }
	good := suiteKey + "/20150830/us-east-1/execute-api/aws4_request"
	const rest = "SignedHeaders=host;x-amz-date, Signature=00"
	for _, c := range []struct {
		name, auth, date string
		typ, message     string
	}{
		{"nothing", "", "", "MissingAuthenticationTokenException", "Missing Authentication Token"},
		// The Base64 was computed apart, with openssl: printf 'Bearer x' | openssl dgst -sha256 -binary | base64.
		{"bearer", "Bearer x", "", "IncompleteSignatureException", "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'BEARERX'."},
		{"key=value", "x-api-key=abc", "", "IncompleteSignatureException", "Authorization header must begin with the algorithm name, which cannot include an equal-sign (hashed with SHA-256 and encoded with Base64): 'APIKEY'."},
		{"basic with padding", "Basic YTpiYw==", "", "IncompleteSignatureException", "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=BASIC"},
		{"algorithm alone", "AWS4-HMAC-SHA256", date, "IncompleteSignatureException", "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=ALG"},
		{"other algorithm, all parts", "Xeni-API Credential=key/date/xeni/xeni, SignedHeaders=content-type;host, Signature=x", date, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"date", cred(good, rest), "201", "IncompleteSignatureException", "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"old", cred("x", rest), "20150830T123059Z", "InvalidSignatureException", "Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
		{"future", cred("x", rest), "20150830T124101Z", "InvalidSignatureException", "Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"},
		{"host", cred("x", "SignedHeaders=x-amz-date, Signature=00"), date, "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"algorithm", strings.Replace(cred("x", rest), "SHA256", "SHA25", 1), date, "IncompleteSignatureException", "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). "},
		{"credential", cred("a/b/c/d", rest), date, "IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'"},
		{"scope", cred("a/b/c/d/e", rest), date, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'c'. Credential should be scoped to correct service: 'execute-api'. Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20150830', from '20150830T123600Z'."},
		{"region", cred(suiteKey+"/20150830/eu-west-1/execute-api/aws4_request", rest), date, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'. "},
		{"key", cred("AKIAWHO/20150830/us-east-1/execute-api/aws4_request", rest), date, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"session without token", cred("ASIASESSION/20150830/us-east-1/execute-api/aws4_request", rest), date, "UnrecognizedClientException", "The security token included in the request is invalid."},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := apiRequest(c.auth)
			if c.date != "" {
				r.Header.Add("X-Amz-Date", c.date)
			}
			_, e := apiVerifier(ExecuteAPI).Verify(Input{Request: r})
			if e == nil {
				t.Fatal("accepted")
			}
			want := c.message
			for mark, header := range map[string]string{"BEARERX": bearerHash, "APIKEY": apiKeyHash, "BASIC": basicHash, "ALG": algHash} {
				want = strings.ReplaceAll(want, mark, header)
			}
			if early := apiVerifier(ExecuteAPI).Precheck(Input{Request: r}); early == nil || early.Type != e.Type || early.Message != e.Message {
				t.Errorf("without the body: %v", early)
			}
			if e.Type != c.typ || e.Status != 403 || e.Message != want {
				t.Errorf("got %s %d\n%q\nwant %s\n%q", e.Type, e.Status, e.Message, c.typ, want)
			}
		})
	}
}

func TestMismatchText(t *testing.T) {
	r := apiRequest("AWS4-HMAC-SHA256 Credential="+suiteKey+"/20150830/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64),
		"X-Amz-Date", "20150830T123600Z")
	_, e := apiVerifier(ExecuteAPI).Verify(Input{Request: r})
	want := "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'GET\n/prod/pets\n\nhost:" + apiHost + "\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n" + EmptyHash + "'\n\nThe String-to-Sign should have been\n'" + e.StringToSign + "'\n"
	if e.Cause != Mismatch || e.Message != want || !strings.HasPrefix(e.StringToSign, "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/execute-api/aws4_request\n") {
		t.Errorf("%q", e.Message)
	}
	for _, d := range []Dialect{JSON, Query, S3} {
		v := apiVerifier(d)
		r.Header.Set("x-amz-content-sha256", EmptyHash)
		if d == S3 {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "host;", "host;x-amz-content-sha256;", 1))
		}
		_, e := v.Verify(Input{Request: r})
		want := map[Dialect]string{JSON: "InvalidSignatureException", Query: "SignatureDoesNotMatch", S3: "SignatureDoesNotMatch"}[d]
		if e == nil || e.Type != want || e.Cause != Mismatch {
			t.Errorf("dialect %d: %v", d, e)
		}
	}
}

func signer(key, token string) *Signer {
	return &Signer{Credentials: Credentials{key, suiteSecret, token}, Region: "us-east-1", Service: "execute-api", Now: func() time.Time { return suiteTime }}
}

func TestSessionTokens(t *testing.T) {
	for _, c := range []struct {
		key, token, want string
	}{
		{"ASIASESSION", "the-token-of-the-session", ""},
		{"ASIASESSION", "another-token-altogether", "The security token included in the request is invalid"},
		{"ASIAEXPIRED", "the-token-of-the-session", "The security token included in the request is expired"},
		{suiteKey, "a-token-for-a-lasting-key", "The security token included in the request is invalid"},
	} {
		r := apiRequest("")
		if err := signer(c.key, c.token).Sign(r, EmptyHash); err != nil {
			t.Fatal(err)
		}
		_, e := apiVerifier(ExecuteAPI).Verify(Input{Request: r})
		got := ""
		if e != nil {
			got = e.Message
		}
		if got != c.want {
			t.Errorf("%s with %s: %q, want %q", c.key, c.token, got, c.want)
		}
		r.Path = "/changed"
		if _, e := apiVerifier(ExecuteAPI).Verify(Input{Request: r}); e == nil || strings.Contains(fmt.Sprintf("%+v", e), c.token) || strings.Contains(e.Message, suiteSecret) {
			t.Errorf("the error shows the token: %+v", e)
		}
	}
}

func TestPresigned(t *testing.T) {
	make := func(service string, life time.Duration) *message.Request {
		r := apiRequest("")
		r.Query, r.HasQuery = "b=2&a=1+1", true
		s := signer("ASIASESSION", "the-token-of-the-session")
		s.Service = service
		hash := EmptyHash
		if service == "s3" {
			hash = UnsignedPayload
		}
		if err := s.Presign(r, life, hash); err != nil {
			t.Fatal(err)
		}
		return r
	}
	at := func(d Dialect, service string, after time.Duration) *Verifier {
		v := apiVerifier(d)
		v.opt.Service = service
		v.opt.Now = func() time.Time { return suiteTime.Add(after) }
		return v
	}
	r := make("execute-api", time.Minute)
	res, e := at(ExecuteAPI, "execute-api", 59*time.Second).Verify(Input{Request: r})
	if e != nil || !res.Presigned || res.SessionToken != "the-token-of-the-session" {
		t.Errorf("%+v %v", res, e)
	}
	if _, e := at(ExecuteAPI, "execute-api", 61*time.Second).Verify(Input{Request: r}); e == nil || e.Cause != Expired {
		t.Errorf("after its time: %v", e)
	}
	s := make("s3", time.Hour)
	if res, e := at(S3, "s3", 59*time.Minute).Verify(Input{Request: s}); e != nil || res.PayloadHash != UnsignedPayload {
		t.Errorf("s3: %v", e)
	}
	if _, e := at(S3, "s3", 61*time.Minute).Verify(Input{Request: s}); e == nil || e.Type != "AccessDenied" || e.Message != "Request has expired" {
		t.Errorf("s3 after its time: %v", e)
	}
	s.Query = strings.Replace(s.Query, "a=1", "a=2", 1)
	if _, e := at(S3, "s3", 0).Verify(Input{Request: s}); e == nil || e.Cause != Mismatch {
		t.Errorf("changed query: %v", e)
	}
	r.Query = strings.Replace(r.Query, "X-Amz-Signature", "X-Amz-Signatur", 1)
	if _, e := at(ExecuteAPI, "execute-api", 0).Verify(Input{Request: r}); e == nil || e.Message != "AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters." {
		t.Errorf("without signature: %v", e)
	}
}

func TestSentHost(t *testing.T) {
	r := apiRequest("")
	r.Host = apiHost + ".localhost:4566"
	if err := signer(suiteKey, "").Sign(r, EmptyHash); err != nil {
		t.Fatal(err)
	}
	sent := r.Host
	r.Host = apiHost
	if _, e := apiVerifier(ExecuteAPI).Verify(Input{Request: r}); e == nil {
		t.Error("another host was accepted")
	}
	if res, e := apiVerifier(ExecuteAPI).Verify(Input{Request: r, SentHost: sent}); e != nil || res.Host != sent {
		t.Errorf("%v %v", res.Host, e)
	}
}

func TestS3Rules(t *testing.T) {
	v := NewVerifier(Options{Service: "s3", Region: "us-east-1", Dialect: S3, Now: func() time.Time { return suiteTime },
		Lookup: func(string) (Key, bool) { return Key{Secret: suiteSecret}, true }})
	s := signer(suiteKey, "")
	s.Service = "s3"
	r := get("/a//b/../c%20d~%7E")
	r.Host = "b.s3.amazonaws.com"
	if err := s.Sign(r, HashPayload([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if res, e := v.Verify(Input{Request: r}); e != nil || res.PayloadHash != HashPayload([]byte("x")) {
		t.Fatalf("%v", e)
	}
	if c := CanonicalRequest(r, "s3", "host", EmptyHash); !strings.HasPrefix(c, "GET\n/a//b/../c%20d~~\n") {
		t.Errorf("canonical %q", c)
	}
	if c := CanonicalRequest(r, "execute-api", "host", EmptyHash); !strings.HasPrefix(c, "GET\n/a/c%2520d~%257E\n") {
		t.Errorf("canonical %q", c)
	}
	r.Header.Add("x-amz-meta-a", "1")
	if _, e := v.Verify(Input{Request: r}); e == nil || e.Cause != HeadersNotSigned || e.Headers != "x-amz-meta-a" {
		t.Errorf("unsigned header: %v", e)
	}
	r.Header.Del("x-amz-meta-a")
	if _, e := v.Verify(Input{Request: r, Region: "eu-west-1"}); e == nil || e.Type != "AuthorizationHeaderMalformed" || e.Status != 400 || e.Region != "eu-west-1" ||
		e.Message != "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'" {
		t.Errorf("region: %+v", e)
	}
	r.Header.Del("x-amz-content-sha256")
	if _, e := v.Verify(Input{Request: r}); e == nil || e.Message != "Missing required header for this request: x-amz-content-sha256" {
		t.Errorf("hash: %v", e)
	}
}

// signRaw signs a query as it stands, as botocore does.
func signRaw(query string) *message.Request {
	r := apiRequest("", "X-Amz-Date", "20150830T123600Z")
	r.Query = query
	q := subjectOf(r, "host;x-amz-date", EmptyHash)
	q.date, q.scope, q.rawQuery = "20150830T123600Z", "20150830/us-east-1/execute-api/aws4_request", true
	s := &scratch{}
	s.canonical(&q)
	newSigningKey(keyID{suiteSecret, "20150830", "us-east-1", "execute-api"}).sign(s)
	r.Header.Add("Authorization", "AWS4-HMAC-SHA256 Credential="+suiteKey+"/"+q.scope+", SignedHeaders=host;x-amz-date, Signature="+string(s.hex[:]))
	return r
}

func TestDiagnose(t *testing.T) {
	v := apiVerifier(ExecuteAPI)
	sign := func(host, path, query, body string, fields ...string) *message.Request {
		r := apiRequest("", fields...)
		r.Method, r.Host, r.Path, r.Query = "POST", host, path, query
		s := signer(suiteKey, "")
		if err := s.Sign(r, HashPayload([]byte(body))); err != nil {
			t.Fatal(err)
		}
		return r
	}
	const dist = "d111111abcdef8.cloudfront.net"
	for _, c := range []struct {
		name   string
		signed *message.Request
		change func(*message.Request)
		viewer bool
		hosts  []string
		want   string // part names
	}{
		{"distribution's host", sign(dist, "/prod/pets", "", ""), func(r *message.Request) { r.Host = apiHost }, false, []string{"www.example.com", dist}, "host"},
		{"host from the viewer", sign("www.example.com", "/prod/pets", "", ""), func(r *message.Request) { r.Host = apiHost }, true, nil, "host"},
		{"stage added", sign(apiHost, "/pets", "", ""), func(r *message.Request) { r.Path = "/prod/pets" }, false, nil, "path"},
		{"host and stage", sign(dist, "/pets", "", ""), func(r *message.Request) { r.Host, r.Path = apiHost, "/prod/pets" }, false, []string{dist}, "host path"},
		{"query dropped", sign(apiHost, "/prod/pets", "a=1", ""), func(r *message.Request) { r.Query = "" }, true, nil, "query"},
		{"body", sign(apiHost, "/prod/pets", "", `{"a":1}`), nil, false, nil, "payload"},
		{"header dropped", sign(apiHost, "/prod/pets", "", "", "Accept-Encoding", "gzip, br, zstd"), func(r *message.Request) { r.Header.Set("Accept-Encoding", "br,gzip") }, true, nil, "header"},
		{"method", sign(apiHost, "/prod/pets", "", ""), func(r *message.Request) { r.Method = "GET" }, true, nil, "method"},
		{"everything", sign(dist, "/pets", "a=1", "", "X-Custom", "1", "Accept-Encoding", "gzip"), func(r *message.Request) {
			r.Host, r.Path, r.Query = apiHost, "/prod/pets", ""
			r.Header.Del("X-Custom")
			r.Header.Del("Accept-Encoding")
		}, true, nil, "header header host path query"},
		{"single encoding", func() *message.Request {
			r := sign(apiHost, "/prod/a%20b", "", "")
			r.Header.Del("Authorization")
			q := subjectOf(r, "host;x-amz-date", EmptyHash)
			q.date, q.scope, q.s3 = "20150830T123600Z", "20150830/us-east-1/execute-api/aws4_request", true
			s := &scratch{}
			s.canonical(&q)
			newSigningKey(keyID{suiteSecret, "20150830", "us-east-1", "execute-api"}).sign(s)
			r.Header.Add("Authorization", "AWS4-HMAC-SHA256 Credential="+suiteKey+"/20150830/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature="+string(s.hex[:]))
			return r
		}(), nil, false, nil, "path"},
		{"plus sign in the query", signRaw("a=1+1"), nil, false, nil, "query"},
		{"other secret", func() *message.Request {
			r := apiRequest("")
			s := signer(suiteKey, "")
			s.Credentials.Secret = "another"
			s.Sign(r, EmptyHash)
			return r
		}(), nil, true, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			arrived := c.signed.Clone()
			if c.change != nil {
				c.change(arrived)
			}
			cand := Candidates{Hosts: c.hosts, PayloadHashes: []string{HashPayload([]byte(`{"a":1}`))}}
			if c.viewer {
				cand.Viewer = c.signed
			}
			d, ok := v.Diagnose(Input{Request: arrived}, cand)
			if !ok {
				t.Fatal("no mismatch")
			}
			var parts []string
			for _, ch := range d.Changes {
				parts = append(parts, string(ch.Part))
				if ch.Why == "" {
					t.Errorf("no reason for %+v", ch)
				}
			}
			// The order of changes is not part of the promise.
			got := strings.Join(sorted(parts), " ")
			if d.Found != (c.want != "") || got != c.want {
				t.Errorf("%+v, want %q", d, c.want)
			}
			if d.Found && d.Host != c.signed.Host {
				t.Errorf("host %q, want %q", d.Host, c.signed.Host)
			}
		})
	}
	if _, ok := v.Diagnose(Input{Request: sign(apiHost, "/prod/pets", "", "")}, Candidates{}); ok {
		t.Error("a right signature was diagnosed")
	}
}

func TestKeyCacheIsBounded(t *testing.T) {
	var c keyCache
	for i := range 5 * keyCacheSize {
		c.get(keyID{"s", fmt.Sprint(i), "r", "x"})
	}
	if c.len() > 2*keyCacheSize {
		t.Errorf("%d keys", c.len())
	}
	if a, b := c.get(keyID{secret: "1"}), c.get(keyID{secret: "1"}); a != b {
		t.Error("a key was made twice")
	}
}

func TestVerifyAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector empties pools")
	}
	v := apiVerifier(ExecuteAPI)
	r := apiRequest("", "Content-Type", "application/json", "User-Agent", "x")
	r.Query = "b=2&a=1%20"
	if err := signer(suiteKey, "").Sign(r, EmptyHash); err != nil {
		t.Fatal(err)
	}
	in := Input{Request: r}
	if n := testing.AllocsPerRun(200, func() {
		if _, e := v.Verify(in); e != nil {
			t.Fatal(e)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	v := apiVerifier(ExecuteAPI)
	r := apiRequest("", "Content-Type", "application/json", "User-Agent", "x", "Accept", "*/*")
	r.Query = "limit=10&after=abc"
	if err := signer(suiteKey, "").Sign(r, EmptyHash); err != nil {
		b.Fatal(err)
	}
	in := Input{Request: r}
	b.ReportAllocs()
	for b.Loop() {
		if _, e := v.Verify(in); e != nil {
			b.Fatal(e)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "Bearer x", "a=b", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00",
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/execute-api/aws4_request,SignedHeaders=host;;HOST;x,Signature=", "AWS4-HMAC-SHA256 ,,=,", "Basic YTpiYw=="} {
		f.Add(s, "a=%zz&&=+", "/..//%2")
	}
	v := apiVerifier(ExecuteAPI)
	s3 := apiVerifier(S3)
	f.Fuzz(func(t *testing.T, auth, query, path string) {
		r := apiRequest(auth, "X-Amz-Date", "20150830T123600Z", "x-amz-content-sha256", EmptyHash)
		r.Query, r.Path = query, path
		for _, v := range []*Verifier{v, s3} {
			if _, e := v.Verify(Input{Request: r}); e == nil {
				t.Fatalf("accepted %q", auth)
			} else if e.Message == "" || e.Type == "" || e.Status < 400 || strings.Contains(e.Message, suiteSecret) {
				t.Fatalf("%+v", e)
			}
			v.Diagnose(Input{Request: r}, Candidates{})
		}
		CanonicalRequest(r, "execute-api", "host;x-amz-date", EmptyHash)
	})
}

// chunked writes a body as an SDK does (S3 API reference, sigv4-streaming).
func chunked(res Result, signed bool, trailer string, parts ...string) string {
	var b strings.Builder
	c := &ChunkReader{seed: res.seed, prev: res.seed.signature}
	sig := func(kind, rest string) string {
		s := &scratch{}
		s.sts = fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s", kind, c.seed.date, c.seed.scope, c.prev, rest)
		c.seed.key.sign(s)
		c.prev = string(s.hex[:])
		return c.prev
	}
	for _, p := range append(parts, "") {
		fmt.Fprintf(&b, "%x", len(p))
		if signed {
			b.WriteString(";chunk-signature=" + sig("AWS4-HMAC-SHA256-PAYLOAD", EmptyHash+"\n"+HashPayload([]byte(p))))
		}
		b.WriteString("\r\n")
		if p != "" {
			b.WriteString(p + "\r\n")
		}
	}
	if trailer != "" {
		b.WriteString(trailer + "\r\n")
		if signed {
			b.WriteString("x-amz-trailer-signature:" + sig("AWS4-HMAC-SHA256-TRAILER", HashPayload([]byte(trailer+"\n"))) + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

func TestChunkReader(t *testing.T) {
	res := Result{seed: seed{newSigningKey(keyID{suiteSecret, "20150830", "us-east-1", "s3"}), "20150830T123600Z", "20150830/us-east-1/s3/aws4_request", strings.Repeat("a", 64)}}
	big := strings.Repeat("0123456789", 7000)
	for _, kind := range []string{StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer} {
		res.PayloadHash = kind
		trailer := "x-amz-checksum-crc32:AAAAAA=="
		if kind == StreamingSigned {
			trailer = ""
		}
		body := chunked(res, kind != StreamingUnsignedTrailer, trailer, "hello ", big)
		read := func(body string) (string, *ChunkReader, error) {
			c, ok := NewChunkReader(res, strings.NewReader(body))
			if !ok {
				t.Fatal(kind)
			}
			b, err := io.ReadAll(c)
			return string(b), c, err
		}
		got, c, err := read(body)
		if err != nil || got != "hello "+big {
			t.Fatalf("%s: %d bytes, %v", kind, len(got), err)
		}
		if trailer != "" && c.Trailer().Get("x-amz-checksum-crc32") != "AAAAAA==" {
			t.Errorf("%s: trailer %v", kind, c.Trailer())
		}
		for _, cut := range []int{0, 1, 20, len(body) / 2, len(body) - 5} {
			if _, _, err := read(body[:cut]); err == nil {
				t.Errorf("%s: cut at %d was accepted", kind, cut)
			}
		}
		if kind == StreamingUnsignedTrailer {
			continue
		}
		for _, at := range []int{0, 25, strings.Index(body, "hello"), len(body) - 10} {
			bad := []byte(body)
			bad[at] ^= 1
			if _, _, err := read(string(bad)); err == nil {
				t.Errorf("%s: change at %d was accepted", kind, at)
			}
		}
	}
	res.PayloadHash = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
	if _, ok := NewChunkReader(res, nil); ok {
		t.Error("ECDSA was accepted")
	}
}

func FuzzChunkReader(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n"))
	f.Add([]byte("ffffffffffffffff\r\n"))
	f.Add([]byte("0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _ := NewChunkReader(Result{PayloadHash: StreamingUnsignedTrailer}, strings.NewReader(string(data)))
		if b, _ := io.ReadAll(c); len(b) > len(data) {
			t.Fatal("more came out than went in")
		}
	})
}
