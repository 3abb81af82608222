package arch

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/foregate/foregate/"

const (
	maxFileLines     = 600
	maxFunctionLines = 80
	maxParameters    = 5
	maxPipelineLines = 250
)

// file is a Go file of the project.
type file struct {
	path      string // from the root, with slashes
	syntax    *ast.File
	fset      *token.FileSet
	lines     int
	test      bool
	generated bool
	exempt    bool // has a "//budget: why" line
}

// files reads the project's Go files once a test.
func files(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "conformance") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, p, src, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f := file{path: filepath.ToSlash(rel), syntax: syntax, fset: fset, test: strings.HasSuffix(name, "_test.go")}
		f.generated = ast.IsGenerated(syntax)
		scan := bufio.NewScanner(strings.NewReader(string(src)))
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			f.lines++
			if strings.HasPrefix(scan.Text(), "//budget: ") {
				f.exempt = true
			}
		}
		out = append(out, f)
		return scan.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found %d Go files: the walk is broken", len(out))
	}
	return out
}

// imports returns package → imported packages of the project, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		pkg := path.Dir(f.path)
		if _, ok := out[pkg]; !ok {
			out[pkg] = nil
		}
		for _, im := range f.syntax.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			if rel, ok := strings.CutPrefix(p, module); ok && !slices.Contains(out[pkg], rel) {
				out[pkg] = append(out[pkg], rel)
			}
		}
	}
	return out
}

// under tells whether pkg is dir or inside it.
func under(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// bans are checked transitively: no package under one of from may reach one under to.
var bans = []struct {
	from, to []string
	why      string
}{
	{
		from: []string{"internal/edge", "internal/gateway", "internal/bucket", "internal/function", "internal/vtl", "internal/http1", "internal/http2", "internal/http3", "internal/origin", "internal/sigv4", "internal/iam", "internal/front"},
		to:   []string{"internal/store", "internal/service", "internal/awsapi", "internal/compile", "internal/resource", "internal/stack"},
		why:  "the data plane reads plans only: a request must never wait for a resource, and an engine must run without the control plane",
	},
	{
		from: []string{"internal"},
		to:   []string{"internal/app"},
		why:  "app wires everything; whatever imports it would import everything",
	},
	{
		from: []string{"internal/compile"},
		to:   []string{"internal/service", "internal/stack"},
		why:  "compile reads resources, whoever made them",
	},
	{
		from: []string{"internal/template"},
		to:   []string{"internal/awsapi", "internal/store", "internal/service", "internal/stack", "internal/message"},
		why:  "templates are text with positions; what they mean to AWS is the stack's and the services' business",
	},
	{
		from: []string{"internal/service"},
		to:   []string{"internal/stack", "internal/template/cloudformation"},
		why:  "a handler must not know whether a template or a client called it; package template itself is notation, and reads OpenAPI documents too",
	},
}

func TestImports(t *testing.T) {
	graph := imports(t)
	for _, ban := range bans {
		for pkg := range graph {
			if !slices.ContainsFunc(ban.from, func(d string) bool { return under(pkg, d) }) || slices.ContainsFunc(ban.to, func(d string) bool { return under(pkg, d) }) {
				continue
			}
			if way := reach(graph, pkg, ban.to); way != nil {
				t.Errorf("%s: %s", strings.Join(way, " → "), ban.why)
			}
		}
	}
}

// reach returns the shortest way from pkg to a package under one of to.
func reach(graph map[string][]string, pkg string, to []string) []string {
	type step struct {
		pkg string
		way []string
	}
	seen := map[string]bool{pkg: true}
	queue := []step{{pkg, []string{pkg}}}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, next := range graph[s.pkg] {
			if seen[next] {
				continue
			}
			seen[next] = true
			way := append(slices.Clone(s.way), next)
			if slices.ContainsFunc(to, func(d string) bool { return under(next, d) }) {
				return way
			}
			queue = append(queue, step{next, way})
		}
	}
	return nil
}

// ground packages use the standard library only, and each other only as listed.
var ground = map[string][]string{
	"internal/arn": nil, "internal/clienthello": nil, "internal/diag": nil, "internal/trace": nil,
	"internal/message": {"internal/clienthello", "internal/trace"},
}

func TestGroundStandsAlone(t *testing.T) {
	for _, f := range files(t) {
		allowed, isGround := ground[path.Dir(f.path)]
		if f.test || !isGround {
			continue
		}
		for _, im := range f.syntax.Imports {
			p := strings.Trim(im.Path.Value, `"`)
			rel, ours := strings.CutPrefix(p, module)
			switch {
			case ours && !slices.Contains(allowed, rel):
				t.Errorf("%s imports %s: ground packages stand below everything", f.path, rel)
			case !ours && strings.Contains(p, "."):
				t.Errorf("%s imports %s: ground packages use the standard library only", f.path, p)
			}
		}
	}
}

func TestPackageNames(t *testing.T) {
	for pkg := range imports(t) {
		switch path.Base(pkg) {
		case "util", "utils", "common", "helpers", "helper", "misc", "base", "shared":
			t.Errorf("%s: name a package for what it holds", pkg)
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		pkg := path.Dir(f.path)
		documented[pkg] = documented[pkg] || (f.syntax.Doc != nil && len(f.syntax.Doc.Text()) > 60) || f.generated
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment: say what it is, where to start, and what it must not know", pkg)
		}
	}
}

func TestBudgets(t *testing.T) {
	for _, f := range files(t) {
		if f.generated || f.exempt {
			continue
		}
		if f.lines > maxFileLines && !f.test {
			t.Errorf("%s has %d lines, more than %d", f.path, f.lines, maxFileLines)
		}
		if path.Base(f.path) == "pipeline.go" && f.lines > maxPipelineLines {
			t.Errorf("%s has %d lines: a pipeline is read in one sitting, in at most %d", f.path, f.lines, maxPipelineLines)
		}
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			where := fmt.Sprintf("%s: %s", f.path, fn.Name.Name)
			if n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
				t.Errorf("%s has %d lines, more than %d", where, n, maxFunctionLines)
			}
			if n := fn.Type.Params.NumFields(); n > maxParameters {
				t.Errorf("%s has %d parameters, more than %d", where, n, maxParameters)
			}
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: no init(): wiring is explicit, in app", where)
			}
		}
	}
}

func TestExportedThingsAreDocumented(t *testing.T) {
	for _, f := range files(t) {
		if f.test || f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d)) {
					t.Errorf("%s: %s has no doc comment", f.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: %s has no doc comment", f.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if ix, ok := typ.(*ast.IndexExpr); ok {
		typ = ix.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}
