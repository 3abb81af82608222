package apigateway

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// GetAccount returns the region's settings.
func (s *Service) GetAccount(ctx context.Context, _ *apigateway.GetAccountInput) (*apigateway.Account, error) {
	if v, ok := resource.GatewayAccounts.Get(s.env.Store.Read(ctx), region(ctx), resource.GatewayAccountID); ok {
		return v, nil
	}
	return &apigateway.Account{ThrottleSettings: &apigateway.ThrottleSettings{BurstLimit: new(int64(5000)), RateLimit: new(10000.0)},
		Features: []string{"UsagePlans"}, ApiKeyVersion: new("4")}, nil
}

// UpdateAccount changes the region's settings.
func (s *Service) UpdateAccount(ctx context.Context, in *apigateway.UpdateAccountInput) (*apigateway.Account, error) {
	old, err := s.GetAccount(ctx, nil)
	if err != nil {
		return nil, err
	}
	v, err := accountRules.apply(old, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	return v, put(ctx, s, resource.GatewayAccounts, resource.GatewayAccountID, v)
}

// GenerateClientCertificate stores a client certificate. It has no key: backends are not shown it.
func (s *Service) GenerateClientCertificate(ctx context.Context, in *apigateway.GenerateClientCertificateInput) (*apigateway.ClientCertificate, error) {
	v := &apigateway.ClientCertificate{ClientCertificateId: new(s.env.NewID(ctx, partID("client-certificate"), taken(ctx, s, resource.GatewayCertificates, ""))),
		Description: in.Description, CreatedDate: s.now(), ExpirationDate: new(s.now().Add(365 * 24 * time.Hour)), Tags: in.Tags}
	return v, put(ctx, s, resource.GatewayCertificates, *v.ClientCertificateId, v)
}

const noCertificate = "Invalid Client Certificate identifier specified"

// GetClientCertificate returns a client certificate.
func (s *Service) GetClientCertificate(ctx context.Context, in *apigateway.GetClientCertificateInput) (*apigateway.ClientCertificate, error) {
	return get(ctx, s, resource.GatewayCertificates, deref(in.ClientCertificateId), noCertificate)
}

// GetClientCertificates lists the client certificates of the region.
func (s *Service) GetClientCertificates(ctx context.Context, in *apigateway.GetClientCertificatesInput) (*apigateway.GetClientCertificatesOutput, error) {
	items, next := page(allOf(ctx, s, resource.GatewayCertificates), in.Position, in.Limit)
	return &apigateway.GetClientCertificatesOutput{Items: items, Position: next}, nil
}

func allOf[T any](ctx context.Context, s *Service, kind store.Kind[T]) []*T {
	var all []*T
	for _, v := range kind.All(s.env.Store.Read(ctx), region(ctx)) {
		all = append(all, v)
	}
	return all
}

// UpdateClientCertificate changes a client certificate's description.
func (s *Service) UpdateClientCertificate(ctx context.Context, in *apigateway.UpdateClientCertificateInput) (*apigateway.ClientCertificate, error) {
	old, err := get(ctx, s, resource.GatewayCertificates, deref(in.ClientCertificateId), noCertificate)
	if err != nil {
		return nil, err
	}
	v, err := certificateRules.apply(old, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	return v, put(ctx, s, resource.GatewayCertificates, *v.ClientCertificateId, v)
}

// DeleteClientCertificate deletes a client certificate.
func (s *Service) DeleteClientCertificate(ctx context.Context, in *apigateway.DeleteClientCertificateInput) (*apigateway.DeleteClientCertificateOutput, error) {
	v, err := get(ctx, s, resource.GatewayCertificates, deref(in.ClientCertificateId), noCertificate)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteClientCertificateOutput{}, remove(ctx, s, resource.GatewayCertificates, *v.ClientCertificateId)
}

// noLink is recorded (test_get_vpc_link_invalid_id).
const noLink = "Invalid Vpc Link identifier specified"

// CreateVpcLink stores a VPC link. It is AVAILABLE at once, and leads straight to the host of an integration's URI.
func (s *Service) CreateVpcLink(ctx context.Context, in *apigateway.CreateVpcLinkInput) (*apigateway.VpcLink, error) {
	if deref(in.Name) == "" {
		return nil, bad("Name", "Name cannot be empty")
	}
	for _, t := range in.TargetArns {
		if _, err := arn.Parse(t); err != nil {
			return nil, bad("TargetArns", "Invalid ARN. ARN is not well formed "+t)
		}
	}
	v := &apigateway.VpcLink{Id: new(s.env.NewID(ctx, partID("vpc-link"), taken(ctx, s, resource.GatewayVPCLinks, ""))), Name: in.Name, Description: in.Description,
		TargetArns: in.TargetArns, Status: new("AVAILABLE"), Tags: in.Tags}
	return v, put(ctx, s, resource.GatewayVPCLinks, *v.Id, v)
}

// GetVpcLink returns a VPC link.
func (s *Service) GetVpcLink(ctx context.Context, in *apigateway.GetVpcLinkInput) (*apigateway.VpcLink, error) {
	return get(ctx, s, resource.GatewayVPCLinks, deref(in.VpcLinkId), noLink)
}

// GetVpcLinks lists the VPC links of the region.
func (s *Service) GetVpcLinks(ctx context.Context, in *apigateway.GetVpcLinksInput) (*apigateway.GetVpcLinksOutput, error) {
	items, next := page(allOf(ctx, s, resource.GatewayVPCLinks), in.Position, in.Limit)
	return &apigateway.GetVpcLinksOutput{Items: items, Position: next}, nil
}

// UpdateVpcLink changes name and description.
func (s *Service) UpdateVpcLink(ctx context.Context, in *apigateway.UpdateVpcLinkInput) (*apigateway.VpcLink, error) {
	old, err := get(ctx, s, resource.GatewayVPCLinks, deref(in.VpcLinkId), noLink)
	if err != nil {
		return nil, err
	}
	v, err := linkRules.apply(old, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	return v, put(ctx, s, resource.GatewayVPCLinks, *v.Id, v)
}

// DeleteVpcLink deletes a VPC link.
func (s *Service) DeleteVpcLink(ctx context.Context, in *apigateway.DeleteVpcLinkInput) (*apigateway.DeleteVpcLinkOutput, error) {
	v, err := get(ctx, s, resource.GatewayVPCLinks, deref(in.VpcLinkId), noLink)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteVpcLinkOutput{}, remove(ctx, s, resource.GatewayVPCLinks, *v.Id)
}

const noDocumentation = "Invalid Documentation part identifier specified"

// CreateDocumentationPart stores documentation, which changes nothing that is served.
func (s *Service) CreateDocumentationPart(ctx context.Context, in *apigateway.CreateDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	v := &apigateway.DocumentationPart{Id: new(s.env.NewID(ctx, partID("documentation"), taken(ctx, s, resource.RestDocumentation, *in.RestApiId+"/"))),
		Location: in.Location, Properties: in.Properties}
	return v, putPart(ctx, s, resource.RestDocumentation, *v.Id, &resource.RestPart[apigateway.DocumentationPart]{API: *in.RestApiId, Value: v})
}

func (s *Service) documentation(ctx context.Context, api, id *string) (*resource.RestPart[apigateway.DocumentationPart], error) {
	return get(ctx, s, resource.RestDocumentation, resource.PartID(deref(api), deref(id)), noDocumentation)
}

// GetDocumentationPart returns a piece of documentation.
func (s *Service) GetDocumentationPart(ctx context.Context, in *apigateway.GetDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	v, err := s.documentation(ctx, in.RestApiId, in.DocumentationPartId)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetDocumentationParts lists the documentation of an API.
func (s *Service) GetDocumentationParts(ctx context.Context, in *apigateway.GetDocumentationPartsInput) (*apigateway.GetDocumentationPartsOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	items, next := page(values(parts(ctx, s, resource.RestDocumentation, in.RestApiId)), in.Position, in.Limit)
	return &apigateway.GetDocumentationPartsOutput{Items: items, Position: next}, nil
}

// UpdateDocumentationPart changes documentation.
func (s *Service) UpdateDocumentationPart(ctx context.Context, in *apigateway.UpdateDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	old, err := s.documentation(ctx, in.RestApiId, in.DocumentationPartId)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = documentationRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	return c.Value, putPart(ctx, s, resource.RestDocumentation, *c.Value.Id, &c)
}

// DeleteDocumentationPart deletes documentation.
func (s *Service) DeleteDocumentationPart(ctx context.Context, in *apigateway.DeleteDocumentationPartInput) (*apigateway.DeleteDocumentationPartOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	v, err := s.documentation(ctx, in.RestApiId, in.DocumentationPartId)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteDocumentationPartOutput{}, remove(ctx, s, resource.RestDocumentation, resource.PartID(v.API, *v.Value.Id))
}

// CreateDocumentationVersion stores a version of the documentation.
func (s *Service) CreateDocumentationVersion(ctx context.Context, in *apigateway.CreateDocumentationVersionInput) (*apigateway.DocumentationVersion, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	v := &apigateway.DocumentationVersion{Version: in.DocumentationVersion, CreatedDate: s.now(), Description: in.Description}
	return v, putPart(ctx, s, resource.RestDocumentVersions, *v.Version, &resource.RestPart[apigateway.DocumentationVersion]{API: *in.RestApiId, Value: v})
}

const noDocumentVersion = "Invalid Documentation version specified"

// GetDocumentationVersion returns a version of the documentation.
func (s *Service) GetDocumentationVersion(ctx context.Context, in *apigateway.GetDocumentationVersionInput) (*apigateway.DocumentationVersion, error) {
	v, err := get(ctx, s, resource.RestDocumentVersions, resource.PartID(deref(in.RestApiId), deref(in.DocumentationVersion)), noDocumentVersion)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// UpdateDocumentationVersion changes a version's description.
func (s *Service) UpdateDocumentationVersion(ctx context.Context, in *apigateway.UpdateDocumentationVersionInput) (*apigateway.DocumentationVersion, error) {
	old, err := get(ctx, s, resource.RestDocumentVersions, resource.PartID(deref(in.RestApiId), deref(in.DocumentationVersion)), noDocumentVersion)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = documentVersionRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	return c.Value, putPart(ctx, s, resource.RestDocumentVersions, *c.Value.Version, &c)
}

// DeleteDocumentationVersion deletes a version of the documentation.
func (s *Service) DeleteDocumentationVersion(ctx context.Context, in *apigateway.DeleteDocumentationVersionInput) (*apigateway.DeleteDocumentationVersionOutput, error) {
	id := resource.PartID(deref(in.RestApiId), deref(in.DocumentationVersion))
	if _, err := get(ctx, s, resource.RestDocumentVersions, id, noDocumentVersion); err != nil {
		return nil, err
	}
	return &apigateway.DeleteDocumentationVersionOutput{}, remove(ctx, s, resource.RestDocumentVersions, id)
}

// tagged finds the tags of an ARN and returns a way to store others.
func (s *Service) tagged(ctx context.Context, name *string) (map[string]string, func(map[string]string) error, error) {
	a, err := arn.Parse(deref(name))
	if err != nil || a.Service != "apigateway" {
		return nil, nil, bad("ResourceArn", "Invalid ARN specified in the request")
	}
	p := strings.Split(strings.TrimPrefix(a.Resource, "/"), "/")
	switch {
	case p[0] == "restapis" && len(p) == 2:
		v, err := s.api(ctx, &p[1])
		if err != nil {
			return nil, nil, err
		}
		c := clone(v)
		return c.Value.Tags, func(t map[string]string) error { c.Value.Tags = t; return put(ctx, s, resource.RestAPIs, c.API, c) }, nil
	case p[0] == "restapis" && len(p) == 4 && p[2] == "stages":
		v, err := s.stage(ctx, &p[1], &p[3])
		if err != nil {
			return nil, nil, err
		}
		c := clone(v)
		return c.Value.Tags, func(t map[string]string) error {
			c.Value.Tags = t
			return putPart(ctx, s, resource.RestStages, p[3], c)
		}, nil
	case p[0] == "apikeys" && len(p) == 2:
		v, err := get(ctx, s, resource.GatewayKeys, p[1], noKey)
		if err != nil {
			return nil, nil, err
		}
		c := clone(v)
		return c.Tags, func(t map[string]string) error { c.Tags = t; return put(ctx, s, resource.GatewayKeys, p[1], c) }, nil
	case p[0] == "usageplans" && len(p) == 2:
		v, err := get(ctx, s, resource.GatewayUsagePlans, p[1], noUsagePlan)
		if err != nil {
			return nil, nil, err
		}
		c := clone(v)
		return c.Tags, func(t map[string]string) error { c.Tags = t; return put(ctx, s, resource.GatewayUsagePlans, p[1], c) }, nil
	case p[0] == "domainnames" && len(p) == 2:
		v, err := s.domain(ctx, &p[1])
		if err != nil {
			return nil, nil, err
		}
		c := clone(v)
		return c.Value.Tags, func(t map[string]string) error {
			c.Value.Tags = t
			return put(ctx, s, resource.GatewayDomains, p[1], c)
		}, nil
	}
	return nil, nil, notFound("Invalid Resource identifier specified")
}

// TagResource adds tags.
func (s *Service) TagResource(ctx context.Context, in *apigateway.TagResourceInput) (*apigateway.TagResourceOutput, error) {
	tags, set, err := s.tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if tags = maps.Clone(tags); tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, in.Tags)
	return &apigateway.TagResourceOutput{}, set(tags)
}

// UntagResource removes tags.
func (s *Service) UntagResource(ctx context.Context, in *apigateway.UntagResourceInput) (*apigateway.UntagResourceOutput, error) {
	tags, set, err := s.tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags = maps.Clone(tags)
	for _, k := range in.TagKeys {
		delete(tags, k)
	}
	return &apigateway.UntagResourceOutput{}, set(tags)
}

// GetTags lists tags.
func (s *Service) GetTags(ctx context.Context, in *apigateway.GetTagsInput) (*apigateway.GetTagsOutput, error) {
	tags, _, err := s.tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &apigateway.GetTagsOutput{Tags: tags}, nil
}
