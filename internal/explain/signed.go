package explain

import (
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/trace"
)

const (
	docSigned        = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html"
	docSignedChoice  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-choosing-signed-urls-cookies.html"
	docSignedKeys    = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html"
	docSignedCustom  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html"
	docSignedCanned  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html"
	signWithCommand  = "sign the URL: aws cloudfront sign --url URL --key-pair-id KEY --private-key file://private_key.pem --date-less-than DATE"
	orOpenTheContent = "take TrustedKeyGroups off the behavior, if everybody may have the content"
)

// signed explains why a signed URL or signed cookies were refused.
func (r refusal) signed(cause edge.Cause) (diag.Finding, bool) {
	var f diag.Finding
	switch cause {
	case edge.CauseSignatureMissing:
		f = r.because(diag.SignedURLMissing, "the behavior takes signed URLs and signed cookies only, and the request is not signed",
			signWithCommand, "send the cookies CloudFront-Key-Pair-Id, CloudFront-Signature, and CloudFront-Policy or CloudFront-Expires", orOpenTheContent)
		f.Doc = docSignedChoice
	case edge.CauseSignatureKey:
		f = r.because(diag.SignedURLUnknownKey, "the request is signed with a key that the behavior does not trust",
			"use the id of a public key (K…) in one of the behavior's key groups as Key-Pair-Id", "add the public key to a key group of TrustedKeyGroups")
		f.Doc = docSignedKeys
	case edge.CauseSignatureMalformed:
		f = r.because(diag.SignedURLMalformed, "a part of the signature is missing or cannot be read")
		f.Doc = docSignedCustom
	case edge.CauseSignatureMismatch:
		f = r.because(diag.SignedURLMismatch, "the signature does not match the request")
		f.Doc = docSignedCanned
	case edge.CauseSignatureDenied:
		f = r.because(diag.SignedURLDenied, "the signature is valid, and its policy does not allow the request", "sign again, with a policy that allows it")
		f.Doc = docSigned
	default:
		return f, false
	}
	for _, known := range r.Facts {
		switch {
		case known.Kind != trace.SignatureDiagnosed:
		case known.Name == "fix":
			f.Fixes = append(f.Fixes, known.Detail)
		default:
			f.Because = append(f.Because, known.Detail)
		}
	}
	for _, s := range r.Steps { // the one that lists what the request brought
		if s.Phase == "check-access" {
			f.Because = append(f.Because, s.Verdict+": "+s.Reason)
			break
		}
	}
	return f, true
}
