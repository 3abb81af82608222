// Package hostile holds tests only: the built program under bad input from outside. Each test starts `foregate up` as a process of
// its own, does to it what no well-behaved viewer, origin, function, template or caller does, and wants three things: it gives
// AWS's answer or a clear refusal, it goes on to serve, and its memory stays within a budget, which is read from /proc. Start
// with program in program_test.go.
//
// Unit tests of the parsers and engines are in their packages, smuggling in testdata/script. A test belongs here when it needs
// the whole program: its limits, its timeouts, its memory. FOREGATE_SOAK=10m makes those that move bytes move ten times as
// many.
package hostile
