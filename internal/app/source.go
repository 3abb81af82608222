package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/foregate/foregate/internal/diag"
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

// load brings sources into a node, one stack each. The findings are those of reading and deploying, not of compiling.
func (n *Node) load(ctx context.Context, f *sourceFlags, files []string) ([]loaded, []diag.Finding, error) {
	parameters, err := f.params()
	if err != nil {
		return nil, nil, err
	}
	if len(files) > 1 && f.stackName != "" {
		return nil, nil, usage("--stack-name names one stack, and there are %d sources", len(files))
	}
	var all []loaded
	var found []diag.Finding
	var read []*source
	defer func() { n.sources.Store(&read) }()
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
		out := n.Deploy(ctx, src.template, stack.Options{
			Region: n.opts.Region, Account: n.opts.Account, StackName: src.name, Parameters: parameters,
			Folder: filepath.Dir(file), Functions: n.opts.Functions, Fresh: n.opts.Data == "",
		})
		found = append(found, out.Findings...)
		all = append(all, loaded{src, out})
	}
	return all, found, nil
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
	for _, s := range *sources {
		// A setting that the template leaves out is shown where it would stand: at the nearest thing around it.
		if pos, _ := s.template.Lookup(path); pos.Line > 0 {
			return pos
		}
	}
	return diag.Position{}
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
