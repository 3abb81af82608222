package awsapi

import (
	"errors"
	"fmt"
)

// Limits bound what a request may cost before a handler sees it. The zero value means the defaults.
type Limits struct {
	// Body is the most bytes of a body that is read into memory.
	Body int64
	// Bodies is the most bytes of all such bodies at once; a request that would need more is refused.
	Bodies int64
	// Depth is the deepest nesting of elements, objects and lists.
	Depth int
	// Elements is the largest number of elements, attributes, list entries and members in one request.
	Elements int
}

// The defaults. 70,167,211 bytes is what Lambda takes for CreateFunction, a zip of 50 MB in base64; nothing else needs
// as much.
const (
	defaultBody     = 70_167_211
	defaultBodies   = 3 * defaultBody
	defaultDepth    = 64
	defaultElements = 200_000
)

// maxForm is the most bytes of a form: well below a deployment package; Lambda's Invoke with a form's content type, as curl
// sends it, still fits. maxUnsignedForm is for one without a signature, which is read only to find out what it asks for.
const (
	maxForm         = 8 << 20
	maxUnsignedForm = 64 << 10
)

func (l Limits) fill() Limits {
	if l.Body <= 0 {
		l.Body = defaultBody
	}
	if l.Bodies <= 0 {
		l.Bodies = defaultBodies
	}
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Elements <= 0 {
		l.Elements = defaultElements
	}
	return l
}

// budget counts down the limits of one request.
type budget struct{ depth, elements int }

var (
	errTooDeep = errors.New("nesting is too deep")
	errTooMany = errors.New("too many elements")
)

func (l Limits) budget() *budget {
	l = l.fill()
	return &budget{depth: l.Depth, elements: l.Elements}
}

func (b *budget) enter() error {
	b.depth--
	if b.depth < 0 {
		return errTooDeep
	}
	return b.count()
}

func (b *budget) leave() { b.depth++ }

func (b *budget) count() error {
	b.elements--
	if b.elements < 0 {
		return errTooMany
	}
	return nil
}

// errMalformed is a body that is not of its format.
type errMalformed struct {
	code, text string
	err        error
}

func (e *errMalformed) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%s: %v", e.text, e.err)
	}
	return e.text
}

func (e *errMalformed) Unwrap() error { return e.err }
