// Package geo tells where an address is: from databases in MaxMind's format that the operator names, and from networks that the
// operator places by hand.
//
// Start with Open, then Locator.Locate. A Locator is safe for use by many goroutines; Reload replaces a database while lookups go
// on. The package must not know what a place is used for. Caveats: databases are read into memory whole, since a mapped file that
// somebody truncates would end the process; a network placed by hand has a country and nothing else.
package geo

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Place is what is known of an address, in the form of CloudFront's headers: names are English, what is not ASCII is
// percent-encoded, coordinates have five decimals (adding-cloudfront-headers; live answers). Unknown parts are "".
type Place struct {
	// Country is the two-letter code of ISO 3166-1, Region the code of the first-level subdivision of ISO 3166-2 without the
	// country.
	Country, CountryName, Region, RegionName string
	City, PostalCode, TimeZone               string
	Latitude, Longitude                      string
	// MetroCode is for places in the United States only.
	MetroCode string
	// ASN is the number of the autonomous system.
	ASN string
}

// Locator finds places. A nil Locator knows none.
type Locator struct {
	networks []network // the longest prefixes first
	files    []*file
	log      func(format string, args ...any)
}

type network struct {
	prefix netip.Prefix
	place  *Place
}

// Open makes a Locator of what an operator names: files in MaxMind's format, and NETWORK=COUNTRY, such as 127.0.0.2=DE or
// 10.0.0.0/8=FR. A network beats the files. log gets what goes wrong later, and may be nil.
func Open(sources []string, log func(format string, args ...any)) (*Locator, error) {
	if log == nil {
		log = func(string, ...any) {}
	}
	l := &Locator{log: log}
	for _, s := range sources {
		if at, country, ok := strings.Cut(s, "="); ok && !exists(s) {
			n, err := parseNetwork(at, country)
			if err != nil {
				return nil, err
			}
			l.networks = append(l.networks, n)
			continue
		}
		path, err := filepath.Abs(s)
		if err != nil {
			return nil, fmt.Errorf("open %q: %w", s, err)
		}
		f := &file{path: path, log: log}
		if err := f.load(); err != nil {
			return nil, err
		}
		l.files = append(l.files, f)
	}
	slices.SortStableFunc(l.networks, func(a, b network) int { return b.prefix.Bits() - a.prefix.Bits() })
	return l, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func parseNetwork(at, country string) (network, error) {
	p, err := netip.ParsePrefix(at)
	if a, e := netip.ParseAddr(at); e == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return network{}, fmt.Errorf("place %q: it is neither an address nor a network such as 10.0.0.0/8", at)
	}
	if len(country) != 2 || strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return network{}, fmt.Errorf("place %s in %q: want a country of two capitals, such as DE", at, country)
	}
	return network{p.Masked(), &Place{Country: country}}, nil
}

// Locate returns the place of an address; ok is false when nothing is known of it.
func (l *Locator) Locate(a netip.Addr) (p Place, ok bool) {
	if l == nil || !a.IsValid() {
		return p, false
	}
	a = a.Unmap()
	for i := range l.networks {
		if l.networks[i].prefix.Contains(a) {
			return *l.networks[i].place, true
		}
	}
	for _, f := range l.files {
		found := f.lookup(a)
		if found == nil {
			continue
		}
		if !ok {
			p, ok = *found, true
			continue
		}
		p.fill(found)
	}
	return p, ok
}

// fill takes over what p does not have: one file may have the city, another one the autonomous system.
func (p *Place) fill(more *Place) {
	if p.ASN == "" {
		p.ASN = more.ASN
	}
	if p.Country == "" {
		asn := p.ASN
		*p = *more
		p.ASN = asn
	}
}

// Files are the paths of the databases.
func (l *Locator) Files() []string {
	if l == nil {
		return nil
	}
	var out []string
	for _, f := range l.files {
		out = append(out, f.path)
	}
	return out
}

// Reload reads the database at path again. When it cannot be read, the one before it stays in use.
func (l *Locator) Reload(path string) error {
	var err error
	for _, f := range l.files {
		if f.path == path {
			err = errors.Join(err, f.load())
		}
	}
	return err
}

// file is a database, and the places that were read from it.
type file struct {
	path string
	log  func(format string, args ...any)
	cur  atomic.Pointer[database]
}

type database struct {
	*maxminddb.Reader
	// places are those that were asked for, by the offset of their record: networks share records.
	places sync.Map // uintptr → *Place
	kept   atomic.Int64
	broken sync.Once
}

// maxPlaces bounds how many places are kept of a database.
const maxPlaces = 1 << 16

// maxFile bounds a database; MaxMind's largest has less than half of it.
const maxFile = 2 << 30

// verified is up to which size a whole database is checked when it is opened: it takes milliseconds. Of larger ones only the head
// is, and a broken record is found when it is asked for.
const verified = 16 << 20

func (f *file) load() error {
	b, err := readAll(f.path)
	if err != nil {
		return fmt.Errorf("open database of addresses: %w", err)
	}
	r, err := maxminddb.OpenBytes(b)
	if err != nil {
		return fmt.Errorf("open database of addresses %q: it is not in MaxMind's format, or not whole: %w", f.path, err)
	}
	kind := r.Metadata.DatabaseType
	if !slices.ContainsFunc([]string{"City", "Country", "Enterprise", "ASN", "ISP"}, func(k string) bool { return strings.Contains(kind, k) }) {
		return fmt.Errorf("open database of addresses %q: its type is %q; want one with City, Country, Enterprise, ASN or ISP in its name", f.path, kind)
	}
	if len(b) <= verified {
		if err := r.Verify(); err != nil {
			return fmt.Errorf("open database of addresses %q: it is damaged: %w", f.path, err)
		}
	}
	f.cur.Store(&database{Reader: r})
	return nil
}

func readAll(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is no file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%q has %d bytes, at most %d are read", path, info.Size(), int64(maxFile))
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(file, b)
	return b, err
}

// lookup returns the place of an address, nil for an unknown one. It allocates only for a record that was not asked for before.
func (f *file) lookup(a netip.Addr) *Place {
	db := f.cur.Load()
	result := db.Lookup(a)
	if result.Err() != nil || !result.Found() { // an error is an IPv6 address in a database of IPv4
		return nil
	}
	if p, ok := db.places.Load(result.Offset()); ok {
		return p.(*Place)
	}
	var r record
	if err := result.Decode(&r); err != nil {
		db.broken.Do(func() { f.log("the database of addresses %s is damaged: %v", f.path, err) })
		return nil
	}
	p := r.place()
	if db.kept.Add(1) <= maxPlaces {
		db.places.Store(result.Offset(), p)
	}
	return p
}

// record is what is read of MaxMind's databases (dev.maxmind.com/geoip/docs/databases/city-and-country and /asn).
type record struct {
	Country struct {
		Code  string `maxminddb:"iso_code"`
		Names names  `maxminddb:"names"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Code  string `maxminddb:"iso_code"`
		Names names  `maxminddb:"names"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names names `maxminddb:"names"`
	} `maxminddb:"city"`
	Postal struct {
		Code string `maxminddb:"code"`
	} `maxminddb:"postal"`
	Location struct {
		Latitude  *float64 `maxminddb:"latitude"`
		Longitude *float64 `maxminddb:"longitude"`
		MetroCode uint     `maxminddb:"metro_code"`
		TimeZone  string   `maxminddb:"time_zone"`
	} `maxminddb:"location"`
	ASN uint32 `maxminddb:"autonomous_system_number"`
}

type names struct {
	English string `maxminddb:"en"`
}

func (r *record) place() *Place {
	p := &Place{
		Country: Encoded(r.Country.Code), CountryName: Encoded(r.Country.Names.English), City: Encoded(r.City.Names.English),
		PostalCode: Encoded(r.Postal.Code), TimeZone: Encoded(r.Location.TimeZone),
	}
	if len(r.Subdivisions) > 0 {
		p.Region, p.RegionName = Encoded(r.Subdivisions[0].Code), Encoded(r.Subdivisions[0].Names.English)
	}
	if l := &r.Location; l.Latitude != nil && l.Longitude != nil {
		p.Latitude, p.Longitude = strconv.FormatFloat(*l.Latitude, 'f', 5, 64), strconv.FormatFloat(*l.Longitude, 'f', 5, 64)
	}
	if r.Location.MetroCode != 0 && p.Country == "US" {
		p.MetroCode = strconv.FormatUint(uint64(r.Location.MetroCode), 10)
	}
	if r.ASN != 0 {
		p.ASN = strconv.FormatUint(uint64(r.ASN), 10)
	}
	return p
}

// Encoded percent-encodes the bytes that are not printable ASCII, so that a name can stand in a header.
func Encoded(s string) string {
	clean := true
	for i := range len(s) {
		clean = clean && s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
		}
	}
	return b.String()
}
