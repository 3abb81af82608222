package resource

import "github.com/foregate/foregate/internal/store"

func logsDecoders() []store.Decoder { return nil }
