package app

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/foregate/foregate/internal/ca"
)

func newServe(streams Streams) *cobra.Command {
	f := &sourceFlags{}
	var at listenFlags
	var data string
	cmd := &cobra.Command{
		Use: "serve [flags]", Short: "A node without a template: listener, certificates, store, AWS API",
		Long: `Serve what the AWS API has made and will make. State is kept in --data.

The node listens on one port, TCP for all and UDP for HTTP/3. Its AWS API is open to whoever has an access key. That of the account's root is made when the folder is
new, and kept in DIR/root-credentials, which the AWS CLI and SDKs read:

  AWS_SHARED_CREDENTIALS_FILE=DIR/root-credentials AWS_ENDPOINT_URL=http://ADDR aws sts get-caller-identity

With --proxy-protocol the port takes connections of a load balancer only: each must begin with a header of the PROXY protocol, whose
address is believed, so nobody else may reach the port. The AWS API then also answers on a port of 127.0.0.1, for functions.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), f, &at, data, streams) },
	}
	f.add(cmd, "text")
	for _, name := range []string{"parameter", "stack-name", "output", "function", "bucket"} {
		_ = cmd.Flags().MarkHidden(name) // they are about a source
	}
	at.add(cmd)
	f.addCache(cmd)
	cmd.Flags().StringVar(&data, "data", "", "folder `DIR` of durable state; required")
	return cmd
}

func runServe(ctx context.Context, f *sourceFlags, at *listenFlags, data string, streams Streams) error {
	opts, err := f.options("text")
	if err != nil {
		return err
	}
	if data == "" {
		return usage("--data is required: a node without durable state would forget what it was told")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	socks, err := at.listen()
	if err != nil {
		return err
	}
	defer socks.close()
	term := newTerminal(streams)
	defer term.close()
	streams.Err = term
	root, rootPath, err := rootKey(data)
	if err != nil {
		return &exit{exitUsage, err.Error()}
	}
	opts.Root = root
	opts.Listen, opts.Endpoint, opts.NoHTTP3, opts.Data, opts.Strangers = socks.address(), socks.endpoint(), socks.noHTTP3, data, true
	opts.FunctionLog, opts.Log, opts.LogEvery = term.function, term.logf, time.Minute
	n, err := NewNode(opts)
	if err != nil {
		return &exit{exitUsage, err.Error()}
	}
	defer n.Close()
	keepGarbageSmall()
	fmt.Fprintf(streams.Err, "serving on %s, state in %s, the root's access key in %s\n", opts.Listen, data, rootPath)
	socks.tell(streams.Err)
	writeEndpoints(streams.Err, n.Endpoints(), opts.Listen)
	return n.Serve(ctx, socks)
}

func newCA(streams Streams) *cobra.Command {
	open := func() (*ca.Authority, error) {
		dir, err := ca.DefaultDir()
		if err != nil {
			return nil, &exit{exitUsage, err.Error()}
		}
		a, err := ca.Open(dir)
		if err != nil {
			return nil, &exit{exitUsage, err.Error()}
		}
		return a, nil
	}
	sub := func(use, short string, run func(context.Context, *ca.Authority) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := open()
			if err != nil {
				return err
			}
			return run(cmd.Context(), a)
		}}
	}
	path := func(_ context.Context, a *ca.Authority) error {
		_, err := fmt.Fprintln(streams.Out, a.Path())
		return err
	}
	cmd := sub("ca", "The local certificate authority: its path, its certificate, its installation", path)
	cmd.AddCommand(
		sub("path", "Print where the authority's certificate is", path),
		sub("pem", "Print the authority's certificate", func(_ context.Context, a *ca.Authority) error {
			_, err := streams.Out.Write(a.PEM())
			return err
		}),
		sub("install", "Make this system trust the authority", func(ctx context.Context, a *ca.Authority) error {
			installed, err := a.Install(ctx, streams.Err)
			if err != nil {
				return &exit{exitFinding, err.Error()}
			}
			if !installed {
				return &exit{status: exitFinding}
			}
			return nil
		}),
	)
	return cmd
}
