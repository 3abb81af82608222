package resource

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/store"
)

// The kinds of S3. Names of buckets are global, so all are stored under Global and the bucket's name.
var (
	Buckets        = store.NewKind[Bucket]("s3", "bucket")
	BucketPolicies = store.NewKind[BucketPolicy]("s3", "bucket-policy")
)

func s3Decoders() []store.Decoder {
	return []store.Decoder{Buckets.Decoder(), BucketPolicies.Decoder()}
}

// Bucket is a bucket with its settings; a setting that was never made is nil. The objects are not in the store.
type Bucket struct {
	Name, Region string
	Tags         map[string]string
	// PublicAccess is nil when the block was deleted.
	PublicAccess *s3.PublicAccessBlockConfiguration
	Ownership    *s3.OwnershipControls
	Website      *s3.WebsiteConfiguration
	Versioning   *s3.VersioningConfiguration
	Encryption   *s3.ServerSideEncryptionConfiguration
	CORS         *s3.CORSConfiguration
	Logging      *s3.LoggingEnabled
	Lifecycle    *s3.BucketLifecycleConfiguration
	// ACL is a canned access control list, "" for private.
	ACL string
}

// BucketPolicy is a bucket's policy, apart from the bucket since it is a resource of its own in templates.
type BucketPolicy struct {
	Bucket string
	// Document is the policy as it was put.
	Document string
}

type keptKey struct{}

// WithKeptObjects makes DeleteBucket take the bucket away and leave its objects where they are, empty or not: a stack that
// is deployed anew must not lose a folder's content.
func WithKeptObjects(ctx context.Context) context.Context {
	return context.WithValue(ctx, keptKey{}, true)
}

// KeepsObjects tells whether WithKeptObjects was called.
func KeepsObjects(ctx context.Context) bool {
	kept, _ := ctx.Value(keptKey{}).(bool)
	return kept
}
