package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A damaged file is reported: it neither crashes the program nor is it read as something else that is whole.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, clock, things.Decoder())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if _, err := s.Update(t.Context(), func(tx *Tx) error {
			things.Put(tx, "", fmt.Sprint("thing", i), &thing{strings.Repeat("x", 200)})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i, at := 0, 0; at < len(whole); i, at = i+1, at+len(whole)/150 {
		damaged := bytes.Clone(whole)
		for k := range 8 {
			damaged[min(at+k, len(whole)-1)] ^= byte(0x55 + i)
		}
		if i%10 == 9 {
			damaged = damaged[:at]
		}
		path := filepath.Join(t.TempDir(), "store.db")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, clock, things.Decoder())
		if err != nil {
			refused++
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}
