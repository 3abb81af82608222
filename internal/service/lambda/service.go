// Package lambda implements the API of AWS Lambda over the store.
//
// Start with Service, then functions.go, versions.go, permissions.go, urls.go and invoke.go. A function's code is stored as
// what it is (a zip, a folder, a template's text); running it is the business of package function/lambda, which Invoke
// reaches through Options. The package must not know plans.
//
// Caveats: layers, destinations, event sources, provisioned concurrency and response streaming are not here. Texts of errors
// are AWS's as quoted in public (LocalStack's snapshots of AWS, issues); the ones that nobody has quoted are marked as ours.
package lambda

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/diag"
	run "github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Invoker runs the function that the ARN names, with its qualifier if it has one. Errors are those of Function.Invoke.
type Invoker func(ctx context.Context, functionARN string, inv run.Invocation) (run.Result, error)

// Options connect the service to what it does not do itself. Each may be nil: then what needs it is refused.
type Options struct {
	Invoke Invoker
	// ReadObject reads an object of a bucket that Foregate serves, for code in S3.
	ReadObject func(ctx context.Context, bucket, key string) ([]byte, error)
}

// Service implements lambda.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	lambda.Unimplemented
	env  *service.Env
	opts Options
	// async bounds the events that run in the background; running is waited for by Close.
	async   chan struct{}
	running sync.WaitGroup
}

// maxAsync is how many invocations of type Event may run or wait at a time.
const maxAsync = 100

// New makes the service.
func New(env *service.Env, opts Options) *Service {
	return &Service{env: env, opts: opts, async: make(chan struct{}, maxAsync)}
}

// Close waits for the events that run in the background.
func (s *Service) Close() { s.running.Wait() }

// target is a function as a request names it.
type target struct {
	region, account, name string
	// qualifier is a version or alias, "" for none.
	qualifier string
}

// arn is the function's ARN with its qualifier.
func (t target) arn() string {
	a := arn.ARN{Partition: arn.Partition(t.region), Service: "lambda", Region: t.region, Account: t.account, Resource: "function:" + t.name}.String()
	if t.qualifier != "" {
		a += ":" + t.qualifier
	}
	return a
}

// unqualified is the function's ARN.
func (t target) unqualified() string { t.qualifier = ""; return t.arn() }

// latest tells whether the target is the function's $LATEST.
func (t target) latest() bool { return t.qualifier == "" || t.qualifier == "$LATEST" }

// part is the id of a record that belongs to the target.
func (t target) part() string { return resource.FunctionPartID(t.name, t.qualifier) }

// resolve reads a FunctionName: a name, a partial or a full ARN, each with or without a qualifier (Lambda API reference,
// FunctionName).
func (s *Service) resolve(ctx context.Context, name, qualifier *string) (target, error) {
	call := awsapi.CallFrom(ctx)
	t := target{region: call.Region, account: s.env.Account}
	text := deref(name)
	if a, err := arn.Parse(text); err == nil && a.Service == "lambda" {
		if a.Region != t.region {
			return t, awsapi.Errorf(lambda.ErrCodeResourceNotFoundException, "Functions from '%s' are not reachable in this region ('%s')", a.Region, t.region)
		}
		t.account, text = a.Account, strings.TrimPrefix(a.Resource, "function:")
	} else {
		parts := strings.Split(text, ":")
		if i := slices.Index(parts, "function"); i >= 0 && i <= 2 {
			parts = parts[i+1:]
		} else if len(parts) > 1 && isAccount(parts[0]) {
			parts = parts[1:]
		}
		text = strings.Join(parts, ":")
	}
	t.name, t.qualifier, _ = strings.Cut(text, ":")
	switch q := deref(qualifier); {
	case q == "" || q == t.qualifier:
	case t.qualifier == "":
		t.qualifier = q
	default:
		return t, awsapi.Errorf(lambda.ErrCodeInvalidParameterValueException, "The derived qualifier from the function name does not match the specified qualifier.")
	}
	return t, nil
}

func isAccount(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return len(s) == 12 && err == nil
}

// function finds the function that a request names; its qualifier need not exist.
func (s *Service) function(ctx context.Context, name, qualifier *string) (target, *resource.Function, error) {
	t, err := s.resolve(ctx, name, qualifier)
	if err != nil {
		return t, nil, err
	}
	f, ok := resource.Functions.Get(s.env.Store.Read(ctx), t.region, t.name)
	if !ok || t.account != s.env.Account {
		return t, nil, notFound(t)
	}
	return t, f, nil
}

func notFound(t target) error {
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: "FunctionName",
		Message:  fmt.Sprintf("there is no function %s", t.arn()),
		AWSError: &diag.AWSError{Code: lambda.ErrCodeResourceNotFoundException, Status: 404, Message: "Function not found: " + t.arn()}})
}

// deployed finds configuration and code behind a target: $LATEST, a version, or the version that an alias stands for.
func (s *Service) deployed(r store.Reader, t target, f *resource.Function) (*lambda.FunctionConfiguration, resource.FunctionCode, error) {
	if t.latest() {
		return f.Config, f.Code, nil
	}
	number := t.qualifier
	if a, ok := resource.FunctionAliases.Get(r, t.region, t.part()); ok {
		number = deref(a.Value.FunctionVersion)
	}
	if number == "$LATEST" {
		return f.Config, f.Code, nil
	}
	v, ok := resource.FunctionVersions.Get(r, t.region, resource.FunctionPartID(t.name, number))
	if !ok {
		return nil, resource.FunctionCode{}, notFound(t)
	}
	return v.Config, v.Code, nil
}

// shown is a configuration as it is answered for a target: with the target's ARN.
func shown(t target, c *lambda.FunctionConfiguration) *lambda.FunctionConfiguration {
	out := *c
	if t.qualifier != "" {
		out.FunctionArn = new(t.arn())
	}
	return &out
}

// refuse makes AWS's error with the reason that AWS leaves out.
func refuse(code, path, message, because string, fixes ...string) error {
	f := diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message, Fixes: fixes}
	if because != "" {
		f.Because = []string{because}
	}
	status := 400
	if e := lambda.Service.Error(code); e != nil && e.Status != 0 {
		status = e.Status
	}
	f.AWSError = &diag.AWSError{Code: code, Status: status, Message: message}
	return awsapi.Refuse(&f)
}

// invalid is refuse for InvalidParameterValueException.
func invalid(path, message, because string, fixes ...string) error {
	return refuse(lambda.ErrCodeInvalidParameterValueException, path, message, because, fixes...)
}

// absent is Lambda's answer for a part of a function that is not there.
func absent() error {
	return awsapi.Errorf(lambda.ErrCodeResourceNotFoundException, "The resource you requested does not exist.")
}

// stale checks a RevisionId that a request names.
func stale(want, now *string, operation string) error {
	if want == nil || deref(want) == deref(now) {
		return nil
	}
	return awsapi.Errorf(lambda.ErrCodePreconditionFailedException, "The Revision Id provided does not match the latest Revision Id. Call the %s API to retrieve the latest Revision Id", operation)
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// or returns the pointer, or one at otherwise when it is nil.
func or[T any](p *T, otherwise T) *T {
	if p == nil {
		return &otherwise
	}
	return p
}

// stamp is a time as Lambda's answers have it.
func stamp(t time.Time) *string { return new(t.UTC().Format("2006-01-02T15:04:05.000-0700")) }

// update changes records in one transaction.
func (s *Service) update(ctx context.Context, fn func(tx *store.Tx)) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { fn(tx); return nil })
	return err
}

// page cuts a list as Lambda does: the marker is the key of the first item of the next page.
func page[T any](all []T, key func(T) string, marker *string, maxItems *int64) ([]T, *string) {
	start := 0
	if m := deref(marker); m != "" {
		start = len(all)
		if i := slices.IndexFunc(all, func(v T) bool { return key(v) == m }); i >= 0 {
			start = i
		}
	}
	rest := all[start:]
	limit := int(deref(or(maxItems, 50)))
	if limit < 1 || len(rest) <= limit {
		return rest, nil
	}
	return rest[:limit], new(key(rest[limit]))
}

var versionNumber = regexp.MustCompile(`^[0-9]+$`)
