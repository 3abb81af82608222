package iam

import (
	"errors"
	"strings"
	"testing"
)

// TestIdentityTexts has cases that moto validated against AWS (moto tests/test_iam/test_iam_policies.py), shortened.
func TestIdentityTexts(t *testing.T) {
	ok := `"Effect":"Allow","Action":"s3:ListBucket"`
	doc := func(stmt string) string { return `{"Version":"2012-10-17","Statement":{` + stmt + `}}` }
	bucket := `,"Resource":"arn:aws:s3:::example_bucket"`
	for _, c := range []struct{ doc, want string }{
		{"This is not a json document", "Syntax errors in policy."},
		{`{"Statement":{` + ok + bucket + `}}`, "Policy document must be version 2012-10-17 or greater."},
		{`{"Version":"2008-10-17","Statement":{` + ok + bucket + `}}`, "Policy document must be version 2012-10-17 or greater."},
		{`{"Version":"2013-10-17","Statement":{` + ok + bucket + `}}`, "Syntax errors in policy."},
		{`{"Version":"2012-10-17"}`, "Syntax errors in policy."},
		{`{"Version":"2012-10-17","Statement":["afd"]}`, "Syntax errors in policy."},
		{`{"Version":"2012-10-17","Statement":[]}`, "Syntax errors in policy."},
		{doc(ok + bucket + `,"Extra field":"value"`), "Syntax errors in policy."},
		{`{"Version":"2012-10-17","Id":["x"],"Statement":{` + ok + bucket + `}}`, "Syntax errors in policy."},
		{doc(`"Effect":"invalid","Action":"s3:ListBucket"` + bucket), "Syntax errors in policy."},
		{doc(`"Effect":"Allow","Action":"invalid"` + bucket), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{doc(`"Effect":"Allow","NotAction":""` + bucket), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{doc(`"Effect":"Allow","Action":"a a:ListBucket"` + bucket), "Vendor a a is not valid"},
		{doc(`"Effect":"Allow","Action":"s3:List:Bucket"` + bucket), "Actions/Condition can contain only one colon."},
		{doc(ok + `,"Resource":"invalid resource"`), `Resource invalid resource must be in ARN format or "*".`},
		{doc(`"Effect":"Allow","Action":"s:3:ListBucket","Resource":"sdfsadf"`), `Resource sdfsadf must be in ARN format or "*".`},
		{doc(ok + `,"Resource":""`), `Resource  must be in ARN format or "*".`},
		{doc(ok + `,"Resource":"a:bsdfdsafsad"`), `Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".`},
		{doc(ok + `,"Resource":"a:b:cadfsdf"`), `Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".`},
		{doc(ok + `,"Resource":"a:b:c:d:e:f:g:h"`), `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{doc(ok + `,"Resource":"aws:s3:::example_bucket"`), `Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".`},
		{doc(ok), "Policy statement must contain resources."},
		{doc(ok + `,"Resource":[]`), "Policy statement must contain resources."},
		{doc(`"Effect":"Allow","Action":"invalid"`), "Policy statement must contain resources."},
		{doc(`"Effect":"Allow"` + bucket), "Policy statement must contain actions."},
		{doc(`"Action":"s3:ListBucket"` + bucket), "Syntax errors in policy."},
		{doc(`"Effect":"Allow"`), "Policy statement must contain actions."},
		{doc(`"Effect":"Allow","Action":[]` + bucket), "Policy statement must contain actions."},
		{doc(ok + `,"Resource":"arn:aws:s3::example_bucket"`), "The policy failed legacy parsing"},
		{doc(`"Effect":"Allow","Resource":"arn:aws:s3::example_bucket"`), "The policy failed legacy parsing"},
		{doc(ok + `,"Resource":"arn:aws"`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{doc(ok + `,"Resource":"arn:aws:iam:::example_bucket"`), `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`},
		{doc(ok + `,"Resource":["adfdf",{}]`), "Syntax errors in policy."},
		{doc(ok + bucket + `,"NotResource":[]`), "Syntax errors in policy."},
		{doc(`"Effect":"Allow","NotAction":"s3s:ListBucket","Action":[]` + bucket), "Syntax errors in policy."},
		{doc(ok + bucket + `,"Condition":[]`), "Syntax errors in policy."},
		{doc(ok + bucket + `,"Condition":{"a":"b"}`), "Syntax errors in policy."},
		{doc(ok + bucket + `,"Condition":{"DateGreaterThan":"b"}`), "Syntax errors in policy."},
		{doc(ok + bucket + `,"Principal":"*"`), "Policy document should not specify a principal."},
		{doc(ok + bucket + `,"Effect":"Deny"`), "Syntax errors in policy."},
		{doc(ok + bucket), ""},
		{doc(ok + `,"Resource":"*"`), ""},
		{doc(ok + `,"Resource":"arn:aws:s3:::b/${aws:username}/*"`), ""},
	} {
		d, err := Parse([]byte(c.doc))
		if err == nil {
			err = d.CheckIdentity()
		}
		var e *PolicyError
		errors.As(err, &e)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: refused: %v", c.doc, err)
		case c.want != "" && (e == nil || e.Message != c.want):
			t.Errorf("%s\n got %v\nwant %s", c.doc, err, c.want)
		case e != nil && e.Detail == "":
			t.Errorf("%s: no detail", c.doc)
		}
	}
}

func TestDetailNamesThePlace(t *testing.T) {
	_, err := Parse([]byte("{\n\"Version\":\"2012-10-17\",\n\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"},\n{\"Sid\":\"Read\",\"Effect\":\"Allow\",\n\"Action\":\"s3:*\",\"Resource\":\"*\",\"Condition\":{\"StringsEqual\":{\"a\":\"b\"}}}]}"))
	var e *PolicyError
	if !errors.As(err, &e) || e.Line != 5 || !strings.Contains(e.Detail, `statement 2 (Sid "Read")`) || !strings.Contains(e.Detail, `"StringsEqual"`) {
		t.Errorf("got %+v", e)
	}
}
