package logs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func newService() (*Service, context.Context) {
	return New(&service.Env{Store: store.Memory(time.Now), Now: time.Now, Account: "123456789012"}), awsapi.WithCall(context.Background(), &awsapi.Call{Region: "us-east-1"})
}

func TestLines(t *testing.T) {
	s, ctx := newService()
	now := time.Now()
	for i, line := range []string{"START", "ERROR one", "warn two", "ERROR two"} {
		s.Append("us-east-1", "/aws/lambda/f", "s", now.Add(time.Duration(i)*time.Millisecond), line)
	}
	s.Append("eu-west-1", "/aws/lambda/f", "s", now, "elsewhere")
	for pattern, want := range map[string]string{"": "START,ERROR one,warn two,ERROR two", "ERROR": "ERROR one,ERROR two", `ERROR -two`: "ERROR one", `"ERROR two"`: "ERROR two", "?warn ?START": "START,warn two"} {
		out, err := s.FilterLogEvents(ctx, &logs.FilterLogEventsInput{LogGroupName: new("/aws/lambda/f"), FilterPattern: &pattern})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range out.Events {
			got = append(got, *e.Message)
		}
		if strings.Join(got, ",") != want {
			t.Errorf("filter %q: %v, want %s", pattern, got, want)
		}
	}
	// A client that follows the forward token reads everything once, and then gets the same token.
	var token *string
	var got []string
	for range 6 {
		out, err := s.GetLogEvents(ctx, &logs.GetLogEventsInput{LogGroupName: new("/aws/lambda/f"), LogStreamName: new("s"), StartFromHead: new(true), Limit: new(int64(3)), NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			got = append(got, *e.Message)
		}
		if token != nil && *token == *out.NextForwardToken {
			break
		}
		token = out.NextForwardToken
	}
	if strings.Join(got, ",") != "START,ERROR one,warn two,ERROR two" {
		t.Errorf("followed: %v", got)
	}
	_, err := s.FilterLogEvents(ctx, &logs.FilterLogEventsInput{LogGroupName: new("none")})
	if e := awsapi.AsError(err); e == nil || e.Code != "ResourceNotFoundException" || e.Message != "The specified log group does not exist." {
		t.Errorf("unknown group: %v", err)
	}
}

// What is kept is bounded, whatever comes.
func TestBounds(t *testing.T) {
	s, ctx := newService()
	long := strings.Repeat("x", 100<<10)
	for i := range 2*maxStreams + 10 {
		s.Append("us-east-1", "g", fmt.Sprint("s", i), time.Now(), long[:i%len(long)])
	}
	for range 100 {
		s.Append("us-east-1", "g", "s", time.Now(), long)
	}
	if n := s.buffer.size(groupKey{"us-east-1", "g"}); n > maxGroupBytes {
		t.Errorf("%d bytes are kept", n)
	}
	out, err := s.DescribeLogStreams(ctx, &logs.DescribeLogStreamsInput{LogGroupName: new("g"), Limit: new(int64(5000))})
	if err != nil || len(out.LogStreams) > maxStreams {
		t.Errorf("streams: %v %d", err, len(out.LogStreams))
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "a -b ?c", `"x y" -"z"`, `"`, "- ?", `\"`} {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, pattern, line string) {
		if match, err := parseFilter(pattern); err == nil {
			match(line)
		}
	})
}
