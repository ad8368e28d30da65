// Package cel compiles the expressions of the Common Expression Language that
// check a JSON body (fail_if_body_json_matches_cel). It is apart from probe for its
// weight: cel-go adds 9 MB to a program.
//
//	features.CEL = func(e string) (probe.CELProgram, error) { return cel.Compile(e) }
//
// Source: prometheus/blackbox_exporter, config/config.go, CELProgram; cel-spec.
package cel

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
)

// interruptEvery is after how many steps of a comprehension an evaluation looks
// whether it is to end, as in the exporter.
const interruptEvery = 100

// costLimit bounds an evaluation besides its time: a thousand times what a search
// through a body of some thousand values costs.
const costLimit = 100_000_000

// Program is a compiled expression. It may be used by several goroutines.
type Program struct {
	text    string
	program func() (cel.Program, error)
}

// Compile compiles an expression over body, which stands for the decoded JSON. The
// error is for the one who wrote it.
func Compile(expression string) (*Program, error) {
	env, err := cel.NewEnv(cel.Variable("body", cel.DynType))
	if err != nil {
		return nil, fmt.Errorf("CEL: %w", err)
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("the CEL expression %q: %w", expression, err)
	}
	return &Program{text: expression, program: sync.OnceValues(func() (cel.Program, error) {
		return env.Program(ast, cel.InterruptCheckFrequency(interruptEvery), cel.CostLimit(costLimit))
	})}, nil
}

// String returns the expression.
func (p *Program) String() string { return p.text }

// Eval returns what the expression says of body, which is as encoding/json decodes
// into any. An expression that gives no boolean is an error. It ends with ctx.
func (p *Program) Eval(ctx context.Context, body any) (bool, error) {
	program, err := p.program()
	if err != nil {
		return false, err
	}
	value, _, err := program.ContextEval(ctx, map[string]any{"body": body})
	if err != nil {
		return false, err
	}
	is, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it gives %s, want a boolean", value.Type().TypeName())
	}
	return is, nil
}
