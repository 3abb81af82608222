// Package s3 implements the API of Amazon S3 over the store, and its object operations over the same objects that the data
// plane serves.
//
// Start with Service; buckets.go and settings.go are about buckets, objects.go, list.go and multipart.go about objects. The
// package must not know plans. Requests with S3's own host names go to package bucket; what comes here are the AWS CLI's
// and SDKs' requests to the endpoint, and the bucket operations that package bucket hands over.
//
// Caveats: there are no versions, access control lists, object tags, object locks or encryption keys. Settings without an
// effect are stored and given back; compile tells of those that would matter.
package s3

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements s3.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	s3.Unimplemented
	env     *service.Env
	objects func(bucketName string) (bucket.Objects, error)

	mu      sync.Mutex
	uploads map[string]*upload
}

// New makes the service. objects gives where a bucket's objects are, the same at every call.
func New(env *service.Env, objects func(bucketName string) (bucket.Objects, error)) *Service {
	return &Service{env: env, objects: objects, uploads: map[string]*upload{}}
}

// problem is S3's error, and the member of the input that it is about.
type problem struct {
	status     int
	code, path string
}

// refuse makes S3's error with the reason that S3 leaves out.
func refuse(p problem, message, because string, fixes ...string) error {
	f := &diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: p.path, Message: message, Fixes: fixes,
		AWSError: &diag.AWSError{Code: p.code, Status: p.status, Message: message}}
	if because != "" {
		f.Because = []string{because}
	}
	return awsapi.Refuse(f)
}

// bucket finds a bucket by name.
func (s *Service) bucket(ctx context.Context, name *string) (*resource.Bucket, *store.Record, error) {
	r := s.env.Store.Read(ctx)
	rec := resource.Buckets.Record(r, resource.Global, deref(name))
	if rec == nil {
		return nil, nil, refuse(problem{404, s3.ErrCodeNoSuchBucket, "Bucket"}, "The specified bucket does not exist", fmt.Sprintf("there is no bucket %q", deref(name)))
	}
	return rec.Value.(*resource.Bucket), rec, nil
}

// change stores a changed copy of a bucket.
func (s *Service) change(ctx context.Context, name *string, fn func(b *resource.Bucket)) error {
	old, _, err := s.bucket(ctx, name)
	if err != nil {
		return err
	}
	b := *old
	fn(&b)
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.Buckets.Put(tx, resource.Global, b.Name, &b); return nil })
	return err
}

func bucketARN(b *resource.Bucket) string {
	return "arn:" + arn.Partition(b.Region) + ":s3:::" + b.Name
}

// bucketName is the form of a name; the rest of the rules are in checkName (S3 user guide, bucketnamingrules).
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// reserved are the beginnings and ends that a name must not have.
var reservedPrefixes, reservedSuffixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}, []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}

func checkName(name string) error {
	why := ""
	switch {
	case !bucketName.MatchString(name):
		why = "a name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit"
	case strings.Contains(name, ".."):
		why = "two dots stand together"
	default:
		if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
			why = "it is an IP address"
		}
		for _, p := range reservedPrefixes {
			if strings.HasPrefix(name, p) {
				why = "the beginning " + p + " is reserved"
			}
		}
		for _, p := range reservedSuffixes {
			if strings.HasSuffix(name, p) {
				why = "the end " + p + " is reserved"
			}
		}
	}
	if why == "" {
		return nil
	}
	return refuse(problem{400, "InvalidBucketName", "Bucket"}, "The specified bucket is not valid.", fmt.Sprintf("%q: %s", name, why))
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// opt is nil for an empty text, so that the answer leaves it out.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// stamp is a time as S3's answers have it.
func stamp(t time.Time) *time.Time { return new(t.UTC().Truncate(time.Second)) }
