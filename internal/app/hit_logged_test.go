package app

import (
	"runtime"
	"strings"
	"testing"
)

// loggedTemplate is hitTemplate with all kinds of logs.
func loggedTemplate() string {
	logged := strings.Replace(hitTemplate(2), "        Enabled: true\n", `        Enabled: true
        Logging: {Bucket: !GetAtt Logs.DomainName, Prefix: site, IncludeCookies: true}
`, 1)
	logged = strings.ReplaceAll(logged, "ViewerProtocolPolicy: allow-all\n", "ViewerProtocolPolicy: allow-all\n            RealtimeLogConfigArn: !Ref Live\n")
	logged = strings.Replace(logged, "          TargetOriginId: origin\n          ViewerProtocolPolicy: allow-all\n            RealtimeLogConfigArn: !Ref Live\n",
		"          TargetOriginId: origin\n          ViewerProtocolPolicy: allow-all\n          RealtimeLogConfigArn: !Ref Live\n", 1)
	return logged + `
  Logs: {Type: AWS::S3::Bucket, Properties: {OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerPreferred}]}}}
  Source: {Type: AWS::Logs::DeliverySource, Properties: {Name: site, LogType: ACCESS_LOGS, ResourceArn: !Sub "arn:aws:cloudfront::${AWS::AccountId}:distribution/${Site}"}}
  Destination: {Type: AWS::Logs::DeliveryDestination, Properties: {Name: logs, OutputFormat: json, DestinationResourceArn: !GetAtt Logs.Arn}}
  Delivery: {Type: AWS::Logs::Delivery, Properties: {DeliverySourceName: !Ref Source, DeliveryDestinationArn: !GetAtt Destination.Arn}}
  Live:
    Type: AWS::CloudFront::RealtimeLogConfig
    Properties:
      Name: live
      SamplingRate: 100
      Fields: [timestamp, c-ip, sc-status, cs-uri-stem, cs-user-agent, cs-headers, cs-header-names, cs-headers-count, time-taken]
      EndPoints: [{StreamType: Kinesis, KinesisStreamConfig: {RoleArn: "arn:aws:iam::000000000000:role/logs", StreamArn: "arn:aws:kinesis:us-east-1:000000000000:stream/live"}}]
`
}

// TestLoggedHitAllocatesNothing is the budget of a hit whose record goes into the standard log of both versions and into a real-time
// log: the writing of the logs is in it.
func TestLoggedHitAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const count = 4000
	n := nodeOf(t, loggedTemplate(), 1<<10)
	l := serveReplays(t, n)
	for name, request := range hitRequests(n.hostOf("Site"), 2) {
		if strings.HasPrefix(request, "HEAD") {
			l.run("GET"+request[4:], 1)
		}
		l.run(request, 1) // stores the object
		l.run(request, count)
		n.accessLogs.Flush()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := l.run(request, count)
		runtime.ReadMemStats(&after)
		n.accessLogs.Flush()
		if head := string(r.answer); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "X-Cache: Hit from cloudfront\r\n") {
			t.Fatalf("%s: %.400q", name, head)
		}
		if per := float64(after.Mallocs-before.Mallocs) / count; per > 0.15 { // the connection itself costs some
			t.Errorf("%s: %.2f allocations a hit, want 0", name, per)
		}
	}
	if d := n.accessLogs.Dropped(); d > 0 {
		t.Logf("%d records were dropped", d)
	}
}

// BenchmarkLoggedHit is BenchmarkHit with all kinds of logs.
func BenchmarkLoggedHit(b *testing.B) {
	n := nodeOf(b, loggedTemplate(), 1<<10)
	l := serveReplays(b, n)
	request := hitRequests(n.hostOf("Site"), 2)["optimized"]
	l.run(request, 1)
	b.ReportAllocs()
	l.run(request, b.N)
	b.ReportMetric(float64(n.accessLogs.Dropped())/float64(b.N), "dropped/op")
}
