package bucket

import (
	"slices"

	"github.com/foregate/foregate/internal/arn"
)

// dashRegions have website endpoints with a dash before the region; all later regions have a dot (AWS general reference,
// s3, "Amazon S3 website endpoints").
var dashRegions = []string{"us-east-1", "us-west-1", "us-west-2", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "eu-west-1", "sa-east-1", "us-gov-west-1"}

func suffix(region string) string {
	if arn.Partition(region) == "aws-cn" {
		return ".amazonaws.com.cn"
	}
	return ".amazonaws.com"
}

// WebsiteHost returns the name of a bucket's website endpoint.
func WebsiteHost(name, region string) string {
	sep := "."
	if slices.Contains(dashRegions, region) {
		sep = "-"
	}
	return name + ".s3-website" + sep + region + suffix(region)
}

// Hosts returns the names by which the bucket answers, the usual one first: the regional one, the global one, the
// dual-stack one, and the website's when it is one.
func (p *Plan) Hosts() []string {
	s := suffix(p.Region)
	hosts := []string{p.Name + ".s3." + p.Region + s, p.Name + ".s3" + s, p.Name + ".s3.dualstack." + p.Region + s}
	if p.Website != nil {
		hosts = append(hosts, WebsiteHost(p.Name, p.Region))
	}
	return hosts
}

// EndpointHosts returns the names for requests that have the bucket in the path: the region's, and the global one.
func EndpointHosts(region string) []string {
	s := suffix(region)
	return []string{"s3." + region + s, "s3" + s, "s3.dualstack." + region + s}
}

// IsHost tells whether a name is one of S3's, whatever the bucket.
func IsHost(host string) bool {
	h := parseHost(host)
	return h.pathStyle || h.website || h.bucket != hostOnly(host)
}
