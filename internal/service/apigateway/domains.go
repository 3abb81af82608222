package apigateway

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
)

// The hosted zone of CloudFront distributions, which edge-optimized domains lead to (facts: apigateway 2).
const edgeHostedZone = "Z2FDTNDATAQYW2"

// regionalHostedZone stands for the zone of a region's API Gateway. On AWS each region has its own; those of the common
// regions are from AWS's general reference, others get the first.
var regionalHostedZone = map[string]string{
	"us-east-1": "Z1UJRXOUMOOFQ8", "us-east-2": "ZOJJZC49E0EPZ", "us-west-1": "Z2MUQ32089INYE", "us-west-2": "Z2OJLYMUO9EFXC",
	"eu-west-1": "ZLY8HYME6SFDD", "eu-west-2": "ZJ5UAJN8Y3Z2Q", "eu-central-1": "Z1U9ULNL0V5AJ3", "ap-northeast-1": "Z1YSHQZHG15GKL",
	"ap-southeast-1": "ZL327KTPIQFUL", "ap-southeast-2": "Z2RPCDW04V8134",
}

var domainPattern = regexp.MustCompile(`^(?:\*\.)?(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9-]+$`)

// CreateDomainName makes a custom domain (facts: apigateway 2).
func (s *Service) CreateDomainName(ctx context.Context, in *apigateway.CreateDomainNameInput) (*apigateway.DomainName, error) {
	name := strings.ToLower(deref(in.DomainName))
	if !domainPattern.MatchString(name) {
		return nil, bad("DomainName", "Invalid domain name identifier specified") // text: our memory of AWS's
	}
	for _, d := range resource.GatewayDomains.Everywhere(s.env.Store.Read(ctx)) {
		if *d.Value.DomainName == name {
			return nil, bad("DomainName", "The domain name you provided already exists.", "a custom domain is there once in a region, an edge-optimized one once in the world")
		}
	}
	endpoint := in.EndpointConfiguration
	if endpoint == nil || len(endpoint.Types) == 0 {
		endpoint = &apigateway.EndpointConfiguration{Types: []string{"EDGE"}}
	}
	v := &apigateway.DomainName{DomainName: &name, CertificateName: in.CertificateName, CertificateArn: in.CertificateArn, RegionalCertificateName: in.RegionalCertificateName,
		RegionalCertificateArn: in.RegionalCertificateArn, EndpointConfiguration: endpoint, DomainNameStatus: new("AVAILABLE"), SecurityPolicy: or(in.SecurityPolicy, "TLS_1_2"),
		EndpointAccessMode: in.EndpointAccessMode, Tags: in.Tags, OwnershipVerificationCertificateArn: in.OwnershipVerificationCertificateArn, Policy: in.Policy, RoutingMode: in.RoutingMode,
		DomainNameArn: new(gatewayARN(ctx, "/domainnames/"+name))}
	if m := in.MutualTlsAuthentication; m != nil {
		v.MutualTlsAuthentication = &apigateway.MutualTlsAuthentication{TruststoreUri: m.TruststoreUri, TruststoreVersion: m.TruststoreVersion}
	}
	if err := s.completeDomain(ctx, v); err != nil {
		return nil, err
	}
	return v, put(ctx, s, resource.GatewayDomains, name, &resource.GatewayDomain{Value: v})
}

// completeDomain checks the certificates and gives the domain its targets.
func (s *Service) completeDomain(ctx context.Context, v *apigateway.DomainName) error {
	for _, t := range v.EndpointConfiguration.Types {
		switch t {
		case "REGIONAL", "PRIVATE":
			if v.RegionalCertificateArn == nil && v.RegionalCertificateName == nil && t == "REGIONAL" {
				if v.CertificateArn != nil {
					return bad("RegionalCertificateArn", "Cannot specify a certificate for an edge-optimized domain name when the endpoint type is REGIONAL.", "use RegionalCertificateArn") // text: our words
				}
				return bad("RegionalCertificateArn", "A regional certificate is required for a regional domain name.") // text: our words
			}
			if err := s.checkCertificate(ctx, certificateUse{"RegionalCertificateArn", deref(v.RegionalCertificateArn), region(ctx), *v.DomainName}); err != nil {
				return err
			}
			if v.RegionalDomainName == nil {
				id := s.env.NewID(ctx, service.ID{Kind: "regional-domain", Prefix: "d-", Alphabet: service.Lower, Length: 10}, nil)
				v.RegionalDomainName = new(id + ".execute-api." + region(ctx) + suffix(region(ctx)))
				zone, ok := regionalHostedZone[region(ctx)]
				if !ok {
					zone = regionalHostedZone["us-east-1"]
				}
				v.RegionalHostedZoneId = &zone
			}
		case "EDGE":
			if v.CertificateArn == nil && v.CertificateName == nil {
				return bad("CertificateArn", "A certificate is required for an edge-optimized domain name.") // text: our words
			}
			if err := s.checkCertificate(ctx, certificateUse{"CertificateArn", deref(v.CertificateArn), "us-east-1", *v.DomainName}); err != nil {
				return err
			}
			if v.DistributionDomainName == nil {
				id := s.env.NewID(ctx, service.ID{Kind: "edge-domain", Prefix: "d", Alphabet: service.Lower, Length: 13}, nil)
				v.DistributionDomainName, v.DistributionHostedZoneId = new(id+".cloudfront.net"), new(edgeHostedZone)
			}
		default:
			return bad("EndpointConfiguration.Types", "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
		}
	}
	return nil
}

func suffix(region string) string {
	if arn.Partition(region) == "aws-cn" {
		return ".amazonaws.com.cn"
	}
	return ".amazonaws.com"
}

// certificateUse is a certificate as a domain wants it.
type certificateUse struct{ path, arn, region, domain string }

// checkCertificate checks region and names of a certificate that is known. Edge-optimized domains need one of us-east-1
// (facts: apigateway 2).
func (s *Service) checkCertificate(ctx context.Context, u certificateUse) error {
	if u.arn == "" {
		return nil
	}
	a, err := arn.Parse(u.arn)
	if err != nil || a.Service != "acm" && a.Service != "iam" {
		return bad(u.path, "Invalid certificate ARN: "+u.arn) // text: our words
	}
	if a.Service == "acm" && a.Region != u.region {
		return bad(u.path, "Invalid certificate ARN: "+u.arn+". Certificate must be in '"+u.region+"'.",
			"the certificate is in "+a.Region) // text: our memory of AWS's
	}
	names, known := resource.CertificateNames(s.env.Store.Read(ctx), u.arn)
	if known && !slices.ContainsFunc(names, func(n string) bool { return covers(strings.ToLower(n), u.domain) }) {
		return bad(u.path, "The domain name to be created is not covered by the provided certificate.",
			"the certificate is for "+strings.Join(names, ", ")) // text: our memory of AWS's
	}
	return nil
}

// covers tells whether a certificate's name stands for a host: a wildcard for one label (rfc6125 6.4.3).
func covers(name, host string) bool {
	if name == host {
		return true
	}
	suffix, ok := strings.CutPrefix(name, "*")
	_, rest, cut := strings.Cut(host, ".")
	return ok && cut && suffix == "."+rest
}

func (s *Service) domain(ctx context.Context, name *string) (*resource.GatewayDomain, error) {
	return get(ctx, s, resource.GatewayDomains, strings.ToLower(deref(name)), noDomain)
}

// GetDomainName returns a custom domain.
func (s *Service) GetDomainName(ctx context.Context, in *apigateway.GetDomainNameInput) (*apigateway.DomainName, error) {
	v, err := s.domain(ctx, in.DomainName)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetDomainNames lists the custom domains of the region.
func (s *Service) GetDomainNames(ctx context.Context, in *apigateway.GetDomainNamesInput) (*apigateway.GetDomainNamesOutput, error) {
	var all []*apigateway.DomainName
	for _, d := range resource.GatewayDomains.All(s.env.Store.Read(ctx), region(ctx)) {
		all = append(all, d.Value)
	}
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetDomainNamesOutput{Items: items, Position: next}, nil
}

// UpdateDomainName changes a custom domain.
func (s *Service) UpdateDomainName(ctx context.Context, in *apigateway.UpdateDomainNameInput) (*apigateway.DomainName, error) {
	old, err := s.domain(ctx, in.DomainName)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = domainRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := s.completeDomain(ctx, c.Value); err != nil {
		return nil, err
	}
	return c.Value, put(ctx, s, resource.GatewayDomains, *c.Value.DomainName, &c)
}

// DeleteDomainName deletes a custom domain with its mappings.
func (s *Service) DeleteDomainName(ctx context.Context, in *apigateway.DeleteDomainNameInput) (*apigateway.DeleteDomainNameOutput, error) {
	v, err := s.domain(ctx, in.DomainName)
	if err != nil {
		return nil, err
	}
	name := *v.Value.DomainName
	for rec, m := range resource.GatewayMappings.All(s.env.Store.Read(ctx), region(ctx)) {
		if m.Domain == name {
			if err := remove(ctx, s, resource.GatewayMappings, rec.Key.ID); err != nil {
				return nil, err
			}
		}
	}
	return &apigateway.DeleteDomainNameOutput{}, remove(ctx, s, resource.GatewayDomains, name)
}

// noBasePath is what the API calls the mapping of everything else.
const noBasePath = "(none)"

var basePath = regexp.MustCompile(`^[A-Za-z0-9$\-_.+!*'()]+$`)

// CreateBasePathMapping makes a path of a domain lead to an API.
func (s *Service) CreateBasePathMapping(ctx context.Context, in *apigateway.CreateBasePathMappingInput) (*apigateway.BasePathMapping, error) {
	d, err := s.domain(ctx, in.DomainName)
	if err != nil {
		return nil, err
	}
	v := &apigateway.BasePathMapping{BasePath: or(in.BasePath, noBasePath), RestApiId: in.RestApiId, Stage: in.Stage}
	if *v.BasePath == "" {
		v.BasePath = new(noBasePath)
	}
	if err := s.checkMapping(ctx, v); err != nil {
		return nil, err
	}
	id := *d.Value.DomainName + "/" + *v.BasePath
	if _, ok := resource.GatewayMappings.Get(s.env.Store.Read(ctx), region(ctx), id); ok {
		return nil, conflict("BasePath", "Base path already exists for this domain name")
	}
	return v, put(ctx, s, resource.GatewayMappings, id, &resource.GatewayMapping{Domain: *d.Value.DomainName, Value: v})
}

func (s *Service) checkMapping(ctx context.Context, v *apigateway.BasePathMapping) error {
	if *v.BasePath != noBasePath && !basePath.MatchString(*v.BasePath) {
		return bad("BasePath", "API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path mapping, use API Gateway V2.")
	}
	if _, err := s.api(ctx, v.RestApiId); err != nil {
		return bad("RestApiId", "Invalid REST API identifier specified")
	}
	if deref(v.Stage) != "" {
		if _, err := s.stage(ctx, v.RestApiId, v.Stage); err != nil {
			return bad("Stage", "Invalid stage identifier specified")
		}
	}
	return nil
}

func (s *Service) mapping(ctx context.Context, domain, path *string) (*resource.GatewayMapping, error) {
	if _, err := s.domain(ctx, domain); err != nil {
		return nil, err
	}
	p := or(path, noBasePath)
	if *p == "" {
		p = new(noBasePath)
	}
	return get(ctx, s, resource.GatewayMappings, strings.ToLower(*domain)+"/"+*p, noMapping)
}

// GetBasePathMapping returns a mapping.
func (s *Service) GetBasePathMapping(ctx context.Context, in *apigateway.GetBasePathMappingInput) (*apigateway.BasePathMapping, error) {
	v, err := s.mapping(ctx, in.DomainName, in.BasePath)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetBasePathMappings lists the mappings of a domain.
func (s *Service) GetBasePathMappings(ctx context.Context, in *apigateway.GetBasePathMappingsInput) (*apigateway.GetBasePathMappingsOutput, error) {
	d, err := s.domain(ctx, in.DomainName)
	if err != nil {
		return nil, err
	}
	var all []*apigateway.BasePathMapping
	for _, m := range resource.GatewayMappings.All(s.env.Store.Read(ctx), region(ctx)) {
		if m.Domain == *d.Value.DomainName {
			all = append(all, m.Value)
		}
	}
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetBasePathMappingsOutput{Items: items, Position: next}, nil
}

// UpdateBasePathMapping changes a mapping; its base path may change as well.
func (s *Service) UpdateBasePathMapping(ctx context.Context, in *apigateway.UpdateBasePathMappingInput) (*apigateway.BasePathMapping, error) {
	old, err := s.mapping(ctx, in.DomainName, in.BasePath)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = mappingRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := s.checkMapping(ctx, c.Value); err != nil {
		return nil, err
	}
	if *c.Value.BasePath != *old.Value.BasePath {
		if err := remove(ctx, s, resource.GatewayMappings, c.Domain+"/"+*old.Value.BasePath); err != nil {
			return nil, err
		}
	}
	return c.Value, put(ctx, s, resource.GatewayMappings, c.Domain+"/"+*c.Value.BasePath, &c)
}

// DeleteBasePathMapping deletes a mapping.
func (s *Service) DeleteBasePathMapping(ctx context.Context, in *apigateway.DeleteBasePathMappingInput) (*apigateway.DeleteBasePathMappingOutput, error) {
	v, err := s.mapping(ctx, in.DomainName, in.BasePath)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteBasePathMappingOutput{}, remove(ctx, s, resource.GatewayMappings, v.Domain+"/"+*v.Value.BasePath)
}
