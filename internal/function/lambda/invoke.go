package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Invocation is one call of a function.
type Invocation struct {
	// Payload is the event as JSON; empty means {}.
	Payload []byte
	// RequestID identifies the call in logs and in the handler's context; one is made when it is empty.
	RequestID string
	// ARN is what the handler sees as the invoked function's ARN; the Spec's when empty.
	ARN string
	// TraceID is the X-Ray trace header for _X_AMZN_TRACE_ID.
	TraceID string
	// ClientContext and Identity are JSON, as the Invoke API's X-Amz-Client-Context decodes to.
	ClientContext, Identity string
	// Tail asks for Result.LogTail.
	Tail bool
	// Trace records a hop when it is set.
	Trace *trace.Trace
}

// Result is what AWS's Invoke API answers with status 200.
type Result struct {
	// Payload is the handler's result, or the error object when FunctionError is set.
	Payload []byte
	// FunctionError is empty, or "Unhandled" (X-Amz-Function-Error); Lambda gives no other value any more.
	FunctionError string
	// LogTail is the last 4 KB of the invocation's log, if the Invocation asked for it; not encoded in base64.
	LogTail string
	// Version is the version of the function that ran.
	Version   string
	RequestID string
	// Duration is the time in the handler, InitDuration the time that loading the function took if this call began a
	// worker.
	Duration, InitDuration time.Duration
}

const unhandled = "Unhandled"

// Invoke runs the function once and waits for its answer. An error of the function is a Result. A Go error is an *Error
// where the Invoke API would refuse the call, or the cause of ctx: then the call is over for the caller, while an
// invocation that has begun runs on to its end or its timeout, as in Lambda.
func (f *Function) Invoke(ctx context.Context, inv Invocation) (Result, error) {
	message.Waiting(ctx)
	p := f.pool
	if len(inv.Payload) == 0 {
		inv.Payload = []byte("{}")
	}
	if inv.RequestID == "" {
		inv.RequestID = newRequestID()
	}
	if inv.ARN == "" {
		inv.ARN = p.spec.ARN
	}
	var hop *trace.Hop
	if inv.Trace != nil {
		hop = inv.Trace.Hop("lambda", p.spec.Name)
		hop.Step("init", p.spec.Runtime, "handler "+p.spec.Handler)
		hop.Step("invoke", "event", fmt.Sprintf("%d bytes", len(inv.Payload)))
	}
	var result Result
	err := context.Cause(ctx)
	switch {
	case err != nil:
	case f.released.Load():
		err = errReleased
	case len(inv.Payload) > MaxPayload:
		// The code that clients see (awslabs/aws-athena-query-federation#793).
		err = &Error{Type: "RequestEntityTooLargeException", Status: 413,
			Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", MaxPayload)}
	default:
		result, err = p.invoke(ctx, &inv)
	}
	if hop != nil {
		p.explain(hop, &result, err)
	}
	if err != nil {
		return Result{}, fmt.Errorf("invoke function %q: %w", p.spec.Name, err)
	}
	return result, nil
}

// explain records how the invocation ended.
func (p *pool) explain(hop *trace.Hop, result *Result, err error) {
	detail := ""
	switch {
	case err != nil:
		detail = err.Error()
		hop.Step("result", "error", detail)
	case result.FunctionError != "":
		var e errorPayload
		if json.Unmarshal(result.Payload, &e) == nil {
			detail = e.Type + ": " + e.Message
		}
		hop.Step("result", result.FunctionError, detail)
	default:
		hop.Step("result", "ok", fmt.Sprintf("%d bytes", len(result.Payload)))
		return
	}
	hop.Fact(trace.FunctionFailed, p.spec.Name, detail, p.spec.SourcePath)
}

func (p *pool) invoke(ctx context.Context, inv *Invocation) (Result, error) {
	g := p.take(ctx)
	switch {
	case g.err != nil:
		return Result{}, g.err
	case g.failed != nil:
		return p.loadFailed(inv, g.failed), nil
	}
	w := g.w
	w.logs.begin(inv.RequestID, inv.Tail && w.initTime != 0)
	c := call{w: w, inv: inv, start: time.Now()}
	c.deadline = c.start.Add(p.spec.Timeout)
	err := w.send(inv, c.deadline)
	if err != nil {
		return c.finish(err), nil
	}
	cancelled, err := w.receiveWatched(ctx, c.deadline)
	if cancelled {
		p.rt.goWork(func() { c.finish(w.receive(c.deadline)) })
		return Result{}, context.Cause(ctx)
	}
	return c.finish(err), nil
}

// call is an invocation that a worker has begun.
type call struct {
	w               *worker
	inv             *Invocation
	start, deadline time.Time
}

// finish makes the result of a conversation that ended with err, and gives the worker back or ends it.
func (c *call) finish(err error) Result {
	w, p, in := c.w, c.w.pool, &c.w.in
	r := Result{Version: p.spec.Version, RequestID: c.inv.RequestID, InitDuration: w.initTime}
	w.initTime = 0
	status, platform, survives := "", "", false
	if err == nil && (in.seq != w.seq || in.kind == kindReady || in.kind == kindInitError) {
		err = errRubbish
	}
	switch {
	case err == nil:
		r.Payload = in.payload
		survives = in.kind != kindFatal
		if in.kind != kindOK {
			r.FunctionError = unhandled
		}
	case errors.Is(err, os.ErrDeadlineExceeded) && !w.hasExited():
		w.kill()
		<-w.exited
		status = "\tStatus: timeout"
		r.FunctionError = unhandled
		r.Payload, platform = timedOut(c.inv.RequestID, p.spec.Timeout, p.rt.opts.Now())
	default:
		w.awaitEnd(err)
		status = "\tStatus: error\tError Type: Runtime.ExitError"
		r.FunctionError = unhandled
		r.Payload, platform = exited(c.inv.RequestID, w.state)
	}
	r.Duration = time.Since(c.start)
	used := 0
	if c.inv.Tail {
		used = memoryUsed(w.cmd.Process.Pid)
	}
	tail := w.logs.end(c.inv.Tail)
	if platform != "" {
		p.platformLine(c.inv.RequestID, platform)
	}
	if c.inv.Tail {
		r.LogTail = p.logTail(&r, tail, platform, report{status: status, usedMB: used})
	}
	in.reset()
	if cap(w.out) > keepBuffer {
		w.out = nil
	}
	if survives {
		p.giveBack(w)
	} else {
		p.discard(w)
	}
	return r
}

// loadFailed is the result of an invocation whose worker could not load the function.
func (p *pool) loadFailed(inv *Invocation, f *failure) Result {
	r := Result{
		Version: p.spec.Version, RequestID: inv.RequestID, FunctionError: unhandled, Payload: f.payload, InitDuration: f.took,
	}
	platform, rep := "", report{init: true}
	switch {
	case f.timedOut:
		rep.status = "\tStatus: timeout"
		r.Payload, platform = timedOut(inv.RequestID, p.spec.Timeout, p.rt.opts.Now())
	case f.payload == nil:
		rep.status = "\tStatus: error\tError Type: Runtime.ExitError"
		r.Payload, platform = exited(inv.RequestID, f.exit)
	default:
		var e errorPayload
		_ = json.Unmarshal(f.payload, &e)
		rep.status = "\tStatus: error\tError Type: " + e.Type
	}
	if platform != "" {
		p.platformLine(inv.RequestID, platform)
	}
	if inv.Tail {
		r.LogTail = p.logTail(&r, f.tail, platform, rep)
	}
	return r
}

func (p *pool) platformLine(request, text string) {
	p.rt.opts.Logs(LogLine{Function: p.spec.Name, RequestID: request, Time: p.rt.opts.Now(), Text: text, Platform: true})
}
