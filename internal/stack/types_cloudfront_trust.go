package stack

import (
	"context"
	"reflect"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
)

// trustStoreType: CFN26 AWS::CloudFront::TrustStore. What Ref returns is not in CloudFormation's reference: the id. The bundle is read
// when the stack is made, from a bucket of this node.
func trustStoreType() *resourceType {
	return &resourceType{
		required: []string{"Name"}, replace: []string{"Name"},
		spelling: spelling{skip: map[string]bool{"UpdateTrustStoreRequest.Name": true, "UpdateTrustStoreRequest.Tags": true}},
		create: func(ctx context.Context, r *request) (made, error) {
			in := &cloudfront.CreateTrustStoreInput{}
			if err := r.into(in, cfShape("CreateTrustStoreRequest")); err != nil {
				return made{}, err
			}
			out, err := call[cloudfront.CreateTrustStoreOutput](ctx, cloudfront.Service, r.CloudFront, "CreateTrustStore", in)
			if err != nil {
				return made{}, err
			}
			return trustStoreMade(out.TrustStore, out.ETag), nil
		},
		update: func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
			now, err := r.CloudFront.GetTrustStore(ctx, &cloudfront.GetTrustStoreInput{Identifier: &old.PhysicalID})
			if err != nil {
				return made{}, err
			}
			all := &cloudfront.CreateTrustStoreInput{} // for the tags
			in := &cloudfront.UpdateTrustStoreInput{}
			if err := r.into(all, cfShape("CreateTrustStoreRequest")); err != nil {
				return made{}, err
			}
			if err := r.into(in, cfShape("UpdateTrustStoreRequest")); err != nil {
				return made{}, err
			}
			in.Id, in.IfMatch = &old.PhysicalID, now.ETag
			out, err := call[cloudfront.UpdateTrustStoreOutput](ctx, cloudfront.Service, r.CloudFront, "UpdateTrustStore", in)
			if err != nil {
				return made{}, err
			}
			return trustStoreMade(out.TrustStore, out.ETag), retag(ctx, r, out.TrustStore.Arn, all.Tags)
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			now, err := s.CloudFront.GetTrustStore(ctx, &cloudfront.GetTrustStoreInput{Identifier: &old.PhysicalID})
			if err == nil {
				_, err = s.CloudFront.DeleteTrustStore(ctx, &cloudfront.DeleteTrustStoreInput{Id: &old.PhysicalID, IfMatch: now.ETag})
			}
			return err
		},
	}
}

func trustStoreMade(t *cloudfront.TrustStore, etag *string) made {
	attributes := map[string]string{"ETag": *etag}
	for _, name := range [...]string{"Id", "Arn", "Status", "NumberOfCaCertificates", "LastModifiedTime"} {
		attributes[name] = memberText(reflect.ValueOf(t), name)
	}
	return made{*t.Id, attributes}
}
