package resource

import "github.com/foregate/foregate/internal/store"

func lambdaDecoders() []store.Decoder { return nil }

// LambdaExists tells whether the ARN of a function, with or without a qualifier, names one.
func LambdaExists(r store.Reader, arn string) bool { return true }
