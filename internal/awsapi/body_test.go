package awsapi_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/message"
)

// Of whom nobody knows nothing is read, but for the beginning of a form that might say what it asks for.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	for _, c := range []struct {
		name, service, target, content string
		unsigned                       bool
		status, most                   int
	}{
		{"json", "logs", "/", "application/x-amz-json-1.1", false, 403, 0},
		{"code", "lambda", "/2015-03-31/functions", "application/json", false, 403, 0},
		{"xml", "cloudfront", "/2020-05-31/distribution", "text/xml", false, 403, 0},
		{"form", "sts", "/", "application/x-www-form-urlencoded", false, 403, 0},
		{"code without a signature", "lambda", "/2015-03-31/functions", "application/json", true, 403, 0},
		{"form without a signature", "sts", "/", "application/x-www-form-urlencoded", true, 413, 65 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, _ := newServer()
			server.Admit = func(*message.Request, *awsapi.Service) *awsapi.Error {
				return awsapi.StatusErrorf(403, "UnrecognizedClientException", "no")
			}
			body := &counted{}
			r := request(c.service, "POST", c.target, "", message.Header{{Name: "Content-Type", Value: c.content}, {Name: "X-Amz-Target", Value: "Logs_20140328.PutLogEvents"}})
			if c.service != "logs" {
				r.Header.Del("X-Amz-Target")
			}
			if c.unsigned {
				r.Header.Del("Authorization")
			}
			r.Body, r.ContentLength = body, -1
			if resp := server.Serve(t.Context(), r); resp.Status != c.status || body.n > c.most {
				t.Errorf("status %d after %d bytes, want %d after at most %d", resp.Status, body.n, c.status, c.most)
			}
		})
	}
}

// A length that is too large is refused before the body comes.
func TestDeclaredLengthIsBelieved(t *testing.T) {
	server, _ := newServer()
	body := &counted{}
	r := request("cloudfront", "POST", "/2020-05-31/distribution", "", nil)
	r.Body, r.ContentLength = body, 1<<40
	if resp := server.Serve(t.Context(), r); resp.Status != 413 || body.n != 0 {
		t.Errorf("status %d after %d bytes", resp.Status, body.n)
	}
}

// The bodies under way have one bound together. What has been answered counts no more.
func TestBodiesUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := newServer()
		server.Limits.Bodies = 3 << 19
		post := func(body io.Reader) *message.Response {
			r := request("cloudfront", "POST", "/2020-05-31/distribution", "", nil)
			r.Body, r.ContentLength = body, -1
			return server.Serve(context.Background(), r)
		}
		large := strings.Repeat(" ", 600<<10)
		held, letGo := io.Pipe()
		done := make(chan int)
		go func() { done <- post(held).Status }()
		io.WriteString(letGo, large)
		synctest.Wait()
		if resp := post(strings.NewReader(large)); resp.Status != 503 {
			t.Errorf("a second large body: status %d", resp.Status)
		}
		if resp := post(strings.NewReader(withComment("fine"))); resp.Status != 201 {
			t.Errorf("a small body beside it: status %d", resp.Status)
		}
		letGo.Close()
		if status := <-done; status != 400 {
			t.Errorf("the first one: status %d", status)
		}
		if resp := post(strings.NewReader(large)); resp.Status != 400 {
			t.Errorf("a large body after it: status %d", resp.Status)
		}
	})
}
