package resource

import (
	"time"

	"github.com/foregate/foregate/internal/store"
)

// LogGroups holds the log groups of each region under their names. Streams and events are in memory only.
var LogGroups = store.NewKind[LogGroup]("logs", "log-group")

func logsDecoders() []store.Decoder { return []store.Decoder{LogGroups.Decoder()} }

// LogGroup is a log group of CloudWatch Logs.
type LogGroup struct {
	Name, ARN string
	Created   time.Time
	// Class is STANDARD unless said otherwise.
	Class string
	// RetentionDays is nil when events are kept for ever.
	RetentionDays *int64
	KMSKeyID      string
	Protected     bool
	Tags          map[string]string
}
