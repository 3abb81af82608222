package app

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/stack"
	"github.com/foregate/foregate/internal/template"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// source is a file that describes a stack.
type source struct {
	file     string // as it was given
	name     string // of the stack
	template *cloudformation.Template
}

// maxSource bounds what is read of a file; CloudFormation's own limit of 1 MB comes after it.
const maxSource = 4 << 20

// readSource reads and checks a template. What is wrong with it is findings; an unreadable file is a usage error.
func (f *sourceFlags) readSource(file string) (*source, []diag.Finding, error) {
	name, err := f.nameFor(file)
	if err != nil {
		return nil, nil, err
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, nil, usage("read %q: %v", file, unwrapPath(err))
	case info.IsDir():
		return nil, nil, usage("read %q: it is a folder; a CDK cloud assembly is not supported yet, give the template in it", file)
	case info.Size() > maxSource:
		return nil, nil, usage("read %q: it has %d bytes, and a template has at most 1 MB", file, info.Size())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, usage("read %q: %v", file, unwrapPath(err))
	}
	if format := template.Detect(data); format != template.CloudFormation && format != template.Unknown {
		return nil, []diag.Finding{{
			Code: diag.InvalidTemplate, Severity: diag.Error, Position: diag.Position{File: file},
			Message: "this looks like " + format.String() + ", which Foregate does not read yet",
			Fixes:   []string{"give a CloudFormation template"},
		}}, nil
	}
	t, found := cloudformation.Parse(file, data)
	if t == nil {
		return nil, found, nil
	}
	return &source{file: file, name: name, template: t}, found, nil
}

// unwrapPath leaves off the path that the message names already.
func unwrapPath(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// load brings sources into a node, one stack each. One that imports what another exports comes after it, in whatever order
// they are given. The findings are those of reading and deploying, not of compiling.
func (n *Node) load(ctx context.Context, f *sourceFlags, files []string) ([]loaded, []diag.Finding, error) {
	read, found, err := f.readSources(files)
	if err != nil {
		return nil, nil, err
	}
	parameters, err := f.paramsFor(read, len(files))
	if err != nil {
		return nil, nil, err
	}
	defer func() { n.sources.Store(&read) }()
	all := make([]loaded, len(read))
	var waiting []int
	for i := range read {
		waiting = append(waiting, i)
	}
	for before := len(waiting) + 1; len(waiting) > 0 && len(waiting) < before; {
		before = len(waiting)
		var again []int
		for _, i := range waiting {
			src := read[i]
			all[i] = loaded{src, n.Deploy(ctx, src.template, stack.Options{
				Region: n.opts.Region, Account: n.opts.Account, StackName: src.name, Parameters: parameters[i],
				Folder: filepath.Dir(src.file), Functions: n.opts.Functions, Fresh: n.opts.Data == "",
			})}
			if all[i].Awaits {
				again = append(again, i)
			}
		}
		waiting = again
	}
	for _, l := range all {
		found = append(found, l.Findings...)
	}
	if diag.Worst(found) != diag.Error {
		found = append(found, n.unused()...)
	}
	return all, found, nil
}

// unused tells of folders that nothing took: mostly a slip in a name.
func (n *Node) unused() []diag.Finding {
	view := n.store.View()
	buckets, functions := maps.Clone(n.opts.Buckets), maps.Clone(n.opts.Functions)
	for rec := range resource.Buckets.Everywhere(view) {
		delete(buckets, rec.Key.ID)
		delete(buckets, rec.Source.LogicalID)
	}
	for rec := range resource.Functions.Everywhere(view) {
		delete(functions, rec.Source.LogicalID)
	}
	var out []diag.Finding
	for _, name := range slices.Sorted(maps.Keys(buckets)) {
		out = append(out, diag.Finding{Code: diag.InvalidParameter, Severity: diag.Warning, Position: diag.Position{File: "--bucket " + name},
			Message: "there is no bucket with the name or logical id " + strconv.Quote(name) + ": the folder is not used"})
	}
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		out = append(out, diag.Finding{Code: diag.InvalidParameter, Severity: diag.Warning, Position: diag.Position{File: "--function " + name},
			Message: "there is no function with the logical id " + strconv.Quote(name) + ": the folder is not used"})
	}
	return out
}

// readSources reads all files; those that are no templates are findings.
func (f *sourceFlags) readSources(files []string) ([]*source, []diag.Finding, error) {
	if len(files) > 1 && f.stackName != "" {
		return nil, nil, usage("--stack-name names one stack, and there are %d sources", len(files))
	}
	var read []*source
	var found []diag.Finding
	names := map[string]string{}
	for _, file := range files {
		src, fs, err := f.readSource(file)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, fs...)
		if src == nil {
			continue
		}
		if other, twice := names[src.name]; twice {
			return nil, nil, usage("%q and %q would both be the stack %s", other, file, src.name)
		}
		names[src.name] = file
		read = append(read, src)
	}
	return read, found, nil
}

// paramsFor gives each of several sources the parameters that it declares. A single source gets them all: what it does not
// declare is refused in AWS's words.
func (f *sourceFlags) paramsFor(read []*source, files int) ([]map[string]string, error) {
	all, err := f.params()
	if err != nil {
		return nil, err
	}
	out := make([]map[string]string, len(read))
	used := map[string]bool{}
	for i, src := range read {
		if files == 1 {
			out[i] = all
			continue
		}
		out[i] = map[string]string{}
		for k, v := range all {
			if src.template.Parameter(k) != nil {
				out[i][k], used[k] = v, true
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if files > 1 && len(read) == files && !used[k] {
			return nil, usage("-p %s: none of the sources has a parameter of this name", k)
		}
	}
	return out, nil
}

// loaded is a source with what became of it.
type loaded struct {
	*source
	stack.Outcome
}

// locate finds a template path in the sources of the node.
func (n *Node) locate(path string) diag.Position {
	sources := n.sources.Load()
	if sources == nil {
		return diag.Position{}
	}
	// A setting that a template leaves out is shown where it would stand: at the nearest thing around it, in a template that has
	// the resource.
	near := diag.Position{}
	for _, s := range *sources {
		pos, exact := s.template.Lookup(path)
		if exact {
			return pos
		}
		if id, _, _ := strings.Cut(strings.TrimPrefix(path, "Resources."), "."); near.Line == 0 && (len(*sources) == 1 || s.template.Resource(id) != nil) {
			near = pos
		}
	}
	return near
}

// placed gives findings without a position the place of their path.
func (n *Node) placed(found []diag.Finding) []diag.Finding {
	out := append([]diag.Finding(nil), found...)
	for i := range out {
		if out[i].Position == (diag.Position{}) && out[i].Path != "" {
			out[i].Position = n.locate(out[i].Path)
		}
	}
	return out
}
