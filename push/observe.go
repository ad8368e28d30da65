package push

import (
	"fmt"
	"maps"
	"slices"

	"narthex"
	"narthex/internal/message"
)

// defaultLayout is the layout of observations that name none.
const defaultLayout = "default"

// withOwnLayouts returns the layouts with those that need no configuration.
func withOwnLayouts(layouts map[string]narthex.Layout) map[string]narthex.Layout {
	out := make(map[string]narthex.Layout, len(layouts)+3)
	for name, text := range map[string]string{
		"api_latency": narthex.ArticleLayout, defaultLayout: narthex.DefaultLayout, narthex.NativeLayout: narthex.NativeLayout,
	} {
		out[name], _ = narthex.ParseLayout(text) // constants
	}
	maps.Copy(out, layouts)
	return out
}

// observe makes a histogram's observations its one sample.
func (c *collector) observe(labels narthex.Labels, e *entry) error {
	name := e.layout
	if name == "" {
		name = defaultLayout
	}
	layout, known := c.o.Layouts[name]
	if !known { // the doors have them all, others that decode may not
		all := withOwnLayouts(c.o.Layouts)
		if layout, known = all[name]; !known {
			return fmt.Errorf("the layout %s is not known; %s", message.Quote(name), message.Suggest(name, slices.Sorted(maps.Keys(all))))
		}
	}
	switch {
	case labels.Get("le") != "":
		return fmt.Errorf("its label le is what a histogram's buckets are named by: give it another name")
	case len(e.observed) == 0:
		return fmt.Errorf("it observed nothing: leave it out")
	}
	for _, v := range e.observed {
		if v-v != 0 {
			return fmt.Errorf("an observation is too large for a 64-bit floating-point number")
		}
	}
	h := layout.Histogram(e.observed)
	if h.Sum-h.Sum != 0 {
		return fmt.Errorf("the sum of its observations is too large for a 64-bit floating-point number")
	}
	e.samples = []narthex.Sample{{Time: c.now, Histogram: h}}
	return nil
}
