package iam

import (
	"slices"
	"strconv"
	"strings"
)

// CheckIdentity checks what IAM asks of an identity policy beyond the grammar, in IAM's order and with its texts. Source:
// the AWS-validated cases of moto's tests/test_iam/test_iam_policies.py.
func (d *Document) CheckIdentity() error {
	if e := d.checkVersion(); e != nil {
		return e
	}
	for _, s := range d.Statements {
		if s.hasPrincipal {
			return s.refuse("Policy document should not specify a principal.", "Principal")
		}
	}
	if e := d.checkSids(); e != nil {
		return e
	}
	for _, s := range d.Statements {
		for _, r := range s.Resources {
			if strings.Count(r, ":") < 5 && strings.Contains(r, "::") && strings.HasPrefix(r, "arn:aws:") {
				return s.refuse("The policy failed legacy parsing", "Resource "+strconv.Quote(r))
			}
		}
	}
	for _, s := range d.Statements {
		if len(s.Actions) == 0 {
			return s.refuse("Policy statement must contain actions.", "Action")
		}
	}
	for _, s := range d.Statements {
		if len(s.Resources) == 0 {
			return s.refuse("Policy statement must contain resources.", "Resource")
		}
	}
	for _, s := range d.Statements {
		for _, r := range s.Resources {
			if text := resourceProblem(r); text != "" {
				return s.refuse(text, "Resource "+strconv.Quote(r))
			}
		}
	}
	return d.checkActions()
}

// CheckTrust checks a role's trust policy.
func (d *Document) CheckTrust() error {
	if e := d.checkSids(); e != nil {
		return e
	}
	for _, s := range d.Statements {
		switch {
		case s.hasResource:
			return s.refuse("Has prohibited field Resource", "Resource")
		case !s.hasPrincipal || len(s.Principals) == 0:
			return s.refuse("Missing required field Principal", "Principal")
		case len(s.Actions) == 0:
			return s.refuse("Missing required field Action", "Action")
		}
		for _, a := range s.Actions {
			if !strings.HasPrefix(strings.ToLower(a), "sts:") && a != "*" {
				return s.refuse("AssumeRole policy may only specify STS AssumeRole actions.", "Action "+strconv.Quote(a))
			}
		}
	}
	return d.checkPrincipals(CodeMalformed)
}

// CheckBucket checks a bucket policy; the code of its errors is MalformedPolicy. Source of the texts: S3's answers as
// quoted in public, [unsourced] in facts.
func (d *Document) CheckBucket(bucket string) error {
	refuse := func(s *Statement, text, what string) error {
		e := s.refuse(text, what)
		e.Code = "MalformedPolicy"
		return e
	}
	for _, s := range d.Statements {
		switch {
		case !s.hasPrincipal || len(s.Principals) == 0:
			return refuse(s, "Missing required field Principal", "Principal")
		case len(s.Actions) == 0:
			return refuse(s, "Missing required field Action", "Action")
		case len(s.Resources) == 0:
			return refuse(s, "Missing required field Resource", "Resource")
		}
		for _, a := range s.Actions {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
				return refuse(s, "Policy has invalid action", "Action "+strconv.Quote(a))
			}
		}
		for i, r := range s.Resources {
			if !bucketResource(&s.resources[i], r, bucket) {
				return refuse(s, "Policy has invalid resource", "Resource "+strconv.Quote(r))
			}
		}
	}
	return d.checkPrincipals("MalformedPolicy")
}

// bucketResource tells whether a Resource can be about the bucket or objects in it.
func bucketResource(p *pattern, text, bucket string) bool {
	rest, ok := strings.CutPrefix(text, "arn:")
	if !ok {
		return text == "*"
	}
	_, rest, _ = strings.Cut(rest, ":")
	if rest, ok = strings.CutPrefix(rest, "s3:::"); !ok {
		return false
	}
	name, _, _ := strings.Cut(rest, "/")
	if strings.Contains(name, "${") {
		return true
	}
	g := compilePattern(name, plain)
	return g.glob.match(bucket)
}

func (s *Statement) refuse(text, what string) *PolicyError {
	return &PolicyError{Code: CodeMalformed, Message: text, Detail: s.where() + ", " + what}
}

func (d *Document) checkVersion() error {
	if d.HasVersion && d.Version == Version2012 {
		return nil
	}
	return &PolicyError{Code: CodeMalformed, Message: "Policy document must be version 2012-10-17 or greater.", Detail: "Version"}
}

func (d *Document) checkSids() error {
	seen := map[string]bool{}
	for _, s := range d.Statements {
		for i := range len(s.Sid) {
			if c := s.Sid[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
				return s.refuse("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*", "Sid")
			}
		}
		if s.Sid != "" && seen[s.Sid] {
			return s.refuse("Statement IDs (SID) in a single policy must be unique.", "Sid")
		}
		seen[s.Sid] = true
	}
	return nil
}

// checkActions wants vendor:action.
func (d *Document) checkActions() error {
	for _, s := range d.Statements {
		for _, a := range s.Actions {
			if a == "*" {
				continue
			}
			vendor, rest, ok := strings.Cut(a, ":")
			text := ""
			switch {
			case !ok || vendor == "":
				text = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
			case strings.Contains(rest, ":"):
				text = "Actions/Condition can contain only one colon."
			case strings.ContainsFunc(vendor, notVendor):
				text = "Vendor " + vendor + " is not valid"
			}
			if text != "" {
				return s.refuse(text, "Action "+strconv.Quote(a))
			}
		}
	}
	return nil
}

func notVendor(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
}

var partitions = []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"}

// resourceProblem says what IAM holds against a Resource.
func resourceProblem(r string) string {
	if r == "*" || strings.HasPrefix(r, "${") {
		return ""
	}
	_, rest, ok := strings.Cut(r, ":")
	if !ok {
		return "Resource " + r + ` must be in ARN format or "*".`
	}
	partition, tail, _ := strings.Cut(rest, ":")
	if !slices.Contains(partitions, partition) && !strings.Contains(partition, "${") {
		return partitionProblem(partition, rest)
	}
	vendor, tail, ok := strings.Cut(tail, ":")
	if !ok || strings.ContainsAny(vendor, "*?") {
		return "Resource vendor must be fully qualified and cannot contain regexes."
	}
	region, tail, _ := strings.Cut(tail, ":")
	if (vendor == "s3" || vendor == "iam") && region != "" && region != "*" {
		return "Resource " + r + " can not contain region information."
	}
	_, path, _ := strings.Cut(tail, ":")
	if vendor == "iam" && !iamPath(path) {
		return `IAM resource path must either be "*" or start with ` + strings.Join(iamPaths, ", ") + "."
	}
	return ""
}

var iamPaths = []string{"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
	"sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"}

func iamPath(p string) bool {
	return p == "" || strings.HasPrefix(p, "*") || p == "root" || strings.HasPrefix(p, "${") ||
		slices.ContainsFunc(iamPaths, func(start string) bool { return strings.HasPrefix(p, start) })
}

// partitionProblem writes the ARN as IAM does: what is missing becomes a star.
func partitionProblem(partition, rest string) string {
	_, tail, _ := strings.Cut(rest, ":")
	p := strings.SplitN(tail, ":", 4)
	for i := range p {
		if p[i] == "" && len(p) == 1 {
			p[i] = "*"
		}
	}
	for len(p) < 4 {
		p = append(p, "*")
	}
	return `Partition "` + partition + `" is not valid for resource "arn:` + partition + ":" + strings.Join(p, ":") + `".`
}

// checkPrincipals refuses principals whose form can name nobody. Whether a user or role exists is for the service to check.
func (d *Document) checkPrincipals(code string) error {
	for _, s := range d.Statements {
		for _, p := range s.Principals {
			ok := p.Value != ""
			switch p.Type {
			case AWSPrincipal:
				ok = validAWSPrincipal(p.Value)
			case ServiceType:
				ok = strings.Contains(p.Value, ".amazon") && !strings.Contains(p.Value, "*")
			}
			if !ok {
				e := s.refuse(`Invalid principal in policy: "`+p.Type.String()+`":"`+p.Value+`"`, "Principal")
				e.Code = code
				return e
			}
		}
	}
	return nil
}

func validAWSPrincipal(v string) bool {
	if v == "*" || isAccount(v) {
		return true
	}
	if p := strings.SplitN(v, ":", 6); len(p) == 6 && p[0] == "arn" && (p[2] == "iam" || p[2] == "sts") {
		return (isAccount(p[4]) || p[4] == "cloudfront") && p[5] != "" && !strings.Contains(p[5], "*")
	}
	// Unique ids: AIDA… of a user, AROA… of a role; also what is left of a deleted principal.
	return len(v) >= 16 && strings.HasPrefix(v, "A") && strings.ToUpper(v) == v && !strings.ContainsAny(v, ":*/ ")
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
