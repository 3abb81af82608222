package stack

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi"
)

// cloudFrontProperties are the properties of types, as CloudFormation's reference pages of April 2026 list them
// (aws-properties-cloudfront-…): type, the shape of the API, properties. A type that is not made here is reported by name when a
// template has it (unsupported-resource-type).
const cloudFrontProperties = `
CachePolicy CachePolicyConfig: Comment DefaultTTL MaxTTL MinTTL Name ParametersInCacheKeyAndForwardedToOrigin
CachePolicy CachePolicyCookiesConfig: CookieBehavior Cookies
CachePolicy CachePolicyHeadersConfig: HeaderBehavior Headers
CachePolicy ParametersInCacheKeyAndForwardedToOrigin: CookiesConfig EnableAcceptEncodingBrotli EnableAcceptEncodingGzip HeadersConfig QueryStringsConfig
CachePolicy CachePolicyQueryStringsConfig: QueryStringBehavior QueryStrings
CloudFrontOriginAccessIdentity CloudFrontOriginAccessIdentityConfig: Comment
ContinuousDeploymentPolicy ContinuousDeploymentPolicyConfig: Enabled SingleHeaderPolicyConfig SingleWeightPolicyConfig StagingDistributionDnsNames TrafficConfig Type
ContinuousDeploymentPolicy SessionStickinessConfig: IdleTTL MaximumTTL
ContinuousDeploymentPolicy ContinuousDeploymentSingleHeaderConfig: Header Value
ContinuousDeploymentPolicy ContinuousDeploymentSingleWeightConfig: SessionStickinessConfig Weight
ContinuousDeploymentPolicy TrafficConfig: SingleHeaderConfig SingleWeightConfig Type
Distribution CacheBehavior: AllowedMethods CachePolicyId CachedMethods Compress DefaultTTL FieldLevelEncryptionId ForwardedValues FunctionAssociations GrpcConfig LambdaFunctionAssociations MaxTTL MinTTL OriginRequestPolicyId PathPattern RealtimeLogConfigArn ResponseHeadersPolicyId SmoothStreaming TargetOriginId TrustedKeyGroups TrustedSigners ViewerProtocolPolicy
Distribution ConnectionFunctionAssociation: Id
Distribution CookiePreference: Forward WhitelistedNames
Distribution CustomErrorResponse: ErrorCachingMinTTL ErrorCode ResponseCode ResponsePagePath
Distribution CustomOriginConfig: HTTPPort HTTPSPort IpAddressType OriginKeepaliveTimeout OriginMtlsConfig OriginProtocolPolicy OriginReadTimeout OriginSSLProtocols
Distribution DefaultCacheBehavior: AllowedMethods CachePolicyId CachedMethods Compress DefaultTTL FieldLevelEncryptionId ForwardedValues FunctionAssociations GrpcConfig LambdaFunctionAssociations MaxTTL MinTTL OriginRequestPolicyId RealtimeLogConfigArn ResponseHeadersPolicyId SmoothStreaming TargetOriginId TrustedKeyGroups TrustedSigners ViewerProtocolPolicy
Distribution ParameterDefinitionSchema: StringSchema
Distribution DistributionConfig: Aliases AnycastIpListId CNAMEs CacheBehaviors Comment ConnectionFunctionAssociation ConnectionMode ContinuousDeploymentPolicyId CustomErrorResponses CustomOrigin DefaultCacheBehavior DefaultRootObject Enabled HttpVersion IPV6Enabled Logging OriginGroups Origins PriceClass Restrictions S3Origin Staging TenantConfig ViewerCertificate ViewerMtlsConfig WebACLId
Distribution ForwardedValues: Cookies Headers QueryString QueryStringCacheKeys
Distribution FunctionAssociation: EventType FunctionARN
Distribution GeoRestriction: Locations RestrictionType
Distribution GrpcConfig: Enabled
Distribution LambdaFunctionAssociation: EventType IncludeBody LambdaFunctionARN
Distribution LoggingConfig: Bucket IncludeCookies Prefix
Distribution Origin: ConnectionAttempts ConnectionTimeout CustomOriginConfig DomainName Id OriginAccessControlId OriginCustomHeaders OriginPath OriginShield ResponseCompletionTimeout S3OriginConfig VpcOriginConfig
Distribution OriginCustomHeader: HeaderName HeaderValue
Distribution OriginGroup: FailoverCriteria Id Members SelectionCriteria
Distribution OriginGroupFailoverCriteria: StatusCodes
Distribution OriginGroupMember: OriginId
Distribution OriginGroupMembers: Items Quantity
Distribution OriginGroups: Items Quantity
Distribution OriginMtlsConfig: ClientCertificateArn
Distribution OriginShield: Enabled OriginShieldRegion
Distribution ParameterDefinition: Definition Name
Distribution Restrictions: GeoRestriction
Distribution S3OriginConfig: OriginAccessIdentity OriginReadTimeout
Distribution StatusCodes: Items Quantity
Distribution StringSchemaConfig: Comment DefaultValue Required
Distribution Tag: Key Value
Distribution TenantConfig: ParameterDefinitions
Distribution TrustStoreConfig: AdvertiseTrustStoreCaNames IgnoreCertificateExpiry TrustStoreId
Distribution ViewerCertificate: AcmCertificateArn CloudFrontDefaultCertificate IamCertificateId MinimumProtocolVersion SslSupportMethod
Distribution ViewerMtlsConfig: Mode TrustStoreConfig
Distribution VpcOriginConfig: OriginKeepaliveTimeout OriginReadTimeout OwnerAccountId VpcOriginId
Function FunctionConfig: Comment KeyValueStoreAssociations Runtime
Function KeyValueStoreAssociation: KeyValueStoreARN
KeyGroup KeyGroupConfig: Comment Items Name
KeyValueStore ImportSource: SourceArn SourceType
OriginAccessControl OriginAccessControlConfig: Description Name OriginAccessControlOriginType SigningBehavior SigningProtocol
OriginRequestPolicy OriginRequestPolicyCookiesConfig: CookieBehavior Cookies
OriginRequestPolicy OriginRequestPolicyHeadersConfig: HeaderBehavior Headers
OriginRequestPolicy OriginRequestPolicyConfig: Comment CookiesConfig HeadersConfig Name QueryStringsConfig
OriginRequestPolicy OriginRequestPolicyQueryStringsConfig: QueryStringBehavior QueryStrings
PublicKey PublicKeyConfig: CallerReference Comment EncodedKey Name
ResponseHeadersPolicy ResponseHeadersPolicyAccessControlAllowHeaders: Items
ResponseHeadersPolicy ResponseHeadersPolicyAccessControlAllowMethods: Items
ResponseHeadersPolicy ResponseHeadersPolicyAccessControlAllowOrigins: Items
ResponseHeadersPolicy ResponseHeadersPolicyAccessControlExposeHeaders: Items
ResponseHeadersPolicy ResponseHeadersPolicyContentSecurityPolicy: ContentSecurityPolicy Override
ResponseHeadersPolicy ResponseHeadersPolicyContentTypeOptions: Override
ResponseHeadersPolicy ResponseHeadersPolicyCorsConfig: AccessControlAllowCredentials AccessControlAllowHeaders AccessControlAllowMethods AccessControlAllowOrigins AccessControlExposeHeaders AccessControlMaxAgeSec OriginOverride
ResponseHeadersPolicy ResponseHeadersPolicyCustomHeader: Header Override Value
ResponseHeadersPolicy ResponseHeadersPolicyCustomHeadersConfig: Items
ResponseHeadersPolicy ResponseHeadersPolicyFrameOptions: FrameOption Override
ResponseHeadersPolicy ResponseHeadersPolicyReferrerPolicy: Override ReferrerPolicy
ResponseHeadersPolicy ResponseHeadersPolicyRemoveHeader: Header
ResponseHeadersPolicy ResponseHeadersPolicyRemoveHeadersConfig: Items
ResponseHeadersPolicy ResponseHeadersPolicyConfig: Comment CorsConfig CustomHeadersConfig Name RemoveHeadersConfig SecurityHeadersConfig ServerTimingHeadersConfig
ResponseHeadersPolicy ResponseHeadersPolicySecurityHeadersConfig: ContentSecurityPolicy ContentTypeOptions FrameOptions ReferrerPolicy StrictTransportSecurity XSSProtection
ResponseHeadersPolicy ResponseHeadersPolicyServerTimingHeadersConfig: Enabled SamplingRate
ResponseHeadersPolicy ResponseHeadersPolicyStrictTransportSecurity: AccessControlMaxAgeSec IncludeSubdomains Override Preload
ResponseHeadersPolicy ResponseHeadersPolicyXSSProtection: ModeBlock Override Protection ReportUri
VpcOrigin VpcOriginEndpointConfig: Arn HTTPPort HTTPSPort Name OriginProtocolPolicy OriginSSLProtocols
RealtimeLogConfig CreateRealtimeLogConfigRequest: EndPoints Fields Name SamplingRate
RealtimeLogConfig EndPoint: KinesisStreamConfig StreamType
RealtimeLogConfig KinesisStreamConfig: RoleArn StreamArn
MonitoringSubscription MonitoringSubscription: RealtimeMetricsSubscriptionConfig
MonitoringSubscription RealtimeMetricsSubscriptionConfig: RealtimeMetricsSubscriptionStatus
TrustStore CreateTrustStoreRequest: CaCertificatesBundleSource Name Tags
TrustStore CaCertificatesBundleSource: CaCertificatesBundleS3Location
TrustStore CaCertificatesBundleS3Location: Bucket Key Region Version
`

// Every property that a template may have reaches a member of the API, where its checks and the compiler find it.
func TestCloudFrontProperties(t *testing.T) {
	made := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(cloudFrontProperties)) {
		head, properties, _ := strings.Cut(line, ":")
		name, shapeName, _ := strings.Cut(head, " ")
		typ, shape := resourceTypes["AWS::CloudFront::"+name], cfShape(shapeName)
		if typ == nil {
			continue
		}
		if shape == nil {
			t.Errorf("%s: there is no such shape", head)
			continue
		}
		made["AWS::CloudFront::"+name] = true
		for _, p := range strings.Fields(properties) {
			key := shapeName + "." + p
			if typ.spelling.skip[key] || typ.spelling.legacy[key] != "" {
				continue
			}
			member, renamed := typ.spelling.rename[key]
			if !renamed {
				if member = p; !typ.spelling.writes(shape, p) {
					t.Errorf("%s: templates may not write %s", head, p)
				}
			}
			at := shape
			for step := range strings.SplitSeq(member, ".") {
				var m *awsapi.Member
				if at != nil {
					m = memberFold(at, step)
				}
				if m == nil {
					t.Errorf("%s: %s is no member of the API", head, member)
					break
				}
				at = m.Shape
			}
		}
	}
	for name := range cloudFrontTypes {
		if !made[name] {
			t.Errorf("the list has no properties of %s", name)
		}
	}
}
