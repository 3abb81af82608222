package cloudformation

import "strings"

// DynamicReference is {{resolve:service:…}} in a property (facts: cloudformation 1).
type DynamicReference struct {
	// Text is the whole reference with its braces.
	Text string
	// Service is ssm, ssm-secure or secretsmanager.
	Service string
	// Name is the parameter of the Systems Manager, or the name or ARN of the secret.
	Name string
	// Version is the version of the parameter, "" for the latest.
	Version string
	// JSONKey, VersionStage and VersionID are of secretsmanager. JSONKey is "" for the whole secret string.
	JSONKey, VersionStage, VersionID string
}

// Secret says that the value must not be shown.
func (d DynamicReference) Secret() bool { return d.Service != "ssm" }

const dynamicOpen, dynamicClose = "{{resolve:", "}}"

// dynamicPart is a piece of a string: text, or a reference.
type dynamicPart struct {
	text string
	ref  *DynamicReference
}

// parseDynamic splits a string around its dynamic references. The problem is "" or says which reference is malformed.
func parseDynamic(s string) (parts []dynamicPart, problem string) {
	for {
		before, after, found := strings.Cut(s, dynamicOpen)
		end := strings.Index(after, dynamicClose)
		if !found || end < 0 {
			if s != "" {
				parts = append(parts, dynamicPart{text: s})
			}
			return parts, ""
		}
		if before != "" {
			parts = append(parts, dynamicPart{text: before})
		}
		ref, problem := parseReference(after[:end])
		if problem != "" {
			return nil, problem
		}
		parts = append(parts, dynamicPart{ref: ref})
		s = after[end+len(dynamicClose):]
	}
}

// parseReference reads what stands between {{resolve: and }}. An ARN has colons of its own: six before its name.
func parseReference(s string) (*DynamicReference, string) {
	d := &DynamicReference{Text: dynamicOpen + s + dynamicClose}
	service, rest, _ := strings.Cut(s, ":")
	d.Service = service
	fields := strings.Split(rest, ":")
	take := func() string {
		if len(fields) == 0 {
			return ""
		}
		f := fields[0]
		fields = fields[1:]
		return f
	}
	name := 1
	if fields[0] == "arn" {
		if name = 6; service == "secretsmanager" {
			name = 7
		}
	}
	name = min(name, len(fields))
	d.Name, fields = strings.Join(fields[:name], ":"), fields[name:]
	switch {
	case d.Name == "":
		return nil, "it names no parameter or secret"
	case service == "ssm" || service == "ssm-secure":
		if d.Version = take(); strings.Trim(d.Version, "0123456789") != "" {
			return nil, "the version of a parameter is a number"
		}
	case service == "secretsmanager":
		if kind := take(); kind != "" && kind != "SecretString" {
			return nil, "only SecretString can be resolved"
		}
		d.JSONKey, d.VersionStage, d.VersionID = take(), take(), take()
		if d.VersionStage != "" && d.VersionID != "" {
			return nil, "it names a version stage and a version id"
		}
	default:
		return nil, "the services are ssm, ssm-secure and secretsmanager"
	}
	if len(fields) > 0 {
		return nil, "it has too many parts"
	}
	return d, ""
}
