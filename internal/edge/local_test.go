package edge

import (
	"encoding/base64"
	"testing"
)

// An id is 40 random bytes in base64url (facts: cloudfront-dataplane 6).
func TestRequestID(t *testing.T) {
	var seen [40]byte
	for range 1000 {
		var id [IDLength]byte
		Local{}.RequestID(&id)
		b, err := base64.URLEncoding.Strict().DecodeString(string(id[:]))
		if err != nil || len(b) != 40 {
			t.Fatalf("%q: %v", id, err)
		}
		for i := range seen {
			seen[i] |= b[i]
		}
	}
	for i, b := range seen {
		if b != 255 {
			t.Errorf("byte %d is never more than %x", i, b)
		}
	}
}
