package acm

import "github.com/foregate/foregate/internal/store"

func domainsUsing(r store.Reader, certificateARN string) []string { return nil }
