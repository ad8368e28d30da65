package app

import (
	"narthex"
	"narthex/config"
	"narthex/emf"
)

// emfOptions are the configuration's words in those of emf.
func emfOptions(c *config.Config) emf.Options {
	o := emf.Options{Namespace: emf.Namespace(c.Push.EMF.Namespace), UnitlessHistograms: c.Push.EMF.Unitless == "histogram"}
	layout, own := c.Histograms[c.Push.EMF.Buckets]
	switch {
	case own:
		o.Layout = layout
	case c.Push.EMF.Buckets == "api_latency":
		o.Layout, _ = narthex.ParseLayout(narthex.ArticleLayout) // a constant
	case c.Push.EMF.Buckets == "default":
		o.Layout, _ = narthex.ParseLayout(narthex.DefaultLayout)
	}
	return o
}
