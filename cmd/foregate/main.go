// Command foregate runs Amazon CloudFront and Amazon API Gateway configuration anywhere. See package app for what it does.
package main

import (
	"context"
	"os"

	"golang.org/x/term"

	"github.com/foregate/foregate/internal/app"
)

func main() {
	// https://no-color.org: a set NO_COLOR wins over everything.
	color := os.Getenv("NO_COLOR") == ""
	os.Exit(app.Run(context.Background(), os.Args[1:], app.Streams{
		Out: os.Stdout, Err: os.Stderr,
		OutColor: color && term.IsTerminal(int(os.Stdout.Fd())),
		ErrColor: color && term.IsTerminal(int(os.Stderr.Fd())),
	}))
}
