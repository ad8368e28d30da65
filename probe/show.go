package probe

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"narthex/internal/yamldoc"
)

// Source returns the module as its file has it, in YAML, with <secret> in the
// place of all that is not known to be none. It is "" for a module that was not
// read from a file.
func (m *Module) Source() string {
	if m.source == nil {
		return ""
	}
	return m.source()
}

// show writes a module without its secrets: what is shown is what was read as
// no secret.
func (r *moduleReader) show(key, n *yaml.Node) string {
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Value: key.Value}, r.redacted(n, 0),
	}})
	if err != nil {
		return fmt.Sprintf("# it can't be shown: %v\n", err)
	}
	return string(out)
}

// maxShown is how deep a module is shown; none is deeper.
const maxShown = 12

// redacted returns a copy of a node without secrets, comments and aliases.
func (r *moduleReader) redacted(n *yaml.Node, depth int) *yaml.Node {
	n = yamldoc.Resolve(n)
	switch {
	case yamldoc.IsNull(n):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case n.Kind == yaml.ScalarNode || depth > maxShown:
		if text, ok := r.shown[n]; ok && !r.hidden[n] {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: n.ShortTag(), Value: text}
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "<secret>"}
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style}
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0:
			out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: c.Value})
		default:
			out.Content = append(out.Content, r.redacted(c, depth+1))
		}
	}
	return out
}
