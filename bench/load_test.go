package main

import (
	"strings"
	"testing"
	"text/template"

	"github.com/foregate/foregate/bench/body"
)

// The load generators' words are all that tells a good run from a bad one.
func TestParse(t *testing.T) {
	h2 := `TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Application protocol: h2
finished in 1.01s, 4517.00 req/s, 4.77MB/s
requests: DONE total, 5029 started, DONE done, DONE succeeded, FAILED failed, 0 errored, 0 timeout
status codes: 4552 2xx, 0 3xx, 0 4xx, REFUSED 5xx
traffic: 4.77MB (4999899) total, 283.91KB (290726) headers (space savings 82.78%), 4.41MB (4625408) data
`
	good := strings.NewReplacer("DONE", "4517", "FAILED", "0", "REFUSED", "0").Replace(h2)
	for name, c := range map[string]struct {
		out      string
		protocol protocol
		requests int64 // 0: an error
	}{
		"wrk":                      {"noise\nRESULT 10 13000 0 0\n", clear1, 10},
		"wrk with other statuses":  {"RESULT 10 13000 1 0", clear1, 0},
		"wrk with broken sockets":  {"RESULT 10 13000 0 2", tls1, 0},
		"wrk with short bodies":    {"RESULT 10 9000 0 0", clear1, 0},
		"wrk without an answer":    {"RESULT 0 0 0 0", clear1, 0},
		"wrk that broke off":       {"unable to connect", clear1, 0},
		"h2load":                   {good, tls2, 4517},
		"h2load over HTTP/1.1":     {strings.Replace(good, "h2\n", "http/1.1\n", 1), tls2, 0},
		"h2load over TLS 1.2":      {strings.Replace(good, "TLSv1.3", "TLSv1.2", 1), tls2, 0},
		"h2load, other statuses":   {strings.NewReplacer("DONE", "4517", "FAILED", "0", "REFUSED", "3").Replace(h2), tls2, 0},
		"h2load, failed requests":  {strings.NewReplacer("DONE", "4517", "FAILED", "3", "REFUSED", "0").Replace(h2), tls2, 0},
		"h2load with short bodies": {strings.NewReplacer("DONE", "4518", "FAILED", "0", "REFUSED", "0").Replace(h2), tls2, 0},
	} {
		got, err := parse([]byte(c.out), scenario{protocol: c.protocol, size: "1k"})
		if (err == nil) != (c.requests > 0) || err == nil && got.requests != c.requests {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestScenariosAndConfigurationsFit(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios() {
		if seen[s.name] || s.title == "" || s.unit == "" || (s.measure == nil) == (s.start == nil) || body.Sizes[s.size] == 0 {
			t.Errorf("scenario %q is not whole, or there twice", s.name)
		}
		seen[s.name] = true
	}
	files, err := confs.ReadDir("conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		tmpl, err := template.New(f.Name()).Parse(string(mustConf(f.Name())))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, v := range []values{{}, {Behaviors: behaviors(75)}, {Sites: sites(3), HTTP3: true}, {Objects: 1000}} {
			if err := tmpl.Execute(&strings.Builder{}, v); err != nil {
				t.Error(err)
			}
		}
	}
}
