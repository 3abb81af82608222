package resource

import "github.com/foregate/foregate/internal/store"

func lambdaDecoders() []store.Decoder { return nil }
