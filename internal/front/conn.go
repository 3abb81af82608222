package front

// conn is a connection of a client.
type conn struct{}
