package iam

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestConditions has the operators of the IAM guide (reference_policies_elements_condition_operators and
// reference_policies_condition-logic-multiple-context-keys-or-values).
func TestConditions(t *testing.T) {
	ctx := Context{
		"s3:prefix": {"home/Ann/x"}, "aws:sourceip": {"203.0.113.9"}, "aws:currenttime": {"2026-04-01T12:00:00Z"}, "aws:epochtime": {"1775044800"},
		"s3:max-keys": {"10"}, "aws:securetransport": {"true"}, "aws:sourcearn": {"arn:aws:cloudfront::123456789012:distribution/E2"},
		"aws:tagkeys": {"a", "b"}, "key:binary": {"QmluYXJ5"}, "key:star": {"a*b"}, "key:empty": {""}, "key:v6": {"2001:db8::1"}, "key:none": {},
	}
	for _, c := range []struct {
		cond string
		want bool
	}{
		{`"StringEquals":{"s3:prefix":"home/Ann/x"}`, true},
		{`"StringEquals":{"S3:Prefix":["a","home/Ann/x"]}`, true},
		{`"StringEquals":{"s3:prefix":"home/ann/x"}`, false},
		{`"StringEquals":{"s3:prefix":"home/*"}`, false},
		{`"StringEqualsIgnoreCase":{"s3:prefix":"HOME/ann/X"}`, true},
		{`"StringNotEquals":{"s3:prefix":["a","b"]}`, true},
		{`"StringNotEquals":{"s3:prefix":["a","home/Ann/x"]}`, false},
		{`"StringNotEqualsIgnoreCase":{"s3:prefix":"HOME/ann/X"}`, false},
		{`"StringLike":{"s3:prefix":"home/*/?"}`, true},
		{`"StringNotLike":{"s3:prefix":"home/*"}`, false},
		{`"StringLike":{"key:star":"a${*}b"}`, true},
		{`"StringLike":{"key:star":"a${*}c"}`, false},
		{`"StringEquals":{"key:star":"a${*}b"}`, true},
		{`"StringEquals":{"key:empty":""}`, true},
		{`"StringLike":{"s3:prefix":"home/${aws:username}/*"}`, false},
		{`"StringLike":{"s3:prefix":"home/${key:unknown, 'Ann'}/*"}`, true},
		{`"StringLike":{"s3:prefix":"home/${key:unknown}/*"}`, false},
		{`"NumericEquals":{"s3:max-keys":"10.0"}`, true},
		{`"NumericEquals":{"s3:max-keys":10}`, true},
		{`"NumericNotEquals":{"s3:max-keys":"10"}`, false},
		{`"NumericLessThan":{"s3:max-keys":"10"}`, false},
		{`"NumericLessThanEquals":{"s3:max-keys":"10"}`, true},
		{`"NumericGreaterThan":{"s3:max-keys":"9"}`, true},
		{`"NumericGreaterThanEquals":{"s3:max-keys":"11"}`, false},
		{`"NumericEquals":{"s3:prefix":"10"}`, false},
		{`"DateEquals":{"aws:CurrentTime":"2026-04-01T12:00:00Z"}`, true},
		{`"DateNotEquals":{"aws:CurrentTime":"2026-04-01T12:00:00Z"}`, false},
		{`"DateLessThan":{"aws:CurrentTime":"2026-04-02"}`, true},
		{`"DateLessThanEquals":{"aws:CurrentTime":"2026-04-01T12:00:00Z"}`, true},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026-04-01T12:00:00Z"}`, false},
		{`"DateGreaterThanEquals":{"aws:EpochTime":"1775044800"}`, true},
		{`"DateGreaterThan":{"aws:CurrentTime":"1775044799"}`, true},
		{`"Bool":{"aws:SecureTransport":"true"}`, true},
		{`"Bool":{"aws:SecureTransport":false}`, false},
		{`"BinaryEquals":{"key:binary":"QmluYXJ5"}`, true},
		{`"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]}`, true},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.9"}`, true},
		{`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, false},
		{`"IpAddress":{"key:v6":"2001:db8::/32"}`, true},
		{`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, false},
		{`"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, true},
		{`"ArnEquals":{"aws:SourceArn":"arn:aws:cloudfront::*:distribution/E2"}`, true},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:cloudfront::123456789012:distribution/*"}`, true},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:*"}`, false},
		{`"ArnLike":{"aws:SourceArn":"arn:*:distribution/E2"}`, false},
		{`"ArnLike":{"aws:SourceArn":"arn:aws:cloudfront::${key:acct, '123456789012'}:distribution/E?"}`, true},
		{`"ArnNotLike":{"aws:SourceArn":"arn:aws:cloudfront::*:distribution/E2"}`, false},
		{`"ArnNotEquals":{"aws:SourceArn":"arn:aws:cloudfront::*:distribution/E3"}`, true},
		{`"Null":{"aws:SourceArn":"false"}`, true},
		{`"Null":{"aws:SourceArn":"true"}`, false},
		{`"Null":{"key:unknown":true}`, true},
		{`"Null":{"key:none":true}`, true},
		// Missing keys.
		{`"StringEquals":{"key:unknown":"x"}`, false},
		{`"StringNotEquals":{"key:unknown":"x"}`, true},
		{`"NotIpAddress":{"key:unknown":"10.0.0.0/8"}`, true},
		{`"StringEqualsIfExists":{"key:unknown":"x"}`, true},
		{`"StringEqualsIfExists":{"s3:prefix":"x"}`, false},
		{`"BoolIfExists":{"key:unknown":"true"}`, true},
		{`"ForAllValues:StringEquals":{"key:unknown":"x"}`, true},
		{`"ForAnyValue:StringEquals":{"key:unknown":"x"}`, false},
		// Several values.
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}`, true},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}`, false},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["b","z"]}`, true},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["z"]}`, false},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["z"]}`, true},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["a"]}`, false},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a"]}`, true},
		{`"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":"?"}`, true},
		// All operators and keys must hold.
		{`"StringEquals":{"s3:prefix":"home/Ann/x"},"Bool":{"aws:SecureTransport":"false"}`, false},
		{`"StringEquals":{"s3:prefix":"home/Ann/x","s3:max-keys":"11"}`, false},
	} {
		d := mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+c.cond+`}}}`)
		got := Evaluate(&Request{Identity: session(NamedPolicy{"p", d}), Action: "s3:ListBucket", Resource: "arn:aws:s3:::b", Account: acct, Context: ctx})
		if got.Allowed() != c.want {
			t.Errorf("%s: %v, want %v", c.cond, got.Allowed(), c.want)
		}
	}
	for _, bad := range []string{`"StringSimilar":{"a":"b"}`, `"NullIfExists":{"a":"true"}`, `"IpAddress":{"a":"300.1.1.1"}`, `"DateLessThan":{"a":"tomorrow"}`, `"Bool":{"a":"yes"}`, `"StringEquals":{"a":{}}`, `"StringEquals":{"a":null}`} {
		if _, err := Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + bad + `}}}`)); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}

func TestVariables(t *testing.T) {
	stmt := `"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*"}}`
	ask := func(version, name, key string) bool {
		d := mustParse(t, `{"Version":"`+version+`",`+stmt)
		id := &Identity{Principal: UserPrincipal("aws", acct, "/", name, "AIDA"), Policies: []NamedPolicy{{"p", d}}}
		return Evaluate(&Request{Identity: id, Action: "S3:getobject", Resource: "arn:aws:s3:::b/" + key, Account: acct}).Allowed()
	}
	for _, c := range []struct {
		version, name, key string
		want               bool
	}{
		{Version2012, "ann", "ann/x", true},
		{Version2012, "ann", "bob/x", false},
		{Version2012, "*", "bob/x", false}, // a wildcard in a value is a character
		{Version2012, "*", "*/x", true},
		{Version2008, "ann", "ann/x", false},
		{Version2008, "ann", "${aws:username}/x", true},
	} {
		if got := ask(c.version, c.name, c.key); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// naive is the textbook matcher, to compare with.
func naive(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '*' {
		return naive(p[1:], s) || s != "" && naive(p, s[1:])
	}
	return s != "" && (p[0] == '?' || p[0] == s[0]) && naive(p[1:], s[1:])
}

func FuzzGlob(f *testing.F) {
	for _, c := range [][2]string{{"*", ""}, {"a*b?c*", "axxbycz"}, {"?*?", "ab"}, {"**", "x"}, {"a*a", "a"}, {"*ab", "aab"}, {"*a?b*", "aaxb"}, {"a?", "aé"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, p, s string) {
		g := compilePattern(p, plain)
		got := g.glob.match(s)
		ascii := strings.IndexFunc(p+s, func(r rune) bool { return r >= 0x80 }) < 0
		if ascii && len(p) < 20 && len(s) < 30 && got != naive(p, s) {
			t.Fatalf("match(%q, %q) = %v", p, s, got)
		}
		vars := compilePattern(p, withVars|foldCase)
		vars.match(s, Context{})
	})
}

// TestMatchingIsLinear would not end with a matcher that goes back over stars.
func TestMatchingIsLinear(t *testing.T) {
	start := time.Now()
	text := strings.Repeat("a", 100_000)
	for _, p := range []string{strings.Repeat("a*", 2000) + "b", strings.Repeat("*a", 2000) + "b", "*a*a*a*a*a*a*a*a*a*b"} {
		g := compilePattern(p, plain)
		if g.glob.match(text) {
			t.Errorf("%.20s matched", p)
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"a","Effect":"Deny","NotPrincipal":{"AWS":["123456789012"]},"NotAction":"s3:*","NotResource":["*"],"Condition":{"ForAnyValue:StringLike":{"a":["${aws:username}",1,true]}}}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`))
	f.Add([]byte(`[[[[[[[[[[[[[[[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			if d != nil || !strings.Contains(err.Error(), "Syntax errors") {
				t.Fatalf("%v %v", d, err)
			}
			return
		}
		d.CheckIdentity()
		d.CheckTrust()
		d.CheckBucket("b")
		p := NamedPolicy{"p", d}
		for _, id := range []*Identity{nil, user(p), session(p)} {
			Evaluate(&Request{Identity: id, ResourcePolicy: &p, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Account: acct, Context: Context{"a": {"b"}}, Explain: true})
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	var stmts []string
	for i := range 10 {
		stmts = append(stmts, fmt.Sprintf(`{"Effect":"Allow","Action":["execute-api:Invoke","s3:Get*"],"Resource":["arn:aws:execute-api:us-east-1:123456789012:api%d/*/GET/pets/*"]}`, i))
	}
	d := mustParse(b, `{"Version":"2012-10-17","Statement":[`+strings.Join(stmts, ",")+`]}`)
	q := &Request{Identity: user(NamedPolicy{"p", d}), Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:123456789012:api9/prod/GET/pets/1", Account: acct}
	b.ReportAllocs()
	for b.Loop() {
		if !Evaluate(q).Allowed() {
			b.Fatal("denied")
		}
	}
}
