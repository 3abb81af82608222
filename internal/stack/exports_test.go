package stack

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/diag"
)

func named(name string) func(*Options) { return func(o *Options) { o.StackName = name } }
func fresh(o *Options)                 { o.Fresh = true }
func given(k, v string) func(*Options) {
	return func(o *Options) { o.Parameters = map[string]string{k: v} }
}
func messages(found []diag.Finding) (text string) {
	for _, f := range found {
		text += f.Message + "\n"
	}
	return text
}

const exporter = `
Resources:
  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        {Name: p, MinTTL: 1, DefaultTTL: 1, MaxTTL: 1, ParametersInCacheKeyAndForwardedToOrigin: {EnableAcceptEncodingGzip: false,
         CookiesConfig: {CookieBehavior: none}, HeadersConfig: {HeaderBehavior: none}, QueryStringsConfig: {QueryStringBehavior: none}}}
Outputs: {Policy: {Value: !Ref Policy, Export: {Name: shared-policy}}}
`

const importer = `
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins: [{Id: o, DomainName: www.example.com, CustomOriginConfig: {OriginProtocolPolicy: https-only}}]
        DefaultCacheBehavior: {TargetOriginId: o, ViewerProtocolPolicy: allow-all, CachePolicyId: !ImportValue shared-policy}
`

// TestExports: values go from stack to stack, names are unique, and what is in use stays (texts: see checkExports).
func TestExports(t *testing.T) {
	s := allServices()
	if out := deploy(t, s, importer, named("site")); out.Stack != nil || !out.Awaits || !strings.Contains(messages(out.Findings), "No export named shared-policy found.") {
		t.Fatalf("import of nothing: %+v", out)
	}
	mustDeploy(t, s, exporter, named("base"))
	if got := mustDeploy(t, s, importer, named("site")).Imports; len(got) != 1 || got[0] != "shared-policy" {
		t.Errorf("imports %q", got)
	}
	for _, tt := range []struct{ name, stack, template, want string }{
		{"the same name in another stack", "other", strings.Replace(exporter, "Name: p,", "Name: q,", 1), "Export with name shared-policy is already exported by stack base"},
		{"another value", "base", strings.Replace(exporter, "!Ref Policy,", "x,", 1), "Export shared-policy cannot be updated as it is in use by site"},
		{"no longer exported", "base", strings.Split(exporter, "Outputs")[0], "Export shared-policy cannot be deleted as it is in use by site"},
	} {
		out := deploy(t, s, tt.template, named(tt.stack))
		if out.Stack != nil || !strings.Contains(messages(out.Findings), tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, show(out.Findings), tt.want)
		}
	}
	mustDeploy(t, s, emptyTemplate, named("site"))
	mustDeploy(t, s, emptyTemplate, named("base"))
}

// TestFreshTogether: stacks that use each other's resources are made anew one after the other, as a reload does it.
func TestFreshTogether(t *testing.T) {
	s := allServices()
	for range 3 {
		mustDeploy(t, s, exporter, named("base"), fresh)
		mustDeploy(t, s, importer, named("site"), fresh)
	}
}

// TestSystemsManager: the bootstrap version is known, other values come from the command line.
func TestSystemsManager(t *testing.T) {
	const template = `
Parameters:
  BootstrapVersion: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/hnb659fds/version}
  Domain: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /app/domain}
Resources: {X: {Type: AWS::CDK::Metadata}}
Outputs: {Version: {Value: !Ref BootstrapVersion}, Domain: {Value: !Ref Domain}}`
	out := deploy(t, allServices(), template)
	if out.Stack != nil || len(out.Findings) != 1 || !strings.Contains(out.Findings[0].Fixes[0], "--parameter Domain=") {
		t.Errorf("without a value: %s", show(out.Findings))
	}
	st := mustDeploy(t, allServices(), template, given("Domain", "www.example.com"))
	if st.Outputs[0].Value != bootstrapVersion || st.Outputs[1].Value != "www.example.com" {
		t.Errorf("outputs %+v", st.Outputs)
	}
}
