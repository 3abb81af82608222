package resource

import (
	"time"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/store"
)

// The kinds of CloudFront, all of them Global.
var (
	Distributions          = store.NewKind[Distribution]("cloudfront", "distribution")
	CachePolicies          = store.NewKind[CachePolicy]("cloudfront", "cache-policy")
	OriginRequestPolicies  = store.NewKind[OriginRequestPolicy]("cloudfront", "origin-request-policy")
	ResponseHeaderPolicies = store.NewKind[ResponseHeadersPolicy]("cloudfront", "response-headers-policy")
	OriginAccessControls   = store.NewKind[OriginAccessControl]("cloudfront", "origin-access-control")
	OriginAccessIdentities = store.NewKind[OriginAccessIdentity]("cloudfront", "origin-access-identity")
	CloudFrontFunctions    = store.NewKind[CloudFrontFunction]("cloudfront", "function")
	KeyValueStores         = store.NewKind[KeyValueStore]("cloudfront", "key-value-store")
	KeyGroups              = store.NewKind[KeyGroup]("cloudfront", "key-group")
	PublicKeys             = store.NewKind[PublicKey]("cloudfront", "public-key")
	ContinuousDeployments  = store.NewKind[ContinuousDeployment]("cloudfront", "continuous-deployment-policy")
	VpcOrigins             = store.NewKind[VpcOrigin]("cloudfront", "vpc-origin")
	TrustStores            = store.NewKind[TrustStore]("cloudfront", "trust-store")
	Invalidations          = store.NewKind[Invalidation]("cloudfront", "invalidation")
	// RealtimeLogConfigs are stored under their names, MonitoringSubscriptions under the ids of their distributions.
	RealtimeLogConfigs      = store.NewKind[cloudfront.RealtimeLogConfig]("cloudfront", "realtime-log-config")
	MonitoringSubscriptions = store.NewKind[cloudfront.MonitoringSubscription]("cloudfront", "monitoring-subscription")
)

func cloudFrontDecoders() []store.Decoder {
	return []store.Decoder{
		Distributions.Decoder(), CachePolicies.Decoder(), OriginRequestPolicies.Decoder(), ResponseHeaderPolicies.Decoder(),
		OriginAccessControls.Decoder(), OriginAccessIdentities.Decoder(), CloudFrontFunctions.Decoder(),
		KeyValueStores.Decoder(), KeyGroups.Decoder(), PublicKeys.Decoder(), ContinuousDeployments.Decoder(),
		VpcOrigins.Decoder(), TrustStores.Decoder(), Invalidations.Decoder(),
		RealtimeLogConfigs.Decoder(), MonitoringSubscriptions.Decoder(),
	}
}

// Distribution is stored under its id (E…).
type Distribution struct {
	ID string
	// DomainName is d….cloudfront.net.
	DomainName string
	Config     *cloudfront.DistributionConfig
	Tags       map[string]string
	// Changes counts the updates of Config; its ETag is made of it.
	Changes uint64
}

// CachePolicy is stored under its id, a UUID. Managed policies are not stored: package edge has them.
type CachePolicy struct {
	ID     string
	Config *cloudfront.CachePolicyConfig
}

// OriginRequestPolicy is stored under its id, a UUID.
type OriginRequestPolicy struct {
	ID     string
	Config *cloudfront.OriginRequestPolicyConfig
}

// ResponseHeadersPolicy is stored under its id, a UUID.
type ResponseHeadersPolicy struct {
	ID     string
	Config *cloudfront.ResponseHeadersPolicyConfig
}

// OriginAccessControl is stored under its id (E…).
type OriginAccessControl struct {
	ID     string
	Config *cloudfront.OriginAccessControlConfig
}

// OriginAccessIdentity is stored under its id (E…).
type OriginAccessIdentity struct {
	ID string
	// S3CanonicalUserID stands for the identity in bucket policies.
	S3CanonicalUserID string
	Config            *cloudfront.CloudFrontOriginAccessIdentityConfig
}

// VpcOrigin is stored under its id (vo_…).
type VpcOrigin struct {
	ID     string
	Config *cloudfront.VpcOriginEndpointConfig
	Tags   map[string]string
	// Changes counts the updates of Config; its ETag is made of it.
	Changes uint64
}

// FunctionStage is the code and configuration of a CloudFront Function at one stage.
type FunctionStage struct {
	Config   *cloudfront.FunctionConfig
	Code     []byte
	Created  time.Time
	Modified time.Time
	// Revision counts the changes of the stage; its ETag is made of it.
	Revision uint64
}

// KeyValueStore is the key value store that is associated with a stage, nil for none.
func (st *FunctionStage) KeyValueStore(r store.Reader) (*store.Record, *KeyValueStore) {
	if st.Config.KeyValueStoreAssociations == nil {
		return nil, nil
	}
	for _, a := range st.Config.KeyValueStoreAssociations.Items {
		for rec, v := range KeyValueStores.All(r, Global) {
			if a.KeyValueStoreARN != nil && v.ARN == *a.KeyValueStoreARN {
				return rec, v
			}
		}
	}
	return nil, nil
}

// CloudFrontFunction is stored under its name.
type CloudFrontFunction struct {
	Name        string
	Development FunctionStage
	// Live is nil until the function is published.
	Live *FunctionStage
	Tags map[string]string
}

// Uses tells whether a stage of the function is associated with a key value store.
func (f *CloudFrontFunction) Uses(storeARN string) bool {
	for _, st := range []*FunctionStage{&f.Development, f.Live} {
		if st == nil || st.Config.KeyValueStoreAssociations == nil {
			continue
		}
		for _, a := range st.Config.KeyValueStoreAssociations.Items {
			if a.KeyValueStoreARN != nil && *a.KeyValueStoreARN == storeARN {
				return true
			}
		}
	}
	return false
}

// KeyValueStore is stored under its name.
type KeyValueStore struct {
	Name, ID, ARN string
	Comment       string
	Items         map[string]string
	Tags          map[string]string
	// Revision counts the changes of the items.
	Revision uint64
}

// KeyGroup is stored under its id, a UUID.
type KeyGroup struct {
	ID     string
	Config *cloudfront.KeyGroupConfig
}

// PublicKey is stored under its id (K…).
type PublicKey struct {
	ID     string
	Config *cloudfront.PublicKeyConfig
}

// ContinuousDeployment is a continuous deployment policy, stored under its id, a UUID.
type ContinuousDeployment struct {
	ID     string
	Config *cloudfront.ContinuousDeploymentPolicyConfig
	// Sessions counts how often all sessions of viewers were ended.
	Sessions uint64
}

// TrustStore is stored under its id (ts_…).
type TrustStore struct {
	ID, Name string
	// Certificates are those of authorities, in DER.
	Certificates [][]byte
	// OCSP is UseClientCertificateOCSPEndpoint.
	OCSP bool
	Tags map[string]string
	// Changes counts the updates; the ETag is made of it.
	Changes uint64
}

// Invalidation is stored under DISTRIBUTION/ID.
type Invalidation struct {
	ID, DistributionID string
	Batch              *cloudfront.InvalidationBatch
	Created            time.Time
}

// AsDefault returns a cache behavior in the form of the default one, which has all members but the path pattern.
func AsDefault(b *cloudfront.CacheBehavior) *cloudfront.DefaultCacheBehavior {
	return &cloudfront.DefaultCacheBehavior{
		TargetOriginId: b.TargetOriginId, TrustedSigners: b.TrustedSigners, TrustedKeyGroups: b.TrustedKeyGroups,
		ViewerProtocolPolicy: b.ViewerProtocolPolicy, AllowedMethods: b.AllowedMethods, SmoothStreaming: b.SmoothStreaming,
		Compress: b.Compress, LambdaFunctionAssociations: b.LambdaFunctionAssociations, FunctionAssociations: b.FunctionAssociations,
		FieldLevelEncryptionId: b.FieldLevelEncryptionId, RealtimeLogConfigArn: b.RealtimeLogConfigArn, CachePolicyId: b.CachePolicyId,
		OriginRequestPolicyId: b.OriginRequestPolicyId, ResponseHeadersPolicyId: b.ResponseHeadersPolicyId, GrpcConfig: b.GrpcConfig,
		ForwardedValues: b.ForwardedValues, MinTTL: b.MinTTL, DefaultTTL: b.DefaultTTL, MaxTTL: b.MaxTTL,
	}
}
