package vtl

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep JSON may be nested.
const maxJSONDepth = 512

// ParseJSON reads JSON into values; maps keep the order of their keys. Names without quotes and single quotes are taken
// too, as the parser behind MOCK integrations does: the CDK writes { statusCode: 200 }.
func ParseJSON(src string) (Value, error) { return parseJSON(&jsonParser{src: src}) }

// ParseStrictJSON reads JSON as rfc8259 has it, for what a function returned.
func ParseStrictJSON(src string) (Value, error) {
	return parseJSON(&jsonParser{src: src, strict: true})
}

func parseJSON(p *jsonParser) (Value, error) {
	v, err := p.value(0)
	if err == nil {
		p.blanks()
		if p.pos < len(p.src) {
			err = errors.New("text behind the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("parse JSON: byte %d: %w", p.pos, err)
	}
	return v, nil
}

type jsonParser struct {
	src    string
	pos    int
	strict bool
}

func (p *jsonParser) blanks() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

func (p *jsonParser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *jsonParser) value(depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxJSONDepth)
	}
	p.blanks()
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"' || c == '\'' && !p.strict:
		return p.str(c)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, w := range [...]struct {
		word string
		v    Value
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if strings.HasPrefix(p.src[p.pos:], w.word) {
			p.pos += len(w.word)
			return w.v, nil
		}
	}
	return nil, errors.New("expected a value")
}

func (p *jsonParser) object(depth int) (Value, error) {
	m := &Map{json: true}
	p.pos++
	p.blanks()
	if p.peek() == '}' {
		p.pos++
		return m, nil
	}
	for {
		p.blanks()
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		p.blanks()
		if p.peek() != ':' {
			return nil, errors.New(`expected ":"`)
		}
		p.pos++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
		p.blanks()
		switch p.peek() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			return m, nil
		default:
			return nil, errors.New(`expected "," or "}"`)
		}
	}
}

func (p *jsonParser) key() (string, error) {
	if c := p.peek(); c == '"' || c == '\'' && !p.strict {
		return p.str(c)
	}
	if p.strict {
		return "", errors.New("expected a name in quotes")
	}
	start := p.pos
	for p.pos < len(p.src) && isNameByte(p.src[p.pos]) {
		p.pos++
	}
	if p.pos == start {
		return "", errors.New("expected a name")
	}
	return p.src[start:p.pos], nil
}

func (p *jsonParser) array(depth int) (Value, error) {
	l := &List{json: true}
	p.pos++
	p.blanks()
	if p.peek() == ']' {
		p.pos++
		return l, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
		p.blanks()
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return l, nil
		default:
			return nil, errors.New(`expected "," or "]"`)
		}
	}
}

func (p *jsonParser) number() (Value, error) {
	start := p.pos
	float := false
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if c == '.' || c == 'e' || c == 'E' {
			float = true
		} else if c != '-' && c != '+' && (c < '0' || c > '9') {
			break
		}
		p.pos++
	}
	text := p.src[start:p.pos]
	if !float {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("number %q is malformed", text)
	}
	if !float || math.IsInf(f, 0) {
		return BigNumber(text), nil
	}
	return f, nil
}

func (p *jsonParser) str(quote byte) (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == quote:
			s := p.src[start:p.pos]
			p.pos++
			return s, nil
		case c == '\\':
			return p.escaped(start, quote)
		case c < ' ' && c != '\t' && c != '\n' && c != '\r':
			return "", errors.New("control character in a string")
		}
		p.pos++
	}
	return "", errors.New("string without its closing quote")
}

// escaped reads on where a backslash was found.
func (p *jsonParser) escaped(start int, quote byte) (string, error) {
	b := append(make([]byte, 0, 2*(p.pos-start)+16), p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		if c == quote {
			return string(b), nil
		}
		if c != '\\' {
			b = append(b, c)
			continue
		}
		e := p.peek()
		p.pos++
		switch e {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'u':
			r, err := p.hex4()
			if err != nil {
				return "", err
			}
			if utf16.IsSurrogate(r) && strings.HasPrefix(p.src[p.pos:], `\u`) {
				p.pos += 2
				low, err := p.hex4()
				if err != nil {
					return "", err
				}
				r = utf16.DecodeRune(r, low)
			}
			b = utf8.AppendRune(b, r)
		case 0:
			return "", errors.New("string without its closing quote")
		default:
			b = append(b, e)
		}
	}
	return "", errors.New("string without its closing quote")
}

func (p *jsonParser) hex4() (rune, error) {
	if p.pos+4 > len(p.src) {
		return 0, errors.New(`\u without four digits`)
	}
	n, err := strconv.ParseUint(p.src[p.pos:p.pos+4], 16, 16)
	if err != nil {
		return 0, errors.New(`\u without four digits`)
	}
	p.pos += 4
	return rune(n), nil
}

// AppendJSONString writes s as a JSON string.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n - 1
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// JSON writes a value as compact JSON.
func JSON(v Value) (string, error) {
	b, err := (&run{env: &Env{}}).appendJSON(nil, v, 0)
	return string(b), err
}

func (r *run) appendJSON(b []byte, v Value, depth int) ([]byte, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("value nested deeper than %d", maxJSONDepth)
	}
	if len(b) > MaxOutput {
		return nil, fmt.Errorf("string of more than %d bytes", MaxOutput)
	}
	if err := r.step(1); err != nil {
		return nil, err
	}
	var err error
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return AppendJSONString(b, v), nil
	case *List:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = r.appendJSON(b, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *Map:
		b = append(b, '{')
		for i, k := range v.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendJSONString(b, k), ':')
			if b, err = r.appendJSON(b, v.values[i], depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case bool, int64, float64, BigNumber:
		s, err := r.text(v)
		return append(b, s...), err
	}
	s, err := r.text(v)
	return AppendJSONString(b, s), err
}
