package awsapi

import "strings"

// skip leaves out the cases whose id contains one of the words.
type skip struct{ reason, ids string }

// reason returns why a case is left out, "" when it is not.
func reason(list []skip, id string) string {
	for _, s := range list {
		for word := range strings.FieldsSeq(s.ids) {
			if id == word || strings.HasSuffix(word, "*") && strings.HasPrefix(id, strings.TrimSuffix(word, "*")) {
				return s.reason
			}
		}
	}
	return ""
}

// skippedInputs: the vectors are a client's, and some of its steps cannot be seen from the server.
var skippedInputs = []skip{
	{"clients leave out empty lists and maps, so the server sees none",
		`HttpPrefixHeadersAreNotPresent RestJsonHttpPrefixHeadersAreNotPresent NullAndEmptyHeaders RestJsonNullAndEmptyHeaders
		RestJsonOmitsEmptyListQueryValues QueryEmptyQueryMaps legacy/rest-xml/List_in_header/1 legacy/rest-json/List_in_header/1`},
	{"clients send {} for an absent payload structure; the server sees an empty one",
		`RestJsonHttpWithEmptyStructurePayload RestJsonHttpWithHeadersButNoPayload legacy/rest-json/Content-Type_and_JSON_body/2
		legacy/rest-json/Content-Type_and_JSON_body/4`},
	{"the client adds a Content-Type of its own", `legacy/rest-json/Content-Type_and_JSON_body/7`},
	{"request compression: no service here has it; the vectors give no body", `SDKAppli* SDKAppend*`},
	{"a map of all query parameters, beside members of their own: no service here has one, and the vectors disagree",
		`RestXmlQueryPrecedence RestJsonQueryPrecedence RestJsonAllQueryStringTypes AllQueryStringTypes RestJsonQueryStringEscaping
		RestJsonSupports*QueryValues RestJsonSupportsNaNFloatQueryValues RestJsonSupportsInfinityFloatQueryValues
		RestJsonSupportsNegativeInfinityFloatQueryValues RestJsonZeroAndFalseQueryValues`},
	{"a base path of the endpoint, which a server does not have", `RestJsonHostWithPath`},
	{"the model puts location or payload where models no longer do",
		`legacy/rest-xml/Header_maps/0 legacy/rest-json/Blob_payload/0 legacy/rest-json/Structure_payload/0
		legacy/rest-json/String_payload/0`},
	{"JSON in a header stays text here: handlers parse it", `legacy/rest-xml/JSON_value_trait/0 legacy/rest-json/JSON_value_trait/0`},
}

var skippedOutputs = []skip{
	{"members of an error that are structures or unknown: no service here gives one",
		`ComplexError InvalidGreetingError RestJsonComplexErrorWithNoMessage AwsJson10ComplexError AwsJson11ComplexError QueryComplexError`},
	{"spellings of an error's code that clients must read, and that Foregate does not write",
		`RestJsonFooErrorUsing* RestJsonFooErrorWith* AwsJson11FooErrorUsing* AwsJson11FooErrorWith* AwsJson10FooErrorUsing*
		AwsJson10FooErrorWith* AwsJson10InvalidGreetingError AwsJson10EmptyComplexError`},
	{"an empty map in place of an absent one", `HttpPrefixHeadersAreNotPresent RestJsonHttpPrefixHeadersAreNotPresent`},
	{"the model puts location or payload where models no longer do", `legacy/rest-xml/Scalar_members/* legacy/rest-xml/Scalar_members_in_headers/0 legacy/rest-xml/XML_payload/0
		legacy/rest-json/Scalar_members/0 legacy/rest-json/JSON_payload/0`},
	{"JSON in a header stays text here: handlers parse it", `legacy/rest-xml/JSON_value_trait/* legacy/rest-json/JSON_value_trait/*`},
	{"errors with further members, in spellings that Foregate does not write",
		`legacy/rest-xml/Modeled_exceptions* legacy/rest-json/Modeled_exceptions* legacy/json/Modeled_exceptions* legacy/query/Modeled_exceptions*`},
	{"a union's unknown member is a matter of clients", `legacy/rest-xml/Unions/2 legacy/rest-json/Tagged_Unions/2`},
	{"null entries in a list, which structs of Go values cannot hold; and a map declared as a string", `legacy/json/Lists/1`},
	{"event streams are not there", `legacy/rest-xml/REST_XML_Event_Stream/* legacy/rest-json/REST_JSON_Event_Stream/* legacy/json/RPC_JSON_Event_Stream/*`},
	{"a query parameter in an answer: no service here has one", `IgnoreQueryParamsInResponse`},
}

// encodeSkips are only read, not written.
var encodeSkips = []skip{
	{"Foregate writes all times in UTC", `RestXmlDateTimeWith* RestJsonDateTimeWith* AwsJson11DateTimeWith* QueryDateTimeWith* AwsQueryDateTimeWith*`},
	{"the body's length stands in the message, not in its fields", `RestXmlHttpPayloadWithUnsetUnion RestJsonHttpPayloadWithUnsetUnion`},
	{"members that a client must ignore", `RestJsonDeserializeIgnoreType AwsJson11DeserializeIgnoreType AwsJson10DeserializeIgnoreType`},
	{"a field of requests in an answer", `AwsJson11IntEnums`},
	{"the old vectors' answers are not exact: root names, locations on shapes, further members", `legacy/*`},
}
