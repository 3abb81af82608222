package cloudfront

import (
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
)

// An origin access control is of the origin's type, and its domain is one that takes signatures: at CreateDistribution and at
// UpdateDistribution (BC InvalidDomainNameForOriginAccessControl, github aws/aws-cdk 26405).
func TestAccessControlType(t *testing.T) {
	const (
		bucket  = `"S3OriginConfig":{"OriginAccessIdentity":""}`
		origin  = "DistributionConfig.Origins.Items[0]"
		differ  = "Illegal configuration: The origin type and OAC origin type differ."
		unknown = "An origin access control is associated with an origin whose domain name is not supported."
	)
	types := refusal{code: "InvalidArgument", status: 400, message: differ, path: origin + ".OriginAccessControlId"}
	domain := refusal{code: "InvalidDomainNameForOriginAccessControl", status: 400, message: unknown, path: origin + ".DomainName"}
	for _, c := range []struct {
		kind, config, domain string
		want                 refusal
	}{
		{"s3", bucket, "b.s3.eu-west-1.amazonaws.com", refusal{}},
		{"s3", custom, "b.s3.eu-west-1.amazonaws.com", types},
		{"s3", custom, "api.example.com", types},
		{"lambda", bucket, "b.s3.eu-west-1.amazonaws.com", types},
		{"lambda", custom, "abcdefghij0123456789.lambda-url.eu-west-1.on.aws", refusal{}},
		{"lambda", custom, "api.example.com", domain},
		{"lambda", custom, "b.s3.eu-west-1.amazonaws.com", domain},
		{"lambda", custom, "abc.data.mediastore.eu-west-1.amazonaws.com", domain},
		{"mediastore", custom, "abc.data.mediastore.eu-west-1.amazonaws.com", refusal{}},
		{"mediastore", custom, "abc.lambda-url.eu-west-1.on.aws", domain},
		{"mediapackagev2", custom, "abc.egress.def.mediapackagev2.eu-west-1.amazonaws.com", refusal{}},
		{"mediapackagev2", custom, "abc.mediapackage.eu-west-1.amazonaws.com", domain},
	} {
		t.Run(c.kind+" "+c.domain, func(t *testing.T) {
			s, ctx := newService(), t.Context()
			control, err := s.CreateOriginAccessControl(ctx, &cloudfront.CreateOriginAccessControlInput{OriginAccessControlConfig: &cloudfront.OriginAccessControlConfig{
				Name: new("c"), SigningProtocol: new("sigv4"), SigningBehavior: new("always"), OriginAccessControlOriginType: &c.kind}})
			if err != nil {
				t.Fatal(err)
			}
			config := fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON, custom,
				c.config+`,"OriginAccessControlId":"`+*control.OriginAccessControl.Id+`"`, "api.example.com", c.domain))
			_, err = s.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: config})
			check(t, err, c.want)
			if c.want.code == "" {
				return
			}
			site := createSite(t, s)
			_, err = s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: site.Distribution.Id, IfMatch: site.ETag, DistributionConfig: config})
			check(t, err, c.want)
		})
	}
}
