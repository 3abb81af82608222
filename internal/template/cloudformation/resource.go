package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/template"
)

var resourceAttributes = []string{
	"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy",
	"Metadata",
}

func (p *parser) resources() {
	m := p.section("Resources")
	if m == nil || len(m.Fields) == 0 {
		if !p.found.failed() {
			where := spot{pos: p.t.Root.Position}
			if m != nil {
				where = at(m)
			}
			p.found.add(refused(where, "Template format error: At least one Resources member must be defined.", "add a resource"))
		}
		return
	}
	p.count(m, "resources", maxResources)
	for _, f := range m.Fields {
		if f.Key == "Fn::Transform" {
			p.found.add(transformFinding(m))
			continue
		}
		if p.name(m, f, "Resource") {
			p.resource(m, f)
		}
	}
}

func (p *parser) resource(parent *template.Value, f template.Field) {
	v := f.Value
	if v.Kind != template.Map {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: [%s] resource definition is malformed", pointer(v.Path())),
			"write the resource as a map with Type and Properties"))
		return
	}
	r := &Resource{LogicalID: f.Key, Position: f.KeyPosition, Value: v, DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete"}
	typ := v.Get("Type")
	if typ == nil {
		p.found.add(refused(spot{f.KeyPosition, v.Path()},
			fmt.Sprintf("Template format error: [%s] Every Resources object must contain a Type member.", pointer(v.Path())),
			"add Type, such as AWS::CloudFront::Distribution"))
		return
	}
	if r.Type = typ.Text; typ.Kind != template.String || r.Type == "" {
		p.found.add(refused(at(typ), fmt.Sprintf("Template format error: [%s] Every Type member must be a string.", pointer(typ.Path())))) // our words
		return
	}
	for _, e := range v.Fields {
		p.resourceAttribute(r, e)
	}
	p.t.Resources = append(p.t.Resources, r)
}

func (p *parser) resourceAttribute(r *Resource, e template.Field) {
	v := e.Value
	mapOnly := func() *template.Value {
		if v.Kind != template.Map {
			p.found.add(refused(at(v), fmt.Sprintf("Template format error: [%s] Every %s member must be an object.", pointer(v.Path()), e.Key))) // our words
			return nil
		}
		return v
	}
	switch e.Key {
	case "Type":
	case "Properties":
		r.Properties = mapOnly()
	case "Metadata":
		r.Metadata = mapOnly()
	case "UpdatePolicy":
		r.UpdatePolicy = mapOnly()
	case "CreationPolicy":
		r.CreationPolicy = mapOnly()
	case "Condition":
		if r.Condition = v.Text; v.Kind != template.String {
			p.found.add(refused(at(v), "Template format error: Every Condition member must be a string.", "write the name of a condition"))
		}
	case "DependsOn":
		p.dependsOn(r, v)
	case "DeletionPolicy":
		r.DeletionPolicy = p.policy(v, e.Key, []string{"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"})
	case "UpdateReplacePolicy":
		r.UpdateReplacePolicy = p.policy(v, e.Key, []string{"Delete", "Retain", "Snapshot"})
	case "Fn::Transform":
		p.found.add(transformFinding(r.Value))
	default:
		p.found.add(refused(spot{e.KeyPosition, v.Path()}, "Invalid template resource property '"+e.Key+"'",
			"indent "+e.Key+" to stand under Properties, if it is a property",
			"a resource has "+strings.Join(resourceAttributes, ", ")))
	}
}

func (p *parser) dependsOn(r *Resource, v *template.Value) {
	items := []*template.Value{v}
	if v.Kind == template.List {
		items = v.Items
	}
	for _, item := range items {
		if item.Kind != template.String {
			p.found.add(refused(at(item), "Template format error: Every DependsOn value must be a string.",
				"name resources; functions cannot stand here"))
			return
		}
		if !slices.Contains(r.DependsOn, item.Text) {
			r.DependsOn = append(r.DependsOn, item.Text)
		}
	}
}

// policy reads DeletionPolicy and UpdateReplacePolicy. Functions in them, which AWS::LanguageExtensions allows, are refused
// loudly: nothing here could honour them before the resource exists.
func (p *parser) policy(v *template.Value, key string, allowed []string) string {
	if v.Kind == template.Map && p.t.HasTransform(LanguageExtensions) {
		p.found.add(unsupported(at(v), "a function as "+key+" is not supported", "write one of "+strings.Join(allowed, ", ")))
		return "Delete"
	}
	if !slices.Contains(allowed, v.Text) {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: Unrecognized %s %s", key, v.String()), // our words
			"write one of "+strings.Join(allowed, ", ")))
	}
	return v.Text
}
