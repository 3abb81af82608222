package iam

import (
	"strings"
	"unicode/utf8"
)

// pattern is a policy string that may have wildcards and variables, compiled.
type pattern struct {
	text string
	// tokens are only kept when there are variables; otherwise glob is final.
	tokens []patternToken
	glob   glob
}

type tokenKind uint8

const (
	literal tokenKind = iota
	star
	question
	variable
)

type patternToken struct {
	kind tokenKind
	// text is the literal, or a variable's key in lower case.
	text string
	// fallback is the default of a variable, ${key, 'default'}.
	fallback    string
	hasFallback bool
}

// syntax says what a pattern may hold besides wildcards.
type syntax uint8

const (
	plain syntax = 0
	// withVars reads ${…}, which only version 2012-10-17 has.
	withVars syntax = 1 << iota
	// foldCase matches letters in either case; the text to match must be in lower case.
	foldCase
)

func compilePattern(text string, how syntax) pattern {
	p := pattern{text: text}
	src := text
	if how&foldCase != 0 {
		src = strings.ToLower(text)
	}
	tokens, hasVars := tokenize(src, how)
	if hasVars {
		p.tokens = tokens
	} else {
		p.glob = compileGlob(tokens)
	}
	return p
}

func tokenize(s string, how syntax) (tokens []patternToken, hasVars bool) {
	lit := 0
	flush := func(end int) {
		if end > lit {
			tokens = append(tokens, patternToken{kind: literal, text: s[lit:end]})
		}
	}
	for i := 0; i < len(s); {
		switch {
		case s[i] == '*', s[i] == '?':
			flush(i)
			k := star
			if s[i] == '?' {
				k = question
			}
			tokens = append(tokens, patternToken{kind: k})
			i++
			lit = i
		case how&withVars != 0 && strings.HasPrefix(s[i:], "${") && strings.IndexByte(s[i:], '}') > 0:
			flush(i)
			end := i + strings.IndexByte(s[i:], '}')
			t := variableToken(s[i+2 : end])
			hasVars = hasVars || t.kind == variable
			tokens = append(tokens, t)
			i = end + 1
			lit = i
		default:
			i++
		}
	}
	flush(len(s))
	return tokens, hasVars
}

// variableToken reads the inside of ${…}. ${*}, ${?} and ${$} stand for the character itself (IAM guide,
// reference_policies_variables).
func variableToken(s string) patternToken {
	if s == "*" || s == "?" || s == "$" {
		return patternToken{kind: literal, text: s}
	}
	t := patternToken{kind: variable}
	key, def, has := strings.Cut(s, ",")
	t.text = strings.ToLower(strings.TrimSpace(key))
	if def = strings.TrimSpace(def); has && len(def) >= 2 && def[0] == '\'' && def[len(def)-1] == '\'' {
		t.fallback, t.hasFallback = def[1:len(def)-1], true
	}
	return t
}

// resolve puts the values of variables in; false when one has no value, which makes the whole pattern match nothing (IAM
// guide, reference_policies_variables). Values are literal: a wildcard in them is just a character.
func (p *pattern) resolve(keys Keys) (*glob, bool) {
	if p.tokens == nil {
		return &p.glob, true
	}
	out := make([]patternToken, len(p.tokens))
	for i, t := range p.tokens {
		out[i] = t
		if t.kind != variable {
			continue
		}
		v, ok := keys.Lookup(t.text)
		switch {
		case ok && len(v) == 1:
			out[i] = patternToken{kind: literal, text: v[0]}
		case t.hasFallback:
			out[i] = patternToken{kind: literal, text: t.fallback}
		default:
			return nil, false
		}
	}
	g := compileGlob(out)
	return &g, true
}

// match tells whether the pattern with its variables resolved matches s.
func (p *pattern) match(s string, keys Keys) bool {
	g, ok := p.resolve(keys)
	return ok && g.match(s)
}

// glob is a pattern without variables, cut at its stars. Between two stars the leftmost place where a piece fits is as
// good as any other, so matching never goes back over a star: the time is linear in the text for pieces of plain
// characters, and at most text × piece for pieces with question marks.
type glob struct {
	// pieces has one element more than there are stars.
	pieces []piece
	any    bool // the pattern is "*"
}

// piece is text in which the question marks stand apart: parts are joined by single question marks.
type piece struct{ parts []string }

func compileGlob(tokens []patternToken) glob {
	var g glob
	cur := piece{parts: []string{""}}
	for _, t := range tokens {
		last := len(cur.parts) - 1
		switch t.kind {
		case star:
			g.pieces = append(g.pieces, cur)
			cur = piece{parts: []string{""}}
		case question:
			cur.parts = append(cur.parts, "")
		default:
			cur.parts[last] += t.text
		}
	}
	g.pieces = append(g.pieces, cur)
	g.any = len(tokens) == 1 && tokens[0].kind == star
	return g
}

func (g *glob) match(s string) bool {
	if g.any {
		return true
	}
	end, ok := g.pieces[0].at(s, 0)
	if !ok {
		return false
	}
	n := len(g.pieces)
	if n == 1 {
		return end == len(s)
	}
	for i := 1; i < n-1; i++ {
		if end, ok = g.pieces[i].find(s, end); !ok {
			return false
		}
	}
	start, ok := g.pieces[n-1].suffix(s)
	return ok && start >= end
}

// at matches the piece at i and returns where it ends.
func (p *piece) at(s string, i int) (int, bool) {
	for j, part := range p.parts {
		if j > 0 {
			if i >= len(s) {
				return 0, false
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
		}
		if !strings.HasPrefix(s[i:], part) {
			return 0, false
		}
		i += len(part)
	}
	return i, true
}

// find returns the end of the leftmost match at or after i.
func (p *piece) find(s string, i int) (int, bool) {
	if len(p.parts) == 1 {
		k := strings.Index(s[i:], p.parts[0])
		return i + k + len(p.parts[0]), k >= 0
	}
	for {
		if p.parts[0] != "" {
			k := strings.Index(s[i:], p.parts[0])
			if k < 0 {
				return 0, false
			}
			i += k
		}
		if end, ok := p.at(s, i); ok {
			return end, true
		}
		if i >= len(s) {
			return 0, false
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
}

// suffix matches the piece at the end of s and returns where it starts.
func (p *piece) suffix(s string) (int, bool) {
	i := len(s)
	for j := len(p.parts) - 1; j >= 0; j-- {
		if !strings.HasSuffix(s[:i], p.parts[j]) {
			return 0, false
		}
		i -= len(p.parts[j])
		if j > 0 {
			if i == 0 {
				return 0, false
			}
			_, n := utf8.DecodeLastRuneInString(s[:i])
			i -= n
		}
	}
	return i, true
}
