package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
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
}

// values are what the templates in conf/ use.
type values struct {
	Dir, Origin, OriginPort, Clear, TLS, Inner, Body1k string
	Behaviors                                          []string
	MaxConn                                            int
	profile                                            string
}

// servers are all, Foregate first.
func servers() []server {
	return []server{
		{name: "foregate-up", start: startUp, field: "X-Cache", hit: "Hit from cloudfront", pass: "Miss from cloudfront"},
		{name: "foregate-serve", start: startServe, field: "X-Cache", hit: "Hit from cloudfront", pass: "Miss from cloudfront"},
		{name: "nginx", pkg: "nginx-light", start: startNginx, field: "X-Cache", hit: "HIT", pass: "PASS"},
		{name: "haproxy", pkg: "haproxy", start: startHAProxy, field: "X-Cache", hit: "HIT", pass: "MISS"},
		{name: "varnish", pkg: "varnish", start: startVarnish, field: "X-Cache", hit: "HIT", pass: "MISS"},
		{name: "h2o", pkg: "h2o", start: startH2O, field: "Server", hit: "h2o", pass: "h2o"},
		{name: "trafficserver", pkg: "trafficserver", start: startATS, field: "Server", hit: "ATS", pass: "ATS"},
		{name: "caddy", pkg: "caddy", start: startCaddy, field: "Server", hit: "Caddy", pass: "Caddy"},
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
	v := values{Dir: b.dir, Origin: b.origin, MaxConn: b.files/2 - 500, Behaviors: s.behaviors, Body1k: string(body.Make(body.Sizes["1k"]))}
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
		"-a", "127.0.0.1:"+v.Clear, "-a", "127.0.0.1:"+v.Inner+",PROXY", "-f", b.dir+"/varnish.vcl", "-s", "malloc,256m",
		"-p", "feature=+http2", "-p", "thread_pools=1", "-p", "thread_pool_min=400", "-p", "h2_max_concurrent_streams=256",
		"-p", "timeout_idle=600", "-p", "listen_depth=4096"); err != nil {
		return err
	}
	return b.simple(p, "hitch.conf", v, "hitch", "--config="+b.dir+"/hitch.conf")
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

// foregate starts the product and returns the line of JSON that up prints, or nil for other commands.
func (b *bench) foregate(p *process, v values, args ...string) ([]byte, error) {
	program, env := "foregate", []string(nil)
	if v.profile != "" {
		program, env = "profiled", []string{"FOREGATE_PROFILE=" + v.profile}
	}
	args = append([]string{"-c", "0", filepath.Join(b.bin, program)}, args...)
	cmd := exec.Command("taskset", args...)
	cmd.Env = append(append(os.Environ(), "HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir+"/config"), env...)
	log, err := os.Create(filepath.Join(b.dir, p.server.name+".log")) // as in `foregate up 2>log`
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.began = time.Now() // again for serve: making its state before is no part of its start
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.cmds = append(p.cmds, cmd)
	if !slices.Contains(args, "up") {
		return nil, nil
	}
	line := make([]byte, 0, 64<<10)
	for !bytes.HasSuffix(line, []byte("\n")) {
		if len(line) == cap(line) {
			line = slices.Grow(line, cap(line))
		}
		n, err := out.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		if err != nil {
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("read what up prints: %w\n%s%s", err, line, text)
		}
	}
	return line, nil
}

// up is `foregate up` with the template of conf/.
func (b *bench) up(p *process, v values, extra ...string) error {
	path := filepath.Join(b.dir, "site.yaml")
	if err := render("site.yaml", path, v); err != nil {
		return err
	}
	args := append([]string{"up", "-o", "json", "--listen", p.clear, "--origin", "origin.bench.example=http://" + v.Origin}, extra...)
	line, err := b.foregate(p, v, append(args, path)...)
	if err != nil {
		return err
	}
	p.tls = p.clear
	p.host, err = hostOf(line, "AWS::CloudFront::Distribution")
	return err
}

// hostOf finds the first host of an endpoint in the line that up prints.
func hostOf(line []byte, typ string) (string, error) {
	var ready struct {
		Endpoints []struct {
			Type  string   `json:"type"`
			Hosts []string `json:"hosts"`
		} `json:"endpoints"`
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		return "", fmt.Errorf("parse what up prints: %w", err)
	}
	for _, e := range ready.Endpoints {
		if e.Type == typ && len(e.Hosts) > 0 {
			return e.Hosts[0], nil
		}
	}
	return "", errors.New("up prints no endpoint of type " + typ)
}

func startUp(_ context.Context, b *bench, p *process, v values) error { return b.up(p, v) }

// startServe makes the state with up, and then serves it without a template.
func startServe(_ context.Context, b *bench, p *process, v values) error {
	data := filepath.Join(b.dir, "state")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	maker := v
	maker.profile = ""
	if err := b.up(p, maker, "--data", data); err != nil {
		return err
	}
	p.stop()
	_, err := b.foregate(p, v, "serve", "--listen", p.clear, "--data", data, "--origin", "origin.bench.example=http://"+v.Origin)
	return err
}
