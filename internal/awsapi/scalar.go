package awsapi

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// place returns the settable value in which a member's or element's value goes: it makes the scalar or structure behind
// a nil pointer.
func place(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

// errType says that a value has not the type of its shape.
type errType struct {
	got, want string
}

// Error uses the words that AWS's JSON protocol uses ("STRING_VALUE can not be converted to an Integer").
func (e *errType) Error() string {
	article := "a"
	if strings.ContainsAny(e.want[:1], "AEIOU") {
		article = "an"
	}
	return e.got + " can not be converted to " + article + " " + e.want
}

var javaNames = map[Kind]string{String: "String", Boolean: "Boolean", Integer: "Integer", Long: "Long", Float: "Float",
	Double: "Double", Timestamp: "Timestamp", Blob: "Blob", List: "List", Map: "Map", Structure: "Structure"}

// setText parses text as a scalar of shape s into v. format is the timestamp format of the place.
func setText(v reflect.Value, s *Shape, text, format string) error {
	v = place(v)
	bad := &errType{"STRING_VALUE", javaNames[s.Kind]}
	switch s.Kind {
	case String:
		v.SetString(text)
		return nil
	case Blob:
		b, err := base64.StdEncoding.DecodeString(strings.Map(noSpace, text))
		if err != nil {
			return bad
		}
		v.SetBytes(b)
		return nil
	case Document:
		v.Set(reflect.ValueOf(text))
		return nil
	}
	text = strings.TrimSpace(text)
	switch s.Kind {
	case Boolean:
		switch strings.ToLower(text) {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return bad
		}
	case Integer, Long:
		n, err := strconv.ParseInt(text, 10, bits(s.Kind))
		if err != nil {
			return bad
		}
		v.SetInt(n)
	case Float, Double:
		f, err := parseFloat(text, bits(s.Kind))
		if err != nil {
			return bad
		}
		v.SetFloat(f)
	case Timestamp:
		t, err := parseTime(text, format)
		if err != nil {
			return bad
		}
		v.Set(reflect.ValueOf(t))
	default:
		return bad
	}
	return nil
}

func noSpace(r rune) rune {
	if r == ' ' || r == '\n' || r == '\r' || r == '\t' {
		return -1
	}
	return r
}

func bits(k Kind) int {
	if k == Integer || k == Float {
		return 32
	}
	return 64
}

func parseFloat(text string, bits int) (float64, error) {
	switch text {
	case "NaN", "Infinity", "-Infinity":
	default:
		// ParseFloat knows more spellings than AWS does: hexadecimal, underscores, inf and nan in any case.
		if strings.ContainsAny(text, "xX_iInN") {
			return 0, strconv.ErrSyntax
		}
	}
	f, err := strconv.ParseFloat(text, bits)
	if err == nil && bits == 32 {
		// The nearest double of the decimal text, not of the rounded float.
		f, err = strconv.ParseFloat(text, 64)
	}
	return f, err
}

// getText formats the scalar v of shape s.
func getText(v reflect.Value, s *Shape, format string) string {
	v = reflect.Indirect(v)
	switch s.Kind {
	case String:
		return v.String()
	case Boolean:
		return strconv.FormatBool(v.Bool())
	case Integer, Long:
		return strconv.FormatInt(v.Int(), 10)
	case Float, Double:
		return formatFloat(v.Float())
	case Timestamp:
		return formatTime(v.Interface().(time.Time), format)
	case Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	return fmt.Sprint(v.Interface())
}

func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f != 0 && (math.Abs(f) < 1e-6 || math.Abs(f) >= 1e21):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// timestampFormat returns the format of a member, its shape, or the place, in this order.
func timestampFormat(m *Member, s *Shape, place string) string {
	if m != nil && m.TimestampFormat != "" {
		return m.TimestampFormat
	}
	if s.TimestampFormat != "" {
		return s.TimestampFormat
	}
	return place
}

var timeLayouts = map[string][]string{
	ISO8601: {time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "20060102T150405Z", "2006-01-02"},
	RFC822: {"Mon, 02 Jan 2006 15:04:05.999999999 GMT", "Mon, 02 Jan 2006 15:04:05.999999999 MST",
		"Mon, 02 Jan 2006 15:04:05.999999999 -0700", "Monday, 02-Jan-06 15:04:05 MST", "Mon Jan _2 15:04:05 2006"},
}

// parseTime reads a timestamp. Clients write other formats than the model asks for, and AWS reads them (botocore's own
// parser guesses, too), so the model's format is tried first and then the others.
func parseTime(text, format string) (time.Time, error) {
	for _, f := range []string{format, ISO8601, RFC822, UnixTimestamp} {
		if f == UnixTimestamp {
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				return unixTime(n)
			}
			continue
		}
		for _, layout := range timeLayouts[f] {
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("parse timestamp %q", text)
}

// unixTime makes a time of seconds, to the millisecond, as AWS keeps them. The bounds are years 1 to 9999.
func unixTime(seconds float64) (time.Time, error) {
	if !(seconds >= -62135596800 && seconds < 253402300800) {
		return time.Time{}, fmt.Errorf("parse timestamp %v: out of range", seconds)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
}

func formatTime(t time.Time, format string) string {
	t = t.UTC()
	switch format {
	case RFC822:
		return t.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	case UnixTimestamp:
		if t.Nanosecond() < int(time.Millisecond) {
			return strconv.FormatInt(t.Unix(), 10)
		}
		return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
	}
	if t.Nanosecond() < int(time.Millisecond) {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// isNil tells whether an output value is absent.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	}
	return false
}
