package explain

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/trace"
)

// Style says how text is written.
type Style struct {
	// Color turns on ANSI colours; set it for a terminal only.
	Color bool
	// Verbose shows every step and every header that was sent on, not only those that explain most answers.
	Verbose bool
}

// pen writes with or without colours.
type pen struct {
	w     io.Writer
	style Style
	err   error
}

const (
	red    = "31"
	yellow = "33"
	green  = "32"
	bold   = "1"
	faint  = "2"
)

func (p *pen) paint(code, s string) string {
	if !p.style.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *pen) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// Text writes the explanation for a person: the way of the request, the answer, the findings.
func (e *Explanation) Text(w io.Writer, style Style) error {
	p := &pen{w: w, style: style}
	p.printf("%s %s\n", p.paint(bold, e.Request.Method), p.paint(bold, e.Request.URL))
	for _, h := range e.Request.Headers {
		p.printf("  %s\n", p.paint(faint, h[0]+": "+h[1]))
	}
	p.way(e.Hops, 0)
	p.answer(e)
	WriteFindings(w, e.Findings, style)
	return p.err
}

// way writes the hops from one on, each inside the one that asked it, as the request went and came back.
func (p *pen) way(hops []*trace.Hop, depth int) {
	if len(hops) == 0 {
		return
	}
	h := hops[0]
	indent := strings.Repeat("  ", depth)
	p.printf("\n%s%s %s\n", indent, p.paint(bold, h.Component), h.ID)
	width := 0
	for i := range h.Steps {
		if p.style.Verbose || telling(h, i) {
			width = max(width, len(h.Steps[i].Phase))
		}
	}
	turn := len(h.Steps)
	for i, s := range h.Steps {
		if s.Phase == "fetch" || s.Phase == "integrate" {
			turn = i + 1
		}
	}
	for i := range h.Steps[:turn] {
		p.step(h, i, indent, width)
	}
	p.sent(h.Sent, indent)
	p.way(hops[1:], depth+1)
	if turn < len(h.Steps) && (p.style.Verbose || tellingAny(h, turn)) {
		p.printf("\n%s%s %s\n", indent, p.paint(bold, h.Component), p.paint(faint, h.ID+", on the way back"))
		for i := turn; i < len(h.Steps); i++ {
			p.step(h, i, indent, width)
		}
	}
}

func (p *pen) step(h *trace.Hop, i int, indent string, width int) {
	s := h.Steps[i]
	if !p.style.Verbose && !telling(h, i) {
		return
	}
	mark, verdict := " ", s.Verdict
	if broke(h) && i == brokenStep(h) {
		mark, verdict = p.paint(red, "✗"), p.paint(red, s.Verdict)
	}
	if verdict == "continue" {
		verdict = "ok"
	}
	if policies, ok := fact(h, trace.PoliciesApplied); ok && s.Phase == "match-behavior" {
		s.Reason += "; " + policies.Name
	}
	line := fmt.Sprintf("%s%s %-*s  %s", indent, mark, width, s.Phase, verdict)
	if s.Reason != "" {
		line += p.paint(faint, "  "+strings.ReplaceAll(s.Reason, "\n", "\n"+strings.Repeat(" ", width+6+len(indent))))
	}
	p.printf("  %s\n", line)
}

func broke(h *trace.Hop) bool {
	_, refused := fact(h, trace.Refused)
	_, failed := fact(h, trace.FunctionFailed)
	return refused || failed
}

// telling tells whether a step decided something: one whose verdict is only the name of the phase after it, or to go on,
// did not, unless the request broke there.
func telling(h *trace.Hop, i int) bool {
	s := h.Steps[i]
	if broke(h) && i == brokenStep(h) {
		return true
	}
	if s.Verdict == "continue" || s.Verdict == "done" || i+1 < len(h.Steps) && s.Verdict == h.Steps[i+1].Phase {
		return s.Phase == "route" || s.Phase == "authorize" || s.Phase == "integration-request"
	}
	for _, earlier := range h.Steps[:i] {
		if earlier.Reason == s.Reason && s.Reason != "" {
			return false // lookup and admit of an uncacheable answer say the same
		}
	}
	return true
}

func tellingAny(h *trace.Hop, from int) bool {
	for i := from; i < len(h.Steps); i++ {
		if telling(h, i) {
			return true
		}
	}
	return false
}

func (p *pen) sent(s *trace.Sent, indent string) {
	if s == nil {
		return
	}
	p.printf("  %s%s %s %s\n", indent, p.paint(green, "→"), s.Method, sentURL(s))
	p.printf("    %sHost: %s\n", indent, s.Host)
	hidden := 0
	for _, f := range s.Headers {
		if strings.EqualFold(f[0], "Host") {
			continue
		}
		if !p.style.Verbose && !important(f[0]) {
			hidden++
			continue
		}
		p.printf("    %s%s: %s\n", indent, f[0], f[1])
	}
	if hidden > 0 {
		p.printf("    %s%s\n", indent, p.paint(faint, fmt.Sprintf("and %s more (-v shows them)", Count(hidden, "header"))))
	}
}

// Count writes a number of things for people: 1 error, 2 errors.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sentURL is where the request went: the address that was connected to, whatever Host says.
func sentURL(s *trace.Sent) string {
	return cmp.Or(s.Scheme, "https") + "://" + cmp.Or(s.Address, s.Host) + s.Path
}

// important headers explain most answers of an API; the others are shown on demand.
func important(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "x-api-key", "x-forwarded-for", "user-agent", "origin", "content-type", "x-amz-date", "x-amz-content-sha256", "cookie":
		return true
	}
	return false
}

// brokenStep is the index of the step at which the hop refused: the last one that is no mere epilogue.
func brokenStep(h *trace.Hop) int {
	for i := len(h.Steps) - 1; i >= 0; i-- {
		switch h.Steps[i].Phase {
		case "gateway-response", "log", "deliver", "response-headers", "viewer-response", "error-page", "admit", "origin-response":
			continue
		}
		return i
	}
	return len(h.Steps) - 1
}

func (p *pen) answer(e *Explanation) {
	color := green
	if e.Response.Status >= 400 {
		color = red
	}
	p.printf("\n%s", p.paint(color, strings.TrimSpace(fmt.Sprintf("%d %s", e.Response.Status, http.StatusText(e.Response.Status)))))
	for _, name := range []string{"x-amzn-ErrorType", "X-Cache", "Location"} {
		for _, h := range e.Response.Headers {
			if strings.EqualFold(h[0], name) {
				p.printf("  %s: %s", h[0], h[1])
			}
		}
	}
	p.printf("\n")
	if body := strings.TrimRight(e.Response.Body, "\n"); body != "" {
		lines := strings.Split(body, "\n")
		const most = 12
		for i, l := range lines {
			if i == most {
				p.printf("  %s\n", p.paint(faint, fmt.Sprintf("… %s more", Count(len(lines)-most, "line"))))
				break
			}
			p.printf("  %s\n", l)
		}
	}
}

// WriteFindings writes findings for a person, each with its place, causes and ways out.
func WriteFindings(w io.Writer, findings []diag.Finding, style Style) error {
	p := &pen{w: w, style: style}
	for _, f := range findings {
		mark, color := "·", faint
		switch f.Severity {
		case diag.Error:
			mark, color = "✗", red
		case diag.Warning:
			mark, color = "!", yellow
		}
		p.printf("\n%s %s\n", p.paint(color, mark+" "+string(f.Code)), p.paint(bold, f.Message))
		for _, b := range f.Because {
			p.printf("    because %s\n", strings.ReplaceAll(b, "\n", "\n            "))
		}
		for i, fix := range f.Fixes {
			label := "fix:"
			if i > 0 {
				label = " or:"
			}
			p.printf("    %s %s\n", p.paint(green, label), fix)
		}
		if where := strings.TrimSpace(f.Position.String() + "  " + f.Path); where != "" {
			p.printf("    %s\n", p.paint(faint, "at "+where))
		}
		if f.Doc != "" {
			p.printf("    %s\n", p.paint(faint, f.Doc))
		}
	}
	return p.err
}
