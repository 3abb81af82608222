package cloudfront

import (
	"crypto/sha256"
	"sync"
)

// cacheSize is how many compiled programs a Cache keeps: more than the functions that an account has.
const cacheSize = 256

// Cache keeps what Compile made, by content, so that a change of something else does not compile every function again. Its zero
// value is ready; nil keeps nothing. It also keeps the throttles of functions.
type Cache struct {
	mu        sync.Mutex
	programs  map[[sha256.Size]byte]*Function
	throttles map[string]*Throttle
}

// Throttle is the throttle of a function's name.
func (c *Cache) Throttle(name string) *Throttle {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.throttles[name]
	if t == nil {
		if c.throttles == nil || len(c.throttles) >= cacheSize {
			c.throttles = map[string]*Throttle{}
		}
		t = &Throttle{}
		c.throttles[name] = t
	}
	return t
}

// Compile is Compile, but for code that was compiled before.
func (c *Cache) Compile(s Spec) (*Function, error) {
	if c == nil {
		return Compile(s)
	}
	key := sha256.Sum256(append([]byte(s.Runtime+"\x00"), s.Code...))
	c.mu.Lock()
	known := c.programs[key]
	c.mu.Unlock()
	if known == nil {
		f, err := Compile(s)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if c.programs == nil || len(c.programs) >= cacheSize {
			c.programs = map[[sha256.Size]byte]*Function{}
		}
		c.programs[key] = f
		c.mu.Unlock()
		known = f
	}
	f := *known
	f.Name, f.store = s.Name, s.Store
	return &f, nil
}
