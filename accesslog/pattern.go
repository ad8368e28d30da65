package accesslog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxPatterns bounds the list of routes.
const maxPatterns = 5000

// A pattern is a route that was given, as it was understood.
type pattern struct {
	method   string // "" for any
	label    uint32 // in the router's values
	captures []captured
}

// captured says which part of a path a named field stands at.
type captured struct{ slot, at int }

// A node is a position in the patterns' tree: the paths that begin alike.
type node struct {
	literals map[string]*node
	partial  []partial // {x} with text before or behind, the most text first
	one      *node     // {x} or *
	rest     []rest    // ** with or without a suffix, the longest first
	ends     []*pattern
}

type partial struct {
	prefix, suffix string
	to             *node
}

type rest struct {
	suffix string
	ends   []*pattern
}

// parsePattern splits "METHOD /a/{b}/**".
func parsePattern(text string) (method string, segments []string, err error) {
	text = strings.TrimSpace(text)
	path := text
	if first, after, found := strings.Cut(text, " "); found {
		method, path = first, strings.TrimSpace(after)
	}
	switch {
	case method != "" && !slices.Contains(knownMethods, method):
		return "", nil, fmt.Errorf("route %q: %q is no method; there are %s", text, method, strings.Join(knownMethods, ", "))
	case !strings.HasPrefix(path, "/"):
		return "", nil, fmt.Errorf("route %q: want a path that begins with /, such as GET /v1/users/{id}", text)
	case len(path) > 500 || strings.ContainsAny(path, " ?#"):
		return "", nil, fmt.Errorf("route %q: a path has no blank, ? or # and at most 500 bytes", text)
	}
	for s := range strings.SplitSeq(path, "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	if len(segments) >= maxSegments {
		return "", nil, fmt.Errorf("route %q has more than %d parts", text, maxSegments-1)
	}
	return method, segments, nil
}

// insert makes a pattern part of the tree.
func (n *node) insert(text string, p *plan, labels *values) error {
	method, segments, err := parsePattern(text)
	if err != nil {
		return err
	}
	label := "/" + strings.Join(segments, "/")
	end := &pattern{method: method, label: labels.id([]byte(label), maxPatterns)}
	if end.label == otherID {
		id, h, found := labels.find([]byte(label))
		if end.label = id; !found {
			end.label = labels.add(label, h) // longer than other values may be
		}
	}
	for i, s := range segments {
		if strings.HasPrefix(s, "**") {
			if i != len(segments)-1 || strings.ContainsAny(s[2:], "*{}") {
				return fmt.Errorf("route %q: ** stands for all the rest, with nothing but an ending such as **.js behind it", text)
			}
			return n.insertRest(text, s[2:], end)
		}
		field, next, err := n.child(s)
		if err != nil {
			return fmt.Errorf("route %q: %w", text, err)
		}
		if slot := slices.Index(p.captures, field); slot >= 0 && field != "" {
			end.captures = append(end.captures, captured{slot, i})
		}
		n = next
	}
	return appendEnd(text, &n.ends, end)
}

func (n *node) insertRest(text, suffix string, end *pattern) error {
	i := slices.IndexFunc(n.rest, func(r rest) bool { return r.suffix == suffix })
	if i < 0 {
		i = len(n.rest)
		n.rest = append(n.rest, rest{suffix: suffix})
	}
	if err := appendEnd(text, &n.rest[i].ends, end); err != nil {
		return err
	}
	slices.SortStableFunc(n.rest, func(a, b rest) int { return len(b.suffix) - len(a.suffix) })
	return nil
}

// appendEnd adds a pattern where its path ends, those for a method first.
func appendEnd(text string, ends *[]*pattern, end *pattern) error {
	for _, e := range *ends {
		if e.method == end.method {
			return fmt.Errorf("route %q: another one matches the very same requests", text)
		}
	}
	*ends = append(*ends, end)
	slices.SortStableFunc(*ends, func(a, b *pattern) int { return strings.Compare(b.method, a.method) })
	return nil
}

// child returns the node that a part of a pattern leads to, and the name of
// the field in it.
func (n *node) child(s string) (field string, next *node, err error) {
	open, end := strings.IndexByte(s, '{'), strings.IndexByte(s, '}')
	switch {
	case s == "*" || open == 0 && end == len(s)-1:
		if n.one == nil {
			n.one = &node{}
		}
		return strings.Trim(s, "{}*"), n.one, nil
	case open < 0 && end < 0 && !strings.Contains(s, "*"):
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		if n.literals[s] == nil {
			n.literals[s] = &node{}
		}
		return "", n.literals[s], nil
	case open < 0 || end < open || strings.ContainsAny(s[:open]+s[end+1:], "{}*"):
		return "", nil, fmt.Errorf("%q: want a text, {name}, * or a text with one {name} in it", s)
	}
	prefix, suffix := s[:open], s[end+1:]
	i := slices.IndexFunc(n.partial, func(p partial) bool { return p.prefix == prefix && p.suffix == suffix })
	if i < 0 {
		n.partial = append(n.partial, partial{prefix, suffix, &node{}})
		slices.SortStableFunc(n.partial, func(a, b partial) int {
			return len(b.prefix) + len(b.suffix) - len(a.prefix) - len(a.suffix)
		})
		i = slices.IndexFunc(n.partial, func(p partial) bool { return p.prefix == prefix && p.suffix == suffix })
	}
	return s[open+1 : end], n.partial[i].to, nil
}

// match returns the pattern that a path matches: at each part a text goes
// before a text with a field, that before a field, and that before **. Each
// node is visited at most once, so that no path takes long.
func (n *node) match(segments [][]byte, method []byte) *pattern {
	if len(segments) == 0 {
		if p := pick(n.ends, method); p != nil {
			return p
		}
		return n.matchRest(segments, method)
	}
	s := segments[0]
	if next := n.literals[string(s)]; next != nil {
		if p := next.match(segments[1:], method); p != nil {
			return p
		}
	}
	for i := range n.partial {
		e := &n.partial[i]
		if len(s) > len(e.prefix)+len(e.suffix) && string(s[:len(e.prefix)]) == e.prefix && string(s[len(s)-len(e.suffix):]) == e.suffix {
			if p := e.to.match(segments[1:], method); p != nil {
				return p
			}
		}
	}
	if n.one != nil {
		if p := n.one.match(segments[1:], method); p != nil {
			return p
		}
	}
	return n.matchRest(segments, method)
}

func (n *node) matchRest(segments [][]byte, method []byte) *pattern {
	for i := range n.rest {
		r := &n.rest[i]
		if r.suffix != "" && (len(segments) == 0 || !bytes.HasSuffix(segments[len(segments)-1], []byte(r.suffix))) {
			continue
		}
		if p := pick(r.ends, method); p != nil {
			return p
		}
	}
	return nil
}

// pick returns the pattern for a method.
func pick(ends []*pattern, method []byte) *pattern {
	for _, p := range ends {
		if p.method == "" || p.method == string(method) {
			return p
		}
	}
	return nil
}
