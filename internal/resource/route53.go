package resource

import "github.com/foregate/foregate/internal/store"

func route53Decoders() []store.Decoder { return nil }
