// Package table writes the phases of the engines as tables of Markdown, for docs/architecture.md.
//
// Start with Update. Names and successors of phases come from the engines' own tables (edge.Phases, rest.Phases); what a
// phase does is said here in one line, and a phase without a line is an error, so that a new one is described when it is
// made. The package must not know how a phase decides.
package table

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/gateway/rest"
)

// File is the document that has the tables, from the root of the checkout, with slashes.
const File = "docs/architecture.md"

// row is a phase of a pipeline.
type row struct {
	name string
	next []string
}

// pipeline is an engine's phases in order, and what each does.
type pipeline struct {
	// name is in the markers around the table: <!-- phases:name --> and <!-- end phases:name -->.
	name string
	rows []row
	does map[string]string
}

// Update returns doc with the tables of all pipelines between their markers. A document without the markers, and a phase
// that is not described, are errors.
func Update(doc []byte) ([]byte, error) {
	for _, p := range []pipeline{cloudFront(), restAPI()} {
		text, err := p.markdown()
		if err != nil {
			return nil, err
		}
		if doc, err = between(doc, p.name, text); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// between replaces what stands between the markers called name.
func between(doc []byte, name, text string) ([]byte, error) {
	begin, end := "<!-- phases:"+name+" -->\n", "<!-- end phases:"+name+" -->\n"
	from := bytes.Index(doc, []byte(begin))
	to := bytes.Index(doc, []byte(end))
	if from < 0 || to < from {
		return nil, fmt.Errorf("find the markers %q and %q in that order", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return bytes.Join([][]byte{doc[:from], []byte(begin), []byte(text), doc[to:]}, nil), nil
}

func (p *pipeline) markdown() (string, error) {
	var b strings.Builder
	b.WriteString("| phase | what it decides | may lead to |\n| --- | --- | --- |\n")
	for _, r := range p.rows {
		does, ok := p.does[r.name]
		if !ok {
			return "", fmt.Errorf("describe phase %q of %s: it has no line in internal/arch/gen/table", r.name, p.name)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.name, does, strings.Join(r.next, ", "))
	}
	if len(p.does) != len(p.rows) {
		return "", fmt.Errorf("describe phases of %s: %d descriptions for %d phases", p.name, len(p.does), len(p.rows))
	}
	return b.String(), nil
}

func cloudFront() pipeline {
	p := pipeline{name: "cloudfront", does: map[string]string{
		"accept":           "was the connection made for this Host, has the viewer shown a certificate where it must, does a staging distribution answer, is the distribution enabled, are URL, head and method within CloudFront's limits, and has the request passed too many distributions",
		"match-behavior":   "the first behavior, in order, whose path pattern matches",
		"check-access":     "geo restriction, viewer protocol policy, allowed methods, a GET with a body, signed URLs and cookies",
		"viewer-request":   "the function of the event, Lambda@Edge or CloudFront Function: it may change the request, its origin, or answer it",
		"lookup":           "default root object, cache key, then hit, expired or miss; requests for one object wait for one fetch",
		"origin-request":   "builds the request to the origin by the policies, then runs the Lambda@Edge function of the event",
		"fetch":            "asks the origin, fails over to the second one of a group, revalidates, serves stale",
		"origin-response":  "the Lambda@Edge function of the event: it may change the origin's answer",
		"error-page":       "a custom error response takes the place of an error",
		"admit":            "compresses, where the behavior asks for it, and decides whether the answer is stored and for how long",
		"response-headers": "the response headers policy: first it removes, then it adds",
		"viewer-response":  "the function of the event, Lambda@Edge or CloudFront Function, not for errors",
		"deliver":          "writes the head of the answer: X-Cache, Via, Age and CloudFront's other fields",
		"log":              "begins the record of the access logs; it is handed over when the answer has been sent",
	}}
	for _, r := range edge.Phases() {
		p.rows = append(p.rows, row{r.Name, r.Next})
	}
	return p
}

func restAPI() pipeline {
	p := pipeline{name: "rest", does: map[string]string{
		"route":                "stage, resource and method of the path",
		"check-access":         "the API's resource policy, where it decides alone",
		"authorize":            "the method's authorization: none, AWS_IAM, a Lambda authorizer; Cognito refuses",
		"throttle":             "API key, usage plan, rate limits and quota",
		"validate":             "required parameters and the body's model, by the method's validator",
		"integration-request":  "the request to the backend: a proxy event, mapped parameters, the mapping template",
		"integrate":            "calls the function or the HTTP endpoint; a mock calls nothing",
		"integration-response": "reads the proxy response, or picks an integration response by its selection pattern",
		"method-response":      "the trace id and compression",
		"gateway-response":     "any refusal: the built-in answer, or the API's own gateway response",
		"log":                  "the stage's access log",
	}}
	for _, r := range rest.Phases() {
		p.rows = append(p.rows, row{r.Name, r.Next})
	}
	return p
}
