// Package edge is the CloudFront engine: it runs one request through one distribution as an edge location does.
//
// Start with Plan, the immutable description of a distribution that the compiler fills, and Service, which finds the
// distribution of a Host and runs the phases of pipeline.go. Effects is all that the engine may ask of the world outside.
//
// The package must not know AWS's API types, the store or templates; a plan carries plain strings (SourcePath) so that a
// trace can point at the line that decided. Caveat: parts of ranges are not stored, only whole objects.
package edge
