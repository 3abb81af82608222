package app

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1MiB": 1 << 20, "512MiB": 512 << 20, "8GiB": 8 << 30, "4096KiB": 4 << 20,
		"": 0, "64": 0, "1MB": 0, "-1GiB": 0, "MiB": 0, "1KiB": 0, "9999999999999TiB": 0, "1.5GiB": 0, " 1GiB": 0,
	} {
		got, err := parseSize("--cache-memory", text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestQuotas(t *testing.T) {
	for arg, want := range map[string]int{"distributions=1000": 1000, "distributions=0": 0, "distributions=many": 0, "behaviors=80": 0, "distributions": 0} {
		got, err := quotas([]string{arg})
		if got["distributions"] != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v; want %d", arg, got, err, want)
		}
	}
}
