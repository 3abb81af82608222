package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run runs a command of the program to its end and returns its exit status, what it printed, and the most memory that it had,
// in MiB.
func run(t *testing.T, cmd *exec.Cmd) (status int, out string, memory int64) {
	t.Helper()
	var b lockedBuffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	_ = cmd.Wait() // the status says how it ended
	if !late.Stop() {
		t.Errorf("no end within %v", patience)
	}
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = use.Maxrss >> 10
	}
	return cmd.ProcessState.ExitCode(), b.String(), memory
}

// resources is a template with one bucket and more.
func resources(more string) string {
	return "Resources:\n  B: {Type: AWS::S3::Bucket}\n" + more
}

// Templates that were made to hurt are refused, or read, in little time and memory.
func TestTemplatesThatHurt(t *testing.T) {
	var aliases, subs, loops strings.Builder
	fmt.Fprintln(&aliases, "Metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]")
	for i := range 12 {
		fmt.Fprintf(&aliases, "  a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	aliases.WriteString(resources("  C: {Type: AWS::S3::Bucket, Properties: {Tags: *a12}}\n"))
	// Each output is ten times the one before.
	subs.WriteString("Transform: AWS::LanguageExtensions\n" + resources("Outputs:\n"))
	value := strings.Repeat("x", 1000)
	for range 7 {
		value = `!Join ["", [` + strings.TrimSuffix(strings.Repeat(value+", ", 10), ", ") + `]]`
		if len(value) > 400_000 {
			break
		}
	}
	fmt.Fprintf(&subs, "  O: {Value: %s}\n", value)
	loops.WriteString("Transform: AWS::LanguageExtensions\nResources:\n")
	list := strings.TrimSuffix(strings.Repeat("a, ", 1), ", ")
	for i := 1; i < 100; i++ {
		list += fmt.Sprintf(", a%d", i)
	}
	fmt.Fprintf(&loops, "  Fn::ForEach::A:\n    - A\n    - [%s]\n    - Fn::ForEach::B${A}:\n        - B\n        - [%[1]s]\n        - Fn::ForEach::C${A}${B}:\n            - C\n            - [%[1]s]\n            - X${A}${B}${C}: {Type: AWS::S3::Bucket}\n", list)
	chain := resources("")
	for i := range 3000 {
		chain += fmt.Sprintf("  R%d: {Type: AWS::S3::Bucket, DependsOn: R%d}\n", i, (i+1)%3000)
	}
	for _, c := range []struct{ name, template string }{
		{"aliases of aliases", aliases.String()},
		{"an alias of itself", "Metadata: &a [*a]\n" + resources("")},
		{"merge of itself", "Metadata: &a {<<: *a}\n" + resources("")},
		{"deep flow lists", "Metadata: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "\n" + resources("")},
		{"deep flow lists without an end", "Metadata: " + strings.Repeat("[", 400_000)},
		{"deep flow maps", "Metadata: " + strings.Repeat("{a: ", 50_000) + "1" + strings.Repeat("}", 50_000) + "\n" + resources("")},
		{"deep block lists", "Metadata:\n  " + strings.Repeat("- ", 100_000) + "x\n" + resources("")},
		{"deep JSON", `{"Resources":{"B":{"Type":"AWS::S3::Bucket","Properties":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + "}}}"},
		{"deep functions", resources("Outputs:\n  O:\n    Value: " + strings.Repeat("!Join ['', [", 5000) + "x" + strings.Repeat("]]", 5000) + "\n")},
		{"nested joins", subs.String()},
		{"loops in loops", loops.String()},
		{"a circle of three thousand", chain},
		{"a circle of conditions", "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\n" + resources("")},
		{"a reference to itself", resources("  C: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref C}}\n")},
		{"a long string", resources("Outputs:\n  O: {Value: " + strings.Repeat("x", 20<<20) + "}\n")},
		{"a long substitution", resources("Outputs:\n  O: {Value: !Sub '" + strings.Repeat("${B}", 200_000) + "'}\n")},
		{"open substitutions", resources("Outputs:\n  O: {Value: !Sub '" + strings.Repeat("${", 500_000) + "'}\n")},
		{"NUL", "Resources:\n  B: {Type: \"AWS::S3::Bucket\\0\", Properties: {BucketName: \"a\\0b\"}}\n"},
		{"raw NUL", "Resources:\x00  B\x00"},
		{"bytes that are no text", "\xff\xfe\x00\xd8" + strings.Repeat("\xc3\x28", 1000)},
		{"many keys", resources("Metadata:\n" + strings.Repeat("  a: b\n", 100_000))},
		{"many anchors", resources("Metadata:\n" + strings.Repeat("  - &a b\n", 100_000))},
		{"many documents", strings.Repeat("---\n"+resources(""), 10_000)},
		{"tags of its own", "Resources: !!python/object/apply:os.system [ls]\n"},
		{"huge numbers", resources("Outputs:\n  O: {Value: 1e999999999}\n  P: {Value: 0x" + strings.Repeat("f", 100_000) + "}\n")},
		{"huge indexes", resources("Outputs:\n  O: {Value: !Select [99999999999999999999, [a]]}\n  P: {Value: !Select [-1, [a]]}\n")},
		{"huge subnets", resources("Outputs:\n  O: {Value: !Join [',', !Cidr [10.0.0.0/8, 256, 1]]}\n  P: {Value: !Join [',', !Cidr [10.0.0.0/8, 999999999, 1]]}\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "template.yaml")
			if err := os.WriteFile(file, []byte(c.template), 0o600); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			status, out, memory := run(t, command(t, "lint", file))
			t.Logf("status %d after %v with %d MiB: %.200s", status, time.Since(start), memory, out)
			if status < 0 || status > 2 || strings.Contains(out, "goroutine ") {
				t.Errorf("status %d: %.3000s", status, out)
			}
			if memory > 400 {
				t.Errorf("%d MiB", memory)
			}
		})
	}
}
