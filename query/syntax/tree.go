package syntax

import (
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// node is a JSON object of the tree that parse_query returns. Its shape is the
// one that Prometheus's user interface reads; there is no other specification.
type node map[string]any

// tree turns an expression into JSON. A part that isn't there is null.
func tree(expr parser.Expr) any {
	switch x := expr.(type) {
	case *parser.NumberLiteral:
		return node{"type": "numberLiteral", "val": number(x.Val)}
	case *parser.StringLiteral:
		return node{"type": "stringLiteral", "val": x.Val}
	case *parser.ParenExpr:
		return node{"type": "parenExpr", "expr": tree(x.Expr)}
	case *parser.UnaryExpr:
		return node{"type": "unaryExpr", "op": x.Op.String(), "expr": tree(x.Expr)}
	case *parser.StepInvariantExpr:
		return tree(x.Expr)
	case *parser.BinaryExpr:
		return node{
			"type": "binaryExpr", "op": x.Op.String(), "lhs": tree(x.LHS), "rhs": tree(x.RHS),
			"matching": matching(x.VectorMatching), "bool": x.ReturnBool,
		}
	case *parser.AggregateExpr:
		return node{
			"type": "aggregation", "op": x.Op.String(), "expr": tree(x.Expr), "param": tree(x.Param),
			"grouping": orEmpty(x.Grouping), "without": x.Without,
		}
	case *parser.Call:
		return call(x)
	case *parser.VectorSelector:
		return selector("vectorSelector", x)
	case *parser.MatrixSelector:
		n := node{}
		if vs, ok := x.VectorSelector.(*parser.VectorSelector); ok {
			n = selector("matrixSelector", vs)
		}
		n["range"], n["rangeExpr"] = x.Range.Milliseconds(), duration(x.RangeExpr)
		return n
	case *parser.SubqueryExpr:
		return node{
			"type": "subquery", "expr": tree(x.Expr),
			"range": x.Range.Milliseconds(), "rangeExpr": duration(x.RangeExpr),
			"offset": x.OriginalOffset.Milliseconds(), "offsetExpr": duration(x.OriginalOffsetExpr),
			"step": x.Step.Milliseconds(), "stepExpr": duration(x.StepExpr),
			"timestamp": x.Timestamp, "startOrEnd": startOrEnd(x.StartOrEnd),
		}
	case *parser.DurationExpr:
		return duration(x)
	}
	return nil
}

func call(x *parser.Call) node {
	args := make([]any, len(x.Args))
	for i, a := range x.Args {
		args[i] = tree(a)
	}
	return node{"type": "call", "args": args, "func": node{
		"name": x.Func.Name, "argTypes": x.Func.ArgTypes, "variadic": x.Func.Variadic, "returnType": x.Func.ReturnType,
	}}
}

func selector(kind string, x *parser.VectorSelector) node {
	return node{
		"type": kind, "name": x.Name, "matchers": matchers(x.LabelMatchers),
		"offset": x.OriginalOffset.Milliseconds(), "offsetExpr": duration(x.OriginalOffsetExpr),
		"timestamp": x.Timestamp, "startOrEnd": startOrEnd(x.StartOrEnd),
		"anchored": x.Anchored, "smoothed": x.Smoothed,
	}
}

func matching(m *parser.VectorMatching) any {
	if m == nil {
		return nil
	}
	return node{
		"card": m.Card.String(), "labels": orEmpty(m.MatchingLabels), "on": m.On, "include": orEmpty(m.Include),
		"fillValues": node{"lhs": m.FillValues.LHS, "rhs": m.FillValues.RHS},
	}
}

func matchers(in []*labels.Matcher) []node {
	out := make([]node, len(in))
	for i, m := range in {
		out[i] = node{"name": m.Name, "value": m.Value, "type": m.Type.String()}
	}
	return out
}

// duration is tree for the parts of a computed duration. The parser leaves
// typed nils where there is none.
func duration(expr parser.Expr) any {
	switch x := expr.(type) {
	case *parser.DurationExpr:
		if x == nil {
			return nil
		}
		return node{"type": "durationExpr", "op": x.Op.String(), "lhs": duration(x.LHS), "rhs": duration(x.RHS), "wrapped": x.Wrapped}
	case *parser.NumberLiteral:
		if x == nil {
			return nil
		}
		return node{"type": "numberLiteral", "val": number(x.Val), "duration": x.Duration}
	}
	return tree(expr)
}

func startOrEnd(i parser.ItemType) any {
	if i == 0 {
		return nil
	}
	return i.String()
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// orEmpty makes a list that isn't there an empty one, not null.
func orEmpty(in []string) []string {
	if in == nil {
		return []string{}
	}
	return in
}
