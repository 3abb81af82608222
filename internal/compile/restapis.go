package compile

import (
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/gateway/rest"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// restAPIs makes the API Gateway of every region that has one, and of the region that env names, which answers 403 to
// everything when nothing is deployed (facts: apigateway 1).
func (c *compiler) restAPIs() {
	fx := c.gatewayEffects()
	c.regions = map[string]*gateway.Regional{}
	regions := map[string]bool{c.env.Region: true}
	for rec := range resource.RestAPIs.Everywhere(c.view) {
		regions[rec.Key.Region] = true
	}
	for rec := range resource.GatewayDomains.Everywhere(c.view) {
		regions[rec.Key.Region] = true
	}
	stages := map[string]*rest.Stage{}
	for _, name := range slices.Sorted(maps.Keys(regions)) {
		g := &regionCompiler{compiler: c, region: name, fx: fx, stages: stages, reported: map[string]bool{}}
		g.compile()
	}
	c.env.Gateway.keep(stages)
}

// regionCompiler makes the gateway of one region.
type regionCompiler struct {
	*compiler
	region string
	fx     *gatewayEffects
	// stages of all regions, by ARN, for the next compilation.
	stages map[string]*rest.Stage
	// stageNames lists the stages of an API.
	stageNames map[string][]string
	// reported has the findings that another stage of the same deployment gave already.
	reported map[string]bool
}

func (g *regionCompiler) compile() {
	plan := &gateway.Plan{Region: g.region, Account: g.env.Account, Effects: g.fx}
	g.stageNames = map[string][]string{}
	var endpoints []front.Endpoint
	for rec, v := range resource.RestAPIs.All(g.view, g.region) {
		var stages []*rest.Stage
		for stageRec, st := range resource.RestStages.All(g.view, g.region) {
			if st.API != v.API {
				continue
			}
			if s := g.stage(rec, v.Value, stageRec, st.Value); s != nil {
				stages = append(stages, s)
				g.stageNames[v.API] = append(g.stageNames[v.API], s.Name())
			}
		}
		plan.APIs = append(plan.APIs, rest.NewService(rest.APIInfo{ID: v.API, SourcePath: g.path(rec, "")}, g.fx, stages...))
		e := front.Endpoint{LogicalID: rec.Source.LogicalID, Type: "AWS::ApiGateway::RestApi", ID: v.API, Hosts: []string{v.API + gateway.DefaultSuffix(g.region)}}
		if len(stages) == 1 {
			e.Path = "/" + stages[0].Name()
		}
		endpoints = append(endpoints, e)
		g.apiFindings(rec, v.Value)
	}
	plan.Domains = g.domains()
	regional := gateway.New(plan)
	g.regions[g.region] = regional
	g.names(regional, endpoints)
}

// names makes the region's names lead to it.
func (g *regionCompiler) names(h message.Handler, endpoints []front.Endpoint) {
	service := "apigateway " + g.region
	wildcard := "*" + gateway.DefaultSuffix(g.region)
	own := front.Site{Handler: h, Service: service, Certificate: &front.Certificate{ID: wildcard, Names: []string{wildcard}}, TLS: securityPolicies["TLS_1_0"]}
	g.claim(g.front.Name(wildcard, own), "")
	for rec, v := range resource.RestAPIs.All(g.view, g.region) {
		if p := deref(v.Value.SecurityPolicy); p != "" && p != "TLS_1_0" { // the default (AG-apigateway-security-policies-list)
			own.TLS = securityPolicies[p]
			g.claim(g.front.Name(v.API+gateway.DefaultSuffix(g.region), own), g.path(rec, "SecurityPolicy"))
		}
	}
	for _, e := range endpoints {
		g.front.Endpoint(e)
	}
	for rec, d := range resource.GatewayDomains.All(g.view, g.region) {
		v := d.Value
		site := front.Site{Handler: h, Service: service, Certificate: g.certificates[domainCertificate(v)], TLS: securityPolicies[deref(v.SecurityPolicy)]}
		g.claim(g.front.Alias(*v.DomainName, site), g.path(rec, "DomainName"))
		if target := text(v.DistributionDomainName); target != "" {
			// An edge-optimized domain's target is a CloudFront of AWS's, which leads to the API.
			g.claim(g.front.Name(target, site), g.path(rec, "DomainName"))
		}
		kind := "AWS::ApiGateway::DomainName"
		if d.V2 {
			kind = "AWS::ApiGatewayV2::DomainName"
		}
		g.front.Endpoint(front.Endpoint{LogicalID: rec.Source.LogicalID, Type: kind, ID: *v.DomainName, Hosts: []string{*v.DomainName}})
	}
}

func (g *regionCompiler) claim(err error, path string) {
	if err != nil {
		g.report(diag.Finding{Code: diag.UnknownHost, Severity: diag.Warning, Path: path, Message: err.Error()})
	}
}

func domainCertificate(v *apigateway.DomainName) string {
	if a := text(v.RegionalCertificateArn); a != "" {
		return a
	}
	return text(v.CertificateArn)
}

// domains makes the custom domains with their mappings.
func (g *regionCompiler) domains() []gateway.Domain {
	var out []gateway.Domain
	for rec, d := range resource.GatewayDomains.All(g.view, g.region) {
		v := d.Value
		edge := v.EndpointConfiguration != nil && slices.Contains(v.EndpointConfiguration.Types, "EDGE")
		dom := gateway.Domain{Name: *v.DomainName, EdgeOptimized: edge, SourcePath: g.path(rec, "")}
		for mrec, m := range resource.GatewayMappings.All(g.view, g.region) {
			if m.Domain == *v.DomainName {
				dom.Mappings = append(dom.Mappings, g.mappings(mrec, m.Value)...)
			}
		}
		out = append(out, dom)
		g.domainFindings(rec, v)
	}
	return out
}

// mappings makes the mapping of a base path. One without a stage takes the stage from the next part of the path (AWS's
// reference CreateBasePathMapping), so it becomes one for each stage.
func (g *regionCompiler) mappings(rec *store.Record, v *apigateway.BasePathMapping) []gateway.Mapping {
	base := strings.Trim(text(v.BasePath), "/")
	if base == "(none)" {
		base = ""
	}
	m := gateway.Mapping{BasePath: base, APIID: text(v.RestApiId), Stage: text(v.Stage), SourcePath: g.path(rec, "")}
	if m.Stage != "" {
		return []gateway.Mapping{m}
	}
	var out []gateway.Mapping
	for _, stage := range g.stageNames[m.APIID] {
		s := m
		s.Stage, s.BasePath = stage, strings.TrimPrefix(base+"/"+stage, "/")
		out = append(out, s)
	}
	return out
}

// stage makes a stage, nil when its deployment is not there.
func (g *regionCompiler) stage(apiRec *store.Record, api *apigateway.RestApi, rec *store.Record, st *apigateway.Stage) *rest.Stage {
	id := *api.Id
	d, ok := resource.RestDeployments.Get(g.view, g.region, resource.PartID(id, text(st.DeploymentId)))
	if !ok {
		g.report(diag.Finding{Code: diag.InvalidParameter, Severity: diag.Error, Path: g.path(rec, "DeploymentId"),
			Message: "stage " + *st.StageName + " has no deployment: it is left out"})
		return nil
	}
	b := &planBuilder{regionCompiler: g, api: api, stage: st, def: &d.Definition, authorizers: map[string]*rest.Authorizer{}}
	s, found := rest.Build(b.plan(apiRec, rec), g.fx)
	for _, f := range found {
		g.once(f)
	}
	g.stageFindings(rec, st)
	name := arn.ARN{Partition: arn.Partition(g.region), Service: "apigateway", Region: g.region, Resource: "/restapis/" + id + "/stages/" + *st.StageName}.String()
	s.Adopt(g.env.Gateway.previous()[name])
	g.stages[name] = s
	return s
}

// once reports a finding unless the same was reported.
func (g *regionCompiler) once(f diag.Finding) {
	key := string(f.Code) + "\x00" + f.Path + "\x00" + f.Message
	if !g.reported[key] {
		g.reported[key] = true
		g.report(f)
	}
}

// text returns what p points at.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
