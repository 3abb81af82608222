package cloudfront

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
)

// filler makes inputs of operations out of bytes: each decides whether a member is there, how long a list is, which text it has.
type filler struct {
	data  []byte
	words []string
	depth int
}

func (f *filler) next() int {
	if len(f.data) == 0 {
		return 0
	}
	b := f.data[0]
	f.data = f.data[1:]
	return int(b)
}

func (f *filler) fill(v reflect.Value) {
	if f.depth > 12 {
		return
	}
	f.depth++
	defer func() { f.depth-- }()
	switch v.Kind() {
	case reflect.Pointer:
		if f.next()%8 != 7 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.fill(v.Field(i))
			}
		}
		if q, items := v.FieldByName("Quantity"), v.FieldByName("Items"); q.IsValid() && items.IsValid() && q.Kind() == reflect.Pointer && f.next()%16 != 0 {
			q.Set(reflect.ValueOf(new(int64(items.Len()))))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(f.words[f.next()%len(f.words)]))
			return
		}
		n := f.next() % 4
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(f.words[f.next()%len(f.words)])
	case reflect.Int64:
		v.SetInt([]int64{0, 1, 2, 30, 443, 404, 503, 86400, -1, 1 << 40}[f.next()%10])
	case reflect.Float64:
		v.SetFloat([]float64{0, 0.1, 1, 101, -1}[f.next()%5])
	case reflect.Bool:
		v.SetBool(f.next()%2 == 1)
	}
}

// FuzzHandlers calls every operation with whatever passes the checks of the model: no handler panics, every refusal is one of
// AWS's, and a distribution that was accepted is accepted again as it is answered.
func FuzzHandlers(f *testing.F) {
	for i := range len(cloudfront.Service.Operations) {
		f.Add(uint8(i), []byte("\x00\x01\x02\x03\x04\x05\x06\x00\x01\x02\x03\x04\x05\x06\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c"))
	}
	f.Add(uint8(200), []byte{})
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		s := newService()
		id, tag := made(t, s)
		f := &filler{data: data, words: append(strings.Fields(`example.com o GET HEAD OPTIONS allow-all redirect-to-https none whitelist all custom self 404 200 /x /* *
			sni-only TLSv1.2_2021 http2 PriceClass_All viewer-request origin-request true TEST DEVELOPMENT cloudfront-js-2.0 s3 always sigv4 X-A Host Authorization a.example.com
			4135ea2d-6df8-44a3-9df3-4b5a84be39ad 216adef6-5c7f-47e4-b989-5492eafa07d3 arn:aws:acm:us-east-1:000000000000:certificate/x arn:aws:cloudfront::000000000000:distribution/`+id), id, tag, "", strings.Repeat("x", 300))}
		ops := cloudfront.Service.Operations
		op := ops[int(which)%len(ops)]
		in := op.New()
		f.fill(reflect.ValueOf(in).Elem())
		if err := awsapi.Validate(cloudfront.Service, op, in); err != nil {
			return
		}
		_, err := op.Call(t.Context(), s, in)
		var refused *awsapi.Error
		if err != nil && (!errors.As(err, &refused) || refused.Code == "" || refused.Message == "") {
			t.Errorf("%s: %v", op.Name, err)
		}
		for _, v := range distributionsKind.All(s.env.Store.Read(t.Context()), global) {
			now, err := s.GetDistributionConfig(t.Context(), &cloudfront.GetDistributionConfigInput{Id: &v.ID})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: &v.ID, IfMatch: now.ETag, DistributionConfig: now.DistributionConfig}); err != nil {
				t.Errorf("%s has left a distribution that is refused as it is: %v", op.Name, err)
			}
		}
	})
}

// made makes a distribution, and returns its id and version.
func made(t *testing.T, s *Service) (id, tag string) {
	t.Helper()
	out, err := s.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, `{"CallerReference": "made", "Comment": "", "Enabled": false,
		"Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "example.com", "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}}]},
		"DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Distribution.Id, *out.ETag
}

// places are the members below v that can be changed.
func places(v reflect.Value, out []reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out = places(v.Elem(), append(out, v))
		}
	case reflect.Slice:
		out = append(out, v)
		for i := range v.Len() {
			out = places(v.Index(i), out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out = places(v.Field(i), out)
		}
	case reflect.String, reflect.Int64, reflect.Bool:
		out = append(out, v)
	}
	return out
}

// FuzzDistribution takes members out of a distribution that has nearly all of them, and puts others in their place.
func FuzzDistribution(f *testing.F) {
	f.Add([]byte{})
	for i := range 120 {
		f.Add([]byte{byte(i), 0, byte(i * 2), 7, byte(i * 3), 1})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newService()
		id, tag := made(t, s)
		c := fromJSON[cloudfront.DistributionConfig](t, fullDistribution)
		f := &filler{data: data, words: strings.Fields("o p g example.com GET HEAD OPTIONS none whitelist all self 404 200 /x /* * allow-all sni-only http2 X-A Host a.example.com \"\" ä")}
		for range min(len(data)/2, 8) {
			all := places(reflect.ValueOf(c).Elem(), nil)
			at := all[(f.next()*256+f.next())%len(all)]
			switch f.next() % 4 {
			case 0:
				at.SetZero()
			case 1:
				f.fill(at)
			case 2:
				if at.Kind() == reflect.Slice && at.Len() > 0 {
					at.Set(reflect.Append(at, at.Index(0)))
				}
			case 3:
				if at.Kind() == reflect.Slice && at.Len() > 0 {
					at.Set(at.Slice(0, at.Len()-1))
				}
			}
		}
		in := &cloudfront.UpdateDistributionInput{Id: &id, IfMatch: &tag, DistributionConfig: c}
		if awsapi.Validate(cloudfront.Service, cloudfront.Service.Operation("UpdateDistribution"), in) != nil {
			return
		}
		out, err := s.UpdateDistribution(t.Context(), in)
		if err != nil {
			return
		}
		if _, err := s.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: &id, IfMatch: out.ETag, DistributionConfig: out.Distribution.DistributionConfig}); err != nil {
			t.Errorf("accepted, and then refused as it is: %v", err)
		}
	})
}

const fullDistribution = `{"CallerReference": "made", "Comment": "c", "Enabled": true, "DefaultRootObject": "index.html", "PriceClass": "PriceClass_100", "HttpVersion": "http2",
	"IsIPV6Enabled": true, "WebACLId": "", "Staging": false, "ContinuousDeploymentPolicyId": "",
	"Aliases": {"Quantity": 1, "Items": ["a.example.com"]},
	"ViewerCertificate": {"ACMCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/x", "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"},
	"Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", "Quantity": 1, "Items": ["DE"]}},
	"CustomErrorResponses": {"Quantity": 1, "Items": [{"ErrorCode": 404, "ResponsePagePath": "/x", "ResponseCode": "200", "ErrorCachingMinTTL": 5}]},
	"Origins": {"Quantity": 2, "Items": [
		{"Id": "o", "DomainName": "example.com", "OriginPath": "/p", "ConnectionAttempts": 2, "ConnectionTimeout": 5, "OriginShield": {"Enabled": true, "OriginShieldRegion": "us-east-1"},
		 "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-A", "HeaderValue": "b"}]},
		 "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only", "OriginReadTimeout": 30, "OriginKeepaliveTimeout": 5, "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]}}},
		{"Id": "p", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}]},
	"OriginGroups": {"Quantity": 1, "Items": [{"Id": "g", "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}}, "Members": {"Quantity": 2, "Items": [{"OriginId": "o"}, {"OriginId": "p"}]}}]},
	"DefaultCacheBehavior": {"TargetOriginId": "g", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3",
		"TrustedSigners": {"Enabled": true, "Quantity": 1, "Items": ["self"]}, "TrustedKeyGroups": {"Enabled": false, "Quantity": 0}, "Compress": true, "SmoothStreaming": false,
		"AllowedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"], "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]}},
		"LambdaFunctionAssociations": {"Quantity": 0}, "FunctionAssociations": {"Quantity": 0}, "GrpcConfig": {"Enabled": false}},
	"CacheBehaviors": {"Quantity": 1, "Items": [{"PathPattern": "/x/*", "TargetOriginId": "o", "ViewerProtocolPolicy": "https-only", "MinTTL": 0, "DefaultTTL": 10, "MaxTTL": 20,
		"ForwardedValues": {"QueryString": true, "Cookies": {"Forward": "whitelist", "WhitelistedNames": {"Quantity": 1, "Items": ["a"]}}, "Headers": {"Quantity": 1, "Items": ["X-A"]}, "QueryStringCacheKeys": {"Quantity": 1, "Items": ["q"]}}}]}}`
