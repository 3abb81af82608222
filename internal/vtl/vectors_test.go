package vtl

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every template in the API definitions that localstack imports runs.
func TestTemplatesOfDefinitions(t *testing.T) {
	n := 0
	var walk func(file string, v any)
	walk = func(file string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, sub := range v {
				templates, ok := sub.(map[string]any)
				if !ok || k != "requestTemplates" && k != "responseTemplates" {
					walk(file, sub)
					continue
				}
				for contentType, src := range templates {
					if text, ok := src.(string); ok {
						n++
						tmpl, err := Parse(text)
						if err != nil {
							t.Errorf("%s, %s: %v", file, contentType, err)
							continue
						}
						if _, err := tmpl.Execute(testEnv(`{"type":"dog","price":5,"id":1}`)); err != nil {
							t.Errorf("%s, %s: %v", file, contentType, err)
						}
					}
				}
			}
		case []any:
			for _, sub := range v {
				walk(file, sub)
			}
		}
	}
	for _, file := range []string{"openapi-http-method-integration.json", "openapi-mock.json", "openapi.spec.tf.json", "openapi.spec.json",
		"petstore-swagger.json", "petstore-authorizer.swagger.json", "swagger-mock-cors.json", "swagger.json", "pets.json",
		"openapi.cognito-auth.json", "openapi.spec.stage-variables.json"} {
		var doc any
		if err := json.Unmarshal(vectors(t, "apigateway/files/"+file), &doc); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		walk(file, doc)
	}
	if n == 0 {
		t.Error("no templates found")
	}
	t.Logf("%d templates", n)
}

// The CDK's CORS preflight and other templates that are written everywhere.
func TestCommonTemplates(t *testing.T) {
	for src, want := range map[string]string{
		"{ statusCode: 200 }": "{ statusCode: 200 }",
		"Action=SendMessage&MessageBody=$util.urlEncode($input.body)":                                                   "Action=SendMessage&MessageBody=%7B%22a%22%3A%22b%22%7D",
		`{"input": "$util.escapeJavaScript($input.json('$'))"}`:                                                         `{"input": "{\"a\":\"b\"}"}`,
		"#set($inputRoot = $input.path('$'))\n{\"a\":\"$inputRoot.a\"}":                                                 `{"a":"b"}`,
		"#if($input.params('q') && $input.params('q') != \"\")yes#{else}no#end":                                         "yes",
		"#set($allParams = $input.params())\n#foreach($type in $allParams.keySet())$type#if($foreach.hasNext),#end#end": "path,querystring,header",
	} {
		if got := render(t, src, testEnv(`{"a":"b"}`)); got != want {
			t.Errorf("%s\n got %q\nwant %q", src, got, want)
		}
	}
}

// The manual's pass-through template, which the console offers as "Method Request passthrough".
func TestPassthroughTemplate(t *testing.T) {
	const src = `##  See https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
#set($allParams = $input.params())
{
"body-json" : $input.json('$'),
"params" : {
#foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
"$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"stage-variables" : {
#foreach($key in $stageVariables.keySet())
"$key" : "$util.escapeJavaScript($stageVariables.get($key))"
    #if($foreach.hasNext),#end
#end
},
"context" : {
    "authorizer-principal-id" : "$context.authorizer.principalId",
    "http-method" : "$context.httpMethod"
    }
}
`
	out := render(t, src, testEnv(`{"a":"b"}`))
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	params := got["params"].(map[string]any)
	if params["path"].(map[string]any)["id"] != "42" || got["context"].(map[string]any)["http-method"] != "GET" ||
		strings.HasPrefix(out, "#") {
		t.Errorf("got %v", got)
	}
}
