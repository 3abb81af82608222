package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
)

// The quotas of deployment packages (Lambda quotas).
const (
	maxUpload   = 50 << 20
	maxUnzipped = 262144000
)

// upload reads a package that came over the API: bytes, or an object of a bucket.
func (s *Service) upload(ctx context.Context, in *lambda.FunctionCode) (resource.FunctionCode, error) {
	switch {
	case in == nil:
		return resource.FunctionCode{}, invalid("Code", "Please provide a source for function code.", "")
	case deref(in.ImageUri) != "":
		return resource.FunctionCode{Missing: fmt.Sprintf("container images are not run here: the function's image is %q", *in.ImageUri)}, nil
	case deref(in.S3Bucket) != "":
		return s.object(ctx, *in.S3Bucket, deref(in.S3Key))
	case len(in.ZipFile) > 0:
		return zipped(in.ZipFile, "Code.ZipFile")
	}
	return resource.FunctionCode{}, invalid("Code", "Please provide a source for function code.", "")
}

// object reads a package from a bucket that is served here.
func (s *Service) object(ctx context.Context, bucket, key string) (resource.FunctionCode, error) {
	// AWS's text for a bucket or key that cannot be read (aws/serverless-application-model#2054 and others).
	missing := func(code, text, because string) error {
		return invalid("Code.S3Bucket", "Error occurred while GetObject. S3 Error Code: "+code+". S3 Error Message: "+text, because)
	}
	if s.opts.ReadObject == nil {
		return resource.FunctionCode{}, missing("NoSuchBucket", "The specified bucket does not exist", "no buckets are served here")
	}
	data, err := s.opts.ReadObject(ctx, bucket, key)
	if err != nil {
		if _, ok := resource.Buckets.Get(s.env.Store.Read(ctx), resource.Global, bucket); !ok {
			return resource.FunctionCode{}, missing("NoSuchBucket", "The specified bucket does not exist", fmt.Sprintf("there is no bucket %q here", bucket))
		}
		return resource.FunctionCode{}, missing("NoSuchKey", "The specified key does not exist.", err.Error())
	}
	return zipped(data, "Code.S3Key")
}

// zipped checks a package.
func zipped(data []byte, path string) (resource.FunctionCode, error) {
	if len(data) > maxUpload && path == "Code.ZipFile" {
		return resource.FunctionCode{}, refuse(lambda.ErrCodeRequestTooLargeException, path, fmt.Sprintf("Request must be smaller than %d bytes for the CreateFunction operation", maxUpload), "")
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return resource.FunctionCode{}, invalid(path, "Could not unzip uploaded file. Please check your file, then try to upload again.", err.Error())
	}
	if len(r.File) == 0 {
		return resource.FunctionCode{}, invalid(path, "Uploaded file must be a non-empty zip", "")
	}
	var total uint64
	for _, f := range r.File {
		if total += f.UncompressedSize64; f.UncompressedSize64 > maxUnzipped || total > maxUnzipped {
			return resource.FunctionCode{}, invalid(path, fmt.Sprintf("Unzipped size must be smaller than %d bytes", maxUnzipped), "")
		}
	}
	return resource.FunctionCode{Zip: data}, nil
}
