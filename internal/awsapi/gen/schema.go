package main

import (
	"fmt"
	"slices"
	"strings"
)

// schema writes the shapes in the form that awsapi's parseSchema reads.
func (g *generator) schema() string {
	var b strings.Builder
	for _, name := range g.model.Shapes.names {
		if g.reach[name] {
			g.shapeLines(&b, name)
		}
	}
	return header + "package " + g.name + "\n\nconst schema = `" + b.String() + "`\n"
}

func (g *generator) shapeLines(b *strings.Builder, name string) {
	s := g.model.Shapes.values[name]
	kind := s.Type
	switch {
	case s.Document:
		kind = "document"
	case kind == "character":
		kind = "string"
	}
	fmt.Fprintf(b, "%s %s", kind, name)
	attribute := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, " %s=%s", key, value)
		}
	}
	attribute("payload", s.Payload)
	if s.Member != nil {
		attribute("of", s.Member.Shape)
		attribute("name", escape(s.Member.LocationName))
	}
	if s.Key != nil {
		attribute("key", s.Key.Shape)
		attribute("value", s.Value.Shape)
		attribute("keyname", escape(s.Key.LocationName))
		attribute("valuename", escape(s.Value.LocationName))
	}
	root := s.LocationName
	if r := g.roots[name]; r != "" {
		root = r
	}
	attribute("root", escape(root))
	if s.XMLNamespace != nil {
		attribute("ns", escape(s.XMLNamespace.URI))
		attribute("prefix", s.XMLNamespace.Prefix)
	}
	var enum []string
	for _, v := range s.Enum {
		enum = append(enum, escape(v))
	}
	attribute("enum", strings.Join(enum, ","))
	if s.Min != nil {
		attribute("min", s.Min.String())
	}
	if s.Max != nil {
		attribute("max", s.Max.String())
	}
	attribute("pattern", escape(s.Pattern))
	attribute("ts", s.TimestampFormat)
	flags(b, map[string]bool{"flat": s.Flattened, "union": s.Union, "stream": s.Streaming, "sensitive": s.Sensitive})
	b.WriteByte('\n')
	if s.Type == "structure" && !s.Document {
		for _, m := range s.Members.names {
			g.memberLine(b, s, m)
		}
	}
}

func (g *generator) memberLine(b *strings.Builder, s *shape, name string) {
	m := s.Members.values[name]
	fmt.Fprintf(b, " %s %s", name, m.Shape)
	attribute := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, " %s=%s", key, value)
		}
	}
	if m.LocationName != name {
		attribute("wire", escape(m.LocationName))
	}
	attribute("loc", m.Location)
	if m.XMLNamespace != nil && m.XMLNamespace.URI != g.namespace() {
		attribute("ns", escape(m.XMLNamespace.URI))
		attribute("prefix", m.XMLNamespace.Prefix)
	}
	attribute("ts", m.TimestampFormat)
	flags(b, map[string]bool{"req": slices.Contains(s.Required, name), "attr": m.XMLAttribute, "flat": m.Flattened,
		"stream": m.Streaming, "token": m.IdempotencyToken, "json": m.JSONValue, "old": m.Deprecated})
	b.WriteByte('\n')
}

func flags(b *strings.Builder, set map[string]bool) {
	var on []string
	for name, v := range set {
		if v {
			on = append(on, name)
		}
	}
	slices.Sort(on)
	for _, name := range on {
		b.WriteString(" " + name)
	}
}

func escape(v string) string {
	return strings.NewReplacer(`\`, `\\`, " ", `\_`, "\t", `\t`, "\n", `\n`, "`", `\q`, ",", `\c`).Replace(v)
}
