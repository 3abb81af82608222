package accesslog

import (
	"net/url"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// eachField goes through field lines "Name: value\r\n" until yield returns false.
func eachField(lines string, yield func(name, value string) bool) {
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		lines = rest
		if name, v, ok := strings.Cut(line, ":"); ok && !yield(name, strings.Trim(v, " \t")) {
			return
		}
	}
}

// lookup returns the first value of a field.
func lookup(lines, name string) (value string) {
	eachField(lines, func(n, v string) bool {
		if message.SameName(n, name) {
			value = v
			return false
		}
		return true
	})
	return value
}

// appendFields writes names and values as Name:value with a line feed behind each; appendNames the names alone. That they are
// percent-encoded as a whole, and how, is in the consumer of github.com/aws-samples' real-time monitoring of CloudFront.
func appendFields(dst []byte, r *Record) []byte {
	eachField(r.fields(), func(n, v string) bool {
		dst = append(append(append(append(dst, n...), ':'), v...), '\n')
		return len(dst) <= longest
	})
	return dst
}

func appendNames(dst []byte, r *Record) []byte {
	eachField(r.fields(), func(n, _ string) bool {
		dst = append(append(dst, n...), '\n')
		return len(dst) <= longest
	})
	return dst
}

type mediaKey struct{ column, key string }

// mediaKeys are the fields of Common Media Client Data with the keys of CTA-5004, in the order of real-time-logs.
func mediaKeys() []mediaKey {
	return []mediaKey{
		{"cmcd-encoded-bitrate", "br"}, {"cmcd-buffer-length", "bl"}, {"cmcd-buffer-starvation", "bs"}, {"cmcd-content-id", "cid"},
		{"cmcd-object-duration", "d"}, {"cmcd-deadline", "dl"}, {"cmcd-measured-throughput", "mtp"}, {"cmcd-next-object-request", "nor"},
		{"cmcd-next-range-request", "nrr"}, {"cmcd-object-type", "ot"}, {"cmcd-playback-rate", "pr"},
		{"cmcd-requested-maximum-throughput", "rtp"}, {"cmcd-streaming-format", "sf"}, {"cmcd-session-id", "sid"},
		{"cmcd-stream-type", "st"}, {"cmcd-startup", "su"}, {"cmcd-top-bitrate", "tb"}, {"cmcd-version", "v"},
	}
}

// appendMedia writes the value of a key of CMCD, which comes in the query string or in one of four fields (CTA-5004 2.1, 2.2). A
// text is written without its quotes, and a key without a value, which is one that is true, as true.
func appendMedia(dst []byte, r *Record, key string) []byte {
	v, ok := mediaValue(queryValue(r.Query, "CMCD"), key)
	if !ok {
		eachField(r.fields(), func(n, list string) bool {
			if len(n) > 5 && message.SameName(n[:5], "CMCD-") {
				switch strings.ToLower(n[5:]) {
				case "object", "request", "status", "session":
					v, ok = mediaValue(list, key)
				}
			}
			return !ok
		})
	}
	return append(dst, v...)
}

func queryValue(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if n, v, _ := strings.Cut(pair, "="); n == name {
			if plain, err := url.QueryUnescape(v); err == nil {
				return plain
			}
			return v
		}
	}
	return ""
}

// mediaValue finds a key in a list such as br=3200,bs,cid="a,b".
func mediaValue(list, key string) (string, bool) {
	for list != "" {
		end, quoted := 0, false
		for ; end < len(list) && (quoted || list[end] != ','); end++ {
			switch {
			case quoted && list[end] == '\\':
				end++
			case list[end] == '"':
				quoted = !quoted
			}
		}
		end = min(end, len(list))
		k, v, has := strings.Cut(strings.TrimSpace(list[:end]), "=")
		if k == key {
			if !has {
				return "true", true
			}
			if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
				v = strings.ReplaceAll(strings.ReplaceAll(v[1:len(v)-1], `\"`, `"`), `\\`, `\`)
			}
			return v, true
		}
		list = list[min(end+1, len(list)):]
	}
	return "", false
}
