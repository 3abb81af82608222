package compile

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
)

// distributionMembers says of every member of a DistributionConfig in the model what becomes of it: honoured; "-" and why it has
// no effect by decision; "!" and the place under which it is reported when it is set (TestMembersAreReported sets it).
const distributionMembers = `
AllowedMethods: CachedMethods
CacheBehaviors:
CachedMethods:
CacheTagConfig: HeaderName
ConnectionFunctionAssociation: Id
CookieNames:
CookiePreference: Forward WhitelistedNames
CustomErrorResponse: ErrorCachingMinTTL ErrorCode ResponseCode ResponsePagePath
CustomErrorResponses:
CustomHeaders:
CustomOriginConfig: HTTPPort HTTPSPort OriginKeepaliveTimeout OriginProtocolPolicy OriginReadTimeout OriginSslProtocols !OriginMtlsConfig -IpAddressType(names are reached as they resolve here)
DistributionConfig: Aliases CacheBehaviors ContinuousDeploymentPolicyId CustomErrorResponses DefaultCacheBehavior DefaultRootObject Enabled HttpVersion Logging OriginGroups Origins Restrictions Staging ViewerCertificate
DistributionConfig: -CallerReference(of the API) -Comment(for people) -PriceClass(there is one place) -IsIPV6Enabled(a node answers where it listens)
DistributionConfig: !AnycastIpListId !CacheTagConfig !ConnectionFunctionAssociation !ConnectionMode !TenantConfig ViewerMtlsConfig !WebACLId
Behavior: AllowedMethods CachePolicyId Compress DefaultTTL ForwardedValues FunctionAssociations GrpcConfig LambdaFunctionAssociations MaxTTL MinTTL OriginRequestPolicyId PathPattern ResponseHeadersPolicyId TargetOriginId TrustedKeyGroups ViewerProtocolPolicy
Behavior: !FieldLevelEncryptionId !RealtimeLogConfigArn !SmoothStreaming !TrustedSigners
ForwardedValues: Cookies Headers QueryString QueryStringCacheKeys
FunctionAssociation: EventType FunctionARN
GeoRestriction: RestrictionType
GrpcConfig: Enabled
LambdaFunctionAssociation: EventType IncludeBody LambdaFunctionARN
LoggingConfig: Bucket Enabled IncludeCookies Prefix
Origin: ConnectionAttempts ConnectionTimeout CustomHeaders CustomOriginConfig DomainName Id OriginAccessControlId OriginPath OriginShield ResponseCompletionTimeout S3OriginConfig !VpcOriginConfig
OriginCustomHeader: HeaderName HeaderValue
OriginGroup: FailoverCriteria Id Members !SelectionCriteria
OriginGroupFailoverCriteria: StatusCodes
OriginGroupMember: OriginId
OriginMtlsConfig: ClientCertificateArn
OriginShield: Enabled OriginShieldRegion
ParameterDefinition: Definition Name
ParameterDefinitionSchema: StringSchema
Restrictions: GeoRestriction
S3OriginConfig: OriginAccessIdentity OriginReadTimeout
StringSchemaConfig: Comment DefaultValue Required
TenantConfig: ParameterDefinitions
TrustStoreConfig: AdvertiseTrustStoreCaNames IgnoreCertificateExpiry TrustStoreId
TrustedKeyGroups: Enabled
TrustedSigners: Enabled
ViewerCertificate: ACMCertificateArn CloudFrontDefaultCertificate MinimumProtocolVersion !SSLSupportMethod !IAMCertificateId -Certificate(the older name of the others) -CertificateSource(the older name of the others)
ViewerMtlsConfig: Mode TrustStoreConfig
VpcOriginConfig: OriginKeepaliveTimeout OriginReadTimeout OwnerAccountId VpcOriginId
`

// members reads the table: what becomes of Shape.Member.
func members() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(distributionMembers)) {
		shape, rest, _ := strings.Cut(line, ":")
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			name, reason := rest, ""
			if i := strings.IndexAny(rest, " ("); i >= 0 {
				if name, rest = rest[:i], rest[i:]; rest[0] == '(' {
					reason, rest, _ = strings.Cut(rest[1:], ")")
				}
			} else {
				rest = ""
			}
			kind := "honoured"
			if name[0] == '!' || name[0] == '-' {
				kind, name = name[:1], name[1:]
			}
			out[shape+"."+name] = kind + reason
		}
	}
	return out
}

// A member that a new model brings has no line in the table, and fails this test.
func TestEveryMemberHasAFate(t *testing.T) {
	table := members()
	used := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		name := typ.Name()
		if name == "CacheBehavior" || name == "DefaultCacheBehavior" {
			name = "Behavior"
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			walk(f.Type)
			if f.Name == "Quantity" || f.Name == "Items" {
				continue
			}
			if key := name + "." + f.Name; table[key] == "" {
				t.Errorf("%s: nobody has said whether it is honoured", key)
			} else {
				used[key] = true
			}
		}
	}
	walk(reflect.TypeFor[cloudfront.DistributionConfig]())
	for key, fate := range table {
		if !used[key] {
			t.Errorf("%s: the model has no such member", key)
		}
		if fate == "-" {
			t.Errorf("%s has no effect, and the table does not say why", key)
		}
	}
}

// What is not honoured is reported, at its place.
func TestMembersAreReported(t *testing.T) {
	const acl = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/473e64fd-f30b-4765-81a0-62ad96dd167a"
	settings := map[string]string{ // a line of the template below, and where it is reported
		"CustomOriginConfig.OriginMtlsConfig":              "Origins: [{Id: o, DomainName: example.com, CustomOriginConfig: {OriginProtocolPolicy: https-only, OriginMtlsConfig: {ClientCertificateArn: 'arn:aws:acm:us-east-1:000000000000:certificate/x'}}}]",
		"DistributionConfig.AnycastIpListId":               "AnycastIpListId: aip_x",
		"DistributionConfig.ConnectionFunctionAssociation": "ConnectionFunctionAssociation: {Id: cf_x}",
		"DistributionConfig.ConnectionMode":                "ConnectionMode: tenant-only",
		"DistributionConfig.TenantConfig":                  "TenantConfig: {ParameterDefinitions: [{Name: n, Definition: {StringSchema: {Required: false}}}]}",
		"DistributionConfig.WebACLId":                      "WebACLId: " + acl,
		"Behavior.FieldLevelEncryptionId":                  "CacheBehaviors: [{PathPattern: /x, TargetOriginId: o, ViewerProtocolPolicy: allow-all, CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad, FieldLevelEncryptionId: E1}]",
		"Behavior.SmoothStreaming":                         "CacheBehaviors: [{PathPattern: /x, TargetOriginId: o, ViewerProtocolPolicy: allow-all, CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad, SmoothStreaming: true}]",
		"Behavior.TrustedSigners":                          "CacheBehaviors: [{PathPattern: /x, TargetOriginId: o, ViewerProtocolPolicy: allow-all, CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad, TrustedSigners: [self]}]",
		"OriginGroup.SelectionCriteria":                    "OriginGroups: {Quantity: 1, Items: [{Id: g, SelectionCriteria: media-quality-based, FailoverCriteria: {StatusCodes: {Quantity: 1, Items: [503]}}, Members: {Quantity: 2, Items: [{OriginId: o}, {OriginId: p}]}}]}",
		"ViewerCertificate.SSLSupportMethod":               "ViewerCertificate: {AcmCertificateArn: 'arn:aws:acm:us-east-1:000000000000:certificate/x', SslSupportMethod: vip}",
		"ViewerCertificate.IAMCertificateId":               "ViewerCertificate: {IamCertificateId: ASCAX, SslSupportMethod: sni-only}",
	}
	elsewhere := []string{ // tested where they are: templates do not have the first one, and others need more than a line
		"DistributionConfig.CacheTagConfig", "Behavior.RealtimeLogConfigArn", "Origin.VpcOriginConfig"}
	for key, fate := range members() {
		if fate == "!" && settings[key] == "" && !slices.Contains(elsewhere, key) {
			t.Errorf("%s: no test shows that it is reported", key)
		}
	}
	for key, line := range settings {
		if members()[key] != "!" {
			t.Errorf("%s: the table does not say that it is reported", key)
		}
		lines := []string{"Origins: [{Id: o, DomainName: example.com, CustomOriginConfig: {OriginProtocolPolicy: https-only}}, {Id: p, DomainName: example.org, CustomOriginConfig: {OriginProtocolPolicy: https-only}}]"}
		if name, _, _ := strings.Cut(line, ":"); name == "Origins" {
			lines = nil
		}
		text := "Resources:\n  Site:\n    Type: AWS::CloudFront::Distribution\n    Properties:\n      DistributionConfig:\n        Enabled: true\n" +
			"        DefaultCacheBehavior: {TargetOriginId: o, ViewerProtocolPolicy: allow-all, CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad}\n        " +
			strings.Join(append(lines, line), "\n        ") + "\n"
		_, found := plansOf(t, text)
		member := key[strings.IndexByte(key, '.')+1:]
		if !slices.ContainsFunc(found, func(f diag.Finding) bool {
			return f.Code == diag.UnsupportedProperty && strings.EqualFold(lastPart(f.Path), member)
		}) {
			t.Errorf("%s is not reported: %v", key, found)
		}
	}
}
