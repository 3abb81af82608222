package rest

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/vtl"
)

// appendEvent writes the proxy event of payload 1.0 (facts: apigateway 5).
func (x *exchange) appendEvent(b []byte) []byte {
	res := x.resource.plan
	b = append(b, `{"resource":`...)
	b = vtl.AppendJSONString(b, res.Path)
	b = append(b, `,"path":`...)
	b = vtl.AppendJSONString(b, x.eventPath())
	b = append(b, `,"httpMethod":`...)
	b = vtl.AppendJSONString(b, x.req.Method)
	b = x.appendHeaders(b, x.out.header)
	b = x.appendQuery(b)
	b = x.appendParams(b)
	b = append(b, `,"stageVariables":`...)
	b = append(b, x.stage.variablesJSON...)
	b = append(b, `,"requestContext":`...)
	b = x.appendRequestContext(b)
	b = append(b, `,"body":`...)
	b, encoded := x.appendBody(b)
	b = append(b, `,"isBase64Encoded":`...)
	b = strconv.AppendBool(b, encoded)
	return append(b, '}')
}

// eventPath has no stage on the default endpoint, and keeps the base path of a custom domain
// (test_lambda_aws_proxy_integration, recorded from AWS by localstack).
func (x *exchange) eventPath() string {
	if x.arrival.Mapping != nil {
		return x.req.Path
	}
	return x.path
}

// appendBody writes the body: null without one, in Base64 for a binary media type.
func (x *exchange) appendBody(b []byte) ([]byte, bool) {
	if len(x.body) == 0 {
		return append(b, "null"...), false
	}
	if x.stage.isBinary(x.req.Header.Get("Content-Type")) {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, x.body)
		return append(b, '"'), true
	}
	return vtl.AppendJSONString(b, string(x.body)), false
}

// compareFold orders header names without their case.
func compareFold(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		c, d := lower(a[i]), lower(b[i])
		if c != d {
			return int(c) - int(d)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendHeaders writes headers with the last value of each and multiValueHeaders with all, in alphabetical order.
func (x *exchange) appendHeaders(b []byte, h message.Header) []byte {
	slices.SortStableFunc(h, func(a, c message.Field) int { return compareFold(a.Name, c.Name) })
	b = append(b, `,"headers":{`...)
	for i := 0; i < len(h); {
		end := sameName(h, i)
		b = appendKey(b, h[i].Name, i > 0)
		b = vtl.AppendJSONString(b, h[end-1].Value)
		i = end
	}
	b = append(b, `},"multiValueHeaders":{`...)
	for i := 0; i < len(h); {
		end := sameName(h, i)
		b = append(appendKey(b, h[i].Name, i > 0), '[')
		for j := i; j < end; j++ {
			if j > i {
				b = append(b, ',')
			}
			b = vtl.AppendJSONString(b, h[j].Value)
		}
		b = append(b, ']')
		i = end
	}
	return append(b, '}')
}

func sameName(h message.Header, i int) int {
	end := i + 1
	for end < len(h) && strings.EqualFold(h[end].Name, h[i].Name) {
		end++
	}
	return end
}

func appendKey(b []byte, key string, comma bool) []byte {
	if comma {
		b = append(b, ',')
	}
	return append(vtl.AppendJSONString(b, key), ':')
}

// appendQuery writes both maps of query parameters in the order in which names first came, null without any.
func (x *exchange) appendQuery(b []byte) []byte {
	if len(x.query) == 0 {
		return append(b, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	}
	b = append(b, `,"queryStringParameters":{`...)
	for i := range x.query {
		if x.seenBefore(i) {
			continue
		}
		b = appendKey(b, x.query[i].name, i > 0)
		v, _ := x.queryParam(x.query[i].name)
		b = vtl.AppendJSONString(b, v)
	}
	b = append(b, `},"multiValueQueryStringParameters":{`...)
	for i := range x.query {
		if x.seenBefore(i) {
			continue
		}
		b = append(appendKey(b, x.query[i].name, i > 0), '[')
		first := true
		for j := i; j < len(x.query); j++ {
			if x.query[j].name != x.query[i].name {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = vtl.AppendJSONString(b, x.query[j].value)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func (x *exchange) seenBefore(i int) bool {
	for j := range i {
		if x.query[j].name == x.query[i].name {
			return true
		}
	}
	return false
}

// appendParams writes pathParameters as they stand in the path (test_lambda_aws_proxy_integration, recorded from AWS by
// localstack: test%2Balias stays).
func (x *exchange) appendParams(b []byte) []byte {
	b = append(b, `,"pathParameters":`...)
	if len(x.params) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, p := range x.params {
		b = appendKey(b, p.name, i > 0)
		b = vtl.AppendJSONString(b, p.raw)
	}
	return append(b, '}')
}

// unescapePath decodes a path parameter for templates; what is no valid escape stays.
func unescapePath(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// appendRequestContext writes requestContext in AWS's order (facts: apigateway 5).
func (x *exchange) appendRequestContext(b []byte) []byte {
	api, stage := &x.stage.plan.API, &x.stage.plan.Stage
	field := func(key, value string) {
		b = append(b, key...)
		b = vtl.AppendJSONString(b, value)
	}
	field(`{"resourceId":`, x.resource.plan.ID)
	field(`,"resourcePath":`, x.resource.plan.Path)
	field(`,"httpMethod":`, x.req.Method)
	field(`,"extendedRequestId":`, x.extendedID)
	b = append(b, `,"requestTime":"`...)
	b = x.now.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, '"')
	field(`,"path":`, x.req.Path)
	field(`,"accountId":`, api.Account)
	field(`,"protocol":`, x.protocol())
	field(`,"stage":`, stage.Name)
	field(`,"domainPrefix":`, x.domainPrefix())
	b = append(b, `,"requestTimeEpoch":`...)
	b = strconv.AppendInt(b, x.now.UnixMilli(), 10)
	field(`,"requestId":`, x.requestID)
	b = append(b, `,"identity":`...)
	b = x.appendIdentity(b)
	field(`,"domainName":`, x.domainName())
	field(`,"apiId":`, api.ID)
	field(`,"deploymentId":`, stage.DeploymentID)
	if x.authorizer != nil {
		b = append(b, `,"authorizer":{`...)
		first := true
		x.authorizer.All(func(k string, v vtl.Value) bool {
			b = appendKey(b, k, !first)
			first = false
			s, _ := vtl.Text(v)
			b = vtl.AppendJSONString(b, s)
			return true
		})
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendIdentity writes the caller; what is unknown is null.
func (x *exchange) appendIdentity(b []byte) []byte {
	var p iam.Principal
	key := ""
	if x.caller != nil {
		p, key = x.caller.Principal, x.caller.AccessKeyID
	}
	field := func(name, value string) {
		b = append(b, name...)
		if value == "" {
			b = append(b, "null"...)
			return
		}
		b = vtl.AppendJSONString(b, value)
	}
	b = append(b, `{"cognitoIdentityPoolId":null`...)
	if x.apiKey != nil {
		field(`,"apiKey":`, x.apiKey.Value)
		field(`,"apiKeyId":`, x.apiKey.ID)
	}
	field(`,"accountId":`, p.Account)
	b = append(b, `,"cognitoIdentityId":null`...)
	field(`,"caller":`, p.UserID)
	field(`,"sourceIp":`, x.sourceIP())
	b = append(b, `,"principalOrgId":null`...)
	field(`,"accessKey":`, key)
	b = append(b, `,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null`...)
	field(`,"userArn":`, p.ARN)
	field(`,"userAgent":`, x.req.Header.Get("User-Agent"))
	field(`,"user":`, p.UserID)
	return append(b, '}')
}
