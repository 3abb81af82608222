package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rootFile is where serve keeps the root key of its account, in the form of the AWS CLI's credentials file.
const rootFile = "root-credentials"

// key is an access key with its secret.
type key struct{ id, secret string }

// localRoot is the root key of a node that only its own machine reaches: what local AWS clients are given everywhere.
var localRoot = key{"test", "test"}

// rootKey returns the root key of the data folder, and makes one when there is none. A key that everybody knows would give
// the node to whoever reaches its port.
func rootKey(data string) (key, string, error) {
	path := filepath.Join(data, rootFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k := key{"AKIA" + rand.Text()[:16], rand.Text() + rand.Text()[:14]}
		text = fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", k.id, k.secret)
		if err := os.MkdirAll(data, 0o700); err != nil {
			return key{}, path, fmt.Errorf("make the data folder: %w", err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return key{}, path, fmt.Errorf("keep the root key: %w", err)
		}
		return k, path, nil
	}
	if err != nil {
		return key{}, path, fmt.Errorf("read the root key: %w", err)
	}
	v, err := readProfile(text, "default")
	k := key{v.AccessKeyID, v.Secret}
	if err != nil {
		k = key{}
	}
	if len(k.id) < 16 || len(k.secret) < 16 {
		return key{}, path, fmt.Errorf("read %q: want aws_access_key_id and aws_secret_access_key with 16 characters or more each; remove the file to have a new key made", path)
	}
	return k, path, nil
}
