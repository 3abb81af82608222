package app

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/sigv4"
)

// originCredentials are what requests to origins with access control are signed with when they go over the network: a profile of
// the AWS CLI's credentials file, or such a file of its own. The file is read again when it has changed, as it does when its
// credentials are temporary.
type originCredentials struct {
	path, profile string

	mu      sync.Mutex
	looked  time.Time
	changed time.Time
	value   sigv4.Credentials
}

// lookAgain is how long a file is trusted not to have changed.
const lookAgain = 5 * time.Second

// openOriginCredentials reads what --origin-credentials names: a path when it has a separator, else a profile.
func openOriginCredentials(name string) (*originCredentials, error) {
	c := &originCredentials{path: name, profile: "default"}
	if !strings.ContainsRune(name, filepath.Separator) {
		c.profile = name
		if c.path = os.Getenv("AWS_SHARED_CREDENTIALS_FILE"); c.path == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, fmt.Errorf("find the AWS CLI's credentials file: %w", err)
			}
			c.path = filepath.Join(home, ".aws", "credentials")
		}
	}
	if _, err := c.get(); err != nil {
		return nil, usage("--origin-credentials %s: %v", name, err)
	}
	return c, nil
}

// get returns the credentials. What was read before stays good when the file cannot be read at the moment.
func (c *originCredentials) get() (sigv4.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.value.AccessKeyID != "" && now.Sub(c.looked) < lookAgain {
		return c.value, nil
	}
	c.looked = now
	info, err := os.Stat(c.path)
	if err == nil && c.value.AccessKeyID != "" && info.ModTime().Equal(c.changed) {
		return c.value, nil
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(c.path)
	}
	var v sigv4.Credentials
	if err == nil {
		v, err = readProfile(text, c.profile)
	}
	switch {
	case err == nil:
		c.value, c.changed = v, info.ModTime()
	case c.value.AccessKeyID == "":
		return v, fmt.Errorf("read credentials: %w", err)
	}
	return c.value, nil
}

// readProfile reads a profile of a file in the form of the AWS CLI's credentials file.
func readProfile(text []byte, profile string) (sigv4.Credentials, error) {
	var v sigv4.Credentials
	here, found := false, false
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			here = strings.TrimSpace(strings.Trim(line, "[]")) == profile
			found = found || here
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		if value = strings.TrimSpace(value); !here {
			continue
		}
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			v.AccessKeyID = value
		case "aws_secret_access_key":
			v.Secret = value
		case "aws_session_token":
			v.SessionToken = value
		}
	}
	switch {
	case !found:
		return v, fmt.Errorf("there is no profile %q", profile)
	case v.AccessKeyID == "" || v.Secret == "":
		return v, errors.New("the profile has no aws_access_key_id and aws_secret_access_key: profiles with a role or a process are not followed, write their credentials into a file")
	}
	return v, nil
}
