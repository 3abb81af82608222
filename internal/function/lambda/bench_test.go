package lambda

import (
	"context"
	"testing"
)

// edgeEvent has the size and shape of a Lambda@Edge viewer request.
const edgeEvent = `{"Records":[{"cf":{"config":{"distributionDomainName":"d111111abcdef8.cloudfront.net","distributionId":"EDFDVBD6EXAMPLE",` +
	`"eventType":"viewer-request","requestId":"4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ=="},"request":{"clientIp":"203.0.113.178",` +
	`"headers":{"host":[{"key":"Host","value":"d111111abcdef8.cloudfront.net"}],"user-agent":[{"key":"User-Agent","value":"curl/7.66.0"}],` +
	`"accept":[{"key":"accept","value":"*/*"}]},"method":"GET","querystring":"","uri":"/index.html"}}}]}`

const (
	nodeEdge   = `exports.handler = async (event) => { const r = event.Records[0].cf.request; r.headers['x-a'] = [{ key: 'X-A', value: '1' }]; return r; };`
	pythonEdge = "def handler(event, context):\n  r = event['Records'][0]['cf']['request']\n  r['headers']['x-a'] = [{'key': 'X-A', 'value': '1'}]\n  return r\n"
)

func benchmark(b *testing.B, spec Spec) {
	rt, _ := newRuntime(b, Options{NoSpares: true})
	f := acquire(b, rt, spec)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	inv := Invocation{Payload: []byte(edgeEvent), RequestID: "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"}
	for range 2000 {
		if r, err := f.Invoke(ctx, inv); err != nil || r.FunctionError != "" {
			b.Fatalf("%v %s", err, r.Payload)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Invoke(ctx, inv); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWarmNode(b *testing.B)   { need(b, "node"); benchmark(b, nodeSpec(nodeEdge)) }
func BenchmarkWarmPython(b *testing.B) { need(b, "python3"); benchmark(b, pythonSpec(pythonEdge)) }

// benchmarkCold measures the first invocation of a function that no one has called, with a spare process or without.
func benchmarkCold(b *testing.B, spec Spec, spares bool) {
	rt, _ := newRuntime(b, Options{NoSpares: !spares})
	holder := acquire(b, rt, spec) // keeps the language's spare
	invoke(b, holder, "{}")
	for b.Loop() {
		b.StopTimer()
		fresh := spec
		fresh.Code.Inline += "\n"
		spec = fresh
		f := acquire(b, rt, fresh)
		if spares {
			awaitSpare(rt, f.pool.lang)
		}
		b.StartTimer()
		if _, err := f.Invoke(context.Background(), Invocation{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		f.Release()
		b.StartTimer()
	}
}

func BenchmarkColdNode(b *testing.B)   { benchmarkCold(b, nodeSpec(nodeEdge), false) }
func BenchmarkColdPython(b *testing.B) { benchmarkCold(b, pythonSpec(pythonEdge), false) }
func BenchmarkSpareNode(b *testing.B)  { benchmarkCold(b, nodeSpec(nodeEdge), true) }
func BenchmarkSparePython(b *testing.B) {
	benchmarkCold(b, pythonSpec(pythonEdge), true)
}
