package acm

import (
	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// domainsUsing lists the ARNs of the custom domains of API Gateway that present the certificate: of the load balancers in
// front of them, on AWS.
func domainsUsing(r store.Reader, certificateARN string) []string {
	var out []string
	for rec, d := range resource.GatewayDomains.Everywhere(r) {
		if v := d.Value; v != nil && (deref(v.CertificateArn) == certificateARN || deref(v.RegionalCertificateArn) == certificateARN) {
			out = append(out, arn.ARN{Partition: arn.Partition(rec.Key.Region), Service: "apigateway", Region: rec.Key.Region, Resource: "/domainnames/" + rec.Key.ID}.String())
		}
	}
	return out
}
