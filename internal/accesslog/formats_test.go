package accesslog

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The examples of standard-logging.
func TestDeliveryFormats(t *testing.T) {
	r := &Record{Ended: time.UnixMilli(1731620046814), Location: "SOF50-P2", ASN: "16509", Origin: "o", OriginFirst: 251 * time.Millisecond, OriginLast: 251 * time.Millisecond,
		Host: "d111111abcdef8.cloudfront.net", Cookie: "examplecookie=value"}
	fields := strings.Fields("date time x-edge-location asn timestamp(ms) origin-fbl origin-lbl x-host-header cs(Cookie)")
	for _, c := range []struct {
		name      string
		format    Format
		delimiter string
		cookies   bool
		want      string
	}{
		{"json", JSON, "", true, `{"date":"2024-11-14","time":"21:34:06","x-edge-location":"SOF50-P2","asn":"16509","timestamp(ms)":"1731620046814","origin-fbl":"0.251","origin-lbl":"0.251","x-host-header":"d111111abcdef8.cloudfront.net","cs(Cookie)":"examplecookie=value"}`},
		{"w3c", W3C, "\t", false, "2024-11-14\t21:34:06\tSOF50-P2\t16509\t1731620046814\t0.251\t0.251\td111111abcdef8.cloudfront.net\t-"},
		{"plain", Plain, ",", true, "2024-11-14,21:34:06,SOF50-P2,16509,1731620046814,0.251,0.251,d111111abcdef8.cloudfront.net,examplecookie=value"},
		{"raw", Raw, " ", false, "2024-11-14 21:34:06 SOF50-P2 16509 1731620046814 0.251 0.251 d111111abcdef8.cloudfront.net -"},
	} {
		l, err := newLayout(fields, c.format, c.delimiter, c.cookies)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(l.append(nil, r)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		if got := l.needs(); got != NeedsPlace {
			t.Errorf("needs %d", got)
		}
		head := "#Version: 1.0\n#Fields: " + strings.Join(fields, " ") + "\n"
		if c.format != W3C {
			head = ""
		}
		if l.head() != head {
			t.Errorf("%s: head %q", c.name, l.head())
		}
	}
	if _, err := newLayout([]string{"cs-cookie"}, W3C, "\t", false); err == nil {
		t.Error("a field of real-time logs is taken")
	}
	if n := len(DefaultColumns()); n != 35 || DefaultColumns()[34] != "cache-behavior-path-pattern" {
		t.Errorf("%d columns by default: %s", n, DefaultColumns())
	}
}

// The tables of standard-logging, "Example paths to access logs".
func TestFolders(t *testing.T) {
	r := &Record{Ended: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC), Distribution: "E2"}
	for _, c := range []struct {
		prefix, suffix string
		hive           bool
		want           string
	}{
		{"MyLogPrefix", "", false, "MyLogPrefix/"},
		{"MyLogPrefix", "myFolderA/", false, "MyLogPrefix/myFolderA/"},
		{"MyLogPrefix", "myFolderA/{yyyy}", true, "MyLogPrefix/myFolderA/year=2025/"},
		{"", DefaultSuffix, false, "AWSLogs/111122223333/CloudFront/"},
		{"", DefaultSuffix + "myFolderA/", false, "AWSLogs/111122223333/CloudFront/myFolderA/"},
		{"", DefaultSuffix + "myFolderA/", true, "AWSLogs/aws-account-id=111122223333/CloudFront/myFolderA/"},
		{"", DefaultSuffix + "myFolderA/{yyyy}", true, "AWSLogs/aws-account-id=111122223333/CloudFront/myFolderA/year=2025/"},
		{"", DefaultSuffix + "myFolderA/{accountid}", true, "AWSLogs/aws-account-id=111122223333/CloudFront/myFolderA/accountid=111122223333/"},
		{"", "my_distribution_log_data/{DistributionId}/logs", false, "my_distribution_log_data/E2/logs/"},
		{"", "/cloudfront/{distributionid}/{yyyy}/{MM}/{dd}/{HH}/logs", false, "cloudfront/E2/2025/03/04/05/logs/"},
		{"", "/cloudfront/DistributionId={DistributionId}/year={yyyy}/month={MM}/day={dd}/hour={HH}/logs", true, "cloudfront/DistributionId=E2/year=2025/month=03/day=04/hour=05/logs/"},
		{"", "", false, ""},
	} {
		d := Delivery{Account: "111122223333", Prefix: c.prefix, Suffix: c.suffix, Hive: c.hive}
		if got := d.folder(r); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.prefix, c.suffix, got, c.want)
		}
		if err := CheckSuffix(c.suffix); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"{yyyy", "{year}", "a/{}/b"} {
		if CheckSuffix(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestRealTimeRecord(t *testing.T) {
	fields := "Host: www.example.com\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nCMCD-Request: bl=21300,nor=\"..%2F2.mp4\",su\r\nCMCD-Object:br=3200\r\n\r\n"
	r := &Record{
		Ended: time.UnixMilli(1731620046814), Client: netip.MustParseAddrPort("[2001:db8::1]:443"), Server: "198.51.100.1", Host: "www.example.com", Domain: "d1.cloudfront.net",
		Path: "/a b", Query: "x=1", HasQuery: true, Status: 200, Cookie: strings.Repeat("c", 900), Fields: fields, Origin: "o.example.net", FailedOver: 403, ContentLength: -1,
	}
	l := realTimeLayout(RealTimeColumns())
	got := strings.Split(string(l.append(nil, r)), "\t")
	for i, name := range RealTimeColumns() {
		want, ok := map[string]string{
			"timestamp": "1731620046.814", "c-ip": "2001:db8::1", "s-ip": "198.51.100.1", "sc-status": "200", "cs-host": "www.example.com", "x-host-header": "d1.cloudfront.net",
			"cs-uri-stem": "/a%20b?x=1", "cs-uri-query": "x=1", "c-ip-version": "IPv6", "cs-cookie": strings.Repeat("c", 800), "cs-accept": "*/*", "cs-accept-encoding": "gzip,%20br",
			"cs-headers":       "Host:www.example.com%0AAccept:*/*%0AAccept-Encoding:gzip,%20br%0ACMCD-Request:bl=21300,nor=%22..%252F2.mp4%22,su%0ACMCD-Object:br=3200%0A",
			"cs-header-names":  "Host%0AAccept%0AAccept-Encoding%0ACMCD-Request%0ACMCD-Object%0A",
			"cs-headers-count": "5", "cmcd-encoded-bitrate": "3200", "cmcd-buffer-length": "21300", "cmcd-next-object-request": "..%252F2.mp4", "cmcd-startup": "true",
			"cmcd-content-id": "-", "r-host": "o.example.net", "sr-reason": "Failover:403", "fle-status": "-", "x-edge-mqcs": "-", "connection-id": "-", "sc-content-len": "-",
		}[name]
		if ok && got[i] != want {
			t.Errorf("%s: %q, want %q", name, got[i], want)
		}
	}
	if len(got) != 69 {
		t.Errorf("%d fields", len(got))
	}
	// Order is the manual's, and repetition is of no use.
	three := realTimeLayout([]string{"c-country", "sc-status", "time-to-first-byte", "sc-status"})
	if got := strings.Join(names(three.columns), " "); got != "time-to-first-byte sc-status c-country" {
		t.Error(got)
	}
	media := &Record{Query: "a=b&CMCD=bs%2Ccid%3D%22a%2C%5C%22b%22%2Cv%3D1", ContentLength: -1}
	for key, want := range map[string]string{"bs": "true", "cid": `a,"b`, "v": "1", "d": ""} {
		if got := string(appendMedia(nil, media, key)); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	cut := &column{of: text(func(*Record) string { return strings.Repeat("a", 799) + " b" }), limit: longest}
	if got, _ := cut.append(nil, nil, r); string(got) != strings.Repeat("a", 799) {
		t.Errorf("cut to %d bytes: %s", len(got), got[790:])
	}
}

func TestStreamsAndGroups(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "streams")
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenStreams(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.limit = 20
		var events []string
		c := New(Options{Streams: s, Event: func(region, group, stream string, _ time.Time, line string) {
			events = append(events, strings.Join([]string{region, group, stream, line}, " "))
		}})
		live, err := c.Route(Destinations{
			Streams:    []Stream{{"live", []string{"sc-status", "cs-method"}}},
			Deliveries: []Delivery{{Distribution: "E1", Region: "us-east-1", Group: "g", Format: JSON, Fields: []string{"sc-status"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			live.Log(&Record{Status: 200 + i, Method: "GET"})
			c.Flush()
		}
		c.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for name, want := range map[string]string{"live.log": "202\tGET\n203\tGET\n", "live.log.1": "200\tGET\n201\tGET\n"} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if len(events) != 4 || events[0] != `us-east-1 g CloudFront_E1 {"sc-status":"200"}` {
			t.Errorf("events %q", events)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	r := &Record{Ended: time.UnixMilli(1731620046814), Taken: time.Millisecond, Location: "FRA56-P4", Domain: "d111111abcdef8.cloudfront.net", Host: "d111111abcdef8.cloudfront.net",
		Client: netip.MustParseAddrPort("192.0.2.1:443"), Method: "GET", Path: "/index.html", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.108 Safari/537.36",
		Protocol: "https", Version: "HTTP/2.0", Status: 200, Result: "Hit", ResponseResult: "Hit", Detailed: "Hit", Fields: "Host: d111111abcdef8.cloudfront.net\r\nAccept: */*\r\n"}
	legacy, err := newLayout(names(columns()[:legacyColumns]), W3C, "\t", true)
	if err != nil {
		b.Fatal(err)
	}
	for name, l := range map[string]*layout{"legacy": legacy, "real-time": realTimeLayout(RealTimeColumns())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var room []byte
			for b.Loop() {
				room = l.append(room[:0], r)
			}
		})
	}
}
