package vtl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// units counts the UTF-16 units of s, which is what Java's length is.
func units(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return len(utf16.Encode([]rune(s)))
		}
		n++
	}
	return n
}

// substring cuts by UTF-16 units.
func substring(s string, from, to int) string {
	if units(s) == len(s) {
		return s[from:to]
	}
	return string(utf16.Decode(utf16.Encode([]rune(s))[from:to]))
}

func (r *run) stringCall(s, name string, args []Value) (Value, error) {
	if err := r.step(1 + len(s)/32); err != nil {
		return nil, err
	}
	switch len(args) {
	case 0:
		return r.stringCall0(s, name), nil
	case 1:
		if name == "substring" || name == "charAt" {
			return cut(s, name, args)
		}
		arg, err := r.text(args[0])
		if err != nil {
			return nil, err
		}
		if err := r.step(1 + len(arg)/32); err != nil {
			return nil, err
		}
		return r.stringCall1(s, name, arg)
	case 2:
		return r.stringCall2(s, name, args)
	}
	return nil, nil
}

func (r *run) stringCall0(s, name string) Value {
	switch name {
	case "length":
		return int64(units(s))
	case "isEmpty":
		return s == ""
	case "isBlank":
		return strings.TrimSpace(s) == ""
	case "trim", "strip":
		return strings.TrimSpace(s)
	case "toLowerCase":
		return strings.ToLower(s)
	case "toUpperCase":
		return strings.ToUpper(s)
	case "intern":
		return s
	case "hashCode":
		var h int32
		for _, u := range utf16.Encode([]rune(s)) {
			h = 31*h + int32(u)
		}
		return int64(h)
	}
	return nil
}

func (r *run) stringCall1(s, name, arg string) (Value, error) {
	switch name {
	case "contains":
		return strings.Contains(s, arg), nil
	case "startsWith":
		return strings.HasPrefix(s, arg), nil
	case "endsWith":
		return strings.HasSuffix(s, arg), nil
	case "equalsIgnoreCase":
		return strings.EqualFold(s, arg), nil
	case "compareTo":
		return int64(strings.Compare(s, arg)), nil
	case "concat":
		return r.bounded(s + arg)
	case "indexOf", "lastIndexOf":
		i := strings.Index(s, arg)
		if name == "lastIndexOf" {
			i = strings.LastIndex(s, arg)
		}
		if i > 0 {
			i = units(s[:i])
		}
		return int64(i), nil
	case "matches":
		re, err := pattern("^(?:" + arg + ")$")
		if err != nil {
			return nil, err
		}
		return re.MatchString(s), nil
	case "split":
		return r.split(s, arg, 0)
	}
	return nil, nil
}

func (r *run) stringCall2(s, name string, args []Value) (Value, error) {
	switch name {
	case "substring":
		return cut(s, name, args)
	case "split":
		re, err := r.text(args[0])
		if err != nil {
			return nil, err
		}
		n, ok := args[1].(int64)
		if !ok {
			return nil, nil
		}
		return r.split(s, re, int(n))
	case "replace", "replaceAll", "replaceFirst":
	default:
		return nil, nil
	}
	from, err := r.text(args[0])
	if err != nil {
		return nil, err
	}
	to, err := r.text(args[1])
	if err != nil {
		return nil, err
	}
	if name == "replace" {
		if n := strings.Count(s, from); len(s)+n*(len(to)-len(from)) > MaxOutput {
			return nil, fmt.Errorf("string of more than %d bytes", MaxOutput)
		}
		return r.bounded(strings.ReplaceAll(s, from, to))
	}
	limit := -1
	if name == "replaceFirst" {
		limit = 1
	}
	return r.replaceRegexp(s, from, to, limit)
}

// pattern compiles a regular expression. What RE2 lacks is an error rather than another meaning.
func pattern(src string) (*regexp.Regexp, error) {
	if len(src) > 8192 {
		return nil, errors.New("regular expression of more than 8192 bytes")
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", src, err)
	}
	return re, nil
}

func (r *run) replaceRegexp(s, from, to string, limit int) (Value, error) {
	if err := r.step(len(from) + len(s)/8); err != nil {
		return nil, err
	}
	re, err := pattern(from)
	if err != nil {
		return nil, err
	}
	var b []byte
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, limit) {
		b = append(b, s[last:m[0]]...)
		if b, err = expand(b, to, s, m); err != nil {
			return nil, err
		}
		if len(b) > MaxOutput {
			return nil, fmt.Errorf("string of more than %d bytes", MaxOutput)
		}
		last = m[1]
	}
	return r.bounded(string(b) + s[last:])
}

// expand writes a replacement: $1 is a group, and a backslash takes what follows as it stands (java.util.regex.Matcher).
func expand(b []byte, to, s string, m []int) ([]byte, error) {
	for i := 0; i < len(to); i++ {
		switch c := to[i]; {
		case c == '\\':
			if i++; i == len(to) {
				return nil, errors.New("replacement ends in a backslash")
			}
			b = append(b, to[i])
		case c == '$':
			if i++; i == len(to) || to[i] < '0' || to[i] > '9' {
				return nil, errors.New("replacement has a dollar sign without a group")
			}
			g := int(to[i] - '0')
			if 2*g+1 >= len(m) {
				return nil, fmt.Errorf("replacement names group %d, which is not there", g)
			}
			if m[2*g] >= 0 {
				b = append(b, s[m[2*g]:m[2*g+1]]...)
			}
		default:
			b = append(b, c)
		}
	}
	return b, nil
}

// split is String.split: without a limit, empty strings at the end are dropped.
func (r *run) split(s, re string, limit int) (Value, error) {
	if err := r.step(len(re) + len(s)/8); err != nil {
		return nil, err
	}
	p, err := pattern(re)
	if err != nil {
		return nil, err
	}
	l := &List{}
	last := 0
	for _, m := range p.FindAllStringIndex(s, -1) {
		if limit > 0 && len(l.items) == limit-1 {
			break
		}
		// An empty match at the start yields no empty string (Java 8), and one at the end cuts nothing.
		if m[1] == 0 || m[0] == m[1] && m[0] == len(s) {
			continue
		}
		l.items = append(l.items, s[last:m[0]])
		last = m[1]
	}
	l.items = append(l.items, s[last:])
	for limit == 0 && len(l.items) > 1 && l.items[len(l.items)-1] == "" {
		l.items = l.items[:len(l.items)-1]
	}
	return l, r.step(len(l.items))
}

// cut is substring and charAt; an index out of range is Java's exception.
func cut(s, name string, args []Value) (Value, error) {
	n := units(s)
	if name == "charAt" {
		i, err := indexOf(name, args[0], n)
		if err != nil {
			return nil, err
		}
		return substring(s, i, i+1), nil
	}
	to := n
	if len(args) == 2 {
		var err error
		if to, err = indexOf(name, args[1], n+1); err != nil {
			return nil, err
		}
	}
	from, err := indexOf(name, args[0], to+1)
	if err != nil {
		return nil, err
	}
	return substring(s, from, to), nil
}
