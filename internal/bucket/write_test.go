package bucket

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

func TestPutAndDelete(t *testing.T) {
	s := newSite(t, nil)
	put := func(key, body string, fields ...string) (*message.Response, string) {
		r := request("PUT", base+"up%20load.txt", fields...)
		return s.do(t.Context(), signed(t, r, key, body))
	}
	resp, body := put("AKIAUSER", "hello", "Content-Type", "text/plain", "x-amz-meta-Who", "me", "x-amz-checksum-crc32", "NhCmhg==", "Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==")
	if resp.Status != 200 || resp.Header.Get("ETag") != `"5d41402abc4b2a76b9719d911017c592"` || resp.Header.Get("x-amz-checksum-crc32") != "NhCmhg==" {
		t.Fatalf("%d %s %v", resp.Status, body, resp.Header)
	}
	resp, body = s.do(t.Context(), signed(t, request("GET", base+"up%20load.txt"), "AKIAUSER", ""))
	if resp.Status != 200 || body != "hello" || resp.Header.Get("Content-Type") != "text/plain" || resp.Header.Get("x-amz-meta-who") != "me" {
		t.Errorf("%d %s %v", resp.Status, body, resp.Header)
	}
	for _, c := range []struct {
		name, key, code string
		status          int
		fields          []string
	}{
		{"exists", "AKIAUSER", "PreconditionFailed", 412, []string{"If-None-Match", "*"}},
		{"bad md5", "AKIAUSER", "BadDigest", 400, []string{"Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="}},
		{"no md5", "AKIAUSER", "InvalidDigest", 400, []string{"Content-MD5", "x"}},
		{"bad checksum", "AKIAUSER", "BadDigest", 400, []string{"x-amz-checksum-crc32", "AAAAAA=="}},
		{"acl", "AKIAUSER", "AccessControlListNotSupported", 400, []string{"x-amz-acl", "public-read"}},
		{"copy", "AKIAUSER", "NotImplemented", 501, []string{"x-amz-copy-source", "/a/b"}},
		{"kms", "AKIAUSER", "NotImplemented", 501, []string{"x-amz-server-side-encryption", "aws:kms"}},
		{"not allowed", "AKIANONE", "AccessDenied", 403, nil},
	} {
		resp, body := put(c.key, "other", c.fields...)
		if resp.Status != c.status || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %s", c.name, resp.Status, body)
		}
	}
	// A body that is not the signed one.
	r := signed(t, request("PUT", base+"up%20load.txt"), "AKIAUSER", "signed")
	r.Body = strings.NewReader("other!")
	if resp, body := s.do(t.Context(), r); resp.Status != 400 || !strings.Contains(body, "XAmzContentSHA256Mismatch") {
		t.Errorf("%d %s", resp.Status, body)
	}
	r = signed(t, request("PUT", base+"up%20load.txt"), "AKIAUSER", "signed")
	r.Body = strings.NewReader("short")
	if resp, body := s.do(t.Context(), r); resp.Status != 400 || !strings.Contains(body, "IncompleteBody") {
		t.Errorf("%d %s", resp.Status, body)
	}
	if resp, _ := s.do(t.Context(), request("PUT", base+"x")); resp.Status != 403 {
		t.Errorf("anonymous put: %d", resp.Status)
	}
	if i, err := s.mem.Head(t.Context(), "up load.txt"); err != nil || i.Size != 5 {
		t.Errorf("a refused put changed the object: %+v %v", i, err)
	}
	for range 2 {
		if resp, _ := s.do(t.Context(), signed(t, request("DELETE", base+"up%20load.txt"), "AKIAUSER", "")); resp.Status != 204 {
			t.Errorf("delete: %d", resp.Status)
		}
	}
	if _, err := s.mem.Head(t.Context(), "up load.txt"); !errors.Is(err, ErrNotFound) {
		t.Error("still there")
	}
}

// TestChunkedPut is what the SDKs send today: an unsigned chunked body with a checksum behind it.
func TestChunkedPut(t *testing.T) {
	s := newSite(t, nil)
	for sum, status := range map[string]int{"NhCmhg==": 200, "NhCmhA==": 400} {
		body := "3\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\n\r\n"
		r := request("PUT", base+"c", "Content-Encoding", "aws-chunked", "x-amz-decoded-content-length", "5", "x-amz-trailer", "x-amz-checksum-crc32")
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
		sg := &sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: "AKIAUSER", Secret: "s"}, Region: "us-east-1", Service: "s3", Now: s.opt.Now}
		if err := sg.Sign(r, sigv4.StreamingUnsignedTrailer); err != nil {
			t.Fatal(err)
		}
		resp, text := s.do(t.Context(), r)
		if resp.Status != status {
			t.Errorf("%s: %d %s", sum, resp.Status, text)
		}
	}
	if o, err := s.mem.Get(t.Context(), "c"); err != nil || o.Size != 5 || o.ContentEncoding != "" {
		t.Errorf("%+v %v", o, err)
	}
}

func website(w *Website, public ...string) func(*Plan) {
	return func(p *Plan) {
		p.Website = w
		if public != nil {
			d, err := iam.Parse([]byte(policy(public...)))
			if err != nil {
				panic(err)
			}
			p.Policy = d
		}
	}
}

// TestWebsite follows the S3 user guide: IndexDocumentSupport, CustomErrorDocSupport, how-to-page-redirect.
func TestWebsite(t *testing.T) {
	const web = "http://site.s3-website-us-east-1.amazonaws.com/"
	prefix, page := "documents/", "page.html"
	rules := []RoutingRule{
		{KeyPrefixEquals: "docs-old/", Redirect: Redirect{ReplaceKeyPrefix: &prefix}},
		{KeyPrefixEquals: "gone/", Redirect: Redirect{ReplaceKey: &page, Code: 302, Host: "example.org", Protocol: "https"}},
		{HTTPErrorCodeReturnedEquals: 404, KeyPrefixEquals: "lost/", Redirect: Redirect{Host: "archive.example.org"}},
	}
	index := &Website{IndexSuffix: "index.html", ErrorKey: "404.html", Rules: rules}
	for _, c := range []struct {
		name   string
		change func(*Plan)
		method string
		path   string
		status int
		body   string
		loc    string
	}{
		{"index", website(index, publicRead, publicList), "GET", "", 200, "<h1>hi</h1>", ""},
		{"folder", website(index, publicRead, publicList), "GET", "docs/", 200, "docs", ""},
		{"folder without slash", website(index, publicRead, publicList), "GET", "docs", 302, "", "/docs/"},
		{"folder without slash, no list", website(index, publicRead), "GET", "docs", 302, "", "/docs/"},
		{"missing", website(index, publicRead, publicList), "GET", "nope", 404, "not here", ""},
		{"missing, no list", website(index, publicRead), "GET", "nope", 403, "not here", ""},
		{"rule before", website(index, publicRead, publicList), "GET", "docs-old/a b", 301, "", "http://site.s3-website-us-east-1.amazonaws.com/documents/a%20b"},
		{"rule with page", website(index, publicRead, publicList), "GET", "gone/x", 302, "", "https://example.org/page.html"},
		{"rule on error", website(index, publicRead, publicList), "GET", "lost/x", 301, "", "http://archive.example.org/lost/x"},
		{"redirect all", website(&Website{RedirectAll: &RedirectAll{"example.com", "https"}}), "GET", "a?b=c", 301, "", "https://example.com/a?b=c"},
		{"private", website(&Website{IndexSuffix: "index.html"}), "GET", "", 403, "<li>Code: AccessDenied</li>\n<li>Message: Access Denied</li>\n<li>RequestId: REQUEST</li>\n<li>HostId: HOST</li>\n</ul>\n<hr/>", ""},
		{"private with error page", website(index), "GET", "", 403, "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n<li>Code: AccessDenied</li>", ""},
		{"no error page", website(&Website{IndexSuffix: "index.html", ErrorKey: "error.html"}, publicRead, publicList), "GET", "<x>", 404,
			"<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n<li>Key: &lt;x&gt;</li>\n<li>RequestId: REQUEST</li>\n<li>HostId: HOST</li>\n</ul>\n<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n<li>Key: error.html</li>\n</ul>\n<hr/>\n</body>\n</html>\n", ""},
		{"post", website(index, publicRead), "POST", "", 405, "MethodNotAllowed", ""},
		{"no website", nil, "GET", "", 404, "NoSuchWebsiteConfiguration", ""},
		{"head", website(index, publicRead, publicList), "HEAD", "nope", 404, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.change)
			r := request(c.method, web+c.path)
			r.Trace = &trace.Trace{}
			resp, body := s.do(t.Context(), r)
			if resp.Status != c.status || !strings.Contains(body, c.body) || resp.Header.Get("Location") != c.loc {
				t.Errorf("%d %q %q\nwant %d %q %q", resp.Status, body, resp.Header.Get("Location"), c.status, c.body, c.loc)
			}
			if resp.Status >= 400 && resp.Header.Get("x-amz-error-code") == "" {
				t.Errorf("no x-amz-error-code in %v", resp.Header)
			}
		})
	}
	s := newSite(t, website(index, publicRead))
	if resp := s.Website().Serve(t.Context(), request("GET", "http://www.example.com/")); resp.Status != 404 {
		t.Errorf("a foreign host: %d", resp.Status)
	}
}

func TestPolicyIsPublic(t *testing.T) {
	cond := func(c string) string {
		return `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*","Condition":{` + c + `}}`
	}
	for stmt, want := range map[string]bool{
		publicRead: true, oacRead: false, oaiRead: false,
		strings.Replace(publicRead, "Allow", "Deny", 1):                              false,
		cond(`"StringEquals":{"aws:SourceVpc":"vpc-1"}`):                             false,
		cond(`"StringLike":{"aws:SourceVpc":"vpc-*"}`):                               true,
		cond(`"StringLike":{"aws:Referer":"https://example.com/*"}`):                 true,
		cond(`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`):                        false,
		cond(`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`):                             true,
		cond(`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`):                     true,
		cond(`"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}`):                     true,
		cond(`"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-1"}`):             true,
		cond(`"StringEquals":{"aws:PrincipalOrgID":"o-1"}`):                          false,
		strings.Replace(publicRead, `"Principal":"*"`, `"Principal":{"AWS":"*"}`, 1): true,
	} {
		if got := PolicyIsPublic(doc(t, policy(stmt))); got != want {
			t.Errorf("%s: %v, want %v", stmt, got, want)
		}
	}
}

// TestSignatureMismatch: S3 shows what it computed, and explain tells which host was signed for.
func TestSignatureMismatch(t *testing.T) {
	s := newSite(t, nil)
	r := signed(t, request("GET", base+"index.html"), "AKIAUSER", "")
	r.Host = "site.s3.us-east-1.amazonaws.com"
	r.Trace = &trace.Trace{}
	resp, body := s.do(t.Context(), r)
	for _, part := range []string{"<Code>SignatureDoesNotMatch</Code>", "<AWSAccessKeyId>AKIAUSER</AWSAccessKeyId>", "<StringToSign>AWS4-HMAC-SHA256\n20260401T120000Z\n", "<SignatureProvided>", "<StringToSignBytes>41 57 53 34 ", "<CanonicalRequest>GET\n/index.html\n"} {
		if !strings.Contains(body, part) {
			t.Errorf("%s lacks %s", body, part)
		}
	}
	if resp.Status != 403 {
		t.Errorf("status %d", resp.Status)
	}
	r = signed(t, request("GET", base+"index.html"), "AKIAUSER", "")
	r.Header.Set("X-Amz-Date", "20260401T113000Z")
	if _, body := s.do(t.Context(), r); !strings.Contains(body, "<Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message><RequestTime>20260401T113000Z</RequestTime><ServerTime>2026-04-01T12:00:00Z</ServerTime><MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>") {
		t.Error(body)
	}
}

// TestLargeObjectIsStreamed reads an object that is never whole in memory, and one that shrinks.
func TestLargeObjectIsStreamed(t *testing.T) {
	o := &Object{Info: Info{Size: 1 << 40}, Content: endless{}}
	s := section{obj: o, left: o.Size}
	buf := make([]byte, 1<<16)
	for range 100 {
		if n, err := s.Read(buf); n != len(buf) || err != nil {
			t.Fatal(n, err)
		}
	}
	short := section{obj: &Object{Content: closing{strings.NewReader("abc")}}, left: 10}
	if _, err := io.ReadAll(&short); err != io.ErrUnexpectedEOF {
		t.Errorf("a shrunken object: %v", err)
	}
}

type endless struct{}

func (endless) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (endless) Close() error                          { return nil }

type closing struct{ io.ReaderAt }

func (closing) Close() error { return nil }

func FuzzHostPathQuery(f *testing.F) {
	f.Add("site.s3.amazonaws.com", "/a%2fb/%", "list-type=2&prefix=%zz&max-keys=-1", "bytes=0-1")
	f.Add("s3.dualstack.us-east-1.amazonaws.com:443", "/site/../x", "&&=&versionId=null", "bytes=-")
	f.Add(".s3-website-.amazonaws.com", "//", "", "bytes=99999999999999999999-")
	s := New(Options{NewIDs: func() (string, string) { return "R", "H" }}, []*Plan{{Name: "site", Region: "us-east-1", Objects: NewMemory(nil), Website: &Website{IndexSuffix: "i"}}})
	f.Fuzz(func(t *testing.T, host, path, query, rng string) {
		r := &message.Request{Method: "GET", Scheme: "http", Host: host, Path: path, Query: query}
		if resp := s.Serve(t.Context(), r); resp.Status < 300 || resp.Status > 501 {
			t.Fatalf("%d", resp.Status)
		}
		if off, n, given := parseRange(rng, 100); off < 0 || n < 0 || off+n > 100 || given && n == 0 && off != 0 && off != 100 {
			t.Fatalf("parseRange(%q) = %d %d %v", rng, off, n, given)
		}
	})
}

// FuzzFolderKey: no key reaches what is outside the folder, and none panics.
func FuzzFolderKey(f *testing.F) {
	for _, k := range []string{"a", "../x", "a/../../x", "/abs", "a\x00b", "", "link/x"} {
		f.Add(k)
	}
	dir := f.TempDir()
	store, err := NewFolder(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if _, err := store.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Fatalf("Get(%q): %v", key, err)
		}
		for k := range store.List(t.Context(), key, "") {
			t.Fatalf("List(%q) gave %q", key, k)
		}
	})
}
