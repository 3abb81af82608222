package compile

import (
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
)

// deployment makes what the engine needs of a continuous deployment policy; nil for none, and for one that is not in effect. Its
// staging distribution is put in by linkStaging.
func (d *distributionCompiler) deployment(id string) *edge.Deployment {
	v, ok := resource.ContinuousDeployments.Get(d.view, resource.Global, id)
	if !ok || !deref(v.Config.Enabled) || v.Config.TrafficConfig == nil {
		return nil
	}
	out := &edge.Deployment{PolicyID: v.ID, Epoch: strconv.FormatUint(v.Sessions, 10)}
	t := v.Config.TrafficConfig
	if deref(t.Type) == "SingleHeader" {
		out.Header, out.Value = deref(t.SingleHeaderConfig.Header), deref(t.SingleHeaderConfig.Value)
		return out
	}
	out.Weight = deref(t.SingleWeightConfig.Weight)
	if k := t.SingleWeightConfig.SessionStickinessConfig; k != nil {
		out.Idle, out.Longest = seconds(deref(k.IdleTTL)), seconds(deref(k.MaximumTTL))
	}
	return out
}

// linkStaging connects primary distributions with their staging ones.
func (d *distributionCompiler) linkStaging(plans []*edge.Plan) {
	for _, p := range plans {
		if p.Deployment == nil {
			continue
		}
		v, ok := resource.ContinuousDeployments.Get(d.view, resource.Global, p.Deployment.PolicyID)
		if !ok {
			continue
		}
		for _, staging := range plans {
			if staging.Staging && strings.EqualFold(staging.DomainName, v.Config.StagingDistributionDnsNames.Items[0]) {
				p.Deployment.Staging = staging
			}
		}
	}
}
