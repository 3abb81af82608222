package bucket

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

// maxObject is the most that one PUT may have (S3 user guide, upload-objects).
const maxObject = 5 << 30

// put answers PUT of an object.
func (x *exchange) put() *message.Response {
	if e := x.unsupportedPut(); e != nil {
		return x.refuse(*e, "unsupported-header", "")
	}
	if len(x.key) > 1024 {
		return x.refuse(s3Error{code: "KeyTooLongError", status: 400, message: "Your key is too long",
			extra: []element{{"Size", strconv.Itoa(len(x.key))}, {"MaxSizeAllowed", "1024"}}}, "key-too-long", "")
	}
	if resp := x.authorize("s3:PutObject", x.plan.ARN()+"/"+x.key); resp != nil {
		return resp
	}
	if resp := x.putPrecondition(); resp != nil {
		return resp
	}
	body, e := x.upload()
	if e != nil {
		return x.refuse(*e, "upload", "")
	}
	info, err := x.plan.Objects.Put(x.ctx, x.key, body, x.attributes())
	if err != nil {
		return x.refusePut(err)
	}
	fields := []message.Field{{Name: "x-amz-server-side-encryption", Value: "AES256"}, {Name: "ETag", Value: info.ETag}}
	resp := x.respond(200, append(fields, body.sums()...)...)
	x.hop.Step("put", "200", "")
	return resp
}

// unsupportedPut refuses what would change the meaning of the upload and is not honoured.
func (x *exchange) unsupportedPut() *s3Error {
	for _, f := range x.r.Header {
		n := strings.ToLower(f.Name)
		switch {
		case n == "x-amz-acl" && f.Value == "bucket-owner-full-control":
		case n == "x-amz-acl", strings.HasPrefix(n, "x-amz-grant-"):
			return &s3Error{code: "AccessControlListNotSupported", status: 400, message: "The bucket does not allow ACLs"}
		case n == "x-amz-storage-class" && f.Value == "STANDARD", n == "x-amz-server-side-encryption" && f.Value == "AES256":
		case n == "x-amz-copy-source", n == "x-amz-tagging", n == "x-amz-storage-class", n == "x-amz-write-offset-bytes",
			strings.HasPrefix(n, "x-amz-server-side-encryption"), strings.HasPrefix(n, "x-amz-object-lock"):
			e := notImplemented(f.Name)
			return &e
		}
	}
	return nil
}

// putPrecondition evaluates If-None-Match: * and If-Match, which make a write conditional.
func (x *exchange) putPrecondition() *message.Response {
	none, hasNone := x.r.Header.Lookup("If-None-Match")
	match, hasMatch := x.r.Header.Lookup("If-Match")
	if !hasNone && !hasMatch {
		return nil
	}
	if hasNone && none != "*" {
		return x.refuse(notImplemented("If-None-Match"), "precondition", "")
	}
	info, err := x.plan.Objects.Head(x.ctx, x.key)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return x.failed("put", err)
	case hasNone && err == nil:
		return x.refuse(preconditionFailed("If-None-Match"), "precondition", "")
	case hasMatch && err != nil:
		return x.missing()
	case hasMatch && !etagListed(match, info.ETag):
		return x.refuse(preconditionFailed("If-Match"), "precondition", "")
	}
	return nil
}

func (x *exchange) attributes() Attributes {
	h := x.r.Header
	a := Attributes{ContentType: h.Get("Content-Type"), CacheControl: h.Get("Cache-Control"),
		ContentDisposition: h.Get("Content-Disposition"), ContentLanguage: h.Get("Content-Language"), Expires: h.Get("Expires"),
		ContentEncoding:  withoutChunked(h.Get("Content-Encoding")),
		RedirectLocation: h.Get("x-amz-website-redirect-location")}
	for _, f := range h {
		if n := strings.ToLower(f.Name); strings.HasPrefix(n, "x-amz-meta-") {
			a.Metadata = append(a.Metadata, message.Field{Name: n, Value: f.Value})
		}
	}
	return a
}

// withoutChunked takes aws-chunked, which is only of the transfer, out of a Content-Encoding.
func withoutChunked(v string) string {
	var keep []string
	for _, p := range strings.Split(v, ",") {
		if p = strings.TrimSpace(p); p != "" && !strings.EqualFold(p, "aws-chunked") {
			keep = append(keep, p)
		}
	}
	return strings.Join(keep, ",")
}

// uploadError is a refusal that is found while the body is read.
type uploadError struct{ s3Error }

func (e *uploadError) Error() string { return e.code }

// upload is the body of a PUT: it counts, hashes and, at the end, compares with everything that the client promised.
type upload struct {
	r       io.Reader
	chunks  *sigv4.ChunkReader // nil when the body is plain
	want    int64              // -1 when unknown
	got     int64
	sha     hash.Hash // nil when the payload is not hashed
	shaWant string
	md5     hash.Hash
	md5Want []byte
	checks  []*checksum
}

func (x *exchange) upload() (*upload, *s3Error) {
	u := &upload{r: x.r.Body, want: x.r.ContentLength}
	if u.r == nil {
		u.r, u.want = bytes.NewReader(nil), 0
	}
	if e := u.payload(x); e != nil {
		return nil, e
	}
	if u.want > maxObject {
		return nil, &s3Error{code: "EntityTooLarge", status: 400, message: "Your proposed upload exceeds the maximum allowed size",
			extra: []element{{"ProposedSize", strconv.FormatInt(u.want, 10)}, {"MaxSizeAllowed", strconv.Itoa(maxObject)}}}
	}
	if v, ok := x.r.Header.Lookup("Content-MD5"); ok {
		sum, err := base64.StdEncoding.DecodeString(v)
		if err != nil || len(sum) != md5.Size {
			return nil, &s3Error{code: "InvalidDigest", status: 400, message: "The Content-MD5 you specified was invalid.", extra: []element{{"Content-MD5", v}}}
		}
		u.md5, u.md5Want = md5.New(), sum
	}
	return u, u.checksums(x.r.Header)
}

// payload reads what x-amz-content-sha256 says of the body.
func (u *upload) payload(x *exchange) *s3Error {
	claim := x.caller.signed.PayloadHash
	if h := x.r.Header.Get("x-amz-content-sha256"); x.caller.vouched && len(h) == 2*sha256.Size {
		claim = h // CloudFront signs with the hash that the viewer sent, and without one with UNSIGNED-PAYLOAD
	}
	switch {
	case strings.HasPrefix(claim, sigv4.StreamingPrefix):
		c, ok := sigv4.NewChunkReader(x.caller.signed, u.r)
		n, err := strconv.ParseInt(x.r.Header.Get("x-amz-decoded-content-length"), 10, 64)
		if !ok {
			e := notImplemented("x-amz-content-sha256: " + claim)
			return &e
		}
		if err != nil || n < 0 {
			return &s3Error{code: "MissingContentLength", status: 411, message: "You must provide the Content-Length HTTP header."}
		}
		u.r, u.chunks, u.want = c, c, n
	case claim != "" && claim != sigv4.UnsignedPayload:
		u.sha, u.shaWant = sha256.New(), claim
	}
	return nil
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.got += int64(n)
	if u.got > maxObject {
		return n, &uploadError{s3Error{code: "EntityTooLarge", status: 400, message: "Your proposed upload exceeds the maximum allowed size"}}
	}
	if u.sha != nil {
		u.sha.Write(p[:n])
	}
	if u.md5 != nil {
		u.md5.Write(p[:n])
	}
	for _, c := range u.checks {
		c.sum.Write(p[:n])
	}
	if err == io.EOF {
		if e := u.compare(); e != nil {
			return n, &uploadError{*e}
		}
	}
	return n, err
}

// compare is asked when the whole body has passed.
func (u *upload) compare() *s3Error {
	if u.want >= 0 && u.got != u.want {
		return &s3Error{code: "IncompleteBody", status: 400, message: "You did not provide the number of bytes specified by the Content-Length HTTP header",
			extra: []element{{"NumberBytesExpected", strconv.FormatInt(u.want, 10)}, {"NumberBytesProvided", strconv.FormatInt(u.got, 10)}}}
	}
	if u.sha != nil {
		if sum := hex.EncodeToString(u.sha.Sum(nil)); !strings.EqualFold(sum, u.shaWant) {
			return &s3Error{code: "XAmzContentSHA256Mismatch", status: 400,
				message: "The provided 'x-amz-content-sha256' header does not match what was computed.",
				extra:   []element{{"ClientComputedContentSHA256", u.shaWant}, {"S3ComputedContentSHA256", sum}}}
		}
	}
	if u.md5 != nil && !bytes.Equal(u.md5.Sum(nil), u.md5Want) {
		return &s3Error{code: "BadDigest", status: 400, message: "The Content-MD5 you specified did not match what we received.",
			extra: []element{{"ExpectedDigest", hex.EncodeToString(u.md5Want)}, {"CalculatedDigest", base64.StdEncoding.EncodeToString(u.md5.Sum(nil))}}}
	}
	return u.compareChecksums()
}

// refusePut answers for a failed upload: with the client's mistake when there is one.
func (x *exchange) refusePut(err error) *message.Response {
	var u *uploadError
	switch {
	case errors.As(err, &u):
		return x.refuse(u.s3Error, "upload", "")
	case errors.Is(err, sigv4.ErrChunkSignature):
		return x.refuse(s3Error{code: "SignatureDoesNotMatch", status: 403,
			message: "The request signature we calculated does not match the signature you provided. Check your key and signing method."}, "chunk-signature", "")
	case errors.Is(err, sigv4.ErrChunkFraming):
		return x.refuse(s3Error{code: "InvalidRequest", status: 400, message: "The request body is not in aws-chunked form."}, "chunk-framing", "")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return x.refuse(s3Error{code: "IncompleteBody", status: 400, message: "The request body terminated unexpectedly"}, "incomplete-body", "")
	case errors.Is(err, ErrBadKey):
		return x.refuse(invalidArgument(fmt.Sprintf("This bucket is a folder on disk, which cannot keep the key %q.", x.key), "Key", x.key), "key", x.plan.SourcePath)
	}
	return x.failed("put", err)
}

// delete answers DELETE of an object: 204 whether or not there was one.
func (x *exchange) delete() *message.Response {
	if resp := x.authorize("s3:DeleteObject", x.plan.ARN()+"/"+x.key); resp != nil {
		return resp
	}
	if err := x.plan.Objects.Delete(x.ctx, x.key); err != nil {
		return x.failed("delete", err)
	}
	x.hop.Step("delete", "204", "")
	return x.respond(http.StatusNoContent)
}
