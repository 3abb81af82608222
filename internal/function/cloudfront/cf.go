package cloudfront

import (
	"net/netip"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// The module cloudfront of runtime 2.0 (AWS's manual, "Helper methods for key value stores", "… for origin modification",
// "General helper methods", "CWT support").
var cloudfrontNames = []string{"kvs", "edgeLocation", "updateRequestOrigin", "selectRequestOriginById", "createRequestOriginGroup", "cwt", "distributionTenant"}

func (r *realm) cloudfrontModule() *goja.Object {
	fn := func(f func(goja.FunctionCall) goja.Value) goja.Value { return r.rt.ToValue(f) }
	return lazily(r, cloudfrontNames, func(_ *record, i int) goja.Value {
		switch cloudfrontNames[i] {
		case "kvs":
			return fn(r.kvs)
		case "edgeLocation":
			return r.edgeLocation()
		case "updateRequestOrigin":
			return fn(r.updateRequestOrigin)
		case "selectRequestOriginById":
			return fn(r.selectRequestOrigin)
		case "createRequestOriginGroup":
			return fn(r.createRequestOriginGroup)
		case "cwt":
			return r.cwtModule()
		}
		// The tenants of multi-tenant distributions, which are not served here.
		panic(r.rt.NewTypeError("distributionTenant module is not available"))
	})
}

func (r *realm) edgeLocation() goja.Value {
	l := r.event.Location
	if r.event.Type == ViewerResponse || l == (Location{}) {
		return r.rt.NewObject() // "for viewer-response functions, this method is empty"
	}
	return lazily(r, []string{"name", "serverIp", "region"}, func(_ *record, i int) goja.Value {
		return r.str([...]string{l.Name, l.ServerIP, l.Region}[i])
	})
}

// promise is one that is settled already: f gives the value, or panics with the reason.
func (r *realm) promise(f func() (goja.Value, *goja.Object)) goja.Value {
	p, resolve, reject := r.rt.NewPromise()
	if v, reason := f(); reason != nil {
		_ = reject(reason)
	} else {
		_ = resolve(v)
	}
	return r.rt.ToValue(p)
}

var kvsNames = []string{"get", "exists", "meta"}

// kvs is a handle of the associated key value store. The texts of its errors are ours, but for KeyNotFound.
func (r *realm) kvs(c goja.FunctionCall) goja.Value {
	s := r.fn.store
	if s == nil {
		panic(r.newError("Error", "no key value store is associated with the function"))
	}
	if id := c.Argument(0); !nullish(id) && id.String() != s.ID {
		panic(r.newError("Error", `the key value store "`+id.String()+`" is not associated with the function`))
	}
	return lazily(r, kvsNames, func(_ *record, i int) goja.Value {
		return r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			r.spend(200) // a read takes its time on AWS as well
			return r.promise(func() (goja.Value, *goja.Object) {
				switch i {
				case 0:
					return r.kvsGet(s, c)
				case 1:
					_, ok := s.Items[c.Argument(0).String()]
					return r.rt.ToValue(ok), nil
				}
				return r.kvsMeta(s), nil
			})
		})
	})
}

func (r *realm) kvsGet(s *Store, c goja.FunctionCall) (goja.Value, *goja.Object) {
	key := c.Argument(0).String()
	v, ok := s.Items[key]
	if !ok {
		return nil, r.newError("Error", "KeyNotFound") // live
	}
	format := "string"
	if o, ok := c.Argument(1).(*goja.Object); ok && !nullish(o.Get("format")) {
		format = o.Get("format").String()
	}
	r.grow(len(v))
	switch format {
	case "string":
		return r.rt.ToValue(v), nil
	case "bytes":
		return r.newBuffer([]byte(v)), nil
	case "json":
		parse, _ := goja.AssertFunction(r.object("JSON").Get("parse"))
		out, err := parse(goja.Undefined(), r.rt.ToValue(v))
		if err != nil {
			return nil, r.newError("SyntaxError", `the value of key "`+key+`" is not JSON`)
		}
		return out, nil
	}
	return nil, r.rt.NewTypeError(`format "` + format + `" is not string, json or bytes`)
}

func (r *realm) kvsMeta(s *Store) goja.Value {
	const iso = "2006-01-02T15:04:05.000Z"
	o := r.rt.NewObject()
	_ = o.Set("creationDateTime", s.Created.UTC().Format(iso))
	_ = o.Set("lastUpdatedDateTime", s.Updated.UTC().Format(iso))
	_ = o.Set("keyCount", len(s.Items))
	return o
}

// OriginChange is what a function made of the origin of its request. At most one of its three forms is set.
type OriginChange struct {
	// Update changes the behavior's origin; the fields that are nil inherit.
	Update *OriginUpdate
	// Select is the id of another origin of the distribution, with Overrides.
	Select    string
	Overrides OriginOverrides
	// Group is two origins of the distribution of which the second one is asked when the first fails.
	Group *OriginGroup
}

// OriginOverrides are the settings that all three methods may set.
type OriginOverrides struct {
	HostHeader, SNI         string
	AllowedCertificateNames []string
}

// OriginUpdate is the argument of updateRequestOrigin.
type OriginUpdate struct {
	OriginOverrides
	DomainName, OriginPath *string
	// CustomHeaders is nil when they are inherited, in the order of the object otherwise; names are in title case.
	CustomHeaders      *[][2]string
	ConnectionAttempts int
	// ShieldRegion is "" for a shield that is off.
	ShieldRegion                                              *string
	Access                                                    *OriginAccess
	ReadTimeout, CompletionTimeout, KeepAlive, ConnectTimeout time.Duration
	Custom                                                    *CustomOrigin
}

// OriginAccess is originAccessControlConfig.
type OriginAccess struct {
	Enabled                     bool
	SigningBehavior, OriginType string
}

// CustomOrigin is customOriginConfig.
type CustomOrigin struct {
	Port         int
	HTTPS        bool
	SSLProtocols []string
}

// OriginGroup is the argument of createRequestOriginGroup.
type OriginGroup struct {
	IDs       [2]string
	Overrides [2]OriginOverrides
	// MediaQuality is selectionCriteria media-quality-score.
	MediaQuality bool
	FailoverOn   []int
}

// reader reads the properties of an argument; what is wrong is thrown as a TypeError. Its texts are ours.
type reader struct {
	r    *realm
	o    *goja.Object
	name string
}

func (r *realm) argument(v goja.Value, name string) reader {
	o, ok := v.(*goja.Object)
	if !ok {
		panic(r.rt.NewTypeError(name + " must be an object"))
	}
	return reader{r, o, name}
}

func (p reader) fail(key, text string) {
	panic(p.r.rt.NewTypeError(p.name + "." + key + " " + text))
}

func (p reader) only(names ...string) {
	for _, k := range p.o.Keys() {
		known := false
		for _, n := range names {
			known = known || n == k
		}
		if !known {
			p.fail(k, "is not a property of an origin")
		}
	}
}

func (p reader) text(key string) *string {
	v := p.o.Get(key)
	if nullish(v) {
		return nil
	}
	s, ok := v.(goja.String)
	if !ok {
		p.fail(key, "must be a string")
	}
	t := s.String()
	return &t
}

func (p reader) one(key string, of ...string) string {
	s := p.text(key)
	if s != nil {
		for _, v := range of {
			if v == *s {
				return v
			}
		}
	}
	p.fail(key, "must be one of "+strings.Join(of, ", "))
	return ""
}

func (p reader) number(key string, lowest, highest int) int {
	v := p.o.Get(key)
	if nullish(v) {
		return 0
	}
	n, ok := plain(v).(int64)
	if !ok || int(n) < lowest || int(n) > highest {
		p.fail(key, "must be an integer between "+itoa(lowest)+" and "+itoa(highest))
	}
	return int(n)
}

func (p reader) boolean(key string) bool {
	b := p.o.Get(key)
	if nullish(b) {
		p.fail(key, "must be true or false")
	}
	v, ok := plain(b).(bool)
	if !ok {
		p.fail(key, "must be true or false")
	}
	return v
}

func (p reader) inner(key string) (reader, bool) {
	v := p.o.Get(key)
	if nullish(v) {
		return reader{}, false
	}
	return p.r.argument(v, p.name+"."+key), true
}

// host reads a name that is neither an address nor has a port, of at most 253 characters.
func (p reader) host(key string) *string {
	s := p.text(key)
	if s == nil {
		return nil
	}
	if _, err := netip.ParseAddr(*s); err == nil || *s == "" || len(*s) > 253 || strings.ContainsAny(*s, ": /?#\r\n\t") {
		p.fail(key, "must be a domain name of at most 253 characters, without a port")
	}
	return s
}

func (p reader) list(key string) []string {
	l, ok := p.o.Get(key).(*goja.Object)
	if !ok || l.ClassName() != "Array" {
		p.fail(key, "must be an array")
	}
	var out []string
	for i := range min(lengthOf(l), 100) {
		s, ok := l.Get(itoa(i)).(goja.String)
		if !ok {
			p.fail(key, "must be an array of strings")
		}
		out = append(out, s.String())
	}
	return out
}

func (p reader) overrides() (o OriginOverrides) {
	if s := p.host("hostHeader"); s != nil {
		o.HostHeader = *s
	}
	if s := p.host("sni"); s != nil {
		o.SNI = *s
	}
	if !nullish(p.o.Get("allowedCertificateNames")) {
		o.AllowedCertificateNames = p.list("allowedCertificateNames")
		if len(o.AllowedCertificateNames) > 20 {
			p.fail("allowedCertificateNames", "has more than 20 names")
		}
		for _, n := range o.AllowedCertificateNames {
			if n == "" || len(n) > 64 {
				p.fail("allowedCertificateNames", "has a name that is empty or longer than 64 characters")
			}
		}
	}
	return o
}

// requestOnly refuses origin modification where the origin has been asked already.
func (r *realm) requestOnly(name string) {
	if r.event.Type == ViewerResponse {
		panic(r.rt.NewTypeError("cf." + name + " is not available in viewer response functions"))
	}
}

func (r *realm) updateRequestOrigin(c goja.FunctionCall) goja.Value {
	r.requestOnly("updateRequestOrigin")
	p := r.argument(c.Argument(0), "origin")
	p.only("domainName", "hostHeader", "originPath", "customHeaders", "connectionAttempts", "originShield", "originAccessControlConfig",
		"timeouts", "customOriginConfig", "sni", "allowedCertificateNames", "mTLSConfig")
	u := &OriginUpdate{OriginOverrides: p.overrides(), DomainName: p.host("domainName"), OriginPath: p.text("originPath"),
		ConnectionAttempts: p.number("connectionAttempts", 1, 3)}
	if s := u.OriginPath; s != nil && *s != "" && ((*s)[0] != '/' || strings.HasSuffix(*s, "/") || len(*s) > 255 || badTarget(*s)) {
		p.fail("originPath", "must begin with / and not end with it")
	}
	if h, ok := p.inner("customHeaders"); ok {
		u.CustomHeaders = h.headers()
	}
	if s, ok := p.inner("originShield"); ok {
		u.ShieldRegion = new("")
		if s.boolean("enabled") {
			if u.ShieldRegion = s.text("region"); u.ShieldRegion == nil {
				s.fail("region", "is missing")
			}
		}
	}
	if a, ok := p.inner("originAccessControlConfig"); ok {
		u.Access = &OriginAccess{Enabled: a.boolean("enabled")}
		if u.Access.Enabled {
			u.Access.SigningBehavior = a.one("signingBehavior", "always", "never", "no-override")
			a.one("signingProtocol", "sigv4")
			u.Access.OriginType = a.one("originType", "s3", "mediapackagev2", "mediastore", "lambda")
		}
	}
	if t, ok := p.inner("timeouts"); ok {
		seconds := func(key string, highest int) time.Duration {
			return time.Duration(t.number(key, 1, highest)) * time.Second
		}
		u.ReadTimeout, u.KeepAlive, u.ConnectTimeout = seconds("readTimeout", 120), seconds("keepAliveTimeout", 120), seconds("connectionTimeout", 10)
		u.CompletionTimeout = seconds("responseCompletionTimeout", 1<<20)
		if u.CompletionTimeout > 0 && u.CompletionTimeout < u.ReadTimeout {
			t.fail("responseCompletionTimeout", "must not be below readTimeout")
		}
	}
	if k, ok := p.inner("customOriginConfig"); ok {
		u.Custom = &CustomOrigin{Port: k.number("port", 1, 65535), HTTPS: k.one("protocol", "http", "https") == "https", SSLProtocols: k.list("sslProtocols")}
		if u.Custom.Port == 0 {
			k.fail("port", "is missing")
		}
		if !nullish(k.o.Get("ipAddressType")) {
			k.one("ipAddressType", "ipv4", "ipv6", "dualstack")
			if u.DomainName == nil {
				k.fail("ipAddressType", "can be changed together with domainName only")
			}
		}
		for _, s := range u.Custom.SSLProtocols {
			if s != "SSLv3" && s != "TLSv1" && s != "TLSv1.1" && s != "TLSv1.2" {
				k.fail("sslProtocols", "must name SSLv3, TLSv1, TLSv1.1 or TLSv1.2")
			}
		}
	}
	if !nullish(p.o.Get("mTLSConfig")) {
		p.one("mTLSConfig", "off")
	}
	r.origin = &OriginChange{Update: u}
	return goja.Undefined()
}

func badTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || s[i] == '#' || s[i] == '?' {
			return true
		}
	}
	return false
}

func (p reader) headers() *[][2]string {
	out := [][2]string{}
	for _, k := range p.o.Keys() {
		v, ok := p.o.Get(k).(goja.String)
		switch {
		case k != asciiLower(k):
			p.fail(k, "must be in lower case")
		case !ok || strings.ContainsAny(v.String(), "\r\n\x00"):
			p.fail(k, "must be a string without line breaks")
		case Hidden(k) || NoCustomHeader(k) || strings.ContainsAny(k, " :\r\n\t") || k == "":
			p.fail(k, "is not a header that can be added")
		}
		out = append(out, [2]string{titleCase(k), v.String()})
	}
	return &out
}

func (r *realm) selectRequestOrigin(c goja.FunctionCall) goja.Value {
	r.requestOnly("selectRequestOriginById")
	id, ok := c.Argument(0).(goja.String)
	if !ok || id.Length() == 0 {
		panic(r.rt.NewTypeError("the origin id must be a string"))
	}
	change := &OriginChange{Select: id.String()}
	if v := c.Argument(1); !nullish(v) {
		p := r.argument(v, "originOverrides")
		p.only("hostHeader", "sni", "allowedCertificateNames")
		change.Overrides = p.overrides()
	}
	r.origin = change
	return goja.Undefined()
}

func (r *realm) createRequestOriginGroup(c goja.FunctionCall) goja.Value {
	r.requestOnly("createRequestOriginGroup")
	p := r.argument(c.Argument(0), "originGroup")
	g := &OriginGroup{}
	ids, ok := p.o.Get("originIds").(*goja.Object)
	if !ok || ids.ClassName() != "Array" || lengthOf(ids) != 2 {
		p.fail("originIds", "must be an array of two origins")
	}
	for i := range 2 {
		switch v := ids.Get(itoa(i)).(type) {
		case goja.String:
			g.IDs[i] = v.String()
		default:
			m := r.argument(v, p.name+".originIds["+itoa(i)+"]")
			if id := m.text("originId"); id != nil {
				g.IDs[i] = *id
			} else {
				m.fail("originId", "is missing")
			}
			if o, ok := m.inner("originOverrides"); ok {
				g.Overrides[i] = o.overrides()
			}
		}
	}
	if !nullish(p.o.Get("selectionCriteria")) {
		g.MediaQuality = p.one("selectionCriteria", "default", "media-quality-score") == "media-quality-score"
	}
	f, ok := p.inner("failoverCriteria")
	if !ok {
		p.fail("failoverCriteria", "is missing")
	}
	codes, ok := f.o.Get("statusCodes").(*goja.Object)
	if !ok || codes.ClassName() != "Array" || lengthOf(codes) == 0 {
		f.fail("statusCodes", "must be an array of status codes")
	}
	for i := range min(lengthOf(codes), 100) {
		n, ok := plain(codes.Get(itoa(i))).(int64)
		if !ok || n < 400 || n > 599 {
			f.fail("statusCodes", "must be an array of status codes")
		}
		g.FailoverOn = append(g.FailoverOn, int(n))
	}
	r.origin = &OriginChange{Group: g}
	return goja.Undefined()
}
