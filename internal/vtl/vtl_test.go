package vtl

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func vectors(t testing.TB, path string) []byte {
	t.Helper()
	dir := os.Getenv("FOREGATE_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	b, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Skipf("no test vectors: %v", err)
	}
	return b
}

func testEnv(body string) *Env {
	path, query, header := NewMap(), NewMap(), NewHeaderMap()
	path.Put("id", "42")
	query.Put("q", "a b")
	header.Put("Accept", "text/html")
	header.Put("X-Id", "h")
	stage := NewMap()
	stage.Put("fn", "prod")
	return &Env{Body: body, Path: path, Query: query, Header: header, StageVariables: stage, Context: func() *Map {
		c, identity := NewMap(), NewMap()
		identity.Put("sourceIp", "127.0.0.1")
		c.Put("httpMethod", "GET")
		c.Put("identity", identity)
		override := NewMap()
		override.Put("header", NewMap())
		c.Put("responseOverride", override)
		return c
	}}
}

func render(t *testing.T, src string, env *Env) string {
	t.Helper()
	tmpl, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	out, err := tmpl.Execute(env)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTemplates(t *testing.T) {
	const body = `{"a":1,"b":[{"c":5},{"c":6}],"s":"it's","n":null,"f":1.50,"m":{"x":"y","z":[1,2]},"big":123456789012345678901}`
	for _, c := range []struct{ name, src, want string }{
		{"text", "plain $ # text $5 #fff", "plain $ # text $5 #fff"},
		{"undefined", "[$x][$!x][${x}][$x.y.z]", "[][][][]"},
		{"set", "#set($x = 5)$x", "5"},
		{"set eats its line", "a\n  #set($x = 5)  \nb", "a\nb"},
		{"set null keeps", "#set($x = 5)#set($x = $none)$x", "5"},
		{"formal", "#set($x='v')${x}y $!{x}-", "vy v-"},
		{"hyphen in a name", "#set($a-b='v')$a-b", "v"},
		{"dot at the end", "#set($x='v')$x. $x.", "v. v."},
		{"two dollars", "#set($x='v')$$x", "$v"},
		{"if", "#if(1 == 1)yes#{else}no#end", "yes"},
		{"elseif", "#if(1 > 2)a#elseif(2 > 1)b#else c#end", "b"},
		{"if eats its line", "#if(true)\na\n#else\nb\n#end\nc", "a\nc"},
		{"empty string is true", `#if("")t#{else}f#end`, "t"},
		{"null is false", "#if($x)t#{else}f#end", "f"},
		{"and or not", "#if(!false && (false || true))t#end#if(not true or false)x#end", "t"},
		{"word operators", "#if(1 eq 1 and 2 gt 1 and 1 le 1)t#end", "t"},
		{"null equals empty", `#if($none == "")t#end#if($none == $null)t#end#if("x" != $none)t#end`, "ttt"},
		{"foreach", "#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end", "1,2,3"},
		{"foreach down", "#foreach($i in [3..1])$i#end", "321"},
		{"foreach counts", "#foreach($i in ['a','b'])$foreach.index$foreach.count$velocityCount$foreach.first$foreach.last;#end",
			"011truefalse;122falsetrue;"},
		{"foreach of a map", "#foreach($v in $input.path('$.m'))<$v>#end", "<y><[1,2]>"},
		{"foreach of entries", "#foreach($e in $input.path('$.m').entrySet())$e.key=$e.getValue();#end", "x=y;z=[1,2];"},
		{"nested loops", "#foreach($i in [1..2])#foreach($j in [1..2])$foreach.parent.count$j #end#end", "11 12 21 22 "},
		{"break", "#foreach($i in [1..9])#if($i==3)#break#end$i#end.", "12."},
		{"stop", "a#stop b", "a"},
		{"loop limit", "#set($n=0)#foreach($i in [1..5000])#set($n=$n+1)#end$n", "1000"},
		{"arithmetic", "#set($x = 7 / 2 * 2 + 10 % 4 - 1)$x", "7"},
		{"precedence", "#set($x = 1 + 2 * 3)$x#set($y = (1 + 2) * 3)$y", "79"},
		{"negative", "#set($x = -3)$x;#set($y=5 - 7)$y", "-3;-2"},
		{"float", "#set($x = 1.5 * 2)$x", "3.0"},
		{"division by zero", "#set($x = 1)#set($x = 5 / 0)$x", "1"},
		{"concatenation", `#set($x = "a" + 1 + true)$x`, "a1true"},
		{"interpolation", `#set($x='v')#set($y="<$x ${x}y $none>")$y`, "<v vy >"},
		{"interpolated directive", `#set($y="#if(true)yes#end")$y`, "yes"},
		{"single quotes stand", `#set($y='$x #if')$y`, "$x #if"},
		{"doubled quotes", `#set($y="say ""hi""")$y#set($z='it''s')$z`, `say "hi"it's`},
		{"line comment", "a## comment\nb", "ab"},
		{"block comment", "a#* x\ny *#b", "ab"},
		{"text block", "#[[ $x #if ]]#", " $x #if "},
		{"escaped reference", `#set($x='v')\$x \\$x \$none \$ \n`, `$x \v \$none \$ \n`},
		{"escaped directive", `\#set($x) \#end`, `#set() #end`},
		{"list", "#set($l=['a'])#set($d=$l.add('b'))$l $l.size() $l[1] $l.get(0) $l.contains('b') $l.isEmpty()",
			"[a, b] 2 b a true false"},
		{"map", `#set($m={"a":1,"b":"x"})#set($m.c=3)#set($m['d']=4)$m $m.a $m.get("b") $m.keySet() $m.containsKey("z")`,
			"{a=1, b=x, c=3, d=4} 1 x [a, b, c, d] false"},
		{"map put returns the old value", `#set($m={})$!m.put("a",1)$!m.put("a",2)$m`, "1{a=2}"},
		{"strings", `#set($s="Hello")$s.length() $s.toUpperCase() $s.substring(1) $s.substring(1,3) $s.indexOf("l") $s.contains("ell") $s.replace("l","L")`,
			"5 HELLO ello el 2 true HeLLo"},
		{"split", `#set($s="a,b,,")$s.split(",").size()#foreach($p in $s.split(","))<$p>#end`, "2<a><b>"},
		{"replaceAll", `#set($s="a1b22")$s.replaceAll("([0-9]+)","<$1>")`, "a<1>b<22>"},
		{"utf16 length", `#set($s="a😀")$s.length()`, "3"},
		{"json", "$input.json('$')", `{"a":1,"b":[{"c":5},{"c":6}],"s":"it's","n":null,"f":1.5,"m":{"x":"y","z":[1,2]},"big":123456789012345678901}`},
		{"json of a part", "$input.json('$.s') $input.json('$.b[0].c') $input.json('$.none')", `"it's" 5 ""`},
		{"map prints as Java", "$input.path('$.m')", `{x=y, z=[1,2]}`},
		{"array prints as JSON", "$input.path('$.b')", `[{"c":5},{"c":6}]`},
		{"path then property", "#set($r = $input.path('$'))$r.b[1].c $r.f $r.n|$r.b.size()", "6 1.5 |2"},
		{"params", "$input.params('id') $input.params('q') $input.params('x-id') $input.params('none')|$input.params().path.id", "42 a b h |42"},
		{"params keys", "#foreach($t in $input.params().keySet())$t #end", "path querystring header "},
		{"context", "$context.identity.sourceIp $context.httpMethod $context.none.more", "127.0.0.1 GET "},
		{"stage variables", "$stageVariables.fn ${stageVariables.fn} $stageVariables.get('fn') $stageVariables['fn']", "prod prod prod prod"},
		{"escapeJavaScript", "$util.escapeJavaScript($input.json('$.s'))", `\"it\'s\"`},
		{"manual's replaceAll", `$util.escapeJavaScript($input.path('$.s')).replaceAll("\\'","'")`, "it's"},
		{"url", "$util.urlEncode('a b&c=d*~')|$util.urlDecode('a+b%26')", "a+b%26c%3Dd*%7E|a b&"},
		{"base64", "$util.base64Encode('hi')|$util.base64Decode('aGk=')", "aGk=|hi"},
		{"parseJson", `#set($j=$util.parseJson('{"k":[1,{"x":"y"}]}'))$j.k[1].x`, "y"},
		{"util of null", "$util.urlEncode($none)|$util.escapeJavaScript($none)", "|"},
		{"define", "#set($x=1)#define($d)<$x>#end$d#set($x=2)$d", "<1><2>"},
		{"macro", "#macro(row $a $b)<${a}-$b>#end#row(1 'x')#row($context.httpMethod, 2)", "<1-x><GET-2>"},
		{"evaluate", `#set($s='#set($y=4)$y')#evaluate($s)`, "4"},
		{"big number", "$input.path('$.big')", "123456789012345678901"},
		{"integer statics", `#set($Integer=0)#set($n=$Integer.parseInt("41") + 1)$n`, "42"},
		{"windows lines", "#set($x=1)\r\n#if(true)\r\na\r\n#end\r\n", "a\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := render(t, c.src, testEnv(body)); got != c.want {
				t.Errorf("%s\n got %q\nwant %q", c.src, got, c.want)
			}
		})
	}
}

// What AWS rendered, as localstack recorded it (test_apigateway_common::test_input_path_template_formatting and
// ::test_input_body_formatting).
func TestRecordedFormatting(t *testing.T) {
	const invalid = `#set($result = $input.path("$.nonExisting")){"body": $result, "nested": $result.nested, ` +
		`"isNull": #if( $result == $null )"true"#else"false"#end, "isEmptyString": #if( $result == "" )"true"#else"false"#end}`
	nested := strings.Replace(invalid, "nonExisting", "json.listValue", 1)
	for _, c := range []struct{ src, body, want string }{
		{`#set($result = $input.path("$.json"))$result`, `{"json":{"foo":"bar"}}`, `{foo=bar}`},
		{`#set($result = $input.path("$.json"))$result`, `{"json":[{"foo":"bar"}]}`, `[{"foo":"bar"}]`},
		{`#set($result = $input.path("$.json"))$result.nested`, `{"json":{"nested":[{"foo":"bar"}]}}`, `[{"foo":"bar"}]`},
		{`#set($result = $input.path("$.json"))$result[0]`, `{"json":[{"foo":"bar"}]}`, `{foo=bar}`},
		{`#set($result = $input.path("$.json"))$result`, `{"json":{"bigger":"dict","to":"test"}}`, `{bigger=dict, to=test}`},
		{`#set($result = $input.path("$.json"))$result.toString()`, `{"json":{"list":[{"foo":"bar"}]}}`, `{list=[{"foo":"bar"}]}`},
		{invalid, ``, `{"body": , "nested": , "isNull": "true", "isEmptyString": "true"}`},
		{nested, `{"json":{"listValue":[]}}`, `{"body": [], "nested": , "isNull": "false", "isEmptyString": "false"}`},
		{nested, `{"json":{"listValue":null}}`, `{"body": , "nested": , "isNull": "true", "isEmptyString": "true"}`},
		{`#set($result = $input.body)$result`, ``, `{}`},
		{`Action=SendMessage&MessageBody=$input.body`, `some raw data`, `Action=SendMessage&MessageBody=some raw data`},
		{`EncodedBody=$util.urlEncode($input.body)&EncodedBodyAccess=$util.urlEncode($input.body.testAccess)`,
			`{"some": "value"}`, `EncodedBody=%7B%22some%22%3A+%22value%22%7D&EncodedBodyAccess=`},
	} {
		if got := render(t, c.src, &Env{Body: c.body}); got != c.want {
			t.Errorf("%s of %s\n got %q\nwant %q", c.src, c.body, got, c.want)
		}
	}
}

func TestOverrides(t *testing.T) {
	env := testEnv("{}")
	render(t, `#set($context.responseOverride.status = 404)#set($context.responseOverride.header.X = "v")
#set($context.responseOverride.header["Y-Z"] = 'w')`, env)
	o := env.ContextMap().Get("responseOverride").(*Map)
	h := o.Get("header").(*Map)
	if o.Get("status") != int64(404) || h.Get("X") != "v" || h.Get("Y-Z") != "w" {
		t.Errorf("overrides: %v %v", o, h)
	}
}

func TestErrors(t *testing.T) {
	for _, src := range []string{
		"#if(true)", "#end", "#foreach($x in [1])", "#set($x)", "#set(x = 1)", "#if(", "$x.y(", "#* open", "#[[ open",
		"#parse('x')", "#include('x')", "#else", "#if(true)#else#else#end", "#set($x = null)", `#set($x = "open)`,
	} {
		if _, err := Parse(src); err == nil {
			t.Errorf("parsed %q", src)
		}
	}
	for _, src := range []string{
		"#set($x=[1])$x.get(5)", `#set($s="abc")$s.substring(9)`, "$util.parseJson('nope{')", `#set($s="a")$s.replaceAll("(","")`,
		"#define($a)$a#end$a", "#macro(m)#m()#end#m()", "#set($x=[1..9999999])", `#set($s='#evaluate($s)')#evaluate($s)`,
		`#set($s="xxxxxxxxxxxxxxxx")#foreach($i in [1..99])#set($s="$s$s")#end`,
		"#foreach($i in [1..1000])#foreach($j in [1..1000])#foreach($k in [1..1000])x#end#end#end",
		"#set($l=[])#foreach($i in [1..99])#set($d=$l.add($l))#end$l",
		"#set($l=[1])#foreach($i in [1..99])#set($d=$l.addAll($l))#end",
	} {
		tmpl, err := Parse(src)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if out, err := tmpl.Execute(&Env{}); err == nil {
			t.Errorf("%q ran: %.40q", src, out)
		}
	}
}

func TestJSONPath(t *testing.T) {
	root, err := ParseJSON(`{"store":{"book":[{"t":"a","p":8},{"t":"b","p":12,"i":"x"},{"t":"c","p":9}],"b":{"p":19}},"a.b":1}`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"$.store.book[0].t":                         `"a"`,
		"$['store']['book'][1]['t']":                `"b"`,
		"store.b.p":                                 `19`,
		"$['a.b']":                                  `1`,
		"$.store.book[*].t":                         `["a","b","c"]`,
		"$..p":                                      `[19,8,12,9]`,
		"$.store.book[-1].t":                        `"c"`,
		"$.store.book[0,2].t":                       `["a","c"]`,
		"$.store.book[0:2].t":                       `["a","b"]`,
		"$.store.book[-2:].t":                       `["b","c"]`,
		"$.store.book[?(@.p < 10)].t":               `["a","c"]`,
		"$.store.book[?(@.i)].t":                    `["b"]`,
		"$.store.book[?(@.t == 'b' || @.p == 9)].p": `[12,9]`,
		"$.store.book[?(@.p > 8 && !(@.i))].t":      `["c"]`,
		"$.store.book.length()":                     `3`,
		"$.store.book[0]['t','p']":                  `{"t":"a","p":8}`,
		"$.none":                                    `null`,
		"$.store.book[9]":                           `null`,
	} {
		v, err := JSONPath(root, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, _ := JSON(v); path != "$..p" && got != want || path == "$..p" && len(got) != len(want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"$.", "$[", "$['a", "$[?(@.a", "$.a[x]", "$.a]", "$.a.max()"} {
		if _, err := JSONPath(root, path); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
}

// The manual's examples, with its own input and output where the output is JSON.
func TestManualExamples(t *testing.T) {
	var examples []struct {
		Name     string
		Sections map[string][]string
	}
	if err := json.Unmarshal(vectors(t, "vtl/aws-examples.json"), &examples); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, e := range examples {
		data := e.Sections["original data"]
		if len(data) == 0 {
			continue
		}
		for name, templates := range e.Sections {
			if !strings.Contains(name, "mapping template") {
				continue
			}
			for _, src := range templates {
				out := render(t, src, &Env{Body: data[0]})
				var got, want any
				if err := json.Unmarshal([]byte(out), &got); err != nil {
					t.Errorf("%s, %s: %v in\n%s", e.Name, name, err, out)
					continue
				}
				if w := e.Sections["transformed data"]; strings.HasPrefix(name, "output") && len(w) > 0 {
					if err := json.Unmarshal([]byte(w[0]), &want); err == nil && !reflect.DeepEqual(got, want) {
						t.Errorf("%s, %s:\n got %v\nwant %v", e.Name, name, got, want)
					}
					checked++
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no example was compared")
	}
}

func TestRecordedTemplates(t *testing.T) {
	for _, f := range []string{"apigateway/files/request-template.vm", "apigateway/files/response-template.vm"} {
		out := render(t, string(vectors(t, f)), testEnv(`{"a":1}`))
		if strings.TrimSpace(out) == "" {
			t.Errorf("%s rendered nothing", f)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"#set($x = $input.path('$.a'))$x", "#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end",
		`#if($a == "b" && !$c)x#elseif($d > 1)y#{else}z#end`, "$util.escapeJavaScript($input.json('$..a'))",
		`#macro(m $a)$a#end#m("x$y")`, `\\\$x #[[a]]# #* c *# ## d`, `$a[$b[1]].c("x", {"k": [1, 2]}).d`,
		"#define($d)x#end#evaluate($d)", "${a.b}$!{c}$$d", "#set($m.a['b'] = -1.5e3 + 2 % 0)",
	} {
		f.Add(s, `{"a":[1,{"b":"c"}]}`)
	}
	f.Fuzz(func(t *testing.T, src, body string) {
		tmpl, err := Parse(src)
		if err != nil {
			return
		}
		env := testEnv(body)
		out, err := tmpl.Execute(env)
		if err == nil && len(out) > MaxOutput {
			t.Errorf("%d bytes of output", len(out))
		}
	})
}

func FuzzJSONPath(f *testing.F) {
	for _, s := range []string{"$.a[0]", "$..b", "$.a[?(@.b == 'c')]", "$['a','b'][1:-1]", "a.length()"} {
		f.Add(s)
	}
	root, err := ParseJSON(`{"a":[1,{"b":"c"}]}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if v, err := JSONPath(root, path); err == nil {
			if _, err := JSON(v); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,null,true],"b":"\u00e9\n"}`, `{ statusCode: 200 }`, `"😀"`, `[[[]]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		v, err := ParseJSON(src)
		if err != nil {
			return
		}
		out, err := JSON(v)
		if err != nil {
			return
		}
		again, err := ParseJSON(out)
		if err != nil {
			t.Fatalf("%q became %q: %v", src, out, err)
		}
		if twice, _ := JSON(again); twice != out && !strings.Contains(fmt.Sprint(v), "\xff") {
			t.Errorf("%q became %q, then %q", src, out, twice)
		}
	})
}
