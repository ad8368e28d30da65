package yamldoc

import (
	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Mapping calls f for each key and value, those of merge keys (<<) included. A
// key that occurs twice is an error; one that the mapping has itself comes before
// a merged one.
func (r *Reader) Mapping(path string, n *yaml.Node, wants string, f func(key, n *yaml.Node)) {
	n = Resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, path, "want %s, got %s", wants, Kind(n))
		return
	}
	var merges []*yaml.Node
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch line, found := lines[key.Value]; {
		case !r.count(key):
			return
		case key.Kind != yaml.ScalarNode:
			r.Errorf(key, path, "a key must be a word, not %s", Kind(key))
		case isMerge(key):
			merges = append(merges, n.Content[i+1])
		case found:
			r.Errorf(key, path, "the key %s is given twice, first in line %d", message.Quote(key.Value), line)
		default:
			lines[key.Value] = key.Line
			f(key, n.Content[i+1])
		}
	}
	for _, m := range merges {
		r.merge(path, m, lines, f, 0)
	}
}

// mergeDepth is how deep merges may be in merges.
const mergeDepth = 20

// merge calls f for the keys of n, a mapping or a list of them, that are not in
// seen yet.
func (r *Reader) merge(path string, n *yaml.Node, seen map[string]int, f func(key, n *yaml.Node), depth int) {
	n = Resolve(n)
	switch {
	case depth > mergeDepth:
		r.Errorf(n, path, "merges (<<) are more than %d deep, or go round in a circle", mergeDepth)
	case n.Kind == yaml.SequenceNode:
		for _, e := range n.Content {
			if !r.count(e) {
				return
			}
			r.merge(path, e, seen, f, depth+1)
		}
	case n.Kind != yaml.MappingNode:
		r.Errorf(n, path, "<< wants a mapping or a list of them, got %s", Kind(n))
	default:
		r.mergeMapping(path, n, seen, f, depth)
	}
}

func (r *Reader) mergeMapping(path string, n *yaml.Node, seen map[string]int, f func(key, n *yaml.Node), depth int) {
	var deeper []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch _, found := seen[key.Value]; {
		case !r.count(key):
			return
		case isMerge(key):
			deeper = append(deeper, n.Content[i+1])
		case key.Kind == yaml.ScalarNode && !found:
			seen[key.Value] = key.Line
			f(key, n.Content[i+1])
		}
	}
	for _, m := range deeper {
		r.merge(path, m, seen, f, depth+1)
	}
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.ShortTag() == "!!merge"
}

// Resolve returns what an alias stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// IsNull reports whether a node has no value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// Kind names what a node is, for a message.
func Kind(n *yaml.Node) string {
	switch {
	case IsNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}
