// Package front is the door: it listens, speaks TLS, and leads each request to the service that its host names.
//
// Start with Builder, which makes a Snapshot (DNS name → service), and Front, which serves the current one on a listener
// and swaps in the next without losing a request. One port takes everything: clear and TLS by the first byte, HTTP/1.1 and
// HTTP/2, forward-proxy requests, and the AWS API. Front.Handler is the same way in without a socket.
//
// The package must not know resources, the store, or what a service does with a request. It changes nothing in a message
// but what concerns the door itself: the host loses its port, its dot, its capitals and the suffix .localhost, and a
// client that came by a .localhost name gets the suffix and the port put back in Location headers that point at hosts of
// the stack, so that a redirect leads back here.
package front
