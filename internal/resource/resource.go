// Package resource declares what the store holds: a struct and a typed kind for each resource that an AWS API can make.
//
// Start with a service's file; Decoders lists all kinds for opening a store. Values are built of the generated API types, and
// immutable once stored. The package must not validate (service does) nor interpret (compile does).
package resource

import (
	"slices"

	"github.com/foregate/foregate/internal/store"
)

// Global is the region of resources that belong to none: CloudFront, IAM, Route 53.
const Global = ""

// Decoders returns the decoders of all kinds.
func Decoders() []store.Decoder {
	return slices.Concat(
		apiGatewayDecoders(),
		certificateDecoders(),
		cloudFrontDecoders(),
		iamDecoders(),
		lambdaDecoders(),
		logsDecoders(),
		route53Decoders(),
		s3Decoders(),
		stackDecoders(),
	)
}
