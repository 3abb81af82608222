// Command gen writes the tables of phases of the engines into docs/architecture.md, between their markers. Run it from
// anywhere in the checkout: go run ./internal/arch/gen, or go generate ./internal/arch. Package table makes the text; the
// command must not know any engine.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/foregate/foregate/internal/arch/gen/table"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	path := filepath.Join(root, filepath.FromSlash(table.File))
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := table.Update(old)
	if err != nil {
		return fmt.Errorf("update %q: %w", path, err)
	}
	if bytes.Equal(old, text) {
		return nil
	}
	return os.WriteFile(path, text, 0o644)
}

// moduleRoot is the nearest folder upwards that has a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", fmt.Errorf("find go.mod above the working folder: %w", err)
		}
		dir = parent
	}
}
