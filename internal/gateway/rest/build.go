package rest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/vtl"
)

// integration is an integration with what was computed for it.
type integration struct {
	*Integration
	uri              string
	timeout          time.Duration
	requestParams    []requestMapping
	templates        []template
	responses        []*integrationResponse
	permittedMethods []string
	roleAllows       bool
}

// requestMapping sets a parameter of the integration's request.
type requestMapping struct {
	where  sourceKind
	name   string
	source source
}

func (in *integration) lambda() bool {
	return in.Type == IntegrationAWS || in.Type == IntegrationAWSProxy
}

// requestTemplate finds the template of a content type; false means 415 (facts: apigateway 6).
func (in *integration) requestTemplate(contentType string) (*template, bool) {
	for _, want := range [...]string{contentType, "$default"} {
		for i := range in.templates {
			if in.templates[i].contentType == want {
				return &in.templates[i], true
			}
		}
	}
	switch in.Passthrough {
	case Never:
		return nil, false
	case WhenNoTemplates:
		return nil, len(in.templates) == 0
	}
	return nil, true
}

// integrationResponse is an integration response with what was computed for it.
type integrationResponse struct {
	*IntegrationResponse
	status    int
	pattern   *regexp.Regexp // nil for the default, or one that cannot be used
	params    []responseParam
	templates []template
}

func (r *integrationResponse) template(accept string) *template {
	return pickTemplate(r.templates, accept)
}

// selectResponse finds the response whose pattern matches the whole of s, or the default.
func (in *integration) selectResponse(s string) (*integrationResponse, Reason) {
	for _, r := range in.responses {
		if r.pattern != nil && r.pattern.MatchString(s) {
			return r, reasonSelected
		}
	}
	for _, r := range in.responses {
		if r.SelectionPattern == "" {
			return r, reasonDefaultResponse
		}
	}
	return nil, reasonNoResponse
}

// builder makes a Stage and gathers findings.
type builder struct {
	s        *Stage
	findings []diag.Finding
}

// Build makes the stage of a plan. Its findings are about settings that it cannot honour or that will fail at run time;
// the stage serves nevertheless, and answers requests that need them with an error.
func Build(p *Plan, fx Effects) (*Stage, []diag.Finding) {
	api := &p.API
	s := &Stage{plan: p, fx: fx, responses: map[ResponseType]*gatewayResponse{}, keys: map[string]*clientKey{},
		authorizers: map[*Authorizer]*lambdaAuthorizer{}, methods: map[methodKey]*method{}, variables: vtl.NewMap()}
	b := &builder{s: s}
	s.arnPrefix = arn.ARN{Partition: arn.Partition(api.Region), Service: "execute-api", Region: api.Region,
		Account: api.Account, Resource: api.ID + "/" + p.Stage.Name + "/"}.String()
	if api.Policy != nil {
		s.policy = &iam.NamedPolicy{Name: "resource policy", Document: api.Policy}
	}
	s.verifier = sigv4.NewVerifier(sigv4.Options{Service: "execute-api", Region: api.Region, Dialect: sigv4.ExecuteAPI,
		Lookup: s.lookupKey, Now: fx.Now})
	s.signatureHosts = append([]string{api.ID + gateway.DefaultSuffix(api.Region)}, api.KnownHosts...)
	for _, m := range api.BinaryMediaTypes {
		s.binary = append(s.binary, strings.ToLower(strings.ReplaceAll(m, "~1", "/")))
	}
	s.accessLog = parseLogFormat(p.Stage.AccessLogFormat)
	b.variables()
	b.usagePlans()
	for i := range p.GatewayResponses {
		b.gatewayResponse(&p.GatewayResponses[i])
	}
	models := b.models()
	for i := range p.Resources {
		r := &resource{plan: &p.Resources[i]}
		for j := range r.plan.Methods {
			m := b.method(r.plan, &r.plan.Methods[j], models)
			s.methods[methodKey{r.plan.Path, m.HTTPMethod}] = m
			if m.HTTPMethod == "ANY" {
				r.any = m
			} else {
				r.methods = append(r.methods, m)
			}
		}
		if len(r.plan.Methods) > 0 {
			s.root.add(r.plan.Path, r)
		}
	}
	return s, b.findings
}

func (s *Stage) lookupKey(id string) (sigv4.Key, bool) {
	i, ok := s.fx.Identities().Lookup(id)
	if !ok {
		return sigv4.Key{}, false
	}
	return sigv4.Key{Secret: i.Secret, SessionToken: i.SessionToken, Expires: i.Expires}, true
}

func (b *builder) find(code diag.Code, severity diag.Severity, path, message string) {
	b.findings = append(b.findings, diag.Finding{Code: code, Severity: severity, Path: path, Message: message})
}

func (b *builder) variables() {
	vars := b.s.plan.Stage.Variables
	if len(vars) == 0 {
		b.s.variablesJSON = []byte("null")
		return
	}
	out := []byte{'{'}
	for i, v := range vars {
		b.s.variables.Put(v.Name, v.Value)
		out = vtl.AppendJSONString(appendKey(out, v.Name, i > 0), v.Value)
	}
	b.s.variablesJSON = append(out, '}')
}

func (b *builder) usagePlans() {
	for i := range b.s.plan.UsagePlans {
		p := &b.s.plan.UsagePlans[i]
		for _, k := range p.Keys {
			c := &clientKey{APIKey: k, plan: p}
			if p.Throttle != nil {
				c.bucket = newBucket(*p.Throttle)
			}
			if p.Quota != nil {
				c.quota = &quota{plan: p.Quota}
			}
			b.s.keys[k.Value] = c
		}
	}
}

// models compiles the schemas and reports those that cannot be used.
func (b *builder) models() map[string]bodyModel {
	schemas, broken := b.s.compileModels()
	out := map[string]bodyModel{}
	for _, m := range b.s.plan.Models {
		out[m.Name] = bodyModel{name: m.Name, schema: schemas[m.Name], path: m.SourcePath}
		if err := broken[m.Name]; err != nil {
			b.find(diag.InvalidParameter, diag.Error, m.SourcePath,
				"model "+strconv.Quote(m.Name)+" cannot be used: "+err.Error())
		}
	}
	return out
}

func (b *builder) templates(list []TemplateFor, path string) []template {
	var out []template
	for _, t := range list {
		c := template{contentType: t.ContentType}
		if t.ContentType != "$default" {
			c.contentType = mediaType(t.ContentType)
		}
		if c.tmpl, c.err = vtl.Parse(t.Template); c.err != nil {
			b.find(diag.InvalidParameter, diag.Error, path, "mapping template of "+t.ContentType+": "+c.err.Error())
		}
		out = append(out, c)
	}
	return out
}

func (b *builder) responseParams(list []Mapping, prefix, path string) []responseParam {
	var out []responseParam
	for _, m := range list {
		name, ok := strings.CutPrefix(m.Target, prefix)
		src, err := b.s.parseSource(m.Source)
		if !ok || err != nil {
			b.find(diag.InvalidParameter, diag.Error, path, "response parameter "+strconv.Quote(m.Target)+" from "+
				strconv.Quote(m.Source)+" cannot be used")
			continue
		}
		out = append(out, responseParam{name, src})
	}
	return out
}

func (b *builder) gatewayResponse(g *GatewayResponse) {
	b.s.responses[g.Type] = &gatewayResponse{GatewayResponse: g, templates: b.templates(g.Templates, g.SourcePath),
		params: b.responseParams(g.Parameters, "gatewayresponse.header.", g.SourcePath)}
}

func (b *builder) method(r *Resource, p *Method, models map[string]bodyModel) *method {
	m := &method{Method: p, required: p.requiredParams()}
	for _, rm := range p.RequestModels {
		model, ok := models[rm.Model]
		if !ok {
			if rm.Model == "Empty" {
				continue // the Empty model takes anything
			}
			model = bodyModel{name: rm.Model, path: p.SourcePath}
			if p.ValidateBody {
				b.find(diag.InvalidParameter, diag.Error, p.SourcePath, "model "+strconv.Quote(rm.Model)+" does not exist")
			}
		}
		model.contentType = rm.ContentType
		if model.contentType != "$default" {
			model.contentType = mediaType(rm.ContentType)
		}
		m.models = append(m.models, model)
	}
	b.limits(r, m)
	if p.Integration != nil {
		m.integration = b.integration(r, m, p.Integration)
	}
	if p.Authorizer != nil && p.AuthorizationType == AuthCustom {
		b.authorizer(p.Authorizer)
	}
	if p.AuthorizationType == AuthCognito {
		b.find(diag.UnsupportedProperty, diag.Error, p.SourcePath,
			"authorization type COGNITO_USER_POOLS is not honoured: every request gets 401")
	}
	return m
}

// limits finds the most specific method settings, and usage plans' limits for the method.
func (b *builder) limits(r *Resource, m *method) {
	best := 0
	settings := b.s.plan.Stage.MethodSettings
	for i := range settings {
		c := &settings[i]
		score := 1
		switch c.Path {
		case r.Path:
			score += 2
		case "*":
		default:
			continue
		}
		switch c.Method {
		case m.HTTPMethod:
			score++
		case "*":
		default:
			continue
		}
		if score <= best {
			continue
		}
		best = score
		m.bucket, m.settingsPath, m.caching = nil, c.SourcePath, nil
		if c.Throttle != nil {
			m.bucket = newBucket(*c.Throttle)
		}
		if c.CachingEnabled {
			m.caching = c
		}
	}
	for i := range b.s.plan.UsagePlans {
		u := &b.s.plan.UsagePlans[i]
		for _, t := range u.MethodThrottle {
			if t.Path == r.Path && (t.Method == m.HTTPMethod || t.Method == "*") {
				if m.planBuckets == nil {
					m.planBuckets = map[string]*bucket{}
				}
				m.planBuckets[u.ID] = newBucket(t.Throttle)
			}
		}
	}
}

func (b *builder) integration(r *Resource, m *method, p *Integration) *integration {
	in := &integration{Integration: p, timeout: p.Timeout, templates: b.templates(p.RequestTemplates, p.SourcePath)}
	in.uri = ExpandStageVariables(p.URI, b.s.plan.Stage.Variables)
	if in.timeout == 0 {
		in.timeout = defaultTimeout
	}
	for _, rp := range p.RequestParameters {
		if mapping, ok := b.requestMapping(rp); ok {
			in.requestParams = append(in.requestParams, mapping)
		} else {
			b.find(diag.InvalidParameter, diag.Error, p.SourcePath, "request parameter "+strconv.Quote(rp.Target)+" from "+
				strconv.Quote(rp.Source)+" cannot be used")
		}
	}
	for i := range p.Responses {
		in.responses = append(in.responses, b.integrationResponse(&p.Responses[i]))
	}
	b.permissions(r, m, in)
	if in.lambda() && p.Function == nil {
		b.find(diag.UnsupportedProperty, diag.Error, p.SourcePath,
			"integration with "+in.uri+" is not honoured: of AWS services only Lambda is called")
	}
	return in
}

func (b *builder) requestMapping(p Mapping) (requestMapping, bool) {
	src, err := b.s.parseSource(p.Source)
	if err != nil {
		return requestMapping{}, false
	}
	for _, c := range [...]struct {
		prefix string
		where  sourceKind
	}{
		{"integration.request.header.", fromHeader}, {"integration.request.querystring.", fromQuery},
		{"integration.request.path.", fromPath},
	} {
		if name, ok := strings.CutPrefix(p.Target, c.prefix); ok {
			return requestMapping{c.where, name, src}, true
		}
	}
	return requestMapping{}, false
}

func (b *builder) integrationResponse(p *IntegrationResponse) *integrationResponse {
	r := &integrationResponse{IntegrationResponse: p, templates: b.templates(p.Templates, p.SourcePath),
		params: b.responseParams(p.Parameters, "method.response.header.", p.SourcePath)}
	status, err := strconv.Atoi(p.StatusCode)
	if err != nil || status < 100 || status > 599 {
		b.find(diag.InvalidParameter, diag.Error, p.SourcePath, "status code "+strconv.Quote(p.StatusCode)+" is none")
		status = 500
	}
	r.status = status
	if p.SelectionPattern != "" {
		if r.pattern, err = regexp.Compile(`\A(?:` + p.SelectionPattern + `)\z`); err != nil {
			b.find(diag.InvalidParameter, diag.Error, p.SourcePath,
				"selection pattern "+strconv.Quote(p.SelectionPattern)+" cannot be used: "+err.Error())
		}
	}
	return r
}

// permissions decides now which methods may call the function: it depends on nothing that a request brings.
func (b *builder) permissions(r *Resource, m *method, in *integration) {
	f := in.Function
	if f == nil {
		return
	}
	if c := in.Credentials; c != nil {
		if c.ARN != callerCredentials && c.Assumable {
			id := roleIdentity(c)
			in.roleAllows = id != nil && b.s.identityMayInvoke(id, f)
		}
		return
	}
	methods := []string{m.HTTPMethod}
	if m.HTTPMethod == "ANY" {
		methods = anyMethods
	}
	for _, name := range methods {
		if b.s.servicePermits(f, b.s.sourceARN(name, r.Path)) {
			in.permittedMethods = append(in.permittedMethods, name)
		}
	}
	if len(in.permittedMethods) == 0 && !f.Missing {
		b.find(diag.PermissionMissing, diag.Error, m.SourcePath, "function "+f.ARN+
			" does not let API Gateway call it from "+b.s.sourceARN(m.HTTPMethod, r.Path)+": requests get 500")
	}
	in.permittedMethods = slices.Clip(in.permittedMethods)
}

func (b *builder) authorizer(p *Authorizer) {
	if b.s.authorizers[p] != nil {
		return
	}
	a := &lambdaAuthorizer{Authorizer: p, cache: &grantCache{}}
	b.s.authorizers[p] = a
	for _, expr := range p.IdentitySource {
		src, err := b.s.parseSource(strings.TrimSpace(expr))
		if err != nil {
			a.broken = true
			b.find(diag.InvalidParameter, diag.Error, p.SourcePath, "identity source "+strconv.Quote(expr)+" cannot be used")
		}
		a.sources = append(a.sources, src)
	}
	if p.Validation != "" {
		var err error
		if a.validation, err = regexp.Compile(`\A(?:` + p.Validation + `)\z`); err != nil {
			a.broken = true
			b.find(diag.InvalidParameter, diag.Error, p.SourcePath,
				"identity validation expression "+strconv.Quote(p.Validation)+" cannot be used: "+err.Error())
		}
	}
	switch {
	case p.Function == nil:
	case p.Credentials != nil:
		id := roleIdentity(p.Credentials)
		a.allowed = p.Credentials.Assumable && id != nil && b.s.identityMayInvoke(id, p.Function)
	default:
		// arn:…:api/authorizers/id (AWS's permission examples for authorizers).
		source := strings.TrimSuffix(b.s.arnPrefix, b.s.plan.Stage.Name+"/") + "authorizers/" + p.ID
		a.allowed = b.s.servicePermits(p.Function, source)
		if !a.allowed && !p.Function.Missing {
			b.find(diag.PermissionMissing, diag.Error, p.SourcePath, "function "+p.Function.ARN+
				" does not let API Gateway call it as "+source+": requests get 500")
		}
	}
}
