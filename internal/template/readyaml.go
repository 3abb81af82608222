package template

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/foregate/foregate/internal/diag"
)

func readYAML(file string, data []byte, limits Limits) (*Value, *SyntaxError) {
	b := &yamlReader{builder: builder{file: file, notation: "YAML", limits: limits}}
	// The library's depth counts other things than ours, so it gets room; ours gives the message.
	loader, err := yaml.NewLoader(bytes.NewReader(data),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(4*limits.Depth+16))))
	if err != nil {
		return nil, b.fail(diag.Position{File: file}, "start the reader: %v", err)
	}
	var doc yaml.Node
	if err := loader.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, b.fail(diag.Position{File: file, Line: 1, Column: 1}, "the document is empty")
		}
		return nil, b.problem(err)
	}
	var second yaml.Node
	if err := loader.Load(&second); err == nil {
		return nil, b.fail(b.at(&second), "a second document; a template is one document")
	} else if !errors.Is(err, io.EOF) {
		return nil, b.problem(err)
	}
	root := &doc
	for root.Kind == yaml.DocumentNode {
		if len(root.Content) == 0 {
			return nil, b.fail(diag.Position{File: file, Line: 1, Column: 1}, "the document is empty")
		}
		root = root.Content[0]
	}
	return b.value(root, Place{}, 1)
}

type yamlReader struct {
	builder
	// open are the anchored nodes that are being expanded: an alias to one of them would never end.
	open []*yaml.Node
}

func (r *yamlReader) at(n *yaml.Node) diag.Position {
	return diag.Position{File: r.file, Line: n.Line, Column: n.Column}
}

func (r *yamlReader) problem(err error) *SyntaxError {
	var load *yaml.LoadError
	if errors.As(err, &load) {
		return r.fail(diag.Position{File: r.file, Line: load.Mark.Line, Column: load.Mark.Column}, "%s", load.Message)
	}
	return r.fail(diag.Position{File: r.file}, "%v", err)
}

func (r *yamlReader) value(n *yaml.Node, at Place, depth int) (*Value, *SyntaxError) {
	pos := r.at(n)
	if err := r.enter(pos, depth); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		for _, o := range r.open {
			if o == n.Alias {
				return nil, r.fail(pos, "the alias *%s stands inside the value that it names", n.Value)
			}
		}
		if n.Alias == nil {
			return nil, r.fail(pos, "the alias *%s names no anchor", n.Value)
		}
		v, err := r.value(n.Alias, at, depth)
		if err == nil {
			v.Alias, v.Position = n.Value, pos
		}
		return v, err
	case yaml.ScalarNode:
		return r.scalar(n, pos, at)
	case yaml.SequenceNode, yaml.MappingNode:
		if n.Anchor != "" {
			r.open = append(r.open, n)
			defer func() { r.open = r.open[:len(r.open)-1] }()
		}
		if n.Kind == yaml.SequenceNode {
			return r.sequence(n, New(List, pos, at), depth)
		}
		return r.mapping(n, New(Map, pos, at), depth)
	}
	return nil, r.fail(pos, "unexpected YAML node")
}

func (r *yamlReader) sequence(n *yaml.Node, v *Value, depth int) (*Value, *SyntaxError) {
	v.Tag = applicationTag(n)
	for i, c := range n.Content {
		item, err := r.value(c, v.AtIndex(i), depth+1)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
	}
	return v, nil
}

func (r *yamlReader) mapping(n *yaml.Node, v *Value, depth int) (*Value, *SyntaxError) {
	v.Tag = applicationTag(n)
	seen := keys{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		for k.Kind == yaml.AliasNode && k.Alias != nil {
			k = k.Alias
		}
		pos := r.at(n.Content[i])
		if k.Kind != yaml.ScalarNode || applicationTag(k) != "" {
			return nil, r.fail(pos, "a key of a map must be a string")
		}
		if isMerge(k) {
			merges = append(merges, n.Content[i+1])
			continue
		}
		if err := seen.add(&r.builder, k.Value, pos); err != nil {
			return nil, err
		}
		val, err := r.value(n.Content[i+1], v.At(k.Value), depth+1)
		if err != nil {
			return nil, err
		}
		v.Fields = append(v.Fields, Field{Key: k.Value, KeyPosition: pos, Value: val})
	}
	for _, m := range merges {
		if err := r.merge(m, v, seen, depth); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func isMerge(k *yaml.Node) bool {
	return k.Value == "<<" && k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
}

// merge adds the entries of a merge key that v does not have itself.
func (r *yamlReader) merge(n *yaml.Node, v *Value, seen keys, depth int) *SyntaxError {
	src, err := r.value(n, v.At("<<"), depth+1)
	if err != nil {
		return err
	}
	sources := []*Value{src}
	if src.Kind == List {
		sources = src.Items
	}
	for _, s := range sources {
		if s.Kind != Map || s.Tag != "" {
			return r.fail(r.at(n), "the merge key << needs a map or a list of maps")
		}
		for _, f := range s.Fields {
			if _, ok := seen[f.Key]; !ok {
				seen[f.Key] = f.KeyPosition
				v.Fields = append(v.Fields, Field{Key: f.Key, KeyPosition: f.KeyPosition, Value: f.Value.Copy(v.At(f.Key))})
			}
		}
	}
	return nil
}

// applicationTag returns a tag such as !Sub, and "" for YAML's own.
func applicationTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(n.Tag, "!!") && n.Tag != "!" &&
		!strings.HasPrefix(n.Tag, "tag:yaml.org,2002:") {
		return n.Tag
	}
	return ""
}

func (r *yamlReader) scalar(n *yaml.Node, pos diag.Position, at Place) (*Value, *SyntaxError) {
	v := NewText(String, n.Value, pos, at)
	v.Tag = applicationTag(n)
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch {
	case v.Tag != "" || quoted && n.Style&yaml.TaggedStyle == 0:
		return v, nil
	case n.Style&yaml.TaggedStyle != 0:
		switch strings.TrimPrefix(n.LongTag(), "tag:yaml.org,2002:") {
		case "str":
			return v, nil
		case "int", "float", "bool", "null":
		default:
			return nil, r.fail(pos, "the tag %s is not supported", n.Tag)
		}
	}
	v.Kind, v.Text = resolvePlain(n.Value)
	if v.Text != n.Value {
		v.Written = n.Value
	}
	return v, nil
}

// resolvePlain says what an unquoted scalar is, by YAML 1.1 (yaml.org/type), which is what CloudFormation's reader follows.
// Dates stay strings, as the version of a policy document shows. Numbers in base 60 stay strings: nobody means 80:80 so.
func resolvePlain(s string) (Kind, string) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return Null, ""
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return Bool, "true"
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return Bool, "false"
	}
	if text, ok := plainNumber(s); ok {
		return Number, text
	}
	return String, s
}

// plainNumber returns the JSON text of a YAML 1.1 number. The text stays as it was written where JSON allows it.
func plainNumber(s string) (string, bool) {
	sign, body := "", s
	if body != "" && (body[0] == '-' || body[0] == '+') {
		if body[0] == '-' {
			sign = "-"
		}
		body = body[1:]
	}
	if body == "" || body[0] != '.' && (body[0] < '0' || body[0] > '9') {
		return "", false
	}
	body = strings.ReplaceAll(body, "_", "")
	base := 0
	switch {
	case strings.HasPrefix(body, "0x"):
		base = 16
	case strings.HasPrefix(body, "0b"):
		base = 2
	case len(body) > 1 && body[0] == '0' && strings.Trim(body, "01234567") == "":
		base = 8
	}
	if base != 0 {
		digits := body[1:]
		if base != 8 {
			digits = body[2:]
		}
		n, err := strconv.ParseUint(digits, base, 64)
		if err != nil {
			return "", false
		}
		return sign + strconv.FormatUint(n, 10), true
	}
	whole, fraction, exponent, ok := splitDecimal(body)
	if !ok || len(whole) > 1 && whole[0] == '0' && fraction == "" {
		return "", false
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	text := sign + whole
	if fraction == "." {
		fraction = ".0"
	}
	return text + fraction + exponent, true
}

// splitDecimal splits 12.50e+3 into 12, .50 and e+3. YAML 1.1 wants a point and a sign where there is an exponent.
func splitDecimal(s string) (whole, fraction, exponent string, ok bool) {
	digits := func(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
	n := digits(s)
	whole, s = s[:n], s[n:]
	if s == "" {
		return whole, "", "", whole != ""
	}
	if s[0] != '.' {
		return "", "", "", false
	}
	n = 1 + digits(s[1:])
	fraction, s = s[:n], s[n:]
	if whole == "" && fraction == "." {
		return "", "", "", false
	}
	if s == "" {
		return whole, fraction, "", true
	}
	if (s[0] != 'e' && s[0] != 'E') || len(s) < 3 || (s[1] != '-' && s[1] != '+') || digits(s[2:]) != len(s)-2 {
		return "", "", "", false
	}
	return whole, fraction, s, true
}
