// Command gen makes the packages below internal/awsapi of the AWS service models that botocore publishes.
//
//	go run ./internal/awsapi/gen -models DIR [-out DIR] [service...]
//
// DIR is a folder such as botocore/data of a botocore checkout, with SERVICE/VERSION/service-2.json in it. What is
// generated of which service stands in selection.go. The output has the facts of the models: names, types, bindings,
// constraints and error codes; their documentation is left out.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	models := flag.String("models", "", "folder of the service models (botocore/data)")
	out := flag.String("out", "internal/awsapi", "folder in which the packages go")
	flag.Parse()
	if *models == "" {
		fmt.Fprintln(os.Stderr, "gen: -models is required: the folder botocore/data of a botocore checkout")
		os.Exit(2)
	}
	if err := run(*models, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(models, out string, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(services, func(s selection) bool { return s.name == name }) {
			return fmt.Errorf("find service %q: selection.go does not list it", name)
		}
	}
	for _, s := range services {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		files, err := generate(models, s)
		if err != nil {
			return fmt.Errorf("generate %s: %w", s.name, err)
		}
		dir := filepath.Join(out, s.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
