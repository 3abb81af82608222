// Package http1 is Foregate's HTTP/1.1 engine: it turns bytes of a connection into message.Request and message.Response and
// back, as a server (ServeConn) and as a client (ClientConn).
//
// Start with ServeConn and Options, or with NewClientConn. One goroutine serves a connection with blocking reads. Whatever
// could make two parties see different messages in the same bytes (rfc9112 11.2) is refused before a handler sees it, and
// whatever a handler returns is serialised anew and checked, so that no field can carry a line break out.
//
// The package must not know CloudFront or API Gateway: texts and odd status codes of refusals come from Options.Reject.
//
// Caveats:
//   - The *message.Request and its Header belong to the engine again once Serve has returned and the response's body is
//     closed: the next request of the connection reuses them. Code that outlives that (a revalidation in the background, a
//     log written later) takes Clone first. Strings are never reused, so they may be kept. A body that is read too late
//     returns an error and never bytes of another request.
//   - Trailer fields are checked and dropped. Expect: 100-continue is answered when the handler first reads the body.
//   - Only WebSocket upgrades are surfaced; other Upgrade fields are removed, as a server may ignore them (rfc9110 7.8).
//   - A client that goes away is noticed when something is read or written, or by the watch of Options.Watch.
package http1
