package compile

import (
	"crypto/tls"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/resource"
)

// certificatesStage makes what services present of ACM's certificates.
func (c *compiler) certificatesStage() {
	c.certificates = map[string]*front.Certificate{}
	for rec, v := range resource.Certificates.Everywhere(c.view) {
		out := &front.Certificate{ID: v.ARN}
		for _, n := range v.Names {
			out.Names = append(out.Names, strings.ToLower(strings.TrimSuffix(n, ".")))
		}
		if v.Imported != nil {
			pair, err := tls.X509KeyPair([]byte(v.Imported.Certificate+"\n"+v.Imported.Chain), []byte(v.Imported.PrivateKey))
			if err != nil {
				c.report(diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Warning, Path: c.path(rec, "Certificate"),
					Message: "the imported certificate cannot be used: " + err.Error(), Because: []string{"the local authority vouches for its names instead"}})
			} else {
				out.TLS = &pair
			}
		}
		c.certificates[v.ARN] = out
	}
}
