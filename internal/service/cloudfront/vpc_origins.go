package cloudfront

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

const docVpcOrigins = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html"

// vpcOriginID is by the examples of AWS's SDKs: vo_BQwjxxQxjCaBcQLzJUFkDM.
var vpcOriginID = service.ID{Kind: "vpc-origin", Prefix: "vo_", Alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", Length: 22}

// endpointARN has what may be an endpoint: load balancers for applications and networks, and instances; not those for gateways
// (DG-private-content-vpc-origins).
var endpointARN = regexp.MustCompile(`^arn:aws:(?:elasticloadbalancing:([a-z0-9-]+):\d{12}:loadbalancer/(?:app|net)/[^/\s]+/[^/\s]+|ec2:([a-z0-9-]+):\d{12}:instance/[^/\s]+)$`)

// vpcOriginRegions are those of DG-private-content-vpc-origins, "Supported AWS Regions".
var vpcOriginRegions = []string{"us-east-2", "us-east-1", "us-west-1", "us-west-2", "af-south-1", "ap-east-1", "ap-south-1", "ap-south-2", "ap-southeast-3",
	"ap-southeast-4", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "ap-southeast-7", "ap-southeast-5", "ap-east-2",
	"ca-central-1", "ca-west-1", "eu-central-1", "eu-west-1", "eu-west-2", "eu-south-1", "eu-west-3", "eu-south-2", "eu-north-1", "eu-central-2", "il-central-1",
	"me-south-1", "me-central-1", "sa-east-1", "mx-central-1"}

// CreateVpcOrigin makes a VPC origin.
func (s *Service) CreateVpcOrigin(ctx context.Context, in *cloudfront.CreateVpcOriginInput) (*cloudfront.CreateVpcOriginOutput, error) {
	if err := s.checkVpcOrigin(ctx, in.VpcOriginEndpointConfig, ""); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags, len(deref(in.Tags).Items)); err != nil {
		return nil, err
	}
	if resource.VpcOrigins.Len(s.env.Store.Read(ctx), global) >= maxVpcOrigins {
		return nil, tooMany(cloudfront.ErrCodeEntityLimitExceeded, "VpcOriginEndpointConfig", "The entity limit has been exceeded.", maxVpcOrigins)
	}
	v := &resource.VpcOrigin{ID: s.env.NewID(ctx, vpcOriginID, taken(ctx, s, resource.VpcOrigins)), Config: in.VpcOriginEndpointConfig, Tags: tagMap(in.Tags)}
	rec, err := put(ctx, s, resource.VpcOrigins, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateVpcOriginOutput{VpcOrigin: s.vpcOrigin(rec, v), ETag: new(vpcOriginTag(v)), Location: s.location("vpc-origin", v.ID)}, nil
}

// vpcOriginTag is the version of the configuration; tagging leaves it alone.
func vpcOriginTag(v *resource.VpcOrigin) string { return service.ETag(v.ID, v.Changes) }

func (s *Service) vpcOrigin(rec *store.Record, v *resource.VpcOrigin) *cloudfront.VpcOrigin {
	return &cloudfront.VpcOrigin{Id: &v.ID, Arn: new(s.arn("vpcorigin", v.ID)), AccountId: &s.env.Account, Status: s.vpcOriginStatus(rec),
		CreatedTime: stamp(rec.Created), LastModifiedTime: stamp(rec.Updated), VpcOriginEndpointConfig: v.Config}
}

// vpcOriginStatus is Deploying until the data plane serves the record's revision (BC VpcOrigin, examples of AWS's SDKs).
func (s *Service) vpcOriginStatus(rec *store.Record) *string {
	if status := s.status(rec); *status == "Deployed" {
		return status
	}
	return new("Deploying")
}

func (s *Service) checkVpcOrigin(ctx context.Context, c *cloudfront.VpcOriginEndpointConfig, self string) error {
	const path = "VpcOriginEndpointConfig"
	switch {
	case c == nil || deref(c.Name) == "":
		return missingArgument(path + ".Name")
	case deref(c.Arn) == "":
		return missingArgument(path + ".Arn")
	}
	if err := quantities(c, path); err != nil {
		return err
	}
	m := endpointARN.FindStringSubmatch(*c.Arn)
	if m == nil {
		return refuse(cloudfront.ErrCodeInvalidArgument, path+".Arn", "The parameter Arn is invalid.", diag.Finding{ // text: our words
			Doc: docVpcOrigins, Because: []string{fmt.Sprintf("%q is the ARN of no application or network load balancer and of no EC2 instance", *c.Arn)},
			Fixes: []string{"name a load balancer: arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID", "name an instance: arn:aws:ec2:REGION:ACCOUNT:instance/ID"}})
	}
	if region := m[1] + m[2]; !slices.Contains(vpcOriginRegions, region) {
		return refuse(cloudfront.ErrCodeInvalidArgument, path+".Arn", "The parameter Arn is invalid.", diag.Finding{ // text: our words
			Doc: docVpcOrigins, Because: []string{fmt.Sprintf("there are no VPC origins in the region %q", region)}})
	}
	if err := checkEndpoint(endpoint{c.HTTPPort, c.HTTPSPort, c.OriginProtocolPolicy, c.OriginSslProtocols}, path); err != nil {
		return err
	}
	for _, other := range resource.VpcOrigins.All(s.env.Store.Read(ctx), global) {
		if other.ID != self && deref(other.Config.Name) == *c.Name { // that names are unique is our reading of BC EntityAlreadyExists
			return refuse(cloudfront.ErrCodeEntityAlreadyExists, path+".Name", "The entity already exists. You must provide a unique entity.", diag.Finding{
				Because: []string{fmt.Sprintf("%s has the name %q", other.ID, *c.Name)}})
		}
	}
	return nil
}

func (s *Service) getVpcOrigin(ctx context.Context, id *string) (*resource.VpcOrigin, *store.Record, error) {
	return get(ctx, s, resource.VpcOrigins, id, missing{cloudfront.ErrCodeEntityNotFound, "VPC origin"})
}

// GetVpcOrigin returns a VPC origin.
func (s *Service) GetVpcOrigin(ctx context.Context, in *cloudfront.GetVpcOriginInput) (*cloudfront.GetVpcOriginOutput, error) {
	v, rec, err := s.getVpcOrigin(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetVpcOriginOutput{VpcOrigin: s.vpcOrigin(rec, v), ETag: new(vpcOriginTag(v))}, nil
}

// UpdateVpcOrigin replaces the configuration of a VPC origin that no distribution uses.
func (s *Service) UpdateVpcOrigin(ctx context.Context, in *cloudfront.UpdateVpcOriginInput) (*cloudfront.UpdateVpcOriginOutput, error) {
	old, rec, err := s.getVpcOrigin(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, vpcOriginTag(old)); err != nil {
		return nil, err
	}
	if err := s.vpcOriginInUse(ctx, old.ID, cloudfront.ErrCodeCannotUpdateEntityWhileInUse); err != nil {
		return nil, err
	}
	if err := s.checkVpcOrigin(ctx, in.VpcOriginEndpointConfig, old.ID); err != nil {
		return nil, err
	}
	v := *old
	v.Config, v.Changes = in.VpcOriginEndpointConfig, old.Changes+1
	if rec, err = replace(ctx, s, resource.VpcOrigins, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateVpcOriginOutput{VpcOrigin: s.vpcOrigin(rec, &v), ETag: new(vpcOriginTag(&v))}, nil
}

// DeleteVpcOrigin deletes a VPC origin that no distribution uses.
func (s *Service) DeleteVpcOrigin(ctx context.Context, in *cloudfront.DeleteVpcOriginInput) (*cloudfront.DeleteVpcOriginOutput, error) {
	v, rec, err := s.getVpcOrigin(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, vpcOriginTag(v)); err != nil {
		return nil, err
	}
	if err := s.vpcOriginInUse(ctx, v.ID, cloudfront.ErrCodeCannotDeleteEntityWhileInUse); err != nil {
		return nil, err
	}
	out := &cloudfront.DeleteVpcOriginOutput{VpcOrigin: s.vpcOrigin(rec, v), ETag: new(vpcOriginTag(v))}
	out.VpcOrigin.Status = new("Deploying") // as in the examples of AWS's SDKs
	return out, remove(ctx, s, resource.VpcOrigins, rec)
}

// vpcOriginInUse refuses what only a VPC origin without distributions takes, a change of its tags by a template included (text:
// github aws/aws-cdk 34629).
func (s *Service) vpcOriginInUse(ctx context.Context, id, code string) error {
	if !s.originsUse(ctx, usesVpcOrigin(id)) {
		return nil
	}
	return awsapi.Errorf(code, "The specified VPC origin is currently associated with one or more distributions. Please disassociate the VPC origin from all distributions before updating or deleting")
}

func usesVpcOrigin(id string) func(*cloudfront.Origin) bool {
	return func(o *cloudfront.Origin) bool {
		return o.VpcOriginConfig != nil && deref(o.VpcOriginConfig.VpcOriginId) == id
	}
}

// ListVpcOrigins lists the account's VPC origins.
func (s *Service) ListVpcOrigins(ctx context.Context, in *cloudfront.ListVpcOriginsInput) (*cloudfront.ListVpcOriginsOutput, error) {
	var all []*cloudfront.VpcOriginSummary
	for rec, v := range resource.VpcOrigins.All(s.env.Store.Read(ctx), global) {
		all = append(all, &cloudfront.VpcOriginSummary{Id: &v.ID, Name: v.Config.Name, Status: s.vpcOriginStatus(rec), CreatedTime: stamp(rec.Created),
			LastModifiedTime: stamp(rec.Updated), Arn: new(s.arn("vpcorigin", v.ID)), AccountId: &s.env.Account, OriginEndpointArn: v.Config.Arn})
	}
	items, next, limit, err := page(all, func(v *cloudfront.VpcOriginSummary) string { return *v.Id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListVpcOriginsOutput{VpcOriginList: &cloudfront.VpcOriginList{
		Marker: or(in.Marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Quantity: count(items), Items: items}}, nil
}

// ListDistributionsByVpcOriginId lists the distributions that use a VPC origin.
func (s *Service) ListDistributionsByVpcOriginId(ctx context.Context, in *cloudfront.ListDistributionsByVpcOriginIdInput) (*cloudfront.ListDistributionsByVpcOriginIdOutput, error) {
	if _, _, err := s.getVpcOrigin(ctx, in.VpcOriginId); err != nil {
		return nil, err
	}
	list, err := s.idsWith(ctx, in.Marker, in.MaxItems, func(c *cloudfront.DistributionConfig) bool {
		return slices.ContainsFunc(c.Origins.Items, usesVpcOrigin(*in.VpcOriginId))
	})
	return &cloudfront.ListDistributionsByVpcOriginIdOutput{DistributionIdList: list}, err
}

// checkVpcOriginConfig wants a VPC origin of this account.
func checkVpcOriginConfig(r store.Reader, c *cloudfront.VpcOriginConfig, account, at string) error {
	if err := checkOriginTimeouts(c.OriginReadTimeout, c.OriginKeepaliveTimeout, at); err != nil {
		return err
	}
	id := deref(c.VpcOriginId)
	if id == "" {
		return missingArgument(at + ".VpcOriginId")
	}
	because := fmt.Sprintf("there is no VPC origin %q", id)
	_, ok := resource.VpcOrigins.Get(r, global, id)
	if owner := deref(c.OwnerAccountId); owner != "" && owner != account {
		ok, because = false, fmt.Sprintf("a node has one account, %s: VPC origins that account %s shares are not here", account, owner)
	}
	if ok {
		return nil
	}
	return refuse(cloudfront.ErrCodeEntityNotFound, at+".VpcOriginId", "The entity was not found.", diag.Finding{Doc: docVpcOrigins, Because: []string{because}}) // BC
}
