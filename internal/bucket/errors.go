package bucket

import (
	"io"
	"net/http"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// s3Error is an error of the REST API. The codes, statuses and texts are of the S3 API reference, ErrorResponses, and of
// answers quoted in public (LIVE 40147312269, LIVE 25390471173).
type s3Error struct {
	code    string
	status  int
	message string
	// extra elements stand between Message and RequestId.
	extra []element
}

type element struct{ name, value string }

func noSuchBucket(name string) s3Error {
	return s3Error{code: "NoSuchBucket", status: 404, message: "The specified bucket does not exist", extra: []element{{"BucketName", name}}}
}

func noSuchKey(key string) s3Error {
	return s3Error{code: "NoSuchKey", status: 404, message: "The specified key does not exist.", extra: []element{{"Key", key}}}
}

func notImplemented(what string) s3Error {
	return s3Error{code: "NotImplemented", status: 501, message: "A header you provided implies functionality that is not implemented",
		extra: []element{{"Header", what}}}
}

func invalidArgument(text, name, value string) s3Error {
	return s3Error{code: "InvalidArgument", status: 400, message: text, extra: []element{{"ArgumentName", name}, {"ArgumentValue", value}}}
}

func preconditionFailed(condition string) s3Error {
	return s3Error{code: "PreconditionFailed", status: 412, message: "At least one of the pre-conditions you specified did not hold",
		extra: []element{{"Condition", condition}}}
}

var internalError = s3Error{code: "InternalError", status: 500, message: "We encountered an internal error. Please try again."}

// refuse answers with an error and records it; cause is in this package's words, path the setting behind it.
func (x *exchange) refuse(e s3Error, cause, path string) *message.Response {
	x.hop.Fact(trace.Refused, e.code, cause, path)
	if x.hop != nil {
		x.hop.Step("respond", e.code, cause)
	}
	resp := x.respond(e.status, message.Field{Name: "Content-Type", Value: "application/xml"})
	body := e.xml(x.reqID, x.hostID)
	resp.ContentLength = int64(len(body))
	if x.r.Method != http.MethodHead {
		resp.Body = io.NopCloser(strings.NewReader(body))
	}
	return resp
}

func (e *s3Error) xml(requestID, hostID string) string {
	var b strings.Builder
	b.WriteString(xmlDeclaration + "<Error>")
	writeElement(&b, "Code", e.code)
	writeElement(&b, "Message", e.message)
	for _, x := range e.extra {
		writeElement(&b, x.name, x.value)
	}
	writeElement(&b, "RequestId", requestID)
	writeElement(&b, "HostId", hostID)
	b.WriteString("</Error>")
	return b.String()
}

const xmlDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

func writeElement(b *strings.Builder, name, value string) {
	b.WriteByte('<')
	b.WriteString(name)
	b.WriteByte('>')
	escapeXML(b, value)
	b.WriteString("</")
	b.WriteString(name)
	b.WriteByte('>')
}

// escapeXML writes text as S3 does: the five characters by name, control characters that XML 1.0 cannot hold as the
// replacement character.
func escapeXML(b *strings.Builder, s string) {
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\r':
			b.WriteString("&#13;")
		case r < 0x20 && r != '\t' && r != '\n':
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
}

// respond makes an answer with the fields that all of S3's answers have.
func (x *exchange) respond(status int, fields ...message.Field) *message.Response {
	h := make(message.Header, 0, len(fields)+20)
	h.Add("x-amz-id-2", x.hostID)
	h.Add("x-amz-request-id", x.reqID)
	h.Add("Date", x.now.Format(http.TimeFormat))
	h = append(h, x.cors()...)
	h = append(h, fields...)
	h.Add("Server", "AmazonS3")
	return &message.Response{Status: status, Header: h}
}
