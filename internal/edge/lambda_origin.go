package edge

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/message"
)

// lambdaOrigin is the origin object that an origin-request function returned (DG-lambda-event-structure, "Fields in the request
// object").
type lambdaOrigin struct {
	Custom *lambdaCustomOrigin `json:"custom"`
	S3     *lambdaS3Origin     `json:"s3"`
}

type lambdaCustomOrigin struct {
	CustomHeaders     json.RawMessage `json:"customHeaders"`
	DomainName        string          `json:"domainName"`
	KeepaliveTimeout  int             `json:"keepaliveTimeout"`
	Path              string          `json:"path"`
	Port              int             `json:"port"`
	Protocol          string          `json:"protocol"`
	ReadTimeout       int             `json:"readTimeout"`
	CompletionTimeout int             `json:"responseCompletionTimeout"`
	SSLProtocols      []string        `json:"sslProtocols"`
}

type lambdaS3Origin struct {
	AuthMethod        string          `json:"authMethod"`
	CustomHeaders     json.RawMessage `json:"customHeaders"`
	DomainName        string          `json:"domainName"`
	Path              string          `json:"path"`
	Region            string          `json:"region"`
	ReadTimeout       *int            `json:"readTimeout"`
	CompletionTimeout int             `json:"responseCompletionTimeout"`
}

func (o *lambdaOrigin) domain() string {
	if o.S3 != nil {
		return o.S3.DomainName
	}
	return o.Custom.DomainName
}

// apply makes an Origin of what a function returned, on top of the origin that it was shown; headers are those of the request that it
// returned.
func (o *lambdaOrigin) apply(old *Origin, headers message.Header) (*Origin, *invalidResult) {
	if o.S3 != nil {
		return o.S3.apply(old, headers)
	}
	return o.Custom.apply(old, headers)
}

func (c *lambdaCustomOrigin) apply(old *Origin, headers message.Header) (*Origin, *invalidResult) {
	own, bad := originHeadersFrom(c.CustomHeaders, old.Headers, headers)
	if bad != nil {
		return nil, bad
	}
	_, err := netip.ParseAddr(c.DomainName)
	switch {
	case err == nil || c.DomainName == "" || len(c.DomainName) > 253 || strings.Contains(c.DomainName, ":") || badInTarget(c.DomainName):
		return nil, invalidOrigin("The domainName %q is no DNS domain name of at most 253 characters.", c.DomainName)
	case badPath(c.Path) || len(c.Path) > 255:
		return nil, invalidOrigin("The path %q must start with / and not end with /, URL encoded, with at most 255 characters.", c.Path)
	case c.Port != 80 && c.Port != 443 && (c.Port < 1024 || c.Port > 65535):
		return nil, invalidOrigin("The port %d is not 80, 443 or 1024 to 65535.", c.Port)
	case c.Protocol != "http" && c.Protocol != "https":
		return nil, invalidOrigin("The protocol %q is neither http nor https.", c.Protocol)
	case c.KeepaliveTimeout < 1 || c.KeepaliveTimeout > 120:
		return nil, invalidOrigin("The keepaliveTimeout %d is not 1 to 120.", c.KeepaliveTimeout)
	case len(c.SSLProtocols) == 0 && (old.Kind == S3Origin || len(old.SSLProtocols) > 0):
		return nil, invalidOrigin("The sslProtocols are missing.")
	}
	for _, p := range c.SSLProtocols {
		if !slices.Contains([]string{"TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3"}, p) {
			return nil, invalidOrigin("The sslProtocols have %q, which is none of TLSv1.2, TLSv1.1, TLSv1 and SSLv3.", p)
		}
	}
	n := *old
	if bad := n.setTimeouts(c.ReadTimeout, c.CompletionTimeout); bad != nil {
		return nil, bad
	}
	if old.Kind == S3Origin {
		n.Access = OriginAccess{}
	}
	n.Kind, n.Domain, n.Path, n.Headers, n.SSLProtocols = CustomOrigin, c.DomainName, c.Path, own, c.SSLProtocols
	n.HTTPPort, n.HTTPSPort, n.Protocol = c.Port, c.Port, OriginHTTPOnly
	if c.Protocol == "https" {
		n.Protocol = OriginHTTPSOnly
	}
	n.KeepaliveTimeout = time.Duration(c.KeepaliveTimeout) * time.Second
	return &n, nil
}

func (s *lambdaS3Origin) apply(old *Origin, headers message.Header) (*Origin, *invalidResult) {
	own, bad := originHeadersFrom(s.CustomHeaders, old.Headers, headers)
	if bad != nil {
		return nil, bad
	}
	switch {
	case s.DomainName == "" || len(s.DomainName) > 128 || strings.ToLower(s.DomainName) != s.DomainName || strings.Contains(s.DomainName, ":") || badInTarget(s.DomainName):
		return nil, invalidOrigin("The domainName %q is no name of a bucket in lower case, of at most 128 characters.", s.DomainName)
	case badPath(s.Path):
		return nil, invalidOrigin("The path %q must start with / and not end with /.", s.Path)
	}
	n := *old
	switch s.AuthMethod {
	case "none":
		if old.Access.Kind == AccessIdentity || old.Kind != S3Origin {
			n.Access = OriginAccess{}
		}
	case "origin-access-identity":
		if old.Kind != S3Origin || old.Access.Kind != AccessIdentity || s.Region == "" {
			return nil, invalidOrigin("The authMethod origin-access-identity needs an S3 origin with an identity, and a region.")
		}
	default:
		return nil, invalidOrigin("The authMethod %q is neither none nor origin-access-identity.", s.AuthMethod)
	}
	read := 30
	if old.Kind == S3Origin {
		read = int(old.ReadTimeout.Seconds())
	}
	if s.ReadTimeout != nil {
		read = *s.ReadTimeout
	}
	if bad := n.setTimeouts(read, s.CompletionTimeout); bad != nil {
		return nil, bad
	}
	n.Kind, n.Domain, n.Path, n.Region, n.Headers = S3Origin, s.DomainName, s.Path, s.Region, own
	if old.Kind != S3Origin {
		n.Protocol = OriginMatchViewer
	}
	return &n, nil
}

// setTimeouts takes seconds; a completion of 0 is none.
func (n *Origin) setTimeouts(read, completion int) *invalidResult {
	switch {
	case read < 1 || read > 120:
		return invalidOrigin("The readTimeout %d is not 1 to 120.", read)
	case completion != 0 && completion < read:
		return invalidOrigin("The responseCompletionTimeout %d is less than the readTimeout %d.", completion, read)
	}
	n.ReadTimeout, n.CompletionTimeout = time.Duration(read)*time.Second, time.Duration(completion)*time.Second
	return nil
}

// originHeadersFrom reads the custom headers of an origin: none that CloudFront cannot add, nor one that functions may not, nor a new
// one that the request has as well.
func originHeadersFrom(raw json.RawMessage, old []message.Field, headers message.Header) ([]message.Field, *invalidResult) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	h, bad := decodeHeaders(raw)
	if bad != nil {
		return nil, &invalidResult{sentence: sentenceOriginHeaders, detail: sentenceOriginHeaders + " " + bad.Error()}
	}
	for _, f := range h {
		if slices.Contains(old, f) {
			continue
		}
		why := ""
		switch {
		case cloudfront.NoCustomHeader(f.Name) || invisibleToFunctions(f.Name):
			why = "CloudFront does not add it"
		case headers.Has(f.Name):
			why = "the request has it among its headers"
		default:
			continue
		}
		return nil, &invalidResult{sentence: sentenceOriginHeaders, detail: sentenceOriginHeaders + " headerName : " + f.Name + ", " + why + "."}
	}
	return h, nil
}

// badPath tells whether an origin's path cannot stand in front of a URI.
func badPath(path string) bool {
	return path != "" && (path[0] != '/' || strings.HasSuffix(path, "/") || badInTarget(path))
}
