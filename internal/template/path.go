package template

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/diag"
)

// Step is one step of a path: the entry Key of a map, or the element Index of a list when IsIndex is set.
type Step struct {
	Key     string
	Index   int
	IsIndex bool
}

// appendKey writes .Key, or ["key"] for a key that would be read as several steps.
func appendKey(b []byte, key string) []byte {
	if key == "" || strings.ContainsAny(key, `.[]"`) {
		b = append(b, '[')
		b = appendString(b, key)
		return append(b, ']')
	}
	if len(b) > 0 {
		b = append(b, '.')
	}
	return append(b, key...)
}

// appendString writes a JSON string. Unlike strconv it yields JSON, unlike encoding/json's default it leaves <, > and &.
func appendString(b []byte, s string) []byte {
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return strconv.AppendQuote(b, s) // a string always encodes
	}
	return append(b, strings.TrimSuffix(buf.String(), "\n")...)
}

// ParsePath splits a path such as Resources.Site.Properties.Origins[0]["a.b"] into its steps.
func ParsePath(path string) ([]Step, error) {
	var steps []Step
	rest := path
	for rest != "" {
		if rest[0] != '[' {
			if len(steps) > 0 {
				if rest[0] != '.' {
					return nil, fmt.Errorf("parse path %q: want . or [ before %q", path, rest)
				}
				rest = rest[1:]
			}
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("parse path %q: empty step before %q", path, rest)
			}
			steps = append(steps, Step{Key: rest[:end]})
			rest = rest[end:]
			continue
		}
		step, after, err := parseBracket(rest)
		if err != nil {
			return nil, fmt.Errorf("parse path %q: %w", path, err)
		}
		steps, rest = append(steps, step), after
	}
	return steps, nil
}

// parseBracket reads [3] or ["key"] at the start of s.
func parseBracket(s string) (Step, string, error) {
	if strings.HasPrefix(s, `["`) {
		dec := json.NewDecoder(strings.NewReader(s[1:]))
		var key string
		if err := dec.Decode(&key); err != nil {
			return Step{}, "", fmt.Errorf("quoted key %q: %w", s, err)
		}
		rest, ok := strings.CutPrefix(s[1+dec.InputOffset():], "]")
		if !ok {
			return Step{}, "", fmt.Errorf("missing ] after key %q", key)
		}
		return Step{Key: key}, rest, nil
	}
	digits, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return Step{}, "", fmt.Errorf("missing ] in %q", s)
	}
	i, err := strconv.Atoi(digits)
	if err != nil || i < 0 {
		return Step{}, "", fmt.Errorf("index %q is no number from 0", digits)
	}
	return Step{Index: i, IsIndex: true}, rest, nil
}

// Find follows steps down from v as far as there are values. It returns the last value that it reached and how many steps
// it took; the path was found when that is len(steps).
func (v *Value) Find(steps []Step) (*Value, int) {
	for n, s := range steps {
		var next *Value
		switch {
		case s.IsIndex && v.Kind == List && s.Index < len(v.Items):
			next = v.Items[s.Index]
		case !s.IsIndex:
			next = v.Get(s.Key)
		}
		if next == nil {
			return v, n
		}
		v = next
	}
	return v, len(steps)
}

// Lookup finds where a path, counted from root, stands in the file. It is false when there is no such value; the position is
// then that of the nearest ancestor that exists. An entry of a map is found at its key, an element of a list at its value.
func Lookup(root *Value, path string) (diag.Position, bool) {
	if root == nil {
		return diag.Position{}, false
	}
	steps, err := ParsePath(path)
	if err != nil {
		return root.NamePosition(), false
	}
	v, n := root.Find(steps)
	return v.NamePosition(), n == len(steps)
}

// NamePosition is where people look for v: at its key when it is an entry of a map, else at its Position.
func (v *Value) NamePosition() diag.Position {
	if v == nil {
		return diag.Position{}
	}
	if p := v.place.Parent; p != nil && p.Kind == Map {
		if f := p.Field(v.place.Key); f != nil && f.Value == v {
			return f.KeyPosition
		}
	}
	return v.Position
}
