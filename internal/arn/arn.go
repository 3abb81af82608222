// Package arn reads and writes Amazon Resource Names. Start with ARN. It knows the format only, not what any service puts
// in the resource part.
package arn

import (
	"fmt"
	"strings"
)

// ARN is arn:partition:service:region:account:resource.
type ARN struct{ Partition, Service, Region, Account, Resource string }

// Parse splits s; the resource part may hold colons.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("parse ARN %q: want arn:partition:service:region:account:resource", s)
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

// String writes the ARN.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Partition returns the partition that a region belongs to.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
