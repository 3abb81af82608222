package accesslog

import (
	"fmt"
	"strings"
)

// accountVariable is CloudFront's own variable of suffix paths, which stands in the one that it makes (standard-logging).
const accountVariable = "{account-id}"

// SuffixVariables are what a suffix path may have in braces (standard-logging, "Partitioning").
func SuffixVariables() []string {
	return []string{"DistributionId", "distributionid", "yyyy", "MM", "dd", "HH", "accountid"}
}

// DefaultSuffix is what stands before the suffix path of a delivery to a bucket without a prefix.
const DefaultSuffix = "AWSLogs/" + accountVariable + "/CloudFront/"

// CheckSuffix checks a suffix path.
func CheckSuffix(path string) error {
	for rest := path; ; {
		_, after, open := strings.Cut(rest, "{")
		if !open {
			return nil
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return fmt.Errorf("suffix path %q: a brace is not closed", path)
		}
		if _, _, ok := suffixValue(name, &Record{}, ""); !ok {
			return fmt.Errorf("suffix path %q: there is no variable {%s}, want one of %s", path, name, strings.Join(SuffixVariables(), ", "))
		}
		rest = behind
	}
}

// suffixValue is what a variable stands for, and its name in paths for Hive.
func suffixValue(name string, r *Record, account string) (hive, value string, ok bool) {
	at := func(layout string) string { return r.Ended.UTC().Format(layout) }
	switch name {
	case "DistributionId", "distributionid":
		return name, r.Distribution, true
	case "yyyy":
		return "year", at("2006"), true
	case "MM":
		return "month", at("01"), true
	case "dd":
		return "day", at("02"), true
	case "HH":
		return "hour", at("15"), true
	case "accountid":
		return name, account, true
	case "account-id":
		return "aws-account-id", account, true
	}
	return "", "", false
}

// folder is where the files of a delivery stand in its bucket: the prefix, and the suffix path with its variables filled in, which
// ends with a slash (standard-logging, "Example paths to access logs"). A variable that follows its own name, as in year={yyyy},
// does not get it twice.
func (d *Delivery) folder(r *Record) string {
	var b strings.Builder
	b.WriteString(slashed(d.Prefix))
	rest := strings.TrimLeft(d.Suffix, "/")
	for rest != "" {
		before, after, open := strings.Cut(rest, "{")
		b.WriteString(before)
		if !open {
			break
		}
		name, behind, _ := strings.Cut(after, "}")
		hive, value, _ := suffixValue(name, r, d.Account)
		if d.Hive && !strings.HasSuffix(before, "=") {
			b.WriteString(hive + "=")
		}
		b.WriteString(value)
		rest = behind
	}
	return slashed(b.String())
}

// slashed ends a path with a slash, unless it is empty.
func slashed(path string) string {
	if path == "" || strings.HasSuffix(path, "/") {
		return path
	}
	return path + "/"
}
