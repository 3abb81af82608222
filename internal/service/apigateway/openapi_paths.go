package apigateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

func scalar(v *template.Value) string {
	if v.IsScalar() {
		return v.Text
	}
	return ""
}

func int64Of(v *template.Value) (int64, error) { return strconv.ParseInt(v.Text, 10, 64) }

func texts(v *template.Value) []string {
	var out []string
	for _, i := range v.Items {
		out = append(out, i.Text)
	}
	return out
}

// textMap reads a map of strings, nil for none.
func textMap(v *template.Value) map[string]string {
	if v == nil || v.Kind != template.Map {
		return nil
	}
	out := map[string]string{}
	for _, f := range v.Fields {
		out[f.Key] = f.Value.Text
	}
	return out
}

// basePath returns what the parameter basepath says of a document's base path (AWS's guide, api-gateway-import-api-basePath):
// ignore it, put it before all paths, or the same without its first part.
func (m *importer) basePath() string {
	base := scalar(m.doc.Get("basePath"))
	if s := m.doc.Get("servers"); s != nil && len(s.Items) > 0 {
		server := scalar(s.Items[0].Get("url"))
		if vars := s.Items[0].Get("variables"); vars != nil {
			for _, f := range vars.Fields {
				server = strings.ReplaceAll(server, "{"+f.Key+"}", strings.Trim(scalar(f.Value.Get("default")), "/"))
			}
		}
		if u, err := url.Parse(server); err == nil {
			base = u.Path
		}
	}
	base = strings.Trim(base, "/")
	switch m.parameters["basepath"] {
	case "prepend":
	case "split":
		_, base, _ = strings.Cut(base, "/")
	default:
		return ""
	}
	if base == "" {
		return ""
	}
	return "/" + base
}

func (m *importer) readPaths(ctx context.Context) error {
	paths := m.doc.Get("paths")
	if paths == nil {
		return nil
	}
	base := m.basePath()
	for _, f := range paths.Fields {
		if strings.HasPrefix(f.Key, "x-") {
			continue
		}
		r, err := m.path(ctx, base+f.Key, f.Value)
		if err != nil {
			return m.at(f.Value, "Unable to create resource at path '"+f.Key+"'", err)
		}
		for _, op := range f.Value.Fields {
			name := strings.ToUpper(op.Key)
			if op.Key == ext+"any-method" {
				name = "ANY"
			}
			if !slices.Contains(httpMethods, name) || op.Key == "any" {
				continue
			}
			if err := m.operation(ctx, &operation{resource: r, name: name, doc: op.Value, path: f.Value}); err != nil {
				return m.at(op.Value, "Unable to put method '"+name+"' on resource at path '"+base+f.Key+"'", err)
			}
		}
	}
	return nil
}

// path makes the resources of a path, as far as they are not there, and returns the last.
func (m *importer) path(ctx context.Context, path string, at *template.Value) (*apigateway.Resource, error) {
	all := parts(ctx, m.Service, resource.RestResources, &m.api)
	find := func(path string) *resource.RestPart[apigateway.Resource] {
		i := slices.IndexFunc(all, func(p *resource.RestPart[apigateway.Resource]) bool { return *p.Value.Path == path })
		if i < 0 {
			return nil
		}
		return all[i]
	}
	here := find("/")
	if here == nil {
		return nil, notFound(noResource)
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		next := find(joinPath(*here.Value.Path, part))
		if next == nil {
			v, err := m.addResource(ctx, here, part, m.place(at))
			if err != nil {
				return nil, err
			}
			next = &resource.RestPart[apigateway.Resource]{API: m.api, Value: v}
		}
		here = next
	}
	return here.Value, nil
}

// operation is a method of a path in the document.
type operation struct {
	resource  *apigateway.Resource
	name      string
	doc, path *template.Value
	v         *apigateway.Method
}

func (m *importer) operation(ctx context.Context, op *operation) error {
	op.v = &apigateway.Method{HttpMethod: &op.name, AuthorizationType: new("NONE"), ApiKeyRequired: new(false)}
	if id := scalar(op.doc.Get("operationId")); id != "" {
		op.v.OperationName = &id
	}
	m.security(op)
	m.validatorOf(op)
	if err := m.parametersOf(ctx, op); err != nil {
		return err
	}
	if err := m.responsesOf(ctx, op); err != nil {
		return err
	}
	if err := m.integrationOf(op); err != nil {
		return err
	}
	if err := m.checkMethod(ctx, m.api, op.v); err != nil {
		return err
	}
	id := *op.resource.Id + "/" + op.name
	return putPart(ctx, m.Service, resource.RestMethods, id, &resource.RestPart[apigateway.Method]{API: m.api, Place: m.place(op.doc), Value: op.v})
}

// security reads who may call the method. Security of the whole document counts where an operation has none
// (test_import_with_global_api_key_authorizer, recorded from AWS by localstack).
func (m *importer) security(op *operation) {
	list := op.doc.Get("security")
	if list == nil {
		list = m.doc.Get("security")
	}
	if a := op.doc.Get(ext + "auth"); strings.EqualFold(scalar(a.Get("type")), "AWS_IAM") {
		op.v.AuthorizationType = new("AWS_IAM")
	}
	if list == nil {
		return
	}
	for _, alternative := range list.Items {
		for _, f := range alternative.Fields {
			m.scheme(op, f)
		}
	}
}

func (m *importer) scheme(op *operation, use template.Field) {
	i := slices.IndexFunc(m.schemes(), func(f template.Field) bool { return f.Key == use.Key })
	if i < 0 {
		if id := m.authorizers[use.Key]; id != "" { // an authorizer of an earlier import
			op.v.AuthorizationType, op.v.AuthorizerId = new("CUSTOM"), &id
			return
		}
		m.warn(use.Value, "there is no security scheme %q: it is left out", use.Key)
		return
	}
	s := m.schemes()[i].Value
	switch id := m.authorizers[use.Key]; {
	case id != "":
		op.v.AuthorizationType, op.v.AuthorizerId = new("CUSTOM"), &id
		if strings.EqualFold(scalar(s.Get(ext+"authorizer").Get("type")), "cognito_user_pools") {
			op.v.AuthorizationType = new("COGNITO_USER_POOLS")
			if scopes := texts(use.Value); len(scopes) > 0 {
				op.v.AuthorizationScopes = scopes
			}
		}
	case strings.EqualFold(scalar(s.Get(ext+"authtype")), "awsSigv4"):
		op.v.AuthorizationType = new("AWS_IAM")
	case scalar(s.Get("type")) == "apiKey" && strings.EqualFold(scalar(s.Get("name")), "x-api-key"):
		op.v.ApiKeyRequired = new(true)
	default:
		m.warn(s, "security scheme %q has no authorizer: methods that name it are open", use.Key)
	}
}

func (m *importer) validatorOf(op *operation) {
	name := scalar(op.doc.Get(ext + "request-validator"))
	if name == "" {
		name = scalar(m.doc.Get(ext + "request-validator"))
	}
	if id := m.validators[name]; id != "" {
		op.v.RequestValidatorId = &id
	}
}

// resolve follows a $ref within the document.
func (m *importer) resolve(v *template.Value) *template.Value {
	for range 8 {
		ref, ok := strings.CutPrefix(scalar(v.Get("$ref")), "#/")
		if !ok {
			return v
		}
		at := m.doc
		for _, step := range splitPointer("/" + ref) {
			at = at.Get(step)
		}
		if at == nil {
			return v
		}
		v = at
	}
	return v
}

// parametersOf reads the parameters of a path and an operation, and the models of its body.
func (m *importer) parametersOf(ctx context.Context, op *operation) error {
	for _, list := range []*template.Value{op.path.Get("parameters"), op.doc.Get("parameters")} {
		if list == nil {
			continue
		}
		for _, p := range list.Items {
			p = m.resolve(p)
			where, name := scalar(p.Get("in")), scalar(p.Get("name"))
			switch where {
			case "query":
				where = "querystring"
			case "header", "path":
			case "body":
				if err := m.bodyModel(ctx, op, p.Get("schema"), m.mediaTypes(op, "consumes")); err != nil {
					return err
				}
				continue
			default:
				continue
			}
			if op.v.RequestParameters == nil {
				op.v.RequestParameters = map[string]bool{}
			}
			op.v.RequestParameters["method.request."+where+"."+name] = scalar(p.Get("required")) == "true" || where == "path"
		}
	}
	// A path's variables are required even when the document does not name them (test_import_and_validate_rest_api).
	for part := range strings.SplitSeq(*op.resource.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			if op.v.RequestParameters == nil {
				op.v.RequestParameters = map[string]bool{}
			}
			op.v.RequestParameters["method.request.path."+strings.TrimSuffix(strings.TrimSuffix(name, "}"), "+")] = true
		}
	}
	body := m.resolve(op.doc.Get("requestBody"))
	if content := body.Get("content"); content != nil {
		for _, f := range content.Fields {
			if err := m.bodyModel(ctx, op, f.Value.Get("schema"), []string{f.Key}); err != nil {
				return err
			}
		}
	}
	return nil
}

// mediaTypes are those of Swagger 2's consumes or produces.
func (m *importer) mediaTypes(op *operation, key string) []string {
	for _, v := range []*template.Value{op.doc.Get(key), m.doc.Get(key)} {
		if v != nil && len(v.Items) > 0 {
			return texts(v)
		}
	}
	return []string{"application/json"}
}

func (m *importer) bodyModel(ctx context.Context, op *operation, schema *template.Value, types []string) error {
	name, err := m.modelOf(ctx, schema)
	if err != nil || name == "" {
		return err
	}
	if op.v.RequestModels == nil {
		op.v.RequestModels = map[string]string{}
	}
	for _, t := range types {
		op.v.RequestModels[t] = name
	}
	return nil
}

// modelOf returns the model of a schema; one that is written in place becomes a model of its own.
func (m *importer) modelOf(ctx context.Context, schema *template.Value) (string, error) {
	if schema == nil {
		return "", nil
	}
	ref := scalar(schema.Get("$ref"))
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		name := ref[i+1:]
		if _, ok := resource.RestModels.Get(m.env.Store.Read(ctx), region(ctx), resource.PartID(m.api, name)); !ok {
			m.warn(schema, "there is no model %q", name)
			return "", nil
		}
		return name, nil
	}
	sum := sha256.Sum256(schema.AppendJSON(nil))
	name := "MODEL" + hex.EncodeToString(sum[:3])
	return name, m.storeModel(ctx, name, schema)
}

func (m *importer) responsesOf(ctx context.Context, op *operation) error {
	list := op.doc.Get("responses")
	if list == nil {
		return nil
	}
	for _, f := range list.Fields {
		if f.Key == "default" || strings.HasPrefix(f.Key, "x-") {
			continue
		}
		doc := m.resolve(f.Value)
		r := &apigateway.MethodResponse{StatusCode: new(f.Key)}
		if h := doc.Get("headers"); h != nil {
			r.ResponseParameters = map[string]bool{}
			for _, g := range h.Fields {
				r.ResponseParameters["method.response.header."+g.Key] = false
			}
		}
		schemas := map[string]*template.Value{}
		if content := doc.Get("content"); content != nil {
			for _, g := range content.Fields {
				schemas[g.Key] = g.Value.Get("schema")
			}
		} else if s := doc.Get("schema"); s != nil {
			for _, t := range m.mediaTypes(op, "produces") {
				schemas[t] = s
			}
		}
		for _, t := range sortedKeys(schemas) {
			name, err := m.modelOf(ctx, schemas[t])
			if err != nil {
				return err
			}
			if name != "" {
				if r.ResponseModels == nil {
					r.ResponseModels = map[string]string{}
				}
				r.ResponseModels[t] = name
			}
		}
		if op.v.MethodResponses == nil {
			op.v.MethodResponses = map[string]*apigateway.MethodResponse{}
		}
		op.v.MethodResponses[f.Key] = r
	}
	return nil
}

func (m *importer) integrationOf(op *operation) error {
	doc := m.resolve(op.doc.Get(ext + "integration"))
	if doc == nil {
		return nil
	}
	v := &apigateway.Integration{Type: new(strings.ToUpper(scalar(doc.Get("type")))), PassthroughBehavior: new("WHEN_NO_MATCH"), TimeoutInMillis: new(int64(29000)),
		CacheNamespace: op.resource.Id, CacheKeyParameters: []string{}, RequestParameters: textMap(doc.Get("requestParameters")), RequestTemplates: textMap(doc.Get("requestTemplates"))}
	for key, to := range map[string]**string{"uri": &v.Uri, "credentials": &v.Credentials, "connectionId": &v.ConnectionId, "cacheNamespace": &v.CacheNamespace,
		"integrationTarget": &v.IntegrationTarget} {
		if t := scalar(doc.Get(key)); t != "" {
			*to = &t
		}
	}
	for key, to := range map[string]**string{"httpMethod": &v.HttpMethod, "passthroughBehavior": &v.PassthroughBehavior, "contentHandling": &v.ContentHandling,
		"connectionType": &v.ConnectionType, "responseTransferMode": &v.ResponseTransferMode} {
		if t := scalar(doc.Get(key)); t != "" {
			*to = new(strings.ToUpper(t))
		}
	}
	if *v.Type == "MOCK" {
		v.HttpMethod, v.Uri = nil, nil // recorded: a mock has neither
	}
	if strings.HasPrefix(*v.Type, "HTTP") && v.ConnectionType == nil {
		v.ConnectionType = new("INTERNET")
	}
	if t := doc.Get("timeoutInMillis"); t.IsScalar() {
		n, err := int64Of(t)
		if err != nil {
			return bad(m.place(t), "Invalid timeoutInMillis: "+t.Text)
		}
		v.TimeoutInMillis = &n
	}
	if list := doc.Get("cacheKeyParameters"); list != nil {
		v.CacheKeyParameters = texts(list)
	}
	if t := doc.Get("tlsConfig"); t != nil {
		v.TlsConfig = &apigateway.TlsConfig{InsecureSkipVerification: new(scalar(t.Get("insecureSkipVerification")) == "true")}
	}
	// AWS drops values that are no mapping expressions (test_import_rest_api_with_base_path_oas30).
	for _, target := range sortedKeys(v.RequestParameters) {
		if !mappingExpression(v.RequestParameters[target]) {
			m.warn(doc, "request parameter %s from %q is left out: it is no mapping expression", target, v.RequestParameters[target])
			delete(v.RequestParameters, target)
		}
	}
	m.integrationResponses(v, doc.Get("responses"))
	if err := checkIntegration(v); err != nil {
		return err
	}
	op.v.MethodIntegration = v
	return nil
}

// integrationResponses reads responses by their selection pattern; "default" has none.
func (m *importer) integrationResponses(v *apigateway.Integration, list *template.Value) {
	if list == nil {
		return
	}
	v.IntegrationResponses = map[string]*apigateway.IntegrationResponse{}
	for _, f := range list.Fields {
		r := &apigateway.IntegrationResponse{StatusCode: new(scalar(f.Value.Get("statusCode"))), ResponseParameters: textMap(f.Value.Get("responseParameters")),
			ResponseTemplates: textMap(f.Value.Get("responseTemplates"))}
		if f.Key != "default" {
			r.SelectionPattern = new(f.Key)
		}
		if t := scalar(f.Value.Get("contentHandling")); t != "" {
			r.ContentHandling = &t
		}
		v.IntegrationResponses[*r.StatusCode] = r
	}
}
