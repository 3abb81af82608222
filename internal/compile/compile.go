// Package compile turns resources into what serves: it is the only bridge between the control plane and the engines.
//
// Start with All, and stages.go for the order of its work. A compilation reads one view of the store and makes a front.Snapshot
// with plans for every engine, and findings. It never fails as a whole: a resource that cannot be compiled is left out with a
// finding, and everything else serves. It changes neither the resources nor anything global; what outlives a plan (caches,
// functions, connections) comes from pools and goes back when the Snapshot is released.
package compile

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/store"
)

// Result is what a compilation made.
type Result struct {
	Revision uint64
	Snapshot *front.Snapshot
	// Findings are about the configuration as a whole, in the order of the stages.
	Findings []diag.Finding
	// Directory knows the callers that may sign requests.
	Directory iam.Directory
	// Took is the time of the compilation.
	Took time.Duration

	functions map[string]*function
}

// Function returns the function that an ARN names, with its qualifier if it has one. Its error says why a function that exists
// cannot be called; ok is false when there is none. The function is released with the Snapshot.
func (r *Result) Function(arn string) (f *lambda.Function, ok bool, err error) {
	found := r.functions[arn]
	if found == nil {
		return nil, false, nil
	}
	if found.Function == nil {
		return nil, true, errors.New(found.Missing)
	}
	return found.Function, true, nil
}

// All compiles everything in view.
func All(view *store.View, env *Env) *Result {
	start := env.Now()
	c := &compiler{view: view, env: env, front: front.NewBuilder(int64(view.Revision()))}
	for _, s := range stages {
		s.run(c)
	}
	snapshot := c.front.Build()
	for _, p := range snapshot.Problems() {
		c.report(diag.Finding{Code: diag.UnknownHost, Severity: diag.Warning, Message: fmt.Sprintf("the name %s: %s", p.Name, p.Message)})
	}
	return &Result{Revision: view.Revision(), Snapshot: snapshot, Findings: c.findings, Directory: c.directory, Took: env.Now().Sub(start), functions: c.functions}
}

// compiler is the state of one compilation; the fields of an area are in compiled.
type compiler struct {
	view     *store.View
	env      *Env
	front    *front.Builder
	findings []diag.Finding
	compiled
}

func (c *compiler) report(f diag.Finding) { c.findings = append(c.findings, f) }

// unsupported reports a setting that is not honoured.
func (c *compiler) unsupported(rec *store.Record, path, instead string) {
	p := c.path(rec, path)
	c.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: p,
		Message: fmt.Sprintf("%s is stored, and not honoured yet", lastPart(path)), Because: []string{instead}})
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// path names a setting of a resource as its source does: Resources.Site.Properties.X of a template, kind/id.X otherwise.
func (c *compiler) path(rec *store.Record, property string) string { return SourcePath(rec, property) }

// SourcePath names a property of a record: in the template that it came from, or by service, kind and id.
func SourcePath(rec *store.Record, property string) string {
	base := rec.Key.Service + "/" + rec.Key.Kind + "/" + rec.Key.ID
	if id := rec.Source.LogicalID; id != "" {
		base = "Resources." + id
		if property != "" {
			base += ".Properties"
		}
	}
	if property == "" {
		return base
	}
	return base + "." + property
}
