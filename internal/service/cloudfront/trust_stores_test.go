package cloudfront

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// authority makes the certificate of an authority, in PEM.
func authority(t *testing.T, curve elliptic.Curve, isCA bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour), IsCA: isCA, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// trusting is a service with a bucket b that has these objects.
func trusting(t *testing.T, objects map[string][]byte) *Service {
	t.Helper()
	s := newService().WithObjects(func(_ context.Context, _, key string) ([]byte, error) { return objects[key], nil })
	if _, err := s.env.Store.Update(t.Context(), func(tx *store.Tx) error {
		resource.Buckets.Put(tx, resource.Global, "b", &resource.Bucket{Name: "b"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func inS3(key string) *cloudfront.CaCertificatesBundleSource {
	return &cloudfront.CaCertificatesBundleSource{CaCertificatesBundleS3Location: &cloudfront.CaCertificatesBundleS3Location{Bucket: new("b"), Key: &key, Region: new("us-east-1")}}
}

func TestTrustStores(t *testing.T) {
	ctx := t.Context()
	ca := authority(t, elliptic.P256(), true)
	s := trusting(t, map[string][]byte{
		"one": ca, "two": append([]byte("# Root CA\n"), append(ca, authority(t, elliptic.P384(), true)...)...), "none": []byte("hello"),
		"leaf": authority(t, elliptic.P256(), false), "p521": authority(t, elliptic.P521(), true), "many": bytes.Repeat(ca, 26),
		"cut": append(bytes.Clone(ca), ca[:100]...), "long": bytes.Repeat([]byte("#"), 64<<10+1),
	})
	for _, key := range []string{"none", "leaf", "p521", "many", "cut", "long", "missing"} {
		_, err := s.CreateTrustStore(ctx, &cloudfront.CreateTrustStoreInput{Name: new("x"), CaCertificatesBundleSource: inS3(key)})
		check(t, err, refusal{code: "InvalidArgument", status: 400})
	}
	out, err := s.CreateTrustStore(ctx, &cloudfront.CreateTrustStoreInput{Name: new("clients"), CaCertificatesBundleSource: inS3("one")})
	if err != nil {
		t.Fatal(err)
	}
	id := *out.TrustStore.Id
	if !strings.HasPrefix(id, "ts_") || *out.TrustStore.NumberOfCaCertificates != 1 || *out.TrustStore.Status != "active" {
		t.Errorf("%+v", out.TrustStore)
	}
	_, err = s.CreateTrustStore(ctx, &cloudfront.CreateTrustStoreInput{Name: new("clients"), CaCertificatesBundleSource: inS3("one")})
	check(t, err, refusal{code: "EntityAlreadyExists", status: 409})
	_, err = s.UpdateTrustStore(ctx, &cloudfront.UpdateTrustStoreInput{Id: &id, IfMatch: new("E1"), CaCertificatesBundleSource: inS3("two")})
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	up, err := s.UpdateTrustStore(ctx, &cloudfront.UpdateTrustStoreInput{Id: &id, IfMatch: out.ETag, CaCertificatesBundleSource: inS3("two")})
	if err != nil || *up.TrustStore.NumberOfCaCertificates != 2 || *up.ETag == *out.ETag {
		t.Fatalf("%+v, %v", up, err)
	}
	for _, identifier := range []string{id, "clients", *out.TrustStore.Arn} {
		if got, err := s.GetTrustStore(ctx, &cloudfront.GetTrustStoreInput{Identifier: &identifier}); err != nil || *got.TrustStore.Id != id {
			t.Errorf("get %s: %v", identifier, err)
		}
	}
	_, err = s.GetTrustStore(ctx, &cloudfront.GetTrustStoreInput{Identifier: new("ts_none")})
	check(t, err, refusal{code: "EntityNotFound", status: 404})
	if list, err := s.ListTrustStores(ctx, &cloudfront.ListTrustStoresInput{}); err != nil || len(list.TrustStoreList) != 1 || *list.TrustStoreList[0].ETag != *up.ETag {
		t.Errorf("list %+v, %v", list, err)
	}
	distribution, tag := made(t, s)
	now, _ := s.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &distribution})
	try := func(change func(*cloudfront.DistributionConfig)) error {
		c, b := *now.DistributionConfig, *now.DistributionConfig.DefaultCacheBehavior
		b.ViewerProtocolPolicy = new("https-only")
		c.DefaultCacheBehavior = &b
		c.ViewerMtlsConfig = &cloudfront.ViewerMtlsConfig{Mode: new("required"), TrustStoreConfig: &cloudfront.TrustStoreConfig{TrustStoreId: &id}}
		change(&c)
		out, err := s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &distribution, IfMatch: &tag, DistributionConfig: &c})
		if err == nil {
			tag = *out.ETag
		}
		return err
	}
	for _, test := range []struct {
		change func(*cloudfront.DistributionConfig)
		code   string
		status int
	}{
		{func(c *cloudfront.DistributionConfig) { c.DefaultCacheBehavior.ViewerProtocolPolicy = new("allow-all") }, "InvalidArgument", 400},
		{func(c *cloudfront.DistributionConfig) { c.HttpVersion = new("http2and3") }, "InvalidArgument", 400},
		{func(c *cloudfront.DistributionConfig) { c.ViewerMtlsConfig.TrustStoreConfig = nil }, "InvalidArgument", 400},
		{func(c *cloudfront.DistributionConfig) {
			c.ViewerMtlsConfig.TrustStoreConfig.TrustStoreId = new("ts_none")
		}, "EntityNotFound", 404},
		{func(*cloudfront.DistributionConfig) {}, "", 0},
	} {
		check(t, try(test.change), refusal{code: test.code, status: test.status})
	}
	by, err := s.ListDistributionsByTrustStore(ctx, &cloudfront.ListDistributionsByTrustStoreInput{TrustStoreIdentifier: new("clients")})
	if err != nil || *by.DistributionList.Quantity != 1 {
		t.Errorf("by trust store: %+v, %v", by, err)
	}
	_, err = s.DeleteTrustStore(ctx, &cloudfront.DeleteTrustStoreInput{Id: &id, IfMatch: up.ETag})
	check(t, err, refusal{code: "CannotDeleteEntityWhileInUse", status: 409})
	if err := try(func(c *cloudfront.DistributionConfig) { c.ViewerMtlsConfig = nil }); err != nil {
		t.Fatal(err)
	}
	if _, err = s.DeleteTrustStore(ctx, &cloudfront.DeleteTrustStoreInput{Id: &id, IfMatch: up.ETag}); err != nil {
		t.Error(err)
	}
}
