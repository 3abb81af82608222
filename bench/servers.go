package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/foregate/foregate/bench/body"
)

//go:embed conf
var confs embed.FS

func mustConf(name string) []byte {
	data, err := confs.ReadFile("conf/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return data
}

// server is a program that is compared.
type server struct {
	name, pkg string // pkg is Debian's; "" for Foregate
	start     func(ctx context.Context, b *bench, p *process, v values) error
	// field and its values tell that an answer came from the cache, or did not.
	field, hit, pass string
	able             ability
}

// ability is what only some servers can do.
type ability uint8

const (
	http3  ability = 1 << iota // speaks HTTP/3
	cached                     // has a cache
	onDisk                     // whose bodies are in files, so the memory of an object has no body in it
)

// values are what the templates in conf/ use.
type values struct {
	Dir, Origin, OriginPort, Clear, TLS, Inner, Body1k string
	Behaviors, Sites                                   []string
	MaxConn                                            int
	Objects                                            int // room in the cache; 0 for little
	HTTP3                                              bool
	Large                                              bool // answers are large and go out in clear
	profile                                            string
}

// CacheMB is room for the objects, head and bookkeeping included, with a good deal to spare.
func (v values) CacheMB() int { return 256 + v.Objects*4/1000 }

// NginxMB is room for the keys: a megabyte holds about 8,000 (its manual, proxy_cache_path).
func (v values) NginxMB() int { return 8 + v.Objects/6500 }

// HAProxyMB is room for the objects in HAProxy, which takes all of it when it starts: an object of 1 KiB and its head need
// two blocks of 1 KiB.
func (v values) HAProxyMB() int { return 16 + v.Objects/500 }

// servers are all, Foregate first.
func servers() []server {
	return []server{
		{name: "foregate-up", start: startUp, field: "X-Cache", hit: "Hit from cloudfront", pass: "Miss from cloudfront", able: http3},
		{name: "foregate-serve", start: startServe, field: "X-Cache", hit: "Hit from cloudfront", pass: "Miss from cloudfront", able: http3 | cached},
		{name: "nginx", pkg: "nginx-light", start: startNginx, field: "X-Cache", hit: "HIT", pass: "PASS", able: cached | onDisk},
		{name: "haproxy", pkg: "haproxy", start: startHAProxy, field: "X-Cache", hit: "HIT", pass: "MISS", able: cached},
		{name: "varnish", pkg: "varnish", start: startVarnish, field: "X-Cache", hit: "HIT", pass: "MISS", able: cached},
		{name: "h2o", pkg: "h2o", start: startH2O, field: "Server", hit: "h2o", pass: "h2o"},
		{name: "trafficserver", pkg: "trafficserver", start: startATS, field: "Server", hit: "ATS", pass: "ATS", able: cached | onDisk},
		{name: "caddy", pkg: "caddy", start: startCaddy, field: "Server", hit: "Caddy", pass: "Caddy", able: http3},
	}
}

func serverNames() (names []string) {
	for _, s := range servers() {
		names = append(names, s.name)
	}
	return names
}

func chooseServers(list string) ([]server, error) {
	if list == "" {
		return servers(), nil
	}
	var out []server
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(servers(), func(s server) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no server is called %q: there are %s", name, strings.Join(serverNames(), ", "))
		}
		out = append(out, servers()[i])
	}
	return out, nil
}

// start starts a server for a scenario and waits until it listens.
func (b *bench) start(ctx context.Context, srv server, s scenario) (*process, error) {
	p := &process{server: srv, host: "localhost", origin: b.origin}
	v := values{
		Dir: b.dir, Origin: b.origin, MaxConn: b.files - 1000, Behaviors: s.behaviors, Sites: sites(s.sites), HTTP3: s.protocol == quic3,
		Large:  s.protocol == clear1 && (s.size == "64k" || s.size == "1m"),
		Body1k: string(body.Make(body.Sizes["1k"])),
	}
	if s.objects {
		v.Objects = b.objects
	}
	for _, name := range v.Sites {
		p.hosts = append(p.hosts, name+".bench.example")
	}
	if b.profile != "" {
		v.profile = filepath.Join(b.profile, s.name+"-"+srv.name+".pprof")
	}
	_, v.OriginPort, _ = net.SplitHostPort(b.origin)
	for _, to := range []*string{&v.Clear, &v.TLS, &v.Inner} {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, *to, _ = net.SplitHostPort(addr)
	}
	p.clear, p.tls = "127.0.0.1:"+v.Clear, "127.0.0.1:"+v.TLS
	if err := srv.start(ctx, b, p, v); err != nil {
		p.stop()
		return nil, err
	}
	if len(p.hosts) > 0 {
		p.host = p.hosts[0]
	}
	for _, addr := range []string{p.clear, p.tls} {
		if err := await(ctx, addr, 10*time.Second); err != nil {
			p.stop()
			return nil, fmt.Errorf("%w\n%s", err, p.output())
		}
	}
	return p, nil
}

// render fills a template of conf/ and writes it to a file.
func render(name, path string, v values) error {
	t, err := template.New(name).Parse(string(mustConf(name)))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// simple starts a server that has one configuration file.
func (b *bench) simple(p *process, conf string, v values, args ...string) error {
	if err := render(conf, filepath.Join(b.dir, conf), v); err != nil {
		return err
	}
	if p.began.IsZero() {
		p.began = time.Now()
	}
	p.logs = append(p.logs, b.logOf(args[0]))
	cmd, err := b.spawn("0", args...)
	if err == nil {
		p.cmds = append(p.cmds, cmd)
	}
	return err
}

func startNginx(_ context.Context, b *bench, p *process, v values) error {
	return b.simple(p, "nginx.conf", v, "nginx", "-c", b.dir+"/nginx.conf", "-e", b.dir+"/nginx.err")
}

func startHAProxy(_ context.Context, b *bench, p *process, v values) error {
	var hosts strings.Builder
	for _, name := range v.Sites {
		fmt.Fprintf(&hosts, "%s.bench.example %s\n", name, name)
	}
	if err := os.WriteFile(b.dir+"/haproxy.map", []byte(hosts.String()), 0o644); err != nil {
		return err
	}
	return b.simple(p, "haproxy.cfg", v, "haproxy", "-db", "-f", b.dir+"/haproxy.cfg")
}

func startH2O(_ context.Context, b *bench, p *process, v values) error {
	return b.simple(p, "h2o.conf", v, "h2o", "-c", b.dir+"/h2o.conf")
}

func startCaddy(_ context.Context, b *bench, p *process, v values) error {
	return b.simple(p, "Caddyfile", v, "caddy", "run", "--config", b.dir+"/Caddyfile", "--adapter", "caddyfile")
}

func startVarnish(_ context.Context, b *bench, p *process, v values) error {
	work := b.dir + "/varnish"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := b.simple(p, "varnish.vcl", v, "varnishd", "-F", "-j", "none", "-n", work,
		"-a", "127.0.0.1:"+v.Clear, "-a", "127.0.0.1:"+v.Inner+",PROXY", "-f", b.dir+"/varnish.vcl", "-s", "malloc,"+strconv.Itoa(v.CacheMB())+"m",
		"-p", "feature=+http2", "-p", "thread_pools=1", "-p", "thread_pool_min=400", "-p", "h2_max_concurrent_streams=256",
		"-p", "vsl_mask="+unlogged(), "-p", "timeout_idle=600", "-p", "listen_depth=4096"); err != nil {
		return err
	}
	return b.simple(p, "hitch.conf", v, "hitch", "--config="+b.dir+"/hitch.conf")
}

// unlogged keeps varnishd from writing to its log in memory what nobody reads, a fifth of what a hit costs.
func unlogged() string {
	const tags = "Begin End Link ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset ReqAcct RespProtocol RespStatus RespReason RespHeader RespUnset" +
		" VCL_call VCL_return VCL_use Timestamp Hit SessOpen SessClose BereqMethod BereqURL BereqProtocol BereqHeader BereqUnset BereqAcct" +
		" BerespProtocol BerespStatus BerespReason BerespHeader BerespUnset BackendOpen BackendClose BackendReuse Storage Length Fetch_Body TTL Gzip Filters Proxy HitMiss HitPass"
	return "-" + strings.ReplaceAll(tags, " ", ",-")
}

// startATS makes the folders of a Traffic Server of its own, which must belong to its user.
func startATS(_ context.Context, b *bench, p *process, v values) error {
	root := b.dir + "/ats"
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	for _, d := range []string{"log", "run", "data", "cache"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.CopyFS(root+"/etc", os.DirFS("/etc/trafficserver")); err != nil {
		return err
	}
	for _, name := range []string{"records.config", "remap.config", "ssl_multicert.config", "storage.config"} {
		path := root + "/etc/" + name
		_ = os.Remove(path)
		if err := render("ats-"+name, path, v); err != nil {
			return err
		}
	}
	for _, name := range []string{"cert.pem", "key.pem"} {
		data, err := os.ReadFile(filepath.Join(b.dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(root+"/etc/"+name, data, 0o644); err != nil {
			return err
		}
	}
	if err := chownAll(root, "trafficserver"); err != nil {
		return err
	}
	return b.simple(p, "ats-runroot.yaml", v, "traffic_server", "--run-root="+b.dir+"/ats-runroot.yaml")
}

func chownAll(root, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}
