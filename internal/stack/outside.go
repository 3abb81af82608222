package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// bootstrapVersion is what a bootstrapped account answers to the templates of the CDK, which want 6 at least (facts:
// cloudformation 4). There is nothing to bootstrap here.
const bootstrapVersion = "30"

// hooks answer what a template asks of its account.
func (d *deployment) hooks(ctx context.Context, t *cloudformation.Template) cloudformation.Hooks {
	return cloudformation.Hooks{
		SSMParameter: func(_, name string) (string, error) { return d.systemsManager(t, name) },
		Import:       func(export string) (string, error) { return d.imported(ctx, export) },
	}
}

// systemsManager answers for a parameter of Systems Manager, which Foregate does not have: the version of the CDK's bootstrap,
// or what the command line gives. There AWS takes a name; the value itself is the only thing that makes sense here.
func (d *deployment) systemsManager(t *cloudformation.Template, name string) (string, error) {
	for _, p := range t.Parameters {
		_, typed := p.SSMType()
		if given, ok := d.opts.Parameters[p.Name]; typed && ok && given == name {
			d.found = append(d.found, diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: "Parameters." + p.Name, Position: p.Position,
				Message: fmt.Sprintf("what -p %s gives is the value itself: there is no Systems Manager here that it could name a parameter of", p.Name)})
			return name, nil
		}
	}
	if rest, ok := strings.CutPrefix(name, "/cdk-bootstrap/"); ok && strings.HasSuffix(rest, "/version") {
		return bootstrapVersion, nil
	}
	return "", errors.New("there is no Systems Manager in Foregate")
}
