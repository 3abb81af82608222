package arch

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/arch/gen/table"
)

func TestPhaseTablesAreCurrent(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(table.File)))
	if err != nil {
		t.Fatal(err)
	}
	want, err := table.Update(doc)
	if err != nil {
		t.Fatal(err)
	}
	if string(doc) != string(want) {
		t.Errorf("the tables of phases in %s are not those of the code: run go generate ./internal/arch", table.File)
	}
}

// diagPackage is where the codes of findings are declared.
const diagPackage = "internal/diag"

func TestFindingsHavePages(t *testing.T) {
	all := files(t)
	codes := findingCodes(t, all)
	used := usedCodes(all, codes)
	dir := filepath.Join("..", "..", "docs", "findings")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]bool{}
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		pages[strings.TrimSuffix(e.Name(), ".md")] = true
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		code := strings.TrimSuffix(e.Name(), ".md")
		if !strings.HasPrefix(string(text), "# "+code+"\n") {
			t.Errorf("docs/findings/%s does not begin with the title %q", e.Name(), "# "+code)
		}
		if n := strings.Count(string(text), "\n"); n > 40 {
			t.Errorf("docs/findings/%s has %d lines: a page is read in one look, in at most 40", e.Name(), n)
		}
	}
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for name, code := range codes {
		declared[code] = true
		if where, ok := used[name]; ok && !pages[code] {
			t.Errorf("%s uses diag.%s, and docs/findings/%s.md is not there", where, name, code)
		}
	}
	for page := range pages {
		if !declared[page] {
			t.Errorf("docs/findings/%s.md: no constant of package diag has this code", page)
		}
		if !strings.Contains(string(index), "("+page+".md)") {
			t.Errorf("docs/findings/README.md does not lead to %s.md", page)
		}
	}
}

// findingCodes returns the constants of type Code: name → text.
func findingCodes(t *testing.T, all []file) map[string]string {
	t.Helper()
	codes := map[string]string{}
	for _, f := range all {
		if f.test || path.Dir(f.path) != diagPackage {
			continue
		}
		for _, d := range f.syntax.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "Code" || len(v.Values) != 1 {
					continue
				}
				if lit, ok := v.Values[0].(*ast.BasicLit); ok {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					codes[v.Names[0].Name] = text
				}
			}
		}
	}
	if len(codes) < 10 {
		t.Fatalf("found %d finding codes: the search is broken", len(codes))
	}
	return codes
}

// usedCodes returns the constants that code outside diag names, each with a file that does.
func usedCodes(all []file, codes map[string]string) map[string]string {
	used := map[string]string{}
	for _, f := range all {
		if f.test || path.Dir(f.path) == diagPackage {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "diag" && codes[sel.Sel.Name] != "" {
				used[sel.Sel.Name] = f.path
			}
			return true
		})
	}
	return used
}
