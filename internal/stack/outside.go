package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// bootstrapVersion is what a bootstrapped account answers to the templates of the CDK, which want 6 at least (facts:
// cloudformation 4). There is nothing to bootstrap here.
const bootstrapVersion = "30"

// hooks answer what a template asks of its account.
func (d *deployment) hooks(ctx context.Context) cloudformation.Hooks {
	return cloudformation.Hooks{
		SSMParameter: func(_, name string) (string, error) {
			if rest, ok := strings.CutPrefix(name, "/cdk-bootstrap/"); ok && strings.HasSuffix(rest, "/version") {
				return bootstrapVersion, nil
			}
			return "", fmt.Errorf("read Systems Manager parameter %q: Foregate has no Systems Manager", name)
		},
		Import: func(export string) (string, error) {
			for _, s := range resource.Stacks.All(d.services.Env.Store.Read(ctx), d.opts.Region) {
				for _, o := range s.Outputs {
					if o.ExportName == export && s.Name != d.opts.StackName {
						return o.Value, nil
					}
				}
			}
			return "", &diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Message: "No export named " + export + " found."} // AWS's text
		},
	}
}
