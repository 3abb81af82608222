package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/accesslog"
)

// loggedLines reads what a node has delivered into the bucket of loggedTemplate: the legacy log's lines and the records of JSON.
func loggedLines(t *testing.T, n *Node) (legacy [][]string, records []map[string]string) {
	t.Helper()
	n.accessLogs.Flush()
	name := ""
	for _, e := range n.Endpoints() {
		if e.LogicalID == "Logs" {
			name = e.ID
		}
	}
	objects, err := n.objects.of(name, "")
	if err != nil {
		t.Fatal(err)
	}
	for key, err := range objects.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		b, err := n.readObject(t.Context(), name, key)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "{"):
				var r map[string]string
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatal(err)
				}
				records = append(records, r)
			default:
				legacy = append(legacy, strings.Split(line, "\t"))
			}
		}
	}
	return legacy, records
}

// TestLoggedBytes compares cs-bytes and sc-bytes, and what else the wire shows, with the wire: HTTP/1.1, of a miss, a hit, HEAD,
// ranges, refusals, redirects and uploads.
func TestLoggedBytes(t *testing.T) {
	n := nodeOf(t, loggedTemplate(), 5000)
	l := serveReplays(t, n)
	head := " HTTP/1.1\r\nHost: " + n.hostOf("Site") + "\r\n"
	type sent struct {
		request string
		*replay
	}
	var all []sent
	for _, request := range []string{
		"GET /a.js" + head + "\r\n", "GET /a.js" + head + "\r\n", "HEAD /a.js" + head + "\r\n", "GET /a.js?x=%20&y" + head + "Range: bytes=10-19\r\n\r\n",
		"GET /a.js" + head + "If-None-Match: \"1\"\r\n\r\n", "POST /a.js" + head + "Content-Length: 3\r\n\r\nabc", "GET /a.js" + head + "Cookie: a=1; b=2\r\nUser-Agent: u \"x\"\r\n\r\n",
		"BREW /a.js" + head + "\r\n", "POST /a.js" + head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		all = append(all, sent{request, l.run(request, 1)})
	}
	legacy, records := loggedLines(t, n)
	if len(legacy) != len(all) || len(records) != len(all) {
		t.Fatalf("%d and %d records of %d requests", len(legacy), len(records), len(all))
	}
	column := map[string]int{}
	for i, name := range accesslog.Columns()[:33] {
		column[name] = i
	}
	live, err := os.ReadFile(filepath.Join(n.opts.RealtimeLogs, "live.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(live, []byte("\n")); got != len(all)-1 { // a method that nobody knows matches no behavior
		t.Errorf("%d real-time records", got)
	}
	for i, s := range all {
		field := func(name string) string { return legacy[i][column[name]] }
		for name, at := range column {
			if records[i][name] != legacy[i][at] {
				t.Errorf("%q: %s is %q in JSON and %q in the legacy log", s.request, name, records[i][name], legacy[i][at])
			}
		}
		answer := string(s.answer)
		header := func(name string) string {
			_, rest, ok := strings.Cut(answer, "\r\n"+name+": ")
			if value, _, _ := strings.Cut(rest, "\r\n"); ok {
				return value
			}
			return "-"
		}
		result, _, _ := strings.Cut(header("X-Cache"), " ")
		want := map[string]string{
			"sc-bytes": strconv.Itoa(s.written), "sc-status": answer[9:12], "x-edge-request-id": header("X-Amz-Cf-Id"), "x-edge-location": header("X-Amz-Cf-Pop"),
			"x-edge-result-type": result, "x-edge-response-result-type": result, "sc-content-type": header("Content-Type"), "cs-method": s.request[:strings.IndexByte(s.request, ' ')],
			"cs-protocol-version": "HTTP/1.1", "cs-protocol": "http", "ssl-protocol": "-", "cs-uri-stem": "/a.js", "c-ip": "127.0.0.1", "c-port": "80",
			"cs-bytes": strconv.Itoa(len(s.request)),
		}
		if strings.Contains(s.request, "chunked") {
			want["cs-bytes"] = strconv.Itoa(strings.Index(s.request, "\r\n\r\n") + 4) // it is refused: nobody has read the body
		}
		if !strings.HasPrefix(answer, "HTTP/1.1 304") {
			want["sc-content-len"] = header("Content-Length")
		}
		for name, value := range want {
			if field(name) != value {
				t.Errorf("%.60q: %s is %q, want %q", s.request, name, field(name), value)
			}
		}
	}
	for i, want := range map[int]map[string]string{
		3: {"cs-uri-query": "x=%2520&y", "sc-range-start": "10", "sc-range-end": "19", "sc-status": "206"},
		5: {"x-edge-detailed-result-type": "InvalidRequestMethod", "x-edge-response-result-type": "Error"},
		6: {"cs(Cookie)": "a=1;%20b=2", "cs(User-Agent)": "u%20%22x%22", "cache-behavior-path-pattern": "*", "c-country": "-"},
	} {
		for name, value := range want {
			if records[i][name] != value {
				t.Errorf("%.60q: %s is %q, want %q", all[i].request, name, records[i][name], value)
			}
		}
	}
}
