package cloudfront

import (
	"errors"
	"fmt"
	"time"

	"github.com/dop251/goja"
)

// Outcome is what came of a call.
type Outcome struct {
	// Result is nil when Err is not.
	Result *Result
	Err    *Error
	// Origin is what the function made of the request's origin, nil for nothing.
	Origin *OriginChange
	Logs   []string
	// Compute is the compute utilization, 1 to 100: an estimate, see meter.go.
	Compute int
}

// Error is a call without a result.
type Error struct {
	// Invalid is true when the function returned what it may not return, and false when it failed.
	Invalid bool
	// Message is the error with its type, or what is not valid.
	Message string
	// Origin is true when what is not valid is what the function did to the origin; the page does not say what it is.
	Origin bool
	// Exceeded is true when the call was ended because it took too long or too much.
	Exceeded bool
}

// The sentences that AWS's page and TestFunction begin with (facts: edge-functions C, Errors).
const (
	sentenceFailed  = "The CloudFront function associated with the CloudFront distribution is invalid or could not run."
	sentenceInvalid = "The CloudFront function returned an invalid value: "
	sentenceRewrite = "The CloudFront function returned an invalid value for origin rewrite." // live
)

// Sentence is what the viewer's page says.
func (e *Error) Sentence() string {
	switch {
	case e.Origin:
		return sentenceRewrite
	case e.Invalid:
		return sentenceInvalid + e.Message
	}
	return sentenceFailed
}

// Error is the whole text, as TestFunction gives it.
func (e *Error) Error() string {
	switch {
	case e.Origin:
		return sentenceRewrite + " " + e.Message
	case e.Invalid:
		return sentenceInvalid + e.Message
	}
	return sentenceFailed + " " + e.Message
}

// watchdog ends a call whose work is not counted: long before it a call of the manual's limit has ended.
const watchdog = 500 * time.Millisecond

// Run calls the function once. now is the time that the function sees.
func (f *Function) Run(ev *Event, now time.Time) *Outcome {
	r := &realm{}
	out := &Outcome{}
	func() {
		defer func() {
			if p := recover(); p != nil {
				out.Result, out.Err = nil, r.panicked(p)
			}
		}()
		r.open(f, ev, now)
		timer := time.AfterFunc(watchdog, func() { r.rt.Interrupt(tooLong) })
		defer timer.Stop()
		if ex := r.rt.Try(func() { out.Result, out.Err = r.call() }); ex != nil {
			out.Result, out.Err = nil, &Error{Message: describe(ex.Value())}
		}
	}()
	out.Logs, out.Origin = r.logs, r.origin
	out.Compute = min(baseUtilization+(r.compute+nodesPerPercent-1)/nodesPerPercent, 100)
	return out
}

// panicked is what a panic makes of the call: a limit, or a mistake of the engine, which must not end more than this call.
func (r *realm) panicked(p any) *Error {
	switch p := p.(type) {
	case *stopped:
		return &Error{Message: "Error: " + p.reason, Exceeded: true}
	case error:
		return r.failed(p)
	}
	return &Error{Message: fmt.Sprintf("InternalError: %v", p)}
}

// call runs the program and its handler, and reads what it returned.
func (r *realm) call() (*Result, *Error) {
	wrapper, err := r.rt.RunProgram(r.fn.program)
	if err != nil {
		return nil, r.failed(err)
	}
	body, _ := goja.AssertFunction(wrapper)
	handler, err := body(r.rt.GlobalObject(), r.rt.NewDynamicObject(host{r}))
	if err != nil {
		return nil, r.failed(err)
	}
	f, ok := goja.AssertFunction(handler)
	if !ok {
		return nil, &Error{Message: `ReferenceError: "handler" is not defined`}
	}
	ev, err := r.eventValue()
	if err != nil {
		return nil, r.failed(err)
	}
	v, err := f(goja.Undefined(), ev)
	if err != nil {
		return nil, r.failed(err)
	}
	if o, ok := v.(*goja.Object); ok {
		if p, ok := exported[*goja.Promise](o); ok {
			switch p.State() {
			case goja.PromiseStateRejected:
				return nil, r.failed(&rejected{p.Result()})
			case goja.PromiseStatePending:
				return nil, &Error{Message: "Error: the promise that the function returned is never settled"} // text: our words
			}
			v = p.Result()
		}
	}
	return r.result(v)
}

// eventValue is the argument of the handler.
func (r *realm) eventValue() (goja.Value, error) {
	if r.event.JSON == nil {
		return r.eventObject(), nil
	}
	parse, _ := goja.AssertFunction(r.object("JSON").Get("parse"))
	v, err := parse(goja.Undefined(), r.rt.ToValue(string(r.event.JSON)))
	if err != nil {
		return nil, err
	}
	if o, ok := v.(*goja.Object); ok {
		r.request, _ = o.Get("request").(*goja.Object)
		r.response, _ = o.Get("response").(*goja.Object)
		r.complete(r.request, "querystring", "headers", "cookies")
		r.complete(r.response, "headers", "cookies")
		if r.request != nil {
			r.put(r.request, "rawQueryString", r.rt.ToValue(func(goja.FunctionCall) goja.Value { return r.queryOfTest() }))
		}
	}
	return v, nil
}

// complete adds the objects that an event of a test leaves out: functions always get them.
func (r *realm) complete(o *goja.Object, names ...string) {
	for _, n := range names {
		if o != nil && o.Get(n) == nil {
			_ = o.Set(n, r.rt.NewObject())
		}
	}
}

// queryOfTest is rawQueryString of an event that has no raw query: it is put together of its parameters.
func (r *realm) queryOfTest() goja.Value {
	items, err := r.items(r.request.Get("querystring"), nil, "request.querystring")
	if err != nil || len(items) == 0 {
		return goja.Undefined()
	}
	return r.rt.ToValue(joinQuery(items))
}

// rejected is the reason of a promise that was not kept.
type rejected struct{ reason goja.Value }

func (e *rejected) Error() string { return e.reason.String() }

// failed says why the function did not return.
func (r *realm) failed(err error) *Error {
	var ex *goja.Exception
	var rej *rejected
	var over *goja.StackOverflowError
	switch {
	case errors.As(err, &ex):
		return &Error{Message: describe(ex.Value())}
	case errors.As(err, &rej):
		return &Error{Message: describe(rej.reason)}
	case errors.As(err, &over):
		return &Error{Message: "RangeError: Maximum call stack size exceeded"}
	}
	if in := (*goja.InterruptedError)(nil); errors.As(err, &in) {
		return &Error{Message: "Error: " + tooLong.reason, Exceeded: true}
	}
	return &Error{Message: err.Error()}
}
