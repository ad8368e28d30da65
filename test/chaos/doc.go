// Package chaos drives the real programs through faults that a seed draws, and
// asks their stores whether every promise was kept. It holds tests only; its
// scenarios are told in scenarios.yaml.
package chaos
