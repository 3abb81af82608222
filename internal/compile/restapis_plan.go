package compile

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/gateway/rest"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// planBuilder makes the plan of one stage from the definition that its deployment keeps.
type planBuilder struct {
	*regionCompiler
	api         *apigateway.RestApi
	stage       *apigateway.Stage
	def         *resource.Definition
	variables   []rest.Variable
	authorizers map[string]*rest.Authorizer
}

// place names a property of a part of a definition. A part of a document has a place of its own, whose parts are not
// spelled as a template's are.
func place[T any](kind string, d resource.Defined[T], property string) string {
	if d.Source.LogicalID == "" || d.Place == "" {
		return SourcePath(&store.Record{Key: store.Key{Service: "apigateway", Kind: kind, ID: d.ID}, Source: d.Source}, property)
	}
	return "Resources." + d.Source.LogicalID + ".Properties." + d.Place
}

func (b *planBuilder) plan(apiRec, stageRec *store.Record) *rest.Plan {
	for _, name := range slices.Sorted(maps.Keys(b.stage.Variables)) {
		b.variables = append(b.variables, rest.Variable{Name: name, Value: b.stage.Variables[name]})
	}
	p := &rest.Plan{API: b.apiPlan(apiRec), Stage: b.stageSettings(stageRec)}
	methods := map[string][]rest.Method{}
	for _, d := range b.def.Methods {
		id := strings.Split(d.ID, "/")[1]
		methods[id] = append(methods[id], b.method(d))
	}
	for _, d := range b.def.Resources {
		p.Resources = append(p.Resources, rest.Resource{ID: *d.Value.Id, Path: *d.Value.Path, Methods: methods[*d.Value.Id], SourcePath: place("resource", d, "")})
	}
	for _, d := range b.def.GatewayResponses {
		status, _ := strconv.Atoi(text(d.Value.StatusCode))
		p.GatewayResponses = append(p.GatewayResponses, rest.GatewayResponse{Type: rest.ResponseType(*d.Value.ResponseType), StatusCode: status,
			Parameters: mappings(d.Value.ResponseParameters), Templates: templates(d.Value.ResponseTemplates), SourcePath: place("gateway-response", d, "")})
	}
	for _, d := range b.def.Models {
		p.Models = append(p.Models, rest.Model{Name: *d.Value.Name, ContentType: text(d.Value.ContentType), Schema: text(d.Value.Schema), SourcePath: place("model", d, "Schema")})
	}
	p.UsagePlans = b.usagePlans()
	return p
}

func (b *planBuilder) apiPlan(rec *store.Record) rest.API {
	v := b.def.API.Value
	a := rest.API{ID: *v.Id, Name: text(v.Name), Region: b.region, Account: b.env.Account, EndpointType: rest.Edge,
		DisableExecuteAPIEndpoint: v.DisableExecuteApiEndpoint != nil && *v.DisableExecuteApiEndpoint,
		BinaryMediaTypes:          v.BinaryMediaTypes, MinimumCompressionSize: -1, APIKeyFromAuthorizer: text(v.ApiKeySource) == "AUTHORIZER",
		PolicyPath: b.path(rec, "Policy"), SourcePath: b.path(rec, ""), KnownHosts: b.viewerHosts()}
	if e := b.api.EndpointConfiguration; e != nil && len(e.Types) > 0 {
		a.EndpointType = rest.EndpointType(e.Types[0])
	}
	if v.MinimumCompressionSize != nil {
		a.MinimumCompressionSize = int(*v.MinimumCompressionSize)
	}
	if policy := text(v.Policy); policy != "" {
		prefix := arn.ARN{Partition: arn.Partition(b.region), Service: "execute-api", Region: b.region, Account: b.env.Account, Resource: *v.Id}.String()
		d, err := iam.Parse([]byte(rest.ExpandPolicy(policy, prefix)))
		if err != nil {
			// The service has checked it; what cannot be read must not open the API.
			b.report(diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: a.PolicyPath, Message: "the resource policy cannot be read: " + err.Error(),
				Because: []string{"it counts as a policy that allows nothing"}})
			d = &iam.Document{Version: iam.Version2012}
		}
		a.Policy = d
	}
	return a
}

func (b *planBuilder) stageSettings(rec *store.Record) rest.StageSettings {
	st := b.stage
	s := rest.StageSettings{Name: *st.StageName, DeploymentID: text(st.DeploymentId), Variables: b.variables,
		TracingEnabled: st.TracingEnabled != nil && *st.TracingEnabled, SourcePath: b.path(rec, "")}
	if l := st.AccessLogSettings; l != nil {
		s.AccessLogFormat = text(l.Format)
	}
	for _, key := range slices.Sorted(maps.Keys(st.MethodSettings)) {
		i := strings.LastIndexByte(key, '/')
		if i < 0 {
			continue
		}
		s.MethodSettings = append(s.MethodSettings, methodSettings(key[:i], key[i+1:], st.MethodSettings[key], b.path(rec, "MethodSettings")))
	}
	return s
}

// The limits of an account, which stand in every method setting that says nothing of limits (facts: apigateway 8). On one
// node they mean nothing.
const accountRate, accountBurst = 10000, 5000

func methodSettings(path, method string, v *apigateway.MethodSetting, source string) rest.MethodSettings {
	path = strings.NewReplacer("~1", "/", "~0", "~").Replace(path)
	if path != "*" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	m := rest.MethodSettings{Path: path, Method: method, CachingEnabled: v.CachingEnabled != nil && *v.CachingEnabled,
		LoggingLevel: text(v.LoggingLevel), DataTrace: v.DataTraceEnabled != nil && *v.DataTraceEnabled, Metrics: v.MetricsEnabled != nil && *v.MetricsEnabled, SourcePath: source}
	if v.CacheTtlInSeconds != nil {
		m.CacheTTL = time.Duration(*v.CacheTtlInSeconds) * time.Second
	}
	rate, burst := float64(accountRate), int64(accountBurst)
	if v.ThrottlingRateLimit != nil {
		rate = *v.ThrottlingRateLimit
	}
	if v.ThrottlingBurstLimit != nil {
		burst = *v.ThrottlingBurstLimit
	}
	if (rate != accountRate || burst != accountBurst) && rate >= 0 && burst >= 0 {
		m.Throttle = &rest.Throttle{Rate: rate, Burst: int(burst)}
	}
	return m
}

func (b *planBuilder) method(d resource.Defined[apigateway.Method]) rest.Method {
	v := d.Value
	m := rest.Method{HTTPMethod: *v.HttpMethod, AuthorizationType: rest.AuthorizationType(text(v.AuthorizationType)), AuthorizationScopes: v.AuthorizationScopes,
		APIKeyRequired: v.ApiKeyRequired != nil && *v.ApiKeyRequired, SourcePath: place("method", d, "")}
	if id := text(v.AuthorizerId); id != "" && (m.AuthorizationType == rest.AuthCustom || m.AuthorizationType == rest.AuthCognito) {
		m.Authorizer = b.authorizer(id)
	}
	for _, name := range slices.Sorted(maps.Keys(v.RequestParameters)) {
		m.RequestParameters = append(m.RequestParameters, rest.RequestParameter{Name: name, Required: v.RequestParameters[name]})
	}
	m.RequestModels = models(v.RequestModels)
	for _, r := range b.def.Validators {
		if id := text(v.RequestValidatorId); id != "" && *r.Value.Id == id {
			m.ValidateBody = r.Value.ValidateRequestBody != nil && *r.Value.ValidateRequestBody
			m.ValidateParameters = r.Value.ValidateRequestParameters != nil && *r.Value.ValidateRequestParameters
		}
	}
	for _, status := range slices.Sorted(maps.Keys(v.MethodResponses)) {
		r := v.MethodResponses[status]
		m.Responses = append(m.Responses, rest.MethodResponse{StatusCode: status, Parameters: slices.Sorted(maps.Keys(r.ResponseParameters)), Models: models(r.ResponseModels)})
	}
	if v.MethodIntegration != nil {
		m.Integration = b.integration(d)
	}
	return m
}

func (b *planBuilder) integration(d resource.Defined[apigateway.Method]) *rest.Integration {
	v := d.Value.MethodIntegration
	in := &rest.Integration{Type: rest.IntegrationType(text(v.Type)), HTTPMethod: text(v.HttpMethod), URI: text(v.Uri), RequestParameters: mappings(v.RequestParameters),
		RequestTemplates: templates(v.RequestTemplates), Passthrough: rest.Passthrough(text(v.PassthroughBehavior)), ContentHandling: rest.ContentHandling(text(v.ContentHandling)),
		SourcePath: place("method", d, "Integration")}
	if v.TimeoutInMillis != nil {
		in.Timeout = time.Duration(*v.TimeoutInMillis) * time.Millisecond
	}
	if text(v.ConnectionType) == "VPC_LINK" {
		in.VPCLink = rest.ExpandStageVariables(text(v.ConnectionId), b.variables)
	}
	if in.Type == rest.IntegrationAWS || in.Type == rest.IntegrationAWSProxy {
		in.Function = b.function(in.URI)
	}
	in.Credentials = b.role(text(v.Credentials), place("method", d, "Integration.Credentials"))
	for _, status := range slices.Sorted(maps.Keys(v.IntegrationResponses)) {
		r := v.IntegrationResponses[status]
		in.Responses = append(in.Responses, rest.IntegrationResponse{StatusCode: status, SelectionPattern: text(r.SelectionPattern), Parameters: mappings(r.ResponseParameters),
			Templates: templates(r.ResponseTemplates), ContentHandling: rest.ContentHandling(text(r.ContentHandling)), SourcePath: place("method", d, "Integration.IntegrationResponses")})
	}
	b.integrationFindings(d)
	return in
}

// function finds the function of arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations (facts:
// apigateway 5); nil when the URI is that of another service.
func (b *planBuilder) function(uri string) *rest.Function {
	uri = rest.ExpandStageVariables(uri, b.variables)
	_, path, ok := strings.Cut(uri, ":lambda:path/")
	if !ok {
		return nil
	}
	_, name, ok := strings.Cut(path, "/functions/")
	if !ok {
		return nil
	}
	name = strings.TrimSuffix(name, "/invocations")
	name = strings.TrimSuffix(name, "/response-streaming-invocations")
	f := findFunction(b.functions, name)
	if f == nil {
		return &rest.Function{ARN: name, Missing: true}
	}
	return &rest.Function{ARN: name, Policy: f.Policy, SourcePath: f.SourcePath}
}

// callerCredentials stands for the credentials of the caller (AWS's reference PutIntegration).
const callerCredentials = "arn:aws:iam::*:user/*"

// role finds the role of an integration or authorizer, nil without one.
func (b *planBuilder) role(name, path string) *rest.Role {
	name = rest.ExpandStageVariables(name, b.variables)
	if name == "" {
		return nil
	}
	r := &rest.Role{ARN: name, SourcePath: path}
	if name == callerCredentials {
		return r
	}
	policies, trust, ok := b.rolePolicies(name)
	if !ok || trust == nil {
		return r
	}
	p := iam.ServicePrincipal("apigateway.amazonaws.com")
	r.Policies = policies
	r.Assumable = iam.EvaluateTrust(&iam.Request{Principal: &p, ResourcePolicy: &iam.NamedPolicy{Name: "trust policy", Document: trust},
		Action: "sts:AssumeRole", Resource: name, Account: b.env.Account,
		Context: iam.Context{"aws:sourceaccount": {b.env.Account}}}).Allowed()
	return r
}

// defaultAuthorizerTTL is that of an authorizer that says nothing (facts: apigateway 9).
const defaultAuthorizerTTL = 300

// authorizer makes an authorizer once, so that methods share its cache.
func (b *planBuilder) authorizer(id string) *rest.Authorizer {
	if a := b.authorizers[id]; a != nil {
		return a
	}
	for _, d := range b.def.Authorizers {
		v := d.Value
		if *v.Id != id {
			continue
		}
		ttl := int64(defaultAuthorizerTTL)
		if v.AuthorizerResultTtlInSeconds != nil {
			ttl = *v.AuthorizerResultTtlInSeconds
		}
		a := &rest.Authorizer{ID: id, Name: text(v.Name), Type: text(v.Type), Validation: text(v.IdentityValidationExpression), TTL: time.Duration(ttl) * time.Second,
			ProviderARNs: v.ProviderARNs, Credentials: b.role(text(v.AuthorizerCredentials), place("authorizer", d, "AuthorizerCredentials")), SourcePath: place("authorizer", d, "")}
		for s := range strings.SplitSeq(text(v.IdentitySource), ",") {
			if s = strings.TrimSpace(s); s != "" {
				a.IdentitySource = append(a.IdentitySource, s)
			}
		}
		if a.Type != "COGNITO_USER_POOLS" {
			a.Function = b.function(text(v.AuthorizerUri))
		}
		b.authorizers[id] = a
		return a
	}
	return nil
}

// usagePlans are those that the stage is in.
func (b *planBuilder) usagePlans() []rest.UsagePlan {
	var out []rest.UsagePlan
	for rec, v := range resource.GatewayUsagePlans.All(b.view, b.region) {
		i := slices.IndexFunc(v.ApiStages, func(s *apigateway.ApiStage) bool {
			return text(s.ApiId) == *b.api.Id && text(s.Stage) == *b.stage.StageName
		})
		if i < 0 {
			continue
		}
		p := rest.UsagePlan{ID: *v.Id, Throttle: throttle(v.Throttle), SourcePath: b.path(rec, "")}
		for _, key := range slices.Sorted(maps.Keys(v.ApiStages[i].Throttle)) {
			at := strings.LastIndexByte(key, '/')
			if t := throttle(v.ApiStages[i].Throttle[key]); t != nil && at >= 0 {
				p.MethodThrottle = append(p.MethodThrottle, rest.MethodThrottle{Path: key[:at], Method: key[at+1:], Throttle: *t})
			}
		}
		if q := v.Quota; q != nil && q.Limit != nil {
			p.Quota = &rest.Quota{Limit: int(*q.Limit), Period: text(q.Period)}
			if q.Offset != nil {
				p.Quota.Offset = int(*q.Offset)
			}
		}
		for _, k := range resource.GatewayUsagePlanKeys.All(b.view, b.region) {
			if key, ok := resource.GatewayKeys.Get(b.view, b.region, k.KeyID); ok && k.PlanID == *v.Id {
				p.Keys = append(p.Keys, rest.APIKey{ID: *key.Id, Value: text(key.Value), Enabled: key.Enabled != nil && *key.Enabled})
			}
		}
		out = append(out, p)
	}
	return out
}

func throttle(t *apigateway.ThrottleSettings) *rest.Throttle {
	if t == nil || t.RateLimit == nil && t.BurstLimit == nil {
		return nil
	}
	out := &rest.Throttle{Rate: accountRate, Burst: accountBurst}
	if t.RateLimit != nil {
		out.Rate = *t.RateLimit
	}
	if t.BurstLimit != nil {
		out.Burst = int(*t.BurstLimit)
	}
	return out
}

func mappings(m map[string]string) []rest.Mapping {
	var out []rest.Mapping
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, rest.Mapping{Target: k, Source: m[k]})
	}
	return out
}

func templates(m map[string]string) []rest.TemplateFor {
	var out []rest.TemplateFor
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, rest.TemplateFor{ContentType: k, Template: m[k]})
	}
	return out
}

func models(m map[string]string) []rest.RequestModel {
	var out []rest.RequestModel
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, rest.RequestModel{ContentType: k, Model: m[k]})
	}
	return out
}
