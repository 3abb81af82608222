package geo

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/geo/geotest"
)

func english(name string) geotest.Map {
	return geotest.Map{"names": geotest.Map{"en": name, "de": "x"}}
}

var city = geotest.Write("GeoLite2-City",
	geotest.Entry{Network: "192.0.2.0/24", Record: geotest.Map{
		"country":      geotest.Map{"iso_code": "US", "names": geotest.Map{"en": "United States"}},
		"subdivisions": []any{geotest.Map{"iso_code": "WA", "names": geotest.Map{"en": "Washington"}}, geotest.Map{"iso_code": "X"}},
		"city":         english("Seattle"), "postal": geotest.Map{"code": "98101"},
		"location": geotest.Map{"latitude": 47.6062, "longitude": -122.3321, "metro_code": uint32(819), "time_zone": "America/Los_Angeles"},
	}},
	geotest.Entry{Network: "198.51.100.0/24", Record: geotest.Map{
		"country": geotest.Map{"iso_code": "BR", "names": geotest.Map{"en": "Brazil"}}, "city": english("São Paulo"),
		"location": geotest.Map{"metro_code": uint32(1)},
	}},
	geotest.Entry{Network: "2001:db8::/32", Record: geotest.Map{"country": geotest.Map{"iso_code": "DE"}}})

var asn = geotest.Write("GeoLite2-ASN",
	geotest.Entry{Network: "192.0.2.0/24", Record: geotest.Map{"autonomous_system_number": uint32(64496)}},
	geotest.Entry{Network: "203.0.113.0/24", Record: geotest.Map{"autonomous_system_number": uint32(64511)}})

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLocate(t *testing.T) {
	for _, order := range [][]string{{write(t, "city.mmdb", city), write(t, "asn.mmdb", asn)}, {write(t, "asn.mmdb", asn), write(t, "city.mmdb", city)}} {
		l, err := Open(append(order, "192.0.2.9=FR", "10.0.0.0/8=NL", "10.1.0.0/16=BE"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for address, want := range map[string]Place{
			"192.0.2.1": {Country: "US", CountryName: "United States", Region: "WA", RegionName: "Washington", City: "Seattle", PostalCode: "98101",
				TimeZone: "America/Los_Angeles", Latitude: "47.60620", Longitude: "-122.33210", MetroCode: "819", ASN: "64496"},
			"::ffff:198.51.100.3": {Country: "BR", CountryName: "Brazil", City: "S%C3%A3o Paulo"},
			"2001:db8::1":         {Country: "DE"},
			"203.0.113.1":         {ASN: "64511"},
			"192.0.2.9":           {Country: "FR"},
			"10.2.0.1":            {Country: "NL"},
			"10.1.0.1":            {Country: "BE"},
			"127.0.0.1":           {},
			"2001:db9::1":         {},
		} {
			for range 2 { // the second time from memory
				got, ok := l.Locate(netip.MustParseAddr(address))
				if got != want || ok != (want != Place{}) {
					t.Errorf("Locate(%s) = %+v, %v", address, got, ok)
				}
			}
		}
		a := netip.MustParseAddr("192.0.2.1")
		if n := testing.AllocsPerRun(100, func() { l.Locate(a) }); n > 0 {
			t.Errorf("%v allocations for a known record", n)
		}
	}
	if _, ok := (*Locator)(nil).Locate(netip.MustParseAddr("192.0.2.1")); ok {
		t.Error("no locator knows a place")
	}
}

func TestOpenRefuses(t *testing.T) {
	damaged := []byte(strings.Replace(string(city), "Seattle", "\xe0\xff\xffttle", 1))
	for _, test := range []struct{ source, problem string }{
		{filepath.Join(t.TempDir(), "none.mmdb"), "no such file"},
		{t.TempDir(), "is no file"},
		{write(t, "empty", nil), "not in MaxMind's format"},
		{write(t, "text", []byte("hello")), "not in MaxMind's format"},
		{write(t, "half", city[:len(city)/2]), "not in MaxMind's format"},
		{write(t, "damaged", damaged), "damaged"},
		{write(t, "kind", geotest.Write("GeoIP2-Domain", geotest.Entry{Network: "192.0.2.0/24", Record: geotest.Map{"domain": "x"}})), "GeoIP2-Domain"},
		{"127.0.0.1=de", "two capitals"},
		{"127.0.0.1=", "two capitals"},
		{"localhost=DE", "neither an address nor a network"},
	} {
		if _, err := Open([]string{test.source}, nil); err == nil || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("Open(%q) = %v, want %q", test.source, err, test.problem)
		}
	}
}

func TestReload(t *testing.T) {
	path := write(t, "city.mmdb", city)
	l, err := Open([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddr("192.0.2.1")
	country := func() string { p, _ := l.Locate(at); return p.Country }
	if country() != "US" {
		t.Fatal(country())
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(path); err == nil || country() != "US" {
		t.Errorf("a broken file: error %v, country %q", err, country())
	}
	if err := os.WriteFile(path, geotest.Write("GeoLite2-Country", geotest.Entry{Network: "192.0.2.0/24", Record: geotest.Map{"country": geotest.Map{"iso_code": "CA"}}}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(path); err != nil || country() != "CA" {
		t.Errorf("a new file: error %v, country %q", err, country())
	}
	if got := l.Files(); len(got) != 1 || got[0] != path {
		t.Errorf("Files() = %q", got)
	}
}
