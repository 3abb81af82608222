package cloudformation

import "strings"

// subPart is a piece of the text of Fn::Sub: literal text, or the variable Name.
type subPart struct {
	Text string
	Name string
}

// parseSub splits the text of Fn::Sub. ${!Name} is the literal ${Name}; a ${ without a } is literal too. It is false when a
// name has other characters than letters, digits, underscores, periods and colons.
func parseSub(s string) ([]subPart, bool) {
	var parts []subPart
	var text strings.Builder
	for {
		before, after, found := strings.Cut(s, "${")
		end := strings.IndexByte(after, '}')
		if !found || end < 0 {
			text.WriteString(s)
			break
		}
		name := after[:end]
		text.WriteString(before)
		s = after[end+1:]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			text.WriteString("${" + literal + "}")
			continue
		}
		if !subName(name) {
			return nil, false
		}
		if text.Len() > 0 {
			parts = append(parts, subPart{Text: text.String()})
			text.Reset()
		}
		parts = append(parts, subPart{Name: name})
	}
	if text.Len() > 0 {
		parts = append(parts, subPart{Text: text.String()})
	}
	return parts, true
}

func subName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return s != ""
}
