package cloudfront

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// CreateOriginAccessControl makes an origin access control.
func (s *Service) CreateOriginAccessControl(ctx context.Context, in *cloudfront.CreateOriginAccessControlInput) (*cloudfront.CreateOriginAccessControlOutput, error) {
	if err := s.checkControl(ctx, in.OriginAccessControlConfig, ""); err != nil {
		return nil, err
	}
	if resource.OriginAccessControls.Len(s.env.Store.Read(ctx), global) >= maxAccessControls {
		return nil, tooMany(cloudfront.ErrCodeTooManyOriginAccessControls, "OriginAccessControlConfig",
			"The number of origin access controls in your Amazon Web Services account exceeds the maximum allowed.", maxAccessControls)
	}
	v := &resource.OriginAccessControl{ID: s.env.NewID(ctx, accessID, taken(ctx, s, resource.OriginAccessControls)), Config: in.OriginAccessControlConfig}
	rec, err := put(ctx, s, resource.OriginAccessControls, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateOriginAccessControlOutput{OriginAccessControl: control(v), ETag: new(etag(rec)), Location: s.location("origin-access-control", v.ID)}, nil
}

func control(v *resource.OriginAccessControl) *cloudfront.OriginAccessControl {
	return &cloudfront.OriginAccessControl{Id: &v.ID, OriginAccessControlConfig: v.Config}
}

func (s *Service) checkControl(ctx context.Context, c *cloudfront.OriginAccessControlConfig, self string) error {
	const path = "OriginAccessControlConfig"
	if c == nil || deref(c.Name) == "" {
		return missingArgument(path + ".Name")
	}
	for _, enum := range []struct {
		name    string
		value   *string
		allowed []string
	}{
		{"SigningProtocol", c.SigningProtocol, []string{"sigv4"}},
		{"SigningBehavior", c.SigningBehavior, []string{"always", "never", "no-override"}},
		{"OriginAccessControlOriginType", c.OriginAccessControlOriginType, []string{"s3", "mediastore", "mediapackagev2", "lambda"}},
	} {
		if !slices.Contains(enum.allowed, deref(enum.value)) {
			return invalid(path+"."+enum.name, fmt.Sprintf("The parameter %s is invalid.", enum.name), fmt.Sprintf("%q is not one of %s", deref(enum.value), strings.Join(enum.allowed, ", ")))
		}
	}
	for _, other := range resource.OriginAccessControls.All(s.env.Store.Read(ctx), global) {
		if other.ID != self && deref(other.Config.Name) == *c.Name {
			return refuse(cloudfront.ErrCodeOriginAccessControlAlreadyExists, path+".Name", "An origin access control with the specified parameters already exists.", diag.Finding{
				Because: []string{fmt.Sprintf("%s has the name %q", other.ID, *c.Name)}})
		}
	}
	return nil
}

func (s *Service) control(ctx context.Context, id *string) (*resource.OriginAccessControl, *store.Record, error) {
	return get(ctx, s, resource.OriginAccessControls, id, missing{cloudfront.ErrCodeNoSuchOriginAccessControl, "origin access control"})
}

// GetOriginAccessControl returns an origin access control.
func (s *Service) GetOriginAccessControl(ctx context.Context, in *cloudfront.GetOriginAccessControlInput) (*cloudfront.GetOriginAccessControlOutput, error) {
	v, rec, err := s.control(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetOriginAccessControlOutput{OriginAccessControl: control(v), ETag: new(etag(rec))}, nil
}

// GetOriginAccessControlConfig returns the configuration alone.
func (s *Service) GetOriginAccessControlConfig(ctx context.Context, in *cloudfront.GetOriginAccessControlConfigInput) (*cloudfront.GetOriginAccessControlConfigOutput, error) {
	v, rec, err := s.control(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetOriginAccessControlConfigOutput{OriginAccessControlConfig: v.Config, ETag: new(etag(rec))}, nil
}

// UpdateOriginAccessControl replaces the configuration.
func (s *Service) UpdateOriginAccessControl(ctx context.Context, in *cloudfront.UpdateOriginAccessControlInput) (*cloudfront.UpdateOriginAccessControlOutput, error) {
	old, rec, err := s.control(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if err := s.checkControl(ctx, in.OriginAccessControlConfig, old.ID); err != nil {
		return nil, err
	}
	v := &resource.OriginAccessControl{ID: old.ID, Config: in.OriginAccessControlConfig}
	if rec, err = replace(ctx, s, resource.OriginAccessControls, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateOriginAccessControlOutput{OriginAccessControl: control(v), ETag: new(etag(rec))}, nil
}

// DeleteOriginAccessControl deletes a control that no origin uses.
func (s *Service) DeleteOriginAccessControl(ctx context.Context, in *cloudfront.DeleteOriginAccessControlInput) (*cloudfront.DeleteOriginAccessControlOutput, error) {
	v, rec, err := s.control(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if s.originsUse(ctx, func(o *cloudfront.Origin) bool { return deref(o.OriginAccessControlId) == v.ID }) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeOriginAccessControlInUse, "Cannot delete the origin access control because it's in use by one or more distributions.")
	}
	return &cloudfront.DeleteOriginAccessControlOutput{}, remove(ctx, s, resource.OriginAccessControls, rec)
}

func (s *Service) originsUse(ctx context.Context, use func(*cloudfront.Origin) bool) bool {
	for _, v := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if slices.ContainsFunc(v.Config.Origins.Items, use) {
			return true
		}
	}
	return false
}

// ListOriginAccessControls lists the account's controls.
func (s *Service) ListOriginAccessControls(ctx context.Context, in *cloudfront.ListOriginAccessControlsInput) (*cloudfront.ListOriginAccessControlsOutput, error) {
	var all []*cloudfront.OriginAccessControlSummary
	for _, v := range resource.OriginAccessControls.All(s.env.Store.Read(ctx), global) {
		c := v.Config
		all = append(all, &cloudfront.OriginAccessControlSummary{Id: &v.ID, Name: c.Name, Description: or(c.Description, ""), SigningProtocol: c.SigningProtocol,
			SigningBehavior: c.SigningBehavior, OriginAccessControlOriginType: c.OriginAccessControlOriginType})
	}
	items, next, limit, err := page(all, func(v *cloudfront.OriginAccessControlSummary) string { return *v.Id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListOriginAccessControlsOutput{OriginAccessControlList: &cloudfront.OriginAccessControlList{
		Marker: or(in.Marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Quantity: count(items), Items: items}}, nil
}

// CreateCloudFrontOriginAccessIdentity makes an origin access identity, or returns the one of the same caller reference.
func (s *Service) CreateCloudFrontOriginAccessIdentity(ctx context.Context, in *cloudfront.CreateCloudFrontOriginAccessIdentityInput) (*cloudfront.CreateCloudFrontOriginAccessIdentityOutput, error) {
	c := in.CloudFrontOriginAccessIdentityConfig
	if c == nil || c.Comment == nil {
		return nil, missingArgument("CloudFrontOriginAccessIdentityConfig.Comment")
	}
	for rec, other := range resource.OriginAccessIdentities.All(s.env.Store.Read(ctx), global) {
		if ref := deref(c.CallerReference); ref != "" && deref(other.Config.CallerReference) == ref {
			if deref(other.Config.Comment) == *c.Comment { // the same request again (BC CloudFrontOriginAccessIdentityConfig)
				return &cloudfront.CreateCloudFrontOriginAccessIdentityOutput{CloudFrontOriginAccessIdentity: identity(other), ETag: new(etag(rec)),
					Location: s.location("origin-access-identity/cloudfront", other.ID)}, nil
			}
			return nil, awsapi.Errorf(cloudfront.ErrCodeCloudFrontOriginAccessIdentityAlreadyExists, "The caller reference that you are using to create an origin access identity is associated with another one: %s", other.ID)
		}
	}
	if resource.OriginAccessIdentities.Len(s.env.Store.Read(ctx), global) >= maxAccessIdentities {
		return nil, tooMany(cloudfront.ErrCodeTooManyCloudFrontOriginAccessIdentities, "CloudFrontOriginAccessIdentityConfig",
			"Processing your request would cause you to exceed the maximum number of origin access identities allowed.", maxAccessIdentities)
	}
	v := &resource.OriginAccessIdentity{
		ID:                s.env.NewID(ctx, accessID, taken(ctx, s, resource.OriginAccessIdentities)),
		S3CanonicalUserID: s.env.NewID(ctx, service.ID{Kind: "canonical-user", Alphabet: "0123456789abcdef", Length: 96}, nil), Config: c}
	rec, err := put(ctx, s, resource.OriginAccessIdentities, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateCloudFrontOriginAccessIdentityOutput{CloudFrontOriginAccessIdentity: identity(v), ETag: new(etag(rec)),
		Location: s.location("origin-access-identity/cloudfront", v.ID)}, nil
}

func identity(v *resource.OriginAccessIdentity) *cloudfront.CloudFrontOriginAccessIdentity {
	return &cloudfront.CloudFrontOriginAccessIdentity{Id: &v.ID, S3CanonicalUserId: &v.S3CanonicalUserID, CloudFrontOriginAccessIdentityConfig: v.Config}
}

func (s *Service) identity(ctx context.Context, id *string) (*resource.OriginAccessIdentity, *store.Record, error) {
	return get(ctx, s, resource.OriginAccessIdentities, id, missing{cloudfront.ErrCodeNoSuchCloudFrontOriginAccessIdentity, "origin access identity"})
}

// GetCloudFrontOriginAccessIdentity returns an origin access identity.
func (s *Service) GetCloudFrontOriginAccessIdentity(ctx context.Context, in *cloudfront.GetCloudFrontOriginAccessIdentityInput) (*cloudfront.GetCloudFrontOriginAccessIdentityOutput, error) {
	v, rec, err := s.identity(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetCloudFrontOriginAccessIdentityOutput{CloudFrontOriginAccessIdentity: identity(v), ETag: new(etag(rec))}, nil
}

// GetCloudFrontOriginAccessIdentityConfig returns the configuration alone.
func (s *Service) GetCloudFrontOriginAccessIdentityConfig(ctx context.Context, in *cloudfront.GetCloudFrontOriginAccessIdentityConfigInput) (*cloudfront.GetCloudFrontOriginAccessIdentityConfigOutput, error) {
	v, rec, err := s.identity(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetCloudFrontOriginAccessIdentityConfigOutput{CloudFrontOriginAccessIdentityConfig: v.Config, ETag: new(etag(rec))}, nil
}

// UpdateCloudFrontOriginAccessIdentity changes the comment.
func (s *Service) UpdateCloudFrontOriginAccessIdentity(ctx context.Context, in *cloudfront.UpdateCloudFrontOriginAccessIdentityInput) (*cloudfront.UpdateCloudFrontOriginAccessIdentityOutput, error) {
	old, rec, err := s.identity(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	v := *old
	v.Config = in.CloudFrontOriginAccessIdentityConfig
	if v.Config == nil || v.Config.Comment == nil {
		return nil, missingArgument("CloudFrontOriginAccessIdentityConfig.Comment")
	}
	if rec, err = replace(ctx, s, resource.OriginAccessIdentities, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateCloudFrontOriginAccessIdentityOutput{CloudFrontOriginAccessIdentity: identity(&v), ETag: new(etag(rec))}, nil
}

// DeleteCloudFrontOriginAccessIdentity deletes an identity that no origin uses.
func (s *Service) DeleteCloudFrontOriginAccessIdentity(ctx context.Context, in *cloudfront.DeleteCloudFrontOriginAccessIdentityInput) (*cloudfront.DeleteCloudFrontOriginAccessIdentityOutput, error) {
	v, rec, err := s.identity(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if s.originsUse(ctx, func(o *cloudfront.Origin) bool {
		return o.S3OriginConfig != nil && strings.HasSuffix(deref(o.S3OriginConfig.OriginAccessIdentity), "/"+v.ID)
	}) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeCloudFrontOriginAccessIdentityInUse, "The CloudFront origin access identity is still being used.")
	}
	return &cloudfront.DeleteCloudFrontOriginAccessIdentityOutput{}, remove(ctx, s, resource.OriginAccessIdentities, rec)
}

// ListCloudFrontOriginAccessIdentities lists the account's identities.
func (s *Service) ListCloudFrontOriginAccessIdentities(ctx context.Context, in *cloudfront.ListCloudFrontOriginAccessIdentitiesInput) (*cloudfront.ListCloudFrontOriginAccessIdentitiesOutput, error) {
	var all []*cloudfront.CloudFrontOriginAccessIdentitySummary
	for _, v := range resource.OriginAccessIdentities.All(s.env.Store.Read(ctx), global) {
		all = append(all, &cloudfront.CloudFrontOriginAccessIdentitySummary{Id: &v.ID, S3CanonicalUserId: &v.S3CanonicalUserID, Comment: v.Config.Comment})
	}
	items, next, limit, err := page(all, func(v *cloudfront.CloudFrontOriginAccessIdentitySummary) string { return *v.Id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListCloudFrontOriginAccessIdentitiesOutput{CloudFrontOriginAccessIdentityList: &cloudfront.CloudFrontOriginAccessIdentityList{
		Marker: or(in.Marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Quantity: count(items), Items: items}}, nil
}

// checkKey: RSA 2048 or ECDSA P-256 in PEM (private-content-trusted-signers).
func checkKey(encoded string) error {
	if _, err := signed.ParseKey(encoded); err != nil {
		return invalid("PublicKeyConfig.EncodedKey", "Your request contains empty/invalid/out of limits RSA Encoded Key", // text: seen in public reports
			err.Error(), "make the key with openssl: openssl rsa -pubout -in private_key.pem, of a private key with 2048 bits or on P-256")
	}
	return nil
}
