package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v, not %v", values, got, want)
		}
	}
}

// A run that was interrupted goes on: what its file has is in the report, and is not measured again.
func TestResume(t *testing.T) {
	out := filepath.Join(t.TempDir(), "report.md")
	b := &bench{seconds: 1, rounds: 3, objects: 1000}
	first, err := openReport(t.Context(), b, servers(), selection{out: out})
	if err != nil {
		t.Fatal(err)
	}
	err = first.add([]result{{Scenario: "hit-1k", Others: 1, Rows: []row{
		{Server: "foregate-serve", Values: []value{{Value: 4}, {Value: 5}, {Value: 6}}},
		{Server: "nginx", Values: []value{{Value: 10}}},
		{Server: "h2o", Values: []value{{Value: 10}}, Failed: "wrong answer\nat length"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	first.left = []string{"idle"}
	again, err := openReport(t.Context(), b, servers(), selection{out: out, resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if !again.has("hit-1k") || again.has("hit-64k") {
		t.Error("the resumed report has not what was measured")
	}
	for _, text := range []string{first.Head, "| – | 5.00 (4.00–6.00) | 10.0 |", "| – | 2.00 |", "hit-1k, h2o: FAILED: wrong answer\n"} {
		if !strings.Contains(again.markdown(), text) {
			t.Errorf("the report lacks %q:\n%s", text, again.markdown())
		}
	}
	if !strings.Contains(first.markdown(), "Not begun, for want of time: idle.") {
		t.Error("the report does not tell what was left")
	}
}
