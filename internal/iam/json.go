package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// node is a JSON value with its members in order; policies are read through it because encoding/json keeps neither
// order nor doubled keys.
type node struct {
	kind    nodeKind
	text    string // of a string, a number or a bool
	members []member
	items   []*node
	line    int
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	stringNode
	numberNode
	boolNode
	objectNode
	arrayNode
)

type member struct {
	name  string
	value *node
}

// maxDepth is more than any valid policy nests.
const maxDepth = 16

var errDepth = errors.New("nested too deeply")

func parseJSON(data []byte) (*node, error) {
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.dec.UseNumber()
	n, err := r.value(0)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("line %d: %w", r.here(), err)
	}
	if _, err := r.dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("line %d: something follows the document", r.here())
	}
	return n, nil
}

type jsonReader struct {
	data []byte
	dec  *json.Decoder
	line int
	seen int64
}

// here returns the line of what was read last.
func (r *jsonReader) here() int {
	end := min(r.dec.InputOffset(), int64(len(r.data)))
	r.line += bytes.Count(r.data[r.seen:end], []byte{'\n'})
	r.seen = end
	return r.line
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{line: r.here()}
	switch t := t.(type) {
	case string:
		n.kind, n.text = stringNode, t
	case json.Number:
		n.kind, n.text = numberNode, t.String()
	case bool:
		n.kind, n.text = boolNode, fmt.Sprint(t)
	case json.Delim:
		if t == '{' {
			n.kind = objectNode
			return n, r.object(n, depth)
		}
		n.kind = arrayNode
		return n, r.array(n, depth)
	}
	return n, nil
}

func (r *jsonReader) object(n *node, depth int) error {
	names := map[string]bool{}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if names[name] {
			return fmt.Errorf("key %q stands twice in one object", name)
		}
		names[name] = true
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name, v})
	}
	_, err := r.dec.Token()
	return err
}

func (r *jsonReader) array(n *node, depth int) error {
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
	}
	_, err := r.dec.Token()
	return err
}
