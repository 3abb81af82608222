package explain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

const behavior = "Resources.Site.Properties.DistributionConfig.CacheBehaviors[0]"

// build explains a request that was answered with status after the hops that record makes.
func build(t *testing.T, status int, static []diag.Finding, record func(*trace.Trace)) *Explanation {
	t.Helper()
	r := &message.Request{Method: "GET", Scheme: "https", Host: "www.example.com", Path: "/api/x",
		Header: message.Header{{Name: "Authorization", Value: "Bearer abcdefghijklmnopqrstuvwxyz"}}}
	tr := &trace.Trace{}
	record(tr)
	return Build(Input{Request: r, Response: message.Text(status, "application/json", "{}"), Body: []byte("{}"), Trace: tr, Static: static}, RequestOf(r))
}

func codes(e *Explanation) string {
	var out []string
	for _, f := range e.Findings {
		out = append(out, string(f.Code)+"/"+f.Severity.String())
	}
	return strings.Join(out, " ")
}

func edgeHop(tr *trace.Trace) *trace.Hop {
	h := tr.Hop("cloudfront", "E1")
	h.Sent = &trace.Sent{Method: "GET", Host: "x"}
	h.Fact(trace.BehaviorMatched, "/api/*", "/api/x", behavior)
	h.Fact(trace.PoliciesApplied, "cache policy CachingDisabled, no origin request policy", "", behavior)
	return h
}

func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		record func(*trace.Trace)
		want   string
	}{
		{"host", 403, func(tr *trace.Trace) {
			edgeHop(tr).Fact(trace.HostForwarded, "www.example.com", "abc.execute-api.us-east-1.amazonaws.com", behavior+".OriginRequestPolicyId")
			tr.Hop("apigateway", "us-east-1").Fact(trace.Refused, "ForbiddenException", "unknown-host", "")
		}, "host-reaches-execute-api/error"},
		{"host without a distribution", 403, func(tr *trace.Trace) {
			tr.Hop("apigateway", "us-east-1").Fact(trace.Refused, "ForbiddenException", "unknown-host", "")
		}, "unknown-host/error"},
		{"stage", 403, func(tr *trace.Trace) {
			edgeHop(tr).Fact(trace.OriginPathAdded, "", "/api/x", "")
			tr.Hop("apigateway", "abc").Fact(trace.Refused, "ForbiddenException", "unknown-stage", "")
		}, "origin-path-misses-stage/error"},
		{"stage twice", 403, func(tr *trace.Trace) {
			edgeHop(tr).Fact(trace.OriginPathAdded, "/prod", "/prod/prod/x", "")
			tr.Hop("apigateway", "abc").Fact(trace.Refused, "MissingAuthenticationTokenException", "unknown-resource", "")
		}, "origin-path-misses-stage/error"},
		{"pattern", 403, func(tr *trace.Trace) {
			edgeHop(tr)
			tr.Hop("apigateway", "abc").Fact(trace.Refused, "MissingAuthenticationTokenException", "unknown-resource", "")
		}, "path-pattern-is-no-alias/error"},
		{"signature", 403, func(tr *trace.Trace) {
			edgeHop(tr)
			h := tr.Hop("apigateway", "abc")
			h.Fact(trace.SignatureChecked, "www.example.com", "abc.execute-api.us-east-1.amazonaws.com", "")
			h.Fact(trace.Refused, "InvalidSignatureException", "signature-mismatch", "")
		}, "signature-for-another-host/error"},
		{"authorization lost, and refused", 403, func(tr *trace.Trace) {
			edgeHop(tr).Fact(trace.HeaderDropped, "authorization", "why", behavior)
		}, "authorization-not-forwarded/error"},
		{"authorization and query lost, and answered", 200, func(tr *trace.Trace) {
			h := edgeHop(tr)
			h.Fact(trace.HeaderDropped, "Authorization", "why", behavior)
			h.Fact(trace.QueryDropped, "a", "why", behavior)
			h.Fact(trace.QueryDropped, "b", "why", behavior)
		}, "authorization-not-forwarded/warning query-string-dropped/warning"},
		{"another header lost", 200, func(tr *trace.Trace) { edgeHop(tr).Fact(trace.HeaderDropped, "Accept", "why", behavior) }, ""},
		{"missing key", 403, func(tr *trace.Trace) {
			tr.Hop("s3", "b").Fact(trace.Refused, "AccessDenied", "missing-key-without-list-bucket", "")
		}, "access-denied/error"},
		{"permission", 500, func(tr *trace.Trace) {
			tr.Hop("apigateway", "abc").Fact(trace.Refused, "InternalServerErrorException", "lambda-permission-missing", "")
		}, "permission-missing/error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := codes(build(t, c.status, nil, c.record)); got != c.want {
				t.Errorf("findings %q, want %q", got, c.want)
			}
		})
	}
}

func TestStaticFindingsOfWhatWasPassed(t *testing.T) {
	static := []diag.Finding{
		{Code: diag.HostReachesExecuteAPI, Severity: diag.Error, Path: behavior + ".OriginRequestPolicyId"},
		{Code: diag.BehaviorUnreachable, Severity: diag.Warning, Path: "Resources.Site.Properties.DistributionConfig.CacheBehaviors[10].PathPattern"},
		{Code: diag.OriginPathMissesStage, Severity: diag.Error, Path: "Resources.Site.Properties.DistributionConfig.Origins[1].OriginPath"},
		{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: "Resources.Site.Properties.DistributionConfig.Logging"},
		{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: "Resources.Other.Properties.X"},
	}
	e := build(t, 200, static, func(tr *trace.Trace) { edgeHop(tr) })
	if got := codes(e); got != "host-reaches-execute-api/error unsupported-property/warning" {
		t.Errorf("findings %q", got)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	e := build(t, 200, nil, func(tr *trace.Trace) { edgeHop(tr) })
	var text, doc bytes.Buffer
	if err := e.Text(&text, Style{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	if err := e.JSON(&doc); err != nil {
		t.Fatal(err)
	}
	for _, b := range []string{text.String(), doc.String()} {
		if strings.Contains(b, "efghijklmnopqrstuv") {
			t.Errorf("the secret shows in\n%s", b)
		}
	}
	var back Explanation
	if err := json.Unmarshal(doc.Bytes(), &back); err != nil || back.Request.URL != "https://www.example.com/api/x" || back.Findings == nil || back.Hops == nil {
		t.Errorf("JSON does not come back whole: %v %+v", err, back)
	}
}

func TestTextShowsWhereItBroke(t *testing.T) {
	e := build(t, 403, nil, func(tr *trace.Trace) {
		h := edgeHop(tr)
		h.Step("accept", "match-behavior", "the name is known")
		h.Step("match-behavior", "/api/*", "the first pattern")
		h.Step("fetch", "abc", "the origin answered")
		h.Step("log", "done", "")
		api := tr.Hop("apigateway", "abc")
		api.Step("route", "refuse", "no such resource")
		api.Fact(trace.Refused, "MissingAuthenticationTokenException", "unknown-resource", "")
	})
	var b bytes.Buffer
	if err := e.Text(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"✗ route", "cache policy CachingDisabled", "403 Forbidden", "path-pattern-is-no-alias"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	for _, not := range []string{"the name is known", "\x1b["} {
		if strings.Contains(b.String(), not) {
			t.Errorf("%q is in\n%s", not, b.String())
		}
	}
}
