package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// Viewers of all kinds, invalidations and new plans at once, over a cache that is far too small in memory and on disk. Every body
// is of one version, and no request that begins after an invalidation gets a version from before it.
func TestMixedTraffic(t *testing.T) {
	const paths, viewers = 12, 8
	requests := 300
	if testing.Short() {
		requests = 60
	}
	p := testPlan(zeroPolicy())
	w, s := newWorld(p)
	c, err := cache.Open(cache.Options{Memory: 1 << 20, Dir: t.TempDir(), Disk: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w.Cache = c
	var service atomic.Pointer[Service]
	service.Store(s)
	var versions, invalidated [paths]atomic.Int64
	size := func(i int) int { return 100 + i*i*2500 } // up to 300 KB; over 64 KB goes to the disk
	fx := &versioned{world: w, fetch: func(r *FetchRequest) (*message.Response, error) {
		i, _ := strconv.Atoi(strings.TrimPrefix(r.Request.Path, "/"))
		v := versions[i].Load()
		res, err := withHeader(200, "", "Cache-Control", "max-age=3600", "ETag", fmt.Sprintf(`"%d"`, v))(r)
		body := strings.Repeat(fmt.Sprintf("%09d ", v), size(i)/10)
		res.Body, res.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		if v%3 == 0 {
			res.ContentLength = -1
		}
		return res, err
	}}
	service.Store(NewService(Options{Plans: []*Plan{p}, Effects: fx}))
	var wg sync.WaitGroup
	for viewer := range viewers {
		rnd := rand.New(rand.NewPCG(uint64(viewer), 7))
		wg.Go(func() {
			for range requests {
				i := rnd.IntN(paths)
				path := "/" + strconv.Itoa(i)
				switch rnd.IntN(40) {
				case 0:
					v := versions[i].Add(1)
					c.Invalidate(p.ID, []string{path})
					for old := invalidated[i].Load(); old < v && !invalidated[i].CompareAndSwap(old, v); old = invalidated[i].Load() {
					}
					continue
				case 1:
					service.Store(NewService(Options{Plans: []*Plan{p}, Effects: fx})) // as a plan of which nothing has changed
					continue
				}
				r := get(path)
				switch rnd.IntN(6) {
				case 0:
					r.Method = "HEAD"
				case 1:
					r.Header.Add("Range", fmt.Sprintf("bytes=%d-", 10*rnd.IntN(size(i)/10)))
				case 2:
					r.Header.Add("Range", "bytes=0-9,20-29")
				}
				oldest := invalidated[i].Load()
				res := service.Load().Serve(context.Background(), r)
				checkVersion(t, res, oldest, rnd.IntN(10) == 0)
			}
		})
	}
	wg.Wait()
	c.Invalidate(p.ID, []string{"/*"})
	if c.Used() != 0 {
		t.Errorf("%d bytes left after invalidating all", c.Used())
	}
}

// versioned is a world whose origin does not keep what it was asked.
type versioned struct {
	*world
	fetch func(*FetchRequest) (*message.Response, error)
}

func (v *versioned) Fetch(_ context.Context, r *FetchRequest) (*message.Response, error) {
	return inRoom(r)(v.fetch(r))
}

// checkVersion reads an answer, or leaves in the midst of it.
func checkVersion(t *testing.T, res *message.Response, oldest int64, leave bool) {
	if res.Body == nil {
		return
	}
	defer res.Body.Close()
	if leave {
		_, _ = res.Body.Read(make([]byte, 50))
		return
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%d: %v after %d bytes", res.Status, err, len(b))
		return
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "multipart/") {
		return
	}
	if len(b) < 10 {
		return
	}
	first := b[:10]
	if !bytes.Equal(b, bytes.Repeat(first, len(b)/10)) {
		t.Errorf("a body of two versions, from %q", first)
	}
	if v, err := strconv.ParseInt(string(first[:9]), 10, 64); err != nil || v < oldest {
		t.Errorf("version %q, at least %d wanted", first, oldest)
	}
}
