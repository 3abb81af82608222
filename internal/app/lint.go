package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/explain"
)

func newLint(streams Streams) *cobra.Command {
	f := &sourceFlags{}
	cmd := &cobra.Command{
		Use: "lint [flags] SOURCE...", Short: "Check without serving",
		Example: "  foregate lint template.yaml\n  foregate lint -o github template.yaml",
		Args:    sources,
		RunE:    func(cmd *cobra.Command, args []string) error { return runLint(cmd.Context(), f, streams, args) },
	}
	f.add(cmd, "text, json, sarif or github")
	return cmd
}

func runLint(ctx context.Context, f *sourceFlags, streams Streams, files []string) error {
	opts, err := f.options("text", "json", "sarif", "github")
	if err != nil {
		return err
	}
	opts.Local = true
	n, err := NewNode(opts)
	if err != nil {
		return &exit{exitUsage, err.Error()}
	}
	defer n.Close()
	_, found, err := n.load(ctx, f, files)
	if err != nil {
		return err
	}
	found = n.placed(append(found, n.Findings()...))
	switch f.output {
	case "json":
		err = lintJSON(streams.Out, found)
	case "sarif":
		err = lintSARIF(streams.Out, found)
	case "github":
		err = lintGitHub(streams.Out, found)
	default:
		err = explain.WriteFindings(streams.Out, found, explain.Style{Color: streams.OutColor})
		fmt.Fprintf(streams.Out, "\n%s\n", summary(found))
	}
	if err == nil && diag.Worst(found) == diag.Error {
		return &exit{status: exitFinding}
	}
	return err
}

// summary counts findings by severity.
func summary(found []diag.Finding) string {
	n := map[diag.Severity]int{}
	for _, f := range found {
		n[f.Severity]++
	}
	if len(found) == 0 {
		return "no findings"
	}
	return explain.Count(n[diag.Error], "error") + ", " + explain.Count(n[diag.Warning], "warning") + ", " + explain.Count(n[diag.Info], "note")
}

// lintJSON prints {"findings":[…]} on one line.
func lintJSON(w io.Writer, found []diag.Finding) error {
	if found == nil {
		found = []diag.Finding{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(map[string]any{"findings": found})
}

// lintGitHub prints workflow commands, which GitHub shows at the lines of a pull request.
func lintGitHub(w io.Writer, found []diag.Finding) error {
	level := map[diag.Severity]string{diag.Error: "error", diag.Warning: "warning", diag.Info: "notice"}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, f := range found {
		text := f.Message
		if len(f.Fixes) > 0 {
			text += "\nFix: " + strings.Join(f.Fixes, "\n or: ")
		}
		_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", level[f.Severity], property.Replace(f.Position.File),
			max(f.Position.Line, 1), max(f.Position.Column, 1), property.Replace(string(f.Code)), data.Replace(text))
		if err != nil {
			return err
		}
	}
	return nil
}

// The parts of SARIF 2.1.0 that code scanning reads.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string `json:"id"`
		HelpURI string `json:"helpUri,omitempty"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

func lintSARIF(w io.Writer, found []diag.Finding) error {
	level := map[diag.Severity]string{diag.Error: "error", diag.Warning: "warning", diag.Info: "note"}
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "Foregate", Version: version(), Rules: []sarifRule{}}}, Results: []sarifResult{}}
	known := map[diag.Code]bool{}
	for _, f := range found {
		if !known[f.Code] {
			known[f.Code] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: string(f.Code), HelpURI: f.Doc})
		}
		text := strings.Join(append([]string{f.Message}, f.Because...), "\n")
		if len(f.Fixes) > 0 {
			text += "\nFix: " + strings.Join(f.Fixes, "\n or: ")
		}
		run.Results = append(run.Results, sarifResult{RuleID: string(f.Code), Level: level[f.Severity], Message: sarifMessage{text},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifact{f.Position.File}, sarifRegion{max(f.Position.Line, 1), max(f.Position.Column, 1)}}}}})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}
