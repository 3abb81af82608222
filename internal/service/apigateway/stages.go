package apigateway

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
)

// Limits of stages (facts: apigateway 11).
const (
	maxStages        = 10
	maxVariables     = 100
	maxVariableName  = 64
	maxVariableValue = 512
)

var (
	stageName     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]*$`)
)

// CreateStage makes a stage of a deployment.
func (s *Service) CreateStage(ctx context.Context, in *apigateway.CreateStageInput) (*apigateway.Stage, error) {
	if _, err := s.deployment(ctx, in.RestApiId, in.DeploymentId); err != nil {
		return nil, err
	}
	name := deref(in.StageName)
	if !stageName.MatchString(name) {
		return nil, bad("StageName", "Stage name only allows a-zA-Z0-9_-", "the name is "+strconv.Quote(name))
	}
	if _, ok := resource.RestStages.Get(s.env.Store.Read(ctx), region(ctx), resource.PartID(*in.RestApiId, name)); ok {
		return nil, conflict("StageName", "Stage already exists")
	}
	if len(parts(ctx, s, resource.RestStages, in.RestApiId)) >= maxStages {
		return nil, refuse(apigateway.ErrCodeLimitExceededException, "StageName", "Maximum number of stages for this API has been reached. Please contact AWS if you need additional stages.") // text: our memory of AWS's
	}
	v := &apigateway.Stage{StageName: &name, DeploymentId: in.DeploymentId, Description: in.Description, CacheClusterEnabled: or(in.CacheClusterEnabled, false),
		CacheClusterSize: in.CacheClusterSize, CacheClusterStatus: new("NOT_AVAILABLE"), MethodSettings: map[string]*apigateway.MethodSetting{}, Variables: in.Variables,
		DocumentationVersion: in.DocumentationVersion, CanarySettings: in.CanarySettings, TracingEnabled: or(in.TracingEnabled, false), Tags: in.Tags,
		CreatedDate: s.now(), LastUpdatedDate: s.now()}
	if err := checkVariables(v.Variables); err != nil {
		return nil, err
	}
	if c := v.CanarySettings; c != nil && !(deref(c.PercentTraffic) >= 0 && deref(c.PercentTraffic) <= 100) {
		return nil, bad("CanarySettings.PercentTraffic", "Percentage of traffic diverted to a canary must be between 0 and 100") // text: our words
	}
	return v, putPart(ctx, s, resource.RestStages, name, &resource.RestPart[apigateway.Stage]{API: *in.RestApiId, Value: v})
}

func checkVariables(vars map[string]string) error {
	if len(vars) > maxVariables {
		return bad("Variables", "Stage variables exceed the limit of 100", "a stage has at most 100 variables") // text: our words
	}
	for _, name := range sortedKeys(vars) {
		value := vars[name]
		switch {
		case !variableName.MatchString(name) || len(name) > maxVariableName:
			return bad("Variables", fmt.Sprintf("Invalid stage variable name: %s. Please use values with alphanumeric characters and underscores.", name))
		case !variableValue.MatchString(value) || len(value) > maxVariableValue:
			return bad("Variables", fmt.Sprintf("Invalid stage variable value: %s. Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','.", value))
		}
	}
	return nil
}

func (s *Service) stage(ctx context.Context, api, name *string) (*resource.RestPart[apigateway.Stage], error) {
	if _, err := s.api(ctx, api); err != nil {
		return nil, err
	}
	return get(ctx, s, resource.RestStages, resource.PartID(*api, deref(name)), noStage)
}

// GetStage returns a stage.
func (s *Service) GetStage(ctx context.Context, in *apigateway.GetStageInput) (*apigateway.Stage, error) {
	v, err := s.stage(ctx, in.RestApiId, in.StageName)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetStages lists the stages of an API, or those of one deployment.
func (s *Service) GetStages(ctx context.Context, in *apigateway.GetStagesInput) (*apigateway.GetStagesOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	out := &apigateway.GetStagesOutput{Item: []*apigateway.Stage{}}
	for _, v := range parts(ctx, s, resource.RestStages, in.RestApiId) {
		if in.DeploymentId == nil || *in.DeploymentId == deref(v.Value.DeploymentId) {
			out.Item = append(out.Item, v.Value)
		}
	}
	return out, nil
}

// UpdateStage changes a stage; it takes effect at once.
func (s *Service) UpdateStage(ctx context.Context, in *apigateway.UpdateStageInput) (*apigateway.Stage, error) {
	old, err := s.stage(ctx, in.RestApiId, in.StageName)
	if err != nil {
		return nil, err
	}
	v, err := stageRules.apply(old.Value, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	if *v.DeploymentId != deref(old.Value.DeploymentId) {
		if _, err := s.deployment(ctx, in.RestApiId, v.DeploymentId); err != nil {
			return nil, bad("", "Deployment id does not exist")
		}
	}
	if err := checkVariables(v.Variables); err != nil {
		return nil, err
	}
	v.LastUpdatedDate = s.now()
	return v, putPart(ctx, s, resource.RestStages, *v.StageName, &resource.RestPart[apigateway.Stage]{API: old.API, Place: old.Place, Value: v})
}

// DeleteStage deletes a stage that no usage plan and no mapping uses.
func (s *Service) DeleteStage(ctx context.Context, in *apigateway.DeleteStageInput) (*apigateway.DeleteStageOutput, error) {
	v, err := s.stage(ctx, in.RestApiId, in.StageName)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteStageOutput{}, remove(ctx, s, resource.RestStages, resource.PartID(v.API, *v.Value.StageName))
}

// FlushStageCache has nothing to flush: responses are not cached.
func (s *Service) FlushStageCache(ctx context.Context, in *apigateway.FlushStageCacheInput) (*apigateway.FlushStageCacheOutput, error) {
	_, err := s.stage(ctx, in.RestApiId, in.StageName)
	return &apigateway.FlushStageCacheOutput{}, err
}

const logPaths = "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]"

var stageRules = rules[apigateway.Stage]{
	shape: "Stage",
	allow: map[string][]string{
		"replace": {"/description", "/deploymentId", "/cacheClusterEnabled", "/cacheClusterSize", "/clientCertificateId", "/documentationVersion", "/tracingEnabled",
			"/variables/*", "/accessLogSettings/destinationArn", "/accessLogSettings/format", "/canarySettings/percentTraffic", "/canarySettings/deploymentId",
			"/canarySettings/useStageCache", "/canarySettings/stageVariableOverrides/*", "/webAclArn"},
		"add":    {"/variables/*", "/accessLogSettings/destinationArn", "/accessLogSettings/format", "/canarySettings/stageVariableOverrides/*"},
		"remove": {"/variables/*", "/accessLogSettings", "/canarySettings", "/canarySettings/stageVariableOverrides/*", "/clientCertificateId"},
	},
	special: stageSpecial,
}

// settingMembers are the ends of the paths of method settings, with the members that they set.
var settingMembers = map[string]string{
	"metrics/enabled": "metricsEnabled", "logging/loglevel": "loggingLevel", "logging/dataTrace": "dataTraceEnabled",
	"throttling/burstLimit": "throttlingBurstLimit", "throttling/rateLimit": "throttlingRateLimit", "caching/enabled": "cachingEnabled",
	"caching/ttlInSeconds": "cacheTtlInSeconds", "caching/dataEncrypted": "cacheDataEncrypted",
	"caching/requireAuthorizationForCacheControl":    "requireAuthorizationForCacheControl",
	"caching/unauthorizedCacheControlHeaderStrategy": "unauthorizedCacheControlHeaderStrategy",
}

// stageSpecial handles method settings (/{path}/{method}/throttling/rateLimit) and the words for access logs
// (test_stage_access_log_settings_validation, recorded from AWS by localstack).
func stageSpecial(v *apigateway.Stage, p patch) (bool, error) {
	if p.steps[0] == "accessLogSettings" {
		known := p.path == "/accessLogSettings/destinationArn" || p.path == "/accessLogSettings/format"
		switch {
		case p.op == "remove" && p.path != "/accessLogSettings":
			return false, bad("", "Cannot remove method setting "+strings.TrimPrefix(p.path, "/")+" because there is no method setting for this method ")
		case p.op != "remove" && !known:
			return false, bad("", logPaths)
		case p.op != "remove" && p.value == "":
			return false, bad("", "Access Log value must not be empty")
		}
		return false, nil
	}
	n := len(p.steps)
	if p.op == "remove" && n == 2 && p.steps[0] != "variables" {
		key := escapePointer(p.steps[0]) + "/" + p.steps[1]
		if _, ok := v.MethodSettings[key]; !ok {
			return false, bad("", "Cannot remove method setting "+strings.TrimPrefix(p.path, "/")+" because there is no method setting for this method ")
		}
		delete(v.MethodSettings, key)
		return true, nil
	}
	if n < 4 {
		return false, nil
	}
	member, ok := settingMembers[p.steps[n-2]+"/"+p.steps[n-1]]
	if !ok {
		return false, nil
	}
	key := escapePointer(strings.Join(p.steps[:n-3], "/")) + "/" + p.steps[n-3]
	if v.MethodSettings == nil {
		v.MethodSettings = map[string]*apigateway.MethodSetting{}
	}
	s := v.MethodSettings[key]
	if s == nil {
		s = defaultSetting()
		v.MethodSettings[key] = s
	}
	p.steps = []string{member}
	return true, p.member(s)
}

// defaultSetting is a method setting of which nothing was said (get-stage of a fresh setting; AWS's reference MethodSetting).
func defaultSetting() *apigateway.MethodSetting {
	return &apigateway.MethodSetting{MetricsEnabled: new(false), LoggingLevel: new("OFF"), DataTraceEnabled: new(false), ThrottlingBurstLimit: new(int64(5000)),
		ThrottlingRateLimit: new(10000.0), CachingEnabled: new(false), CacheTtlInSeconds: new(int64(300)), CacheDataEncrypted: new(false),
		RequireAuthorizationForCacheControl: new(true), UnauthorizedCacheControlHeaderStrategy: new("SUCCEED_WITH_RESPONSE_HEADER")}
}
