package stack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

func parse(t *testing.T, text string) *cloudformation.Template {
	t.Helper()
	tmpl, found := cloudformation.Parse("t.yaml", []byte(text))
	if tmpl == nil || diag.Worst(found) == diag.Error {
		t.Fatalf("parse template: %v", found)
	}
	return tmpl
}

// deploy deploys text as the stack "s"; change may alter the options.
func deploy(t *testing.T, s *Services, text string, change ...func(*Options)) Outcome {
	t.Helper()
	o := Options{Region: "us-east-1", Account: "000000000000", StackName: "s"}
	for _, c := range change {
		c(&o)
	}
	return s.Deploy(t.Context(), parse(t, text), o)
}

func mustDeploy(t *testing.T, s *Services, text string, change ...func(*Options)) *resource.Stack {
	t.Helper()
	out := deploy(t, s, text, change...)
	if out.Stack == nil {
		t.Fatalf("refused: %s", show(out.Findings))
	}
	return out.Stack
}

func show(found []diag.Finding) string {
	var b strings.Builder
	for _, f := range found {
		b.WriteString(f.Position.String() + " " + f.Path + ": " + f.Message + "\n")
	}
	return b.String()
}

func find(s *resource.Stack, id string) resource.StackResource {
	i := slices.IndexFunc(s.Resources, func(r resource.StackResource) bool { return r.LogicalID == id })
	if i < 0 {
		return resource.StackResource{}
	}
	return s.Resources[i]
}

const emptyTemplate = "Resources: {X: {Type: AWS::CDK::Metadata}}"

const policyTemplate = `
Resources:
  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: one
        MinTTL: 0
        DefaultTTL: 60
        MaxTTL: 600
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          HeadersConfig: {HeaderBehavior: none}
          CookiesConfig: {CookieBehavior: none}
          QueryStringsConfig: {QueryStringBehavior: none}
`

// siteTemplate is a distribution; %s goes into DistributionConfig.
const siteTemplate = `
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: api
            DomainName: api.example.com
            CustomOriginConfig: {OriginProtocolPolicy: https-only}
        DefaultCacheBehavior:
          TargetOriginId: api
          ViewerProtocolPolicy: allow-all
          CachePolicyId: !Ref Policy
`

func TestExamples(t *testing.T) {
	for _, name := range []string{"forbidden.yaml", "fixed.yaml"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "examples", "orders", name))
		if err != nil {
			t.Fatal(err)
		}
		s := allServices()
		st := mustDeploy(t, s, string(data))
		site, api := find(st, "Site"), find(st, "Api")
		d, ok := resource.Distributions.Get(s.Env.Store.View(), resource.Global, site.PhysicalID)
		if !ok || site.Attributes["DomainName"] != d.DomainName {
			t.Fatalf("%s: no distribution %q", name, site.PhysicalID)
		}
		o := d.Config.Origins.Items[0]
		if want := api.PhysicalID + ".execute-api.us-east-1.amazonaws.com"; *o.DomainName != want || *o.OriginPath != "/prod" {
			t.Errorf("%s: origin %s%s, want %s/prod", name, *o.DomainName, *o.OriginPath, want)
		}
		if st.Outputs[0].Value != "https://"+d.DomainName {
			t.Errorf("%s: output %q", name, st.Outputs[0].Value)
		}
		if rec := resource.Distributions.Record(s.Env.Store.View(), resource.Global, d.ID); rec.Source.LogicalID != "Site" || rec.Source.Stack != "s" {
			t.Errorf("%s: source %+v", name, rec.Source)
		}
		again := mustDeploy(t, allServices(), string(data))
		if find(again, "Site").PhysicalID != site.PhysicalID {
			t.Errorf("%s: another run gave another id", name)
		}
	}
}

func TestWholeOrNothing(t *testing.T) {
	s := allServices()
	before := s.Env.Store.View().Revision()
	out := deploy(t, s, policyTemplate+siteTemplate+`
  Bad:
    Type: AWS::CloudFront::OriginRequestPolicy
    Properties:
      OriginRequestPolicyConfig:
        Name: bad
        HeadersConfig: {HeaderBehavior: whitelist, Headers: [X-Ok, Authorization]}
        CookiesConfig: {CookieBehavior: none}
        QueryStringsConfig: {QueryStringBehavior: none}
  Worse:
    Type: AWS::CloudFront::KeyGroup
    Properties:
      KeyGroupConfig: {Name: keys, Items: [K1]}
  Needs:
    Type: AWS::CloudFront::OriginAccessControl
    DependsOn: Bad
    Properties:
      OriginAccessControlConfig: {Name: "", OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4}
`)
	if out.Stack != nil || len(out.Findings) != 2 {
		t.Fatalf("want two findings and no stack:\n%s", show(out.Findings))
	}
	if after := s.Env.Store.View().Revision(); after != before {
		t.Errorf("revision %d became %d", before, after)
	}
	f := out.Findings[0]
	if f.Code != diag.AuthorizationInOriginRequest || f.Path != "Resources.Bad.Properties.OriginRequestPolicyConfig.HeadersConfig.Headers[1]" || f.Position.Line == 0 {
		t.Errorf("first finding: %s %s", f.Code, f.Path)
	}
	if want := (diag.AWSError{Code: "InvalidArgument", Status: 400, Message: "The parameter Headers contains Authorization that is not allowed."}); *f.AWSError != want {
		t.Errorf("AWS's error: %+v", *f.AWSError)
	}
	// The store is free again.
	mustDeploy(t, s, policyTemplate)
}

func TestUpdates(t *testing.T) {
	s := allServices()
	view := func() *resource.CachePolicy {
		for _, p := range resource.CachePolicies.All(s.Env.Store.View(), resource.Global) {
			return p
		}
		return nil
	}
	first := mustDeploy(t, s, policyTemplate+siteTemplate)
	revision := s.Env.Store.View().Revision()

	second := mustDeploy(t, s, strings.Replace(policyTemplate, "DefaultTTL: 60", "DefaultTTL: 61", 1)+siteTemplate)
	if p := view(); *p.Config.DefaultTTL != 61 || p.ID != find(first, "Policy").PhysicalID {
		t.Errorf("update in place: TTL %d, id %s", *p.Config.DefaultTTL, p.ID)
	}
	site := resource.Distributions.Record(s.Env.Store.View(), resource.Global, find(second, "Site").PhysicalID)
	if site.Revision > revision {
		t.Errorf("an unchanged resource was written again")
	}
	if !second.Created.Equal(first.Created) || second.ID != first.ID {
		t.Errorf("the stack became another one")
	}

	mustDeploy(t, s, strings.Replace(policyTemplate, "DefaultTTL: 60", "DefaultTTL: 61", 1)) // the distribution is removed though it was enabled
	if n := resource.Distributions.Len(s.Env.Store.View(), resource.Global); n != 0 {
		t.Errorf("%d distributions are left", n)
	}
	if out := deploy(t, s, emptyTemplate); out.Stack == nil || resource.CachePolicies.Len(s.Env.Store.View(), resource.Global) != 0 {
		t.Errorf("the policy is left: %s", show(out.Findings))
	}
}

const functionTemplate = `
Resources:
  F:
    Type: AWS::CloudFront::Function
    Properties:
      Name: NAME
      AutoPublish: true
      FunctionCode: "function handler(event) { return event.request }"
      FunctionConfig:
        Comment: c
        Runtime: cloudfront-js-2.0
        KeyValueStoreAssociations: [{KeyValueStoreARN: !GetAtt Store.Arn}]
  Store:
    Type: AWS::CloudFront::KeyValueStore
    Properties: {Name: pairs, Comment: first}
Outputs:
  Arn: {Value: !GetAtt F.FunctionMetadata.FunctionARN}
`

func TestFunctions(t *testing.T) {
	s := allServices()
	st := mustDeploy(t, s, strings.Replace(functionTemplate, "NAME", "one", 1))
	if want := "arn:aws:cloudfront::000000000000:function/one"; st.Outputs[0].Value != want || find(st, "F").PhysicalID != want {
		t.Errorf("ARN %q", st.Outputs[0].Value)
	}
	f, _ := resource.CloudFrontFunctions.Get(s.Env.Store.View(), resource.Global, "one")
	if f == nil || f.Live == nil || len(f.Live.Config.KeyValueStoreAssociations.Items) != 1 || *f.Live.Config.KeyValueStoreAssociations.Quantity != 1 {
		t.Fatalf("function %+v", f)
	}
	// Another name is another function; the old one goes.
	mustDeploy(t, s, strings.Replace(functionTemplate, "NAME", "two", 1))
	if _, ok := resource.CloudFrontFunctions.Get(s.Env.Store.View(), resource.Global, "one"); ok {
		t.Error("the replaced function is left")
	}
	// A comment changes in place.
	mustDeploy(t, s, strings.NewReplacer("NAME", "two", "first", "second").Replace(functionTemplate))
	if kvs, _ := resource.KeyValueStores.Get(s.Env.Store.View(), resource.Global, "pairs"); kvs.Comment != "second" {
		t.Errorf("comment %q", kvs.Comment)
	}
	out := deploy(t, s, strings.NewReplacer("NAME", "two", "FunctionMetadata.FunctionARN", "Name").Replace(functionTemplate))
	if out.Stack != nil || !strings.Contains(show(out.Findings), "does not support attribute type Name in Fn::GetAtt") {
		t.Errorf("unknown attribute: %s", show(out.Findings))
	}
}

func TestRetain(t *testing.T) {
	const text = `
Resources:
  Keep:
    Type: AWS::CloudFront::CloudFrontOriginAccessIdentity
    DeletionPolicy: Retain
    Properties: {CloudFrontOriginAccessIdentityConfig: {Comment: keep}}
  Drop:
    Type: AWS::CloudFront::CloudFrontOriginAccessIdentity
    Properties: {CloudFrontOriginAccessIdentityConfig: {Comment: drop}}
`
	for _, fresh := range []bool{false, true} {
		s := allServices()
		first := mustDeploy(t, s, text)
		out := deploy(t, s, policyTemplate, func(o *Options) { o.Fresh = fresh })
		if out.Stack == nil {
			t.Fatal(show(out.Findings))
		}
		_, kept := resource.OriginAccessIdentities.Get(s.Env.Store.View(), resource.Global, find(first, "Keep").PhysicalID)
		_, left := resource.OriginAccessIdentities.Get(s.Env.Store.View(), resource.Global, find(first, "Drop").PhysicalID)
		if !kept || left {
			t.Errorf("fresh %t: kept %t, left %t", fresh, kept, left)
		}
	}
}

func TestUpdateReplacePolicy(t *testing.T) {
	text := strings.Replace(functionTemplate, "    Type: AWS::CloudFront::Function", "    UpdateReplacePolicy: Retain\n    Type: AWS::CloudFront::Function", 1)
	s := allServices()
	mustDeploy(t, s, strings.Replace(text, "NAME", "one", 1))
	mustDeploy(t, s, strings.Replace(text, "NAME", "two", 1))
	for _, name := range []string{"one", "two"} {
		if _, ok := resource.CloudFrontFunctions.Get(s.Env.Store.View(), resource.Global, name); !ok {
			t.Errorf("no function %s", name)
		}
	}
}

func TestFreshKeepsIDs(t *testing.T) {
	s := allServices()
	first := mustDeploy(t, s, policyTemplate+siteTemplate)
	second := mustDeploy(t, s, policyTemplate+siteTemplate, func(o *Options) { o.Fresh = true })
	for _, id := range []string{"Policy", "Site"} {
		if a, b := find(first, id), find(second, id); a.PhysicalID != b.PhysicalID || a.Attributes["DomainName"] != b.Attributes["DomainName"] {
			t.Errorf("%s: %s became %s", id, a.PhysicalID, b.PhysicalID)
		}
	}
}

func TestDeletedOverTheAPI(t *testing.T) {
	s := allServices()
	st := mustDeploy(t, s, policyTemplate)
	id := find(st, "Policy").PhysicalID
	now, err := s.CloudFront.GetCachePolicy(t.Context(), &cloudfront.GetCachePolicyInput{Id: &id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CloudFront.DeleteCachePolicy(t.Context(), &cloudfront.DeleteCachePolicyInput{Id: &id, IfMatch: now.ETag}); err != nil {
		t.Fatal(err)
	}
	mustDeploy(t, s, emptyTemplate)
}

func TestUnknownType(t *testing.T) {
	s := allServices()
	out := deploy(t, s, policyTemplate+`
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: t}
Outputs:
  Arn: {Value: !GetAtt Table.Arn}
  Name: {Value: !Ref Table}
`)
	if out.Stack == nil || len(out.Findings) != 1 || out.Findings[0].Code != diag.UnsupportedResourceType || out.Findings[0].Severity != diag.Warning {
		t.Fatalf("findings: %s", show(out.Findings))
	}
	if out.Stack.Outputs[0].Value == "" || resource.CachePolicies.Len(s.Env.Store.View(), resource.Global) != 1 {
		t.Errorf("the rest is missing: %+v", out.Stack.Outputs)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	s := allServices()
	const secret = `pa"ss/word`
	out := deploy(t, s, `
Parameters:
  Secret: {Type: String, NoEcho: true}
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: api
            DomainName: !Sub "${Secret}.example.com"
            CustomOriginConfig: {OriginProtocolPolicy: !Ref Secret}
        DefaultCacheBehavior:
          TargetOriginId: !Ref Secret
          ViewerProtocolPolicy: allow-all
          CachePolicyId: !Ref Secret
`, func(o *Options) { o.Parameters = map[string]string{"Secret": secret} })
	if out.Stack != nil {
		t.Fatal("deployed")
	}
	for _, f := range out.Findings {
		all := f.Message + strings.Join(f.Because, " ") + strings.Join(f.Fixes, " ") + f.AWSError.Message
		if strings.Contains(all, "pa") && strings.Contains(all, "word") {
			t.Errorf("a secret shows: %s", all)
		}
	}
}

func TestImport(t *testing.T) {
	s := allServices()
	mustDeploy(t, s, policyTemplate+`
Outputs:
  Id: {Value: !Ref Policy, Export: {Name: shared-policy}}
`, func(o *Options) { o.StackName = "base" })
	site := strings.Replace("Resources:"+siteTemplate, "!Ref Policy", "!ImportValue shared-policy", 1)
	mustDeploy(t, s, site)
	out := deploy(t, s, strings.Replace(site, "shared-policy", "other", 1))
	if out.Stack != nil || !strings.Contains(show(out.Findings), "No export named other found.") {
		t.Errorf("unknown export: %s", show(out.Findings))
	}
}

func TestTagsFollowTheTemplate(t *testing.T) {
	s := allServices()
	tags := func(text string) string { return policyTemplate + siteTemplate + "      Tags: " + text + "\n" }
	st := mustDeploy(t, s, tags("[{Key: a, Value: '1'}, {Key: b, Value: '2'}]"))
	mustDeploy(t, s, tags("[{Key: b, Value: 3}]"))
	d, _ := resource.Distributions.Get(s.Env.Store.View(), resource.Global, find(st, "Site").PhysicalID)
	if len(d.Tags) != 1 || d.Tags["b"] != "3" {
		t.Errorf("tags %v", d.Tags)
	}
}
