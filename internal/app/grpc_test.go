package app

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const grpcTemplate = `
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        HttpVersion: http2
        Origins:
          - Id: origin
            DomainName: grpc.example.net
            CustomOriginConfig: { OriginProtocolPolicy: https-only }
        DefaultCacheBehavior:
          TargetOriginId: origin
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad # CachingDisabled
          GrpcConfig: { Enabled: true }
        CustomErrorResponses:
          - { ErrorCode: 404, ResponseCode: 200, ResponsePagePath: /page }
`

// grpcOrigin answers calls as a gRPC server does, and tells everything else in which version it was asked. It speaks HTTP/1.1
// and HTTP/2 in clear, where --origin sends what is meant for HTTPS.
func grpcOrigin(t *testing.T) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/page":
			_, _ = io.WriteString(w, "page")
		case r.URL.Path == "/svc/Unimplemented":
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "12")
			w.WriteHeader(404)
		case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			_, _ = io.WriteString(w, r.Proto)
		default:
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("X-Saw", r.Proto+" "+r.Header.Get("Te")+" "+r.Header.Get("Grpc-Timeout"))
			w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
			w.(http.Flusher).Flush()
			b := make([]byte, 1000)
			for {
				n, err := r.Body.Read(b)
				_, _ = w.Write(bytes.ToUpper(b[:n]))
				w.(http.Flusher).Flush()
				if err != nil {
					break
				}
			}
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set("Grpc-Message", "done")
		}
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// grpcNode serves grpcTemplate and returns what asks it over HTTP/2.
func grpcNode(t *testing.T) func(path, contentType string, body io.Reader) *http.Response {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "grpc.yaml")
	if err := os.WriteFile(file, []byte(grpcTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := NewNode(Options{Region: "us-east-1", Account: "000000000000", Log: t.Logf, Origins: map[string]string{"grpc.example.net": grpcOrigin(t).URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if _, found, err := n.load(t.Context(), &sourceFlags{}, []string{file}); err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.Serve(ctx, &sockets{tcp: ln}) }()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	host := n.hostOf("Site")
	return func(path, contentType string, body io.Reader) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+ln.Addr().String()+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Te", "trailers")
		r.Header.Set("Grpc-Timeout", "5S")
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
}

// TestGRPC has calls go through a distribution: both sides speak in turn, and the trailer arrives.
func TestGRPC(t *testing.T) {
	ask := grpcNode(t)
	pr, pw := io.Pipe()
	resp := ask("/svc/Method", "application/grpc+proto", pr)
	if got := resp.Header.Get("X-Saw"); resp.StatusCode != 200 || got != "HTTP/2.0 trailers 5S" || resp.Header.Get("X-Cache") != "Miss from cloudfront" {
		t.Errorf("got %d, %v", resp.StatusCode, resp.Header)
	}
	for _, word := range []string{"one", "two", "three"} {
		_, _ = io.WriteString(pw, word)
		b := make([]byte, len(word))
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
	if resp.Trailer.Get("Grpc-Status") != "0" || resp.Trailer.Get("Grpc-Message") != "done" {
		t.Errorf("got trailer %v", resp.Trailer)
	}
}

// TestGRPCOnly is what is not done for gRPC, and what is not gRPC.
func TestGRPCOnly(t *testing.T) {
	ask := grpcNode(t)
	resp := ask("/svc/Unimplemented", "application/grpc", strings.NewReader("x"))
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 404 || resp.Header.Get("Grpc-Status") != "12" || len(b) > 0 {
		t.Errorf("a custom error response: got %d, %v, %q", resp.StatusCode, resp.Header, b)
	}
	if b, err := io.ReadAll(ask("/other", "application/json", strings.NewReader("x")).Body); string(b) != "HTTP/1.1" || err != nil {
		t.Errorf("another request: got %q, %v", b, err)
	}
	resp = ask("/svc/Method", "application/grpc-web", strings.NewReader("x"))
	if got := resp.Header.Get("X-Saw"); !strings.HasPrefix(got, "HTTP/1.1") {
		t.Errorf("gRPC-Web, which is no gRPC: the origin saw %q", got)
	}
}
