// Package shape holds no code, only tests that keep the form of the
// repository: who may import whom, what the Lambda function links and weighs,
// how long a file or a function may be, and that each package says what it is
// for.
//
// A test here fails with the place, the rule and what to do. The rules
// themselves are tables at the head of each file; changing one is a decision
// that belongs in docs/design.md with its reason.
//
// The tests read each Go file of the module themselves rather than ask the go
// tool for the files of one platform, so that a file for another system is
// bound by the same rules. Reading them has a second use: go test sees which
// files were opened and does not take an old result for a changed tree.
package shape
