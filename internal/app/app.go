// Package app is Foregate's commands, and the one package that imports everything: it makes the store, the services, the
// engines and the front, connects them, and ends them in order.
//
// Start with Run, then Node, which is one running Foregate. What a command prints for people is here; what it prints about
// a request is in explain.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/explain"
)

// The exit statuses of every command.
const (
	exitDone    = 0
	exitFinding = 1 // a finding of severity error, or a source that AWS would refuse
	exitUsage   = 2 // wrong usage, or input that cannot be read
)

// Streams are where a command reads and writes. Color is set when Err is a terminal.
type Streams struct {
	Out, Err io.Writer
	// OutColor and ErrColor tell whether the stream is a terminal that shows colours.
	OutColor, ErrColor bool
}

// exit is an error that carries an exit status and may have been printed already.
type exit struct {
	status  int
	message string
}

func (e *exit) Error() string { return e.message }

func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Sprintf(format, args...)}
}

// Run executes a command line (without the program's name) until it is done or ctx ends, and returns the exit status.
func Run(ctx context.Context, args []string, streams Streams) int {
	root := newRoot(streams)
	root.SetArgs(args)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var e *exit
	if !errors.As(err, &e) {
		e = &exit{exitUsage, strings.TrimSpace(err.Error()) + "\nfor help: foregate " + commandName(root, args) + "--help"}
	}
	if e.message != "" {
		fmt.Fprintf(streams.Err, "foregate: %s\n", e.message)
	}
	return e.status
}

// commandName names the command of a command line for a hint, "" when there is no such command.
func commandName(root *cobra.Command, args []string) string {
	if cmd, _, err := root.Find(args); err == nil && cmd != root {
		return cmd.Name() + " "
	}
	return ""
}

func newRoot(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "foregate",
		Short: "Run Amazon CloudFront and API Gateway configuration anywhere, and see why it answers as it does",
		Long: `Foregate takes the CloudFormation that you have and serves it for real: CloudFront with its policies and cache,
API Gateway with its authorization, Lambda functions, S3 origins. It explains every decision.

SOURCE is a CloudFormation template, YAML or JSON.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newUp(streams), newExplain(streams), newLint(streams), newServe(streams), newCA(streams), newVersion(streams))
	return root
}

func newVersion(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(streams.Out, "foregate "+version())
			return err
		},
	}
}

// version is the module's version when it was installed as one, and the commit of a build from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel " + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// report writes findings for people to Err and returns the exit that they ask for, nil when none is an error.
func report(streams Streams, findings []diag.Finding) error {
	explain.WriteFindings(streams.Err, findings, explain.Style{Color: streams.ErrColor})
	if diag.Worst(findings) == diag.Error {
		return &exit{status: exitFinding}
	}
	return nil
}
