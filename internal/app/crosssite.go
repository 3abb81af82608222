package app

import (
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// fromAnotherSite tells whether a browser sends a request to the AWS API for a page that did not come from here, and the
// request may change something. Such a page cannot read the answer, since there are no CORS fields; but the root key is
// no secret, so it can sign what it sends without a preflight: a function, say, that then runs on this machine.
//
// Browsers tell of it in Sec-Fetch-Site, which goes to loopback and to TLS only, and in Origin, which goes with all methods
// but GET and HEAD (the Fetch and Fetch Metadata standards). Of these two only the query protocol's Action changes
// something; where a browser sends neither field with it, it is refused as well.
func fromAnotherSite(r *message.Request) bool {
	safe := r.Method == "GET" || r.Method == "HEAD"
	if safe && !strings.Contains(r.Query, "Action=") {
		return false
	}
	switch site, told := r.Header.Lookup("Sec-Fetch-Site"); {
	case told:
		return site != "same-origin" && site != "none"
	case r.Header.Has("Origin"):
		_, host, _ := strings.Cut(r.Header.Get("Origin"), "://")
		return host == "" || !strings.EqualFold(host, r.Host)
	}
	return safe && strings.HasPrefix(r.Header.Get("User-Agent"), "Mozilla/")
}
