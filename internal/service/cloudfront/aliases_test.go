package cloudfront

import (
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// withCertificate makes a distribution with a certificate and aliases.
func withCertificate(t *testing.T, s *Service, reference string, aliases string) *cloudfront.Distribution {
	t.Helper()
	quantity := "0"
	if aliases != "" {
		quantity = string(rune('1' + strings.Count(aliases, ",")))
	}
	out, err := s.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, `{"CallerReference": "`+reference+`", "Comment": "", "Enabled": true,
		"Aliases": {"Quantity": `+quantity+`, "Items": [`+aliases+`]},
		"ViewerCertificate": {"ACMCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/x", "SSLSupportMethod": "sni-only"},
		"Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "example.com", "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}}]},
		"DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Distribution
}

func TestMoveAlias(t *testing.T) {
	s := newService()
	ctx := t.Context()
	from := withCertificate(t, s, "from", `"www.example.com", "*.example.com"`)
	to := withCertificate(t, s, "to", "")
	plain, _ := made(t, s)

	list, err := s.ListConflictingAliases(ctx, &cloudfront.ListConflictingAliasesInput{DistributionId: to.Id, Alias: new("www.example.com")})
	if err != nil {
		t.Fatal(err)
	}
	if items := list.ConflictingAliasesList.Items; len(items) != 2 || *items[0].Alias != "*.example.com" || *items[1].Alias != "www.example.com" ||
		*items[1].DistributionId != "*******"+(*from.Id)[7:] || *items[1].AccountId != "******000000" {
		t.Errorf("conflicting aliases %+v", items)
	}
	domains, err := s.ListDomainConflicts(ctx, &cloudfront.ListDomainConflictsInput{Domain: new("*.example.com"), DomainControlValidationResource: &cloudfront.DistributionResourceId{DistributionId: to.Id}, MaxItems: new(int64(1))})
	if err != nil || len(domains.DomainConflicts) != 1 || *domains.NextMarker != "*.example.com" {
		t.Errorf("domain conflicts %+v, %v", domains, err)
	}

	if _, err := s.AssociateAlias(ctx, &cloudfront.AssociateAliasInput{TargetDistributionId: to.Id, Alias: new("www.example.com")}); err != nil {
		t.Fatal(err)
	}
	before, _ := s.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: from.Id})
	after, _ := s.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: to.Id})
	if a, b := before.DistributionConfig.Aliases, after.DistributionConfig.Aliases; *a.Quantity != 1 || a.Items[0] != "*.example.com" || *b.Quantity != 1 || b.Items[0] != "www.example.com" {
		t.Errorf("moved: %v and %v", a.Items, b.Items)
	}
	moved, err := s.UpdateDomainAssociation(ctx, &cloudfront.UpdateDomainAssociationInput{Domain: new("www.example.com"), TargetResource: &cloudfront.DistributionResourceId{DistributionId: from.Id}, IfMatch: before.ETag})
	if err != nil || *moved.ResourceId != *from.Id || *moved.ETag == *before.ETag {
		t.Errorf("moved back: %+v, %v", moved, err)
	}
	for _, test := range []struct {
		id, alias string
		want      refusal
	}{
		{"ENONE", "www.example.com", refusal{code: "NoSuchDistribution", status: 404}},
		{plain, "www.example.com", refusal{code: "InvalidArgument", status: 400}},
		{*to.Id, "https://x", refusal{code: "InvalidArgument", status: 400}},
		{*from.Id, "www.example.com", refusal{}},
	} {
		_, err := s.AssociateAlias(ctx, &cloudfront.AssociateAliasInput{TargetDistributionId: &test.id, Alias: &test.alias})
		check(t, err, test.want)
	}
	_, err = s.UpdateDomainAssociation(ctx, &cloudfront.UpdateDomainAssociationInput{Domain: new("x.example.com"), TargetResource: &cloudfront.DistributionResourceId{DistributionTenantId: new("dt_x")}})
	check(t, err, refusal{code: "EntityNotFound", status: 404})
	_, err = s.UpdateDomainAssociation(ctx, &cloudfront.UpdateDomainAssociationInput{Domain: new("x.example.com"), TargetResource: &cloudfront.DistributionResourceId{DistributionId: from.Id}, IfMatch: new("E1")})
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
}

func TestWebACL(t *testing.T) {
	s := newService()
	ctx := t.Context()
	id, tag := made(t, s)
	const acl = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/ExampleWebACL/473e64fd-f30b-4765-81a0-62ad96dd167a"
	out, err := s.AssociateDistributionWebACL(ctx, &cloudfront.AssociateDistributionWebACLInput{Id: &id, WebACLArn: new(acl), IfMatch: &tag})
	if err != nil || *out.ETag == tag {
		t.Fatalf("%+v, %v", out, err)
	}
	count := func(acl string) int64 {
		list, err := s.ListDistributionsByWebACLId(ctx, &cloudfront.ListDistributionsByWebACLIdInput{WebACLId: &acl})
		if err != nil {
			t.Fatal(err)
		}
		return *list.DistributionList.Quantity
	}
	if count(acl) != 1 || count("null") != 0 {
		t.Error("the web ACL is not that of the distribution")
	}
	if _, err := s.DisassociateDistributionWebACL(ctx, &cloudfront.DisassociateDistributionWebACLInput{Id: &id}); err != nil || count(acl) != 0 || count("null") != 1 {
		t.Errorf("the web ACL stays: %v", err)
	}
	_, err = s.AssociateDistributionWebACL(ctx, &cloudfront.AssociateDistributionWebACLInput{Id: new("ENONE"), WebACLArn: new(acl)})
	check(t, err, refusal{code: "EntityNotFound", status: 404})
	_, err = s.ListDistributionsByWebACLId(ctx, &cloudfront.ListDistributionsByWebACLIdInput{WebACLId: new("acl|473e64fd|CLOUDFRONT")})
	check(t, err, refusal{code: "InvalidWebACLId", status: 400, message: "Web ACL is not accessible by the requester.", path: "WebACLId", finding: "refused-by-aws"})
	_, err = s.AssociateDistributionWebACL(ctx, &cloudfront.AssociateDistributionWebACLInput{Id: &id, WebACLArn: new("arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/x/473e64fd-f30b-4765-81a0-62ad96dd167a")})
	check(t, err, refusal{code: "InvalidArgument", status: 400, message: "Only global scoped ARNs are supported"})
}

func TestListsBy(t *testing.T) {
	s := newService()
	ctx := t.Context()
	id, tag := made(t, s)
	now, _ := s.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &id})
	c := *now.DistributionConfig
	c.AnycastIpListId = new("aip_1")
	c.ConnectionFunctionAssociation = &cloudfront.ConnectionFunctionAssociation{Id: new("cf_1")}
	if _, err := s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &id, IfMatch: &tag, DistributionConfig: &c}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1", "2"} {
		anycast, err := s.ListDistributionsByAnycastIpListId(ctx, &cloudfront.ListDistributionsByAnycastIpListIdInput{AnycastIpListId: new("aip_" + name)})
		function, err2 := s.ListDistributionsByConnectionFunction(ctx, &cloudfront.ListDistributionsByConnectionFunctionInput{ConnectionFunctionIdentifier: new("cf_" + name)})
		if name == "2" {
			for _, err := range []error{err, err2} {
				check(t, err, refusal{code: "EntityNotFound", status: 404})
			}
			continue
		}
		if err != nil || err2 != nil || *anycast.DistributionList.Quantity+*function.DistributionList.Quantity != 2 {
			t.Errorf("%v, %v", err, err2)
		}
	}
	direct, err := s.ListDistributionsByConnectionMode(ctx, &cloudfront.ListDistributionsByConnectionModeInput{ConnectionMode: new("direct"), MaxItems: new(int64(1))})
	if err != nil || *direct.DistributionList.Quantity != 1 {
		t.Errorf("direct: %+v, %v", direct, err)
	}
}

// The most recent invalidation comes first, and the marker goes on from it.
func TestInvalidationsInOrder(t *testing.T) {
	clock := testTime()
	now := func() time.Time { clock = clock.Add(time.Second); return clock }
	s := New(&service.Env{Store: store.Memory(now), Now: now, Account: "000000000000"}, nil)
	id, _ := made(t, s)
	var ids []string
	for _, reference := range []string{"a", "b", "c", "d", "e"} {
		out, err := s.CreateInvalidation(t.Context(), &cloudfront.CreateInvalidationInput{DistributionId: &id, InvalidationBatch: &cloudfront.InvalidationBatch{CallerReference: &reference, Paths: &cloudfront.Paths{Quantity: new(int64(1)), Items: []string{"/" + reference}}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append([]string{*out.Invalidation.Id}, ids...)
	}
	var got []string
	in := &cloudfront.ListInvalidationsInput{DistributionId: &id, MaxItems: new("2")}
	for range 3 {
		out, err := s.ListInvalidations(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.InvalidationList.Items {
			got = append(got, *v.Id)
		}
		in.Marker = out.InvalidationList.NextMarker
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") || in.Marker != nil {
		t.Errorf("got %v, want %v", got, ids)
	}
}

func TestTags(t *testing.T) {
	s := newService()
	ctx := t.Context()
	id, _ := made(t, s)
	function, err := s.CreateFunction(ctx, &cloudfront.CreateFunctionInput{Name: new("f"), FunctionCode: []byte("function handler(event) { return event.request; }"),
		FunctionConfig: &cloudfront.FunctionConfig{Comment: new(""), Runtime: new("cloudfront-js-2.0")}, Tags: tagList(map[string]string{"a": "b"})})
	if err != nil {
		t.Fatal(err)
	}
	values, err := s.CreateKeyValueStore(ctx, &cloudfront.CreateKeyValueStoreInput{Name: new("k"), Tags: tagList(map[string]string{"a": "b"})})
	if err != nil {
		t.Fatal(err)
	}
	for arn, want := range map[string]int{s.arn("distribution", id): 1, *function.FunctionSummary.FunctionMetadata.FunctionARN: 2, *values.KeyValueStore.ARN: 2} {
		if _, err := s.TagResource(ctx, &cloudfront.TagResourceInput{Resource: &arn, Tags: tagList(map[string]string{"c": ""})}); err != nil {
			t.Errorf("%s: %v", arn, err)
		}
		if out, err := s.ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: &arn}); err != nil || len(out.Tags.Items) != want {
			t.Errorf("%s has %+v, %v", arn, out, err)
		}
	}
	many := map[string]string{}
	for i := range 51 {
		many["k"+string(rune('A'+i))] = ""
	}
	for _, tags := range []*cloudfront.Tags{tagList(many), tagList(map[string]string{"aws:x": ""}), {Items: []*cloudfront.Tag{{Key: new("a")}, {Key: new("a")}}}} {
		_, err := s.TagResource(ctx, &cloudfront.TagResourceInput{Resource: new(s.arn("distribution", id)), Tags: tags})
		check(t, err, refusal{code: "InvalidTagging", status: 400})
	}
	_, err = s.TagResource(ctx, &cloudfront.TagResourceInput{Resource: new(s.arn("distribution", "ENONE")), Tags: tagList(many)})
	check(t, err, refusal{code: "NoSuchResource", status: 404})
}
