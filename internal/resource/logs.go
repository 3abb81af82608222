package resource

import (
	"time"

	"github.com/foregate/foregate/internal/store"
)

// LogGroups holds the log groups of each region under their names. Streams and events are in memory only.
var LogGroups = store.NewKind[LogGroup]("logs", "log-group")

// The kinds of the delivery of logs, each of a region: sources and destinations under their names, deliveries under their ids.
var (
	DeliverySources      = store.NewKind[DeliverySource]("logs", "delivery-source")
	DeliveryDestinations = store.NewKind[DeliveryDestination]("logs", "delivery-destination")
	Deliveries           = store.NewKind[Delivery]("logs", "delivery")
)

func logsDecoders() []store.Decoder {
	return []store.Decoder{LogGroups.Decoder(), DeliverySources.Decoder(), DeliveryDestinations.Decoder(), Deliveries.Decoder()}
}

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

// DeliverySource is something that sends logs, such as a distribution.
type DeliverySource struct {
	Name, ARN string
	// Resource is the ARN of what sends, Service the service of it.
	Resource, Service, LogType string
	Configuration              map[string]string
	Tags                       map[string]string
}

// DeliveryDestination is where logs go.
type DeliveryDestination struct {
	Name, ARN string
	// Type is S3, CWL, FH or XRAY; Resource is the ARN of the place, "" for XRAY.
	Type, Resource string
	// OutputFormat is "" when none was named.
	OutputFormat string
	// Policy lets other accounts deliver; "" without one.
	Policy string
	Tags   map[string]string
}

// Delivery connects a source with a destination.
type Delivery struct {
	ID, ARN string
	// Source is a name, Destination an ARN, Type that of the destination.
	Source, Destination, Type string
	Fields                    []string
	Delimiter                 string
	// SuffixPath and Hive are for buckets.
	SuffixPath string
	Hive       bool
	Tags       map[string]string
}
