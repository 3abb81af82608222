package resource

import "github.com/foregate/foregate/internal/store"

func certificateDecoders() []store.Decoder { return nil }
