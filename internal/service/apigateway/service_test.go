package apigateway

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
)

// recorded returns the messages of AWS's errors by test and step.
func recorded(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"test_apigateway_api.snapshot.json", "test_apigateway_extended.snapshot.json"} {
		raw, err := os.ReadFile(vectors(t, name))
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]struct {
			Content map[string]json.RawMessage `json:"recorded-content"`
		}
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		for test, v := range all {
			for step, content := range v.Content {
				var e struct {
					Error struct{ Code, Message string }
				}
				if json.Unmarshal(content, &e) == nil && e.Error.Code != "" {
					out[test[strings.LastIndex(test, ":")+1:]+"/"+step] = e.Error.Code + ": " + e.Error.Message
				}
			}
		}
	}
	return out
}

type world struct {
	*Service
	ctx  context.Context
	api  *string
	root *string
	pets *string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, ctx := testService()
	api, err := s.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: new("n")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Service: s, ctx: ctx, api: api.Id, root: api.RootResourceId}
	w.pets = w.add(t, w.root, "pets")
	return w
}

func (w *world) add(t *testing.T, parent *string, part string) *string {
	t.Helper()
	r, err := w.CreateResource(w.ctx, &apigateway.CreateResourceInput{RestApiId: w.api, ParentId: parent, PathPart: &part})
	if err != nil {
		t.Fatal(err)
	}
	return r.Id
}

func ops(list ...string) []*apigateway.PatchOperation {
	var out []*apigateway.PatchOperation
	for _, l := range list {
		p := strings.SplitN(l, " ", 3)
		o := &apigateway.PatchOperation{Op: &p[0], Path: &p[1]}
		if len(p) == 3 {
			o.Value = &p[2]
		}
		out = append(out, o)
	}
	return out
}

// TestRecordedErrors makes the mistakes that the recordings make and compares the answers with AWS's.
func TestRecordedErrors(t *testing.T) {
	want := recorded(t)
	updateAPI := func(list ...string) func(*world) error {
		return func(w *world) error {
			_, err := w.UpdateRestApi(w.ctx, &apigateway.UpdateRestApiInput{RestApiId: w.api, PatchOperations: ops(list...)})
			return err
		}
	}
	updatePets := func(list ...string) func(*world) error {
		return func(w *world) error {
			_, err := w.UpdateResource(w.ctx, &apigateway.UpdateResourceInput{RestApiId: w.api, ResourceId: w.pets, PatchOperations: ops(list...)})
			return err
		}
	}
	putMethod := func(change func(*apigateway.PutMethodInput)) func(*world) error {
		return func(w *world) error {
			in := &apigateway.PutMethodInput{RestApiId: w.api, ResourceId: w.root, HttpMethod: new("ANY"), AuthorizationType: new("NONE")}
			change(in)
			_, err := w.PutMethod(w.ctx, in)
			return err
		}
	}
	updateMethod := func(list ...string) func(*world) error {
		return func(w *world) error {
			if err := putMethod(func(*apigateway.PutMethodInput) {})(w); err != nil {
				return err
			}
			_, err := w.UpdateMethod(w.ctx, &apigateway.UpdateMethodInput{RestApiId: w.api, ResourceId: w.root, HttpMethod: new("ANY"), PatchOperations: ops(list...)})
			return err
		}
	}
	createAPI := func(change func(*apigateway.CreateRestApiInput)) func(*world) error {
		return func(w *world) error {
			in := &apigateway.CreateRestApiInput{Name: new("x")}
			change(in)
			_, err := w.CreateRestApi(w.ctx, in)
			return err
		}
	}
	key := func(change func(*apigateway.CreateApiKeyInput)) func(*world) error {
		return func(w *world) error {
			in := &apigateway.CreateApiKeyInput{}
			change(in)
			_, err := w.CreateApiKey(w.ctx, in)
			return err
		}
	}
	for step, do := range map[string]func(*world) error{
		"test_create_rest_api_with_optional_params/create-empty-desc": createAPI(func(in *apigateway.CreateRestApiInput) { in.Description = new("") }),
		"test_create_rest_api_with_endpoint_configuration/create-with-empty-types": createAPI(func(in *apigateway.CreateRestApiInput) {
			in.EndpointConfiguration = &apigateway.EndpointConfiguration{Types: []string{}}
		}),
		"test_create_rest_api_with_endpoint_configuration/create-with-two-types": createAPI(func(in *apigateway.CreateRestApiInput) {
			in.EndpointConfiguration = &apigateway.EndpointConfiguration{Types: []string{"EDGE", "REGIONAL"}}
		}),
		"test_create_rest_api_private_type/create-with-private-type-and-ipv4-ip-address-type": createAPI(func(in *apigateway.CreateRestApiInput) {
			in.EndpointConfiguration = &apigateway.EndpointConfiguration{Types: []string{"PRIVATE"}, IpAddressType: new("ipv4")}
		}),
		"test_update_rest_api_compression/set-negative-compression":       updateAPI("replace /minimumCompressionSize -1"),
		"test_update_rest_api_compression/set-string-compression":         updateAPI("replace /minimumCompressionSize test"),
		"test_update_rest_api_compression/unsupported-operation":          updateAPI("add /minimumCompressionSize 10"),
		"test_update_rest_api_behaviour/update-rest-api-add-base-path":    updateAPI("add /binaryMediaTypes -"),
		"test_update_rest_api_behaviour/update-rest-api-remove-base-path": updateAPI("remove /binaryMediaTypes"),
		"test_update_rest_api_ip_address_type/update-rest-api-wrong-type": updateAPI("replace /endpointConfiguration/types/0 wrong"),
		"test_update_resource_behaviour/invalid-path-part":                updatePets("replace /invalid x"),
		"test_update_resource_behaviour/invalid-parent-id":                updatePets("replace /parentId x"),
		"test_update_resource_behaviour/remove-unsupported":               updatePets("remove /pathPart"),
		"test_update_resource_behaviour/add-unsupported":                  updatePets("add /pathPart x"),
		"test_put_method_validation/wrong-method":                         putMethod(func(in *apigateway.PutMethodInput) { in.HttpMethod = new("CRAWL") }),
		"test_put_method_validation/wrong-resource":                       putMethod(func(in *apigateway.PutMethodInput) { in.ResourceId = new("x") }),
		"test_put_method_validation/missing-authorizer-id":                putMethod(func(in *apigateway.PutMethodInput) { in.AuthorizationType = new("CUSTOM") }),
		"test_put_method_validation/invalid-request-validator":            putMethod(func(in *apigateway.PutMethodInput) { in.RequestValidatorId = new("x") }),
		"test_put_method_validation/invalid-model-name": putMethod(func(in *apigateway.PutMethodInput) {
			in.RequestModels = map[string]string{"application/json": "petModel"}
		}),
		"test_method_request_parameters/req-params-same-name": putMethod(func(in *apigateway.PutMethodInput) {
			in.RequestParameters = map[string]bool{"method.request.header.a": true, "method.request.querystring.a": true}
		}),
		"test_update_method_validation/unsupported-operation":                updateMethod("remove /authorizationType AWS_IAM"),
		"test_update_method_validation/unsupported-path":                     updateMethod("replace /httpMethod GET"),
		"test_update_method_validation/wrong-path-request-parameters":        updateMethod("replace /requestParameters x"),
		"test_update_method_validation/wrong-path-request-models":            updateMethod("add /requestModels/application/json x"),
		"test_update_method_validation/wrong-auth-type":                      updateMethod("replace /authorizationType CUSTOM"),
		"test_create_api_key_with_invalid_name/create-api-key-name-too-long": key(func(in *apigateway.CreateApiKeyInput) { in.Name = new(strings.Repeat("a", 1025)) }),
		"test_create_api_key_with_invalid_value/create-api-key-short-value":  key(func(in *apigateway.CreateApiKeyInput) { in.Value = new("short") }),
		"test_update_resource_on_root/update-root-path-part": func(w *world) error {
			_, err := w.UpdateResource(w.ctx, &apigateway.UpdateResourceInput{RestApiId: w.api, ResourceId: w.root, PatchOperations: ops("replace /pathPart x")})
			return err
		},
		"test_create_proxy_resource_validation/create-proxy-static-child-resource": func(w *world) error {
			p := w.add(t, w.root, "{proxy+}")
			_, err := w.CreateResource(w.ctx, &apigateway.CreateResourceInput{RestApiId: w.api, ParentId: p, PathPart: new("x")})
			return err
		},
		"test_create_proxy_resource_validation/create-proxy-dynamic-sibling-resource": func(w *world) error {
			w.add(t, w.root, "{proxy+}")
			_, err := w.CreateResource(w.ctx, &apigateway.CreateResourceInput{RestApiId: w.api, ParentId: w.root, PathPart: new("{x}")})
			return err
		},
		"test_model_validation/create-model-already-exists": func(w *world) error {
			_, err := w.CreateModel(w.ctx, &apigateway.CreateModelInput{RestApiId: w.api, Name: new("Empty"), ContentType: new("application/json"), Schema: new("{}")})
			return err
		},
		"test_model_validation/create-model-empty-schema": func(w *world) error {
			_, err := w.CreateModel(w.ctx, &apigateway.CreateModelInput{RestApiId: w.api, Name: new("x"), ContentType: new("application/json"), Schema: new("")})
			return err
		},
		"test_gateway_response_validation/delete-gateway-response-not-set": func(w *world) error {
			_, err := w.DeleteGatewayResponse(w.ctx, &apigateway.DeleteGatewayResponseInput{RestApiId: w.api, ResponseType: new("THROTTLED")})
			return err
		},
		"test_update_gateway_response/update-gateway-add-status-code": func(w *world) error {
			_, err := w.UpdateGatewayResponse(w.ctx, &apigateway.UpdateGatewayResponseInput{RestApiId: w.api, ResponseType: new("DEFAULT_4XX"), PatchOperations: ops("add /statusCode 444")})
			return err
		},
		"test_get_integration_non_existent/get-integration-no-method": func(w *world) error {
			_, err := w.GetIntegration(w.ctx, &apigateway.GetIntegrationInput{RestApiId: w.api, ResourceId: w.root, HttpMethod: new("POST")})
			return err
		},
		"test_create_request_validator_invalid_api_id/invalid-create-request-validator": func(w *world) error {
			_, err := w.CreateRequestValidator(w.ctx, &apigateway.CreateRequestValidatorInput{RestApiId: new("x"), Name: new("v")})
			return err
		},
		"test_update_rest_api_invalid_api_id/not-found-update-rest-api": func(w *world) error {
			_, err := w.UpdateRestApi(w.ctx, &apigateway.UpdateRestApiInput{RestApiId: new("api_id"), PatchOperations: ops("replace /name x")})
			return err
		},
		"test_create_vpc_link_invalid_parameters/create_vpc_link_invalid_target_arn": func(w *world) error {
			_, err := w.CreateVpcLink(w.ctx, &apigateway.CreateVpcLinkInput{Name: new("n"), TargetArns: []string{"invalid-arn"}})
			return err
		},
	} {
		if want[step] == "" {
			t.Errorf("%s is not recorded", step)
			continue
		}
		err := do(newWorld(t))
		if err == nil {
			t.Errorf("%s: taken, want %s", step, want[step])
			continue
		}
		if e := awsapi.AsError(err); e.Code+": "+e.Message != want[step] {
			t.Errorf("%s:\n got %s: %s\nwant %s", step, e.Code, e.Message, want[step])
		}
	}
}

func TestDeploymentNeedsMethods(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateDeployment(w.ctx, &apigateway.CreateDeploymentInput{RestApiId: w.api})
	if e := awsapi.AsError(err); e == nil || e.Message != "The REST API doesn't contain any methods" {
		t.Errorf("got %v", err)
	}
}

// TestEndpointType: the vectors have the text for an update (test_update_rest_api_ip_address_type/update-rest-api-wrong-type).
func TestEndpointType(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateRestApi(w.ctx, &apigateway.CreateRestApiInput{Name: new("x"), EndpointConfiguration: &apigateway.EndpointConfiguration{Types: []string{"wrong"}}})
	if e := awsapi.AsError(err); e == nil || e.Message != "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE" {
		t.Errorf("got %v", err)
	}
}

func FuzzPatch(f *testing.F) {
	f.Add("replace", "/name", "x")
	f.Add("add", "/~1pets/GET/throttling/rateLimit", "5")
	f.Add("remove", "/accessLogSettings", "")
	f.Add("add", "/variables/a~1b", "c")
	f.Fuzz(func(t *testing.T, op, path, value string) {
		list := []*apigateway.PatchOperation{{Op: &op, Path: &path, Value: &value}}
		_, _ = stageRules.apply(&apigateway.Stage{StageName: new("s")}, list)
		_, _ = apiRules.apply(&apigateway.RestApi{}, list)
		_, _ = planRules.apply(&apigateway.UsagePlan{}, list)
		_, _ = integrationRules.apply(&apigateway.Integration{}, list)
		_, _ = domainRules.apply(&apigateway.DomainName{}, list)
	})
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"openapi":"3.0.1","paths":{"/a/{b}":{"get":{"responses":{"200":{}},"x-amazon-apigateway-integration":{"type":"mock"}}}}}`))
	f.Add([]byte("swagger: '2.0'\npaths: {/x: {post: {security: [{a: []}]}}}\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, ctx := testService()
		_, _ = s.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: body})
	})
}
