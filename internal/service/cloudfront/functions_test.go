package cloudfront

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strconv"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
)

func functionInput(code string) *cloudfront.CreateFunctionInput {
	return &cloudfront.CreateFunctionInput{Name: new("f"), FunctionCode: []byte(code),
		FunctionConfig: &cloudfront.FunctionConfig{Comment: new(""), Runtime: new("cloudfront-js-2.0")}}
}

func TestFunctionLife(t *testing.T) {
	s, ctx := newService(), t.Context()
	made, err := s.CreateFunction(ctx, functionInput("one"))
	if err != nil || *made.FunctionSummary.Status != "UNPUBLISHED" || *made.FunctionSummary.FunctionMetadata.Stage != "DEVELOPMENT" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	_, err = s.CreateFunction(ctx, functionInput("one"))
	check(t, err, refusal{code: "FunctionAlreadyExists", status: 409, path: "Name"})
	_, err = s.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: new("f"), Stage: new("LIVE")})
	check(t, err, refusal{code: "NoSuchFunctionExists", status: 404})
	associated := []string{optimized, optimized + `,"FunctionAssociations":{"Quantity":1,"Items":[{"EventType":"viewer-request","FunctionARN":"arn:aws:cloudfront::000000000000:function/f"}]}`}
	_, err = s.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON, associated...))})
	check(t, err, refusal{code: "InvalidFunctionAssociation", status: 400})

	if _, err := s.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: new("f"), IfMatch: made.ETag}); err != nil {
		t.Fatal(err)
	}
	up, err := s.UpdateFunction(ctx, &cloudfront.UpdateFunctionInput{Name: new("f"), IfMatch: made.ETag, FunctionCode: []byte("two"), FunctionConfig: functionInput("").FunctionConfig})
	if err != nil || *up.ETag == *made.ETag {
		t.Fatalf("update: %v", err)
	}
	for stage, want := range map[string]string{"LIVE": "one", "DEVELOPMENT": "two"} {
		got, err := s.GetFunction(ctx, &cloudfront.GetFunctionInput{Name: new("f"), Stage: &stage})
		if err != nil || string(got.FunctionCode) != want {
			t.Errorf("%s: %s, %v", stage, got.FunctionCode, err)
		}
	}
	_, err = s.UpdateFunction(ctx, &cloudfront.UpdateFunctionInput{Name: new("f"), IfMatch: made.ETag, FunctionCode: []byte("three"), FunctionConfig: functionInput("").FunctionConfig})
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	d := createSite(t, s, associated...)
	if got, err := s.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: new("f")}); err != nil || *got.FunctionSummary.Status != "DEPLOYED" {
		t.Errorf("describe: %+v, %v", got, err)
	}
	_, err = s.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: new("f"), IfMatch: up.ETag})
	check(t, err, refusal{code: "FunctionInUse", status: 409})
	if list, err := s.ListFunctions(ctx, &cloudfront.ListFunctionsInput{}); err != nil || len(list.FunctionList.Items) != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
	deleteSite(t, s, d.Distribution.Id)
	_, err = s.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: new("f"), IfMatch: up.ETag})
	check(t, err, refusal{})
}

// TestStoreOfManyFunctions: ten functions can have the same key value store (DG-cloudfront-limits), and both their stages count.
func TestStoreOfManyFunctions(t *testing.T) {
	s, ctx := newService(), t.Context()
	kvs, err := s.CreateKeyValueStore(ctx, &cloudfront.CreateKeyValueStoreInput{Name: new("s")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://cloudfront.amazonaws.com/2020-05-31/key-value-store/" + *kvs.KeyValueStore.ARN; *kvs.Location != want {
		t.Errorf("location %s", *kvs.Location)
	}
	in := func(name string) *cloudfront.CreateFunctionInput {
		in := functionInput("one")
		in.Name, in.FunctionConfig.KeyValueStoreAssociations = &name, &cloudfront.KeyValueStoreAssociations{Quantity: new(int64(1)),
			Items: []*cloudfront.KeyValueStoreAssociation{{KeyValueStoreARN: kvs.KeyValueStore.ARN}}}
		return in
	}
	var last *cloudfront.CreateFunctionOutput
	for i := range maxStoreFunctions {
		if last, err = s.CreateFunction(ctx, in("f"+strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	path := "FunctionConfig.KeyValueStoreAssociations.Items[0].KeyValueStoreARN"
	_, err = s.CreateFunction(ctx, in("more"))
	check(t, err, refusal{code: "InvalidArgument", path: path})
	if _, err := s.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: new("f9"), IfMatch: last.ETag}); err != nil {
		t.Fatal(err)
	}
	up, err := s.UpdateFunction(ctx, &cloudfront.UpdateFunctionInput{Name: new("f9"), IfMatch: last.ETag, FunctionCode: []byte("two"), FunctionConfig: functionInput("").FunctionConfig})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.CreateFunction(ctx, in("more")) // the live stage still has it
	check(t, err, refusal{code: "InvalidArgument", path: path})
	if _, err := s.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: new("f9"), IfMatch: up.ETag}); err != nil {
		t.Fatal(err)
	}
	_, err = s.CreateFunction(ctx, in("more"))
	check(t, err, refusal{})
	for status, want := range map[string]int{"READY": 1, "PROVISIONING": 0} {
		if list, err := s.ListKeyValueStores(ctx, &cloudfront.ListKeyValueStoresInput{Status: &status}); err != nil || len(list.KeyValueStoreList.Items) != want {
			t.Errorf("%s: %+v, %v", status, list, err)
		}
	}
}

func TestFunctionRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*cloudfront.CreateFunctionInput)
		want   refusal
	}{
		{"name", func(in *cloudfront.CreateFunctionInput) { in.Name = new("a b") }, refusal{code: "InvalidArgument", path: "Name"}},
		{"runtime", func(in *cloudfront.CreateFunctionInput) { in.FunctionConfig.Runtime = new("nodejs") }, refusal{code: "InvalidArgument", path: "FunctionConfig.Runtime"}},
		{"size", func(in *cloudfront.CreateFunctionInput) { in.FunctionCode = make([]byte, 10241) }, refusal{code: "FunctionSizeLimitExceeded", status: 413, path: "FunctionCode"}},
		{"no code", func(in *cloudfront.CreateFunctionInput) { in.FunctionCode = nil }, refusal{code: "MissingArgument", path: "FunctionCode"}},
		{"key value store of runtime 1", func(in *cloudfront.CreateFunctionInput) {
			in.FunctionConfig.Runtime = new("cloudfront-js-1.0")
			in.FunctionConfig.KeyValueStoreAssociations = &cloudfront.KeyValueStoreAssociations{Quantity: new(int64(1)), Items: []*cloudfront.KeyValueStoreAssociation{{KeyValueStoreARN: new("x")}}}
		}, refusal{code: "InvalidArgument", path: "FunctionConfig.KeyValueStoreAssociations"}},
		{"key value store that is not there", func(in *cloudfront.CreateFunctionInput) {
			in.FunctionConfig.KeyValueStoreAssociations = &cloudfront.KeyValueStoreAssociations{Quantity: new(int64(1)), Items: []*cloudfront.KeyValueStoreAssociation{{KeyValueStoreARN: new("x")}}}
		}, refusal{code: "InvalidArgument", path: "FunctionConfig.KeyValueStoreAssociations.Items[0].KeyValueStoreARN"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := functionInput("code")
			tt.change(in)
			_, err := newService().CreateFunction(t.Context(), in)
			check(t, err, tt.want)
		})
	}
}

func TestKeyGroups(t *testing.T) {
	s, ctx := newService(), t.Context()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	encoded := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	_, err = s.CreatePublicKey(ctx, &cloudfront.CreatePublicKeyInput{PublicKeyConfig: &cloudfront.PublicKeyConfig{CallerReference: new("r"), Name: new("k"), EncodedKey: new("none")}})
	check(t, err, refusal{code: "InvalidArgument", status: 400, path: "PublicKeyConfig.EncodedKey"})
	made, err := s.CreatePublicKey(ctx, &cloudfront.CreatePublicKeyInput{PublicKeyConfig: &cloudfront.PublicKeyConfig{CallerReference: new("r"), Name: new("k"), EncodedKey: &encoded}})
	if err != nil {
		t.Fatal(err)
	}
	group := func(ids ...string) (*cloudfront.CreateKeyGroupOutput, error) {
		return s.CreateKeyGroup(ctx, &cloudfront.CreateKeyGroupInput{KeyGroupConfig: &cloudfront.KeyGroupConfig{Name: new("g"), Items: ids}})
	}
	_, err = group("K0")
	check(t, err, refusal{code: "InvalidArgument", path: "KeyGroupConfig.Items[0]"})
	_, err = group("1", "2", "3", "4", "5", "6")
	check(t, err, refusal{code: "TooManyPublicKeysInKeyGroup", status: 400})
	g, err := group(*made.PublicKey.Id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = group(*made.PublicKey.Id)
	check(t, err, refusal{code: "KeyGroupAlreadyExists", status: 409})
	_, err = s.DeletePublicKey(ctx, &cloudfront.DeletePublicKeyInput{Id: made.PublicKey.Id, IfMatch: made.ETag})
	check(t, err, refusal{code: "PublicKeyInUse", status: 409})
	d := createSite(t, s, optimized, optimized+`,"TrustedKeyGroups":{"Enabled":true,"Quantity":1,"Items":["`+*g.KeyGroup.Id+`"]}`)
	if by, err := s.ListDistributionsByKeyGroup(ctx, &cloudfront.ListDistributionsByKeyGroupInput{KeyGroupId: g.KeyGroup.Id}); err != nil || len(by.DistributionIdList.Items) != 1 {
		t.Errorf("by key group: %v, %v", by, err)
	}
	_, err = s.DeleteKeyGroup(ctx, &cloudfront.DeleteKeyGroupInput{Id: g.KeyGroup.Id, IfMatch: g.ETag})
	check(t, err, refusal{code: "ResourceInUse", status: 409})
	deleteSite(t, s, d.Distribution.Id)
	_, err = s.DeleteKeyGroup(ctx, &cloudfront.DeleteKeyGroupInput{Id: g.KeyGroup.Id, IfMatch: g.ETag})
	check(t, err, refusal{})
	_, err = s.DeletePublicKey(ctx, &cloudfront.DeletePublicKeyInput{Id: made.PublicKey.Id, IfMatch: made.ETag})
	check(t, err, refusal{})
}

func TestAccess(t *testing.T) {
	s, ctx := newService(), t.Context()
	oai := func(comment string) (*cloudfront.CreateCloudFrontOriginAccessIdentityOutput, error) {
		return s.CreateCloudFrontOriginAccessIdentity(ctx, &cloudfront.CreateCloudFrontOriginAccessIdentityInput{
			CloudFrontOriginAccessIdentityConfig: &cloudfront.CloudFrontOriginAccessIdentityConfig{CallerReference: new("r"), Comment: &comment}})
	}
	a, err := oai("one")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := oai("one"); err != nil || *b.CloudFrontOriginAccessIdentity.Id != *a.CloudFrontOriginAccessIdentity.Id {
		t.Errorf("the same request made another identity: %v", err)
	}
	_, err = oai("two")
	check(t, err, refusal{code: "CloudFrontOriginAccessIdentityAlreadyExists", status: 409})
	oac := func(name, behavior string) (*cloudfront.CreateOriginAccessControlOutput, error) {
		return s.CreateOriginAccessControl(ctx, &cloudfront.CreateOriginAccessControlInput{OriginAccessControlConfig: &cloudfront.OriginAccessControlConfig{
			Name: &name, SigningProtocol: new("sigv4"), SigningBehavior: &behavior, OriginAccessControlOriginType: new("s3")}})
	}
	_, err = oac("c", "sometimes")
	check(t, err, refusal{code: "InvalidArgument", path: "OriginAccessControlConfig.SigningBehavior"})
	c, err := oac("c", "always")
	if err != nil {
		t.Fatal(err)
	}
	_, err = oac("c", "always")
	check(t, err, refusal{code: "OriginAccessControlAlreadyExists", status: 409})
	createSite(t, s, custom, `"OriginAccessControlId":"`+*c.OriginAccessControl.Id+`","S3OriginConfig":{"OriginAccessIdentity":""}`, "api.example.com", "b.s3.us-east-1.amazonaws.com")
	_, err = s.DeleteOriginAccessControl(ctx, &cloudfront.DeleteOriginAccessControlInput{Id: c.OriginAccessControl.Id, IfMatch: c.ETag})
	check(t, err, refusal{code: "OriginAccessControlInUse", status: 409})
}
