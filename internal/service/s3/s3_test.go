package s3

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func newService() *Service {
	all := map[string]bucket.Objects{}
	return New(&service.Env{Store: store.Memory(time.Now), Now: time.Now, Account: "123456789012"}, func(name string) (bucket.Objects, error) {
		if all[name] == nil {
			all[name] = bucket.NewMemory(nil)
		}
		return all[name], nil
	})
}

func in(region string) context.Context {
	return awsapi.WithCall(context.Background(), &awsapi.Call{Region: region, Account: "123456789012", Caller: awsapi.Caller{ARN: "arn:aws:iam::123456789012:root"}})
}

func wantError(t *testing.T, what string, err error, status int, code, text string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %s", what, code)
		return
	}
	if e := awsapi.AsError(err); e.Code != code || e.Status != status || !strings.Contains(e.Message, text) {
		t.Errorf("%s: got %d %s: %s, want %d %s: %s", what, e.Status, e.Code, e.Message, status, code, text)
	}
}

// The rules of names (S3 user guide, bucketnamingrules).
func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"abc": true, "my.bucket-1": true, "0ab": true, strings.Repeat("a", 63): true,
		"ab": false, strings.Repeat("a", 64): false, "Abc": false, "a_b": false, "-ab": false, "ab-": false, "a..b": false, "192.168.5.4": false,
		"xn--abc": false, "sthree-x": false, "abc-s3alias": false, "abc--ol-s3": false,
	} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCreateBucket(t *testing.T) {
	s := newService()
	make := func(region, name, constraint string) (*s3.CreateBucketOutput, error) {
		v := &s3.CreateBucketInput{Bucket: &name}
		if constraint != "" {
			v.CreateBucketConfiguration = &s3.CreateBucketConfiguration{LocationConstraint: &constraint}
		}
		return s.CreateBucket(in(region), v)
	}
	for range 2 { // in us-east-1 the owner may do it again
		if out, err := make("us-east-1", "one-b", ""); err != nil || *out.Location != "/one-b" {
			t.Errorf("create: %v %+v", err, out)
		}
	}
	if out, err := make("eu-west-1", "two-b", "eu-west-1"); err != nil || *out.Location != "http://two-b.s3.amazonaws.com/" {
		t.Errorf("create: %v %+v", err, out)
	}
	_, err := make("eu-west-1", "two-b", "eu-west-1")
	wantError(t, "again", err, 409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	_, err = make("eu-west-1", "three-b", "")
	wantError(t, "no constraint", err, 400, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	_, err = make("us-east-1", "Three", "")
	wantError(t, "name", err, 400, "InvalidBucketName", "The specified bucket is not valid.")
	_, err = s.CreateBucket(in("us-east-1"), &s3.CreateBucketInput{Bucket: new("acl-b"), ACL: new("public-read")})
	wantError(t, "acl", err, 400, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	_, err = s.CreateBucket(in("us-east-1"), &s3.CreateBucketInput{Bucket: new("acl-b"), ACL: new("public-read"), ObjectOwnership: new("ObjectWriter")})
	wantError(t, "public acl", err, 400, "InvalidBucketAclWithBlockPublicAccessError", "Bucket cannot have public ACLs set with BlockPublicAccess enabled")
	if _, err = s.CreateBucket(in("us-east-1"), &s3.CreateBucketInput{Bucket: new("acl-b"), ObjectOwnership: new("ObjectWriter")}); err != nil {
		t.Error(err)
	}
	_, err = s.PutBucketAcl(in("us-east-1"), &s3.PutBucketAclInput{Bucket: new("acl-b"), ACL: new("public-read")})
	wantError(t, "blocked acl", err, 403, "AccessDenied", "blocked by the BlockPublicAcls block public access setting.")
	_, err = s.HeadBucket(in("us-east-1"), &s3.HeadBucketInput{Bucket: new("none-b")})
	wantError(t, "head", err, 404, "NoSuchBucket", "The specified bucket does not exist")
}

func TestPolicy(t *testing.T) {
	s, ctx := newService(), in("us-east-1")
	if _, err := s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: new("one-b")}); err != nil {
		t.Fatal(err)
	}
	put := func(text string) error {
		_, err := s.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: new("one-b"), Policy: &text})
		return err
	}
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	public := statement(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::one-b/*"}`)
	wantError(t, "public", put(public), 403, "AccessDenied", "because public policies are blocked by the BlockPublicPolicy block public access setting.")
	wantError(t, "text", put("x"), 400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
	wantError(t, "json", put("{"), 400, "MalformedPolicy", "")
	wantError(t, "resource", put(statement(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}`)), 400, "MalformedPolicy", "Policy has invalid resource")
	wantError(t, "action", put(statement(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"ec2:Run","Resource":"arn:aws:s3:::one-b/*"}`)), 400, "MalformedPolicy", "Policy has invalid action")
	if err := put(statement(`{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::one-b/*"}`)); err != nil {
		t.Error(err)
	}
	if _, err := s.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: new("one-b")}); err != nil {
		t.Fatal(err)
	}
	if err := put(public); err != nil {
		t.Error(err)
	}
	if out, err := s.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: new("one-b")}); err != nil || !*out.PolicyStatus.IsPublic {
		t.Errorf("status: %v", err)
	}
	if _, err := s.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: new("one-b")}); err != nil {
		t.Fatal(err)
	}
	_, err := s.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: new("one-b")})
	wantError(t, "get", err, 404, "NoSuchBucketPolicy", "The bucket policy does not exist")
}

func put(t *testing.T, s *Service, keys ...string) {
	t.Helper()
	if _, err := s.CreateBucket(in("us-east-1"), &s3.CreateBucketInput{Bucket: new("one-b")}); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, err := s.PutObject(in("us-east-1"), &s3.PutObjectInput{Bucket: new("one-b"), Key: &k, Body: strings.NewReader("0123456789"), ContentType: new("text/x"), Metadata: map[string]string{"a": "b"}}); err != nil {
			t.Fatal(err)
		}
	}
}

// Pages of any size give the same keys and prefixes.
func TestListing(t *testing.T) {
	s := newService()
	put(t, s, "a/1", "a/2", "b", "c/1", "c/d/2", "d")
	for _, delimiter := range []string{"", "/"} {
		want := []string{"a/1", "a/2", "b", "c/1", "c/d/2", "d"}
		if delimiter != "" {
			want = []string{"a/", "b", "c/", "d"}
		}
		for size := int64(1); size < 8; size++ {
			var got []string
			var token *string
			for {
				v := &s3.ListObjectsV2Input{Bucket: new("one-b"), MaxKeys: &size, ContinuationToken: token, Delimiter: &delimiter}
				if delimiter == "" {
					v.Delimiter = nil
				}
				out, err := s.ListObjectsV2(in("us-east-1"), v)
				if err != nil {
					t.Fatal(err)
				}
				page := []string{}
				for _, o := range out.Contents {
					page = append(page, *o.Key)
				}
				for _, p := range out.CommonPrefixes {
					page = append(page, *p.Prefix)
				}
				slices.Sort(page)
				got = append(got, page...)
				if token = out.NextContinuationToken; token == nil {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("delimiter %q, pages of %d: %v, want %v", delimiter, size, got, want)
			}
		}
	}
}

func TestObjects(t *testing.T) {
	s, ctx := newService(), in("us-east-1")
	put(t, s, "k")
	get := func(v *s3.GetObjectInput) (string, *s3.GetObjectOutput, error) {
		v.Bucket, v.Key = new("one-b"), new("k")
		out, err := s.GetObject(ctx, v)
		if err != nil {
			return "", nil, err
		}
		data, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(data), out, nil
	}
	for r, want := range map[string]string{"": "0123456789", "bytes=2-4": "234", "bytes=7-": "789", "bytes=-3": "789", "bytes=0-100": "0123456789", "bytes=1-2,4-5": "0123456789", "lines=1-2": "0123456789"} {
		if got, out, err := get(&s3.GetObjectInput{Range: opt(r)}); err != nil || got != want || (out.ContentRange != nil) != (len(r) > 0 && !strings.ContainsAny(r, ",l")) {
			t.Errorf("range %q: %q %v", r, got, err)
		}
	}
	_, _, err := get(&s3.GetObjectInput{Range: new("bytes=10-")})
	wantError(t, "range", err, 416, "InvalidRange", "The requested range is not satisfiable")
	_, _, err = get(&s3.GetObjectInput{IfMatch: new("x")})
	wantError(t, "if-match", err, 412, "PreconditionFailed", "")
	_, err = s.PutObject(ctx, &s3.PutObjectInput{Bucket: new("one-b"), Key: new("k"), IfNoneMatch: new("*")})
	wantError(t, "if-none-match", err, 412, "PreconditionFailed", "")
	_, err = s.PutObject(ctx, &s3.PutObjectInput{Bucket: new("one-b"), Key: new("k"), ContentLength: new(int64(3)), Body: strings.NewReader("12")})
	wantError(t, "short", err, 400, "IncompleteBody", "")
	_, err = s.PutObject(ctx, &s3.PutObjectInput{Bucket: new("one-b"), Key: new("k"), ContentMD5: new("AAAAAAAAAAAAAAAAAAAAAA=="), Body: strings.NewReader("12")})
	wantError(t, "md5", err, 400, "BadDigest", "")
	if got, out, _ := get(&s3.GetObjectInput{}); got != "0123456789" || out.Metadata["a"] != "b" || *out.ContentType != "text/x" {
		t.Errorf("after refused uploads: %q %+v", got, out)
	}
	if _, err := s.CopyObject(ctx, &s3.CopyObjectInput{Bucket: new("one-b"), Key: new("l"), CopySource: new("/one-b/k")}); err != nil {
		t.Error(err)
	}
	_, err = s.CopyObject(ctx, &s3.CopyObjectInput{Bucket: new("one-b"), Key: new("k"), CopySource: new("one-b/k")})
	wantError(t, "copy to itself", err, 0, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself")
	_, err = s.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: new("one-b")})
	wantError(t, "delete", err, 409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
}

func TestMultipart(t *testing.T) {
	s, ctx := newService(), in("us-east-1")
	put(t, s)
	b, key := new("one-b"), new("big")
	up, err := s.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: key, ContentType: new("x/y")})
	if err != nil {
		t.Fatal(err)
	}
	part := func(n int64, text string) *string {
		out, err := s.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: key, UploadId: up.UploadId, PartNumber: &n, Body: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		return out.ETag
	}
	big := strings.Repeat("x", minPartSize)
	first, second := part(1, big), part(2, "end")
	complete := func(parts ...*s3.CompletedPart) error {
		_, err := s.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: key, UploadId: up.UploadId, MultipartUpload: &s3.CompletedMultipartUpload{Parts: parts}})
		return err
	}
	p := func(n int64, tag *string) *s3.CompletedPart { return &s3.CompletedPart{PartNumber: &n, ETag: tag} }
	third := part(3, big)
	wantError(t, "order", complete(p(3, third), p(1, first)), 400, "InvalidPartOrder", "The list of parts was not in ascending order.")
	wantError(t, "tag", complete(p(1, second)), 400, "InvalidPart", "")
	wantError(t, "small", complete(p(2, second), p(3, third)), 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	wantError(t, "none", complete(p(4, nil)), 400, "InvalidPart", "")
	if err := complete(p(1, first), p(2, second)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "again", complete(p(1, first)), 404, "NoSuchUpload", "The specified upload does not exist.")
	out, err := s.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: key})
	if err != nil || *out.ContentLength != minPartSize+3 || *out.ContentType != "x/y" {
		t.Errorf("object: %v %+v", err, out)
	}
}

// FuzzPart checks that a range lies within the object.
func FuzzPart(f *testing.F) {
	for _, s := range []string{"", "bytes=0-", "bytes=-5", "bytes=3-2", "bytes=99999999999999999999-", "bytes=1-1"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		off, n, given, err := part(&header, size)
		if err == nil && (off < 0 || n < 0 || off+n > size || given && n == 0) {
			t.Errorf("part(%q, %d) = %d, %d", header, size, off, n)
		}
	})
}
