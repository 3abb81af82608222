package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

// keyID identifies a signing key. The secret is part of it, so that a changed secret cannot meet an old key.
type keyID struct{ secret, date, region, service string }

// signingKey computes signatures with one derived key; the pooled HMACs keep the key's padding hashed.
type signingKey struct{ macs sync.Pool }

func newSigningKey(id keyID) *signingKey {
	k := mac([]byte("AWS4"+id.secret), id.date)
	k = mac(k, id.region)
	k = mac(k, id.service)
	k = mac(k, terminator)
	return &signingKey{sync.Pool{New: func() any { return hmac.New(sha256.New, k) }}}
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// sign writes the signature of s.sts into s.hex.
func (k *signingKey) sign(s *scratch) {
	h := k.macs.Get().(hash.Hash)
	h.Reset()
	h.Write(s.sts)
	h.Sum(s.sum[:0])
	k.macs.Put(h)
	hex.Encode(s.hex[:], s.sum[:])
}

// keyCacheSize bounds one generation of the cache; two are kept. A key is used for one day, region and service, so even
// a busy node needs a few for each of its callers.
const keyCacheSize = 1024

// keyCache is a bounded cache in two generations: when the young one is full it becomes the old one, and what is used
// again moves back.
type keyCache struct {
	mu         sync.RWMutex
	young, old map[keyID]*signingKey
}

func (c *keyCache) get(id keyID) *signingKey {
	c.mu.RLock()
	k, ok := c.young[id]
	c.mu.RUnlock()
	if ok {
		return k
	}
	// The strings may be parts of a request's header, which must not live as long as the cache.
	id = keyID{strings.Clone(id.secret), strings.Clone(id.date), strings.Clone(id.region), strings.Clone(id.service)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.young[id]; ok {
		return k
	}
	k, ok = c.old[id]
	if !ok {
		k = newSigningKey(id)
	}
	if c.young == nil || len(c.young) >= keyCacheSize {
		c.young, c.old = make(map[keyID]*signingKey), c.young
	}
	c.young[id] = k
	return k
}

func (c *keyCache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
