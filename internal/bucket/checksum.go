package bucket

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// checksum is one of S3's additional checksums (S3 user guide, checking-object-integrity).
type checksum struct {
	name string // as in x-amz-checksum-<name>
	sum  hash.Hash
	// want is the client's value in Base64; "" when it comes in the trailer.
	want string
}

// crc64NVME is the polynomial of CRC-64/NVME, reversed as hash/crc64 wants it.
const crc64NVME = 0x9a6c9329ac4bc9b5

func newChecksum(name string) (hash.Hash, bool) {
	switch name {
	case "crc32":
		return crc32.NewIEEE(), true
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli)), true
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(crc64NVME)), true
	case "sha1":
		return sha1.New(), true
	case "sha256":
		return sha256.New(), true
	}
	return nil, false
}

const checksumPrefix = "x-amz-checksum-"

// checksums notes which checksums the client gives, in headers or announced for the trailer.
func (u *upload) checksums(h message.Header) *s3Error {
	for _, f := range h {
		n := strings.ToLower(f.Name)
		value := f.Value
		if n == "x-amz-trailer" {
			n, value = strings.ToLower(strings.TrimSpace(f.Value)), ""
			if u.chunks == nil {
				continue
			}
		}
		name, ok := strings.CutPrefix(n, checksumPrefix)
		if !ok || name == "mode" || name == "type" || name == "algorithm" {
			continue
		}
		sum, ok := newChecksum(name)
		if !ok {
			e := notImplemented(f.Name)
			return &e
		}
		if raw, err := base64.StdEncoding.DecodeString(value); value != "" && (err != nil || len(raw) != sum.Size()) {
			return &s3Error{code: "InvalidRequest", status: 400, message: "Value for " + n + " header is invalid."}
		}
		u.checks = append(u.checks, &checksum{name, sum, value})
	}
	return nil
}

func (u *upload) compareChecksums() *s3Error {
	for _, c := range u.checks {
		got := base64.StdEncoding.EncodeToString(c.sum.Sum(nil))
		if c.want == "" && u.chunks != nil {
			c.want = u.chunks.Trailer().Get(checksumPrefix + c.name)
		}
		if got != c.want {
			return &s3Error{code: "BadDigest", status: 400, message: "The " + strings.ToUpper(c.name) + " you specified did not match the calculated checksum."}
		}
	}
	return nil
}

// sums returns the checksums as the answer repeats them.
func (u *upload) sums() []message.Field {
	var out []message.Field
	for _, c := range u.checks {
		out = append(out, message.Field{Name: checksumPrefix + c.name, Value: c.want})
	}
	if out != nil {
		out = append(out, message.Field{Name: "x-amz-checksum-type", Value: "FULL_OBJECT"})
	}
	return out
}
