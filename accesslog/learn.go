package accesslog

import (
	"slices"
	"strings"
)

// A branch is a position in the tree of learned routes.
type branch struct {
	parent   *branch
	text     string // of the part that leads here
	literals map[string]*branch
	folded   [numClasses]*branch
	route    bool   // paths end here
	label    uint32 // in the router's values; 0 until it is asked for
}

// A learner makes routes of the paths it sees. A part of a path that looks
// like an id stands for all ids; where a position has more than fanOut
// different texts, all of them become {name}. It has at most maxRoutes routes.
type learner struct {
	root      branch
	assets    map[string]uint32 // by extension
	routes    int
	maxRoutes int
	fanOut    int
}

// maxDepth is how many parts of a path a learned route tells apart.
const maxDepth = 10

// find returns the branch where a path ends. If there is none, it is made, as
// long as create is true and there is room.
func (l *learner) find(segments [][]byte, create bool) *branch {
	b := &l.root
	create = create && l.routes < l.maxRoutes
	for i, s := range segments {
		if i == maxDepth {
			break
		}
		next := b.step(s)
		if next == nil {
			if !create {
				return nil
			}
			next = l.grow(b, s)
		}
		b = next
	}
	if !b.route {
		if !create {
			return nil
		}
		b.route = true
		l.routes++
	}
	return b
}

// step returns where a part of a path leads.
func (b *branch) step(s []byte) *branch {
	if c := classify(s); c != classLiteral {
		return b.folded[c]
	}
	if f := b.folded[className]; f != nil {
		return f
	}
	return b.literals[string(s)]
}

// grow makes the branch that a part of a path leads to.
func (l *learner) grow(b *branch, s []byte) *branch {
	c := classify(s)
	if c == classLiteral && len(b.literals) < l.fanOut {
		return b.literal(string(s))
	}
	if c != classLiteral {
		return b.fold(c)
	}
	l.collapse(b)
	return b.folded[className]
}

func (b *branch) literal(s string) *branch {
	if b.literals == nil {
		b.literals = map[string]*branch{}
	}
	if b.literals[s] == nil {
		b.literals[s] = &branch{parent: b, text: s}
	}
	return b.literals[s]
}

func (b *branch) fold(c class) *branch {
	if b.folded[c] == nil {
		b.folded[c] = &branch{parent: b, text: classText[c]}
	}
	return b.folded[c]
}

// collapse makes {name} of all texts at a position.
func (l *learner) collapse(b *branch) {
	into := b.fold(className)
	for _, text := range sortedKeys(b.literals) {
		l.merge(into, b.literals[text])
	}
	b.literals = nil
	l.routes = l.root.count()
}

// merge makes what is below from part of into.
func (l *learner) merge(into, from *branch) {
	into.route = into.route || from.route
	for c, f := range from.folded {
		if f != nil {
			l.merge(into.fold(class(c)), f)
		}
	}
	if into.folded[className] != nil && len(into.literals) > 0 {
		l.collapse(into)
	}
	for _, text := range sortedKeys(from.literals) {
		switch {
		case into.folded[className] != nil:
			l.merge(into.folded[className], from.literals[text])
		case into.literals[text] == nil && len(into.literals) >= l.fanOut:
			l.collapse(into)
			l.merge(into.folded[className], from.literals[text])
		default:
			l.merge(into.literal(text), from.literals[text])
		}
	}
}

// count returns how many routes end here or below.
func (b *branch) count() int {
	n := 0
	if b.route {
		n = 1
	}
	for _, f := range b.folded {
		if f != nil {
			n += f.count()
		}
	}
	for _, child := range b.literals {
		n += child.count()
	}
	return n
}

// path returns the route that ends here.
func (b *branch) path() string {
	var parts []string
	for ; b.parent != nil; b = b.parent {
		parts = append(parts, b.text)
	}
	slices.Reverse(parts)
	if len(parts) == maxDepth {
		parts = append(parts, "**")
	}
	return "/" + strings.Join(parts, "/")
}

// each calls f with each route below b, in order.
func (b *branch) each(f func(path string)) {
	if b.route {
		f(b.path())
	}
	for _, child := range b.folded {
		if child != nil {
			child.each(f)
		}
	}
	for _, text := range sortedKeys(b.literals) {
		b.literals[text].each(f)
	}
}

// restore makes the route of a path that [branch.path] wrote. It returns false
// if the path is none.
func (l *learner) restore(path string) bool {
	if len(path) == 0 || path[0] != '/' {
		return false
	}
	if l.routes >= l.maxRoutes {
		return true // there is no room
	}
	b := &l.root
	for i, s := range strings.Split(strings.Trim(path, "/"), "/") {
		if s == "" || s == "**" && i == maxDepth {
			break
		}
		c := slices.Index(classText[1:], s) + 1
		if i == maxDepth || c == 0 && classify([]byte(s)) != classLiteral {
			return false
		}
		switch next := b.step([]byte(s)); {
		case c == int(className) && b.folded[c] == nil:
			l.collapse(b)
			b = b.folded[c]
		case c > 0:
			b = b.fold(class(c))
		case next != nil:
			b = next
		default:
			b = l.grow(b, []byte(s))
		}
	}
	if !b.route {
		b.route = true
		l.routes++
	}
	return true
}

func sortedKeys(m map[string]*branch) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
