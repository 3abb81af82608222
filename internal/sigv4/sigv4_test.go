package sigv4

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// The identity of AWS's signing suite.
const (
	suiteKey    = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var suiteTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

type vector struct {
	name                        string
	req, sreq, creq, sts, authz string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	root := os.Getenv("FOREGATE_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	var out []vector
	for _, pattern := range []string{"sigv4/*/*.req", "sigv4/*/*/*.req"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, f := range files {
			base := strings.TrimSuffix(f, ".req")
			v := vector{name: filepath.Base(base)}
			for ext, to := range map[string]*string{".req": &v.req, ".sreq": &v.sreq, ".creq": &v.creq, ".sts": &v.sts, ".authz": &v.authz} {
				b, err := os.ReadFile(base + ext)
				if err != nil {
					t.Fatal(err)
				}
				*to = strings.TrimSuffix(string(b), "\n")
			}
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Skip("AWS's signing suite is not here: set FOREGATE_VECTORS to the folder that has sigv4/")
	}
	return out
}

// parse reads a request of the suite: raw bytes in the target, folded header lines.
func parse(t testing.TB, text string) (*message.Request, []byte) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	target := strings.TrimSuffix(rest, " HTTP/1.1")
	r := &message.Request{Method: method, Scheme: "https", ContentLength: int64(len(body))}
	r.Path, r.Query, r.HasQuery = strings.Cut(target, "?")
	for _, l := range lines[1:] {
		if strings.HasPrefix(l, " ") {
			r.Header[len(r.Header)-1].Value += l
			continue
		}
		n, v, ok := strings.Cut(l, ":")
		if !ok {
			t.Fatalf("bad line %q", l)
		}
		if strings.EqualFold(n, "host") {
			r.Host = v
		} else {
			r.Header.Add(n, v)
		}
	}
	return r, []byte(body)
}

func suiteVerifier() *Verifier {
	return NewVerifier(Options{Service: "service", Region: "us-east-1", Now: func() time.Time { return suiteTime },
		Lookup: func(id string) (Key, bool) { return Key{Secret: suiteSecret}, id == suiteKey }})
}

// scrambled names the case whose signed request botocore made with other rules: its .authz and .sreq disagree.
const scrambled = "get-vanilla-with-session-token"

func TestSuiteSign(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			r, body := parse(t, v.req)
			s := &Signer{Credentials: Credentials{AccessKeyID: suiteKey, Secret: suiteSecret}, Region: "us-east-1", Service: "service"}
			if v.name == scrambled {
				t.Skip("the case's own files disagree")
			}
			if err := s.Sign(r, HashPayload(body)); err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get("Authorization"); got != v.authz {
				t.Errorf("Authorization\n got %s\nwant %s", got, v.authz)
			}
			signed := between(v.authz, "SignedHeaders=", ",")
			r.Header.Del("Authorization")
			if got := CanonicalRequest(r, "service", signed, HashPayload(body)); got != v.creq {
				t.Errorf("canonical request\n got %q\nwant %q", got, v.creq)
			}
		})
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestSuiteVerify(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			if v.name == scrambled {
				t.Skip("the case's own files disagree")
			}
			r, body := parse(t, v.sreq)
			ver := suiteVerifier()
			token := r.Header.Get("X-Amz-Security-Token")
			ver.opt.Lookup = func(string) (Key, bool) { return Key{Secret: suiteSecret, SessionToken: token}, true }
			res, err := ver.Verify(Input{Request: r, PayloadHash: HashPayload(body)})
			if err != nil {
				t.Fatalf("refused: %v\n%s", err, err.CanonicalRequest)
			}
			if res.AccessKeyID != suiteKey || res.Region != "us-east-1" || res.Service != "service" {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// TestSuiteVerifyChanged changes each byte of each signed request: whatever changes the canonical request or the
// signature is refused, and nothing else is.
func TestSuiteVerifyChanged(t *testing.T) {
	refused := 0
	for _, v := range vectors(t) {
		if v.name == scrambled {
			continue
		}
		ver := suiteVerifier()
		orig, origBody := parse(t, v.sreq)
		token := orig.Header.Get("X-Amz-Security-Token")
		ver.opt.Lookup = func(id string) (Key, bool) { return Key{Secret: suiteSecret, SessionToken: token}, id == suiteKey }
		canonical := func(r *message.Request, body []byte) string {
			return CanonicalRequest(r, "service", between(v.authz, "SignedHeaders=", ","), HashPayload(body))
		}
		want := canonical(orig, origBody)
		for i := range v.sreq {
			text := []byte(v.sreq)
			text[i] ^= 1
			if bytes.IndexByte(text[i:i+1], '\n') >= 0 || v.sreq[i] == '\n' || v.sreq[i] == ':' || text[i] == ':' || text[i] == ' ' || v.sreq[i] == ' ' {
				continue // framing, not content
			}
			r, body := parse(t, string(text))
			_, err := ver.Verify(Input{Request: r, PayloadHash: HashPayload(body)})
			same := canonical(r, body) == want && r.Header.Get("Authorization") == orig.Header.Get("Authorization") &&
				r.Header.Get("X-Amz-Security-Token") == token
			if same != (err == nil) {
				t.Fatalf("%s: byte %d of %q: same %v, error %v", v.name, i, text, same, err)
			}
			if err != nil {
				refused++
			}
		}
	}
	if refused < 3000 {
		t.Errorf("only %d changes were refused", refused)
	}
}

func get(path string) *message.Request {
	r := &message.Request{Method: "GET", Scheme: "https", Host: "abc.execute-api.us-east-1.amazonaws.com", Path: path}
	return r
}

// Base64 of SHA-256 of the headers in TestTexts, computed with openssl.
const (
	bearerHash = "uTem/WB082UJMN2ajD6lH6UChGpTAddMJSx2iu923No="
	apiKeyHash = "M1vQ+sYHBizNVy3QDKMT2WdKcWuhoJU9/FUg0apJ8Ig="
	basicHash  = "DsIYdLE4yX328i6fbk/x2oxWByHwosbDOQub9LjG8FA="
	algHash    = "YI2YWea8FSxnksZL2ETHbs5elHm9HQufxTLK0W0ffV0="
)

func sorted(s []string) []string { slices.Sort(s); return s }
