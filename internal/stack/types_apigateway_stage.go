package stack

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

var stageType = &resourceType{
	required: []string{"RestApiId"}, replace: []string{"RestApiId", "StageName"},
	spelling: spelling{
		rename: map[string]string{"CreateStageRequest.CanarySetting": "canarySettings"},
		skip: map[string]bool{"CreateStageRequest.MethodSettings": true, "CreateStageRequest.AccessLogSetting": true,
			"CreateStageRequest.ClientCertificateId": true},
	},
	create: func(ctx context.Context, r *request) (made, error) {
		in := &apigateway.CreateStageInput{}
		if err := r.into(in, agShape("CreateStageRequest")); err != nil {
			return made{}, err
		}
		if in.StageName == nil {
			return made{}, missing(r, "StageName")
		}
		out, err := call[apigateway.Stage](ctx, apigateway.Service, r.APIGateway, "CreateStage", in)
		if err != nil {
			return made{}, err
		}
		m := made{*out.StageName, map[string]string{apiAttribute: *in.RestApiId}}
		return m, applyStage(ctx, r, stageAt{in.RestApiId, in.StageName, r.props})
	},
	update: func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
		api := new(old.Attributes[apiAttribute])
		ops, err := r.patches(&apigateway.CreateStageInput{}, &apigateway.CreateStageInput{}, change{"CreateStageRequest", "CreateStage", old})
		if err != nil {
			return made{}, err
		}
		now, err := r.APIGateway.GetStage(ctx, &apigateway.GetStageInput{RestApiId: api, StageName: &old.PhysicalID})
		if err != nil {
			return made{}, err
		}
		// Settings are made anew.
		for _, key := range slices.Sorted(maps.Keys(now.MethodSettings)) {
			ops = append(ops, &apigateway.PatchOperation{Op: new("remove"), Path: new("/" + key)})
		}
		if now.AccessLogSettings != nil {
			ops = append(ops, &apigateway.PatchOperation{Op: new("remove"), Path: new("/accessLogSettings")})
		}
		in := &apigateway.UpdateStageInput{RestApiId: api, StageName: &old.PhysicalID, PatchOperations: ops}
		if _, err := r.APIGateway.UpdateStage(ctx, in); err != nil {
			return made{}, err
		}
		return made{old.PhysicalID, old.Attributes}, applyStage(ctx, r, stageAt{api, &old.PhysicalID, r.props})
	},
	delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
		_, err := s.APIGateway.DeleteStage(ctx, &apigateway.DeleteStageInput{RestApiId: new(old.Attributes[apiAttribute]), StageName: &old.PhysicalID})
		return gone(err)
	},
}

// stageAt is a stage with the properties that only an update can set.
type stageAt struct {
	api, name *string
	props     *template.Value
}

// settingPaths are the ends of patch paths for the properties of a method setting (AWS's reference patch-operations.html).
var settingPaths = map[string]string{
	"MetricsEnabled": "metrics/enabled", "LoggingLevel": "logging/loglevel", "DataTraceEnabled": "logging/dataTrace",
	"ThrottlingBurstLimit": "throttling/burstLimit", "ThrottlingRateLimit": "throttling/rateLimit", "CachingEnabled": "caching/enabled",
	"CacheTtlInSeconds": "caching/ttlInSeconds", "CacheDataEncrypted": "caching/dataEncrypted",
}

// applyStage sets method settings, access log and client certificate.
func applyStage(ctx context.Context, r *request, at stageAt) error {
	in := &apigateway.UpdateStageInput{RestApiId: at.api, StageName: at.name}
	set := func(path, value string) {
		in.PatchOperations = append(in.PatchOperations, &apigateway.PatchOperation{Op: new("replace"), Path: &path, Value: &value})
	}
	if list := at.props.Get("MethodSettings"); list != nil {
		for _, v := range list.Items {
			for _, f := range v.Fields {
				if f.Key == "HttpMethod" || f.Key == "ResourcePath" {
					continue
				}
				end, ok := settingPaths[f.Key]
				if !ok {
					return (&converter{spelling: &r.typ.spelling, logical: r.logicalID}).extraneous(v, f)
				}
				set(settingPath(text(v, "ResourcePath"))+"/"+text(v, "HttpMethod")+"/"+end, f.Value.Text)
			}
		}
	}
	if v := at.props.Get("AccessLogSetting"); v != nil {
		for _, f := range v.Fields {
			name := strings.ToLower(f.Key[:1]) + f.Key[1:]
			set("/accessLogSettings/"+name, f.Value.Text)
		}
	}
	if id := text(at.props, "ClientCertificateId"); id != "" {
		set("/clientCertificateId", id)
	}
	if len(in.PatchOperations) == 0 {
		return nil
	}
	_, err := r.APIGateway.UpdateStage(ctx, in)
	return err
}

// settingPath is the front of a patch path for a ResourcePath: /~1a~1b, / for the root, /* for all (AWS::ApiGateway::Stage
// MethodSetting).
func settingPath(p string) string {
	switch p {
	case "", "/*", "*":
		return "/*"
	case "/":
		return "/~1"
	}
	p = strings.TrimPrefix(p, "/")
	if !strings.HasPrefix(p, "~1") {
		p = "~1" + p
	}
	return "/" + strings.ReplaceAll(p, "/", "~1")
}

// extraneous is the refusal of an unknown property.
func (c *converter) extraneous(parent *template.Value, f template.Field) error {
	c.refuse(parent, "extraneous key [%s] is not permitted", f.Key)
	c.found[0].Position, c.found[0].Path = f.Value.Position, f.Value.Path()
	return &refusal{c.found}
}

// diffPatches compares two structs of a shape and returns the patch operations from one to the other.
func diffPatches(shape *awsapi.Shape, before, after any) []*apigateway.PatchOperation {
	d := &differ{}
	d.structure("", shape, reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
	return d.ops
}

type differ struct{ ops []*apigateway.PatchOperation }

func (d *differ) op(op, path, value string) {
	p := &apigateway.PatchOperation{Op: &op, Path: &path}
	if op != "remove" {
		p.Value = &value
	}
	d.ops = append(d.ops, p)
}

func (d *differ) structure(path string, shape *awsapi.Shape, a, b reflect.Value) {
	for _, m := range shape.Members {
		if m.Location != awsapi.Body || m.Name == "tags" {
			continue
		}
		x, y := a.Field(m.Field), b.Field(m.Field)
		if reflect.DeepEqual(x.Interface(), y.Interface()) {
			continue
		}
		d.member(path+"/"+m.Name, m.Shape, x, y)
	}
}

func (d *differ) member(path string, shape *awsapi.Shape, x, y reflect.Value) {
	switch shape.Kind {
	case awsapi.Structure:
		empty := reflect.New(x.Type().Elem()).Elem()
		from, to := empty, empty
		if !x.IsNil() {
			from = x.Elem()
		}
		if y.IsNil() {
			d.op("remove", path, "")
			return
		}
		to = y.Elem()
		d.structure(path, shape, from, to)
	case awsapi.List:
		if shape.Elem.Kind == awsapi.String {
			d.list(path, x.Interface().([]string), y.Interface().([]string))
		}
	case awsapi.Map:
		d.entries(path, x, y)
	default:
		if y.IsNil() {
			d.op("replace", path, "")
			return
		}
		d.op("replace", path, fmt.Sprint(y.Elem().Interface()))
	}
}

func (d *differ) list(path string, x, y []string) {
	if strings.HasSuffix(path, "/types") && len(x) == 1 && len(y) == 1 {
		d.op("replace", path+"/"+x[0], y[0])
		return
	}
	for _, s := range x {
		if !slices.Contains(y, s) {
			d.op("remove", path+"/"+pointerStep(s), "")
		}
	}
	for _, s := range y {
		if !slices.Contains(x, s) {
			d.op("add", path+"/"+pointerStep(s), "")
		}
	}
}

func (d *differ) entries(path string, x, y reflect.Value) {
	for _, k := range keysOf(x) {
		if !y.MapIndex(reflect.ValueOf(k)).IsValid() {
			d.op("remove", path+"/"+pointerStep(k), "")
		}
	}
	for _, k := range keysOf(y) {
		v := y.MapIndex(reflect.ValueOf(k))
		if old := x.MapIndex(reflect.ValueOf(k)); !old.IsValid() || !reflect.DeepEqual(old.Interface(), v.Interface()) {
			d.op("replace", path+"/"+pointerStep(k), fmt.Sprint(v.Interface()))
		}
	}
}

func keysOf(m reflect.Value) []string {
	var keys []string
	for _, k := range m.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}

// pointerStep writes a step of a JSON pointer (rfc6901).
func pointerStep(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }
