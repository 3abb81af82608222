package app

import (
	"testing"

	"github.com/foregate/foregate/internal/message"
)

func TestFromAnotherSite(t *testing.T) {
	for _, c := range []struct {
		name, method, query string
		header              message.Header
		want                bool
	}{
		{"an SDK", "POST", "", nil, false},
		{"an SDK that gets", "GET", "Action=ListUsers", nil, false},
		{"a form of another site", "POST", "", message.Header{{Name: "Sec-Fetch-Site", Value: "cross-site"}}, true},
		{"another port of this machine", "POST", "", message.Header{{Name: "Sec-Fetch-Site", Value: "same-site"}}, true},
		{"a page from here", "POST", "", message.Header{{Name: "Sec-Fetch-Site", Value: "same-origin"}, {Name: "Origin", Value: "http://127.0.0.1:4566"}}, false},
		{"a browser that tells the origin only", "POST", "", message.Header{{Name: "Origin", Value: "http://evil.example"}}, true},
		{"a page without an origin", "PUT", "", message.Header{{Name: "Origin", Value: "null"}}, true},
		{"the origin is this one", "POST", "", message.Header{{Name: "Origin", Value: "HTTP://127.0.0.1:4566"}}, false},
		{"an image of another site", "GET", "X-Amz-Signature=x", message.Header{{Name: "Sec-Fetch-Site", Value: "cross-site"}}, false},
		{"an image that acts", "GET", "Action=CreateUser", message.Header{{Name: "Sec-Fetch-Site", Value: "cross-site"}}, true},
		{"an image that acts, of a browser that tells nothing", "GET", "Action=CreateUser", message.Header{{Name: "User-Agent", Value: "Mozilla/5.0"}}, true},
		{"a person who typed it", "GET", "Action=ListUsers", message.Header{{Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Sec-Fetch-Site", Value: "none"}}, false},
	} {
		r := &message.Request{Method: c.method, Host: "127.0.0.1:4566", Path: "/", Query: c.query, Header: c.header}
		if got := fromAnotherSite(r); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
