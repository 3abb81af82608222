package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Regional answers for all of a region's APIs and custom domains. It is immutable and safe for concurrent use.
type Regional struct {
	region    string
	fx        Effects
	apis      map[string]API
	domains   map[string]*domain
	wildcards map[string]*domain // by what stands behind "*."
	// suffix is ".execute-api.{region}.amazonaws.com".
	suffix string
}

// domain is a Domain with its mappings in the order in which they are tried.
type domain struct {
	*Domain
	// multiLevel is set when a base path has a slash: all of them are then prefixes of the path as text, the longest
	// first (facts: apigateway 2).
	multiLevel bool
}

// New makes the service of a region.
func New(p *Plan) *Regional {
	r := &Regional{
		region: p.Region, fx: p.Effects, apis: make(map[string]API, len(p.APIs)),
		domains: map[string]*domain{}, wildcards: map[string]*domain{}, suffix: DefaultSuffix(p.Region),
	}
	for _, a := range p.APIs {
		r.apis[a.ID()] = a
	}
	for i := range p.Domains {
		d := &domain{Domain: &p.Domains[i]}
		for _, m := range d.Mappings {
			d.multiLevel = d.multiLevel || strings.Contains(m.BasePath, "/")
		}
		name := strings.ToLower(d.Name)
		if rest, ok := strings.CutPrefix(name, "*."); ok {
			r.wildcards[rest] = d
		} else {
			r.domains[name] = d
		}
	}
	return r
}

// DefaultSuffix is what follows the API's id in a default host of the region (facts: apigateway 1).
func DefaultSuffix(region string) string {
	if arn.Partition(region) == "aws-cn" {
		return ".execute-api." + region + ".amazonaws.com.cn"
	}
	return ".execute-api." + region + ".amazonaws.com"
}

// Hosts returns the names that the region answers to: default hosts of its APIs and its custom
// domains, in alphabetical order.
func (g *Regional) Hosts() []string {
	out := make([]string, 0, len(g.apis)+len(g.domains)+len(g.wildcards))
	for id := range g.apis {
		out = append(out, id+g.suffix)
	}
	for name := range g.domains {
		out = append(out, name)
	}
	for rest := range g.wildcards {
		out = append(out, "*."+rest)
	}
	slices.Sort(out)
	return out
}

// Serve finds the API by Host, and for a custom domain by path.
func (g *Regional) Serve(ctx context.Context, r *message.Request) *message.Response {
	host := hostname(r.Host)
	if id, ok := strings.CutSuffix(host, g.suffix); ok {
		if api := g.apis[id]; api != nil {
			return api.Serve(ctx, r, Arrival{Path: r.Path})
		}
	}
	d := g.domain(host)
	if d == nil {
		return g.refuse(r, CauseUnknownHost, "no API or custom domain of "+g.region+" is called "+r.Host, "")
	}
	m, rest := d.match(r.Path)
	if m == nil {
		return g.refuse(r, CauseNoMapping, "no base path of "+d.Name+" matches "+r.Path, d.SourcePath)
	}
	api := g.apis[m.APIID]
	if api == nil {
		return g.refuse(r, CauseUnknownAPI, "the mapping's API "+m.APIID+" is not in the region", m.SourcePath)
	}
	return api.Serve(ctx, r, Arrival{Mapping: m, Domain: d.Domain, Path: rest})
}

func (g *Regional) domain(host string) *domain {
	if d := g.domains[host]; d != nil {
		return d
	}
	if _, rest, ok := strings.Cut(host, "."); ok {
		return g.wildcards[rest]
	}
	return nil
}

func (g *Regional) refuse(r *message.Request, cause, reason, path string) *message.Response {
	if hop := r.Trace.Hop("apigateway", g.region); hop != nil {
		hop.Step("route", "refuse", reason)
		hop.Fact(trace.Refused, "ForbiddenException", cause, path)
	}
	return Forbidden(g.fx)
}

// hostname is the lower-case host without a port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	for i := 0; i < len(host); i++ {
		if c := host[i]; c >= 'A' && c <= 'Z' {
			host = strings.ToLower(host)
			break
		}
	}
	return strings.TrimSuffix(host, ".")
}

// match finds the mapping of a path and the path that is left for the API.
func (d *domain) match(path string) (*Mapping, string) {
	// Leading slashes count as one (test_lambda_aws_proxy_integration, recorded from AWS by localstack).
	path = "/" + strings.TrimLeft(path, "/")
	var best *Mapping
	for i := range d.Mappings {
		m := &d.Mappings[i]
		if best != nil && len(m.BasePath) <= len(best.BasePath) {
			continue
		}
		if m.BasePath == "" || d.matches(m.BasePath, path[1:]) {
			best = m
		}
	}
	if best == nil || best.BasePath == "" {
		return best, path
	}
	return best, "/" + strings.TrimLeft(path[1+len(best.BasePath):], "/")
}

func (d *domain) matches(base, path string) bool {
	if !strings.HasPrefix(path, base) {
		return false
	}
	// "ordersandmore matches orders when multi-level exists" (facts: apigateway 2).
	return d.multiLevel || len(path) == len(base) || path[len(base)] == '/'
}
