// Package arch holds tests only: the rules that keep the structure as docs/architecture.md draws it. Start with
// TestImports. A rule that stands in the way is changed here, with its reason, not worked around.
//
// The generator in gen writes the tables of phases into docs/architecture.md; TestPhaseTablesAreCurrent fails when they are
// not those of the code.
package arch

//go:generate go run github.com/foregate/foregate/internal/arch/gen
