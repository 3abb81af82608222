package signed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Policy is what a signature allows.
type Policy struct {
	// Resource is the pattern of addresses; Any is true when the policy has none.
	Resource string
	Any      bool
	// Before is the end, exclusive. After is the beginning, exclusive too; the zero time for none.
	Before, After time.Time
	// From is the network that viewers must be in; the zero Prefix for none.
	From netip.Prefix
}

// lastSecond is the latest time that a policy may have: 2262-04-11, the manual's "no later than" (its number counts
// nanoseconds). Times in milliseconds are beyond it, and get Malformed Policy (github aws/aws-sdk-js 2236).
const lastSecond = 9223372036

// canned is the policy that CloudFront makes of a URL and an expiry time. The text has no white space, and this order.
func canned(resource, expires string) string {
	return `{"Statement":[{"Resource":"` + quoted.Replace(resource) + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + expires + `}}}]}`
}

// quoted escapes what JSON must; all else is in a URL as it is.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// seconds reads a time of a policy.
func seconds(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0 || text[0] == '+':
		return time.Time{}, fmt.Errorf("%q is no time in seconds", text)
	case n > lastSecond:
		return time.Time{}, fmt.Errorf("the time %s is after the year 2262: times are in seconds, not milliseconds", text)
	}
	return time.Unix(n, 0), nil
}

// ParsePolicy reads a custom policy: one statement, with the names exactly as the manual has them. A member that it does not
// know is an error: to ignore a condition would let viewers in.
func ParsePolicy(text []byte) (*Policy, error) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	r := &reader{d: d}
	p := &Policy{Any: true}
	statements := 0
	err := r.object("the policy", func(name string) error {
		if name != "Statement" {
			return unknown(name, "the policy")
		}
		return r.array("Statement", func() error {
			if statements++; statements > 1 {
				return errors.New("the policy has more than one statement")
			}
			return r.statement(p)
		})
	})
	if err == nil && statements == 0 {
		err = errors.New("the policy has no statement")
	}
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("something follows the policy")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return p, nil
}

func unknown(name, where string) error { return fmt.Errorf("%s may not have %q", where, name) }

// reader walks a JSON text token by token: encoding/json would take names in any case, and the last of two values.
type reader struct{ d *json.Decoder }

func (r *reader) object(what string, member func(name string) error) error {
	t, err := r.d.Token()
	if err != nil {
		return notJSON(err)
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%s is no object", what)
	}
	seen := map[string]bool{}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return notJSON(err)
		}
		name, _ := t.(string) // the decoder takes nothing else here
		if seen[name] {
			return fmt.Errorf("%s has %q twice", what, name)
		}
		seen[name] = true
		if err := member(name); err != nil {
			return err
		}
	}
	_, err = r.d.Token()
	return notJSON(err)
}

func (r *reader) array(what string, element func() error) error {
	t, err := r.d.Token()
	if err != nil {
		return notJSON(err)
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%s is no list", what)
	}
	for r.d.More() {
		if err := element(); err != nil {
			return err
		}
	}
	_, err = r.d.Token()
	return notJSON(err)
}

func notJSON(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("it is not JSON: %w", err)
}

func (r *reader) statement(p *Policy) error {
	condition := false
	err := r.object("the statement", func(name string) error {
		switch name {
		case "Resource":
			text, err := r.text("Resource")
			if err == nil && text == "" {
				err = errors.New("its Resource is empty")
			}
			p.Resource, p.Any = text, false
			return err
		case "Condition":
			condition = true
			return r.condition(p)
		}
		return unknown(name, "the statement")
	})
	if err == nil && (!condition || p.Before.IsZero()) {
		err = errors.New("its Condition needs DateLessThan")
	}
	return err
}

func (r *reader) condition(p *Policy) error {
	return r.object("Condition", func(operator string) error {
		switch operator {
		case "DateLessThan":
			return r.operand(operator, "AWS:EpochTime", func() (err error) { p.Before, err = r.time(operator); return err })
		case "DateGreaterThan":
			return r.operand(operator, "AWS:EpochTime", func() (err error) { p.After, err = r.time(operator); return err })
		case "IpAddress":
			return r.operand(operator, "AWS:SourceIp", func() error {
				text, err := r.text("AWS:SourceIp")
				if err == nil {
					p.From, err = network(text)
				}
				return err
			})
		}
		return unknown(operator, "Condition")
	})
}

// operand reads {"key": value}, the right side of an operator.
func (r *reader) operand(operator, key string, value func() error) error {
	found := false
	err := r.object(operator, func(name string) error {
		if name != key {
			return unknown(name, operator)
		}
		found = true
		return value()
	})
	if err == nil && !found {
		err = fmt.Errorf("%s needs %s", operator, key)
	}
	return err
}

func (r *reader) text(what string) (string, error) {
	t, err := r.d.Token()
	if err != nil {
		return "", notJSON(err)
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s is no text", what)
	}
	return s, nil
}

// time reads a number: "do not enclose the value in quotation marks".
func (r *reader) time(operator string) (time.Time, error) {
	t, err := r.d.Token()
	if err != nil {
		return time.Time{}, notJSON(err)
	}
	n, ok := t.(json.Number)
	if !ok {
		return time.Time{}, fmt.Errorf("the time of %s is no number", operator)
	}
	return seconds(n.String())
}

// network reads an IPv4 address or range; IPv6 is not supported in policies.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is no IPv4 address or range such as 192.0.2.0/24", text)
	}
	return p, nil
}
