package cloudfront

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	function "github.com/foregate/foregate/internal/function/cloudfront"
)

// maxEvent is the most that an event object may have (facts: edge-functions C, Limits).
const maxEvent = 40960

// TestFunction calls one stage of a function with an event of the client's. It is the same code that runs for a distribution;
// what only a distribution checks, such as read-only headers, is not checked (AWS's manual, "Test functions").
func (s *Service) TestFunction(ctx context.Context, in *cloudfront.TestFunctionInput) (*cloudfront.TestFunctionOutput, error) {
	v, st, stage, err := s.stage(ctx, in.Name, in.Stage)
	if err != nil {
		return nil, err
	}
	if deref(in.IfMatch) != stageTag(v.Name, st) { // PreconditionFailed is none of its errors (BC)
		return nil, matchTag(nil, "")
	}
	var event struct {
		Context struct{ EventType string }
	}
	switch {
	case len(in.EventObject) == 0:
		return nil, missingArgument("EventObject")
	case len(in.EventObject) > maxEvent:
		return nil, invalid("EventObject", "The parameter EventObject is too large.", strconv.Itoa(len(in.EventObject))+" bytes, at most 40,960 are allowed") // text: our words
	case json.Unmarshal(in.EventObject, &event) != nil:
		return nil, invalid("EventObject", "The parameter EventObject is invalid.", "it is not a JSON object with context, viewer and request") // text: our words
	}
	kind := event.Context.EventType
	if kind == "" {
		kind = function.ViewerRequest
	}
	if kind != function.ViewerRequest && kind != function.ViewerResponse {
		return nil, invalid("EventObject", "The parameter EventObject is invalid.", strconv.Quote(kind)+" is neither viewer-request nor viewer-response") // text: our words
	}
	result := &cloudfront.TestResult{FunctionSummary: s.function(ctx, v, st, stage), ComputeUtilization: new("0"), FunctionErrorMessage: new(""),
		FunctionOutput: new(""), FunctionExecutionLogs: []string{}}
	out := &cloudfront.TestFunctionOutput{TestResult: result}
	spec := function.Spec{Name: v.Name, Runtime: deref(st.Config.Runtime), Code: st.Code}
	if rec, kvs := st.KeyValueStore(s.env.Store.Read(ctx)); kvs != nil {
		spec.Store = &function.Store{ID: kvs.ID, Items: kvs.Items, Created: rec.Created, Updated: rec.Updated}
	}
	f, err := s.functions.Compile(spec)
	if err != nil {
		result.FunctionErrorMessage = new((&function.Error{Message: err.Error()}).Error())
		return out, nil
	}
	ran := f.Run(&function.Event{Type: kind, JSON: in.EventObject}, s.env.Now())
	result.ComputeUtilization = new(strconv.Itoa(ran.Compute))
	result.FunctionExecutionLogs = append(result.FunctionExecutionLogs, ran.Logs...)
	if ran.Err != nil {
		result.FunctionErrorMessage = new(ran.Err.Error())
		return out, nil
	}
	result.FunctionOutput = new(ran.Result.JSON())
	return out, nil
}
