package apigateway

import (
	"context"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
)

// CreateDeployment copies the API as it is, and gives it to a stage when it names one.
func (s *Service) CreateDeployment(ctx context.Context, in *apigateway.CreateDeploymentInput) (*apigateway.Deployment, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	def, _ := resource.DefinitionOf(s.env.Store.Read(ctx), region(ctx), *in.RestApiId)
	if len(def.Methods) == 0 {
		return nil, bad("RestApiId", "The REST API doesn't contain any methods",
			"a deployment takes the API as it is when it is made; in a template it needs a DependsOn for its methods")
	}
	summary := map[string]map[string]*apigateway.MethodSnapshot{}
	paths := map[string]string{}
	for _, r := range def.Resources {
		paths[*r.Value.Id] = *r.Value.Path
	}
	for _, m := range def.Methods {
		path := paths[strings.Split(m.ID, "/")[1]]
		if m.Value.MethodIntegration == nil {
			return nil, bad("RestApiId", "No integration defined for method", "method "+*m.Value.HttpMethod+" of "+path+" has no integration")
		}
		if summary[path] == nil {
			summary[path] = map[string]*apigateway.MethodSnapshot{}
		}
		summary[path][*m.Value.HttpMethod] = &apigateway.MethodSnapshot{AuthorizationType: m.Value.AuthorizationType, ApiKeyRequired: m.Value.ApiKeyRequired}
	}
	v := &apigateway.Deployment{Description: in.Description, CreatedDate: s.now(), ApiSummary: summary}
	v.Id = new(s.env.NewID(ctx, partID("deployment"), taken(ctx, s, resource.RestDeployments, *in.RestApiId+"/")))
	id := resource.PartID(*in.RestApiId, *v.Id)
	if err := put(ctx, s, resource.RestDeployments, id, &resource.RestDeployment{API: *in.RestApiId, Value: v, Definition: def}); err != nil {
		return nil, err
	}
	if deref(in.StageName) != "" {
		if err := s.deployTo(ctx, in, v); err != nil {
			return nil, err
		}
	}
	return shownDeployment(v, nil), nil
}

// deployTo makes or changes the stage of a deployment.
func (s *Service) deployTo(ctx context.Context, in *apigateway.CreateDeploymentInput, d *apigateway.Deployment) error {
	old, ok := resource.RestStages.Get(s.env.Store.Read(ctx), region(ctx), resource.PartID(*in.RestApiId, *in.StageName))
	if !ok {
		c := &apigateway.CreateStageInput{RestApiId: in.RestApiId, StageName: in.StageName, DeploymentId: d.Id, Description: in.StageDescription,
			CacheClusterEnabled: in.CacheClusterEnabled, CacheClusterSize: in.CacheClusterSize, Variables: in.Variables, TracingEnabled: in.TracingEnabled}
		if in.CanarySettings != nil {
			c.CanarySettings = &apigateway.CanarySettings{DeploymentId: d.Id, PercentTraffic: in.CanarySettings.PercentTraffic,
				StageVariableOverrides: in.CanarySettings.StageVariableOverrides, UseStageCache: in.CanarySettings.UseStageCache}
		}
		_, err := s.CreateStage(ctx, c)
		return err
	}
	v := clone(old.Value)
	v.DeploymentId, v.LastUpdatedDate = d.Id, s.now()
	if in.StageDescription != nil {
		v.Description = in.StageDescription
	}
	if in.Variables != nil {
		v.Variables = in.Variables
	}
	v.TracingEnabled = or(in.TracingEnabled, deref(v.TracingEnabled))
	return putPart(ctx, s, resource.RestStages, *v.StageName, &resource.RestPart[apigateway.Stage]{API: old.API, Place: old.Place, Value: v})
}

// shownDeployment leaves the summary out unless it is asked for.
func shownDeployment(v *apigateway.Deployment, embed []string) *apigateway.Deployment {
	out := *v
	if !slices.Contains(embed, "apisummary") {
		out.ApiSummary = nil
	}
	return &out
}

func (s *Service) deployment(ctx context.Context, api, id *string) (*resource.RestDeployment, error) {
	if _, err := s.api(ctx, api); err != nil {
		return nil, err
	}
	return get(ctx, s, resource.RestDeployments, resource.PartID(*api, deref(id)), noDeployment)
}

// GetDeployment returns a deployment.
func (s *Service) GetDeployment(ctx context.Context, in *apigateway.GetDeploymentInput) (*apigateway.Deployment, error) {
	d, err := s.deployment(ctx, in.RestApiId, in.DeploymentId)
	if err != nil {
		return nil, err
	}
	return shownDeployment(d.Value, in.Embed), nil
}

// GetDeployments lists the deployments of an API.
func (s *Service) GetDeployments(ctx context.Context, in *apigateway.GetDeploymentsInput) (*apigateway.GetDeploymentsOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	var all []*apigateway.Deployment
	for _, d := range resource.RestDeployments.All(s.env.Store.Read(ctx), region(ctx)) {
		if d.API == *in.RestApiId {
			all = append(all, shownDeployment(d.Value, nil))
		}
	}
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetDeploymentsOutput{Items: items, Position: next}, nil
}

// UpdateDeployment changes a deployment's description.
func (s *Service) UpdateDeployment(ctx context.Context, in *apigateway.UpdateDeploymentInput) (*apigateway.Deployment, error) {
	d, err := s.deployment(ctx, in.RestApiId, in.DeploymentId)
	if err != nil {
		return nil, err
	}
	c := *d
	if c.Value, err = deploymentRules.apply(d.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	return shownDeployment(c.Value, nil), put(ctx, s, resource.RestDeployments, resource.PartID(c.API, *c.Value.Id), &c)
}

// DeleteDeployment deletes a deployment that no stage uses.
func (s *Service) DeleteDeployment(ctx context.Context, in *apigateway.DeleteDeploymentInput) (*apigateway.DeleteDeploymentOutput, error) {
	d, err := s.deployment(ctx, in.RestApiId, in.DeploymentId)
	if err != nil {
		return nil, err
	}
	for _, st := range parts(ctx, s, resource.RestStages, in.RestApiId) {
		if deref(st.Value.DeploymentId) == *d.Value.Id {
			return nil, bad("DeploymentId", "Active stages pointing to this deployment must be moved or deleted", "stage "+*st.Value.StageName+" uses it")
		}
	}
	return &apigateway.DeleteDeploymentOutput{}, remove(ctx, s, resource.RestDeployments, resource.PartID(d.API, *d.Value.Id))
}
