// Package service holds what the handlers of all AWS services share: the store, the clock, and the making of ids.
//
// Start with Env. Each service has a package below that implements its awsapi Handler. A handler validates, commits and
// answers; it must not know whether a template or a client called it, and never touches a plan: compiling follows from the
// commit.
package service

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/foregate/foregate/internal/store"
)

// Env is what every handler stands on.
type Env struct {
	Store *store.Store
	Now   func() time.Time
	// Account is the twelve digits of the account that all resources belong to.
	Account string
	// Serving is the revision that the data plane serves; nil when nothing serves, and every revision counts as served.
	Serving func() uint64
	// Seed makes secrets of template resources stable from run to run; it is a secret of this machine.
	Seed []byte
	// Quotas are those that differ from AWS's defaults, by QuotaNames.
	Quotas map[string]int
	// KeyPairs are the ids of the account's CloudFront key pairs, sorted.
	KeyPairs []string
}

// The alphabets of AWS's ids.
const (
	Upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	Lower   = "abcdefghijklmnopqrstuvwxyz0123456789"
	Base64  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	Decimal = "0123456789"
)

// NewID makes an id. A resource of a template gets the same id at
// every run, so that addresses stay what they were; it is made from stack, logical id and kind. Other ids are random. taken
// tells which ids are in use already.
func (e *Env) NewID(ctx context.Context, id ID, taken func(string) bool) string {
	src := store.SourceOf(ctx)
	for attempt := uint64(0); ; attempt++ {
		var sum [32]byte
		if src == (store.Source{}) {
			rand.Read(sum[:])
		} else {
			sum = digest(nil, attempt, e.Account, src.Stack, src.LogicalID, id.Kind)
		}
		if s := id.Prefix + spell(sum, id.Alphabet, id.Length); taken == nil || !taken(s) {
			return s
		}
	}
}

// ID says what an id looks like: Prefix, then Length characters of Alphabet.
type ID struct {
	Kind, Prefix, Alphabet string
	Length                 int
}

// NewSecret makes a secret. For a resource of a template it is the same at every run on this
// machine, and cannot be guessed without the machine's seed.
func (e *Env) NewSecret(ctx context.Context, id ID) string {
	var sum [32]byte
	if src := store.SourceOf(ctx); src == (store.Source{}) || len(e.Seed) == 0 {
		rand.Read(sum[:])
	} else {
		sum = digest(e.Seed, 0, e.Account, src.Stack, src.LogicalID, id.Kind)
	}
	return id.Prefix + spell(sum, id.Alphabet, id.Length)
}

// NewUUID makes a UUID of version 4, stable for resources of templates as NewID's ids are.
func (e *Env) NewUUID(ctx context.Context, kind string, taken func(string) bool) string {
	return e.NewID(ctx, ID{Kind: kind, Alphabet: uuid}, taken)
}

// uuid marks the alphabet of NewUUID.
const uuid = "uuid"

// ETag makes a version mark as CloudFront's: E and 13 capitals or digits, different for each revision of a resource.
func ETag(id string, revision uint64) string {
	return "E" + spell(digest(nil, revision, "etag", id), Upper, 13)
}

func digest(seed []byte, n uint64, names ...string) (sum [32]byte) {
	h := hmac.New(sha256.New, seed)
	for _, s := range names {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	h.Write(binary.BigEndian.AppendUint64(nil, n))
	copy(sum[:], h.Sum(nil))
	return sum
}

// spell writes sum in alphabet. Each character comes from a byte of its own stream, so that n may be any length.
func spell(sum [32]byte, alphabet string, n int) string {
	if alphabet == uuid {
		sum[6] = sum[6]&0x0f | 0x40
		sum[8] = sum[8]&0x3f | 0x80
		x := hex.EncodeToString(sum[:16])
		return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	}
	out := make([]byte, 0, n)
	// Bytes above the largest multiple of the alphabet's length would favour its first characters.
	limit := 256 - 256%len(alphabet)
	for block := byte(0); len(out) < n; block++ {
		for _, b := range sha256.Sum256(append(sum[:], block)) {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}
