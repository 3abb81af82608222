package awsapi_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/awsapi/cloudformation"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/cloudfrontkeyvaluestore"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/awsapi/ssm"
	"github.com/foregate/foregate/internal/awsapi/sts"
	"github.com/foregate/foregate/internal/message"
)

var registrations = []awsapi.Registration{
	{Service: cloudfront.Service, Handler: cloudfront.Unimplemented{}},
	{Service: cloudfrontkeyvaluestore.Service, Handler: cloudfrontkeyvaluestore.Unimplemented{}},
	{Service: apigateway.Service, Handler: apigateway.Unimplemented{}},
	{Service: lambda.Service, Handler: lambda.Unimplemented{}},
	{Service: iam.Service, Handler: iam.Unimplemented{}},
	{Service: sts.Service, Handler: sts.Unimplemented{}},
	{Service: acm.Service, Handler: acm.Unimplemented{}},
	{Service: route53.Service, Handler: route53.Unimplemented{}},
	{Service: s3.Service, Handler: s3.Unimplemented{}},
	{Service: logs.Service, Handler: logs.Unimplemented{}},
	{Service: cloudformation.Service, Handler: cloudformation.Unimplemented{}},
	{Service: ssm.Service, Handler: ssm.Unimplemented{}},
}

func allServices() []*awsapi.Service {
	var list []*awsapi.Service
	for _, r := range registrations {
		list = append(list, r.Service)
	}
	return list
}

func signed(service, region string) message.Header {
	return message.Header{{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=test/20260801/" + region + "/" + service +
		"/aws4_request, SignedHeaders=host, Signature=00"}}
}

// requestFor makes a request that fits an operation, and the form of its body.
func requestFor(s *awsapi.Service, op *awsapi.Operation) (*message.Request, [][2]string) {
	req := &message.Request{Method: op.Method, Scheme: "https", Host: "127.0.0.1:4566", Header: signed(s.SigningName, "eu-west-1")}
	switch s.Protocol {
	case awsapi.JSON:
		req.Path = "/"
		req.Header.Add("X-Amz-Target", s.TargetPrefix+"."+op.Name)
		return req, nil
	case awsapi.Query:
		req.Path = "/"
		return req, [][2]string{{"Action", op.Name}, {"Version", s.APIVersion}}
	}
	path, query, _ := strings.Cut(op.URI, "?")
	req.Path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "some%2Fvalue")
	for _, n := range op.Needs {
		if name, ok := strings.CutPrefix(n, "?"); ok {
			query += "&" + name + "=1"
		} else {
			req.Header.Add(n, "1")
		}
	}
	req.Query, req.HasQuery = strings.TrimPrefix(query, "&"), query != ""
	return req, nil
}

// sameRoute lists operations that another one hides: method, path and required parameters are the same.
var sameRoute = map[string]string{
	"s3.GetBucketLifecycle":    "GetBucketLifecycleConfiguration", // deprecated
	"s3.PutBucketLifecycle":    "PutBucketLifecycleConfiguration", // deprecated
	"s3.GetBucketNotification": "GetBucketNotificationConfiguration",
	"s3.PutBucketNotification": "PutBucketNotificationConfiguration",
	"s3.ListDirectoryBuckets":  "ListBuckets", // its endpoint is another one (s3express-control)
}

func TestEveryOperationRoutesToItself(t *testing.T) {
	router := awsapi.NewRouter(allServices()...)
	for _, s := range allServices() {
		for _, op := range s.Operations {
			req, form := requestFor(s, op)
			m, err := router.Route(req, form)
			want := op.Name
			if other := sameRoute[s.Name+"."+op.Name]; other != "" {
				want = other
			}
			if err != nil {
				t.Errorf("%s.%s: %s %s: %v", s.Name, op.Name, req.Method, req.Target(), err)
			} else if m.Service != s || m.Operation.Name != want || m.Region != "eu-west-1" {
				t.Errorf("%s.%s: %s %s went to %s.%s in %s", s.Name, op.Name, req.Method, req.Target(), m.Service.Name, m.Operation.Name, m.Region)
			}
		}
	}
}

// TestSchemas walks every schema along the Go types: a codec relies on the two being parallel.
func TestSchemas(t *testing.T) {
	for _, s := range allServices() {
		seen := map[reflect.Type]bool{}
		for _, op := range s.Load().Operations {
			if !op.Known() {
				if op.In != "" || op.Input != nil {
					t.Errorf("%s.%s: not known, but has shapes", s.Name, op.Name)
				}
				continue
			}
			if op.In != "" {
				checkType(t, seen, reflect.TypeOf(op.New()), op.Input, s.Name+"."+op.Name)
			}
			if op.Out != "" {
				checkType(t, seen, reflect.TypeOf(op.NewOutput()), op.Output, s.Name+"."+op.Name)
			}
		}
	}
}

func checkType(t *testing.T, seen map[reflect.Type]bool, typ reflect.Type, s *awsapi.Shape, at string) {
	t.Helper()
	want := map[awsapi.Kind]reflect.Type{awsapi.String: reflect.TypeFor[string](), awsapi.Boolean: reflect.TypeFor[bool](),
		awsapi.Integer: reflect.TypeFor[int64](), awsapi.Long: reflect.TypeFor[int64](), awsapi.Float: reflect.TypeFor[float64](),
		awsapi.Double: reflect.TypeFor[float64](), awsapi.Timestamp: reflect.TypeFor[time.Time]()}
	switch s.Kind {
	case awsapi.Structure:
		if typ.Kind() != reflect.Pointer || typ.Elem().Kind() != reflect.Struct || typ.Elem().NumField() != len(s.Members) {
			t.Errorf("%s: structure %s is a %v", at, s.Name, typ)
			return
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		for i, m := range s.Members {
			f := typ.Elem().Field(m.Field)
			if m.Field != i || !strings.EqualFold(f.Name, m.Name) {
				t.Errorf("%s: member %s.%s is field %s", at, s.Name, m.Name, f.Name)
			}
			ft := f.Type
			if want[m.Shape.Kind] != nil {
				if ft.Kind() != reflect.Pointer {
					t.Errorf("%s: member %s.%s is a %v", at, s.Name, m.Name, ft)
					continue
				}
				ft = ft.Elem()
			}
			checkType(t, seen, ft, m.Shape, at+"."+m.Name)
		}
	case awsapi.List:
		checkType(t, seen, typ.Elem(), s.Elem, at)
	case awsapi.Map:
		checkType(t, seen, typ.Elem(), s.Value, at)
	case awsapi.Blob:
		if typ.Kind() != reflect.Slice && typ.Kind() != reflect.Interface {
			t.Errorf("%s: blob %s is a %v", at, s.Name, typ)
		}
	case awsapi.Document:
	default:
		if typ != want[s.Kind] {
			t.Errorf("%s: %v %s is a %v", at, s.Kind, s.Name, typ)
		}
	}
}

// TestPatterns tells which of the models' patterns Go cannot read, so that they go unchecked.
func TestPatterns(t *testing.T) {
	for _, s := range allServices() {
		for line := range strings.Lines(s.Schema) {
			name := strings.Fields(line)[min(1, len(strings.Fields(line))-1)]
			if sh := s.Shape(name); sh != nil && sh.Pattern != "" && line[0] != ' ' {
				if _, err := regexp.Compile(sh.Pattern); err != nil {
					t.Logf("%s.%s: %v", s.Name, name, err)
				}
			}
		}
	}
}

func BenchmarkLoadCloudFront(b *testing.B) {
	for b.Loop() {
		s := awsapi.Service{Name: "x", Schema: cloudfront.Service.Schema}
		s.Load()
	}
}
