package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// layouts are bucket layouts by name:
//
//	histograms: {checkout: "10ms..100ms/10ms, 0.25, 0.5, 1, 5"}
type layouts struct{ p *map[string]narthex.Layout }

func (v layouts) read(r *reader, path string, n *yaml.Node) {
	out := make(map[string]narthex.Layout)
	r.mapping(path, n, v.wants(), func(key, n *yaml.Node) {
		at := path + "." + message.Clip(key.Value, 80)
		s, ok := r.scalar(at, n, "bounds such as 1ms..20ms/1ms, 50ms")
		if !ok {
			return
		}
		layout, err := narthex.ParseLayout(s)
		switch {
		case key.Value == "":
			r.errorf(key, path, "a layout needs a name")
		case key.Value == narthex.NativeLayout:
			r.errorf(key, at, "native always means native histograms: choose another name")
		case err != nil:
			r.errorf(n, at, "%v", err)
		default:
			out[key.Value] = layout
		}
	})
	*v.p = out
}

func (v layouts) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(*v.p)) {
		b := (*v.p)[name].Bounds
		text := "native"
		if len(b) > 0 {
			text = fmt.Sprintf("%d buckets, %s to %s", len(b)+1, narthex.FormatBound(b[0]), narthex.FormatBound(b[len(b)-1]))
		}
		parts = append(parts, name+" ("+text+")")
	}
	return orNone(strings.Join(parts, "; "))
}

func (v layouts) wants() string {
	return "a mapping of names to bounds and ranges: 1ms..20ms/1ms, 50ms"
}

// LayoutNames returns the names of all layouts, those that need no
// configuration included.
func (c *Config) LayoutNames() []string {
	names := []string{"api_latency", "default", narthex.NativeLayout}
	for name := range c.Histograms {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
