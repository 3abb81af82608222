package cloudfront

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// codeOf is the code of AWS's error, "" for none.
func codeOf(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// Each thing that distributions share has as many of them as AWS allows, and not one more. One that has it already may change.
func TestSharedQuotas(t *testing.T) {
	const lambda = "arn:aws:lambda:us-east-1:000000000000:function:f:1"
	for _, c := range []struct {
		code   string
		limit  int
		config func(*cloudfront.DistributionConfig)
	}{
		{"TooManyDistributionsAssociatedToCachePolicy", 100, func(c *cloudfront.DistributionConfig) { c.DefaultCacheBehavior.CachePolicyId = new("own") }},
		{"TooManyDistributionsAssociatedToOriginRequestPolicy", 100, func(c *cloudfront.DistributionConfig) { c.DefaultCacheBehavior.OriginRequestPolicyId = new("own") }},
		{"TooManyDistributionsAssociatedToResponseHeadersPolicy", 100, func(c *cloudfront.DistributionConfig) { c.DefaultCacheBehavior.ResponseHeadersPolicyId = new("own") }},
		{"TooManyDistributionsAssociatedToKeyGroup", 100, func(c *cloudfront.DistributionConfig) {
			c.DefaultCacheBehavior.TrustedKeyGroups = &cloudfront.TrustedKeyGroups{Items: []string{"other", "own"}}
		}},
		{"TooManyDistributionsWithFunctionAssociations", 100, func(c *cloudfront.DistributionConfig) {
			c.DefaultCacheBehavior.FunctionAssociations = &cloudfront.FunctionAssociations{Items: []*cloudfront.FunctionAssociation{{FunctionARN: new("own")}}}
		}},
		{"TooManyDistributionsAssociatedToOriginAccessControl", 100, func(c *cloudfront.DistributionConfig) { c.Origins.Items[0].OriginAccessControlId = new("own") }},
		{"EntityLimitExceeded", 50, func(c *cloudfront.DistributionConfig) {
			c.Origins.Items[0].VpcOriginConfig = &cloudfront.VpcOriginConfig{VpcOriginId: new("own")}
		}},
		{"TooManyDistributionsWithSingleFunctionARN", 500, func(c *cloudfront.DistributionConfig) {
			c.DefaultCacheBehavior.LambdaFunctionAssociations = &cloudfront.LambdaFunctionAssociations{Items: []*cloudfront.LambdaFunctionAssociation{{LambdaFunctionARN: new(lambda)}}}
		}},
		{"", 600, func(c *cloudfront.DistributionConfig) {}}, // AWS's own policy
	} {
		t.Run(c.code, func(t *testing.T) {
			one := fromJSON[cloudfront.DistributionConfig](t, distributionJSON)
			c.config(one)
			for _, n := range []int{c.limit - 1, c.limit} {
				s := store.Memory(testTime)
				if _, err := s.Update(t.Context(), func(tx *store.Tx) error {
					for i := range n {
						id := fmt.Sprint("E", i)
						resource.Distributions.Put(tx, global, id, &resource.Distribution{ID: id, Config: one})
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				want := "<nil>"
				if n == c.limit && c.code != "" {
					want = c.code
				}
				if got := codeOf(checkQuotas(s.View(), one, "")); got != want {
					t.Errorf("%d distributions: %s, want %s", n, got, want)
				}
				if err := checkQuotas(s.View(), one, "E0"); err != nil {
					t.Errorf("%d distributions, one of them: %v", n, err)
				}
			}
		})
	}
}

func TestQuotasOfForwardedValues(t *testing.T) {
	names := func(n int, name string) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprint(name, i))
		}
		return out
	}
	for _, c := range []struct {
		headers, query, cookies []string
		want                    string
	}{
		{names(10, "h"), names(10, "q"), names(10, "c"), "<nil>"},
		{names(11, "h"), nil, nil, "TooManyHeadersInForwardedValues"},
		{nil, names(11, "q"), nil, "TooManyQueryStringParameters"},
		{nil, names(1, strings.Repeat("q", 129)), nil, "InvalidQueryStringParameters"},
		{nil, names(5, strings.Repeat("q", 110)), nil, "InvalidQueryStringParameters"},
		{nil, nil, names(11, "c"), "TooManyCookieNamesInWhiteList"},
		{nil, nil, names(2, strings.Repeat("c", 254)), "<nil>"},
		{nil, nil, names(2, strings.Repeat("c", 255)), "TooManyCookieNamesInWhiteList"},
	} {
		f := &cloudfront.ForwardedValues{Headers: &cloudfront.Headers{Items: c.headers}, QueryStringCacheKeys: &cloudfront.QueryStringCacheKeys{Items: c.query},
			Cookies: &cloudfront.CookiePreference{WhitelistedNames: &cloudfront.CookieNames{Items: c.cookies}}}
		if got := codeOf(checkForwardedQuotas(f, "")); got != c.want {
			t.Errorf("%d headers, %d parameters, %d cookies: %s, want %s", len(c.headers), len(c.query), len(c.cookies), got, c.want)
		}
	}
}

func TestQuotasOfDistributions(t *testing.T) {
	one := fromJSON[cloudfront.DistributionConfig](t, distributionJSON)
	of := func(n int) store.Reader {
		s := store.Memory(testTime)
		if _, err := s.Update(t.Context(), func(tx *store.Tx) error {
			for i := range n {
				c := *one
				c.ViewerCertificate = &cloudfront.ViewerCertificate{IAMCertificateId: new(fmt.Sprint("c", i)), SSLSupportMethod: new("vip")}
				id := fmt.Sprint("E", i)
				resource.Distributions.Put(tx, global, id, &resource.Distribution{ID: id, Config: &c})
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return s.View()
	}
	vip := *one
	vip.ViewerCertificate = &cloudfront.ViewerCertificate{IAMCertificateId: new("mine"), SSLSupportMethod: new("vip")}
	for n, want := range []string{"<nil>", "<nil>", "TooManyCertificates"} {
		if got := codeOf(checkQuotas(of(n), &vip, "")); got != want {
			t.Errorf("%d certificates: %s, want %s", n, got, want)
		}
	}
	many := *one
	b := *one.DefaultCacheBehavior
	b.LambdaFunctionAssociations = &cloudfront.LambdaFunctionAssociations{}
	for i := range 101 {
		b.LambdaFunctionAssociations.Items = append(b.LambdaFunctionAssociations.Items, &cloudfront.LambdaFunctionAssociation{LambdaFunctionARN: new(fmt.Sprint(i))})
	}
	many.DefaultCacheBehavior = &b
	if got := codeOf(checkQuotas(of(0), &many, "")); got != "TooManyLambdaFunctionAssociations" {
		t.Errorf("101 functions: %s", got)
	}
}
