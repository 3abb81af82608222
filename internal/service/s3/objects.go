package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/message"
)

// maxRead bounds ReadObject: a deployment package has at most 250 MB unzipped (Lambda quotas).
const maxRead = 262144000

// maxObject is the most that one PUT may have (S3 user guide, upload-objects).
const maxObject = 5 << 30

// ReadObject reads a whole object, for Lambda's code.
func (s *Service) ReadObject(ctx context.Context, bucketName, key string) ([]byte, error) {
	o, err := s.open(ctx, &bucketName, &key)
	if err != nil {
		return nil, err
	}
	defer o.Content.Close()
	if o.Size > maxRead {
		return nil, fmt.Errorf("read object %q of bucket %q: it has %d bytes, more than %d", key, bucketName, o.Size, maxRead)
	}
	data := make([]byte, o.Size)
	if _, err := io.ReadFull(io.NewSectionReader(o.Content, 0, o.Size), data); err != nil {
		return nil, fmt.Errorf("read object %q of bucket %q: %w", key, bucketName, err)
	}
	return data, nil
}

// store returns the objects of a bucket that exists.
func (s *Service) store(ctx context.Context, name *string) (bucket.Objects, error) {
	if _, _, err := s.bucket(ctx, name); err != nil {
		return nil, err
	}
	return s.objects(*name)
}

// open opens an object.
func (s *Service) open(ctx context.Context, name, key *string) (*bucket.Object, error) {
	objects, err := s.store(ctx, name)
	if err != nil {
		return nil, err
	}
	o, err := objects.Get(ctx, deref(key))
	return o, missing(err)
}

// missing turns the engine's errors into S3's.
func missing(err error) error {
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return awsapi.StatusErrorf(404, s3.ErrCodeNoSuchKey, "The specified key does not exist.")
	case errors.Is(err, bucket.ErrBadKey):
		return refuse(problem{400, "InvalidArgument", "Key"}, "The key cannot be kept in this bucket's folder.", "the bucket is a folder of this machine") // text: our words
	}
	return err
}

func unversioned(id *string) error {
	if v := deref(id); v != "" && v != "null" {
		return refuse(problem{400, "InvalidArgument", "VersionId"}, "Invalid version id specified", "no versions are kept here")
	}
	return nil
}

// conditions are the preconditions of a read.
type conditions struct {
	match, noneMatch          *string
	modifiedSince, unmodified *time.Time
}

// check evaluates them as rfc9110 13.2.2 orders them.
func (c conditions) check(i *bucket.Info) error {
	failed := func(name string) error {
		return awsapi.StatusErrorf(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold (%s)", name)
	}
	unchanged := awsapi.StatusErrorf(http.StatusNotModified, "NotModified", "Not Modified")
	switch {
	case c.match != nil && !tagged(*c.match, i.ETag):
		return failed("If-Match")
	case c.match == nil && c.unmodified != nil && i.ModTime.After(*c.unmodified):
		return failed("If-Unmodified-Since")
	case c.noneMatch != nil && tagged(*c.noneMatch, i.ETag):
		return unchanged
	case c.noneMatch == nil && c.modifiedSince != nil && !i.ModTime.After(*c.modifiedSince):
		return unchanged
	}
	return nil
}

// tagged takes tags with and without quotes, as S3 does.
func tagged(list, etag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t == "*" || strings.Trim(t, `"`) == strings.Trim(etag, `"`) {
			return true
		}
	}
	return false
}

// part reads a Range of one range (S3 API reference, GetObject); all of the object without one.
func part(header *string, size int64) (off, n int64, given bool, err error) {
	spec, ok := strings.CutPrefix(deref(header), "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	from, to, ok := strings.Cut(spec, "-")
	first, errFirst := strconv.ParseUint(from, 10, 62)
	last, errLast := strconv.ParseUint(to, 10, 62)
	switch {
	case !ok || from == "" && errLast != nil || from != "" && errFirst != nil || to != "" && errLast != nil:
		return 0, size, false, nil
	case from == "":
		n = min(int64(last), size)
		off = size - n
	case to == "":
		off, n = int64(first), size-int64(first)
	case last < first:
		return 0, size, false, nil
	default:
		off, n = int64(first), min(int64(last), size-1)-int64(first)+1
	}
	if n <= 0 {
		return 0, 0, false, awsapi.StatusErrorf(416, "InvalidRange", "The requested range is not satisfiable")
	}
	return off, n, true, nil
}

// content is part of an object as a body.
type content struct {
	io.Reader
	io.Closer
}

// GetObject returns an object.
func (s *Service) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := unversioned(in.VersionId); err != nil {
		return nil, err
	}
	o, err := s.open(ctx, in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	err = conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}.check(&o.Info)
	var off, n int64
	var given bool
	if err == nil {
		off, n, given, err = part(in.Range, o.Size)
	}
	if err != nil {
		o.Content.Close()
		return nil, err
	}
	out := &s3.GetObjectOutput{Body: content{io.NewSectionReader(o.Content, off, n), o.Content}, AcceptRanges: new("bytes"), LastModified: stamp(o.ModTime), ContentLength: &n,
		ETag: &o.ETag, CacheControl: opt(o.CacheControl), ContentDisposition: opt(o.ContentDisposition), ContentEncoding: opt(o.ContentEncoding),
		ContentLanguage: opt(o.ContentLanguage), ContentType: opt(o.ContentType), Expires: expires(o.Expires), WebsiteRedirectLocation: opt(o.RedirectLocation),
		ServerSideEncryption: new("AES256"), Metadata: metadata(o.Metadata)}
	if given {
		out.ContentRange = new(fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, o.Size))
	}
	for dst, v := range map[**string]*string{&out.CacheControl: in.ResponseCacheControl, &out.ContentDisposition: in.ResponseContentDisposition,
		&out.ContentEncoding: in.ResponseContentEncoding, &out.ContentLanguage: in.ResponseContentLanguage, &out.ContentType: in.ResponseContentType} {
		if v != nil {
			*dst = v
		}
	}
	return out, nil
}

// HeadObject returns what is known of an object.
func (s *Service) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if err := unversioned(in.VersionId); err != nil {
		return nil, err
	}
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	i, err := objects.Head(ctx, deref(in.Key))
	if err != nil {
		return nil, missing(err)
	}
	if err := (conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}).check(&i); err != nil {
		return nil, err
	}
	return &s3.HeadObjectOutput{AcceptRanges: new("bytes"), LastModified: stamp(i.ModTime), ContentLength: &i.Size, ETag: &i.ETag, CacheControl: opt(i.CacheControl),
		ContentDisposition: opt(i.ContentDisposition), ContentEncoding: opt(i.ContentEncoding), ContentLanguage: opt(i.ContentLanguage), ContentType: opt(i.ContentType),
		Expires: expires(i.Expires), WebsiteRedirectLocation: opt(i.RedirectLocation), ServerSideEncryption: new("AES256"), Metadata: metadata(i.Metadata)}, nil
}

func expires(text string) *time.Time {
	t, err := http.ParseTime(text)
	if err != nil {
		return nil
	}
	return &t
}

const metaPrefix = "x-amz-meta-"

func metadata(fields []message.Field) map[string]string {
	out := map[string]string{}
	for _, f := range fields {
		out[strings.TrimPrefix(strings.ToLower(f.Name), metaPrefix)] = f.Value
	}
	return out
}

func metaFields(m map[string]string) []message.Field {
	var out []message.Field
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, message.Field{Name: metaPrefix + strings.ToLower(k), Value: m[k]})
	}
	return out
}

// body checks an upload as it passes: its length and its Content-MD5.
type body struct {
	r    io.Reader
	n    int64
	want *int64
	md5  hash.Hash
	sum  []byte
}

func newBody(r io.Reader, length *int64, contentMD5 *string) (*body, error) {
	if r == nil {
		r = strings.NewReader("")
	}
	b := &body{r: r, want: length}
	if deref(length) > maxObject {
		return nil, awsapi.StatusErrorf(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	if contentMD5 != nil {
		sum, err := base64.StdEncoding.DecodeString(*contentMD5)
		if err != nil || len(sum) != md5.Size {
			return nil, awsapi.StatusErrorf(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
		}
		b.md5, b.sum = md5.New(), sum
	}
	return b, nil
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > maxObject {
		return n, awsapi.StatusErrorf(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	if b.md5 != nil {
		b.md5.Write(p[:n])
	}
	if err == io.EOF {
		switch {
		case b.want != nil && *b.want >= 0 && b.n != *b.want:
			return n, awsapi.StatusErrorf(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
		case b.md5 != nil && !slices.Equal(b.md5.Sum(nil), b.sum):
			return n, awsapi.StatusErrorf(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	return n, err
}

// unsupported refuses what would change the meaning of an upload and is not honoured.
func unsupported(acl, tagging, encryption *string) error {
	switch {
	case deref(acl) != "" && *acl != "bucket-owner-full-control" && *acl != "private":
		return refuse(problem{400, "AccessControlListNotSupported", "ACL"}, "The bucket does not allow ACLs", "access control lists do not exist here", "grant access with a bucket policy")
	case deref(tagging) != "":
		return refuse(problem{501, "NotImplemented", "Tagging"}, "A header you provided implies functionality that is not implemented", "objects have no tags here")
	case deref(encryption) != "" && *encryption != "AES256":
		return refuse(problem{501, "NotImplemented", "ServerSideEncryption"}, "A header you provided implies functionality that is not implemented", "there are no encryption keys here")
	}
	return nil
}

// writeConditions checks If-Match and If-None-Match of an upload.
func writeConditions(ctx context.Context, objects bucket.Objects, key string, match, noneMatch *string) error {
	if match == nil && noneMatch == nil {
		return nil
	}
	i, err := objects.Head(ctx, key)
	switch {
	case err != nil && !errors.Is(err, bucket.ErrNotFound):
		return err
	case match != nil && err != nil:
		return missing(err)
	case match != nil && !tagged(*match, i.ETag), noneMatch != nil && err == nil:
		return awsapi.StatusErrorf(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	return nil
}

// PutObject keeps an object.
func (s *Service) PutObject(ctx context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	if err := unsupported(in.ACL, in.Tagging, in.ServerSideEncryption); err != nil {
		return nil, err
	}
	if err := writeConditions(ctx, objects, *in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	b, err := newBody(in.Body, in.ContentLength, in.ContentMD5)
	if err != nil {
		return nil, err
	}
	i, err := objects.Put(ctx, *in.Key, b, bucket.Attributes{ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
		ContentEncoding: deref(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage), Expires: httpTime(in.Expires), RedirectLocation: deref(in.WebsiteRedirectLocation), Metadata: metaFields(in.Metadata)})
	if err != nil {
		return nil, missing(err)
	}
	return &s3.PutObjectOutput{ETag: &i.ETag, ServerSideEncryption: new("AES256")}, nil
}

func httpTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(http.TimeFormat)
}

func checkKey(key *string) error {
	switch {
	case deref(key) == "":
		return awsapi.StatusErrorf(400, "InvalidArgument", "Key must not be empty") // text: our words; routing never sends it here
	case len(*key) > 1024:
		return awsapi.StatusErrorf(400, "KeyTooLongError", "Your key is too long")
	}
	return nil
}

// DeleteObject removes an object; it is no error when there is none.
func (s *Service) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if err := unversioned(in.VersionId); err != nil {
		return nil, err
	}
	return &s3.DeleteObjectOutput{}, objects.Delete(ctx, deref(in.Key))
}

// DeleteObjects removes up to 1,000 objects.
func (s *Service) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > 1000 {
		return nil, malformedXML()
	}
	out := &s3.DeleteObjectsOutput{}
	for _, o := range in.Delete.Objects {
		err := unversioned(o.VersionId)
		if err == nil {
			err = objects.Delete(ctx, deref(o.Key))
		}
		switch {
		case err != nil:
			e := awsapi.AsError(err)
			out.Errors = append(out.Errors, &s3.Error{Key: o.Key, Code: &e.Code, Message: &e.Message})
		case !deref(in.Delete.Quiet):
			out.Deleted = append(out.Deleted, &s3.DeletedObject{Key: o.Key})
		}
	}
	return out, nil
}

// source opens the object of a CopySource: BUCKET/KEY, encoded as in an address, with or without a first slash.
func (s *Service) source(ctx context.Context, text string) (*bucket.Object, error) {
	path, version, _ := strings.Cut(text, "?versionId=")
	plain, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	name, key, ok := strings.Cut(plain, "/")
	if err != nil || !ok || key == "" {
		return nil, refuse(problem{400, "InvalidArgument", "CopySource"}, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "")
	}
	if err := unversioned(&version); err != nil {
		return nil, err
	}
	return s.open(ctx, &name, &key)
}

// CopyObject copies an object.
func (s *Service) CopyObject(ctx context.Context, in *s3.CopyObjectInput) (*s3.CopyObjectOutput, error) {
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if err := unsupported(in.ACL, in.Tagging, in.ServerSideEncryption); err != nil {
		return nil, err
	}
	o, err := s.source(ctx, deref(in.CopySource))
	if err != nil {
		return nil, err
	}
	defer o.Content.Close()
	if err := (conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}).check(&o.Info); err != nil {
		return nil, awsapi.StatusErrorf(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	replaced := deref(in.MetadataDirective) == "REPLACE"
	if from, _ := url.PathUnescape(strings.TrimPrefix(deref(in.CopySource), "/")); !replaced && from == deref(in.Bucket)+"/"+deref(in.Key) {
		return nil, awsapi.Errorf(s3.ErrCodeInvalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	a := o.Attributes
	if replaced {
		a = bucket.Attributes{ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
			ContentEncoding: deref(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage), Expires: httpTime(in.Expires), Metadata: metaFields(in.Metadata)}
	}
	a.RedirectLocation = deref(in.WebsiteRedirectLocation)
	i, err := objects.Put(ctx, deref(in.Key), io.NewSectionReader(o.Content, 0, o.Size), a)
	if err != nil {
		return nil, missing(err)
	}
	return &s3.CopyObjectOutput{CopyObjectResult: &s3.CopyObjectResult{ETag: &i.ETag, LastModified: stamp(i.ModTime)}, ServerSideEncryption: new("AES256")}, nil
}

// GetObjectTagging returns no tags: objects have none here.
func (s *Service) GetObjectTagging(ctx context.Context, in *s3.GetObjectTaggingInput) (*s3.GetObjectTaggingOutput, error) {
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if _, err := objects.Head(ctx, deref(in.Key)); err != nil {
		return nil, missing(err)
	}
	return &s3.GetObjectTaggingOutput{TagSet: []*s3.Tag{}}, nil
}
