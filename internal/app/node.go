package app

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/ca"
	"github.com/foregate/foregate/internal/compile"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/front"
	edgefunction "github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/geo"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/origin"
	"github.com/foregate/foregate/internal/resource"
	lambdaservice "github.com/foregate/foregate/internal/service/lambda"
	"github.com/foregate/foregate/internal/stack"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// Options say what a Node is.
type Options struct {
	Region, Account string
	// Data is the folder of durable state; "" keeps everything in memory.
	Data string
	// Origins sends outside hosts to other addresses; Buckets fills buckets from folders; Functions gives functions code.
	Origins, Buckets, Functions map[string]string
	// OriginCredentials sign for outside origins with access control; nil when nobody has named any.
	OriginCredentials *originCredentials
	// Places say where viewers are, as geo.Open takes them.
	Places []string
	// Listen is the address of the listener, "" without one; Endpoint is where functions and explanations find the AWS API,
	// "" for the same address.
	Listen, Endpoint string
	// NoHTTP3 says why HTTP/3 is not served; "" when it is.
	NoHTTP3 string
	// Local is true for a node that nobody connects to: its certificates come from an authority of its own.
	Local bool
	// CacheMemory is what the cache of distributions may use, in bytes; 0 for the default.
	CacheMemory int64
	// CacheDisk is what it may keep in the data folder, in bytes; 0 for the default.
	CacheDisk int64
	// Quotas are those that AWS has raised for the account, by service.QuotaNames.
	Quotas map[string]int
	// KeyPairs are the public keys of the account's CloudFront key pairs, by id (APKA…).
	KeyPairs map[string]crypto.PublicKey
	// ProxyPassthrough opens the forward proxy to every host.
	ProxyPassthrough bool
	// Explanations turns on the header Foregate-Explain.
	Explanations bool
	// Root is the access key of the account's root; its zero value is test/test.
	Root key
	// Strangers is set for a node that others than its operator reach: it tells them neither its hosts nor its keys.
	Strangers bool
	// FunctionLog gets the lines that functions print; Answered each answered request. Both may be nil.
	FunctionLog func(lambda.LogLine)
	Answered    func(front.Answered)
	// RealtimeLogs is the folder of real-time logs, "" for none.
	RealtimeLogs string
	// LogEvery is how long a record of a distribution's standard log waits at most; 0 means five seconds.
	LogEvery time.Duration
	// Log gets what an operator should know.
	Log func(format string, args ...any)
}

// Node is one running Foregate: state, control plane and data plane. Make it with NewNode, and Close it.
type Node struct {
	opts      Options
	floor     []byte
	store     *store.Store
	services  *stack.Services
	lambda    *lambdaservice.Service
	authority *ca.Authority
	functions *lambda.Runtime
	origins   *origin.Client
	cache     *cache.Cache
	front     *front.Front
	api       message.Handler
	env       *compile.Env
	explained *explanations
	logs      func(lambda.LogLine)
	edgeLogs  func(region, group, stream string, at time.Time, line string)
	// places knows where viewers are, nil when nobody has said; stopPlaces ends the watch of its files.
	places     *geo.Locator
	stopPlaces context.CancelFunc
	// accessLogs delivers the access logs of distributions, those in real time to streams.
	accessLogs *accesslog.Collector
	streams    *accesslog.Streams
	// sources are those that were loaded last: findings point into them.
	sources atomic.Pointer[[]*source]

	compiling sync.Mutex
	result    atomic.Pointer[compile.Result]
	objects   objects
	stop      context.CancelFunc
	watching  sync.WaitGroup
}

// NewNode makes a node and starts to follow its store.
func NewNode(opts Options) (*Node, error) {
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	if opts.Root == (key{}) {
		opts.Root = localRoot
	}
	n := &Node{opts: opts, floor: heapFloor(), objects: objects{opts: &opts, made: map[string]bucket.Objects{}}}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	for _, step := range []func() error{n.openPlaces, n.openStore, n.openAuthority, n.openDataPlane, n.openServices} {
		if err := step(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	if n.Refresh(); n.result.Load() == nil {
		return nil, errors.Join(errors.New("the stored configuration cannot be compiled: see the log"), n.Close())
	}
	changes := n.store.Watch(ctx)
	n.watching.Go(func() {
		for range changes {
			n.Refresh()
		}
	})
	return n, nil
}

func (n *Node) openStore() (err error) {
	if n.opts.Data == "" {
		n.store = store.Memory(time.Now)
		return nil
	}
	if err := os.MkdirAll(n.opts.Data, 0o700); err != nil {
		return fmt.Errorf("open data folder: %w", err)
	}
	n.store, err = store.Open(filepath.Join(n.opts.Data, "store.db"), time.Now, resource.Decoders()...)
	return err
}

// openAuthority opens the authority of this machine. A node that only explains makes none, but uses the one that is there: it
// trusts the same origins as one that serves.
func (n *Node) openAuthority() (err error) {
	dir, err := ca.DefaultDir()
	if n.opts.Local {
		if err == nil {
			_, err = os.Stat(dir)
		}
		if err != nil {
			n.authority, err = ca.Ephemeral()
			return err
		}
	} else if err != nil {
		return err
	}
	n.authority, err = ca.Open(dir)
	return err
}

// openDataPlane makes what serves requests.
func (n *Node) openDataPlane() (err error) {
	environment := map[string]string{}
	if n.opts.Endpoint == "" {
		n.opts.Endpoint = n.opts.Listen
	}
	if n.opts.Endpoint != "" {
		environment["AWS_ENDPOINT_URL"] = "http://" + n.opts.Endpoint
	}
	n.functions = lambda.New(lambda.Options{Logs: n.functionLog, Environment: environment})
	n.origins, err = origin.New(origin.Options{
		ExtraRoots:       []*x509.Certificate{n.authority.Certificate()},
		Override:         n.opts.Origins,
		Local:            func(host string) (message.Handler, bool) { h, _, ok := n.front.Resolve(host); return h, ok },
		LocalCertificate: n.certificateNames,
		// A viewer who reads slowly holds one descriptor, and one of the origin's: half of all are as many as any origin can need.
		MaxConns: front.Descriptors() / 2,
	})
	if err != nil {
		return err
	}
	if err := n.openCache(); err != nil {
		return fmt.Errorf("open the cache on disk: %w", err)
	}
	if err := n.openAccessLogs(); err != nil {
		return err
	}
	n.env = &compile.Env{
		Region: n.opts.Region, Account: n.opts.Account, RootKeyID: n.opts.Root.id, RootSecret: n.opts.Root.secret,
		Now: time.Now, Functions: n.functions, Origins: n.origins, Signatures: new(signed.Verified), KeyPairs: n.opts.KeyPairs,
		Sessions: iam.NewSessions(time.Now), Objects: n.objects.of, Cache: n.cache,
		Places: n.places, NoHTTP3: n.opts.NoHTTP3, EdgeLogs: n.accessLogs, RealtimeLogs: n.opts.RealtimeLogs != "",
		KeepsBucket:   func(name string) bool { return n.opts.Buckets[name] != "" },
		EdgeFunctions: &edgefunction.Cache{}, FunctionLog: n.edgeFunctionLog,
		AccessLog: func(stage, line string) { n.opts.Log("access log of %s: %s", stage, line) },
	}
	if c := n.opts.OriginCredentials; c != nil {
		n.env.OriginCredentials = c.get
	}
	n.explained = newExplanations()
	fo := front.Options{
		Issuer: n.authority, API: message.HandlerFunc(n.serveAPI), Landing: message.HandlerFunc(n.landing),
		IsAPIHost: n.isBucket, ProxyPassthrough: n.opts.ProxyPassthrough, Answered: n.opts.Answered, Log: n.opts.Log,
		Nameless: compile.DefaultCertificate,
	}
	if n.opts.Explanations {
		fo.Explain = n.explain
	}
	if fo.Terse = n.opts.Strangers; fo.Terse {
		fo.Landing = nil
	}
	n.front = front.New(fo)
	return nil
}

// certificateNames tells origin connections which certificate a host of the stack presents.
func (n *Node) certificateNames(host, sni string) ([]string, bool) {
	if sni == "" {
		sni = host
	}
	cert, ok := n.front.Snapshot().CertificateFor(sni)
	if !ok {
		return nil, false
	}
	if cert == nil {
		return []string{sni}, true
	}
	return cert.Names, true
}

// Refresh brings the data plane to the store's current revision; it returns when that is served. A compiler that fails is
// our fault, and must not take down what is served: the last plan stays.
func (n *Node) Refresh() {
	n.compiling.Lock()
	defer n.compiling.Unlock()
	defer func() {
		if p := recover(); p != nil {
			n.opts.Log("compiling revision %d failed, the plan before it is served on: %v\n%s", n.store.View().Revision(), p, debug.Stack())
		}
	}()
	view := n.store.View()
	if last := n.result.Load(); last != nil && last.Revision == view.Revision() {
		return
	}
	result := compile.All(view, n.env)
	n.front.Swap(result.Snapshot)
	n.result.Store(result)
}

// Serving is the revision that the data plane serves.
func (n *Node) Serving() uint64 {
	if r := n.result.Load(); r != nil {
		return r.Revision
	}
	return 0
}

// Findings are those of the compilation that is served.
func (n *Node) Findings() []diag.Finding { return n.result.Load().Findings }

// Endpoints are what is served.
func (n *Node) Endpoints() []front.Endpoint { return n.result.Load().Snapshot.Endpoints() }

// Deploy brings a template's stack into the node. When findings have an error nothing has changed.
func (n *Node) Deploy(ctx context.Context, t *cloudformation.Template, opts stack.Options) stack.Outcome {
	out := n.services.Deploy(ctx, t, opts)
	if out.Stack != nil {
		n.Refresh()
	}
	return out
}

// Handle answers a request as if it had come over a connection.
func (n *Node) Handle(ctx context.Context, r *message.Request) *message.Response {
	return n.front.Handler(ctx, r)
}

// Close ends everything that the node runs. Requests under way are cut off: end Serve first.
func (n *Node) Close() error {
	n.stop()
	if n.stopPlaces != nil {
		n.stopPlaces()
	}
	var err error
	if n.store != nil {
		err = n.store.Close()
	}
	n.watching.Wait()
	if n.front != nil {
		n.front.Swap(front.NewBuilder(0).Build())
	}
	if n.lambda != nil {
		n.lambda.Close()
	}
	if n.origins != nil {
		n.origins.Close()
	}
	if n.cache != nil {
		n.cache.Close()
	}
	if n.functions != nil {
		err = errors.Join(err, n.functions.Close())
	}
	if n.accessLogs != nil {
		n.accessLogs.Close()
	}
	return errors.Join(err, n.streams.Close(), n.objects.close())
}

// edgeFunctionLog writes what a CloudFront Function left as AWS does, into /aws/cloudfront/function/NAME of us-east-1 (AWS's manual,
// "Edge function logs"). An error is not part of AWS's log: there it is in the access log.
func (n *Node) edgeFunctionLog(l *edge.FunctionLog) {
	if l.Lambda {
		n.lambdaEdgeLog(l)
		return
	}
	lines := append([]string{"START DistributionID: " + l.DistributionID}, l.Lines...)
	if l.Failure != "" {
		lines = append(lines, l.Failure)
	}
	at := l.Time.UTC()
	// YYYY/M/D/UUID (DG-edge-functions-logs): one stream a function and day.
	day := fmt.Sprintf("%d/%d/%d", at.Year(), at.Month(), at.Day())
	id := sha256.Sum256([]byte(l.Function + "/" + day))
	stream := fmt.Sprintf("%s/%x-%x-%x-%x-%x", day, id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
	for _, text := range append(lines, "END") {
		n.edgeLogs("us-east-1", "/aws/cloudfront/function/"+l.Function, stream, at, l.RequestID+" "+text)
	}
	if n.opts.FunctionLog != nil {
		for _, text := range lines[1:] {
			n.opts.FunctionLog(lambda.LogLine{Function: l.Function, Time: at, Text: text})
		}
	}
}

// lambdaEdgeLog writes that a Lambda@Edge function has returned what is not valid, into the group of the distribution in the region where
// it ran (DG-lambda-edge-testing-debugging; the line as in aws-ia/cloudformation-aws-marketplace-saas 54).
func (n *Node) lambdaEdgeLog(l *edge.FunctionLog) {
	text := "ERROR Validation error: " + l.Failure
	at := l.Time.UTC()
	n.edgeLogs(n.opts.Region, "/aws/cloudfront/LambdaEdge/"+l.DistributionID, at.Format("2006/01/02")+"/foregate", at, "("+l.RequestID+") "+text)
	if n.opts.FunctionLog != nil {
		n.opts.FunctionLog(lambda.LogLine{Function: l.Function, Time: at, Text: text})
	}
}

func (n *Node) functionLog(l lambda.LogLine) {
	if n.logs != nil {
		n.logs(l)
	}
	if n.opts.FunctionLog != nil {
		n.opts.FunctionLog(l)
	}
}

// objects finds where the objects of buckets are.
type objects struct {
	opts *Options
	mu   sync.Mutex
	made map[string]bucket.Objects
}

func (o *objects) of(name, logicalID string) (bucket.Objects, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.made[name]; b != nil {
		return b, nil
	}
	dir := o.opts.Buckets[name]
	if dir == "" {
		dir = o.opts.Buckets[logicalID]
	}
	if dir == "" && o.opts.Data != "" {
		dir = filepath.Join(o.opts.Data, "buckets", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if dir == "" {
		o.made[name] = bucket.NewMemory(time.Now)
		return o.made[name], nil
	}
	folder, err := bucket.NewFolder(dir)
	if err != nil {
		return nil, err
	}
	o.made[name] = folder
	return folder, nil
}

// maxCode bounds what is read of a deployment package in a bucket; Lambda's own limit for a zip is 50 MB, 250 MB unpacked.
const maxCode = 250 << 20

// readObject reads a whole object, such as the code of a function.
// The bucket may be one that a deployment under way has just made: its logical id, by which --bucket may know it, is in the store.
func (n *Node) readObject(ctx context.Context, name, key string) ([]byte, error) {
	logicalID := ""
	if rec := resource.Buckets.Record(n.store.Read(ctx), resource.Global, name); rec != nil {
		logicalID = rec.Source.LogicalID
	}
	b, err := n.objects.of(name, logicalID)
	if err != nil {
		return nil, err
	}
	obj, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer obj.Content.Close()
	if obj.Size > maxCode {
		return nil, fmt.Errorf("read s3://%s/%s: %d bytes are more than a deployment package may have", name, key, obj.Size)
	}
	return io.ReadAll(io.NewSectionReader(obj.Content, 0, obj.Size))
}

func (o *objects) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	for _, b := range o.made {
		if f, ok := b.(*bucket.Folder); ok {
			err = errors.Join(err, f.Close())
		}
	}
	clear(o.made)
	return err
}

// seed reads, or makes, the secret of this machine by which secrets of template resources are the same at each run.
func seed(dir string) ([]byte, error) {
	path := filepath.Join(dir, "seed")
	b, err := os.ReadFile(path)
	if err == nil && len(b) == 32 {
		return b, nil
	}
	if err == nil {
		return nil, fmt.Errorf("read %q: want 32 bytes, got %d; remove it to have a new one made", path, len(b))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b = make([]byte, 32)
	rand.Read(b)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The link makes the file appear whole or not at all, whichever process is first.
	tmp, err := os.CreateTemp(dir, "seed")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	} else if err != nil {
		return nil, err
	}
	return b, nil
}
