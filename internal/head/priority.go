package head

import "strings"

// Priority says when a stream's content leaves, compared with that of others (rfc9218 4).
type Priority struct {
	Urgency     uint8 // 0 is the most urgent
	Incremental bool  // is of use in pieces: takes turns with others of its kind
	Said        bool  // the client has said so
}

// UrgencyDefault is of a stream that says nothing, UrgencyLeast the highest number.
const (
	UrgencyDefault = 3
	UrgencyLeast   = 7
)

// ParsePriority reads the dictionary of a Priority field (rfc9218 4, rfc8941 3.2). What it cannot read it ignores, as parameters that
// are unknown or out of range.
func ParsePriority(v string) Priority {
	p := Priority{Urgency: UrgencyDefault}
	for member := range strings.SplitSeq(v, ",") {
		member, _, _ = strings.Cut(strings.Trim(member, " \t"), ";")
		key, value, has := strings.Cut(member, "=")
		switch {
		case key == "u" && len(value) == 1 && value[0] >= '0' && value[0] <= '0'+UrgencyLeast:
			p.Urgency, p.Said = value[0]-'0', true
		case key == "i" && (!has || value == "?1"):
			p.Incremental, p.Said = true, true
		case key == "i" && value == "?0":
			p.Incremental, p.Said = false, true
		}
	}
	return p
}
