package app

import (
	"narthex"
	"narthex/config"
	"narthex/push"
)

// PushOptions are the configuration's words in those of push: what a push may be
// and how it is understood. Who sends it, where it goes and what became of it is
// for the caller to add.
func PushOptions(c *config.Config) push.Options {
	o := push.Options{
		SourceLabel: c.Limits.SourceLabel,
		Names: narthex.NameScheme{
			UTF8: c.UTF8Names, MaxLabels: c.Limits.LabelsPerSeries,
			MaxName: c.Limits.LabelNameLength, MaxValue: c.Limits.LabelValueLength,
		},
		Limits:  push.Limits{Body: c.Limits.Body, Series: seriesPerPush(&c.Limits)},
		Layouts: c.Histograms,
		OTLP:    otlpOptions(c),
		EMF:     emfOptions(c),
		Horizon: c.Ledger.Horizon,
	}
	for _, r := range c.Rules() {
		o.Rules = append(o.Rules, push.Rule(r))
	}
	for _, r := range c.Push.GroupTTL {
		o.GroupTTL = append(o.GroupTTL, push.TTLRule(r))
	}
	return o
}
