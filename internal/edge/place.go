package edge

import (
	"slices"

	"github.com/foregate/foregate/internal/geo"
	"github.com/foregate/foregate/internal/trace"
)

// place is where a viewer is. It is looked up when it is first asked for.
type place struct {
	geo.Place
	asked, known bool
}

// viewerPlace looks the viewer's address up.
func (x *exchange) viewerPlace() *geo.Place {
	if p := &x.place; !p.asked {
		p.asked = true
		p.Place, p.known = x.svc.effects.Locate(x.viewer.Client.Addr())
	}
	return &x.place.Place
}

// Locates tells whether a CloudFront-* header is about the place or the network of the viewer.
func Locates(name string) bool { return placeField(name, &geo.Place{}) != nil }

func placeValue(name string, p *geo.Place) string {
	if f := placeField(name, p); f != nil {
		return *f
	}
	return ""
}

// placeField is what a header shows of a place (adding-cloudfront-headers, "Viewer location headers").
func placeField(name string, p *geo.Place) *string {
	switch name {
	case "CloudFront-Viewer-Country":
		return &p.Country
	case "CloudFront-Viewer-Country-Name":
		return &p.CountryName
	case "CloudFront-Viewer-Country-Region":
		return &p.Region
	case "CloudFront-Viewer-Country-Region-Name":
		return &p.RegionName
	case "CloudFront-Viewer-City":
		return &p.City
	case "CloudFront-Viewer-Postal-Code":
		return &p.PostalCode
	case "CloudFront-Viewer-Time-Zone":
		return &p.TimeZone
	case "CloudFront-Viewer-Latitude":
		return &p.Latitude
	case "CloudFront-Viewer-Longitude":
		return &p.Longitude
	case "CloudFront-Viewer-Metro-Code":
		return &p.MetroCode
	case "CloudFront-Viewer-ASN":
		return &p.ASN
	}
	return nil
}

// checkCountry applies the geo restriction. A viewer whose country is not known is served (georestrictions: "If CloudFront can't
// determine a user's location, CloudFront serves the content"). ok is false when the request is answered: with a page that a
// custom error response may replace.
func (x *exchange) checkCountry(g *GeoRestriction) (next phase, reason Reason, ok bool) {
	country := x.viewerPlace().Country
	switch {
	case country == "":
		if x.hop != nil {
			x.hop.Step("check-access", "country unknown", "nothing is known of "+x.clientIP()+": CloudFront serves viewers whose country it does not know")
			x.hop.Fact(trace.PlaceUnknown, "GeoRestriction", x.clientIP(), g.SourcePath)
		}
	case slices.Contains(g.Countries, country) != g.Allow:
		x.failWith(403, sentenceCountry, xcacheError)
		x.verdict, x.cause = "deny", CauseCountry
		x.hop.Fact(trace.Refused, country, string(CauseCountry), g.SourcePath)
		return errorPage, ReasonCountry, false
	case x.hop != nil:
		x.hop.Step("check-access", "country "+country, "the geo restriction allows it")
	}
	return 0, 0, true
}
