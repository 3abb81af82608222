package logs

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
)

// Append adds a line to a stream of a group, making both when need be, as Lambda does for a function that runs for the first
// time. A group made so is no resource of the store: it is there as long as its lines are.
func (s *Service) Append(region, group, stream string, at time.Time, line string) {
	s.buffer.add(groupKey{region, group}, stream, s.env.Now(), event{at: at.UnixMilli(), message: line})
}

// CreateLogStream makes a stream.
func (s *Service) CreateLogStream(ctx context.Context, in *logs.CreateLogStreamInput) (*logs.CreateLogStreamOutput, error) {
	region, g, err := s.group(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if !s.buffer.create(groupKey{region, g.Name}, deref(in.LogStreamName), s.env.Now()) {
		return nil, awsapi.Errorf(logs.ErrCodeResourceAlreadyExistsException, "The specified log stream already exists")
	}
	return &logs.CreateLogStreamOutput{}, nil
}

func noStream() error {
	return awsapi.Errorf(logs.ErrCodeResourceNotFoundException, "The specified log stream does not exist.")
}

// DeleteLogStream deletes a stream with its events.
func (s *Service) DeleteLogStream(ctx context.Context, in *logs.DeleteLogStreamInput) (*logs.DeleteLogStreamOutput, error) {
	region, g, err := s.group(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if !s.buffer.deleteStream(groupKey{region, g.Name}, deref(in.LogStreamName)) {
		return nil, noStream()
	}
	return &logs.DeleteLogStreamOutput{}, nil
}

// either returns the first of two names that is given.
func either(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}

// DescribeLogStreams lists streams by name, or by their last event.
func (s *Service) DescribeLogStreams(ctx context.Context, in *logs.DescribeLogStreamsInput) (*logs.DescribeLogStreamsOutput, error) {
	region, g, err := s.group(ctx, either(in.LogGroupName, in.LogGroupIdentifier))
	if err != nil {
		return nil, err
	}
	byTime := deref(in.OrderBy) == "LastEventTime"
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, invalid("OrderBy", "Cannot order by LastEventTime with a logStreamNamePrefix.", "")
	}
	names, all := s.buffer.streams(groupKey{region, g.Name})
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, deref(in.LogStreamNamePrefix)) })
	if byTime {
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(all[a].last, all[b].last) })
	}
	if deref(in.Descending) {
		slices.Reverse(names)
	}
	start, limit, err := window(in.NextToken, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	out := &logs.DescribeLogStreamsOutput{LogStreams: []*logs.LogStream{}}
	for i := start; i < len(names); i++ {
		if len(out.LogStreams) == limit {
			out.NextToken = new(strconv.Itoa(i))
			break
		}
		st := all[names[i]]
		v := &logs.LogStream{LogStreamName: &names[i], CreationTime: millis(st.created), Arn: new(g.ARN + ":log-stream:" + names[i]), StoredBytes: new(int64(0))}
		if st.last > 0 {
			v.FirstEventTimestamp, v.LastEventTimestamp, v.LastIngestionTime = &st.first, &st.last, &st.ingested
		}
		out.LogStreams = append(out.LogStreams, v)
	}
	return out, nil
}

// window reads a token that is a position, and a limit.
func window(token *string, limit *int64, otherwise int) (int, int, error) {
	start := 0
	if t := deref(token); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 {
			return 0, 0, invalid("NextToken", "The specified nextToken is invalid.", "")
		}
		start = n
	}
	if limit != nil && *limit > 0 {
		otherwise = int(*limit)
	}
	return start, otherwise, nil
}

// The bounds of PutLogEvents (CloudWatch Logs API reference).
const (
	maxBatchBytes = 1048576
	maxBatch      = 10000
	tooOld        = 14 * 24 * time.Hour
	tooNew        = 2 * time.Hour
)

// PutLogEvents adds events to a stream.
func (s *Service) PutLogEvents(ctx context.Context, in *logs.PutLogEventsInput) (*logs.PutLogEventsOutput, error) {
	region, g, err := s.group(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	k := groupKey{region, g.Name}
	if _, all := s.buffer.streams(k); !has(all, deref(in.LogStreamName)) {
		return nil, noStream()
	}
	now := s.env.Now()
	size, last := 0, int64(0)
	out := &logs.PutLogEventsOutput{NextSequenceToken: new(fmt.Sprintf("%056d", now.UnixNano()))}
	var rejected logs.RejectedLogEventsInfo
	var events []event
	for i, e := range in.LogEvents {
		at := deref(e.Timestamp)
		size += len(deref(e.Message)) + eventOverhead
		if at < last {
			return nil, invalid("LogEvents", "Log events in a single PutLogEvents request must be in chronological order.", "")
		}
		last = at
		switch when := time.UnixMilli(at); {
		case now.Sub(when) > tooOld:
			rejected.TooOldLogEventEndIndex = new(int64(i + 1))
		case when.Sub(now) > tooNew:
			if rejected.TooNewLogEventStartIndex == nil {
				rejected.TooNewLogEventStartIndex = new(int64(i))
			}
		default:
			events = append(events, event{at: at, message: deref(e.Message)})
		}
	}
	if size > maxBatchBytes || len(in.LogEvents) > maxBatch {
		return nil, invalid("LogEvents", fmt.Sprintf("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes), "")
	}
	if rejected != (logs.RejectedLogEventsInfo{}) {
		out.RejectedLogEventsInfo = &rejected
	}
	s.buffer.add(k, *in.LogStreamName, now, events...)
	return out, nil
}

func has(all map[string]stream, name string) bool { _, ok := all[name]; return ok }

func inTime(e *event, start, end *int64, endIncluded bool) bool {
	if start != nil && e.at < *start {
		return false
	}
	return end == nil || e.at < *end || endIncluded && e.at == *end
}

// GetLogEvents returns events of a stream, the newest ones unless StartFromHead is set.
func (s *Service) GetLogEvents(ctx context.Context, in *logs.GetLogEventsInput) (*logs.GetLogEventsOutput, error) {
	region, g, err := s.group(ctx, either(in.LogGroupName, in.LogGroupIdentifier))
	if err != nil {
		return nil, err
	}
	k := groupKey{region, g.Name}
	name := deref(in.LogStreamName)
	if _, all := s.buffer.streams(k); !has(all, name) {
		return nil, noStream()
	}
	all := s.buffer.selected(k, func(e *event) bool { return e.stream == name && inTime(e, in.StartTime, in.EndTime, false) })
	limit := maxBatch
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	// A token is a direction and the number of an event: f/N is what follows it, b/N what stands before it.
	from, to := max(0, len(all)-limit), len(all)
	direction, id, _ := strings.Cut(deref(in.NextToken), "/")
	n, err := strconv.ParseUint(id, 10, 64)
	switch {
	case in.NextToken == nil:
		if deref(in.StartFromHead) {
			from, to = 0, min(limit, len(all))
		}
	case err != nil:
		return nil, invalid("NextToken", "The specified nextToken is invalid.", "")
	case direction == "f":
		from = 1 + slices.IndexFunc(all, func(e event) bool { return e.id == n })
		to = min(from+limit, len(all))
	default:
		to = max(0, slices.IndexFunc(all, func(e event) bool { return e.id == n }))
		from = max(0, to-limit)
	}
	out := &logs.GetLogEventsOutput{Events: []*logs.OutputLogEvent{}, NextForwardToken: new("f/" + id), NextBackwardToken: new("b/" + id)}
	if in.NextToken == nil {
		out.NextForwardToken, out.NextBackwardToken = new("f/0"), new("b/0")
	}
	for i := from; i < to; i++ {
		e := &all[i]
		out.Events = append(out.Events, &logs.OutputLogEvent{Timestamp: &e.at, Message: &e.message, IngestionTime: &e.ingested})
	}
	if from < to {
		out.NextForwardToken, out.NextBackwardToken = new(fmt.Sprintf("f/%d", all[to-1].id)), new(fmt.Sprintf("b/%d", all[from].id))
	}
	return out, nil
}

// FilterLogEvents searches the streams of a group.
func (s *Service) FilterLogEvents(ctx context.Context, in *logs.FilterLogEventsInput) (*logs.FilterLogEventsOutput, error) {
	region, g, err := s.group(ctx, either(in.LogGroupName, in.LogGroupIdentifier))
	if err != nil {
		return nil, err
	}
	match, err := parseFilter(deref(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	start, limit, err := window(in.NextToken, in.Limit, maxBatch)
	if err != nil {
		return nil, err
	}
	all := s.buffer.selected(groupKey{region, g.Name}, func(e *event) bool {
		return uint64(start) < e.id && inTime(e, in.StartTime, in.EndTime, true) && strings.HasPrefix(e.stream, deref(in.LogStreamNamePrefix)) &&
			(len(in.LogStreamNames) == 0 || slices.Contains(in.LogStreamNames, e.stream)) && match(e.message)
	})
	out := &logs.FilterLogEventsOutput{Events: []*logs.FilteredLogEvent{}, SearchedLogStreams: []*logs.SearchedLogStream{}}
	if len(all) > limit {
		// By arrival, so that the number of the last event tells what has been given.
		slices.SortFunc(all, func(a, b event) int { return cmp.Compare(a.id, b.id) })
		all = all[:limit]
		out.NextToken = new(strconv.FormatUint(all[limit-1].id, 10))
	}
	for i := range all {
		e := &all[i]
		out.Events = append(out.Events, &logs.FilteredLogEvent{LogStreamName: &e.stream, Timestamp: &e.at, Message: &e.message, IngestionTime: &e.ingested, EventId: new(fmt.Sprintf("%056d", e.id))})
	}
	return out, nil
}

var term = regexp.MustCompile(`([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))`)

// parseFilter reads an unstructured filter pattern: terms, "quoted terms", -excluded and ?either (CloudWatch Logs user guide,
// FilterAndPatternSyntax). JSON and space-delimited patterns and regular expressions are refused.
func parseFilter(pattern string) (func(string) bool, error) {
	p := strings.TrimSpace(pattern)
	if strings.HasPrefix(p, "{") || strings.HasPrefix(p, "[") || strings.Contains(p, "%") {
		return nil, awsapi.StatusErrorf(501, "NotImplemented", "Foregate does not implement this kind of filter pattern yet: only terms, quoted terms, -terms and ?terms")
	}
	var all, none, some []string
	for _, m := range term.FindAllStringSubmatch(p, -1) {
		text := m[3]
		if text == "" {
			text = strings.ReplaceAll(m[2], `\"`, `"`)
		}
		switch m[1] {
		case "-":
			none = append(none, text)
		case "?":
			some = append(some, text)
		default:
			all = append(all, text)
		}
	}
	return func(s string) bool {
		in := func(t string) bool { return strings.Contains(s, t) }
		// Terms with a question mark count only where there are no others, as on AWS.
		return !slices.ContainsFunc(none, in) && !slices.ContainsFunc(all, func(t string) bool { return !in(t) }) &&
			(len(all) > 0 || len(some) == 0 || slices.ContainsFunc(some, in))
	}, nil
}
