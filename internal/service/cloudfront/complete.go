package cloudfront

import (
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
)

// completeDistribution fills in what CloudFront's answers always have, so that get-distribution-config gives what AWS gives and
// its answer can be sent back as an update (the example answers of the AWS CLI's get-distribution-config). It copies what it
// changes: in may belong to a stored record.
func completeDistribution(in *cloudfront.DistributionConfig) *cloudfront.DistributionConfig {
	c := *in
	c.CallerReference = or(c.CallerReference, "")
	c.Comment = or(c.Comment, "")
	c.DefaultRootObject = or(c.DefaultRootObject, "")
	c.Aliases = or(c.Aliases, cloudfront.Aliases{Quantity: zero()})
	c.OriginGroups = or(c.OriginGroups, cloudfront.OriginGroups{Quantity: zero()})
	c.CustomErrorResponses = or(c.CustomErrorResponses, cloudfront.CustomErrorResponses{Quantity: zero()})
	logging := deref(c.Logging)
	if !deref(logging.Enabled) { // "the values are automatically deleted" (BC LoggingConfig)
		logging.Bucket, logging.Prefix = nil, nil
	}
	c.Logging = &cloudfront.LoggingConfig{Enabled: or(logging.Enabled, false), IncludeCookies: or(logging.IncludeCookies, false),
		Bucket: or(logging.Bucket, ""), Prefix: or(logging.Prefix, "")}
	c.PriceClass = or(c.PriceClass, "PriceClass_All")
	c.Restrictions = or(c.Restrictions, cloudfront.Restrictions{})
	if c.Restrictions.GeoRestriction == nil {
		c.Restrictions = &cloudfront.Restrictions{GeoRestriction: &cloudfront.GeoRestriction{RestrictionType: new("none"), Quantity: zero()}}
	}
	c.WebACLId = or(c.WebACLId, "")
	c.HttpVersion = or(c.HttpVersion, "http2")
	c.IsIPV6Enabled = or(c.IsIPV6Enabled, false)
	c.Staging = or(c.Staging, false)
	c.ContinuousDeploymentPolicyId = or(c.ContinuousDeploymentPolicyId, "")
	c.ViewerCertificate = completeCertificate(c.ViewerCertificate)
	if c.Origins != nil {
		origins := &cloudfront.Origins{Quantity: c.Origins.Quantity}
		for _, o := range c.Origins.Items {
			origins.Items = append(origins.Items, completeOrigin(o))
		}
		c.Origins = origins
	}
	if c.DefaultCacheBehavior != nil {
		c.DefaultCacheBehavior = completeBehavior(c.DefaultCacheBehavior)
	}
	behaviors := &cloudfront.CacheBehaviors{Quantity: zero()}
	if c.CacheBehaviors != nil {
		behaviors.Quantity = c.CacheBehaviors.Quantity
		for _, b := range c.CacheBehaviors.Items {
			behaviors.Items = append(behaviors.Items, completeCacheBehavior(b))
		}
	}
	c.CacheBehaviors = behaviors
	return &c
}

func zero() *int64 { return new(int64(0)) }

func completeCertificate(in *cloudfront.ViewerCertificate) *cloudfront.ViewerCertificate {
	v := deref(in)
	switch {
	case deref(v.ACMCertificateArn) != "":
		v.CloudFrontDefaultCertificate = or(v.CloudFrontDefaultCertificate, false)
		v.Certificate, v.CertificateSource = v.ACMCertificateArn, new("acm")
	case deref(v.IAMCertificateId) != "":
		v.CloudFrontDefaultCertificate = or(v.CloudFrontDefaultCertificate, false)
		v.Certificate, v.CertificateSource = v.IAMCertificateId, new("iam")
	default: // its security policy is fixed (facts: cloudfront-dataplane 1)
		return &cloudfront.ViewerCertificate{CloudFrontDefaultCertificate: new(true), SSLSupportMethod: new("vip"), MinimumProtocolVersion: new("TLSv1"), CertificateSource: new("cloudfront")}
	}
	v.MinimumProtocolVersion = or(v.MinimumProtocolVersion, "TLSv1")
	return &v
}

func completeOrigin(in *cloudfront.Origin) *cloudfront.Origin {
	if in == nil {
		return nil
	}
	o := *in
	o.OriginPath = or(o.OriginPath, "")
	o.CustomHeaders = or(o.CustomHeaders, cloudfront.CustomHeaders{Quantity: zero()})
	o.ConnectionAttempts = or(o.ConnectionAttempts, 3)
	o.ConnectionTimeout = or(o.ConnectionTimeout, 10)
	o.OriginShield = or(o.OriginShield, cloudfront.OriginShield{Enabled: new(false)})
	o.OriginAccessControlId = or(o.OriginAccessControlId, "")
	if o.S3OriginConfig != nil {
		s3 := *o.S3OriginConfig
		s3.OriginAccessIdentity = or(s3.OriginAccessIdentity, "")
		o.S3OriginConfig = &s3
	}
	if o.CustomOriginConfig != nil {
		c := *o.CustomOriginConfig
		c.HTTPPort, c.HTTPSPort = or(c.HTTPPort, 80), or(c.HTTPSPort, 443)
		c.OriginReadTimeout, c.OriginKeepaliveTimeout = or(c.OriginReadTimeout, 30), or(c.OriginKeepaliveTimeout, 5)
		o.CustomOriginConfig = &c
	}
	return &o
}

// completeBehavior fills in a behavior. TTLs belong to ForwardedValues only: with a cache policy AWS refuses them.
func completeBehavior(in *cloudfront.DefaultCacheBehavior) *cloudfront.DefaultCacheBehavior {
	b := *in
	b.TrustedSigners = or(b.TrustedSigners, cloudfront.TrustedSigners{Enabled: new(false), Quantity: zero()})
	b.TrustedKeyGroups = or(b.TrustedKeyGroups, cloudfront.TrustedKeyGroups{Enabled: new(false), Quantity: zero()})
	if b.TrustedSigners.Enabled == nil {
		b.TrustedSigners = &cloudfront.TrustedSigners{Enabled: new(len(b.TrustedSigners.Items) > 0), Quantity: b.TrustedSigners.Quantity, Items: b.TrustedSigners.Items}
	}
	if b.TrustedKeyGroups.Enabled == nil {
		b.TrustedKeyGroups = &cloudfront.TrustedKeyGroups{Enabled: new(len(b.TrustedKeyGroups.Items) > 0), Quantity: b.TrustedKeyGroups.Quantity, Items: b.TrustedKeyGroups.Items}
	}
	get := []string{"HEAD", "GET"}
	m := deref(or(b.AllowedMethods, cloudfront.AllowedMethods{Quantity: count(get), Items: get}))
	m.CachedMethods = or(m.CachedMethods, cloudfront.CachedMethods{Quantity: count(get), Items: get})
	b.AllowedMethods = &m
	b.SmoothStreaming, b.Compress = or(b.SmoothStreaming, false), or(b.Compress, false)
	b.LambdaFunctionAssociations = or(b.LambdaFunctionAssociations, cloudfront.LambdaFunctionAssociations{Quantity: zero()})
	b.FunctionAssociations = or(b.FunctionAssociations, cloudfront.FunctionAssociations{Quantity: zero()})
	b.FieldLevelEncryptionId = or(b.FieldLevelEncryptionId, "")
	b.GrpcConfig = or(b.GrpcConfig, cloudfront.GrpcConfig{Enabled: new(false)})
	if b.ForwardedValues != nil {
		f := *b.ForwardedValues
		f.Cookies = or(f.Cookies, cloudfront.CookiePreference{Forward: new("none")})
		f.Headers = or(f.Headers, cloudfront.Headers{Quantity: zero()})
		f.QueryStringCacheKeys = or(f.QueryStringCacheKeys, cloudfront.QueryStringCacheKeys{Quantity: zero()})
		b.ForwardedValues = &f
		if deref(b.CachePolicyId) == "" {
			b.MinTTL = or(b.MinTTL, 0)
			b.DefaultTTL = or(b.DefaultTTL, max(86400, *b.MinTTL))
			b.MaxTTL = or(b.MaxTTL, max(31536000, *b.DefaultTTL))
		}
	}
	return &b
}

func completeCacheBehavior(in *cloudfront.CacheBehavior) *cloudfront.CacheBehavior {
	if in == nil {
		return nil
	}
	b := completeBehavior(resource.AsDefault(in))
	out := *in
	out.TrustedSigners, out.TrustedKeyGroups, out.AllowedMethods = b.TrustedSigners, b.TrustedKeyGroups, b.AllowedMethods
	out.SmoothStreaming, out.Compress, out.FieldLevelEncryptionId = b.SmoothStreaming, b.Compress, b.FieldLevelEncryptionId
	out.LambdaFunctionAssociations, out.FunctionAssociations = b.LambdaFunctionAssociations, b.FunctionAssociations
	out.GrpcConfig, out.ForwardedValues = b.GrpcConfig, b.ForwardedValues
	out.MinTTL, out.DefaultTTL, out.MaxTTL = b.MinTTL, b.DefaultTTL, b.MaxTTL
	return &out
}

// ttls returns the TTLs of a behavior with ForwardedValues, in order.
func ttls(b *cloudfront.DefaultCacheBehavior) (lo, def, hi int64) {
	lo = deref(b.MinTTL)
	def = deref(or(b.DefaultTTL, max(86400, lo)))
	return lo, def, deref(or(b.MaxTTL, max(31536000, def)))
}
