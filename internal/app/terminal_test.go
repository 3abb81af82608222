package app

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/message"
)

// screen remembers each write and when it came. A slow one takes its time.
type screen struct {
	mu     sync.Mutex
	writes []string
	at     []time.Time
	slow   time.Duration
}

func (s *screen) Write(p []byte) (int, error) {
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes, s.at = append(s.writes, string(p)), append(s.at, time.Now())
	return len(p), nil
}

func TestTerminalGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		term := newTerminal(Streams{Err: s})
		start := time.Now()
		term.logf("first")
		synctest.Wait()
		if len(s.writes) != 1 || s.writes[0] != "foregate: first\n" || !s.at[0].Equal(start) {
			t.Fatalf("a line after a quiet moment: %q after %v", s.writes, time.Since(start))
		}
		for i := range 100 {
			term.logf("%d", i)
		}
		time.Sleep(gatherFor)
		synctest.Wait()
		if len(s.writes) != 2 || strings.Count(s.writes[1], "\n") != 100 || !strings.HasPrefix(s.writes[1], "foregate: 0\nforegate: 1\n") {
			t.Fatalf("lines one after the other: %q", s.writes[1:])
		}
		time.Sleep(time.Second)
		fmt.Fprint(term, "a text")
		term.logf("last")
		term.close()
		if all := strings.Join(s.writes[2:], ""); all != "a textforegate: last\n" {
			t.Errorf("at the end: %q", all)
		}
		term.logf("after it")
		if last := s.writes[len(s.writes)-1]; last != "foregate: after it\n" {
			t.Errorf("after the end: %q", last)
		}
	})
}

// Nothing is lost nor disordered when lines come from many sides and the screen is slow.
func TestTerminalLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{slow: time.Second}
		term := newTerminal(Streams{Err: s})
		var wg sync.WaitGroup
		const many, each = 8, 40
		long := strings.Repeat("x", gatherMost/100)
		for who := range many {
			wg.Go(func() {
				for i := range each {
					term.logf("%d %d %s", who, i, long)
				}
			})
		}
		wg.Wait()
		term.close()
		var next [many]int
		for _, w := range s.writes {
			if len(w) > gatherMost+2*len(long) {
				t.Errorf("%d bytes were gathered", len(w))
			}
		}
		for line := range strings.Lines(strings.Join(s.writes, "")) {
			var who, i int
			if _, err := fmt.Sscanf(line, "foregate: %d %d ", &who, &i); err != nil || next[who] != i {
				t.Fatalf("%.40q, want number %d: %v", line, next[who], err)
			}
			next[who]++
		}
		for who, n := range next {
			if n != each {
				t.Errorf("%d lines of %d, want %d", n, who, each)
			}
		}
	})
}

func answeredBy(fields ...message.Field) front.Answered {
	return front.Answered{Method: "GET", Scheme: "http", Host: "d1.cloudfront.net", Path: "/a", Query: "b=c&token=0123456789abcdefghij", HasQuery: true,
		Response: &message.Response{Status: 403, Header: fields}, Took: 1234567}
}

func TestAnsweredLine(t *testing.T) {
	for color, status := range map[bool]string{false: "403 Forbidden", true: "\x1b[31m403 Forbidden\x1b[0m"} {
		s := &screen{}
		term := newTerminal(Streams{Err: s, ErrColor: color})
		term.answered(answeredBy(message.Field{Name: "x-cache", Value: "Error from cloudfront"}, message.Field{Name: "x-amzn-ErrorType", Value: "ForbiddenException"}))
		term.close()
		_, line, _ := strings.Cut(strings.Join(s.writes, ""), "  ")
		want := "GET  http://d1.cloudfront.net/a?b=c&token=0123…ghij  " + status + "  ForbiddenException  Error from cloudfront  1.23ms\n"
		if line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
}

func TestAnsweredAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	term := newTerminal(Streams{Err: io.Discard})
	defer term.close()
	a := answeredBy(message.Field{Name: "X-Cache", Value: "Hit from cloudfront"})
	a.Query = "b=c&d=e"
	for range 20_000 { // lets the buffers grow
		term.answered(a)
	}
	if n := testing.AllocsPerRun(1000, func() { term.answered(a) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendDuration(t *testing.T) {
	for _, d := range []time.Duration{0, time.Microsecond, 10 * time.Microsecond, 990 * time.Microsecond, time.Millisecond, 1010 * time.Microsecond, 1100 * time.Microsecond,
		999_990 * time.Microsecond, time.Second, 1_000_010 * time.Microsecond, 12_345_670 * time.Microsecond, 59_999_990 * time.Microsecond, time.Minute, 61 * time.Second, time.Hour} {
		if got := string(appendDuration(nil, d)); got != d.String() {
			t.Errorf("%q, want %q", got, d.String())
		}
	}
}
