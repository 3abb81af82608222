package stack

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/compile"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// TestGatewayTemplates deploys the templates of the vectors that have REST APIs. Other types are left out of resourceTypes'
// services here, so a template may be refused; none may panic, and API Gateway itself must not refuse what AWS's own
// examples say.
func TestGatewayTemplates(t *testing.T) {
	root := os.Getenv("FOREGATE_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	root = filepath.Join(root, "templates")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no test vectors at %s: set FOREGATE_VECTORS", root)
	}
	tried, made := 0, 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(p)
		if err != nil || !strings.Contains(string(raw), "AWS::ApiGateway::") {
			return err
		}
		tmpl, _ := cloudformation.Parse(p, raw)
		if tmpl == nil {
			return nil
		}
		tried++
		w := newGatewayWorld(t)
		w.outcome = func() Outcome {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: panic %v", filepath.Base(p), r)
				}
			}()
			return w.services.Deploy(context.Background(), tmpl, Options{Region: "us-east-1", Account: "123456789012", StackName: "s"})
		}()
		if w.outcome.Stack != nil {
			made++
			compile.All(w.services.Env.Store.View(), w.cenv)
		}
		for _, f := range w.outcome.Findings {
			if f.Severity == diag.Error && strings.Contains(f.Message, "AWS::ApiGateway::") {
				t.Logf("%s: %s: %s %v", filepath.Base(p), f.Path, f.Message, f.Because)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d templates, %d made", tried, made)
}
