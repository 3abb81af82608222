package apigateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template"
)

// The prefix of API Gateway's extensions (facts: apigateway 12).
const ext = "x-amazon-apigateway-"

const badDocument = "Invalid OpenAPI input."

// ImportRestApi makes an API of an OpenAPI document. Unlike CreateRestApi it adds no models (test_import_and_validate_rest_api,
// recorded from AWS by localstack).
func (s *Service) ImportRestApi(ctx context.Context, in *apigateway.ImportRestApiInput) (*apigateway.RestApi, error) {
	doc, err := readDocument(in.Body)
	if err != nil {
		return nil, err
	}
	c := &apigateway.CreateRestApiInput{Name: new(scalar(doc.Get("info").Get("title")))}
	if t := in.Parameters["endpointConfigurationTypes"]; t != "" {
		c.EndpointConfiguration = &apigateway.EndpointConfiguration{Types: []string{t}}
	}
	api, err := s.CreateRestApi(ctx, c)
	if err != nil {
		return nil, err
	}
	v, err := s.importInto(ctx, &importer{api: *api.Id, doc: doc, overwrite: true, parameters: in.Parameters, strict: deref(in.FailOnWarnings)})
	if err != nil {
		if _, drop := s.DeleteRestApi(ctx, &apigateway.DeleteRestApiInput{RestApiId: api.Id}); drop != nil {
			return nil, drop
		}
		return nil, err
	}
	return v, nil
}

// PutRestApi reads an OpenAPI document into an API that exists: in mode overwrite it replaces the whole definition, in mode
// merge (the default) what the document has.
func (s *Service) PutRestApi(ctx context.Context, in *apigateway.PutRestApiInput) (*apigateway.RestApi, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	doc, err := readDocument(in.Body)
	if err != nil {
		return nil, err
	}
	return s.importInto(ctx, &importer{api: *in.RestApiId, doc: doc, overwrite: deref(in.Mode) == "overwrite", parameters: in.Parameters, strict: deref(in.FailOnWarnings)})
}

// readDocument reads JSON or YAML and checks that it is an OpenAPI document (test_import_api_bad_file).
func readDocument(body []byte) (*template.Value, error) {
	doc, problem := template.Read("Body", body, template.Limits{Bytes: 6 << 20})
	if problem != nil {
		return nil, bad("Body", badDocument, problem.Error())
	}
	if doc.Kind != template.Map || doc.Get("swagger") == nil && doc.Get("openapi") == nil {
		return nil, bad("Body", badDocument, "the document has neither swagger nor openapi")
	}
	return doc, nil
}

// importer reads one document into one API.
type importer struct {
	*Service
	api        string
	doc        *template.Value
	overwrite  bool
	parameters map[string]string
	// strict makes warnings errors.
	strict   bool
	warnings []string
	v        *apigateway.RestApi
	// authorizers by the name of their security scheme, validators by name.
	authorizers, validators map[string]string
}

// warn notes what is left out; place is where in the document.
func (m *importer) warn(at *template.Value, format string, args ...any) {
	m.warnings = append(m.warnings, m.place(at)+": "+fmt.Sprintf(format, args...))
}

// place is the path of a value of the document within the API's properties.
func (m *importer) place(v *template.Value) string {
	if p := v.Path(); p != "" {
		return "Body." + p
	}
	return "Body"
}

func (s *Service) importInto(ctx context.Context, m *importer) (*apigateway.RestApi, error) {
	m.Service = s
	m.authorizers, m.validators = map[string]string{}, map[string]string{}
	old, err := s.api(ctx, &m.api)
	if err != nil {
		return nil, err
	}
	m.v = clone(old.Value)
	for _, step := range []func(context.Context) error{m.clear, m.settings, m.readModels, m.readValidators, m.readAuthorizers, m.readResponses, m.readPaths} {
		if err := step(ctx); err != nil {
			return nil, m.failed(err)
		}
	}
	if m.strict && len(m.warnings) > 0 {
		return nil, bad("Body", "Warnings found during import:\n\t"+strings.Join(m.warnings, "\n\t"))
	}
	if err := put(ctx, s, resource.RestAPIs, m.api, &resource.RestPart[apigateway.RestApi]{API: m.api, Place: old.Place, Value: m.v}); err != nil {
		return nil, err
	}
	out := *m.v
	out.Warnings = m.warnings
	return &out, nil
}

// failed puts an error into the words of an import.
func (m *importer) failed(err error) error {
	e := awsapi.AsError(err)
	if strings.HasPrefix(e.Message, "Errors found") {
		return err
	}
	path := ""
	if e.Finding != nil {
		path = e.Finding.Path
	}
	if !strings.HasPrefix(path, "Body") {
		path = "Body"
	}
	return bad(path, "Errors found during import:\n\t"+e.Message)
}

// at makes an error about a part of the document.
func (m *importer) at(v *template.Value, what string, err error) error {
	if err == nil {
		return nil
	}
	e := awsapi.AsError(err)
	var because []string
	if e.Finding != nil {
		because = e.Finding.Because
	}
	return bad(m.place(v), "Errors found during import:\n\t"+what+": "+e.Message, because...)
}

// clear removes what the document replaces. The root stays, since its id is what others refer to.
func (m *importer) clear(ctx context.Context) error {
	if !m.overwrite {
		return nil
	}
	_, err := m.env.Store.Update(ctx, func(tx *store.Tx) error {
		r := region(ctx)
		m.dropResources(ctx, tx, m.api, func(path string) bool { return path != "/" })
		dropParts(tx, resource.RestMethods, r, m.api)
		dropParts(tx, resource.RestModels, r, m.api)
		dropParts(tx, resource.RestValidators, r, m.api)
		dropParts(tx, resource.RestAuthorizers, r, m.api)
		dropParts(tx, resource.RestGatewayResponses, r, m.api)
		return nil
	})
	return err
}

// settings reads what concerns the API as a whole.
func (m *importer) settings(context.Context) error {
	info := m.doc.Get("info")
	if t := scalar(info.Get("title")); t != "" {
		m.v.Name = &t
	}
	if t := scalar(info.Get("version")); t != "" {
		m.v.Version = &t
	}
	if t := scalar(info.Get("description")); t != "" {
		m.v.Description = &t
	}
	if list := m.doc.Get(ext + "binary-media-types"); list != nil {
		if m.overwrite {
			m.v.BinaryMediaTypes = nil
		}
		for _, t := range list.Items {
			if !slices.Contains(m.v.BinaryMediaTypes, t.Text) {
				m.v.BinaryMediaTypes = append(m.v.BinaryMediaTypes, t.Text)
			}
		}
	}
	if t := m.doc.Get(ext + "minimum-compression-size"); t.IsScalar() {
		n, err := int64Of(t)
		if err != nil || n < 0 || n > maxCompression {
			return bad(m.place(t), badCompression)
		}
		m.v.MinimumCompressionSize = &n
	}
	if t := scalar(m.doc.Get(ext + "api-key-source")); t != "" {
		m.v.ApiKeySource = new(strings.ToUpper(t))
	}
	if p := m.doc.Get(ext + "policy"); p != nil {
		m.v.Policy = new(string(p.AppendJSON(nil)))
		if err := checkPolicy(m.v.Policy); err != nil {
			return m.at(p, "Unable to set policy", err)
		}
	}
	m.endpoint()
	for _, f := range m.doc.Fields {
		if strings.HasPrefix(f.Key, ext) && !slices.Contains(knownExtensions, strings.TrimPrefix(f.Key, ext)) {
			m.warn(f.Value, "%s is not honoured", f.Key)
		}
	}
	return nil
}

// knownExtensions are those of the top level that are read, or that change nothing that is served.
var knownExtensions = []string{"binary-media-types", "minimum-compression-size", "api-key-source", "policy", "endpoint-configuration", "request-validators",
	"request-validator", "gateway-responses", "documentation", "importexport-version", "integrations", "endpoint-access-mode", "security-policy"}

// endpoint reads the endpoint's configuration, which OpenAPI 3 may have in its servers.
func (m *importer) endpoint() {
	if t := m.parameters["endpointConfigurationTypes"]; t != "" {
		m.v.EndpointConfiguration = &apigateway.EndpointConfiguration{Types: []string{t}, IpAddressType: m.v.EndpointConfiguration.IpAddressType}
	}
	configs := []*template.Value{m.doc.Get(ext + "endpoint-configuration")}
	if servers := m.doc.Get("servers"); servers != nil {
		for _, s := range servers.Items {
			configs = append(configs, s.Get(ext+"endpoint-configuration"))
		}
	}
	for _, c := range configs {
		if t := scalar(c.Get("disableExecuteApiEndpoint")); t != "" {
			m.v.DisableExecuteApiEndpoint = new(t == "true")
		}
		if ids := c.Get("vpcEndpointIds"); ids != nil {
			m.v.EndpointConfiguration = clone(m.v.EndpointConfiguration)
			m.v.EndpointConfiguration.VpcEndpointIds = texts(ids)
		}
	}
}

// schemas returns where the document has its models.
func (m *importer) schemas() *template.Value {
	if d := m.doc.Get("definitions"); d != nil {
		return d
	}
	return m.doc.Get("components").Get("schemas")
}

func (m *importer) readModels(ctx context.Context) error {
	schemas := m.schemas()
	if schemas == nil {
		return nil
	}
	for _, f := range schemas.Fields {
		if !modelName.MatchString(f.Key) {
			m.warn(f.Value, "the model's name %q has other characters than letters and digits", f.Key)
			continue
		}
		if err := m.storeModel(ctx, f.Key, f.Value); err != nil {
			return m.at(f.Value, "Unable to create model "+f.Key, err)
		}
	}
	return nil
}

// storeModel stores a schema as a model; references lead to other models of the API (test_import_with_circular_models).
func (m *importer) storeModel(ctx context.Context, name string, schema *template.Value) error {
	text := string(schema.AppendJSON(nil))
	base := `"$ref":"https://apigateway.amazonaws.com/restapis/` + m.api + `/models/`
	text = strings.NewReplacer(`"$ref":"#/definitions/`, base, `"$ref":"#/components/schemas/`, base).Replace(text)
	v := &apigateway.Model{Name: &name, ContentType: new("application/json"), Schema: &text}
	if d := scalar(schema.Get("description")); d != "" {
		v.Description = &d
	}
	if _, ok := resource.RestModels.Get(m.env.Store.Read(ctx), region(ctx), resource.PartID(m.api, name)); ok {
		if err := remove(ctx, m.Service, resource.RestModels, resource.PartID(m.api, name)); err != nil {
			return err
		}
	}
	return m.addModel(ctx, m.api, v, m.place(schema))
}

func (m *importer) readValidators(ctx context.Context) error {
	for _, p := range parts(ctx, m.Service, resource.RestValidators, &m.api) {
		m.validators[*p.Value.Name] = *p.Value.Id
	}
	list := m.doc.Get(ext + "request-validators")
	if list == nil {
		return nil
	}
	for _, f := range list.Fields {
		v := &apigateway.RequestValidator{Name: new(f.Key), ValidateRequestBody: new(scalar(f.Value.Get("validateRequestBody")) == "true"),
			ValidateRequestParameters: new(scalar(f.Value.Get("validateRequestParameters")) == "true")}
		if err := m.addValidator(ctx, m.api, v, m.place(f.Value)); err != nil {
			return m.at(f.Value, "Unable to create request validator "+f.Key, err)
		}
		m.validators[f.Key] = *v.Id
	}
	return nil
}

func (m *importer) readAuthorizers(ctx context.Context) error {
	for _, p := range parts(ctx, m.Service, resource.RestAuthorizers, &m.api) {
		m.authorizers[*p.Value.Name] = *p.Value.Id
	}
	for _, f := range m.schemes() {
		a := f.Value.Get(ext + "authorizer")
		if a == nil || m.authorizers[f.Key] != "" {
			continue
		}
		v, err := m.authorizer(f.Key, f.Value, a)
		if err == nil {
			err = m.addAuthorizer(ctx, m.api, v, m.place(f.Value))
		}
		if err != nil {
			return m.at(a, "Unable to create authorizer "+f.Key, err)
		}
		m.authorizers[f.Key] = *v.Id
	}
	return nil
}

// schemes are the document's security schemes.
func (m *importer) schemes() []template.Field {
	d := m.doc.Get("securityDefinitions")
	if d == nil {
		d = m.doc.Get("components").Get("securitySchemes")
	}
	if d == nil {
		return nil
	}
	return d.Fields
}

func (m *importer) authorizer(name string, scheme, a *template.Value) (*apigateway.Authorizer, error) {
	v := &apigateway.Authorizer{Name: &name, Type: new(strings.ToUpper(scalar(a.Get("type"))))}
	if t := a.Get("authorizerResultTtlInSeconds"); t.IsScalar() {
		n, err := int64Of(t)
		if err != nil {
			return nil, bad("", "Invalid authorizer result TTL: "+t.Text)
		}
		v.AuthorizerResultTtlInSeconds = &n
	}
	for key, to := range map[string]**string{"authorizerUri": &v.AuthorizerUri, "authorizerCredentials": &v.AuthorizerCredentials,
		"identitySource": &v.IdentitySource, "identityValidationExpression": &v.IdentityValidationExpression} {
		if t := scalar(a.Get(key)); t != "" {
			*to = &t
		}
	}
	if list := a.Get("providerARNs"); list != nil {
		v.ProviderARNs = texts(list)
	}
	if v.IdentitySource == nil && *v.Type != "REQUEST" {
		v.IdentitySource = new("method.request.header." + scalar(scheme.Get("name")))
	}
	if t := scalar(scheme.Get(ext + "authtype")); t != "" {
		v.AuthType = &t
	}
	return v, nil
}

func (m *importer) readResponses(ctx context.Context) error {
	list := m.doc.Get(ext + "gateway-responses")
	if list == nil {
		return nil
	}
	for _, f := range list.Fields {
		v := &apigateway.GatewayResponse{ResponseType: new(f.Key), ResponseParameters: textMap(f.Value.Get("responseParameters")), ResponseTemplates: textMap(f.Value.Get("responseTemplates"))}
		if t := scalar(f.Value.Get("statusCode")); t != "" {
			v.StatusCode = &t
		}
		if err := m.addGatewayResponse(ctx, m.api, v, m.place(f.Value)); err != nil {
			return m.at(f.Value, "Unable to put gateway response "+f.Key, err)
		}
	}
	return nil
}
