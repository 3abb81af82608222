package compile

import (
	"crypto/tls"
	"slices"

	"github.com/foregate/foregate/internal/front"
)

// Groups of cipher suites, by the columns of AWS's tables. Of those that the tables have crypto/tls lacks
// ECDHE-*-AES256-SHA384, AES256-SHA256 and RC4-MD5. crypto/tls also has its own order of preference.
var (
	ecdheGCM = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
	ecdheChaCha = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}
	ecdheSHA256 = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256}
	ecdheSHA    = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	}
	rsaGCM  = []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA256}
	rsaSHA  = []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	rsa3DES = []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
)

// Groups of key exchange. CloudFront has these five (DG, as below); of API Gateway's policies those with PQ in their name
// have the quantum-safe ones.
var (
	classical   = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	quantumSafe = append([]tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768}, classical...)
)

// securityPolicies are CloudFront's (DG-secure-connections-supported-viewer-protocols-ciphers) and API Gateway's for
// Regional and edge-optimized endpoints (AG-apigateway-security-policies-list). Nobody offers SSLv3 any more. The suites of
// TLS 1.3 cannot be chosen.
var securityPolicies = map[string]*front.TLSPolicy{
	"SSLv3":        policy(tls.VersionTLS10, quantumSafe, ecdheGCM, ecdheChaCha, ecdheSHA256, ecdheSHA, rsaGCM, rsaSHA, rsa3DES),
	"TLSv1":        policy(tls.VersionTLS10, quantumSafe, ecdheGCM, ecdheChaCha, ecdheSHA256, ecdheSHA, rsaGCM, rsaSHA, rsa3DES),
	"TLSv1_2016":   policy(tls.VersionTLS10, quantumSafe, ecdheGCM, ecdheChaCha, ecdheSHA256, ecdheSHA, rsaGCM, rsaSHA),
	"TLSv1.1_2016": policy(tls.VersionTLS11, quantumSafe, ecdheGCM, ecdheChaCha, ecdheSHA256, ecdheSHA, rsaGCM, rsaSHA),
	"TLSv1.2_2018": policy(tls.VersionTLS12, quantumSafe, ecdheGCM, ecdheChaCha, ecdheSHA256, rsaGCM),
	"TLSv1.2_2019": policy(tls.VersionTLS12, quantumSafe, ecdheGCM, ecdheChaCha, ecdheSHA256),
	"TLSv1.2_2021": policy(tls.VersionTLS12, quantumSafe, ecdheGCM, ecdheChaCha),
	"TLSv1.2_2025": policy(tls.VersionTLS12, quantumSafe, ecdheGCM),
	"TLSv1.3_2025": policy(tls.VersionTLS13, quantumSafe),

	"TLS_1_0":                                      policy(tls.VersionTLS10, classical, ecdheGCM, ecdheSHA256, ecdheSHA, rsaGCM, rsaSHA),
	"TLS_1_2":                                      policy(tls.VersionTLS12, classical, ecdheGCM, ecdheSHA256, rsaGCM),
	"SecurityPolicy_TLS13_1_2_2021_06":             policy(tls.VersionTLS12, classical, ecdheGCM, ecdheSHA256, rsaGCM),
	"SecurityPolicy_TLS13_1_2_PQ_2025_09":          policy(tls.VersionTLS12, quantumSafe, ecdheGCM, ecdheSHA256, rsaGCM),
	"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09":      policy(tls.VersionTLS12, quantumSafe, ecdheGCM),
	"SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09":     policy(tls.VersionTLS12, quantumSafe, ecdheGCM, ecdheSHA256, rsaGCM), // BC; the guide's table lacks it
	"SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09": policy(tls.VersionTLS12, quantumSafe, ecdheGCM),
	"SecurityPolicy_TLS13_1_3_2025_09":             policy(tls.VersionTLS13, classical),
	"SecurityPolicy_TLS13_1_3_FIPS_2025_09":        policy(tls.VersionTLS13, classical),

	"SecurityPolicy_TLS13_2025_EDGE":     policy(tls.VersionTLS13, classical),
	"SecurityPolicy_TLS12_PFS_2025_EDGE": policy(tls.VersionTLS12, classical, ecdheGCM, ecdheChaCha),
	"SecurityPolicy_TLS12_2018_EDGE":     policy(tls.VersionTLS12, classical, ecdheGCM, ecdheChaCha, ecdheSHA256),
}

func policy(oldest uint16, curves []tls.CurveID, suites ...[]uint16) *front.TLSPolicy {
	return &front.TLSPolicy{MinVersion: oldest, CipherSuites: slices.Concat(suites...), Curves: curves}
}
