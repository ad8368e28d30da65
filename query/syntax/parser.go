// Package syntax reads PromQL: it is the parser with bounds, and what Prometheus's
// API calls format_query and parse_query.
package syntax

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

// maxDepth bounds how deep an expression may be nested; a chain of n operators
// is n deep. The time it takes to lay an expression out grows with the third
// power of its depth: 0.4 s at 500, a minute at 4,000.
const maxDepth = 500

// bounded is PromQL's parser with that bound.
type bounded struct{ parser.Parser }

// MaxQuery bounds one expression, in bytes. To parse it takes time with the square
// of its length: half a second for this many brackets.
const MaxQuery = 32 << 10

// New returns the parser, with the selectors anchored and smoothed.
func New() parser.Parser {
	return bounded{parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true})}
}

// ParseExpr parses an expression.
func (b bounded) ParseExpr(input string) (parser.Expr, error) {
	if len(input) > MaxQuery {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(input), MaxQuery)
	}
	expr, err := b.Parser.ParseExpr(input)
	if err == nil && deeper(expr, maxDepth) {
		return nil, fmt.Errorf("it is nested deeper than the limit of %d: brackets or operators in a row", maxDepth)
	}
	return expr, err
}

// deeper reports whether the tree has more than limit levels.
func deeper(n parser.Node, limit int) bool {
	if limit == 0 {
		return true
	}
	for child := range parser.ChildrenIter(n) {
		if deeper(child, limit-1) {
			return true
		}
	}
	return false
}

// Format returns the expression, laid out.
func Format(query string) (string, error) {
	expr, err := New().ParseExpr(query)
	if err != nil {
		return "", err
	}
	return expr.Pretty(0), nil
}

// Parse returns the expression as a tree that can be marshalled to JSON.
func Parse(query string) (any, error) {
	expr, err := New().ParseExpr(query)
	if err != nil {
		return nil, err
	}
	return tree(expr), nil
}
