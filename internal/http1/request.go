package http1

import (
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// requestHead is a parsed request head. Its strings point into one copy of the head.
type requestHead struct {
	method   string
	path     string
	query    string
	hasQuery bool
	host     string
	scheme   string // of an absolute-form target, else ""
	proto    message.Proto
	fields   message.Header
	lines    string
	framing
}

// parse reads a whole head, empty line included. scheme is that of the connection.
func (p *requestHead) parse(head, scheme string, maxFields int) *Error {
	nl := strings.IndexByte(head, '\n')
	if nl < 1 {
		return malformed("no request line")
	}
	target, err := p.requestLine(head[:nl-1])
	if err != nil {
		return err
	}
	p.lines = head[nl+1:]
	h, why := parseFields(p.lines, p.fields[:0], maxFields)
	if why == tooManyFields {
		return &Error{Kind: HeadTooBig, Reason: why}
	}
	if why == "" {
		h, why = p.split(h)
	}
	p.fields = h
	if why == "" {
		why = p.setTarget(target)
	}
	if why == "" {
		why = p.setHost(scheme)
	}
	if why == "" {
		why = p.checkFraming()
	}
	if why != "" {
		return malformed(why)
	}
	if p.hasExpect && p.proto == message.HTTP11 && !strings.EqualFold(p.expect, "100-continue") {
		return &Error{Kind: Expectation, Reason: "Expect is not 100-continue"} // rfc9110 10.1.1
	}
	return nil
}

// requestLine parses "method SP target SP HTTP/1.x" with single spaces (rfc9112 3).
func (p *requestHead) requestLine(line string) (target string, err *Error) {
	sp := strings.IndexByte(line, ' ')
	if sp < 1 || !all(line[:sp], isToken) {
		return "", malformed("invalid method")
	}
	end := strings.LastIndexByte(line, ' ')
	if end == sp {
		return "", malformed("request line without a version")
	}
	target, version := line[sp+1:end], line[end+1:]
	switch version {
	case "HTTP/1.1":
		p.proto = message.HTTP11
	case "HTTP/1.0":
		p.proto = message.HTTP10
	default:
		if len(version) == 8 && version[:5] == "HTTP/" && version[6] == '.' && isDigit(version[5]) && isDigit(version[7]) {
			return "", &Error{Kind: Version, Reason: version}
		}
		return "", malformed("invalid version in the request line")
	}
	if !ValidTarget(target) {
		return "", malformed("forbidden character in the request target")
	}
	p.method = line[:sp]
	return target, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// setTarget takes the four forms of rfc9112 3.2 apart. For an absolute form, host is set to its authority.
func (p *requestHead) setTarget(t string) string {
	p.scheme, p.host, p.path = "", "", ""
	p.query, p.hasQuery = "", false
	switch {
	case p.method == "CONNECT":
		if name, port := splitHost(t); name == "" || port == "" || !ValidHost(t) {
			return "CONNECT without host and port"
		}
		p.host = t
		return ""
	case t[0] == '/':
		p.path = t
	case t == "*":
		if p.method != "OPTIONS" {
			return "target * of a method other than OPTIONS"
		}
		p.path = t
		return ""
	default:
		if why := p.absolute(t); why != "" {
			return why
		}
	}
	p.path, p.query, p.hasQuery = strings.Cut(p.path, "?")
	if p.path == "" {
		p.path = "/"
		if p.method == "OPTIONS" && !p.hasQuery {
			p.path = "*" // rfc9112 3.2.4
		}
	}
	return ""
}

func (p *requestHead) absolute(t string) string {
	scheme, rest, ok := strings.Cut(t, "://")
	switch {
	case ok && strings.EqualFold(scheme, "http"):
		p.scheme = "http"
	case ok && strings.EqualFold(scheme, "https"):
		p.scheme = "https"
	default:
		return "request target of an unknown form"
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	p.host, p.path = rest[:end], rest[end:]
	if !ValidHost(p.host) {
		return "invalid authority in the request target" // userinfo among them: rfc9110 4.2.4
	}
	return ""
}

// setHost checks the Host field against the target and makes host what the sender named.
func (p *requestHead) setHost(scheme string) string {
	named := p.framing.host
	switch {
	case p.hosts > 1:
		return "more than one Host"
	case p.hosts == 0 && p.proto == message.HTTP11:
		return "no Host" // rfc9112 3.2
	case p.hosts == 1 && named == "":
		return "empty Host"
	case p.hosts == 1 && !ValidHost(named):
		return "invalid Host"
	}
	if p.scheme != "" {
		scheme = p.scheme
	}
	if p.method == "CONNECT" {
		return "" // a tunnel's Host says nothing about the request in it
	}
	if p.scheme != "" && p.hosts == 1 && !strings.EqualFold(TrimPort(p.host, scheme), TrimPort(named, scheme)) {
		return "Host differs from the request target"
	}
	if p.scheme == "" {
		p.host = named
	}
	p.host = TrimPort(p.host, scheme)
	return ""
}

func (p *requestHead) checkFraming() string {
	if p.chunked && p.proto == message.HTTP10 {
		return "Transfer-Encoding in HTTP/1.0" // rfc9112 6.1
	}
	if p.method == "CONNECT" && (p.chunked || p.length > 0) {
		return "CONNECT with a body"
	}
	return ""
}

// hasBody tells whether bytes follow the head.
func (p *requestHead) hasBody() bool { return p.chunked || p.length > 0 }

// persists tells whether the sender lets the connection live on (rfc9112 9.3).
func (p *requestHead) persists() bool {
	if p.proto == message.HTTP10 {
		return p.keepAlive && !p.close
	}
	return !p.close
}

// wantsUpgrade tells whether this is a WebSocket handshake as far as HTTP is concerned (rfc6455 4.1).
func (p *requestHead) wantsUpgrade() bool {
	return p.upgrade && p.proto == message.HTTP11 && p.method == "GET" && !p.hasBody() && strings.EqualFold(p.upgradeTo, "websocket")
}
