package app

import (
	"cmp"
	"path/filepath"

	"github.com/foregate/foregate/internal/edge/cache"
)

// defaultCache is how much memory the cache of distributions may use.
const defaultCache = 64 << 20

// defaultCacheDisk is how much the cache may have on disk at most, in the data folder; a smaller disk gives a tenth of itself.
const defaultCacheDisk = 64 << 30

// openCache makes the cache: in memory, and with a data folder on disk as well.
func (n *Node) openCache() (err error) {
	o := cache.Options{Memory: cmp.Or(n.opts.CacheMemory, defaultCache)}
	if n.opts.Data != "" {
		o.Dir = filepath.Join(n.opts.Data, "cache")
		o.Disk = cmp.Or(n.opts.CacheDisk, min(diskSize(n.opts.Data)/10, defaultCacheDisk))
	}
	n.cache, err = cache.Open(o)
	return err
}
