package edge

import (
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/geo"
)

// Local is the part of Effects that needs no network and no functions; embed it and add Fetch and InvokeLambda.
type Local struct {
	Cache *cache.Cache
	// Places knows where addresses are; nil for nobody.
	Places *geo.Locator
}

// Locate asks Places.
func (l Local) Locate(a netip.Addr) (geo.Place, bool) { return l.Places.Locate(a) }

// Now is the system's clock.
func (l Local) Now() time.Time { return time.Now() }

// RequestID fills id with 40 random bytes in base64url, which end in "==" (facts: cloudfront-dataplane 6).
func (l Local) RequestID(id *[IDLength]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := 0; i < 50; i += 10 {
		n := rand.Uint64()
		for j := range 10 {
			id[i+j] = alphabet[n&63]
			n >>= 6
		}
	}
	n := rand.Uint64()
	id[50], id[51], id[52] = alphabet[n&63], alphabet[n>>6&63], alphabet[n>>12&63]
	id[53] = alphabet[n>>18&3<<4] // the last two bits of 320
	id[54], id[55] = '=', '='
}

// Lookup asks the cache.
func (l Local) Lookup(key []byte) *cache.Object { return l.Cache.Lookup(key) }

// Join joins or opens a flight.
func (l Local) Join(key []byte) (*cache.Flight, bool) { return l.Cache.Join(key) }

// LogFunction drops it.
func (l Local) LogFunction(*FunctionLog) {}

// Admit stores.
func (l Local) Admit(key []byte, o *cache.Object) { l.Cache.Admit(key, o) }

// AdmitPart stores a part.
func (l Local) AdmitPart(key []byte, o *cache.Object, p cache.Part) []byte {
	return l.Cache.AdmitPart(key, o, p)
}

// Follow finds an open flight.
func (l Local) Follow(key []byte) *cache.Flight { return l.Cache.Follow(key) }

// Epoch asks the cache.
func (l Local) Epoch() uint64 { return l.Cache.Epoch() }

// NewStream makes a stream of the cache.
func (l Local) NewStream(src io.ReadCloser, opts cache.StreamOptions) (*cache.Stream, *cache.Reader) {
	return l.Cache.NewStream(src, opts)
}

// Remove removes.
func (l Local) Remove(key []byte) { l.Cache.Remove(key) }
