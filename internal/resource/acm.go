package resource

import "github.com/foregate/foregate/internal/store"

func certificateDecoders() []store.Decoder { return nil }

// CertificateNames returns the names of a certificate, and whether it is known.
func CertificateNames(r store.Reader, arn string) ([]string, bool) { return nil, false }
