package rest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foregate/foregate/internal/trace"
)

// requiredParam is a required parameter of a method.
type requiredParam struct {
	full, name string
	kind       sourceKind
}

// bodyModel is the schema of a content type; schema is nil when the model cannot be used.
type bodyModel struct {
	contentType string
	name        string
	schema      *jsonschema.Schema
	path        string
}

func (m *Method) requiredParams() []requiredParam {
	if !m.ValidateParameters {
		return nil
	}
	var out []requiredParam
	for _, p := range m.RequestParameters {
		if !p.Required {
			continue
		}
		for _, s := range sources {
			if name, ok := strings.CutPrefix(p.Name, s.prefix); ok {
				out = append(out, requiredParam{p.Name, name, s.kind})
				break
			}
		}
	}
	// AWS's message names them in the order of their whole names (test_apigateway_common, recorded by localstack).
	slices.SortFunc(out, func(a, b requiredParam) int { return strings.Compare(a.full, b.full) })
	return out
}

// validate checks parameters, then the body (facts: apigateway 3, 7).
func (x *exchange) validate() (phaseID, Reason) {
	if x.method.caching != nil && x.hop != nil {
		x.hop.Fact(trace.Unsupported, "cachingEnabled", "responses are not cached", x.method.caching.SourcePath)
	}
	if !x.method.ValidateParameters && !x.method.ValidateBody {
		return phaseIntegrationRequest, reasonNoValidator
	}
	if missing := x.missingParams(); missing != "" {
		return x.refuse(reasonParameters, fault{kind: BadRequestParameters, status: 400, errorType: "BadRequestException",
			message: "Missing required request parameters: [" + missing + "]", spaced: true})
	}
	if !x.method.ValidateBody {
		return phaseIntegrationRequest, reasonValid
	}
	m := x.model()
	if m == nil {
		// A content type without a model is not validated.
		return phaseIntegrationRequest, reasonValid
	}
	if m.schema == nil {
		return x.refuseAt(reasonModel, internalError, m.path)
	}
	if err := x.readBody(); err != nil {
		return x.refuseBody(err)
	}
	if err := checkBody(m.schema, x.body); err != nil {
		if x.hop != nil {
			x.detail = "model " + m.name + ": " + validationText(err)
		}
		next, reason := x.refuse(reasonBody, fault{kind: BadRequestBody, status: 400, errorType: "BadRequestException",
			message: "Invalid request body", spaced: true})
		x.failure.validation = "[" + validationText(err) + "]"
		return next, reason
	}
	return phaseIntegrationRequest, reasonValid
}

// missingParams lists the required parameters that are absent or blank.
func (x *exchange) missingParams() string {
	var missing []string
	for _, p := range x.method.required {
		var v string
		switch p.kind {
		case fromHeader:
			v, _ = x.header(p.name)
		case fromQuery:
			v, _ = x.queryParam(p.name)
		case fromPath:
			v, _ = x.pathParam(p.name)
		default:
			continue
		}
		if strings.TrimSpace(v) == "" {
			missing = append(missing, p.name)
		}
	}
	return strings.Join(missing, ", ")
}

func (x *exchange) model() *bodyModel {
	contentType := x.contentType()
	for i := range x.method.models {
		if x.method.models[i].contentType == contentType {
			return &x.method.models[i]
		}
	}
	for i := range x.method.models {
		if x.method.models[i].contentType == "$default" {
			return &x.method.models[i]
		}
	}
	return nil
}

// checkBody validates a body; an empty one counts as {} (test_apigateway_common, recorded by localstack).
func checkBody(schema *jsonschema.Schema, body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("parse body: %w", err)
	}
	return schema.Validate(v)
}

// validationText says where a body leaves its schema; the wording is the library's, not AWS's.
func validationText(err error) string {
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return "Unable to parse the request body as JSON"
	}
	var out []string
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 && len(out) < 10 {
			text := e.Error()
			if i := strings.LastIndex(text, "\n- "); i >= 0 {
				text = text[i+3:]
			}
			out = append(out, text)
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	walk(ve)
	return strings.Join(out, ", ")
}

// modelURL is how models name each other in $ref (facts: apigateway 7; AWS's models and mappings page).
func (s *Stage) modelURL(name string) string {
	return "https://apigateway.amazonaws.com/restapis/" + s.plan.API.ID + "/models/" + name
}

// compileModels compiles the schemas of the plan; the second result has those that cannot be used.
func (s *Stage) compileModels() (map[string]*jsonschema.Schema, map[string]error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(noLoader{})
	broken := map[string]error{}
	for _, m := range s.plan.Models {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(m.Schema))
		if err == nil {
			if o, ok := doc.(map[string]any); ok {
				delete(o, "id") // an id would rename the schema, and AWS ignores it
			}
			err = c.AddResource(s.modelURL(m.Name), doc)
		}
		if err != nil {
			broken[m.Name] = err
		}
	}
	schemas := map[string]*jsonschema.Schema{}
	for _, m := range s.plan.Models {
		if broken[m.Name] != nil {
			continue
		}
		schema, err := c.Compile(s.modelURL(m.Name))
		if err != nil {
			broken[m.Name] = err
			continue
		}
		schemas[m.Name] = schema
	}
	return schemas, broken
}

// noLoader refuses references to other places.
type noLoader struct{}

// Load fails: a model may only refer to models of its API.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("load schema %q: only models of the same API can be referred to", url)
}
