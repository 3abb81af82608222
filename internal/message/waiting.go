package message

import "context"

// WaitingKey is the key under which a context has what Waiting calls, an interface{ Waiting() }.
type WaitingKey struct{}

// Waiting tells whoever serves the request of ctx that its handler is about to wait for something outside: an origin, a
// function, the answer to another request. A protocol engine that runs handlers in the goroutine that reads its connection
// lets another one read on, so that the requests behind this one need not wait too. It may be called any number of times.
func Waiting(ctx context.Context) {
	if w, ok := ctx.Value(WaitingKey{}).(interface{ Waiting() }); ok {
		w.Waiting()
	}
}
