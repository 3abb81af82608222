package awsapi

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Kind is the kind of a Shape, in brackets the Go type of a value that is a list element; as a struct member, a scalar
// is a pointer to it.
type Kind uint8

// The kinds.
const (
	Structure Kind = iota + 1 // pointer to struct
	List                      // slice
	Map                       // map with string keys
	String                    // string
	Boolean                   // bool
	Integer                   // int64, with the range of 32 bits
	Long                      // int64
	Float                     // float64, with the range of 32 bits
	Double                    // float64
	Timestamp                 // time.Time
	Blob                      // []byte, never a pointer; io.Reader when Streaming
	Document                  // any, as encoding/json makes it, with json.Number for numbers
)

var kindNames = [...]string{Structure: "structure", List: "list", Map: "map", String: "string", Boolean: "boolean",
	Integer: "integer", Long: "long", Float: "float", Double: "double", Timestamp: "timestamp", Blob: "blob",
	Document: "document"}

// String returns the name that the service models use.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "invalid"
}

func kindOf(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name && n != "" {
			return Kind(k), true
		}
	}
	return 0, false
}

// Location says where a member travels in HTTP.
type Location uint8

// The locations. Body is the default: inside the message's body.
const (
	Body       Location = iota
	Header              // one header field
	Headers             // all fields with a prefix, as a map
	QueryParam          // a query parameter, or all of them as a map
	URI                 // a label of the path template
	StatusCode          // the HTTP status (outputs)
)

var locationNames = [...]string{"body", "header", "headers", "querystring", "uri", "statusCode"}

// String returns the name that the service models use.
func (l Location) String() string {
	if int(l) < len(locationNames) {
		return locationNames[l]
	}
	return "invalid"
}

// The timestamp formats. An empty format means the default of the place: rfc822 in headers, iso8601 in query, path and
// XML, unixTimestamp in JSON (smithy: timestampFormat trait).
const (
	ISO8601       = "iso8601"
	RFC822        = "rfc822"
	UnixTimestamp = "unixTimestamp"
)

// Shape is a type of the service model.
type Shape struct {
	// Name is the model's name; the Go type of an input or output may be called otherwise.
	Name string
	Kind Kind
	// Members are those of a structure, in the order of the model and of the Go struct.
	Members []*Member
	// Payload is the member that is the whole HTTP body, nil when there is none.
	Payload *Member
	// Union is true when exactly one member is set.
	Union bool
	// Elem is the element of a list, Key and Value are those of a map.
	Elem, Key, Value *Shape
	// ElemName, KeyName and ValueName are the XML and query names where they are not member, key and value.
	ElemName, KeyName, ValueName string
	// Flattened lists and maps have no element around their entries.
	Flattened bool
	// Root is the element name of an XML document of this shape, "" for the shape's own name.
	Root string
	// Namespace is the XML namespace, Prefix its prefix ("" for the default namespace).
	Namespace, Prefix string
	// Enum lists the values of an enumeration.
	Enum []string
	// Min and Max bound a number's value, a string's length in characters, a blob's in bytes, a list's or map's size.
	Min, Max *float64
	// Pattern is the regular expression that the whole string has to match, as the model writes it (Java's dialect).
	Pattern string
	// TimestampFormat is set where the model overrides the default.
	TimestampFormat string
	Streaming       bool
	Sensitive       bool

	pattern func() *regexp.Regexp
}

// Member is a member of a structure.
type Member struct {
	// Name is the model's name, Field the index of the field in the Go struct.
	Name  string
	Field int
	Shape *Shape
	// Wire is the name on the wire: of the XML element or attribute, JSON member, header, parameter or label; the
	// prefix for Headers.
	Wire     string
	Location Location
	Required bool
	// Attribute members are XML attributes of their parent; Flattened lists have no element around their entries.
	Attribute, Flattened bool
	Namespace, Prefix    string
	TimestampFormat      string
	Streaming            bool
	// IdempotencyToken members are filled in by clients.
	IdempotencyToken bool
	// JSONValue members are strings that hold JSON in base64 (as a header).
	JSONValue  bool
	Deprecated bool
}

// Member returns the member called name (the model's name), nil when there is none.
func (s *Shape) Member(name string) *Member {
	for _, m := range s.Members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Matches tells whether the whole of v matches the shape's pattern. It is true when there is none, or one that Go's
// regexp cannot read: such a pattern is not checked.
func (s *Shape) Matches(v string) bool {
	if s.pattern == nil {
		return true
	}
	re := s.pattern()
	return re == nil || re.MatchString(v)
}

// parseSchema reads the text form of the shapes that the generator writes. A line without indent starts a shape, an
// indented one is a member of the last structure; the parts are separated by spaces:
//
//	structure DistributionList payload=X
//	 Marker string wire=M req loc=querystring
//	list AliasList of=string name=CNAME
//
// Values have \\ for a backslash, \_ for a space, \n for a new line, \q for a back quote, and \c for a comma in a list.
func parseSchema(text string) (map[string]*Shape, error) {
	b := builder{shapes: make(map[string]*Shape, strings.Count(text, "\n"))}
	var current *Shape
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		var err error
		if line[0] != ' ' {
			current, err = b.shape(line)
		} else if current == nil {
			err = fmt.Errorf("member before a structure")
		} else {
			err = b.member(current, line[1:])
		}
		if err != nil {
			return nil, fmt.Errorf("read schema line %q: %w", line, err)
		}
	}
	return b.shapes, b.finish()
}

type builder struct {
	shapes  map[string]*Shape
	order   []*Shape
	payload map[*Shape]string
}

// ref returns the shape called name, which may be declared further down.
func (b *builder) ref(name string) *Shape {
	s := b.shapes[name]
	if s == nil {
		s = &Shape{Name: name}
		b.shapes[name] = s
	}
	return s
}

func (b *builder) shape(line string) (*Shape, error) {
	kind, rest, _ := strings.Cut(line, " ")
	name, rest, _ := strings.Cut(rest, " ")
	k, ok := kindOf(kind)
	if !ok || name == "" {
		return nil, fmt.Errorf("unknown kind %q", kind)
	}
	s := b.ref(name)
	if s.Kind != 0 {
		return nil, fmt.Errorf("second shape %q", name)
	}
	s.Kind = k
	b.order = append(b.order, s)
	for part := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(part, "=")
		if err := b.shapeAttribute(s, key, value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (b *builder) shapeAttribute(s *Shape, key, value string) error {
	switch key {
	case "payload":
		if b.payload == nil {
			b.payload = make(map[*Shape]string)
		}
		b.payload[s] = value
	case "of":
		s.Elem = b.ref(value)
	case "key":
		s.Key = b.ref(value)
	case "value":
		s.Value = b.ref(value)
	case "name":
		s.ElemName = unescape(value)
	case "keyname":
		s.KeyName = unescape(value)
	case "valuename":
		s.ValueName = unescape(value)
	case "root":
		s.Root = unescape(value)
	case "ns":
		s.Namespace = unescape(value)
	case "prefix":
		s.Prefix = unescape(value)
	case "enum":
		for v := range strings.SplitSeq(value, ",") {
			s.Enum = append(s.Enum, unescape(v))
		}
	case "min", "max":
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("parse %s %q: %w", key, value, err)
		}
		if key == "min" {
			s.Min = &f
		} else {
			s.Max = &f
		}
	case "pattern":
		s.Pattern = unescape(value)
		s.pattern = sync.OnceValue(func() *regexp.Regexp { return compilePattern(s.Pattern) })
	case "ts":
		s.TimestampFormat = value
	case "flat":
		s.Flattened = true
	case "union":
		s.Union = true
	case "stream":
		s.Streaming = true
	case "sensitive":
		s.Sensitive = true
	default:
		return fmt.Errorf("unknown attribute %q", key)
	}
	return nil
}

func (b *builder) member(s *Shape, line string) error {
	name, rest, _ := strings.Cut(line, " ")
	shape, rest, _ := strings.Cut(rest, " ")
	m := &Member{Name: name, Field: len(s.Members), Shape: b.ref(shape), Wire: name}
	s.Members = append(s.Members, m)
	for part := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "wire":
			m.Wire = unescape(value)
		case "loc":
			for l, n := range locationNames {
				if n == value {
					m.Location = Location(l)
				}
			}
			if m.Location == Body {
				return fmt.Errorf("unknown location %q", value)
			}
		case "ns":
			m.Namespace = unescape(value)
		case "prefix":
			m.Prefix = unescape(value)
		case "ts":
			m.TimestampFormat = value
		default:
			if err := memberFlag(m, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func memberFlag(m *Member, flag string) error {
	switch flag {
	case "req":
		m.Required = true
	case "attr":
		m.Attribute = true
	case "flat":
		m.Flattened = true
	case "stream":
		m.Streaming = true
	case "token":
		m.IdempotencyToken = true
	case "json":
		m.JSONValue = true
	case "old":
		m.Deprecated = true
	default:
		return fmt.Errorf("unknown attribute %q", flag)
	}
	return nil
}

func (b *builder) finish() error {
	for name, s := range b.shapes {
		if s.Kind == 0 {
			return fmt.Errorf("shape %q is used but not declared", name)
		}
		if s.Kind == List && s.Elem == nil || s.Kind == Map && (s.Key == nil || s.Value == nil) {
			return fmt.Errorf("shape %q has no element", name)
		}
	}
	for s, name := range b.payload {
		if s.Payload = s.Member(name); s.Payload == nil {
			return fmt.Errorf("shape %q has no payload member %q", s.Name, name)
		}
	}
	return nil
}

func unescape(v string) string {
	if !strings.Contains(v, `\`) {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		i++
		switch v[i] {
		case '_':
			b.WriteByte(' ')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'q':
			b.WriteByte('`')
		case 'c':
			b.WriteByte(',')
		default:
			b.WriteByte(v[i])
		}
	}
	return b.String()
}

// compilePattern makes a Go expression of a model's pattern, which has to match the whole value; nil when Go cannot.
func compilePattern(p string) *regexp.Regexp {
	re, err := regexp.Compile(`^(?:` + p + `)$`)
	if err != nil {
		return nil
	}
	return re
}
