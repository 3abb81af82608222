package bucket

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

const (
	account = "123456789012"
	dist    = "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE"
)

var now = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func doc(t testing.TB, text string) *iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func policy(stmts ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(stmts, ",") + `]}`
}

const (
	publicRead = `{"Sid":"PublicRead","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*"}`
	publicList = `{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::site"}`
	oacRead    = `{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*","Condition":{"StringEquals":{"AWS:SourceArn":"` + dist + `"}}}`
	oaiRead    = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E74FTE3AEXAMPLE"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*"}`
)

func directory(t testing.TB) iam.Directory {
	all := iam.NamedPolicy{Name: "s3-all", Document: doc(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)}
	ids := map[string]*iam.Identity{
		"AKIAROOT": {AccessKeyID: "AKIAROOT", Secret: "s", Root: true, Principal: iam.RootPrincipal("aws", account)},
		"AKIAUSER": {AccessKeyID: "AKIAUSER", Secret: "s", Principal: iam.UserPrincipal("aws", account, "/", "u", "AIDA1"), Policies: []iam.NamedPolicy{all}},
		"AKIANONE": {AccessKeyID: "AKIANONE", Secret: "s", Principal: iam.UserPrincipal("aws", account, "/", "n", "AIDA2")},
	}
	return iam.DirectoryFunc(func(k string) (*iam.Identity, bool) { i, ok := ids[k]; return i, ok })
}

type site struct {
	*Service
	t   *testing.T
	mem *Memory
}

// newSite makes a bucket called site with a few objects.
func newSite(t *testing.T, change func(*Plan)) *site {
	t.Helper()
	clock := func() time.Time { return now }
	mem := NewMemory(clock)
	for k, v := range map[string]string{"index.html": "<h1>hi</h1>", "docs/index.html": "docs", "404.html": "not here", "a b+c.txt": "odd", "photos/2025/a.jpg": "a", "photos/2026/b.jpg": "b"} {
		if _, err := mem.Put(t.Context(), k, strings.NewReader(v), Attributes{ContentType: contentType(k)}); err != nil {
			t.Fatal(err)
		}
	}
	p := &Plan{Name: "site", Region: "us-east-1", Account: account, SourcePath: "Resources.Bucket", PolicyPath: "Resources.Policy", Objects: mem}
	if change != nil {
		change(p)
	}
	s := New(Options{Directory: directory(t), Now: clock, NewIDs: func() (string, string) { return "REQUEST", "HOST" }}, []*Plan{p})
	return &site{s, t, mem}
}

func withPolicy(t *testing.T, stmts ...string) func(*Plan) {
	return func(p *Plan) { p.Policy = doc(t, policy(stmts...)) }
}

func request(method, url string, fields ...string) *message.Request {
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	r := &message.Request{Method: method, Scheme: scheme, Host: host, Path: "/" + path, Client: netip.MustParseAddrPort("203.0.113.9:4711")}
	r.Path, r.Query, r.HasQuery = strings.Cut(r.Path, "?")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func signed(t *testing.T, r *message.Request, key, body string) *message.Request {
	t.Helper()
	if body != "" {
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	}
	s := &sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: key, Secret: "s"}, Region: "us-east-1", Service: "s3", Now: func() time.Time { return now }}
	if err := s.Sign(r, sigv4.HashPayload([]byte(body))); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *site) do(ctx context.Context, r *message.Request) (*message.Response, string) {
	s.t.Helper()
	resp := s.Serve(ctx, r)
	if resp.Body == nil {
		return resp, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.ContentLength != int64(len(b)) {
		s.t.Errorf("%s: Content-Length %d for %d bytes", r.URL(), resp.ContentLength, len(b))
	}
	return resp, string(b)
}

const base = "https://site.s3.amazonaws.com/"

// TestAccess is who gets what: the combinations of caller, policy and public access block.
func TestAccess(t *testing.T) {
	all := PublicAccessBlock{true, true, true, true}
	oac := WithServicePrincipal(t.Context(), ServiceCaller{"cloudfront.amazonaws.com", dist, account})
	other := WithServicePrincipal(t.Context(), ServiceCaller{"cloudfront.amazonaws.com", dist + "X", account})
	oai := WithOriginAccessIdentity(t.Context(), "E74FTE3AEXAMPLE", "canon")
	for _, c := range []struct {
		name   string
		stmts  []string
		block  PublicAccessBlock
		ctx    context.Context
		key    string // access key
		object string
		status int
		code   string
		cause  string
	}{
		{"anonymous, no policy", nil, all, t.Context(), "", "index.html", 403, "AccessDenied", CauseAnonymous},
		{"anonymous, public", []string{publicRead}, PublicAccessBlock{}, t.Context(), "", "index.html", 200, "", ""},
		{"anonymous, public but blocked", []string{publicRead}, all, t.Context(), "", "index.html", 403, "AccessDenied", CausePublicRestricted},
		{"anonymous, missing, no list", []string{publicRead}, PublicAccessBlock{}, t.Context(), "", "nope", 403, "AccessDenied", CauseMissingKeyNoList},
		{"anonymous, missing, list", []string{publicRead, publicList}, PublicAccessBlock{}, t.Context(), "", "nope", 404, "NoSuchKey", CauseMissingKey},
		{"OAC", []string{oacRead}, all, oac, "", "index.html", 200, "", ""},
		{"OAC, other distribution", []string{oacRead}, all, other, "", "index.html", 403, "AccessDenied", CauseOriginAccess},
		{"OAC, missing", []string{oacRead}, all, oac, "", "nope", 403, "AccessDenied", CauseMissingKeyNoList},
		{"OAC, none in policy", nil, all, oac, "", "index.html", 403, "AccessDenied", CauseOriginAccess},
		{"OAC taken away", []string{oacRead}, all, WithoutCaller(oac), "", "index.html", 403, "AccessDenied", CauseAnonymous},
		{"OAI", []string{oaiRead}, all, oai, "", "index.html", 200, "", ""},
		{"OAI by canonical user", []string{strings.Replace(oaiRead, `{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E74FTE3AEXAMPLE"}`, `{"CanonicalUser":"canon"}`, 1)}, all, oai, "", "index.html", 200, "", ""},
		{"OAI, for OAC only", []string{oacRead}, all, oai, "", "index.html", 403, "AccessDenied", CauseOriginAccess},
		{"root", nil, all, t.Context(), "AKIAROOT", "index.html", 200, "", ""},
		{"root, missing", nil, all, t.Context(), "AKIAROOT", "nope", 404, "NoSuchKey", CauseMissingKey},
		{"user", nil, all, t.Context(), "AKIAUSER", "a%20b%2Bc.txt", 200, "", ""},
		{"user without policies", nil, all, t.Context(), "AKIANONE", "index.html", 403, "AccessDenied", CauseNotAllowed},
		{"root, denied", []string{`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`}, all, t.Context(), "AKIAROOT", "index.html", 403, "AccessDenied", CausePolicyDenies},
		{"unknown key", nil, all, t.Context(), "AKIAWHO", "index.html", 403, "InvalidAccessKeyId", "unknown-key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, func(p *Plan) {
				p.PublicAccess = c.block
				if c.stmts != nil {
					withPolicy(t, c.stmts...)(p)
				}
			})
			r := request("GET", base+c.object)
			if c.key != "" {
				signed(t, r, c.key, "")
			}
			r.Trace = &trace.Trace{}
			resp, body := s.do(c.ctx, r)
			if resp.Status != c.status || !strings.Contains(body, "<Code>"+c.code) && c.code != "" {
				t.Fatalf("%d %s, want %d %s\n%+v", resp.Status, body, c.status, c.code, r.Trace.Hops()[0])
			}
			hop := r.Trace.Hops()[0]
			if hop.Component != "s3" || hop.ID != "site" || len(hop.Steps) == 0 {
				t.Errorf("hop %+v", hop)
			}
			cause := ""
			for _, f := range hop.Facts {
				if f.Kind == trace.Refused {
					cause = f.Detail
				}
			}
			if cause != c.cause {
				t.Errorf("cause %q, want %q", cause, c.cause)
			}
		})
	}
}

// TestErrorForm is the document and the headers of an error as S3 writes them (S3 API reference, ErrorResponses).
func TestErrorForm(t *testing.T) {
	resp, body := newSite(t, nil).do(t.Context(), request("GET", base+"index.html"))
	want := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>REQUEST</RequestId><HostId>HOST</HostId></Error>"
	if body != want {
		t.Errorf("body\n got %s\nwant %s", body, want)
	}
	for n, v := range map[string]string{"Content-Type": "application/xml", "Server": "AmazonS3", "x-amz-request-id": "REQUEST", "x-amz-id-2": "HOST", "Date": "Wed, 01 Apr 2026 12:00:00 GMT"} {
		if resp.Header.Get(n) != v {
			t.Errorf("%s: %q, want %q", n, resp.Header.Get(n), v)
		}
	}
	_, body = newSite(t, nil).do(t.Context(), request("GET", "https://d111111abcdef8.cloudfront.net/index.html"))
	if !strings.Contains(body, "<Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><BucketName>d111111abcdef8.cloudfront.net</BucketName>") {
		t.Errorf("foreign host: %s", body)
	}
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]hostName{
		"site.s3.amazonaws.com":                        {bucket: "site"},
		"site.s3.us-east-1.amazonaws.com:443":          {bucket: "site", region: "us-east-1"},
		"site.s3-us-west-2.amazonaws.com":              {bucket: "site", region: "us-west-2"},
		"site.s3.dualstack.eu-west-1.amazonaws.com":    {bucket: "site", region: "eu-west-1"},
		"my.site.com.s3.us-gov-west-1.amazonaws.com":   {bucket: "my.site.com", region: "us-gov-west-1"},
		"s3.amazonaws.com":                             {pathStyle: true},
		"s3.us-east-1.amazonaws.com":                   {region: "us-east-1", pathStyle: true},
		"s3.cn-north-1.amazonaws.com.cn":               {region: "cn-north-1", pathStyle: true},
		"site.s3-website-us-east-1.amazonaws.com":      {bucket: "site", region: "us-east-1", website: true},
		"site.s3-website.eu-central-1.amazonaws.com":   {bucket: "site", region: "eu-central-1", website: true},
		"www.example.com":                              {bucket: "www.example.com"},
		"D111.CloudFront.net":                          {bucket: "d111.cloudfront.net"},
		"abc.execute-api.us-east-1.amazonaws.com":      {bucket: "abc.execute-api.us-east-1.amazonaws.com"},
		"s3.example.s3.us-east-1.amazonaws.com":        {bucket: "s3.example", region: "us-east-1"},
		"site.s3-fips.us-east-1.amazonaws.com":         {bucket: "site", region: "us-east-1"},
		"my-bucket-s3-data.s3.us-west-2.amazonaws.com": {bucket: "my-bucket-s3-data", region: "us-west-2"},
	} {
		if foreign := want == (hostName{bucket: hostOnly(host)}); IsHost(host) == foreign {
			t.Errorf("IsHost(%s) = %v", host, !foreign)
		}
		if got := parseHost(host); got != want {
			t.Errorf("%s: %+v, want %+v", host, got, want)
		}
	}
}

func TestOwnHosts(t *testing.T) {
	for _, region := range []string{"us-east-1", "eu-central-1", "cn-north-1"} {
		p := &Plan{Name: "my.site", Region: region, Website: &Website{}}
		for _, h := range p.Hosts() {
			if got := parseHost(h); got.bucket != p.Name || got.region != "" && got.region != region {
				t.Errorf("%s: %+v", h, got)
			}
		}
		for _, h := range EndpointHosts(region) {
			if got := parseHost(h); !got.pathStyle {
				t.Errorf("%s: %+v", h, got)
			}
		}
	}
	if h := WebsiteHost("b", "eu-central-1"); h != "b.s3-website.eu-central-1.amazonaws.com" {
		t.Error(h)
	}
}

func TestGet(t *testing.T) {
	s := newSite(t, withPolicy(t, publicRead))
	etag := `"dfe5d9e7c18a5a2cf0ee2a12bcfd4a41"`
	if i, err := s.mem.Head(t.Context(), "index.html"); err == nil {
		etag = i.ETag
	}
	const modified = "Wed, 01 Apr 2026 12:00:00 GMT"
	for _, c := range []struct {
		name   string
		r      *message.Request
		status int
		body   string // a part of it
		header string // name: value
	}{
		{"whole", request("GET", base+"index.html"), 200, "<h1>hi</h1>", "Content-Type: text/html"},
		{"path style", request("GET", "https://s3.us-east-1.amazonaws.com/site/index.html"), 200, "<h1>hi</h1>", "Accept-Ranges: bytes"},
		{"head", request("HEAD", base+"index.html"), 200, "", "Last-Modified: " + modified},
		{"range", request("GET", base+"index.html", "Range", "bytes=4-5"), 206, "hi", "Content-Range: bytes 4-5/11"},
		{"open range", request("GET", base+"index.html", "Range", "bytes=6-"), 206, "</h1>", "Content-Range: bytes 6-10/11"},
		{"suffix", request("GET", base+"index.html", "Range", "bytes=-5"), 206, "</h1>", "Content-Range: bytes 6-10/11"},
		{"long suffix", request("GET", base+"index.html", "Range", "bytes=-500"), 206, "<h1>hi</h1>", "Content-Range: bytes 0-10/11"},
		{"two ranges", request("GET", base+"index.html", "Range", "bytes=0-1,3-4"), 200, "<h1>hi</h1>", "Server: AmazonS3"},
		{"backward", request("GET", base+"index.html", "Range", "bytes=5-4"), 200, "<h1>hi</h1>", "Server: AmazonS3"},
		{"beyond", request("GET", base+"index.html", "Range", "bytes=11-"), 416, "<RangeRequested>bytes=11-</RangeRequested><ActualObjectSize>11</ActualObjectSize>", "Content-Range: bytes */11"},
		{"if-range old", request("GET", base+"index.html", "Range", "bytes=4-5", "If-Range", `"x"`), 200, "<h1>hi</h1>", "Server: AmazonS3"},
		{"if-range", request("GET", base+"index.html", "Range", "bytes=4-5", "If-Range", etag), 206, "hi", "Server: AmazonS3"},
		{"if-none-match", request("GET", base+"index.html", "If-None-Match", etag), 304, "", "ETag: " + etag},
		{"if-none-match other", request("GET", base+"index.html", "If-None-Match", `"x"`, "If-Modified-Since", modified), 200, "<h1>", "ETag: " + etag},
		{"if-modified-since", request("GET", base+"index.html", "If-Modified-Since", modified), 304, "", "ETag: " + etag},
		{"if-match", request("GET", base+"index.html", "If-Match", `"x"`), 412, "<Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold</Message><Condition>If-Match</Condition>", "Server: AmazonS3"},
		{"if-unmodified-since", request("GET", base+"index.html", "If-Unmodified-Since", "Wed, 01 Apr 2026 11:59:59 GMT"), 412, "If-Unmodified-Since", "Server: AmazonS3"},
		{"override, anonymous", request("GET", base+"index.html?response-content-type=text/plain"), 400, "InvalidRequest", "Server: AmazonS3"},
		{"override, signed", signed(t, request("GET", base+"index.html?response-content-type=text%2Fplain"), "AKIAUSER", ""), 200, "<h1>", "Content-Type: text/plain"},
		{"acl", request("GET", base+"index.html?acl"), 501, "NotImplemented", "Server: AmazonS3"},
		{"post", request("POST", base+"index.html"), 405, "MethodNotAllowed", "Server: AmazonS3"},
		{"bearer", request("GET", base+"index.html", "Authorization", "Bearer abcdefghijklmnopqrstuvwxyz"), 400, "<Code>InvalidArgument</Code><Message>Unsupported Authorization Type</Message>", "Server: AmazonS3"},
		{"wrong region", request("GET", "https://site.s3.eu-west-1.amazonaws.com/index.html"), 301, "PermanentRedirect", "x-amz-bucket-region: us-east-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := s.do(t.Context(), c.r)
			n, v, _ := strings.Cut(c.header, ": ")
			if resp.Status != c.status || !strings.Contains(body, c.body) || c.status < 300 && c.body != body && len(c.body) > 4 && c.r.Method == "GET" || resp.Header.Get(n) != v {
				t.Errorf("%d %q %v\nwant %d %q %s", resp.Status, body, resp.Header, c.status, c.body, c.header)
			}
			if strings.Contains(body, "abcdefghijklmnopqrstuvwxyz") {
				t.Error("the answer shows a credential")
			}
		})
	}
}

func TestList(t *testing.T) {
	s := newSite(t, nil)
	get := func(query string) string {
		_, body := s.do(t.Context(), signed(t, request("GET", base+"?"+query), "AKIAUSER", ""))
		return body
	}
	contains := func(body string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(body, p) {
				t.Errorf("%s\nlacks %s", body, p)
			}
		}
	}
	contains(get("list-type=2"), `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>site</Name><Prefix></Prefix><KeyCount>6</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>`,
		"<Key>404.html</Key><LastModified>2026-04-01T12:00:00.000Z</LastModified><ETag>&quot;", "<StorageClass>STANDARD</StorageClass>")
	contains(get("list-type=2&delimiter=%2F"), "<CommonPrefixes><Prefix>docs/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>photos/</Prefix></CommonPrefixes>", "<KeyCount>5</KeyCount>")
	contains(get("list-type=2&delimiter=%2F&prefix=photos%2F"), "<Prefix>photos/2025/</Prefix>", "<KeyCount>2</KeyCount>")
	contains(get("list-type=2&encoding-type=url&prefix=a"), "<Key>a+b%2Bc.txt</Key>", "<EncodingType>url</EncodingType>")
	contains(get("max-keys=2"), "<Marker></Marker>", "<IsTruncated>true</IsTruncated>")
	contains(get("max-keys=x"), "<Code>InvalidArgument</Code>")

	// Pages of one item must give everything once, in order.
	var got []string
	token := ""
	for range 10 {
		body := get("list-type=2&delimiter=%2F&max-keys=1" + token)
		for _, tag := range []string{"<Key>", "<CommonPrefixes><Prefix>"} {
			if _, rest, ok := strings.Cut(body, tag); ok {
				k, _, _ := strings.Cut(rest, "<")
				got = append(got, k)
			}
		}
		_, rest, ok := strings.Cut(body, "<NextContinuationToken>")
		if !ok {
			break
		}
		next, _, _ := strings.Cut(rest, "<")
		token = "&continuation-token=" + strings.ReplaceAll(next, "=", "%3D")
	}
	if want := "[404.html a b+c.txt docs/ index.html photos/]"; fmt.Sprint(got) != want {
		t.Errorf("pages gave %v, want %s", got, want)
	}
	if resp, _ := s.do(t.Context(), request("GET", base)); resp.Status != 403 {
		t.Errorf("anonymous list: %d", resp.Status)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	write := func(p, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "secret"), "secret")
	write(filepath.Join(dir, "a", "x.css"), "css")
	write(filepath.Join(dir, "a-b"), "ab")
	for name, to := range map[string]string{"out": filepath.Join(outside, "secret"), "outdir": outside, "in": "a-b", "up": "../../../../../../etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here")
		}
	}
	f, err := NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, key := range []string{"out", "outdir/secret", "up", "../secret", "a/../a-b", "/etc/passwd", "a//x.css", "a/", "a", "", ".", "..", "./a-b", "a/x.css/", "a\x00", `a\x.css`, "nope", "a-b/c", strings.Repeat("n", 5000)} {
		if _, err := f.Get(t.Context(), key); err != ErrNotFound {
			t.Errorf("Get(%q): %v", key, err)
		}
		if _, err := f.Put(t.Context(), key, strings.NewReader("x"), Attributes{}); err == nil && (strings.Contains(key, "out") || strings.Contains(key, "..")) && key != "out" {
			t.Errorf("Put(%q) was accepted", key)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(outside, "secret")); string(b) != "secret" {
		t.Fatalf("a file outside changed: %q", b)
	}
	os.Remove(filepath.Join(dir, "nope"))
	os.Remove(filepath.Join(dir, "out"))
	os.Remove(filepath.Join(dir, "up"))
	i, err := f.Head(t.Context(), "a/x.css")
	if err != nil || i.ContentType != "text/css" || i.ETag != `"c7a628cba22e28eb17b5f5c6ae2a266a"` || i.Size != 3 {
		t.Errorf("Head: %+v %v", i, err)
	}
	var keys []string
	for k, err := range f.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	if fmt.Sprint(keys) != "[a-b a/x.css in]" {
		t.Errorf("List: %v", keys)
	}
	if _, err := f.Put(t.Context(), "new/deep/x.bin", strings.NewReader("data"), Attributes{ContentType: "x/y", CacheControl: "no-store"}); err != nil {
		t.Fatal(err)
	}
	if i, err := f.Head(t.Context(), "new/deep/x.bin"); err != nil || i.ContentType != "x/y" || i.CacheControl != "no-store" || i.ETag != `"8d777f385d3dfec8815d20f7496026dc"` {
		t.Errorf("after Put: %+v %v", i, err)
	}
	if _, err := f.Put(t.Context(), "new/deep/x.bin", &failing{}, Attributes{}); err == nil {
		t.Error("a failing body was kept")
	}
	if err := f.Delete(t.Context(), "new/deep/x.bin"); err != nil {
		t.Error(err)
	}
	if ents, _ := os.ReadDir(filepath.Join(dir, "new", "deep")); len(ents) != 0 {
		t.Errorf("left behind: %v", ents)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
