package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/explain"
	"github.com/foregate/foregate/internal/front"
)

const defaultListen = "127.0.0.1:4566"

// upFlags are the flags of up.
type upFlags struct {
	sourceFlags
	listenFlags
	data                    string
	watch, proxyPassthrough bool
}

func newUp(streams Streams) *cobra.Command {
	f := &upFlags{}
	cmd := &cobra.Command{
		Use: "up [flags] SOURCE...", Short: "Load, serve, and print where everything is; Ctrl-C stops",
		Example: "  foregate up template.yaml\n  foregate up -p Stage=prod --bucket Site=./public --function Resize=./build template.yaml",
		Args:    sources,
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), streams, args) },
	}
	f.sourceFlags.add(cmd, "text or json")
	f.listenFlags.add(cmd)
	f.addCache(cmd)
	cmd.Flags().StringVar(&f.data, "data", "", "folder `DIR` of durable state (default: memory only)")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "reload when a source or a function's code changes")
	cmd.Flags().BoolVar(&f.proxyPassthrough, "proxy-passthrough", false, "let the forward proxy reach hosts outside the stack")
	return cmd
}

// sources wants at least one source.
func sources(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("no source: name a CloudFormation template")
	}
	return nil
}

func (f *upFlags) run(ctx context.Context, streams Streams, files []string) error {
	start := time.Now()
	opts, err := f.options("text", "json")
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	socks, err := f.listen()
	if err != nil {
		return err
	}
	defer socks.close()
	term := newTerminal(streams)
	defer term.close()
	streams.Err = term
	opts.Listen, opts.Endpoint, opts.NoHTTP3 = socks.address(), socks.endpoint(), socks.noHTTP3
	opts.Data, opts.ProxyPassthrough, opts.Explanations = f.data, f.proxyPassthrough, true
	opts.FunctionLog, opts.Answered, opts.Log = term.function, term.answered, term.logf
	n, err := NewNode(opts)
	if err != nil {
		return &exit{exitUsage, err.Error()}
	}
	defer n.Close()
	keepGarbageSmall()
	stacks, found, err := n.load(ctx, &f.sourceFlags, files)
	if err != nil {
		return err
	}
	if diag.Worst(found) == diag.Error {
		return report(streams, n.placed(found))
	}
	found = n.placed(append(found, n.Findings()...))
	ready := time.Since(start)
	if f.output == "json" {
		err = n.printJSON(streams.Out, stacks, found, ready)
	} else {
		n.printText(streams, stacks, found, ready)
	}
	if err != nil {
		return err
	}
	socks.tell(streams.Err)
	if f.watch {
		go n.watch(ctx, &f.sourceFlags, files, streams)
	}
	return n.Serve(ctx, socks)
}

// ready is the one line that up -o json prints.
type readyLine struct {
	Listen      string            `json:"listen"`
	Region      string            `json:"region"`
	Account     string            `json:"account"`
	CA          string            `json:"ca"`
	ReadyMillis int64             `json:"readyMillis"`
	Endpoints   []endpointLine    `json:"endpoints"`
	Outputs     map[string]string `json:"outputs"`
	Findings    []diag.Finding    `json:"findings"`
}

type endpointLine struct {
	front.Endpoint
	URL string `json:"url"`
}

func (n *Node) printJSON(w io.Writer, stacks []loaded, found []diag.Finding, took time.Duration) error {
	line := readyLine{
		Listen: n.opts.Listen, Region: n.opts.Region, Account: n.opts.Account, CA: n.authority.Path(), ReadyMillis: took.Milliseconds(),
		Endpoints: []endpointLine{}, Outputs: map[string]string{}, Findings: found,
	}
	if line.Findings == nil {
		line.Findings = []diag.Finding{}
	}
	for _, e := range n.Endpoints() {
		line.Endpoints = append(line.Endpoints, endpointLine{e, e.URL(n.opts.Listen)})
	}
	for _, s := range stacks {
		for _, o := range s.Stack.Outputs {
			line.Outputs[o.Key] = o.Value
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(line)
}

func (n *Node) printText(streams Streams, stacks []loaded, found []diag.Finding, took time.Duration) {
	w := streams.Err
	var names []string
	for _, s := range stacks {
		names = append(names, s.name)
	}
	fmt.Fprintf(w, "%s is served in %s, ready after %d ms\n\n", strings.Join(names, ", "), n.opts.Region, took.Milliseconds())
	writeEndpoints(w, n.Endpoints(), n.opts.Listen)
	for i, s := range stacks {
		for j, o := range s.Stack.Outputs {
			if i+j == 0 {
				fmt.Fprintln(w)
			}
			value := o.Value
			if s.Secret[o.Key] {
				value = "****"
			}
			fmt.Fprintf(w, "  %s = %s\n", o.Key, value)
		}
	}
	fmt.Fprintf(w, "\n  AWS API     AWS_ENDPOINT_URL=http://%s AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n", n.opts.Endpoint)
	fmt.Fprintf(w, "  real names  curl -x http://%s --cacert %s https://…\n", n.opts.Listen, quoted(n.authority.Path()))
	explain.WriteFindings(w, found, explain.Style{Color: streams.ErrColor})
	fmt.Fprintln(w)
}

func quoted(path string) string {
	if strings.ContainsAny(path, " '\"") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// writeEndpoints prints a line for each address.
func writeEndpoints(w io.Writer, endpoints []front.Endpoint, listen string) {
	width, kinds := 0, 0
	for _, e := range endpoints {
		width, kinds = max(width, len(label(e))), max(kinds, len(kindOf(e.Type)))
	}
	for _, e := range endpoints {
		fmt.Fprintf(w, "  %-*s  %-*s  %s\n", width, label(e), kinds, kindOf(e.Type), e.URL(listen))
		for _, h := range e.Hosts[min(1, len(e.Hosts)):] {
			fmt.Fprintf(w, "  %-*s  %-*s  %s\n", width, "", kinds, "", front.LocalURL("http", h, listen))
		}
	}
}

func label(e front.Endpoint) string {
	if e.LogicalID != "" {
		return e.LogicalID
	}
	return e.ID
}

// kindOf names a type for people.
func kindOf(typ string) string {
	switch typ {
	case "AWS::CloudFront::Distribution":
		return "CloudFront distribution"
	case "AWS::ApiGateway::RestApi":
		return "REST API"
	case "AWS::ApiGateway::DomainName":
		return "API custom domain"
	case "AWS::S3::Bucket":
		return "S3 bucket"
	case "AWS::Lambda::Url":
		return "Lambda function URL"
	}
	return typ
}
