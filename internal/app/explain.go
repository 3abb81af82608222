package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/foregate/foregate/internal/clienthello"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/explain"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	sourceFlags
	headers          []string
	data, sign       string
	viewer           string
	include, verbose bool
}

func newExplain(streams Streams) *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use: "explain [flags] SOURCE [METHOD] URL", Short: "Run one request through the stack and print every decision and finding",
		Long: `Run one request through the stack and print every decision and finding.

The host of URL is a name of the stack, or the logical id of a resource that has one: https://Site/orders. A path alone goes to
the first distribution of the template.`,
		Example: "  foregate explain template.yaml https://Site/orders?limit=1\n  foregate explain -H 'Authorization: Bearer x' -d '{}' template.yaml POST /orders",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return usage("explain wants SOURCE, a METHOD if it is not GET, and a URL")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), streams, args) },
	}
	f.add(cmd, "text or json")
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "request header `'Name: value'`, repeatable")
	cmd.Flags().StringVarP(&f.data, "body", "d", "", "request body, or `@FILE`; the method is POST unless given")
	cmd.Flags().BoolVarP(&f.include, "include", "i", false, "show the whole response, as curl -i does")
	cmd.Flags().StringVar(&f.sign, "sign", "", "sign the request with SigV4, `KEYID:SECRET[:TOKEN]`")
	cmd.Flags().StringVar(&f.viewer, "viewer", "127.0.0.1", "`ADDRESS` that the request comes from")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show every header that was sent on")
	return cmd
}

func (f *explainFlags) run(ctx context.Context, streams Streams, args []string) error {
	opts, err := f.options("text", "json")
	if err != nil {
		return err
	}
	opts.Local = true
	opts.FunctionLog = func(l lambda.LogLine) { fmt.Fprintf(streams.Err, "[%s] %s\n", l.Function, l.Text) }
	n, err := NewNode(opts)
	if err != nil {
		return &exit{exitUsage, err.Error()}
	}
	defer n.Close()
	_, found, err := n.load(ctx, &f.sourceFlags, args[:1])
	if err != nil {
		return err
	}
	if diag.Worst(found) == diag.Error {
		return report(streams, n.placed(found))
	}
	r, err := f.request(n, args[1:])
	if err != nil {
		return err
	}
	e, body, err := n.Explain(ctx, r)
	if err != nil {
		return err
	}
	return f.print(streams, e, body)
}

func (f *explainFlags) print(streams Streams, e *explain.Explanation, body []byte) error {
	var err error
	switch {
	case f.output == "json":
		err = e.JSON(streams.Out)
	case f.include:
		fmt.Fprintf(streams.Out, "HTTP/1.1 %d %s\n", e.Response.Status, http.StatusText(e.Response.Status))
		for _, h := range e.Response.Headers {
			fmt.Fprintf(streams.Out, "%s: %s\n", h[0], h[1])
		}
		fmt.Fprintf(streams.Out, "\n%s\n", body)
	}
	if err == nil && f.output == "text" {
		err = e.Text(streams.Out, explain.Style{Color: streams.OutColor, Verbose: f.verbose})
	}
	if err == nil && diag.Worst(e.Findings) == diag.Error {
		return &exit{status: exitFinding}
	}
	return err
}

// request makes the request of the command line.
func (f *explainFlags) request(n *Node, args []string) (*message.Request, error) {
	method, address := "GET", args[len(args)-1]
	if f.data != "" {
		method = "POST"
	}
	if len(args) == 2 {
		method = args[0]
		if strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return nil, usage("method %q: want capitals, such as GET", method)
		}
	}
	r, err := n.requestTo(method, address)
	if err != nil {
		return nil, err
	}
	if f.viewer != "" {
		a, err := netip.ParseAddr(f.viewer)
		if err != nil {
			return nil, usage("--viewer %q: want an address such as 192.0.2.7", f.viewer)
		}
		r.Client = netip.AddrPortFrom(a, r.Client.Port())
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" {
			return nil, usage("--header %q: want 'Name: value'", h)
		}
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	var body []byte
	if f.data != "" {
		body = []byte(f.data)
		if file, ok := strings.CutPrefix(f.data, "@"); ok {
			if body, err = os.ReadFile(file); err != nil {
				return nil, usage("--body %s: %v", f.data, unwrapPath(err))
			}
		}
		r.Body, r.ContentLength = bytes.NewReader(body), int64(len(body))
		if !r.Header.Has("Content-Type") {
			r.Header.Add("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	if !r.Header.Has("User-Agent") {
		r.Header.Add("User-Agent", "foregate/"+strings.Fields(version())[0])
	}
	if !r.Header.Has("Accept") {
		r.Header.Add("Accept", "*/*")
	}
	if f.sign != "" {
		return r, n.sign(r, f.sign, body)
	}
	return r, nil
}

// requestTo makes a request to an address: a URL, a URL with a logical id for its host, or a path.
func (n *Node) requestTo(method, address string) (*message.Request, error) {
	if strings.HasPrefix(address, "/") {
		host := n.hostOf("")
		if host == "" {
			return nil, usage("URL %q: the template has no distribution that the path could go to; give a whole URL", address)
		}
		address = "https://" + host + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usage("URL %q: want http://HOST/PATH or https://HOST/PATH", address)
	}
	host := u.Host
	if !strings.ContainsAny(host, ".:") {
		if h := n.hostOf(host); h != "" {
			host = h
		} else if host != "localhost" {
			return nil, usage("URL %q: %q is neither a host name nor the logical id of a resource that has an address; these have: %s", address, host, n.addressed())
		}
	}
	r := &message.Request{
		Method: method, Scheme: u.Scheme, Host: host, Path: u.EscapedPath(), Query: u.RawQuery, HasQuery: u.RawQuery != "" || u.ForceQuery,
		Proto: message.HTTP11, Client: netip.MustParseAddrPort("127.0.0.1:50000"),
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if u.Scheme == "https" {
		r.TLS = &message.TLS{Version: tls.VersionTLS13, Cipher: tls.TLS_AES_128_GCM_SHA256}
		r.TLS.ServerName, _, _ = strings.Cut(host, ":")
		r.TLS.Hello = ownHello(r.TLS.ServerName)
	}
	return r, nil
}

// ownHello is the ClientHello of this program's own TLS client, whose fingerprints a request of explain has.
func ownHello(name string) (hello *clienthello.Hello) {
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: name, NextProtos: []string{"http/1.1"}}).Handshake() // it is cut off below
		client.Close()
	}()
	_ = tls.Server(server, &tls.Config{GetConfigForClient: func(chi *tls.ClientHelloInfo) (*tls.Config, error) {
		hello = clienthello.Of(chi, false)
		return nil, net.ErrClosed // that was all
	}}).Handshake()
	server.Close()
	return hello
}

// addressed lists the logical ids that have an address.
func (n *Node) addressed() string {
	var ids []string
	for _, e := range n.Endpoints() {
		if e.LogicalID != "" && len(e.Hosts) > 0 {
			ids = append(ids, e.LogicalID)
		}
	}
	if ids == nil {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// hostOf returns the first host of a resource, of the first distribution when logicalID is "".
func (n *Node) hostOf(logicalID string) string {
	for _, e := range n.Endpoints() {
		if logicalID == e.LogicalID && logicalID != "" || logicalID == "" && e.Type == "AWS::CloudFront::Distribution" {
			if len(e.Hosts) > 0 {
				return e.Hosts[0]
			}
		}
	}
	return ""
}

// explainTimeout bounds a request that is explained; CloudFront's own limits are well below it.
const explainTimeout = 2 * time.Minute

// Explain runs a request through the node with a trace, and returns the explanation and the whole body.
func (n *Node) Explain(ctx context.Context, r *message.Request) (*explain.Explanation, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	seen := &trace.Trace{}
	asked := explain.RequestOf(r)
	r.Trace = seen
	sent := r.Clone()
	resp := n.Handle(ctx, r)
	var body []byte
	if resp.Body != nil {
		var err error
		body, err = io.ReadAll(resp.Body)
		if closed := resp.Body.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the answer: %w", err)
		}
	}
	return explain.Build(explain.Input{Request: sent, Response: resp, Body: body, Trace: seen, Static: n.Findings(), Locate: n.locate}, asked), body, nil
}
