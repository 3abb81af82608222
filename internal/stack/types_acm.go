package stack

import (
	"context"
	"slices"

	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/resource"
)

// acmTypes are the types of AWS::CertificateManager (facts: cloudformation 3). A certificate is issued at once: the records
// that would prove its names are not made in DomainValidationOptions' hosted zones.
var acmTypes = map[string]*resourceType{
	"AWS::CertificateManager::Certificate": {
		required: []string{"DomainName"},
		replace:  []string{"CertificateAuthorityArn", "DomainName", "DomainValidationOptions", "KeyAlgorithm", "SubjectAlternativeNames", "ValidationMethod", "CertificateExport"},
		spelling: spelling{
			rename: map[string]string{
				"RequestCertificateRequest.CertificateTransparencyLoggingPreference": "Options.CertificateTransparencyLoggingPreference",
				"RequestCertificateRequest.CertificateExport":                        "Options.Export",
			},
			absent: map[string]bool{"RequestCertificateRequest.IdempotencyToken": true, "RequestCertificateRequest.Options": true, "RequestCertificateRequest.ManagedBy": true},
			skip:   map[string]bool{"DomainValidationOption.HostedZoneId": true},
		},
		create: createCertificate, update: updateCertificate,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[acm.DeleteCertificateOutput](ctx, acm.Service, s.ACM, "DeleteCertificate", &acm.DeleteCertificateInput{CertificateArn: &old.PhysicalID})
			return err
		},
	},
}

func certificateRequest(r *request) (*acm.RequestCertificateInput, error) {
	in := &acm.RequestCertificateInput{}
	if err := r.into(in, acm.Service.Shape("RequestCertificateRequest")); err != nil {
		return nil, err
	}
	// With a hosted zone there is no ValidationDomain, which the API requires.
	in.DomainValidationOptions = slices.DeleteFunc(in.DomainValidationOptions, func(o *acm.DomainValidationOption) bool { return o.ValidationDomain == nil })
	if len(in.DomainValidationOptions) == 0 {
		in.DomainValidationOptions = nil
	}
	return in, nil
}

func createCertificate(ctx context.Context, r *request) (made, error) {
	in, err := certificateRequest(r)
	if err != nil {
		return made{}, err
	}
	out, err := call[acm.RequestCertificateOutput](ctx, acm.Service, r.ACM, "RequestCertificate", in)
	if err != nil {
		return made{}, err
	}
	return made{*out.CertificateArn, map[string]string{}}, nil
}

func updateCertificate(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in, err := certificateRequest(r)
	if err != nil {
		return made{}, err
	}
	if in.Options != nil {
		if _, err := call[acm.UpdateCertificateOptionsOutput](ctx, acm.Service, r.ACM, "UpdateCertificateOptions", &acm.UpdateCertificateOptionsInput{CertificateArn: &old.PhysicalID, Options: in.Options}); err != nil {
			return made{}, err
		}
	}
	have, err := r.ACM.ListTagsForCertificate(ctx, &acm.ListTagsForCertificateInput{CertificateArn: &old.PhysicalID})
	if err == nil && len(have.Tags) > 0 {
		_, err = r.ACM.RemoveTagsFromCertificate(ctx, &acm.RemoveTagsFromCertificateInput{CertificateArn: &old.PhysicalID, Tags: have.Tags})
	}
	if err == nil && len(in.Tags) > 0 {
		_, err = call[acm.AddTagsToCertificateOutput](ctx, acm.Service, r.ACM, "AddTagsToCertificate", &acm.AddTagsToCertificateInput{CertificateArn: &old.PhysicalID, Tags: in.Tags})
	}
	return made{old.PhysicalID, old.Attributes}, err
}
