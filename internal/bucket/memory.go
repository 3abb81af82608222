package bucket

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory keeps objects in memory. Make one with NewMemory.
type Memory struct {
	now  func() time.Time
	mu   sync.RWMutex
	keys []string // sorted
	byID map[string]*memoryObject
}

// memoryObject is immutable.
type memoryObject struct {
	info Info
	data []byte
}

// NewMemory returns an empty store; now is the clock, nil means time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, byID: map[string]*memoryObject{}}
}

// Head returns what is known of an object.
func (m *Memory) Head(_ context.Context, key string) (Info, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.byID[key]
	if !ok {
		return Info{}, ErrNotFound
	}
	return o.info, nil
}

type closingReader struct{ *bytes.Reader }

func (closingReader) Close() error { return nil }

// Get opens an object.
func (m *Memory) Get(_ context.Context, key string) (*Object, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.byID[key]
	if !ok {
		return nil, ErrNotFound
	}
	return &Object{Info: o.info, Content: closingReader{bytes.NewReader(o.data)}}, nil
}

// listStep is how many keys List copies under the lock at a time.
const listStep = 1000

// List yields keys in order.
func (m *Memory) List(_ context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			part := m.part(prefix, after)
			for _, k := range part {
				if !yield(k, nil) {
					return
				}
			}
			if len(part) < listStep {
				return
			}
			after = part[len(part)-1]
		}
	}
}

func (m *Memory) part(prefix, after string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, found := slices.BinarySearch(m.keys, max(prefix, after))
	if found && after >= prefix {
		i++
	}
	var out []string
	for ; i < len(m.keys) && len(out) < listStep && strings.HasPrefix(m.keys[i], prefix); i++ {
		out = append(out, m.keys[i])
	}
	return out
}

// Put keeps an object.
func (m *Memory) Put(_ context.Context, key string, body io.Reader, a Attributes) (Info, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return Info{}, fmt.Errorf("read object %q: %w", key, err)
	}
	if a.ContentType == "" {
		a.ContentType = defaultContentType
	}
	sum := md5.Sum(data)
	o := &memoryObject{Info{Attributes: a, Size: int64(len(data)), ModTime: m.now().UTC().Truncate(time.Second),
		ETag: `"` + hex.EncodeToString(sum[:]) + `"`}, data}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, found := slices.BinarySearch(m.keys, key); !found {
		m.keys = slices.Insert(m.keys, i, key)
	}
	m.byID[key] = o
	return o.info, nil
}

// Delete removes an object.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, found := slices.BinarySearch(m.keys, key); found {
		m.keys = slices.Delete(m.keys, i, i+1)
		delete(m.byID, key)
	}
	return nil
}
