package http1

import (
	"errors"
	"fmt"
)

// Kind says what is wrong with a message or a connection.
type Kind uint8

// The kinds of Error.
const (
	Malformed   Kind = iota + 1 // the message breaks the protocol
	HeadTooBig                  // the head is over the limit, in bytes or in fields
	Version                     // a version of HTTP that this engine does not speak
	Expectation                 // an Expect other than 100-continue
	Timeout                     // the other side was too slow
	Incomplete                  // the connection ended within a message
	Unsolicited                 // the other side sent bytes that nobody asked for
	Broken                      // the connection failed
	BadMessage                  // our own side asked for something that may not be sent
)

var kindText = [...]string{
	Malformed: "malformed message", HeadTooBig: "head too big", Version: "unsupported version", Expectation: "unknown expectation",
	Timeout: "timed out", Incomplete: "message incomplete", Unsolicited: "unsolicited bytes", Broken: "connection broken",
	BadMessage: "message not fit to be sent",
}

// String describes the kind in two or three words.
func (k Kind) String() string {
	if int(k) < len(kindText) && kindText[k] != "" {
		return kindText[k]
	}
	return "unknown"
}

// Error is a failure of the protocol engine.
type Error struct {
	Kind   Kind
	Reason string
	Err    error // what the connection or a body said, if that is the cause
}

// Error says what happened.
func (e *Error) Error() string {
	switch {
	case e.Err != nil && e.Reason != "":
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Reason, e.Err)
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", e.Kind, e.Err)
	case e.Reason != "":
		return fmt.Sprintf("%s: %s", e.Kind, e.Reason)
	}
	return e.Kind.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout makes the error a net.Error in what matters.
func (e *Error) Timeout() bool { return e.Kind == Timeout }

func malformed(reason string) *Error { return &Error{Kind: Malformed, Reason: reason} }

// KindOf returns the Kind of the first Error in err's chain, 0 without one.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}
