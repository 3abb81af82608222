package template

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/foregate/foregate/internal/diag"
)

// Limits bound what Read accepts; each zero field means the default.
type Limits struct {
	// Bytes is the size of the text, 1 MB by default: the most that CloudFormation takes from S3 (facts: cloudformation 2).
	Bytes int
	// Depth is how deep values nest, 128 by default.
	Depth int
	// Values is how many values the tree may have, with aliases expanded; 250,000 by default.
	Values int
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 1 << 20
	}
	if l.Depth == 0 {
		l.Depth = 128
	}
	if l.Values == 0 {
		l.Values = 250_000
	}
	return l
}

// SyntaxError says why a text could not be read.
type SyntaxError struct {
	// Notation is YAML or JSON.
	Notation string
	Position diag.Position
	// Problem is what is wrong, in lower case.
	Problem string
	// DuplicateKey is the key that stands twice, when that is the problem.
	DuplicateKey string
}

// Error returns position, notation and problem.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s: read %s: %s", e.Position, e.Notation, e.Problem)
}

// Read makes the tree of a YAML or JSON text. A text whose first character is { is JSON, as CloudFormation has it. The file
// name goes into the positions only.
//
// YAML is read as version 1.1 has it where templates depend on it: yes, no, on and off are booleans, 0777 is octal, dates
// are strings, and numbers keep their text. Keys are strings as they were written. Application tags are kept in Value.Tag.
func Read(file string, data []byte, limits Limits) (*Value, *SyntaxError) {
	limits = limits.withDefaults()
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	notation := "YAML"
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		notation = "JSON"
	}
	if len(data) > limits.Bytes {
		return nil, &SyntaxError{Notation: notation, Position: diag.Position{File: file},
			Problem: fmt.Sprintf("the text has %d bytes; the limit is %d", len(data), limits.Bytes)}
	}
	if i := invalidUTF8(data); i >= 0 {
		pos := newLines(file, data).position(i)
		return nil, &SyntaxError{Notation: notation, Position: pos, Problem: "the text is not UTF-8"}
	}
	if notation == "JSON" {
		return readJSON(file, data, limits)
	}
	return readYAML(file, data, limits)
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// lines finds line and column of byte offsets.
type lines struct {
	file   string
	data   []byte
	starts []int
	// offset, line and column are those of the last answer: most questions go on from there, and a generated JSON text may
	// be one line of a megabyte.
	offset, line, column int
}

func newLines(file string, data []byte) *lines {
	l := &lines{file: file, data: data, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// position counts columns in characters, as editors do.
func (l *lines) position(offset int) diag.Position {
	offset = min(offset, len(l.data))
	lo, hi := 0, len(l.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; l.starts[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	from, column := l.starts[lo], 1
	if l.line == lo+1 && l.offset <= offset {
		from, column = l.offset, l.column
	}
	l.offset, l.line, l.column = offset, lo+1, column+utf8.RuneCount(l.data[from:offset])
	return diag.Position{File: l.file, Line: l.line, Column: l.column}
}

// builder counts values and depth, and refuses a key that a map already has.
type builder struct {
	file     string
	notation string
	limits   Limits
	values   int
}

func (b *builder) fail(pos diag.Position, format string, args ...any) *SyntaxError {
	return &SyntaxError{Notation: b.notation, Position: pos, Problem: fmt.Sprintf(format, args...)}
}

func (b *builder) enter(pos diag.Position, depth int) *SyntaxError {
	if b.values++; b.values > b.limits.Values {
		return b.fail(pos, "more than %d values, aliases included", b.limits.Values)
	}
	if depth > b.limits.Depth {
		return b.fail(pos, "values nest deeper than %d", b.limits.Depth)
	}
	return nil
}

// keys finds a key that stands twice. Small maps, which most are, need no index.
type keys map[string]diag.Position

func (k keys) add(b *builder, key string, pos diag.Position) *SyntaxError {
	if first, ok := k[key]; ok {
		err := b.fail(pos, "the key %q stands twice, first at %s", key, first)
		err.DuplicateKey = key
		return err
	}
	k[key] = pos
	return nil
}
