package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/foregate/foregate/internal/diag"
)

// jsonReader reads tokens by encoding/json, which does not tell where a token begins; that is found from where the one
// before it ended.
type jsonReader struct {
	builder
	data  []byte
	lines *lines
	dec   *json.Decoder
}

func readJSON(file string, data []byte, limits Limits) (*Value, *SyntaxError) {
	r := &jsonReader{
		builder: builder{file: file, notation: "JSON", limits: limits},
		data:    data, lines: newLines(file, data), dec: json.NewDecoder(bytes.NewReader(data)),
	}
	r.dec.UseNumber()
	v, err := r.value(Place{}, 1)
	if err != nil {
		return nil, err
	}
	end := int(r.dec.InputOffset())
	if _, tail := r.dec.Token(); !errors.Is(tail, io.EOF) {
		return nil, r.fail(r.lines.position(r.skip(end)), "text after the end of the document")
	}
	return v, nil
}

// skip goes from an offset to where the next token begins.
func (r *jsonReader) skip(offset int) int {
	for offset < len(r.data) {
		switch r.data[offset] {
		case ' ', '\t', '\r', '\n', ',', ':':
			offset++
			continue
		}
		break
	}
	return offset
}

// culprit is the offset of the character that an error names. The library counts it from 0 between values and from 1 inside
// one.
func (r *jsonReader) culprit(err *json.SyntaxError) int {
	if i := int(err.Offset); i < len(r.data) && strings.HasPrefix(err.Error(), "invalid character '"+string(r.data[i])+"'") {
		return i
	}
	return max(int(err.Offset)-1, 0)
}

func (r *jsonReader) token() (json.Token, diag.Position, *SyntaxError) {
	before := int(r.dec.InputOffset())
	tok, err := r.dec.Token()
	if err == nil {
		return tok, r.lines.position(r.skip(before)), nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, diag.Position{}, r.fail(r.lines.position(r.culprit(syntax)), "%s", syntax.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, diag.Position{}, r.fail(r.lines.position(len(r.data)), "the document ends too early")
	}
	return nil, diag.Position{}, r.fail(r.lines.position(r.skip(before)), "%v", err)
}

func (r *jsonReader) value(at Place, depth int) (*Value, *SyntaxError) {
	tok, pos, err := r.token()
	if err != nil {
		return nil, err
	}
	if err := r.enter(pos, depth); err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case string:
		return NewText(String, t, pos, at), nil
	case json.Number:
		return NewText(Number, t.String(), pos, at), nil
	case bool:
		if t {
			return NewText(Bool, "true", pos, at), nil
		}
		return NewText(Bool, "false", pos, at), nil
	case nil:
		return New(Null, pos, at), nil
	case json.Delim:
		switch t {
		case '{':
			return r.object(New(Map, pos, at), depth)
		case '[':
			return r.array(New(List, pos, at), depth)
		}
	}
	return nil, r.fail(pos, "unexpected %v", tok)
}

func (r *jsonReader) object(v *Value, depth int) (*Value, *SyntaxError) {
	seen := keys{}
	for r.dec.More() {
		tok, pos, err := r.token()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, r.fail(pos, "the key of an object must be a string")
		}
		if err := seen.add(&r.builder, key, pos); err != nil {
			return nil, err
		}
		val, err := r.value(v.At(key), depth+1)
		if err != nil {
			return nil, err
		}
		v.Fields = append(v.Fields, Field{Key: key, KeyPosition: pos, Value: val})
	}
	_, _, err := r.token()
	return v, err
}

func (r *jsonReader) array(v *Value, depth int) (*Value, *SyntaxError) {
	for r.dec.More() {
		item, err := r.value(v.AtIndex(len(v.Items)), depth+1)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
	}
	_, _, err := r.token()
	return v, err
}
