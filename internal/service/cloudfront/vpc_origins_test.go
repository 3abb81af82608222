package cloudfront

import (
	"fmt"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
)

func vpcEndpoint(name string) *cloudfront.VpcOriginEndpointConfig {
	return &cloudfront.VpcOriginEndpointConfig{Name: &name, Arn: new("arn:aws:ec2:us-east-1:000000000000:instance/i-0123456789abcdef0"),
		HTTPPort: new(int64(80)), HTTPSPort: new(int64(443)), OriginProtocolPolicy: new("https-only")}
}

func TestVpcOriginChecks(t *testing.T) {
	s, ctx := newService(), t.Context()
	for _, c := range []struct {
		name string
		edit func(*cloudfront.VpcOriginEndpointConfig)
		want string
	}{
		{"fine", func(*cloudfront.VpcOriginEndpointConfig) {}, ""},
		{"no name", func(c *cloudfront.VpcOriginEndpointConfig) { c.Name = nil }, "MissingArgument"},
		{"no ARN", func(c *cloudfront.VpcOriginEndpointConfig) { c.Arn = new("") }, "MissingArgument"},
		{"gateway load balancer", func(c *cloudfront.VpcOriginEndpointConfig) {
			c.Arn = new("arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/gwy/a/b")
		}, "InvalidArgument"},
		{"region without VPC origins", func(c *cloudfront.VpcOriginEndpointConfig) {
			c.Arn = new("arn:aws:ec2:eu-nowhere-1:000000000000:instance/i-1")
		}, "InvalidArgument"},
		{"policy", func(c *cloudfront.VpcOriginEndpointConfig) { c.OriginProtocolPolicy = new("both") }, "InvalidArgument"},
		{"port", func(c *cloudfront.VpcOriginEndpointConfig) { c.HTTPPort = new(int64(22)) }, "InvalidArgument"},
		{"TLS", func(c *cloudfront.VpcOriginEndpointConfig) {
			c.OriginSslProtocols = &cloudfront.OriginSslProtocols{Quantity: new(int64(1)), Items: []string{"TLSv1.3"}}
		}, "InvalidProtocolSettings"},
		{"quantity", func(c *cloudfront.VpcOriginEndpointConfig) {
			c.OriginSslProtocols = &cloudfront.OriginSslProtocols{Quantity: new(int64(2)), Items: []string{"TLSv1.2"}}
		}, "InconsistentQuantities"},
		{"name again", func(c *cloudfront.VpcOriginEndpointConfig) { c.Name = new("fine") }, "EntityAlreadyExists"},
	} {
		e := vpcEndpoint(c.name)
		c.edit(e)
		_, err := s.CreateVpcOrigin(ctx, &cloudfront.CreateVpcOriginInput{VpcOriginEndpointConfig: e})
		if got := codeOf(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestVpcOriginQuota(t *testing.T) {
	s, ctx := newService(), t.Context()
	for i := range maxVpcOrigins {
		if _, err := s.CreateVpcOrigin(ctx, &cloudfront.CreateVpcOriginInput{VpcOriginEndpointConfig: vpcEndpoint(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateVpcOrigin(ctx, &cloudfront.CreateVpcOriginInput{VpcOriginEndpointConfig: vpcEndpoint("more")}); codeOf(err) != "EntityLimitExceeded" {
		t.Error(err)
	}
}

func TestVpcOriginLife(t *testing.T) {
	s, ctx := newService(), t.Context()
	made, err := s.CreateVpcOrigin(ctx, &cloudfront.CreateVpcOriginInput{VpcOriginEndpointConfig: vpcEndpoint("a")})
	if err != nil {
		t.Fatal(err)
	}
	v := made.VpcOrigin
	if _, err := s.TagResource(ctx, &cloudfront.TagResourceInput{Resource: v.Arn, Tags: &cloudfront.Tags{Items: []*cloudfront.Tag{{Key: new("k"), Value: new("v")}}}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.GetVpcOrigin(ctx, &cloudfront.GetVpcOriginInput{Id: v.Id})
	if err != nil || *got.ETag != *made.ETag {
		t.Fatalf("tags changed the ETag: %v %v", got, err)
	}
	changed, err := s.UpdateVpcOrigin(ctx, &cloudfront.UpdateVpcOriginInput{Id: v.Id, IfMatch: got.ETag, VpcOriginEndpointConfig: vpcEndpoint("b")})
	if err != nil || *changed.ETag == *made.ETag || *changed.VpcOrigin.VpcOriginEndpointConfig.Name != "b" {
		t.Fatal(changed, err)
	}
	if _, err := s.UpdateVpcOrigin(ctx, &cloudfront.UpdateVpcOriginInput{Id: v.Id, IfMatch: got.ETag, VpcOriginEndpointConfig: vpcEndpoint("c")}); codeOf(err) != "PreconditionFailed" {
		t.Error(err)
	}
	tags, err := s.ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: v.Arn})
	if err != nil || len(tags.Tags.Items) != 1 {
		t.Error(tags, err)
	}
	config := fromJSON[cloudfront.DistributionConfig](t, distributionJSON)
	o := config.Origins.Items[0]
	o.CustomOriginConfig, o.S3OriginConfig, o.VpcOriginConfig = nil, nil, &cloudfront.VpcOriginConfig{VpcOriginId: v.Id, OwnerAccountId: new("999999999999")}
	if _, err := s.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: config}); codeOf(err) != "EntityNotFound" {
		t.Error(err)
	}
	o.VpcOriginConfig.OwnerAccountId = nil
	if _, err := s.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: config}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteVpcOrigin(ctx, &cloudfront.DeleteVpcOriginInput{Id: v.Id, IfMatch: changed.ETag}); codeOf(err) != "CannotDeleteEntityWhileInUse" {
		t.Error(err)
	}
	list, err := s.ListDistributionsByVpcOriginId(ctx, &cloudfront.ListDistributionsByVpcOriginIdInput{VpcOriginId: v.Id})
	if err != nil || *list.DistributionIdList.Quantity != 1 {
		t.Error(list, err)
	}
	owned, err := s.ListDistributionsByOwnedResource(ctx, &cloudfront.ListDistributionsByOwnedResourceInput{ResourceArn: v.Arn})
	if err != nil || len(owned.DistributionList.Items) != 1 || *owned.DistributionList.Items[0].DistributionId != list.DistributionIdList.Items[0] ||
		*owned.DistributionList.Items[0].OwnerAccountId != *v.AccountId || *owned.DistributionList.MaxItems != 100 || *owned.DistributionList.IsTruncated {
		t.Error(owned, err)
	}
	for arn, code := range map[string]string{
		*v.Arn + "x": "EntityNotFound", strings.Replace(*v.Arn, *v.AccountId, "999999999999", 1): "EntityNotFound",
		strings.Replace(*v.Arn, "vpcorigin", "anycast-ip-list", 1): "EntityNotFound", *v.Id: "InvalidArgument", "": "InvalidArgument",
		strings.Replace(*v.Arn, "vpcorigin", "distribution", 1): "InvalidArgument",
	} {
		if _, err := s.ListDistributionsByOwnedResource(ctx, &cloudfront.ListDistributionsByOwnedResourceInput{ResourceArn: &arn}); codeOf(err) != code {
			t.Errorf("%s: %v, want %s", arn, err, code)
		}
	}
}
