package resource

import "github.com/foregate/foregate/internal/store"

func iamDecoders() []store.Decoder { return nil }
