package s3

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/service"
)

// upload is a multipart upload in progress. Its parts are files of the system's temporary folder that have no name any more,
// so that none is left when the process ends. Uploads that nobody finishes end with it, or after maxUploadAge.
type upload struct {
	bucket, key string
	attributes  bucket.Attributes
	started     time.Time
	parts       map[int64]*uploadPart
}

type uploadPart struct {
	file *os.File
	size int64
	etag string
	at   time.Time
}

// The limits of multipart uploads (S3 user guide, qfacts); the age and the number of uploads are ours.
const (
	maxPart      = 10000
	minPartSize  = 5 << 20
	maxUploads   = 1000
	maxUploadAge = 24 * time.Hour
)

var uploadID = service.ID{Kind: "upload", Alphabet: service.Upper, Length: 40}

// CreateMultipartUpload begins an upload in parts.
func (s *Service) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput) (*s3.CreateMultipartUploadOutput, error) {
	if _, err := s.store(ctx, in.Bucket); err != nil {
		return nil, err
	}
	if err := cmp.Or(checkKey(in.Key), unsupported(in.ACL, in.Tagging, in.ServerSideEncryption)); err != nil {
		return nil, err
	}
	u := &upload{bucket: *in.Bucket, key: *in.Key, started: s.env.Now(), parts: map[int64]*uploadPart{},
		attributes: bucket.Attributes{ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
			ContentEncoding: deref(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage), Expires: httpTime(in.Expires),
			RedirectLocation: deref(in.WebsiteRedirectLocation), Metadata: metaFields(in.Metadata)}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, old := range s.uploads {
		if u.started.Sub(old.started) > maxUploadAge {
			delete(s.uploads, id)
			old.close()
		}
	}
	if len(s.uploads) >= maxUploads {
		return nil, awsapi.StatusErrorf(503, "SlowDown", "Please reduce your request rate.")
	}
	id := s.env.NewID(ctx, uploadID, func(id string) bool { return s.uploads[id] != nil })
	s.uploads[id] = u
	return &s3.CreateMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, UploadId: &id, ServerSideEncryption: new("AES256"), ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumType: in.ChecksumType}, nil
}

func (u *upload) close() {
	for _, p := range u.parts {
		p.file.Close()
	}
}

// find returns an upload; s.mu is held.
func (s *Service) find(bucketName, key, id *string) (*upload, error) {
	u := s.uploads[deref(id)]
	if u == nil || u.bucket != deref(bucketName) || u.key != deref(key) {
		return nil, awsapi.StatusErrorf(404, s3.ErrCodeNoSuchUpload, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	}
	return u, nil
}

// keep stores a part.
func (s *Service) keep(in *s3.UploadPartInput, content io.Reader) (*uploadPart, error) {
	s.mu.Lock()
	_, err := s.find(in.Bucket, in.Key, in.UploadId)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	number := deref(in.PartNumber)
	if number < 1 || number > maxPart {
		return nil, refuse(problem{400, "InvalidArgument", "PartNumber"}, "Part number must be an integer between 1 and 10000, inclusive", "")
	}
	f, err := os.CreateTemp("", "foregate-part-*")
	if err != nil {
		return nil, fmt.Errorf("keep part of an upload: %w", err)
	}
	_ = os.Remove(f.Name()) // where the system refuses, its temporary folder is cleaned by other means
	sum := md5.New()
	n, err := io.Copy(io.MultiWriter(f, sum), content)
	if err != nil {
		f.Close()
		return nil, err
	}
	p := &uploadPart{f, n, `"` + hex.EncodeToString(sum.Sum(nil)) + `"`, s.env.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.find(in.Bucket, in.Key, in.UploadId)
	if err != nil { // aborted meanwhile
		f.Close()
		return nil, err
	}
	if old := u.parts[number]; old != nil {
		old.file.Close()
	}
	u.parts[number] = p
	return p, nil
}

// UploadPart keeps a part of an upload.
func (s *Service) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if _, err := s.store(ctx, in.Bucket); err != nil {
		return nil, err
	}
	b, err := newBody(in.Body, in.ContentLength, in.ContentMD5)
	if err != nil {
		return nil, err
	}
	p, err := s.keep(in, b)
	if err != nil {
		return nil, err
	}
	return &s3.UploadPartOutput{ETag: &p.etag, ServerSideEncryption: new("AES256")}, nil
}

// UploadPartCopy keeps a part that is part of another object.
func (s *Service) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (*s3.UploadPartCopyOutput, error) {
	o, err := s.source(ctx, deref(in.CopySource))
	if err != nil {
		return nil, err
	}
	defer o.Content.Close()
	off, n, _, err := part(in.CopySourceRange, o.Size)
	if err != nil {
		return nil, err
	}
	p, err := s.keep(&s3.UploadPartInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber}, io.NewSectionReader(o.Content, off, n))
	if err != nil {
		return nil, err
	}
	return &s3.UploadPartCopyOutput{CopyPartResult: &s3.CopyPartResult{ETag: &p.etag, LastModified: stamp(p.at)}, ServerSideEncryption: new("AES256")}, nil
}

// chosen are the parts that a completion names, checked (S3 API reference, CompleteMultipartUpload).
func (u *upload) chosen(named []*s3.CompletedPart) ([]*uploadPart, error) {
	if len(named) == 0 {
		return nil, malformedXML()
	}
	var out []*uploadPart
	last := int64(0)
	for i, n := range named {
		number := deref(n.PartNumber)
		p := u.parts[number]
		switch {
		case number <= last:
			return nil, awsapi.StatusErrorf(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		case p == nil || n.ETag != nil && strings.Trim(*n.ETag, `"`) != strings.Trim(p.etag, `"`):
			return nil, awsapi.StatusErrorf(400, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		case p.size < minPartSize && i < len(named)-1:
			return nil, awsapi.StatusErrorf(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		last = number
		out = append(out, p)
	}
	return out, nil
}

// CompleteMultipartUpload makes an object of the parts. Its ETag is that of the whole, not S3's hash of hashes.
func (s *Service) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	objects, err := s.store(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	u, err := s.find(in.Bucket, in.Key, in.UploadId)
	var parts []*uploadPart
	if err == nil {
		parts, err = u.chosen(deref(in.MultipartUpload).Parts)
	}
	if err == nil {
		err = writeConditions(ctx, objects, u.key, in.IfMatch, in.IfNoneMatch)
	}
	if err == nil {
		delete(s.uploads, *in.UploadId) // nobody else may change the parts while they are read
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var readers []io.Reader
	for _, p := range parts {
		readers = append(readers, io.NewSectionReader(p.file, 0, p.size))
	}
	i, err := objects.Put(ctx, u.key, io.MultiReader(readers...), u.attributes)
	if err != nil && !errors.Is(err, bucket.ErrBadKey) {
		s.mu.Lock()
		s.uploads[*in.UploadId] = u
		s.mu.Unlock()
		return nil, err
	}
	u.close()
	if err != nil {
		return nil, missing(err)
	}
	return &s3.CompleteMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, ETag: &i.ETag, ServerSideEncryption: new("AES256"),
		Location: new("https://" + *in.Bucket + ".s3.amazonaws.com/" + *in.Key)}, nil
}

// AbortMultipartUpload drops an upload.
func (s *Service) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) (*s3.AbortMultipartUploadOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.find(in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	delete(s.uploads, *in.UploadId)
	u.close()
	return &s3.AbortMultipartUploadOutput{}, nil
}

// ListParts lists the parts of an upload.
func (s *Service) ListParts(ctx context.Context, in *s3.ListPartsInput) (*s3.ListPartsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.find(in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	limit := int64(1000)
	if in.MaxParts != nil {
		limit = min(*in.MaxParts, limit)
	}
	out := &s3.ListPartsOutput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, MaxParts: &limit, PartNumberMarker: new(deref(in.PartNumberMarker)),
		IsTruncated: new(false), Owner: s.owner(), StorageClass: new("STANDARD")}
	numbers := make([]int64, 0, len(u.parts))
	for n := range u.parts {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if n <= deref(in.PartNumberMarker) {
			continue
		}
		if int64(len(out.Parts)) >= limit {
			out.IsTruncated = new(true)
			break
		}
		p := u.parts[n]
		out.Parts = append(out.Parts, &s3.Part{PartNumber: new(n), ETag: &p.etag, Size: &p.size, LastModified: stamp(p.at)})
		out.NextPartNumberMarker = new(n)
	}
	return out, nil
}

// ListMultipartUploads lists the uploads of a bucket that are not finished.
func (s *Service) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	if _, err := s.store(ctx, in.Bucket); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &s3.ListMultipartUploadsOutput{Bucket: in.Bucket, Prefix: in.Prefix, IsTruncated: new(false), MaxUploads: new(int64(maxUploads))}
	for id, u := range s.uploads {
		if u.bucket == deref(in.Bucket) && strings.HasPrefix(u.key, deref(in.Prefix)) {
			out.Uploads = append(out.Uploads, &s3.MultipartUpload{UploadId: new(id), Key: &u.key, Initiated: stamp(u.started), Owner: s.owner(), StorageClass: new("STANDARD")})
		}
	}
	slices.SortFunc(out.Uploads, func(a, b *s3.MultipartUpload) int {
		return cmp.Or(cmp.Compare(*a.Key, *b.Key), cmp.Compare(*a.UploadId, *b.UploadId))
	})
	return out, nil
}
