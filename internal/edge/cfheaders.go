package edge

import (
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// cloudFrontSpelling lists the CloudFront-* headers in AWS's spelling (facts: cloudfront-dataplane 5).
var cloudFrontSpelling = [...]string{
	"CloudFront-Error-Args", "CloudFront-Error-Uri",
	"CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer", "CloudFront-Is-Desktop-Viewer",
	"CloudFront-Is-IOS-Viewer", "CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer",
	"CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN", "CloudFront-Viewer-City",
	"CloudFront-Viewer-Cert-Issuer", headerCertificate, "CloudFront-Viewer-Cert-Present", "CloudFront-Viewer-Cert-Serial-Number",
	"CloudFront-Viewer-Cert-Sha256", "CloudFront-Viewer-Cert-Subject", "CloudFront-Viewer-Cert-Validity",
	"CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name", "CloudFront-Viewer-Country-Region",
	"CloudFront-Viewer-Country-Region-Name", "CloudFront-Viewer-Header-Count", "CloudFront-Viewer-Header-Order",
	"CloudFront-Viewer-Http-Version", "CloudFront-Viewer-JA3-Fingerprint", "CloudFront-Viewer-JA4-Fingerprint",
	"CloudFront-Viewer-Latitude", "CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code",
	"CloudFront-Viewer-Postal-Code", "CloudFront-Viewer-Time-Zone", "CloudFront-Viewer-TLS",
}

// cloudFrontValue computes a CloudFront-* header of the viewer's request. ok is false for what needs the place of the viewer, and
// for what is about TLS when there is none (adding-cloudfront-headers: "HTTPS requests only").
func cloudFrontValue(name string, r *message.Request) (value string, ok bool) {
	switch name {
	case "CloudFront-Forwarded-Proto":
		return r.Scheme, true
	case "CloudFront-Viewer-Http-Version":
		return r.Proto.String(), true
	case "CloudFront-Viewer-Address":
		return viewerAddress(r.Client), r.Client.IsValid()
	case "CloudFront-Viewer-TLS":
		return viewerTLS(r.TLS), r.TLS != nil
	case "CloudFront-Viewer-JA3-Fingerprint":
		if r.TLS == nil || r.TLS.Hello == nil {
			return "", false
		}
		return r.TLS.Hello.JA3(), true
	case "CloudFront-Viewer-JA4-Fingerprint":
		if r.TLS == nil || r.TLS.Hello == nil {
			return "", false
		}
		return r.TLS.Hello.JA4(), true
	case "CloudFront-Viewer-Header-Count":
		n := 0
		for range viewerFields(r) {
			n++
		}
		return strconv.Itoa(n), true
	case "CloudFront-Viewer-Header-Order":
		return headerOrder(r), true
	}
	kind := viewerKind(r.Header.Get("User-Agent"))
	switch name {
	case "CloudFront-Is-Android-Viewer":
		return boolText(kind&androidViewer != 0), true
	case "CloudFront-Is-Desktop-Viewer":
		return boolText(kind&desktopViewer != 0), true
	case "CloudFront-Is-IOS-Viewer":
		return boolText(kind&iosViewer != 0), true
	case "CloudFront-Is-Mobile-Viewer":
		return boolText(kind&mobileViewer != 0), true
	case "CloudFront-Is-SmartTV-Viewer":
		return boolText(kind&smartTVViewer != 0), true
	case "CloudFront-Is-Tablet-Viewer":
		return boolText(kind&tabletViewer != 0), true
	}
	return "", false
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// viewerAddress is ip:port, without brackets around an IPv6 address (facts: cloudfront-dataplane 5 has the v4 form; the
// manual's v6 example has none either).
func viewerAddress(a netip.AddrPort) string {
	return a.Addr().Unmap().String() + ":" + strconv.Itoa(int(a.Port()))
}

func viewerTLS(t *message.TLS) string {
	if t == nil {
		return ""
	}
	handshake := "fullHandshake"
	switch {
	case t.Reused:
		handshake = "connectionReused"
	case t.Resumed:
		handshake = "sessionResumed"
	}
	return protocolName(t.Version) + ":" + cipherName(t.Cipher) + ":" + handshake
}

// headerOrderLimit is where the list of names is cut (facts: cloudfront-dataplane 5).
const headerOrderLimit = 7680

func headerOrder(r *message.Request) string {
	var b strings.Builder
	for name := range viewerFields(r) {
		if b.Len()+1+len(name) > headerOrderLimit {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		b.WriteString(name)
	}
	return b.String()
}

// viewerFields are the names of the viewer's fields in their order: all lines of a head of HTTP/1. In HTTP/2 the host comes first, as
// in a public copy of live headers; its names are in lower case, as on the wire.
func viewerFields(r *message.Request) iter.Seq[string] {
	return func(yield func(string) bool) {
		if r.Lines == "" {
			host := "Host"
			if r.Proto >= message.HTTP2 {
				host = "host"
			}
			if !yield(host) {
				return
			}
			for i := range r.Header {
				if r.LengthAt == i+1 && !yield("content-length") || !yield(r.Header[i].Name) {
					return
				}
			}
			if r.LengthAt == len(r.Header)+1 {
				yield("content-length")
			}
			return
		}
		for line := range strings.SplitSeq(r.Lines, "\r\n") {
			name, _, ok := strings.Cut(line, ":")
			if ok && !strings.EqualFold(name, "Foregate-Explain") && !yield(name) {
				return
			}
		}
	}
}

type viewerKinds uint8

const (
	androidViewer viewerKinds = 1 << iota
	desktopViewer
	iosViewer
	mobileViewer
	smartTVViewer
	tabletViewer
)

// viewerKind reads a User-Agent. AWS does not publish its rules: these are the usual marks of device families, and several
// may be true (facts: cloudfront-dataplane 5).
func viewerKind(ua string) viewerKinds {
	has := func(s string) bool { return strings.Contains(ua, s) }
	var k viewerKinds
	if has("iPhone") || has("iPad") || has("iPod") {
		k |= iosViewer
	}
	if has("Android") {
		k |= androidViewer
	}
	switch {
	case has("SmartTV") || has("SMART-TV") || has("Smart-TV") || has("AppleTV") || has("GoogleTV") || has("BRAVIA") ||
		has("Web0S") || has("HbbTV") || has("AFTT") || has("Roku"):
		k |= smartTVViewer
	case has("iPad") || has("Tablet") || has("Kindle") || has("Silk/") || has("Android") && !has("Mobile"):
		k |= tabletViewer
	case has("iPhone") || has("iPod") || has("Mobile") || has("Windows Phone") || has("BlackBerry") || has("Opera Mini"):
		k |= mobileViewer
	case ua != "":
		k |= desktopViewer
	}
	return k
}

// cloudFront is the value of a CloudFront-* header of this request.
func (x *exchange) cloudFront(name string) (value string, ok bool) {
	switch name {
	case "CloudFront-Error-Uri":
		return x.asked.path, true
	case "CloudFront-Error-Args":
		return x.asked.query, x.asked.query != ""
	}
	if strings.HasPrefix(name, certificateHeaders) {
		return x.certificateValue(name)
	}
	if v, ok := cloudFrontValue(name, &x.viewer); ok {
		return v, true
	}
	if !Locates(name) {
		return "", false
	}
	v := placeValue(name, x.viewerPlace())
	return v, v != ""
}

// addCloudFrontHeaders appends the CloudFront-* headers that the policies ask for; what is not known stays away and is a fact.
func (x *exchange) addCloudFrontHeaders(h message.Header) message.Header {
	for _, name := range x.behavior.Forward.CloudFront {
		if name == headerCertificate {
			continue // it is too long for functions: withCertificate adds it behind them
		}
		if v, ok := x.cloudFront(name); ok {
			h = append(h, message.Field{Name: name, Value: v})
			continue
		}
		if x.hop != nil && Locates(name) && !x.place.known && slices.Contains(x.behavior.Forward.named, name) {
			x.hop.Fact(trace.PlaceUnknown, name, x.clientIP(), x.headerSource())
		}
	}
	return h
}
