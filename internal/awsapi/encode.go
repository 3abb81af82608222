package awsapi

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// encode makes the answer of an operation from what its handler returned. A nil output counts as an empty one.
func encode(svc *Service, op *Operation, out any, id string) *message.Response {
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		v = reflect.ValueOf(op.NewOutput())
	}
	v = v.Elem()
	if strings.HasPrefix(op.Name, "List") {
		emptyLists(v)
	}
	r := &message.Response{Status: op.SuccessStatus, ContentLength: -1}
	requestHeaders(svc, r, id)
	switch svc.Protocol {
	case Query:
		setBody(r, "text/xml", encodeQueryResult(svc, op, v, id))
	case JSON:
		body := []byte{}
		if op.Output != nil {
			body = appendJSON(nil, v, nil, op.Output)
		}
		setBody(r, "application/x-amz-json-"+svc.JSONVersion, body)
	default:
		encodeRest(svc, op, v, r)
	}
	return r
}

// emptyLists makes the nil lists of an output empty: AWS's List operations answer with <Users/> or "Aliases": [] where there
// is nothing to list, and clients index the answer by that name.
func emptyLists(output reflect.Value) {
	for i := range output.NumField() {
		if f := output.Field(i); f.Kind() == reflect.Slice && f.IsNil() && f.Type().Elem().Kind() != reflect.Uint8 {
			f.Set(reflect.MakeSlice(f.Type(), 0, 0))
		}
	}
}

func requestHeaders(svc *Service, r *message.Response, id string) {
	if svc.isS3() {
		r.Header.Add("x-amz-id-2", base64.StdEncoding.EncodeToString([]byte(id+id)))
		short := strings.ToUpper(strings.ReplaceAll(id, "-", ""))
		r.Header.Add("x-amz-request-id", short[:min(16, len(short))])
		r.Header.Add("Server", "AmazonS3")
		return
	}
	r.Header.Add(svc.dialect().requestID, id)
}

func setBody(r *message.Response, contentType string, body []byte) {
	if !r.Header.Has("Content-Type") && contentType != "" {
		r.Header.Add("Content-Type", contentType)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

func encodeQueryResult(svc *Service, op *Operation, v reflect.Value, id string) []byte {
	var e xmlEncoder
	root := op.Name + "Response"
	e.open(root, namespaceAttr("", svc.XMLNamespace)...)
	if op.Output != nil {
		if op.ResultWrapper != "" {
			e.structure(v, op.Output, op.ResultWrapper, nil)
		} else {
			e.members(v, op.Output)
		}
	}
	e.open("ResponseMetadata")
	e.element("RequestId", id)
	e.close("ResponseMetadata")
	e.close(root)
	return e.b.Bytes()
}

func encodeRest(svc *Service, op *Operation, v reflect.Value, r *message.Response) {
	s := op.Output
	if s == nil {
		setBody(r, "", nil)
		return
	}
	hasBody := false
	for _, m := range s.Members {
		f := v.Field(m.Field)
		if m.Location == Body {
			hasBody = hasBody || m != s.Payload && !m.Attribute
			continue
		}
		if isNil(f) {
			continue
		}
		switch m.Location {
		case Header:
			encodeHeader(r, f, m)
		case Headers:
			for _, k := range sortedKeys(f) {
				r.Header.Add(m.Wire+clean(k.String()), clean(f.MapIndex(k).String()))
			}
		case StatusCode:
			if n := reflect.Indirect(f).Int(); n >= 100 && n <= 599 {
				r.Status = int(n)
			}
		}
	}
	length := r.ContentLength
	switch {
	case s.Payload != nil:
		encodePayload(svc, v.Field(s.Payload.Field), s.Payload, r)
	case !hasBody && svc.Protocol != RestJSON || r.Status == http.StatusNoContent:
		setBody(r, "", nil)
		if length >= 0 {
			// HeadObject gives the length of a body that it does not send.
			r.Body, r.ContentLength = nil, length
		}
	case svc.Protocol == RestJSON:
		setBody(r, "application/json", appendJSON(nil, v, nil, s))
	default:
		setBody(r, xmlType(svc), encodeXMLDocument(svc, op, v))
	}
}

func xmlType(svc *Service) string {
	if svc.isS3() {
		return "application/xml"
	}
	return "text/xml"
}

func newXMLDocument(svc *Service) *xmlEncoder {
	e := &xmlEncoder{millis: svc.isS3()}
	if svc.isS3() {
		e.b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	} else {
		e.b.WriteString("<?xml version=\"1.0\"?>\n")
	}
	return e
}

func encodeXMLDocument(svc *Service, op *Operation, v reflect.Value) []byte {
	e := newXMLDocument(svc)
	s := op.Output
	root := orDefault(s.Root, s.Name)
	attrs := namespaceAttr("", svc.XMLNamespace)
	if svc.isS3() && op.Name == "GetBucketLocation" && len(s.Members) == 1 {
		// The one member is the root element itself (S3 API reference, GetBucketLocation).
		e.open(root, attrs...)
		if f := v.Field(s.Members[0].Field); !isNil(f) {
			escapeXML(&e.b, getText(f, s.Members[0].Shape, ""))
		}
		e.close(root)
		return e.b.Bytes()
	}
	e.structure(v, s, root, attrs)
	return e.b.Bytes()
}

func encodePayload(svc *Service, v reflect.Value, m *Member, r *message.Response) {
	length := r.ContentLength
	if isNil(v) {
		setBody(r, "", nil)
		if length > 0 {
			r.Body, r.ContentLength = nil, length
		}
		return
	}
	switch m.Shape.Kind {
	case Blob:
		if reader, ok := v.Interface().(io.Reader); ok {
			if body, ok := reader.(io.ReadCloser); ok {
				r.Body = body
			} else {
				r.Body = io.NopCloser(reader)
			}
			if !r.Header.Has("Content-Type") {
				r.Header.Add("Content-Type", "application/octet-stream")
			}
			return
		}
		setBody(r, blobType(svc), v.Bytes())
	case String:
		text := reflect.Indirect(v).String()
		kind := "text/plain"
		if svc.isS3() {
			kind = "application/json" // a bucket policy
		}
		setBody(r, kind, []byte(text))
	default:
		if svc.Protocol == RestJSON {
			setBody(r, "application/json", appendJSON(nil, v, m, m.Shape))
			return
		}
		e := newXMLDocument(svc)
		ns := orDefault(m.Namespace, svc.XMLNamespace)
		root := m.Wire
		if m.Wire == m.Name {
			root = orDefault(m.Shape.Root, m.Shape.Name)
		}
		e.structure(v, m.Shape, root, namespaceAttr(m.Prefix, ns))
		setBody(r, xmlType(svc), e.b.Bytes())
	}
}

// blobType is the type of a body of bytes whose operation has no Content-Type member: Lambda's Invoke answers JSON.
func blobType(svc *Service) string {
	if svc.Name == "lambda" {
		return "application/json"
	}
	return "application/octet-stream"
}

func encodeHeader(r *message.Response, v reflect.Value, m *Member) {
	s := m.Shape
	if strings.EqualFold(m.Wire, "Content-Length") {
		r.ContentLength = reflect.Indirect(v).Int()
		return
	}
	if s.Kind == List {
		var parts []string
		for i := range v.Len() {
			text := getText(v.Index(i), s.Elem, timestampFormat(nil, s.Elem, RFC822))
			if s.Elem.Kind == String && strings.ContainsAny(text, `",`) {
				text = strconv.Quote(text)
			}
			parts = append(parts, text)
		}
		if parts != nil {
			r.Header.Add(m.Wire, clean(strings.Join(parts, ", ")))
		}
		return
	}
	text := getText(v, s, timestampFormat(m, s, RFC822))
	if m.JSONValue {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	r.Header.Add(m.Wire, clean(text))
}

// clean takes out of a header's value what would end the line.
func clean(text string) string {
	if !strings.ContainsAny(text, "\r\n\x00") {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, text)
}

// encodeError makes the answer to a refused request. svc is nil when the service is not known.
func encodeError(svc *Service, e *Error, id string, req *message.Request) *message.Response {
	if svc == nil {
		svc = guessProtocol(req)
	}
	shape := svc.Error(e.Code)
	status := e.Status
	if status == 0 && shape != nil {
		status = shape.Status
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	r := &message.Response{Status: status, ContentLength: -1}
	requestHeaders(svc, r, id)
	for _, f := range e.Header {
		r.Header.Add(f.Name, clean(f.Value))
	}
	if f := e.Finding; f != nil && f.Message != e.Message {
		r.Header.Add("Foregate-Finding", clean(string(f.Code)+": "+f.Message))
	}
	fault := status >= 500 || shape != nil && shape.Fault
	switch svc.Protocol {
	case JSON:
		setBody(r, "application/x-amz-json-"+svc.JSONVersion, jsonError(e, shape, fault, e.Code))
	case RestJSON:
		r.Header.Add("x-amzn-ErrorType", e.Code)
		setBody(r, "application/json", jsonError(e, shape, fault, ""))
	case Query:
		setBody(r, "text/xml", xmlError(svc, e, fault, id))
	default:
		if svc.isS3() {
			setBody(r, "application/xml", s3Error(e, r, req))
		} else {
			setBody(r, "text/xml", xmlError(svc, e, fault, id))
		}
	}
	if req != nil && req.Method == http.MethodHead || status == http.StatusNotModified {
		r.Body, r.ContentLength = nil, -1
	}
	return r
}

// guessProtocol stands in for a service that is not known, so that the client can read the error.
func guessProtocol(req *message.Request) *Service {
	if req != nil {
		if req.Header.Has("X-Amz-Target") {
			return &Service{Name: "unknown", Protocol: JSON, JSONVersion: "1.1"}
		}
		if isForm(req) {
			return &Service{Name: "unknown", Protocol: Query}
		}
		if strings.Contains(req.Header.Get("Content-Type"), "xml") {
			return &Service{Name: "unknown", Protocol: RestXML}
		}
	}
	return &Service{Name: "unknown", Protocol: RestJSON}
}

func jsonError(e *Error, shape *ErrorShape, fault bool, kind string) []byte {
	b := []byte{'{'}
	member := func(name, value string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendJSONString(b, name), ':')
		b = appendJSONString(b, value)
	}
	if kind != "" {
		member("__type", kind)
	}
	if shape != nil && shape.Typed {
		member("Type", errorType(fault, "Service", "User"))
	}
	name := "message"
	if shape != nil && shape.Message != "" {
		name = shape.Message
	}
	if e.Message != "" {
		member(name, e.Message)
	}
	for _, d := range e.Details {
		member(d.Name, d.Value)
	}
	return append(b, '}')
}

func errorType(fault bool, service, sender string) string {
	if fault {
		return service
	}
	return sender
}

func xmlError(svc *Service, e *Error, fault bool, id string) []byte {
	var x *xmlEncoder
	if svc.Protocol == Query {
		x = &xmlEncoder{}
	} else {
		x = newXMLDocument(svc)
	}
	x.open("ErrorResponse", namespaceAttr("", svc.XMLNamespace)...)
	x.open("Error")
	x.element("Type", errorType(fault, "Receiver", "Sender"))
	x.element("Code", e.Code)
	if e.Message != "" {
		x.element("Message", e.Message)
	}
	for _, d := range e.Details {
		x.element(d.Name, d.Value)
	}
	x.close("Error")
	x.element("RequestId", id)
	x.close("ErrorResponse")
	return x.b.Bytes()
}

// s3Error has no namespace and no wrapper; RequestId and HostId repeat the headers (S3 API reference, REST error
// responses).
func s3Error(e *Error, r *message.Response, req *message.Request) []byte {
	x := &xmlEncoder{}
	x.b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	x.open("Error")
	x.element("Code", e.Code)
	x.element("Message", e.Message)
	resource := req != nil
	for _, d := range e.Details {
		resource = resource && d.Name != "Resource" && d.Name != "Key" && d.Name != "BucketName"
		x.element(d.Name, d.Value)
	}
	if resource {
		x.element("Resource", req.Path)
	}
	x.element("RequestId", r.Header.Get("x-amz-request-id"))
	x.element("HostId", r.Header.Get("x-amz-id-2"))
	x.close("Error")
	return x.b.Bytes()
}
