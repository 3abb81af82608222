package resource

import "github.com/foregate/foregate/internal/store"

func s3Decoders() []store.Decoder { return nil }
