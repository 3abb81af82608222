package compile

import (
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// ignored reports a setting that changes what AWS does and not what Foregate does.
func (g *regionCompiler) ignored(path, message string) {
	g.once(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: path, Message: message})
}

func (g *regionCompiler) apiFindings(rec *store.Record, v *apigateway.RestApi) {
	if e := v.EndpointConfiguration; e != nil && len(e.Types) > 0 && e.Types[0] == "PRIVATE" {
		g.ignored(g.path(rec, "EndpointConfiguration.Types"), "a private API is served like a regional one: VPC endpoints are not there")
	}
	if text(v.EndpointAccessMode) == "STRICT" {
		g.ignored(g.path(rec, "EndpointAccessMode"), "EndpointAccessMode STRICT is not honoured: requests are taken as with BASIC")
	}
}

func (g *regionCompiler) stageFindings(rec *store.Record, st *apigateway.Stage) {
	if c := st.CanarySettings; c != nil && (c.PercentTraffic != nil && *c.PercentTraffic > 0) {
		g.ignored(g.path(rec, "CanarySetting"), "the canary gets no traffic: every request is served by the stage's own deployment")
	}
	if st.CacheClusterEnabled != nil && *st.CacheClusterEnabled {
		g.ignored(g.path(rec, "CacheClusterEnabled"), "responses are not cached: every request reaches the integration")
	}
	if text(st.ClientCertificateId) != "" {
		g.ignored(g.path(rec, "ClientCertificateId"), "the client certificate is not presented to backends")
	}
	if text(st.WebAclArn) != "" {
		g.ignored(g.path(rec, "WebAclArn"), "the web ACL is not evaluated: every request passes")
	}
	g.logFindings(rec, st)
}

// logFindings say where the logs of a stage are to be found here. They change no answer, so they are notes.
func (g *regionCompiler) logFindings(rec *store.Record, st *apigateway.Stage) {
	note := func(path, message string) {
		g.once(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: g.path(rec, path), Message: message})
	}
	if l := st.AccessLogSettings; l != nil && text(l.DestinationArn) != "" {
		note("AccessLogSetting", "lines of the access log are printed where Foregate runs, and do not go to "+text(l.DestinationArn))
	}
	for _, m := range st.MethodSettings {
		if level := text(m.LoggingLevel); level == "INFO" || level == "ERROR" {
			note("MethodSettings", "execution logs are not written: foregate explain shows what they would say")
			return
		}
	}
}

func (g *regionCompiler) domainFindings(rec *store.Record, v *apigateway.DomainName) {
	if m := v.MutualTlsAuthentication; m != nil && text(m.TruststoreUri) != "" {
		g.ignored(g.path(rec, "MutualTlsAuthentication"), "mutual TLS is not honoured: clients without a certificate are served")
	}
	if mode := text(v.RoutingMode); mode != "" && mode != "API_MAPPING_ONLY" {
		g.ignored(g.path(rec, "RoutingMode"), "routing rules are not honoured: base path mappings decide")
	}
	if text(v.Policy) != "" {
		g.ignored(g.path(rec, "Policy"), "the policy of a private domain is not evaluated")
	}
	a := domainCertificate(v)
	if _, known := g.certificates[a]; a != "" && !known {
		g.once(diag.Finding{Code: diag.InvalidParameter, Severity: diag.Warning, Path: g.path(rec, "CertificateArn"),
			Message: "there is no certificate " + a + ": the local authority vouches for " + *v.DomainName})
	}
}

func (b *planBuilder) integrationFindings(d resource.Defined[apigateway.Method]) {
	v := d.Value.MethodIntegration
	if text(v.ConnectionType) == "VPC_LINK" {
		b.ignored(place("method", d, "Integration.ConnectionType"), "the VPC link is passed over: the host of the URI is called directly")
	}
	if v.TlsConfig != nil && v.TlsConfig.InsecureSkipVerification != nil && *v.TlsConfig.InsecureSkipVerification {
		b.ignored(place("method", d, "Integration.TlsConfig"), "InsecureSkipVerification is not honoured: the backend's certificate is verified")
	}
	if text(v.ResponseTransferMode) == "STREAM" {
		b.ignored(place("method", d, "Integration.ResponseTransferMode"), "the response is not streamed: it is sent when it is complete")
	}
}
