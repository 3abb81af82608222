package app

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/foregate/foregate/internal/geo"
)

// openPlaces opens what --geoip names, and follows the files unless the node is for one request.
func (n *Node) openPlaces() (err error) {
	if len(n.opts.Places) == 0 {
		return nil
	}
	if n.places, err = geo.Open(n.opts.Places, n.opts.Log); err != nil {
		return usage("--geoip: %v", err)
	}
	if files := n.places.Files(); len(files) > 0 && !n.opts.Local {
		return n.followPlaces(files)
	}
	return nil
}

// followPlaces reads a database again when its file changes: updates of MaxMind's come as a new file under the same name.
func (n *Node) followPlaces(files []string) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := w.Add(filepath.Dir(f)); err != nil { // the folder, since the file is replaced
			w.Close()
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stopPlaces = stop
	n.watching.Go(func() {
		defer w.Close()
		n.watchPlaces(ctx, w, files)
	})
	return nil
}

func (n *Node) watchPlaces(ctx context.Context, w *fsnotify.Watcher, files []string) {
	changed := map[string]bool{}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.Events:
			if name := filepath.Clean(e.Name); slices.Contains(files, name) && !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Rename) {
				changed[name] = true
				timer.Reset(quiet)
			}
		case err := <-w.Errors:
			n.opts.Log("--geoip: %v", err)
		case <-timer.C:
			for name := range changed {
				if err := n.places.Reload(name); err != nil {
					n.opts.Log("--geoip: %v; the database before it stays in use", err)
				} else {
					n.opts.Log("--geoip: %s was read again", name)
				}
			}
			clear(changed)
		}
	}
}
