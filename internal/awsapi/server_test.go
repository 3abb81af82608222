package awsapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/awsapi/sts"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
)

type front struct{ cloudfront.Unimplemented }

func (front) CreateDistribution(ctx context.Context, in *cloudfront.CreateDistributionInput) (*cloudfront.CreateDistributionOutput, error) {
	c := in.DistributionConfig
	switch *c.Comment {
	case "panic":
		panic("boom")
	case "plain":
		return nil, errors.New("secret cause")
	case "refuse":
		return nil, &diag.Finding{Code: diag.ZeroTTLWithCacheKey, Message: "why", AWSError: &diag.AWSError{Code: "InvalidArgument", Status: 400, Message: "AWS's words"}}
	case "exists":
		return nil, awsapi.Errorf(cloudfront.ErrCodeDistributionAlreadyExists, "there")
	}
	return &cloudfront.CreateDistributionOutput{
		Distribution: &cloudfront.Distribution{Id: new("E1"), ARN: new("arn"), Status: new(awsapi.CallFrom(ctx).Region),
			LastModifiedTime: new(time.Unix(1700000000, 0)), InProgressInvalidationBatches: new(int64(0)), DomainName: new("d1.cloudfront.net"), DistributionConfig: c},
		Location: new("https://cloudfront.amazonaws.com/2020-05-31/distribution/E1"), ETag: new("E2TAG"),
	}, nil
}

type bucket struct {
	s3.Unimplemented
	body string
	in   *s3.PutObjectInput
}

func (b *bucket) PutObject(_ context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	text, err := io.ReadAll(in.Body)
	b.body, b.in = string(text), in
	return &s3.PutObjectOutput{ETag: new(`"abc"`)}, err
}

func (b *bucket) GetObject(context.Context, *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{Body: strings.NewReader("hello"), ContentLength: new(int64(5)), ContentType: new("text/plain"),
		Metadata: map[string]string{"a": "b\r\nX: y"}, LastModified: new(time.Unix(1700000000, 0))}, nil
}

func (b *bucket) HeadObject(context.Context, *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	return &s3.HeadObjectOutput{ContentLength: new(int64(5))}, nil
}

func (b *bucket) GetBucketLocation(context.Context, *s3.GetBucketLocationInput) (*s3.GetBucketLocationOutput, error) {
	return &s3.GetBucketLocationOutput{LocationConstraint: new("eu-west-1")}, nil
}

func (b *bucket) ListObjectsV2(context.Context, *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	return &s3.ListObjectsV2Output{Name: new("b"), Contents: []*s3.Object{{Key: new("a&b"), LastModified: new(time.Unix(1700000000, 0))}, {Key: new("c")}},
		CommonPrefixes: []*s3.CommonPrefix{{Prefix: new("p/")}}}, nil
}

func (b *bucket) GetBucketAcl(context.Context, *s3.GetBucketAclInput) (*s3.GetBucketAclOutput, error) {
	return &s3.GetBucketAclOutput{Grants: []*s3.Grant{{Grantee: &s3.Grantee{Type: new("CanonicalUser"), ID: new("x")}, Permission: new("FULL_CONTROL")}}}, nil
}

type functions struct{ lambda.Unimplemented }

func (functions) Invoke(_ context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
	return &lambda.InvokeOutput{StatusCode: new(int64(200)), Payload: in.Payload, FunctionError: new(*in.FunctionName)}, nil
}

func (functions) GetFunction(context.Context, *lambda.GetFunctionInput) (*lambda.GetFunctionOutput, error) {
	return nil, awsapi.Errorf(lambda.ErrCodeResourceNotFoundException, "Function not found: f")
}

func (functions) ListAliases(context.Context, *lambda.ListAliasesInput) (*lambda.ListAliasesOutput, error) {
	return &lambda.ListAliasesOutput{}, nil
}

type users struct{ iam.Unimplemented }

func (users) ListUsers(context.Context, *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	return nil, nil
}

type tokens struct{ sts.Unimplemented }

func (tokens) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	c := awsapi.CallFrom(ctx).Caller
	return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}

type apis struct{ apigateway.Unimplemented }

func (apis) GetRestApi(_ context.Context, in *apigateway.GetRestApiInput) (*apigateway.GetRestApiOutput, error) {
	if *in.RestApiId == "none" {
		return nil, awsapi.Errorf(apigateway.ErrCodeNotFoundException, "Invalid API identifier specified 000000000000:none")
	}
	return &apigateway.GetRestApiOutput{Id: in.RestApiId, CreatedDate: new(time.Unix(1700000000, 0)), Tags: map[string]string{"b": "<", "a": "1"}}, nil
}

type logging struct{ logs.Unimplemented }

func (logging) CreateLogGroup(context.Context, *logs.CreateLogGroupInput) (*logs.CreateLogGroupOutput, error) {
	return nil, nil
}

func newServer() (*awsapi.Server, *bucket) {
	b := &bucket{}
	own := map[string]any{"cloudfront": front{}, "s3": b, "lambda": functions{}, "sts": tokens{}, "apigateway": apis{}, "logs": logging{}, "iam": users{}}
	s := &awsapi.Server{Region: "us-east-1", Account: "000000000000", Log: slog.New(slog.DiscardHandler), NewRequestID: func() string { return "id-1" }}
	for _, r := range registrations {
		if h := own[r.Service.Name]; h != nil {
			r.Handler = h
		}
		s.Services = append(s.Services, r)
	}
	return s, b
}

const config = `<DistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><CallerReference>r</CallerReference>` +
	`<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>example.com</DomainName></Origin></Items></Origins>` +
	`<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy></DefaultCacheBehavior>` +
	`<Comment>COMMENT</Comment><Enabled>true</Enabled><Unknown><X/></Unknown></DistributionConfig>`

func withComment(text string) string { return strings.Replace(config, "COMMENT", text, 1) }

const created = `<?xml version="1.0"?>` + "\n" + `<Distribution xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>E1</Id><ARN>arn</ARN><Status>us-east-1</Status>` +
	`<LastModifiedTime>2023-11-14T22:13:20Z</LastModifiedTime><InProgressInvalidationBatches>0</InProgressInvalidationBatches>` +
	`<DomainName>d1.cloudfront.net</DomainName><DistributionConfig><CallerReference>r</CallerReference><Origins><Quantity>1</Quantity>` +
	`<Items><Origin><Id>o</Id><DomainName>example.com</DomainName></Origin></Items></Origins><DefaultCacheBehavior><TargetOriginId>o</TargetOriginId>` +
	`<ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy></DefaultCacheBehavior><Comment>fine</Comment><Enabled>true</Enabled></DistributionConfig></Distribution>`

func cloudfrontError(kind, code, text string) string {
	return `<?xml version="1.0"?>` + "\n" + `<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>` + kind + `</Type><Code>` + code +
		`</Code><Message>` + text + `</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`
}

func s3Error(code, text, resource string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Error><Code>` + code + `</Code><Message>` + text + `</Message><Resource>` + resource +
		`</Resource><RequestId>ID1</RequestId><HostId>aWQtMWlkLTE=</HostId></Error>`
}

// budget: a table of cases
func TestServer(t *testing.T) {
	const distributions = "/2020-05-31/distribution"
	tests := []struct {
		name, service, method, target, body string
		header                              message.Header
		status                              int
		want                                string
		fields                              message.Header
	}{
		{name: "create", service: "cloudfront", method: "POST", target: distributions, body: withComment("fine"), status: 201, want: created,
			fields: message.Header{{Name: "ETag", Value: "E2TAG"}, {Name: "Location", Value: "https://cloudfront.amazonaws.com/2020-05-31/distribution/E1"},
				{Name: "Content-Type", Value: "text/xml"}, {Name: "x-amzn-RequestId", Value: "id-1"}}},
		{name: "panic", service: "cloudfront", method: "POST", target: distributions, body: withComment("panic"), status: 500,
			want: cloudfrontError("Receiver", "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")},
		{name: "plain error", service: "cloudfront", method: "POST", target: distributions, body: withComment("plain"), status: 500,
			want: cloudfrontError("Receiver", "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")},
		{name: "finding", service: "cloudfront", method: "POST", target: distributions, body: withComment("refuse"), status: 400,
			want:   cloudfrontError("Sender", "InvalidArgument", "AWS's words"),
			fields: message.Header{{Name: "Foregate-Finding", Value: "zero-ttl-with-cache-key: why"}}},
		{name: "status of the model", service: "cloudfront", method: "POST", target: distributions, body: withComment("exists"), status: 409,
			want: cloudfrontError("Sender", "DistributionAlreadyExists", "there")},
		{name: "empty body", service: "cloudfront", method: "POST", target: distributions, status: 400,
			want: cloudfrontError("Sender", "MalformedXML", "1 validation error detected: Value null at 'distributionConfig' failed to satisfy constraint: Member must not be null")},
		{name: "nested required", service: "cloudfront", method: "POST", target: distributions, body: strings.Replace(withComment("x"), "<DomainName>example.com</DomainName>", "", 1), status: 400,
			want: cloudfrontError("Sender", "MalformedXML", "1 validation error detected: Value null at 'distributionConfig.origins.items.1.member.domainName' failed to satisfy constraint: Member must not be null")},
		{name: "empty list", service: "cloudfront", method: "POST", target: distributions, body: strings.Replace(withComment("x"), "<Comment>", "<Aliases><Quantity>0</Quantity><Items/></Aliases><Comment>", 1), status: 400,
			want: cloudfrontError("Sender", "MalformedInput", "Unexpected list element termination")},
		{name: "not implemented", service: "cloudfront", method: "GET", target: distributions, status: 501,
			want: cloudfrontError("Receiver", "NotImplemented", "Foregate does not implement the operation ListDistributions of Amazon CloudFront yet")},
		{name: "recognised only", service: "iam", method: "POST", target: "/", body: "Action=GetCredentialReport&Version=2010-05-08", status: 501,
			want: `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Receiver</Type><Code>NotImplemented</Code><Message>Foregate does not implement the operation GetCredentialReport of AWS Identity and Access Management yet</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{name: "query", service: "sts", method: "POST", target: "/", body: "Action=GetCallerIdentity&Version=2011-06-15", status: 200,
			want: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><UserId>000000000000</UserId><Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`},
		{name: "query by GET", service: "sts", method: "GET", target: "/?Action=Nope&Version=2011-06-15", status: 400,
			want: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation Nope for version 2011-06-15</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{name: "rest-json", service: "apigateway", method: "GET", target: "/restapis/abc", status: 200,
			want: `{"id":"abc","createdDate":1700000000,"tags":{"a":"1","b":"<"}}`, fields: message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{name: "rest-json error", service: "apigateway", method: "GET", target: "/restapis/none", status: 404,
			want: `{"message":"Invalid API identifier specified 000000000000:none"}`, fields: message.Header{{Name: "x-amzn-ErrorType", Value: "NotFoundException"}}},
		{name: "lambda error", service: "lambda", method: "GET", target: "/2015-03-31/functions/f", status: 404,
			want: `{"Type":"User","Message":"Function not found: f"}`, fields: message.Header{{Name: "x-amzn-ErrorType", Value: "ResourceNotFoundException"}}},
		{name: "lambda empty list", service: "lambda", method: "GET", target: "/2015-03-31/functions/f/aliases", status: 200, want: `{"Aliases":[]}`},
		{name: "query empty list", service: "iam", method: "POST", target: "/", body: "Action=ListUsers&Version=2010-05-08", status: 200,
			want: `<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><Users></Users></ListUsersResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></ListUsersResponse>`},
		{name: "HTTP APIs", service: "apigateway", method: "GET", target: "/v2/apis", status: 501, want: `{"message":"Foregate does not implement the service \"apigatewayv2\" yet"}`},
		{name: "lambda invoke", service: "lambda", method: "POST", target: "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af/invocations", body: `[1]`, status: 200,
			want: `[1]`, fields: message.Header{{Name: "X-Amz-Function-Error", Value: "arn:aws:lambda:eu-west-1:000000000000:function:f"}}},
		{name: "lambda validation", service: "lambda", method: "POST", target: "/2015-03-31/functions", body: `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Timeout":0}`, status: 400,
			want: `{"message":"1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"}`},
		{name: "lambda sensitive map", service: "lambda", method: "POST", target: "/2015-03-31/functions", body: `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},"Environment":{"Variables":{"A":"secret"}}}`, status: 400,
			want: `{"message":"1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"}`},
		{name: "list of enumerated values", service: "cloudformation", method: "POST", target: "/", body: "Action=CreateStack&Version=2010-05-15&StackName=s&Capabilities.member.1=X", status: 400,
			want: `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>1 validation error detected: Value '[X]' at 'capabilities' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{name: "lambda type", service: "lambda", method: "POST", target: "/2015-03-31/functions", body: `{"FunctionName":1}`, status: 400,
			want: `{"message":"NUMBER_VALUE can not be converted to a String"}`, fields: message.Header{{Name: "x-amzn-ErrorType", Value: "SerializationException"}}},
		{name: "json", service: "logs", method: "POST", target: "/", body: `{"logGroupName":"g"}`, header: message.Header{{Name: "X-Amz-Target", Value: "Logs_20140328.CreateLogGroup"}}, status: 200, want: ``,
			fields: message.Header{{Name: "Content-Type", Value: "application/x-amz-json-1.1"}}},
		{name: "json validation", service: "logs", method: "POST", target: "/", body: `{}`, header: message.Header{{Name: "X-Amz-Target", Value: "Logs_20140328.CreateLogGroup"}}, status: 400,
			want: `{"__type":"InvalidParameterException","message":"1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"}`},
		{name: "json unknown", service: "logs", method: "POST", target: "/", body: `{}`, header: message.Header{{Name: "X-Amz-Target", Value: "Logs_20140328.Nope"}}, status: 400, want: `{"__type":"UnknownOperationException"}`},
		{name: "s3 get", service: "s3", method: "GET", target: "/b/k", status: 200, want: "hello",
			fields: message.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "x-amz-meta-a", Value: "b  X: y"}, {Name: "Last-Modified", Value: "Tue, 14 Nov 2023 22:13:20 GMT"}}},
		{name: "s3 head", service: "s3", method: "HEAD", target: "/b/k", status: 200},
		{name: "s3 location", service: "s3", method: "GET", target: "/b?location", status: 200,
			want: `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`},
		{name: "s3 list", service: "s3", method: "GET", target: "/b/?list-type=2&prefix=x", status: 200,
			want: `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Contents><Key>a&amp;b</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified></Contents><Contents><Key>c</Key></Contents><Name>b</Name><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>`},
		{name: "s3 acl", service: "s3", method: "GET", target: "/b?acl", status: 200,
			want: `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>x</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`},
		{name: "s3 method", service: "s3", method: "PATCH", target: "/b/k", status: 405, want: s3Error("MethodNotAllowed", "The specified method is not allowed against this resource.", "/b/k")},
		{name: "s3 malformed", service: "s3", method: "PUT", target: "/b?cors", body: "<CORSConfiguration><", status: 400,
			want: s3Error("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", "/b")},
		{name: "service unknown", service: "dynamodb", method: "POST", target: "/", header: message.Header{{Name: "X-Amz-Target", Value: "DynamoDB_20120810.ListTables"}}, status: 501,
			want: `{"__type":"NotImplemented","message":"Foregate does not implement the service \"dynamodb\" yet"}`},
		{name: "no DTD", service: "cloudfront", method: "POST", target: distributions, body: `<!DOCTYPE x [<!ENTITY a "b">]>` + withComment("fine"), status: 400,
			want: cloudfrontError("Sender", "MalformedXML", "document type declarations are not allowed")},
	}
	server, _ := newServer()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := server.Serve(t.Context(), request(tt.service, tt.method, tt.target, tt.body, tt.header))
			body := ""
			if resp.Body != nil {
				b, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				body = string(b)
			}
			if resp.Status != tt.status || body != tt.want {
				t.Errorf("status %d, want %d; body\n%s\nwant\n%s", resp.Status, tt.status, body, tt.want)
			}
			for _, f := range tt.fields {
				if got := resp.Header.Get(f.Name); got != f.Value {
					t.Errorf("field %s is %q, want %q", f.Name, got, f.Value)
				}
			}
		})
	}
}

func request(service, method, target, body string, header message.Header) *message.Request {
	path, query, has := strings.Cut(target, "?")
	req := &message.Request{Method: method, Scheme: "http", Host: "127.0.0.1:4566", Path: path, Query: query, HasQuery: has,
		Header: append(signed(service, "us-east-1"), header...), ContentLength: int64(len(body))}
	if strings.HasPrefix(body, "Action=") {
		req.Header.Add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	if body != "" {
		req.Body = strings.NewReader(body)
	}
	return req
}

func TestHeadHasLengthAndNoBody(t *testing.T) {
	server, _ := newServer()
	if r := server.Serve(t.Context(), request("s3", "HEAD", "/b/k", "", nil)); r.Body != nil || r.ContentLength != 5 {
		t.Errorf("HeadObject: body %v, length %d", r.Body, r.ContentLength)
	}
	if r := server.Serve(t.Context(), request("s3", "HEAD", "/b", "", nil)); r.Status != 501 || r.Body != nil {
		t.Errorf("HeadBucket: status %d, body %v", r.Status, r.Body)
	}
}

func TestPutObject(t *testing.T) {
	server, b := newServer()
	req := request("s3", "PUT", "/k/with%20space//x/", "hello", message.Header{{Name: "x-amz-meta-Color", Value: "red"}})
	req.Host = "my.bucket.s3.eu-west-1.amazonaws.com"
	r := server.Serve(t.Context(), req)
	if r.Status != 200 || b.body != "hello" || *b.in.Key != "k/with space//x/" || *b.in.Bucket != "my.bucket" || *b.in.ContentLength != 5 || b.in.Metadata["color"] != "red" {
		t.Fatalf("status %d, body %q, input %+v", r.Status, b.body, b.in)
	}
	chunked := "5;chunk-signature=aa\r\nhello\r\n3\r\n bo\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
	req = request("s3", "PUT", "/b/k", chunked, message.Header{{Name: "X-Amz-Content-Sha256", Value: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
		{Name: "Content-Encoding", Value: "aws-chunked"}, {Name: "X-Amz-Decoded-Content-Length", Value: "8"}})
	if r := server.Serve(t.Context(), req); r.Status != 200 || b.body != "hello bo" || *b.in.ContentLength != 8 || b.in.ContentEncoding != nil {
		t.Errorf("aws-chunked: status %d, body %q, input %+v", r.Status, b.body, b.in)
	}
	req = request("s3", "PUT", "/b/k", chunked[:20], message.Header{{Name: "X-Amz-Content-Sha256", Value: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}})
	if r := server.Serve(t.Context(), req); r.Status == 200 {
		t.Errorf("cut off: status %d, body %q", r.Status, b.body)
	}
}

func TestAuthenticateSeesBodyAndDecides(t *testing.T) {
	server, _ := newServer()
	server.Authenticate = func(_ context.Context, r *message.Request, s *awsapi.Service) (awsapi.Caller, string, *awsapi.Error) {
		if s == s3.Service {
			return awsapi.Caller{}, "", awsapi.StatusErrorf(403, "AccessDenied", "no")
		}
		b, _ := io.ReadAll(r.Body)
		return awsapi.Caller{ARN: string(b), Account: "111111111111"}, "eu-west-3", nil
	}
	r := server.Serve(t.Context(), request("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", nil))
	b, _ := io.ReadAll(r.Body)
	if !strings.Contains(string(b), "<Arn>Action=GetCallerIdentity&amp;Version=2011-06-15</Arn>") || !strings.Contains(string(b), "<Account>111111111111") {
		t.Errorf("got %s", b)
	}
	if r := server.Serve(t.Context(), request("s3", "GET", "/b/k", "", nil)); r.Status != 403 {
		t.Errorf("status %d", r.Status)
	}
}

func TestLimits(t *testing.T) {
	server, _ := newServer()
	server.Limits = awsapi.Limits{Body: 2000, Depth: 10, Elements: 40}
	for name, body := range map[string]string{
		"bytes":    strings.Repeat(" ", 3000),
		"depth":    strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20),
		"elements": "<DistributionConfig>" + strings.Repeat("<a/>", 60) + "</DistributionConfig>",
	} {
		if r := server.Serve(t.Context(), request("cloudfront", "POST", "/2020-05-31/distribution", body, nil)); r.Status != 400 && r.Status != 413 {
			t.Errorf("%s: status %d", name, r.Status)
		}
	}
}

// A form is read before its sender is known: what is more than any operation needs is not kept.
func TestFormIsBounded(t *testing.T) {
	server, _ := newServer()
	body := &counted{}
	r := request("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", nil)
	r.Body, r.ContentLength = body, -1
	if resp := server.Serve(t.Context(), r); resp.Status != 413 || body.n > 9<<20 {
		t.Errorf("status %d after %d bytes", resp.Status, body.n)
	}
}

// counted is a body without end.
type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	c.n += len(p)
	return len(p), nil
}

func TestRoutesWithoutSignature(t *testing.T) {
	router := awsapi.NewRouter(allServices()...)
	tests := []struct{ method, host, path, query, want string }{
		{"GET", "127.0.0.1", "/2020-05-31/distribution", "", "cloudfront.ListDistributions"},
		{"GET", "127.0.0.1", "/2015-03-31/functions/", "", "lambda.ListFunctions"},
		{"GET", "127.0.0.1", "/restapis", "", "apigateway.GetRestApis"},
		{"GET", "127.0.0.1", "/2013-04-01/hostedzone", "", "route53.ListHostedZones"},
		{"GET", "127.0.0.1", "/", "X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", "s3.ListBuckets"},
		{"GET", "b.s3.amazonaws.com", "/restapis/x", "", "s3.GetObject"},
		{"GET", "s3.eu-west-1.amazonaws.com", "/b", "versions", "s3.ListObjectVersions"},
		{"GET", "apigateway.us-east-1.amazonaws.com", "/account", "", "apigateway.GetAccount"},
		{"GET", "cloudfront.amazonaws.com", "/nothing", "", "cloudfront: 404"},
		{"GET", "127.0.0.1", "/nothing", "", ": 403"},
		{"GET", "127.0.0.1", "/", "Action=ListRoles&Version=2010-05-08", "iam.ListRoles"},
		{"GET", "127.0.0.1", "/", "Action=ListStacks&Version=2010-05-15", "cloudformation.ListStacks"},
		{"POST", "127.0.0.1", "/2020-05-31/distribution", "WithTags", "cloudfront.CreateDistributionWithTags"},
		{"POST", "127.0.0.1", "/2020-05-31/tagging", "Operation=Untag&Resource=x", "cloudfront.UntagResource"},
	}
	for _, tt := range tests {
		req := &message.Request{Method: tt.method, Host: tt.host, Path: tt.path, Query: tt.query, HasQuery: tt.query != ""}
		var form [][2]string
		for p := range strings.SplitSeq(tt.query, "&") {
			name, value, _ := strings.Cut(p, "=")
			form = append(form, [2]string{name, value})
		}
		m, err := router.Route(req, form)
		got := ""
		switch {
		case err != nil && m.Service != nil:
			got = m.Service.Name + ": " + itoa(err.Status)
		case err != nil:
			got = ": " + itoa(err.Status)
		default:
			got = m.Service.Name + "." + m.Operation.Name
		}
		if got != tt.want {
			t.Errorf("%s %s%s?%s: %s, want %s", tt.method, tt.host, tt.path, tt.query, got, tt.want)
		}
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}
