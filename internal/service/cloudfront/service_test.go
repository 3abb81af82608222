package cloudfront

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

var _ cloudfront.Handler = (*Service)(nil)

func testTime() time.Time { return time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) }

func newService() *Service {
	return New(&service.Env{Store: store.Memory(testTime), Now: testTime, Account: "000000000000"}, nil)
}

// refusal is what a test wants of an error: AWS's code, status and text, and Foregate's code and path.
type refusal struct {
	code    string
	status  int
	message string
	finding diag.Code
	path    string
}

// check compares an error with a refusal; empty fields are not compared, and "" as the code wants success.
func check(t *testing.T, err error, want refusal) {
	t.Helper()
	if want.code == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var e *awsapi.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want %s", err, want.code)
		return
	}
	status := e.Status
	if status == 0 {
		status = statusOf(e.Code)
	}
	if e.Code != want.code || want.message != "" && e.Message != want.message || want.status != 0 && status != want.status {
		t.Errorf("got %s %d %q\nwant %s %d %q", e.Code, status, e.Message, want.code, want.status, want.message)
	}
	if want.path == "" && want.finding == "" {
		return
	}
	if e.Finding == nil || e.Finding.Path != want.path || want.finding != "" && e.Finding.Code != want.finding {
		t.Errorf("finding %+v, want %s at %s", e.Finding, want.finding, want.path)
	}
}

// fromJSON reads a configuration as the AWS CLI writes it.
func fromJSON[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// with replaces parts of a text: old, new, old, new.
func with(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("no %q to replace", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// The kinds that tests look into.
var (
	distributionsKind = resource.Distributions
	invalidationsKind = resource.Invalidations
)

func decoders() []store.Decoder { return resource.Decoders() }
