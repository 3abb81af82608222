package edge

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// Functions run again for the second origin of a group: each gets that origin's data, and nothing of what it changed for the first
// (DG-high-availability-origin-failover, "Use origin failover with Lambda@Edge functions"). That origin-response runs for the
// answer alone that is used is our reading.
func TestFailoverWithLambda(t *testing.T) {
	p := lambdaPlan(t, OriginRequest, false)
	b := &p.Behaviors[0]
	b.Lambda[OriginResponse] = &LambdaAssociation{Event: OriginResponse, ARN: b.Lambda[OriginRequest].ARN, Name: "f"}
	p.Origins[0].Path, p.Origins[0].Headers = "/prod", message.Header{{Name: "X-First", Value: "1"}}
	p.Origins = append(p.Origins, Origin{ID: "second", Domain: "spare.example.org", HTTPPort: 80, HTTPSPort: 8443, Protocol: OriginHTTPSOnly,
		Path: "/spare", Headers: message.Header{{Name: "X-Second", Value: "2"}}, SSLProtocols: []string{"TLSv1.2"}, ReadTimeout: 30 * time.Second,
		KeepaliveTimeout: 5 * time.Second})
	p.Groups = []OriginGroup{{ID: "g", Members: []int{0, 1}, FailoverOn: []int{503}}}
	b.Origin, b.Group = -1, 0
	w, s := newWorld(p)
	var events []string
	generate := false
	w.lambda = func(i *LambdaInvocation) ([]byte, error) {
		var ev cfEvent
		if err := json.Unmarshal(i.Payload, &ev); err != nil {
			return nil, err
		}
		cf := ev.Records[0].CF
		r := cf.Request
		o := r["origin"].(map[string]any)["custom"].(map[string]any)
		h := r["headers"].(map[string]any)
		events = append(events, fmt.Sprint(cf.Config["eventType"], " ", o["domainName"], " ", o["port"], " ", o["path"], " ", r["uri"],
			" host:", h["host"].([]any)[0].(map[string]any)["value"], " custom:", o["customHeaders"], " marked:", h["x-mark"] != nil))
		if cf.Response != nil {
			cf.Response["headers"].(map[string]any)["x-from"] = entry("X-From", o["domainName"].(string))
			return json.Marshal(cf.Response)
		}
		if generate && o["domainName"] == "spare.example.org" {
			return []byte(`{"status":"200","body":"sorry"}`), nil
		}
		r["uri"] = "/changed" + r["uri"].(string)
		h["x-mark"] = entry("X-Mark", o["domainName"].(string))
		return json.Marshal(r)
	}
	const (
		first    = "origin-request api.example.org 443 /prod /x host:api.example.org custom:map[x-first:[map[key:X-First value:1]]] marked:false"
		second   = "origin-request spare.example.org 8443 /spare /x host:spare.example.org custom:map[x-second:[map[key:X-Second value:2]]] marked:false"
		answered = "origin-response spare.example.org 8443 /spare /changed/x host:spare.example.org custom:map[x-second:[map[key:X-Second value:2]]] marked:true"
	)
	for _, c := range []struct {
		name     string
		first    func() (*message.Response, error)
		generate bool
		want     []string
		body     string
	}{
		{"status", func() (*message.Response, error) { return message.Text(503, "text/plain", "no"), nil }, false, []string{first, second, answered}, "second"},
		{"no connection", func() (*message.Response, error) { return nil, &FetchError{Kind: FetchConnect} }, false, []string{first, second, answered}, "second"},
		{"answer of the function", func() (*message.Response, error) { return message.Text(503, "text/plain", "no"), nil }, true, []string{first, second}, "sorry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, generate = nil, c.generate
			w.origin = func(r *FetchRequest) (*message.Response, error) {
				if r.Origin.ID != "second" {
					return c.first()
				}
				if q := r.Request; q.Path != "/spare/changed/x" || q.Host != "spare.example.org" || q.Header.Get("X-Mark") != "spare.example.org" ||
					q.Header.Get("X-Second") != "2" || q.Header.Has("X-First") || r.Port != 8443 {
					t.Errorf("the second origin gets %s on %s:%d with %v", q.Path, q.Host, r.Port, q.Header)
				}
				return message.Text(200, "text/plain", "second"), nil
			}
			got := ask(s, get("/x"))
			if !slices.Equal(events, c.want) {
				t.Errorf("events\n%q, want\n%q", events, c.want)
			}
			if from := got.Header.Get("X-From"); got.Status != 200 || got.body != c.body || !c.generate && from != "spare.example.org" {
				t.Errorf("%d %q from %q", got.Status, got.body, from)
			}
		})
	}
}
