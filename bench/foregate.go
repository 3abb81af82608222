package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

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

// sitesAFile is how many distributions stand in one template: CloudFormation takes 500 resources.
const sitesAFile = 250

// up is `foregate up` with the template of conf/, or with several when there are many sites.
func (b *bench) up(p *process, v values, extra ...string) error {
	parts := [][]string{nil}
	if len(v.Sites) > 0 {
		parts = slices.Collect(slices.Chunk(v.Sites, sitesAFile))
	}
	args := append([]string{"up", "-o", "json", "--listen", p.clear}, extra...)
	for i, part := range parts {
		path := filepath.Join(b.dir, fmt.Sprintf("site%d.yaml", i))
		own := v
		own.Sites = part
		if err := render("site.yaml", path, own); err != nil {
			return err
		}
		args = append(args, path)
	}
	line, err := b.foregate(p, v, args...)
	if err != nil {
		return err
	}
	p.tls = p.clear
	hosts, err := hostsOf(line, "AWS::CloudFront::Distribution")
	if err != nil {
		return err
	}
	if p.host = hosts[0]; len(v.Sites) > 0 {
		p.hosts = hosts
	}
	return nil
}

// common are the flags of up and serve.
func (v values) common() []string {
	args := []string{"--origin", "origin.bench.example=http://" + v.Origin}
	if len(v.Sites) > 0 {
		args = append(args, "--quota", "distributions="+strconv.Itoa(len(v.Sites)+1)) // AWS raises it on request
	}
	if v.Objects > 0 {
		args = append(args, "--cache-memory", strconv.Itoa(v.CacheMB())+"MiB")
	}
	return args
}

// hostsOf finds the first host of each endpoint of a type in the line that up prints.
func hostsOf(line []byte, typ string) (hosts []string, err error) {
	var ready struct {
		Endpoints []struct {
			Type  string   `json:"type"`
			Hosts []string `json:"hosts"`
		} `json:"endpoints"`
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		return nil, fmt.Errorf("parse what up prints: %w", err)
	}
	for _, e := range ready.Endpoints {
		if e.Type == typ && len(e.Hosts) > 0 {
			hosts = append(hosts, e.Hosts[0])
		}
	}
	if len(hosts) == 0 {
		return nil, errors.New("up prints no endpoint of type " + typ)
	}
	return hosts, nil
}

func startUp(_ context.Context, b *bench, p *process, v values) error {
	return b.up(p, v, v.common()...)
}

// startServe makes the state with up, and then serves it without a template.
func startServe(_ context.Context, b *bench, p *process, v values) error {
	data := filepath.Join(b.dir, "state")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	maker := v
	maker.profile = ""
	if err := b.up(p, maker, append(v.common(), "--data", data)...); err != nil {
		return err
	}
	p.stop()
	_, err := b.foregate(p, v, append([]string{"serve", "--listen", p.clear, "--data", data}, v.common()...)...)
	return err
}
