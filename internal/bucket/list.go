package bucket

import (
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// maxKeys is the most that one page of a listing has.
const maxKeys = 1000

// listing is a page of ListObjects or ListObjectsV2 (S3 API reference).
type listing struct {
	v2                       bool
	prefix, delimiter, after string
	max                      int
	encode                   bool

	keys      []string
	prefixes  []string
	last      string // the last key or common prefix on the page
	truncated bool
}

// list answers GET on a bucket.
func (x *exchange) list() *message.Response {
	l, bad := x.listRequest()
	if bad != nil {
		return x.refuse(*bad, "list-argument", "")
	}
	if resp := x.authorize("s3:ListBucket", x.plan.ARN()); resp != nil {
		return resp
	}
	if err := x.collect(&l); err != nil {
		return x.failed("list", err)
	}
	body, err := x.render(&l)
	if err != nil {
		return x.failed("list", err)
	}
	if x.hop != nil {
		x.hop.Step("list", strconv.Itoa(len(l.keys))+" keys", "")
	}
	resp := x.respond(200, message.Field{Name: "x-amz-bucket-region", Value: x.plan.Region}, message.Field{Name: "Content-Type", Value: "application/xml"})
	resp.ContentLength = int64(len(body))
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp
}

func (x *exchange) listRequest() (l listing, bad *s3Error) {
	refuse := func(text, name, value string) (listing, *s3Error) {
		e := invalidArgument(text, name, value)
		return listing{}, &e
	}
	l = listing{v2: x.params.get("list-type") == "2", prefix: x.params.get("prefix"), delimiter: x.params.get("delimiter"), max: maxKeys}
	if v, ok := x.params.lookup("max-keys"); ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			return refuse("Provided max-keys not an integer or within integer range", "max-keys", v)
		}
		if n < 0 {
			return refuse("Argument maxKeys must be an integer between 0 and 2147483647", "maxKeys", v)
		}
		l.max = min(n, maxKeys)
	}
	if v, ok := x.params.lookup("encoding-type"); ok {
		if v != "url" {
			return refuse("Invalid Encoding Method specified in Request", "encoding-type", v)
		}
		l.encode = true
	}
	if !l.v2 {
		l.after = x.params.get("marker")
		return l, nil
	}
	l.after = x.params.get("start-after")
	if t, ok := x.params.lookup("continuation-token"); ok {
		after, err := base64.URLEncoding.DecodeString(t)
		if err != nil || t == "" {
			return refuse("The continuation token provided is incorrect", "continuation-token", t)
		}
		l.after = string(after)
	}
	return l, nil
}

// collect fills the page. Keys with the delimiter behind the prefix fold into one common prefix, which counts as one.
func (x *exchange) collect(l *listing) error {
	if l.max == 0 {
		return nil
	}
	after := l.after
	// Going on behind a common prefix means behind everything in it.
	skip := ""
	if l.delimiter != "" && strings.HasPrefix(after, l.prefix) {
		if p, ok := l.common(after); ok && p == after {
			skip = p
		}
	}
	for k, err := range x.plan.Objects.List(x.ctx, l.prefix, after) {
		if err != nil {
			return err
		}
		if skip != "" && strings.HasPrefix(k, skip) {
			continue
		}
		if len(l.keys)+len(l.prefixes) == l.max {
			l.truncated = true
			return nil
		}
		if p, ok := l.common(k); ok {
			l.prefixes = append(l.prefixes, p)
			l.last, skip = p, p
			continue
		}
		l.keys = append(l.keys, k)
		l.last = k
	}
	return nil
}

// common returns the common prefix that key folds into.
func (l *listing) common(key string) (string, bool) {
	if l.delimiter == "" || len(key) < len(l.prefix) {
		return "", false
	}
	i := strings.Index(key[len(l.prefix):], l.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(l.prefix)+i+len(l.delimiter)], true
}

func (x *exchange) render(l *listing) (string, error) {
	var b strings.Builder
	text := func(s string) string {
		if l.encode {
			return encodeKey(s)
		}
		return s
	}
	b.WriteString(xmlDeclaration + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	writeElement(&b, "Name", x.plan.Name)
	writeElement(&b, "Prefix", text(l.prefix))
	x.renderPaging(&b, l, text)
	writeElement(&b, "MaxKeys", strconv.Itoa(l.max))
	if l.delimiter != "" {
		writeElement(&b, "Delimiter", text(l.delimiter))
	}
	if l.encode {
		writeElement(&b, "EncodingType", "url")
	}
	writeElement(&b, "IsTruncated", strconv.FormatBool(l.truncated))
	for _, k := range l.keys {
		info, err := x.plan.Objects.Head(x.ctx, k)
		if errors.Is(err, ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return "", err
		}
		b.WriteString("<Contents>")
		writeElement(&b, "Key", text(k))
		writeElement(&b, "LastModified", info.ModTime.Format("2006-01-02T15:04:05.000Z"))
		writeElement(&b, "ETag", info.ETag)
		writeElement(&b, "Size", strconv.FormatInt(info.Size, 10))
		writeElement(&b, "StorageClass", "STANDARD")
		b.WriteString("</Contents>")
	}
	for _, p := range l.prefixes {
		b.WriteString("<CommonPrefixes>")
		writeElement(&b, "Prefix", text(p))
		b.WriteString("</CommonPrefixes>")
	}
	b.WriteString("</ListBucketResult>")
	return b.String(), nil
}

func (x *exchange) renderPaging(b *strings.Builder, l *listing, text func(string) string) {
	if !l.v2 {
		writeElement(b, "Marker", text(l.after))
		// Without a delimiter the client goes on from the last key itself (S3 API reference, ListObjects).
		if l.truncated && l.delimiter != "" {
			writeElement(b, "NextMarker", text(l.last))
		}
		return
	}
	if v := x.params.get("start-after"); v != "" {
		writeElement(b, "StartAfter", text(v))
	}
	if v := x.params.get("continuation-token"); v != "" {
		writeElement(b, "ContinuationToken", v)
	}
	if l.truncated {
		writeElement(b, "NextContinuationToken", base64.URLEncoding.EncodeToString([]byte(l.last)))
	}
	writeElement(b, "KeyCount", strconv.Itoa(len(l.keys)+len(l.prefixes)))
}

// encodeKey is encoding-type=url: everything but unreserved characters and slashes.
func encodeKey(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._*/", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}
