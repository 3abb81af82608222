package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// maxBuckets is the default quota of an account since November 2024 (S3 user guide, BucketRestrictions).
const maxBuckets = 10000

const defaultRegion = "us-east-1"

// CreateBucket makes a bucket with all public access blocked, the default since April 2023.
func (s *Service) CreateBucket(ctx context.Context, in *s3.CreateBucketInput) (*s3.CreateBucketOutput, error) {
	name := deref(in.Bucket)
	if err := checkName(name); err != nil {
		return nil, err
	}
	region, err := location(awsapi.CallFrom(ctx).Region, in.CreateBucketConfiguration)
	if err != nil {
		return nil, err
	}
	if err := checkACL(in.ACL, in.ObjectOwnership); err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	if old, ok := resource.Buckets.Get(r, resource.Global, name); ok {
		if region == defaultRegion && old.Region == defaultRegion {
			// There S3 answers 200 to the owner, for the sake of old clients (S3 API reference, CreateBucket).
			return created(old), nil
		}
		return nil, refuse(problem{409, s3.ErrCodeBucketAlreadyOwnedByYou, "Bucket"}, "Your previous request to create the named bucket succeeded and you already own it.", "")
	}
	if resource.Buckets.Len(r, resource.Global) >= maxBuckets {
		return nil, refuse(problem{400, "TooManyBuckets", "Bucket"}, "You have attempted to create more buckets than allowed", "")
	}
	b := &resource.Bucket{Name: name, Region: region, PublicAccess: &s3.PublicAccessBlockConfiguration{
		BlockPublicAcls: new(true), IgnorePublicAcls: new(true), BlockPublicPolicy: new(true), RestrictPublicBuckets: new(true)},
		Ownership: &s3.OwnershipControls{Rules: []*s3.OwnershipControlsRule{{ObjectOwnership: new("BucketOwnerEnforced")}}}}
	if in.ObjectOwnership != nil {
		b.Ownership.Rules[0].ObjectOwnership = in.ObjectOwnership
	}
	if in.ACL != nil && *in.ACL != "private" {
		b.ACL = *in.ACL
	}
	if c := in.CreateBucketConfiguration; c != nil {
		b.Tags = tagMap(c.Tags)
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.Buckets.Put(tx, resource.Global, name, b); return nil })
	return created(b), err
}

func created(b *resource.Bucket) *s3.CreateBucketOutput {
	at := "/" + b.Name
	if b.Region != defaultRegion {
		at = "http://" + b.Name + ".s3.amazonaws.com/"
	}
	return &s3.CreateBucketOutput{Location: &at, BucketArn: new(bucketARN(b))}
}

// location is the region of a new bucket (S3 API reference, CreateBucket and ErrorResponses).
func location(endpoint string, c *s3.CreateBucketConfiguration) (string, error) {
	want := deref(deref(c).LocationConstraint)
	if want == "EU" {
		want = "eu-west-1"
	}
	switch {
	case endpoint == "":
		endpoint = defaultRegion
	case want == "" && endpoint != defaultRegion:
		return "", refuse(problem{400, "IllegalLocationConstraintException", "CreateBucketConfiguration.LocationConstraint"},
			"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.", "the endpoint's region is "+endpoint, "set LocationConstraint to "+endpoint)
	case want == defaultRegion:
		return "", refuse(problem{400, "InvalidLocationConstraint", "CreateBucketConfiguration.LocationConstraint"}, "The specified location-constraint is not valid", "us-east-1 is meant by leaving LocationConstraint out")
	case want != "" && endpoint != defaultRegion && want != endpoint:
		return "", refuse(problem{400, "IllegalLocationConstraintException", "CreateBucketConfiguration.LocationConstraint"},
			fmt.Sprintf("The %s location constraint is incompatible for the region specific endpoint this request was sent to.", want), "the endpoint's region is "+endpoint)
	}
	if want == "" {
		want = endpoint
	}
	return want, nil
}

// checkACL refuses an access control list on a bucket whose owner owns everything (S3 user guide, about-object-ownership).
func checkACL(acl, ownership *string) error {
	if a := deref(acl); a == "" || a == "private" {
		return nil
	}
	if o := deref(ownership); o == "" || o == "BucketOwnerEnforced" {
		return refuse(problem{400, "InvalidBucketAclWithObjectOwnership", "ACL"}, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting", "new buckets have that setting unless another one is given", "grant access with a bucket policy")
	}
	if publicACL(acl) { // aws/aws-sdk 565: "If you try to create a bucket with a public ACL, the request will fail"
		return refuse(problem{400, "InvalidBucketAclWithBlockPublicAccessError", "ACL"}, "Bucket cannot have public ACLs set with BlockPublicAccess enabled", "new buckets block public access", "set BlockPublicAcls to false first, or grant access with a bucket policy")
	}
	return nil
}

func publicACL(acl *string) bool {
	return slices.Contains([]string{"public-read", "public-read-write", "authenticated-read"}, deref(acl))
}

// DeleteBucket deletes an empty bucket.
func (s *Service) DeleteBucket(ctx context.Context, in *s3.DeleteBucketInput) (*s3.DeleteBucketOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if !resource.KeepsObjects(ctx) {
		objects, err := s.objects(b.Name)
		if err != nil {
			return nil, err
		}
		for _, err := range objects.List(ctx, "", "") {
			if err != nil {
				return nil, err
			}
			return nil, refuse(problem{409, "BucketNotEmpty", "Bucket"}, "The bucket you tried to delete is not empty", "")
		}
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.Buckets.Delete(tx, resource.Global, b.Name)
		resource.BucketPolicies.Delete(tx, resource.Global, b.Name)
		return nil
	})
	return &s3.DeleteBucketOutput{}, err
}

// HeadBucket tells whether a bucket exists, and where.
func (s *Service) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	return &s3.HeadBucketOutput{BucketRegion: &b.Region, AccessPointAlias: new(false), BucketArn: new(bucketARN(b))}, nil
}

// ListBuckets lists the account's buckets.
func (s *Service) ListBuckets(ctx context.Context, in *s3.ListBucketsInput) (*s3.ListBucketsOutput, error) {
	out := &s3.ListBucketsOutput{Owner: s.owner(), Prefix: in.Prefix, Buckets: []*s3.Bucket{}}
	for rec, b := range resource.Buckets.All(s.env.Store.Read(ctx), resource.Global) {
		switch {
		case !strings.HasPrefix(b.Name, deref(in.Prefix)), in.BucketRegion != nil && *in.BucketRegion != b.Region, b.Name <= deref(in.ContinuationToken):
			continue
		case in.MaxBuckets != nil && int64(len(out.Buckets)) == *in.MaxBuckets:
			out.ContinuationToken = out.Buckets[len(out.Buckets)-1].Name
			return out, nil
		}
		out.Buckets = append(out.Buckets, &s3.Bucket{Name: &b.Name, CreationDate: stamp(rec.Created), BucketRegion: &b.Region, BucketArn: new(bucketARN(b))})
	}
	return out, nil
}

// owner is the account's canonical user; its id is made of the account's number.
func (s *Service) owner() *s3.Owner {
	return &s3.Owner{ID: new(strings.Repeat("0", 64-len(s.env.Account)) + s.env.Account)}
}

// GetBucketLocation returns a bucket's region; us-east-1 has none.
func (s *Service) GetBucketLocation(ctx context.Context, in *s3.GetBucketLocationInput) (*s3.GetBucketLocationOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Region == defaultRegion {
		return &s3.GetBucketLocationOutput{}, nil
	}
	return &s3.GetBucketLocationOutput{LocationConstraint: &b.Region}, nil
}

// PutBucketPolicy sets a bucket's policy.
func (s *Service) PutBucketPolicy(ctx context.Context, in *s3.PutBucketPolicyInput) (*s3.PutBucketPolicyOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	text := deref(in.Policy)
	if len(text) > 20<<10 {
		return nil, malformed("Policy exceeds the maximum allowed document size.", fmt.Sprintf("it has %d bytes, at most %d are allowed", len(text), 20<<10))
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, malformed("Policies must be valid JSON and the first byte must be '{'", "")
	}
	if !json.Valid([]byte(text)) {
		return nil, malformed("This policy contains invalid Json", "")
	}
	d, err := iam.Parse([]byte(text))
	if err == nil {
		err = d.CheckBucket(b.Name)
	}
	var bad *iam.PolicyError
	if errors.As(err, &bad) {
		return nil, malformed(bad.Message, bad.Detail)
	}
	if err != nil {
		return nil, malformed(err.Error(), "")
	}
	if b.PublicAccess != nil && deref(b.PublicAccess.BlockPublicPolicy) && bucket.PolicyIsPublic(d) {
		who := awsapi.CallFrom(ctx).Caller.ARN
		return nil, refuse(problem{403, s3.ErrCodeAccessDenied, "Policy"},
			fmt.Sprintf("User: %s is not authorized to perform: s3:PutBucketPolicy on resource: \"%s\" because public policies are blocked by the BlockPublicPolicy block public access setting.", who, bucketARN(b)),
			"the policy allows everyone, and new buckets block such policies",
			"let CloudFront read the bucket with an origin access control instead", "turn BlockPublicPolicy off in the bucket's PublicAccessBlockConfiguration")
	}
	p := &resource.BucketPolicy{Bucket: b.Name, Document: text}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.BucketPolicies.Put(tx, resource.Global, b.Name, p); return nil })
	return &s3.PutBucketPolicyOutput{}, err
}

func malformed(text, because string) error {
	return refuse(problem{400, "MalformedPolicy", "Policy"}, text, because)
}

// policy finds a bucket's policy.
func (s *Service) policy(ctx context.Context, name *string) (*resource.BucketPolicy, error) {
	b, _, err := s.bucket(ctx, name)
	if err != nil {
		return nil, err
	}
	p, ok := resource.BucketPolicies.Get(s.env.Store.Read(ctx), resource.Global, b.Name)
	if !ok {
		return nil, awsapi.StatusErrorf(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
	}
	return p, nil
}

// GetBucketPolicy returns a bucket's policy.
func (s *Service) GetBucketPolicy(ctx context.Context, in *s3.GetBucketPolicyInput) (*s3.GetBucketPolicyOutput, error) {
	p, err := s.policy(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	return &s3.GetBucketPolicyOutput{Policy: &p.Document}, nil
}

// GetBucketPolicyStatus tells whether a bucket's policy is public.
func (s *Service) GetBucketPolicyStatus(ctx context.Context, in *s3.GetBucketPolicyStatusInput) (*s3.GetBucketPolicyStatusOutput, error) {
	p, err := s.policy(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	d, err := iam.Parse([]byte(p.Document))
	if err != nil {
		return nil, err
	}
	return &s3.GetBucketPolicyStatusOutput{PolicyStatus: &s3.PolicyStatus{IsPublic: new(bucket.PolicyIsPublic(d))}}, nil
}

// DeleteBucketPolicy takes a bucket's policy away.
func (s *Service) DeleteBucketPolicy(ctx context.Context, in *s3.DeleteBucketPolicyInput) (*s3.DeleteBucketPolicyOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.BucketPolicies.Delete(tx, resource.Global, b.Name)
		return nil
	})
	return &s3.DeleteBucketPolicyOutput{}, err
}
