package app

import (
	"crypto"
	"errors"
	"os"
	"regexp"

	"github.com/foregate/foregate/internal/edge/signed"
)

// keyPairForm is an id of a CloudFront key pair, which a root user makes in AWS's console (DG-private-content-trusted-signers).
var keyPairForm = regexp.MustCompile(`^APKA[A-Z0-9]{4,124}$`)

// keyPairs reads ID=FILE arguments: the public keys of the account's CloudFront key pairs.
func keyPairs(args []string) (map[string]crypto.PublicKey, error) {
	const flag = "--key-pair"
	files, err := pairs(flag, "ID=FILE", args)
	if err != nil {
		return nil, err
	}
	out := map[string]crypto.PublicKey{}
	for id, file := range files {
		if !keyPairForm.MatchString(id) {
			return nil, usage("%s %s=%s: want the id of a key pair, which begins with APKA, before the =", flag, id, file)
		}
		if out[id], err = publicKey(file); err != nil {
			return nil, usage("%s %s=%s: %v", flag, id, file, err)
		}
	}
	return out, nil
}

// longestKey is more than a file with a public key has; --key-pair may name any file.
const longestKey = 1 << 16

func publicKey(file string) (crypto.PublicKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > longestKey {
		return nil, errors.New("it is no file with a public key")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return signed.ParseKey(string(text))
}
