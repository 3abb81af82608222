// Package arch holds tests only: the rules that keep the structure as docs/architecture.md draws it. Start with
// TestImports. A rule that stands in the way is changed here, with its reason, not worked around.
package arch
