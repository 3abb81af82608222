// Package rest is the engine of API Gateway's REST APIs: it runs one request through one stage.
//
// Start with Plan, which a compiler fills, and Build, which makes the Stage that serves it; Service joins the stages of one
// API to what gateway.Regional serves. pipeline.go is the table of phases. The package must not know AWS's API types, the
// store, or templates: a plan carries their places as strings (SourcePath), so that a trace can point at them.
//
// Responses are not cached, WAF is not asked, and Cognito authorizers refuse: see Build's findings.
package rest
