package compile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	cloudfrontservice "github.com/foregate/foregate/internal/service/cloudfront"
	"github.com/foregate/foregate/internal/stack"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// plansOf deploys a template's CloudFront resources and compiles the distributions alone. before may put records into the
// store that distributions look at.
func plansOf(t *testing.T, text string, before ...func(tx *store.Tx)) (map[string]*edge.Plan, []diag.Finding) {
	t.Helper()
	env := &service.Env{Store: store.Memory(time.Now), Now: time.Now, Account: "000000000000"}
	for _, f := range before {
		if _, err := env.Store.Update(t.Context(), func(tx *store.Tx) error { f(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	tmpl, found := cloudformation.Parse("t.yaml", []byte(text))
	if diag.Worst(found) == diag.Error {
		t.Fatalf("parse: %v", found)
	}
	services := &stack.Services{Env: env, CloudFront: cloudfrontservice.New(env, nil)}
	out := services.Deploy(t.Context(), tmpl, stack.Options{Region: "us-east-1", Account: "000000000000", StackName: "s"})
	if out.Stack == nil {
		t.Fatalf("refused: %s", codes(out.Findings))
	}
	c := &compiler{view: env.Store.View(), env: &Env{Region: "us-east-1", Account: "000000000000", Now: time.Now}, front: front.NewBuilder(1)}
	d := newDistributionCompiler(c)
	d.policies()
	plans := map[string]*edge.Plan{}
	for rec, v := range resource.Distributions.All(c.view, resource.Global) {
		plans[rec.Source.LogicalID] = d.plan(rec, v)
	}
	return plans, c.findings
}

const site = `
Resources:
  Control:
    Type: AWS::CloudFront::OriginAccessControl
    Properties:
      OriginAccessControlConfig: {Name: c, OriginAccessControlOriginType: s3, SigningBehavior: no-override, SigningProtocol: sigv4}
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: [www.example.com]
        ViewerCertificate: {AcmCertificateArn: "arn:aws:acm:us-east-1:000000000000:certificate/x", SslSupportMethod: sni-only}
        DefaultRootObject: index.html
        Origins:
          - Id: api
            DomainName: abc123.execute-api.eu-west-1.amazonaws.com
            OriginPath: /prod
            ResponseCompletionTimeout: 90
            OriginCustomHeaders: [{HeaderName: X-Key, HeaderValue: k}]
            CustomOriginConfig: {OriginProtocolPolicy: https-only, OriginSSLProtocols: [TLSv1.2], HTTPSPort: 8443, OriginReadTimeout: 60}
          - Id: files
            DomainName: files.s3.dualstack.eu-central-1.amazonaws.com
            OriginAccessControlId: !GetAtt Control.Id
            S3OriginConfig: {OriginAccessIdentity: ""}
        OriginGroups:
          Quantity: 1
          Items:
            - Id: both
              FailoverCriteria: {StatusCodes: {Quantity: 1, Items: [503]}}
              Members: {Quantity: 2, Items: [{OriginId: files}, {OriginId: api}]}
        CustomErrorResponses:
          - {ErrorCode: 404, ResponseCode: 200, ResponsePagePath: /index.html, ErrorCachingMinTTL: 5}
          - {ErrorCode: 503}
        CacheBehaviors:
          - PathPattern: /api/*
            TargetOriginId: api
            ViewerProtocolPolicy: https-only
            AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
            OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac
          - PathPattern: /old/*
            TargetOriginId: both
            ViewerProtocolPolicy: redirect-to-https
            ForwardedValues: {QueryString: true, Headers: [Origin], Cookies: {Forward: none}}
        DefaultCacheBehavior:
          TargetOriginId: files
          ViewerProtocolPolicy: allow-all
          Compress: true
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
          ResponseHeadersPolicyId: 67f7725c-6f97-4210-82d7-5512b31e9d03
`

func TestPlan(t *testing.T) {
	plans, found := plansOf(t, site, func(tx *store.Tx) { resource.Buckets.Put(tx, resource.Global, "files", &resource.Bucket{}) })
	p := plans["Site"]
	const config = "Resources.Site.Properties.DistributionConfig"
	if len(p.Behaviors) != 3 || len(p.Origins) != 2 || len(p.Groups) != 1 || len(p.ErrorResponses) != 2 {
		t.Fatalf("plan %+v", p)
	}
	api, old, rest := p.Behaviors[0], p.Behaviors[1], p.Behaviors[2]
	origin, files := p.Origins[0], p.Origins[1]
	for _, check := range []struct {
		name string
		ok   bool
	}{
		{"order", api.Pattern.Source == "/api/*" && old.Pattern.Source == "/old/*" && rest.Pattern.Source == "*"},
		{"all but Host", !api.Forward.ForwardsHost() && api.Forward.Headers.Has("authorization") && api.TTL.Disabled()},
		{"policies", strings.Contains(api.Policies, "CachingDisabled") && strings.Contains(api.Policies, "AllViewerExceptHostHeader")},
		{"methods", api.Allowed&edge.POST != 0 && rest.Allowed == edge.GET|edge.HEAD && rest.Cached == edge.GET|edge.HEAD},
		{"protocols", api.ViewerProtocol == edge.HTTPSOnly && old.ViewerProtocol == edge.RedirectToHTTPS},
		{"targets", api.Origin == 0 && api.Group == -1 && old.Origin == -1 && old.Group == 0 && rest.Origin == 1},
		{"legacy", old.Forward.Legacy && slices.Equal(old.Forward.KeyHeaders, []string{"origin"}) && old.TTL == edge.TTLs{Min: 0, Default: 24 * time.Hour, Max: 365 * 24 * time.Hour}},
		{"group", slices.Equal(p.Groups[0].Members, []int{1, 0}) && slices.Equal(p.Groups[0].FailoverOn, []int{503})},
		{"compression", rest.Compress && rest.Forward.Gzip && rest.Forward.Brotli},
		{"response headers", rest.ResponseHeaders != nil && rest.ResponseHeaders.Security != nil},
		{"origin", origin.Path == "/prod" && origin.Protocol == edge.OriginHTTPSOnly && origin.HTTPSPort == 8443 && origin.HTTPPort == 80 && origin.ReadTimeout == time.Minute && origin.CompletionTimeout == 90*time.Second && origin.Attempts == 3},
		{"headers", len(origin.Headers) == 1 && origin.Headers[0].Value == "k"},
		{"bucket", files.Kind == edge.S3Origin && files.Region == "eu-central-1"},
		{"access control", files.Access.Kind == edge.AccessControl && files.Access.Signing == edge.SignNoOverride && files.Access.SourceARN == p.ARN && files.Access.OriginType == "s3"},
		{"page", p.ErrorResponses[0].Status == 404 && p.ErrorResponses[0].ResponseCode == 200 && p.ErrorResponses[0].MinTTL == 5*time.Second && p.ErrorResponses[1].MinTTL == 10*time.Second},
		{"names", p.DefaultRootObject == "index.html" && slices.Equal(p.Aliases, []string{"www.example.com"})},
		{"places", api.Source.OriginRequestPolicy == config+".CacheBehaviors[0].OriginRequestPolicyId" && rest.Source.OriginRequestPolicy == "" && rest.Source.AllowedMethods == "" &&
			rest.Source.TrustedSigners == "" && origin.PathSource == config+".Origins[0].OriginPath" && p.Groups[0].SourcePath == config+".OriginGroups.Items[0]"},
	} {
		if !check.ok {
			t.Errorf("%s is wrong: %+v", check.name, p)
		}
	}
	for _, f := range found {
		if f.Severity != diag.Info {
			t.Errorf("finding %s %s %s %q", f.Code, f.Path, f.Message, f.Because)
		}
	}
}

func TestOriginAccessElsewhere(t *testing.T) {
	_, found := plansOf(t, site) // without the bucket
	const unsigned = "Resources.Site.Properties.DistributionConfig.Origins[1].OriginAccessControlId"
	if !slices.ContainsFunc(found, func(f diag.Finding) bool { return f.Path == unsigned && f.Code == diag.UnsupportedProperty }) {
		t.Errorf("nobody tells that requests to a bucket elsewhere are not signed: %v", found)
	}
}

// apiSite is a distribution with one API behind it; the words in capitals are replaced.
const apiSite = `
Resources:
  Key:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: host
        MinTTL: 1
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: false
          HeadersConfig: {HeaderBehavior: whitelist, Headers: [Host]}
          CookiesConfig: {CookieBehavior: none}
          QueryStringsConfig: {QueryStringBehavior: none}
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        ALIASES
        Origins: [{Id: api, DomainName: abc123.execute-api.eu-west-1.amazonaws.com, PATH CustomOriginConfig: {OriginProtocolPolicy: https-only}}]
        BEHAVIORS
        DefaultCacheBehavior: {TargetOriginId: api, ViewerProtocolPolicy: allow-all, CACHING}
`

const (
	exceptHost = "CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad, OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac"
	allViewer  = "CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad, OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3"
)

func TestFindings(t *testing.T) {
	const front = "Resources.Site.Properties.DistributionConfig"
	withStages := func(names ...string) func(*store.Tx) {
		return func(tx *store.Tx) {
			for _, n := range names {
				resource.RestStages.Put(tx, "eu-west-1", resource.PartID("abc123", n), &resource.RestPart[apigateway.Stage]{API: "abc123", Value: &apigateway.Stage{StageName: &n}})
			}
		}
	}
	customDomain := func(tx *store.Tx) {
		resource.GatewayDomains.Put(tx, "eu-west-1", "www.example.com", &resource.GatewayDomain{Value: &apigateway.DomainName{DomainName: new("www.example.com")}})
	}
	aliases := `Aliases: [www.example.com]
        ViewerCertificate: {AcmCertificateArn: "arn:aws:acm:us-east-1:000000000000:certificate/x", SslSupportMethod: sni-only}`
	behavior := func(patterns ...string) string {
		s := "CacheBehaviors:"
		for _, p := range patterns {
			s += "\n          - {PathPattern: '" + p + "', TargetOriginId: api, ViewerProtocolPolicy: allow-all, " + exceptHost + "}"
		}
		return s
	}
	tests := []struct {
		name    string
		replace []string
		before  []func(*store.Tx)
		want    []string // code, severity and path
	}{
		{"fine", []string{"CACHING", exceptHost}, nil, nil},
		{"policy", []string{"CACHING", allViewer}, nil, []string{"host-reaches-execute-api error " + front + ".DefaultCacheBehavior.OriginRequestPolicyId"}},
		{"cache key", []string{"CACHING", "CachePolicyId: !Ref Key"}, nil, []string{"host-reaches-execute-api error " + front + ".DefaultCacheBehavior.CachePolicyId"}},
		{"managed cache key", []string{"CACHING", "CachePolicyId: 83da9c7e-98b4-4e11-a168-04f0df8e2c65"}, nil, []string{"host-reaches-execute-api error " + front + ".DefaultCacheBehavior.CachePolicyId"}},
		{"legacy", []string{"CACHING", "ForwardedValues: {QueryString: true, Headers: [Host]}"}, nil, []string{"host-reaches-execute-api error " + front + ".DefaultCacheBehavior.ForwardedValues"}},
		{"legacy, all headers", []string{"CACHING", "ForwardedValues: {QueryString: true, Headers: ['*']}"}, nil, []string{"host-reaches-execute-api error " + front + ".DefaultCacheBehavior.ForwardedValues"}},
		{"legacy, without Host", []string{"CACHING", "ForwardedValues: {QueryString: true, Headers: [Origin]}"}, nil, nil},
		{"custom domain of the alias", []string{"CACHING", allViewer, "ALIASES", aliases}, []func(*store.Tx){customDomain}, []string{"unsupported-property info " + front + ".ViewerCertificate.AcmCertificateArn"}},
		{"custom domain of another name", []string{"CACHING", allViewer}, []func(*store.Tx){customDomain}, []string{"host-reaches-execute-api error " + front + ".DefaultCacheBehavior.OriginRequestPolicyId"}},
		{"headers about the place", []string{"CACHING", "CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad, OriginRequestPolicyId: 33f36d7e-f396-46d9-90e0-52428a34d9dc", "abc123.execute-api.eu-west-1.amazonaws.com", "api.example.com"}, nil,
			[]string{"viewer-place-unknown warning " + front + ".DefaultCacheBehavior.OriginRequestPolicyId"}},
		{"other origin", []string{"CACHING", allViewer, "abc123.execute-api.eu-west-1.amazonaws.com", "api.example.com"}, nil, nil},
		{"stage", []string{"CACHING", exceptHost, "PATH", "OriginPath: /prod,"}, []func(*store.Tx){withStages("dev", "prod")}, nil},
		{"stage with a path", []string{"CACHING", exceptHost, "PATH", "OriginPath: /prod/v1,"}, []func(*store.Tx){withStages("prod")}, nil},
		{"wrong stage", []string{"CACHING", exceptHost, "PATH", "OriginPath: /live,"}, []func(*store.Tx){withStages("prod")}, []string{"origin-path-misses-stage error " + front + ".Origins[0].OriginPath"}},
		{"no stage", []string{"CACHING", exceptHost}, []func(*store.Tx){withStages("prod")}, []string{"origin-path-misses-stage info " + front + ".Origins[0]"}},
		{"stages of another API", []string{"CACHING", exceptHost, "PATH", "OriginPath: /live,", "abc123", "zzz999"}, []func(*store.Tx){withStages("prod")}, nil},
		{"unreachable", []string{"CACHING", exceptHost, "BEHAVIORS", behavior("/api/*", "/api/v1/*", "/other")}, nil, []string{"behavior-unreachable warning " + front + ".CacheBehaviors[1]"}},
		{"reachable", []string{"CACHING", exceptHost, "BEHAVIORS", behavior("/api/v1/*", "/api/*")}, nil, nil},
		{"default unreachable", []string{"CACHING", exceptHost, "BEHAVIORS", behavior("*")}, nil, []string{"behavior-unreachable info " + front + ".DefaultCacheBehavior"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := apiSite
			for i := 0; i < len(tt.replace); i += 2 {
				text = strings.ReplaceAll(text, tt.replace[i], tt.replace[i+1])
			}
			text = strings.NewReplacer("ALIASES", "Comment: c", "PATH ", "", "BEHAVIORS", "IPV6Enabled: true").Replace(text)
			_, found := plansOf(t, text, tt.before...)
			var got []string
			for _, f := range found {
				if s := string(f.Code) + " " + f.Severity.String() + " " + f.Path; !slices.Contains(got, s) {
					got = append(got, s)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestHostWithLambda: a function on origin-request may set Host, so nothing is said.
func TestHostWithLambda(t *testing.T) {
	api := edge.Origin{ID: "api", Domain: "abc123.execute-api.eu-west-1.amazonaws.com"}
	p := &edge.Plan{Origins: []edge.Origin{api}, Behaviors: []edge.Behavior{{Pattern: edge.DefaultPattern(), Group: -1,
		Forward: edge.LegacyForward(&edge.ForwardedValues{Headers: []string{"Host"}}, false)}}}
	for _, tt := range []struct {
		event edge.Event
		want  int
	}{{edge.OriginRequest, 0}, {edge.OriginResponse, 1}, {edge.ViewerRequest, 1}} {
		p.Behaviors[0].Lambda = [edge.NumEvents]*edge.LambdaAssociation{}
		p.Behaviors[0].Lambda[tt.event] = &edge.LambdaAssociation{}
		c := &compiler{view: store.Memory(time.Now).View()}
		(&distributionCompiler{compiler: c}).staticFindings(&store.Record{}, p)
		if len(c.findings) != tt.want {
			t.Errorf("%s: %d findings, want %d", tt.event, len(c.findings), tt.want)
		}
	}
}

// TestUnsupportedSettings: what is set and not honoured has a finding, what is not set has none.
func TestUnsupportedSettings(t *testing.T) {
	settings := `Logging: {Bucket: logs.s3.amazonaws.com}
        WebACLId: arn:aws:wafv2:us-east-1:000000000000:global/webacl/w/1
        HttpVersion: http2and3
        Restrictions: {GeoRestriction: {RestrictionType: blacklist, Locations: [AQ]}}`
	text := strings.NewReplacer("ALIASES", settings, "PATH ", "", "BEHAVIORS", "Comment: c", "CACHING", exceptHost+", SmoothStreaming: true, TrustedSigners: [self]").Replace(apiSite)
	plans, found := plansOf(t, text)
	want := []string{"Restrictions.GeoRestriction", "Logging", "WebACLId", "DefaultCacheBehavior.TrustedSigners", "DefaultCacheBehavior.SmoothStreaming"}
	var got []string
	for _, f := range found {
		want := diag.UnsupportedProperty
		if strings.HasSuffix(f.Path, ".GeoRestriction") {
			want = diag.ViewerPlaceUnknown
		}
		if f.Code != want || f.Severity != diag.Warning {
			t.Errorf("%s %s", f.Code, f.Path)
		}
		got = append(got, strings.TrimPrefix(f.Path, "Resources.Site.Properties.DistributionConfig."))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(plans["Site"].Unsupported); n != 2 {
		t.Errorf("%d notes in the plan", n)
	}
}
