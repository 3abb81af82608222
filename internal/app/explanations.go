package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"strconv"
	"sync"

	"github.com/foregate/foregate/internal/explain"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/message"
)

// explanationPath is where explanations of live requests are fetched. What follows it cannot be guessed: an explanation is
// for whoever got its address with the answer.
const explanationPath = "/_foregate/explanations/"

// keptExplanations bounds how many are kept: the newest ones.
const keptExplanations = 100

// explanations keeps what was asked for with Foregate-Explain.
type explanations struct {
	mu sync.Mutex
	// order holds the names of what is kept, in a ring whose oldest place is at next.
	order [keptExplanations]string
	next  int
	kept  map[string]func() *explain.Explanation
}

func newExplanations() *explanations {
	return &explanations{kept: map[string]func() *explain.Explanation{}}
}

// add keeps an explanation and returns the name by which it is fetched.
func (e *explanations) add(build func() *explain.Explanation) string {
	name := rand.Text()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.kept, e.order[e.next])
	e.order[e.next], e.kept[name] = name, build
	e.next = (e.next + 1) % keptExplanations
	return name
}

// serve answers GET for one explanation.
func (e *explanations) serve(name string) *message.Response {
	e.mu.Lock()
	build := e.kept[name]
	e.mu.Unlock()
	if build == nil {
		return message.Text(404, "text/plain; charset=utf-8", "There is no such explanation: the newest "+strconv.Itoa(keptExplanations)+" are kept.\n")
	}
	var b bytes.Buffer
	if err := build().JSON(&b); err != nil {
		return message.Text(500, "text/plain; charset=utf-8", err.Error()+"\n")
	}
	// A page of another site must not read it as a script, nor a shared machine keep it.
	return message.Text(200, "application/json", b.String(), message.Field{Name: "Cache-Control", Value: "no-store"},
		message.Field{Name: "X-Content-Type-Options", Value: "nosniff"})
}

// explain keeps the explanation of a live request, and returns where it can be fetched. The body is copied as it is sent.
func (n *Node) explain(_ context.Context, a front.Explained) string {
	body := &tee{from: a.Response.Body}
	if _, tunnel := a.Response.Body.(io.ReadWriteCloser); a.Response.Body != nil && !(tunnel && a.Response.Status == 101) {
		a.Response.Body = body
	}
	asked := explain.RequestOf(a.Request)
	static := n.Findings()
	response := message.Response{Status: a.Response.Status, Header: a.Response.Header.Clone()}
	name := n.explained.add(func() *explain.Explanation {
		return explain.Build(explain.Input{Request: a.Request, Response: &response, Body: body.copied(), Trace: a.Trace, Static: static, Locate: n.locate}, asked)
	})
	return "http://" + n.opts.Endpoint + explanationPath + name
}

// tee keeps the beginning of what is read through it.
type tee struct {
	from io.ReadCloser
	mu   sync.Mutex
	kept []byte
}

func (t *tee) Read(p []byte) (int, error) {
	k, err := t.from.Read(p)
	t.mu.Lock()
	t.kept = append(t.kept, p[:min(k, max(0, explain.MaxBody-len(t.kept)))]...)
	t.mu.Unlock()
	return k, err
}

// Buffered says how much can be read without waiting, as far as the body behind knows.
func (t *tee) Buffered() int {
	if b, ok := t.from.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

func (t *tee) Close() error { return t.from.Close() }

func (t *tee) copied() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept)
}
