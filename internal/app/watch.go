package app

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/explain"
)

// quiet is how long nothing must change before a reload: editors write a file in several steps.
const quiet = 100 * time.Millisecond

// watch reloads the sources when one of them, or the code of a function, changes, until ctx ends.
func (n *Node) watch(ctx context.Context, f *sourceFlags, files []string, streams Streams) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		n.opts.Log("--watch: %v", err)
		return
	}
	defer w.Close()
	wanted := map[string]bool{}
	for _, file := range files {
		wanted[filepath.Clean(file)] = true
		// The folder is watched, since editors replace files.
		n.watchFolder(w, filepath.Dir(file), false)
	}
	for _, dir := range n.opts.Functions {
		n.watchFolder(w, dir, true)
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if wanted[filepath.Clean(e.Name)] || n.isCode(e.Name) {
				timer.Reset(quiet)
			}
		case err := <-w.Errors:
			n.opts.Log("--watch: %v", err)
		case <-timer.C:
			n.reload(ctx, f, files, streams)
		}
	}
}

func (n *Node) watchFolder(w *fsnotify.Watcher, dir string, deep bool) {
	if !deep {
		if err := w.Add(dir); err != nil {
			n.opts.Log("--watch %s: %v", dir, err)
		}
		return
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if d.Name() == "node_modules" || d.Name() == "__pycache__" {
			return fs.SkipDir
		}
		return w.Add(path)
	})
	if err != nil {
		n.opts.Log("--watch %s: %v", dir, err)
	}
}

// isCode tells whether a path is in a folder of function code.
func (n *Node) isCode(path string) bool {
	for _, dir := range n.opts.Functions {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// reload deploys the sources anew. What is refused leaves everything as it was.
func (n *Node) reload(ctx context.Context, f *sourceFlags, files []string, streams Streams) {
	start := time.Now()
	before := n.sources.Load()
	_, found, err := n.load(ctx, f, files)
	switch {
	case err != nil:
		n.sources.Store(before)
		n.opts.Log("reload: %v; what was served before is served on", err)
		return
	case diag.Worst(found) == diag.Error:
		explain.WriteFindings(streams.Err, n.placed(found), explain.Style{Color: streams.ErrColor})
		n.sources.Store(before)
		n.opts.Log("not reloaded: what was served before is served on")
		return
	}
	explain.WriteFindings(streams.Err, n.placed(append(found, n.Findings()...)), explain.Style{Color: streams.ErrColor})
	fmt.Fprintf(streams.Err, "foregate: reloaded in %d ms\n", time.Since(start).Milliseconds())
}
