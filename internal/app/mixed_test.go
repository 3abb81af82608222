package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

// anySignature is of a policy for any resource until 2255, by the key of testdata/soak/site.yaml.
const anySignature = "Policy=eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiKiIsIkNvbmRpdGlvbiI6eyJEYXRlTGVzc1RoYW4iOnsiQVdTOkVwb2NoVGltZSI6OTAwMDAwMDAwMH19fV19" +
	"&Signature=MEYCIQCA1GD-rtlD~6jYY3VmClQJvVviS0V81YAMEY8DskGT1QIhAJJu7qTbkg4Vx9KMr6mhXJHOoEVfs6gQXUDN7UHZ0flZ&Hash-Algorithm=SHA256"

// mixed is the whole program under all kinds of traffic at once.
type mixed struct {
	t      *testing.T
	n      *Node
	origin *mixedOrigin
	// hosts and ids of distributions by logical id; key is the id of the public key.
	hosts, ids map[string]string
	key        string
	file, text string
	node       bool
	clients    map[string]*http.Client
	until      time.Time // the zero time: by count
	// pace has a value for each request when somebody waits for it; stop is closed when all have been made.
	pace, stop chan struct{}
}

// TestMixedTraffic sends all kinds of requests over HTTP/1.1, 2 and 3 while templates are loaded, distributions and a continuous
// deployment are changed over the API, and objects are invalidated and evicted. Each answer must be one that its URL may have,
// and whole: the body that its ETag names, never of a version that was invalidated before the request began, and with
// Authorization the asker's own. At the end nothing is left. FOREGATE_SOAK=10m makes it last that long.
func TestMixedTraffic(t *testing.T) {
	before := count(t)
	m, end := newMixed(t)
	viewers, each := 8, 150
	if testing.Short() {
		each = 60
	}
	if s := os.Getenv("FOREGATE_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		m.until = time.Now().Add(d)
	}
	var busy, idle sync.WaitGroup
	for i, disturb := range []func(int){m.reload, m.update, m.invalidate, m.invalidateAll} {
		idle.Go(func() {
			for round := i; ; round++ {
				select {
				case <-m.stop:
					return
				default:
					disturb(round)
				}
			}
		})
	}
	for i := range viewers {
		busy.Go(func() {
			v := &mixedViewer{mixed: m, rnd: rand.New(rand.NewPCG(uint64(i), 3)), name: fmt.Sprintf("viewer-%d", i)}
			for k := 0; k < each && m.until.IsZero() || time.Now().Before(m.until); k++ {
				v.ask()
				select {
				case m.pace <- struct{}{}:
				default:
				}
			}
		})
	}
	busy.Wait()
	close(m.stop)
	idle.Wait()
	if used := m.n.cache.Used(); used > m.n.opts.CacheMemory {
		t.Errorf("the cache has %d bytes in memory, of %d", used, m.n.opts.CacheMemory)
	}
	end()
	settled(t, before)
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// newMixed brings everything up; the returned function ends it.
func newMixed(t *testing.T) (*mixed, func()) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	m := &mixed{t: t, origin: newMixedOrigin(t), hosts: map[string]string{}, ids: map[string]string{}, pace: make(chan struct{}), stop: make(chan struct{}), clients: map[string]*http.Client{}}
	text, err := os.ReadFile(filepath.Join("testdata", "soak", "site.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, missing := exec.LookPath("node")
	m.node = missing == nil
	m.text = strings.ReplaceAll(string(text), "HAVE_NODE", fmt.Sprint(m.node))
	m.file = filepath.Join(t.TempDir(), "site.yaml")
	socks, err := (&listenFlags{addr: "127.0.0.1:0"}).listen()
	if err != nil {
		t.Fatal(err)
	}
	address := m.origin.ln.Addr().String()
	m.n, err = NewNode(Options{
		Region: "us-east-1", Account: "000000000000", Listen: socks.address(), NoHTTP3: socks.noHTTP3, Log: t.Logf, Data: t.TempDir(),
		CacheMemory: 1 << 20, CacheDisk: 3 << 20, Origins: map[string]string{"origin.example": "http://" + address, "failing.example": "http://" + address},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.n.Serve(ctx, socks) }()
	m.reload(0)
	for _, e := range m.n.Endpoints() {
		m.hosts[e.LogicalID], m.ids[e.LogicalID] = e.Hosts[0], e.ID
	}
	m.connect()
	return m, func() {
		for _, c := range m.clients {
			if tr, ok := c.Transport.(*http3.Transport); ok {
				tr.Close()
			}
			c.CloseIdleConnections()
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		socks.close()
		if err := m.n.Close(); err != nil {
			t.Error(err)
		}
		m.origin.stop()
	}
}

// connect makes a client for each protocol.
func (m *mixed) connect() {
	address := m.n.opts.Listen
	for _, protocol := range []string{"h1", "h1 TLS", "h2", "h3"} {
		cfg := &tls.Config{RootCAs: m.n.authority.Pool()}
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		m.clients[protocol] = c
		if protocol == "h3" {
			c.Transport = &http3.Transport{TLSClientConfig: cfg, DisableCompression: true, Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
				return quic.DialAddr(ctx, address, c, q)
			}}
			continue
		}
		tr := &http.Transport{TLSClientConfig: cfg, DisableCompression: true, Protocols: new(http.Protocols), MaxIdleConnsPerHost: 10,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", address)
			}}
		tr.Protocols.SetHTTP1(protocol != "h2")
		tr.Protocols.SetHTTP2(protocol == "h2")
		c.Transport = tr
	}
}

// reload loads the template anew, with a part of it changed.
func (m *mixed) reload(round int) {
	text := strings.NewReplacer("COMMENT", fmt.Sprintf("load-%d", round%3), "WEIGHT", fmt.Sprintf("0.%02d", 1+round%14)).Replace(m.text)
	if err := os.WriteFile(m.file, []byte(text), 0o600); err != nil {
		m.t.Error(err)
	}
	all, found, err := m.n.load(context.Background(), &sourceFlags{}, []string{m.file})
	if err != nil || diag.Worst(found) == diag.Error {
		m.t.Error(err, found)
		return
	}
	if m.key == "" {
		for _, o := range all[0].Stack.Outputs {
			m.ids[o.Key] = o.Value
		}
		m.key, m.ids["Staging"] = m.ids["Key"], m.ids["StagingId"]
	}
}

// api calls CloudFront's API.
func (m *mixed) api(method, path, ifMatch, body string) (status int, etag, answer string) {
	r := &message.Request{Method: method, Scheme: "http", Host: m.n.opts.Listen, Path: "/2020-05-31/" + path, Proto: message.HTTP11,
		Body: bytes.NewReader([]byte(body)), ContentLength: int64(len(body))}
	if ifMatch != "" {
		r.Header.Add("If-Match", ifMatch)
	}
	s := sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: "test", Secret: "test"}, Region: "us-east-1", Service: "cloudfront"}
	if err := s.Sign(r, sigv4.HashPayload([]byte(body))); err != nil {
		m.t.Error(err)
		return 0, "", ""
	}
	resp := m.n.Handle(context.Background(), r)
	if resp.Body != nil {
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			m.t.Error(err)
		}
		answer = string(b)
	}
	return resp.Status, resp.Header.Get("ETag"), answer
}

var (
	commentOf = regexp.MustCompile(`<Comment>[^<]*</Comment>`)
	weightOf  = regexp.MustCompile(`<Weight>[^<]*</Weight>`)
	idOf      = regexp.MustCompile(`<Id>([^<]*)</Id>`)
)

// update changes distributions and the continuous deployment over the API, as far as nobody else has changed them meanwhile.
func (m *mixed) update(round int) {
	path, change := "distribution/"+m.ids[[]string{"Site", "Primary", "Staging"}[round%3]], func(s string) string {
		return commentOf.ReplaceAllString(s, fmt.Sprintf("<Comment>update-%d</Comment>", round))
	}
	if round%4 == 3 {
		_, _, list := m.api("GET", "continuous-deployment-policy", "", "")
		id := idOf.FindStringSubmatch(list)
		if id == nil {
			return // between two loads
		}
		path, change = "continuous-deployment-policy/"+id[1], func(s string) string {
			return weightOf.ReplaceAllString(s, fmt.Sprintf("<Weight>0.%02d</Weight>", 1+round%14))
		}
	}
	status, etag, config := m.api("GET", path+"/config", "", "")
	if status != 200 {
		m.t.Errorf("read the configuration of %s: %d %s", path, status, config)
		return
	}
	if !strings.HasPrefix(path, "continuous") {
		path += "/config"
	}
	if status, _, answer := m.api("PUT", path, etag, change(config)); status != 200 && status != 412 {
		m.t.Errorf("update %s: %d %s", path, status, answer)
	}
}

// invalidate makes a new version of one object and invalidates the old one; from then on none older may be seen.
func (m *mixed) invalidate(round int) {
	i := round % objects0
	v := m.origin.versions[i].Add(1)
	m.drop(fmt.Sprintf("/v/%d", i), round)
	raise(&m.origin.invalidated[i], v)
}

// invalidateAll does so for all objects, by a wildcard.
func (m *mixed) invalidateAll(round int) {
	var v [objects0]int64
	for i := range v {
		v[i] = m.origin.versions[i].Add(1)
	}
	m.drop([]string{"/v/*", "/*"}[round%2], round)
	for i := range v {
		raise(&m.origin.invalidated[i], v[i])
	}
	for range 20 { // or nothing would ever be a hit
		select {
		case <-m.pace:
		case <-m.stop:
			return
		}
	}
}

func raise(a *atomic.Int64, v int64) {
	for old := a.Load(); old < v && !a.CompareAndSwap(old, v); old = a.Load() {
	}
}

// drop invalidates a path of every distribution that may have it.
func (m *mixed) drop(path string, round int) {
	for _, id := range []string{"Site", "Primary", "Staging"} {
		body := fmt.Sprintf(`<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Paths><Quantity>1</Quantity><Items><Path>%s</Path></Items></Paths><CallerReference>%s-%d</CallerReference></InvalidationBatch>`, path, url.PathEscape(path), round)
		if status, _, answer := m.api("POST", "distribution/"+m.ids[id]+"/invalidation", "", body); status != 201 {
			m.t.Errorf("invalidate %s of %s: %d %s", path, id, status, answer)
		}
	}
}
