package cloudformation

import (
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// inlineLimit is the size of a template in the request itself; larger ones go through S3 (facts: cloudformation 2).
const inlineLimit = 51_200

func inlineNote(file string, size int) *diag.Finding {
	return &diag.Finding{
		Code: diag.InvalidTemplate, Severity: diag.Info, Position: diag.Position{File: file},
		Message: fmt.Sprintf("the template has %d bytes: CloudFormation takes more than %d only from S3", size, inlineLimit),
		Fixes:   []string{"deploy it with aws cloudformation deploy --s3-bucket, or through the CDK or SAM, which upload it"},
		Doc:     userGuide + "cloudformation-limits.html",
	}
}

// syntaxFinding gives CloudFormation's words; it names line and column, and never what is wrong there.
func syntaxFinding(e *template.SyntaxError) *diag.Finding {
	message := "Template format error: " + e.Notation + " not well-formed."
	if e.Position.Line > 0 {
		message += fmt.Sprintf(" (line %d, column %d)", e.Position.Line, max(e.Position.Column, 1))
	}
	f := because(refused(spot{pos: e.Position}, message), "%s", e.Problem)
	switch {
	case e.DuplicateKey != "":
		f.Fixes = []string{fmt.Sprintf("remove or rename one of the two entries %q", e.DuplicateKey)}
	case e.Notation == "JSON":
		f.Fixes = []string{"write valid JSON: no comments, no comma before a closing bracket; a text that begins with { is read as JSON"}
	}
	return f
}

// shortForms are the YAML tags of facts: cloudformation 1, and those of functions that are known otherwise.
var shortForms = map[string]string{
	"!Ref": "Ref", "!Condition": "Condition",
	"!And": "Fn::And", "!Base64": "Fn::Base64", "!Cidr": "Fn::Cidr", "!Equals": "Fn::Equals", "!FindInMap": "Fn::FindInMap",
	"!GetAZs": "Fn::GetAZs", "!GetAtt": "Fn::GetAtt", "!If": "Fn::If", "!ImportValue": "Fn::ImportValue", "!Join": "Fn::Join",
	"!Not": "Fn::Not", "!Or": "Fn::Or", "!Select": "Fn::Select", "!Split": "Fn::Split", "!Sub": "Fn::Sub",
	"!Transform": "Fn::Transform", "!Contains": "Fn::Contains", "!EachMemberEquals": "Fn::EachMemberEquals",
	"!EachMemberIn": "Fn::EachMemberIn", "!RefAll": "Fn::RefAll", "!ValueOf": "Fn::ValueOf", "!ValueOfAll": "Fn::ValueOfAll",
	"!Length": "Fn::Length", "!ToJsonString": "Fn::ToJsonString",
}

// parser collects findings while it makes the model.
type parser struct {
	t     *Template
	found findings
}

// normalize gives tags their long form and refuses what no template may hold.
func (p *parser) normalize(root *template.Value) {
	var aliased, octal bool
	root.Walk(func(v *template.Value) bool {
		if v.Tag != "" {
			key, ok := shortForms[v.Tag]
			if !ok {
				p.found.add(unknownTag(v))
				v.Tag = ""
				return true
			}
			v.Wrap(key)
		}
		if v.Alias != "" && !aliased {
			aliased = true
			p.found.add(aliasNote(v))
		}
		if v.Kind == template.Number && len(v.Written) > 1 && v.Written[0] == '0' && !strings.ContainsAny(v.Written, ".xb_") && !octal {
			octal = true
			p.found.add(octalNote(v))
		}
		if v.Kind == template.Null {
			p.found.add(nullFinding(v))
		}
		return len(p.found) < maxFindings
	})
}

// maxFindings is enough to see what is wrong; a text that is no template at all would yield thousands.
const maxFindings = 100

func unknownTag(v *template.Value) *diag.Finding {
	f := refused(at(v), fmt.Sprintf("Template format error: YAML not well-formed. (line %d, column %d)", v.Position.Line, v.Position.Column))
	because(f, "the tag %s is no function of CloudFormation", v.Tag)
	if near := nearest(v.Tag, shortForms); near != "" {
		f.Fixes = []string{"write " + near}
	}
	return f
}

// nearest finds the only name that differs in case, or by one letter added or lost at an end.
func nearest(name string, names map[string]string) string {
	found := ""
	for n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
		if strings.HasPrefix(name, n) && len(name) <= len(n)+2 || strings.HasPrefix(n, name) && len(n) <= len(name)+2 {
			if found == "" || n < found {
				found = n
			}
		}
	}
	return found
}

func nullFinding(v *template.Value) *diag.Finding {
	path := v.Path()
	return refused(spot{v.NamePosition(), path}, fmt.Sprintf("[%s] 'null' values are not allowed in templates", pointer(path)),
		"give the entry a value, or remove it; in YAML check the indentation of what follows")
}

// aliasNote: the manual lists aliases and merge keys as not supported ([CFN23] template-formats).
func aliasNote(v *template.Value) *diag.Finding {
	s := at(v)
	return &diag.Finding{
		Code: diag.InvalidTemplate, Severity: diag.Warning, Path: s.path, Position: s.pos,
		Message: fmt.Sprintf("the YAML alias *%s is expanded here; CloudFormation's manual says that it takes no aliases", v.Alias),
		Fixes:   []string{"send the template through aws cloudformation package, which expands aliases, or write the value out"},
		Doc:     userGuide + "template-formats.html",
	}
}

func octalNote(v *template.Value) *diag.Finding {
	s := at(v)
	return &diag.Finding{
		Code: diag.InvalidTemplate, Severity: diag.Warning, Path: s.path, Position: s.pos,
		Message: fmt.Sprintf("%s is an octal number in YAML 1.1 and means %s", v.Written, v.Text),
		Fixes:   []string{fmt.Sprintf("write \"%s\" in quotes when it is an account id or a code", v.Written)},
	}
}
