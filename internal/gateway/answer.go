package gateway

import (
	"time"

	"github.com/foregate/foregate/internal/message"
)

// The causes of the refusals that a region makes itself, as the Detail of a trace.Refused fact.
const (
	// CauseUnknownHost: no API and no custom domain of the region has the request's Host.
	CauseUnknownHost = "unknown-host"
	// CauseNoMapping: the custom domain has no mapping for the path.
	CauseNoMapping = "no-base-path-mapping"
	// CauseUnknownAPI: the mapping names an API that is not there.
	CauseUnknownAPI = "unknown-api"
	// CauseUnknownStage: the API has no stage of the path's first segment, or of the mapping's name.
	CauseUnknownStage = "unknown-stage"
	// CauseEndpointDisabled: the API's default endpoint is switched off.
	CauseEndpointDisabled = "default-endpoint-disabled"
)

// ExtendedID makes x-amz-apigw-id of a request id: 11 bytes in Base64, which ends in one "=" (facts: apigateway 3).
func ExtendedID(requestID string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var raw [12]byte
	n := 0
	for i := 0; i < len(requestID) && n < 22; i++ {
		c := requestID[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			continue
		}
		raw[n/2] = raw[n/2]<<4 | c
		n++
	}
	var out [16]byte
	for i := range 4 {
		v := uint(raw[3*i])<<16 | uint(raw[3*i+1])<<8 | uint(raw[3*i+2])
		for j := range 4 {
			out[4*i+j] = alphabet[v>>(18-6*j)&63]
		}
	}
	out[15] = '='
	return string(out[:])
}

// HTTPDate writes a time for a Date field (rfc9110 5.6.7).
func HTTPDate(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

// Forbidden is the answer to what no API owns: 403 {"message":"Forbidden"} (facts: apigateway 1).
func Forbidden(fx Effects) *message.Response {
	id := fx.NewID()
	return message.Text(403, "application/json", `{"message":"Forbidden"}`,
		message.Field{Name: "Date", Value: HTTPDate(fx.Now())},
		message.Field{Name: "x-amzn-RequestId", Value: id},
		message.Field{Name: "x-amzn-ErrorType", Value: "ForbiddenException"},
		message.Field{Name: "x-amz-apigw-id", Value: ExtendedID(id)})
}
