package resource

import "github.com/foregate/foregate/internal/store"

func apiGatewayDecoders() []store.Decoder { return nil }
