package apigateway

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Limits of API keys (test_create_api_key_with_invalid_value and others, recorded from AWS by localstack).
const (
	minKeyValue, maxKeyValue = 20, 128
	maxKeyName               = 1024
	maxKeyDescription        = 125000
)

// CreateApiKey makes an API key; without a value it gets one of 40 characters.
func (s *Service) CreateApiKey(ctx context.Context, in *apigateway.CreateApiKeyInput) (*apigateway.ApiKey, error) {
	switch {
	case len(deref(in.Name)) > maxKeyName:
		return nil, bad("Name", "Invalid API Key name, can be at most 1024 characters.")
	case len(deref(in.Description)) > maxKeyDescription:
		return nil, bad("Description", "Invalid API Key description specified.")
	case in.Value != nil && len(*in.Value) < minKeyValue:
		return nil, bad("Value", "API Key value should be at least 20 characters")
	case in.Value != nil && len(*in.Value) > maxKeyValue:
		return nil, bad("Value", "API Key value exceeds maximum size of 128 characters")
	}
	if in.Value != nil {
		for _, k := range resource.GatewayKeys.All(s.env.Store.Read(ctx), region(ctx)) {
			if deref(k.Value) == *in.Value {
				return nil, conflict("Value", "API Key already exists")
			}
		}
	}
	v := &apigateway.ApiKey{Id: new(s.env.NewID(ctx, apiID("api-key"), taken(ctx, s, resource.GatewayKeys, ""))), Name: in.Name, CustomerId: in.CustomerId,
		Description: in.Description, Enabled: or(in.Enabled, false), CreatedDate: s.now(), LastUpdatedDate: s.now(), StageKeys: []string{}, Tags: in.Tags, Value: in.Value}
	if v.Value == nil {
		v.Value = new(s.env.NewSecret(ctx, service.ID{Kind: "api-key-value", Alphabet: keyAlphabet, Length: 40}))
	}
	for _, k := range in.StageKeys {
		v.StageKeys = append(v.StageKeys, deref(k.RestApiId)+"/"+deref(k.StageName))
	}
	return v, put(ctx, s, resource.GatewayKeys, *v.Id, v)
}

const keyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// withoutValue hides the value of a key unless it is asked for.
func withoutValue(v *apigateway.ApiKey, include *bool) *apigateway.ApiKey {
	if deref(include) {
		return v
	}
	out := *v
	out.Value = nil
	return &out
}

// GetApiKey returns a key.
func (s *Service) GetApiKey(ctx context.Context, in *apigateway.GetApiKeyInput) (*apigateway.ApiKey, error) {
	v, err := get(ctx, s, resource.GatewayKeys, deref(in.ApiKey), noKey)
	if err != nil {
		return nil, err
	}
	return withoutValue(v, in.IncludeValue), nil
}

// GetApiKeys lists the keys of the region.
func (s *Service) GetApiKeys(ctx context.Context, in *apigateway.GetApiKeysInput) (*apigateway.GetApiKeysOutput, error) {
	var all []*apigateway.ApiKey
	for _, k := range resource.GatewayKeys.All(s.env.Store.Read(ctx), region(ctx)) {
		if strings.HasPrefix(deref(k.Name), deref(in.NameQuery)) && (in.CustomerId == nil || *in.CustomerId == deref(k.CustomerId)) {
			all = append(all, withoutValue(k, in.IncludeValues))
		}
	}
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetApiKeysOutput{Items: items, Position: next}, nil
}

// UpdateApiKey changes a key.
func (s *Service) UpdateApiKey(ctx context.Context, in *apigateway.UpdateApiKeyInput) (*apigateway.ApiKey, error) {
	old, err := get(ctx, s, resource.GatewayKeys, deref(in.ApiKey), noKey)
	if err != nil {
		return nil, err
	}
	v, err := keyRules.apply(old, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	if len(deref(v.Description)) > maxKeyDescription {
		return nil, bad("", "Invalid API Key description specified.")
	}
	v.LastUpdatedDate = s.now()
	return withoutValue(v, nil), put(ctx, s, resource.GatewayKeys, *v.Id, v)
}

// DeleteApiKey deletes a key and takes it out of its plans.
func (s *Service) DeleteApiKey(ctx context.Context, in *apigateway.DeleteApiKeyInput) (*apigateway.DeleteApiKeyOutput, error) {
	v, err := get(ctx, s, resource.GatewayKeys, deref(in.ApiKey), noKey)
	if err != nil {
		return nil, err
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.GatewayKeys.Delete(tx, region(ctx), *v.Id)
		dropPlanKeys(tx, region(ctx), func(k *resource.GatewayPlanKey) bool { return k.KeyID == *v.Id })
		return nil
	})
	return &apigateway.DeleteApiKeyOutput{}, err
}

func dropPlanKeys(tx *store.Tx, region string, match func(*resource.GatewayPlanKey) bool) {
	var ids []string
	for rec, k := range resource.GatewayUsagePlanKeys.All(tx, region) {
		if match(k) {
			ids = append(ids, rec.Key.ID)
		}
	}
	for _, id := range ids {
		resource.GatewayUsagePlanKeys.Delete(tx, region, id)
	}
}

// CreateUsagePlan makes a usage plan (facts: apigateway 8).
func (s *Service) CreateUsagePlan(ctx context.Context, in *apigateway.CreateUsagePlanInput) (*apigateway.UsagePlan, error) {
	v := &apigateway.UsagePlan{Id: new(s.env.NewID(ctx, partID("usage-plan"), taken(ctx, s, resource.GatewayUsagePlans, ""))), Name: in.Name, Description: in.Description,
		ApiStages: in.ApiStages, Throttle: in.Throttle, Quota: in.Quota, Tags: in.Tags}
	if v.ApiStages == nil {
		v.ApiStages = []*apigateway.ApiStage{}
	}
	if err := s.checkPlan(ctx, v); err != nil {
		return nil, err
	}
	return v, put(ctx, s, resource.GatewayUsagePlans, *v.Id, v)
}

func (s *Service) checkPlan(ctx context.Context, v *apigateway.UsagePlan) error {
	if q := v.Quota; q != nil {
		if q.Limit == nil || *q.Limit < 0 || deref(q.Offset) < 0 {
			return bad("Quota.Limit", "Usage Plan quota limit and offset must be positive") // text: our words
		}
		if !slices.Contains([]string{"DAY", "WEEK", "MONTH"}, deref(q.Period)) {
			return bad("Quota.Period", "Usage Plan quota period must be DAY, WEEK or MONTH") // text: our words
		}
	}
	if t := v.Throttle; t != nil && !finite(deref(t.RateLimit)) {
		return bad("Throttle.RateLimit", "Usage Plan throttle rate limit must be a number") // text: our words
	}
	for i, st := range v.ApiStages {
		for _, t := range st.Throttle {
			if t != nil && !finite(deref(t.RateLimit)) {
				return bad(fmt.Sprintf("ApiStages[%d].Throttle", i), "Usage Plan throttle rate limit must be a number") // text: our words
			}
		}
		if _, err := s.stage(ctx, st.ApiId, st.Stage); err != nil {
			return bad(fmt.Sprintf("ApiStages[%d]", i), "Invalid API Stage {api: "+deref(st.ApiId)+", stage: "+deref(st.Stage)+"} specified for usageplan "+*v.Id)
		}
	}
	return nil
}

// GetUsagePlan returns a usage plan.
func (s *Service) GetUsagePlan(ctx context.Context, in *apigateway.GetUsagePlanInput) (*apigateway.UsagePlan, error) {
	return get(ctx, s, resource.GatewayUsagePlans, deref(in.UsagePlanId), noUsagePlan)
}

// GetUsagePlans lists the usage plans of the region, or those of a key.
func (s *Service) GetUsagePlans(ctx context.Context, in *apigateway.GetUsagePlansInput) (*apigateway.GetUsagePlansOutput, error) {
	var all []*apigateway.UsagePlan
	r := s.env.Store.Read(ctx)
	for _, v := range resource.GatewayUsagePlans.All(r, region(ctx)) {
		if in.KeyId != nil {
			if _, ok := resource.GatewayUsagePlanKeys.Get(r, region(ctx), *v.Id+"/"+*in.KeyId); !ok {
				continue
			}
		}
		all = append(all, v)
	}
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetUsagePlansOutput{Items: items, Position: next}, nil
}

var planRules = rules[apigateway.UsagePlan]{
	shape: "UsagePlan",
	allow: map[string][]string{
		"replace": {"/name", "/description", "/productCode", "/throttle/rateLimit", "/throttle/burstLimit", "/quota/limit", "/quota/offset", "/quota/period"},
		"add":     {"/apiStages", "/throttle/rateLimit", "/throttle/burstLimit", "/quota/limit", "/quota/offset", "/quota/period"},
		"remove":  {"/apiStages", "/throttle", "/quota", "/productCode"},
	},
	special: planSpecial,
}

// planSpecial handles /apiStages and /apiStages/API:STAGE/throttle/PATH/METHOD/rateLimit.
func planSpecial(v *apigateway.UsagePlan, p patch) (bool, error) {
	if p.steps[0] != "apiStages" {
		return false, nil
	}
	name := p.value
	if len(p.steps) > 1 {
		name = p.steps[1]
	}
	api, stage, ok := strings.Cut(name, ":")
	if !ok {
		return false, bad("", "Invalid API Stage specified: "+name)
	}
	i := slices.IndexFunc(v.ApiStages, func(s *apigateway.ApiStage) bool { return deref(s.ApiId) == api && deref(s.Stage) == stage })
	if len(p.steps) <= 2 {
		switch {
		case p.op == "add" && i < 0:
			v.ApiStages = append(v.ApiStages, &apigateway.ApiStage{ApiId: &api, Stage: &stage})
		case p.op == "remove" && i >= 0:
			v.ApiStages = slices.Delete(v.ApiStages, i, i+1)
		}
		return true, nil
	}
	if i < 0 || p.steps[2] != "throttle" {
		return false, bad("", "Invalid patch path "+p.path)
	}
	return true, stageThrottle(v.ApiStages[i], p)
}

// stageThrottle changes the limits of a method of a stage.
func stageThrottle(st *apigateway.ApiStage, p patch) error {
	if p.op == "remove" && len(p.steps) == 3 {
		st.Throttle = nil
		return nil
	}
	if len(p.steps) < 5 {
		return bad("", "Invalid patch path "+p.path)
	}
	key := p.steps[3] + "/" + p.steps[4]
	if p.op == "remove" {
		delete(st.Throttle, key)
		return nil
	}
	if st.Throttle == nil {
		st.Throttle = map[string]*apigateway.ThrottleSettings{}
	}
	if st.Throttle[key] == nil {
		st.Throttle[key] = &apigateway.ThrottleSettings{}
	}
	n, err := strconv.ParseFloat(p.value, 64)
	if len(p.steps) != 6 || err != nil || !finite(n) {
		return bad("", "Invalid patch path "+p.path)
	}
	switch p.steps[5] {
	case "rateLimit":
		st.Throttle[key].RateLimit = &n
	case "burstLimit":
		st.Throttle[key].BurstLimit = new(int64(n))
	default:
		return bad("", "Invalid patch path "+p.path)
	}
	return nil
}

// UpdateUsagePlan changes a usage plan.
func (s *Service) UpdateUsagePlan(ctx context.Context, in *apigateway.UpdateUsagePlanInput) (*apigateway.UsagePlan, error) {
	old, err := get(ctx, s, resource.GatewayUsagePlans, deref(in.UsagePlanId), noUsagePlan)
	if err != nil {
		return nil, err
	}
	v, err := planRules.apply(old, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	if err := s.checkPlan(ctx, v); err != nil {
		return nil, err
	}
	return v, put(ctx, s, resource.GatewayUsagePlans, *v.Id, v)
}

// DeleteUsagePlan deletes a usage plan. On AWS its stages must be taken out first; CloudFormation does that.
func (s *Service) DeleteUsagePlan(ctx context.Context, in *apigateway.DeleteUsagePlanInput) (*apigateway.DeleteUsagePlanOutput, error) {
	v, err := get(ctx, s, resource.GatewayUsagePlans, deref(in.UsagePlanId), noUsagePlan)
	if err != nil {
		return nil, err
	}
	for _, st := range v.ApiStages {
		if _, err := s.stage(ctx, st.ApiId, st.Stage); err == nil {
			return nil, bad("UsagePlanId", "Cannot delete Usage Plan with API stages attached", "stage "+deref(st.Stage)+" of API "+deref(st.ApiId)+" is in the plan") // text: our memory of AWS's
		}
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.GatewayUsagePlans.Delete(tx, region(ctx), *v.Id)
		dropPlanKeys(tx, region(ctx), func(k *resource.GatewayPlanKey) bool { return k.PlanID == *v.Id })
		return nil
	})
	return &apigateway.DeleteUsagePlanOutput{}, err
}

// CreateUsagePlanKey puts a key into a plan.
func (s *Service) CreateUsagePlanKey(ctx context.Context, in *apigateway.CreateUsagePlanKeyInput) (*apigateway.UsagePlanKey, error) {
	if _, err := get(ctx, s, resource.GatewayUsagePlans, deref(in.UsagePlanId), noUsagePlan); err != nil {
		return nil, err
	}
	key, err := get(ctx, s, resource.GatewayKeys, deref(in.KeyId), noKey)
	if err != nil {
		return nil, err
	}
	if deref(in.KeyType) != "API_KEY" {
		return nil, bad("KeyType", "Invalid key type specified: "+deref(in.KeyType)) // text: our words
	}
	id := *in.UsagePlanId + "/" + *in.KeyId
	if _, ok := resource.GatewayUsagePlanKeys.Get(s.env.Store.Read(ctx), region(ctx), id); ok {
		return nil, conflict("KeyId", "Usage Plan key already exists for this usage plan") // text: our memory of AWS's
	}
	return planKey(key), put(ctx, s, resource.GatewayUsagePlanKeys, id, &resource.GatewayPlanKey{PlanID: *in.UsagePlanId, KeyID: *in.KeyId})
}

func planKey(k *apigateway.ApiKey) *apigateway.UsagePlanKey {
	return &apigateway.UsagePlanKey{Id: k.Id, Type: new("API_KEY"), Name: k.Name, Value: k.Value}
}

// GetUsagePlanKey returns a key of a plan.
func (s *Service) GetUsagePlanKey(ctx context.Context, in *apigateway.GetUsagePlanKeyInput) (*apigateway.UsagePlanKey, error) {
	k, err := get(ctx, s, resource.GatewayUsagePlanKeys, deref(in.UsagePlanId)+"/"+deref(in.KeyId), "Invalid API Key identifier specified")
	if err != nil {
		return nil, err
	}
	key, err := get(ctx, s, resource.GatewayKeys, k.KeyID, noKey)
	if err != nil {
		return nil, err
	}
	return planKey(key), nil
}

// GetUsagePlanKeys lists the keys of a plan.
func (s *Service) GetUsagePlanKeys(ctx context.Context, in *apigateway.GetUsagePlanKeysInput) (*apigateway.GetUsagePlanKeysOutput, error) {
	if _, err := get(ctx, s, resource.GatewayUsagePlans, deref(in.UsagePlanId), noUsagePlan); err != nil {
		return nil, err
	}
	var all []*apigateway.UsagePlanKey
	r := s.env.Store.Read(ctx)
	for _, k := range resource.GatewayUsagePlanKeys.All(r, region(ctx)) {
		if key, ok := resource.GatewayKeys.Get(r, region(ctx), k.KeyID); ok && k.PlanID == *in.UsagePlanId && strings.HasPrefix(deref(key.Name), deref(in.NameQuery)) {
			all = append(all, planKey(key))
		}
	}
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetUsagePlanKeysOutput{Items: items, Position: next}, nil
}

// DeleteUsagePlanKey takes a key out of a plan.
func (s *Service) DeleteUsagePlanKey(ctx context.Context, in *apigateway.DeleteUsagePlanKeyInput) (*apigateway.DeleteUsagePlanKeyOutput, error) {
	id := deref(in.UsagePlanId) + "/" + deref(in.KeyId)
	if _, err := get(ctx, s, resource.GatewayUsagePlanKeys, id, noKey); err != nil {
		return nil, err
	}
	return &apigateway.DeleteUsagePlanKeyOutput{}, remove(ctx, s, resource.GatewayUsagePlanKeys, id)
}
