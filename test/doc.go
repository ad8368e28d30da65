// Package test tries the whole program from outside: real processes, real
// clients, a real Prometheus, a real browser. It holds tests only.
//
// The tests are scaled for CI; NARTHEX_ACCEPTANCE=1 runs them at full size.
package test
