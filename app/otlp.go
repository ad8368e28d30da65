package app

import "narthex/otlp"

// otlpOptions is how OpenTelemetry's metrics are translated.
func (a *App) otlpOptions() otlp.Options {
	c := a.o.Config.OTLP
	strategy, _ := otlp.ParseStrategy(c.TranslationStrategy) // the configuration was checked
	return otlp.Options{
		Strategy:                          strategy,
		PromoteResourceAttributes:         c.PromoteResourceAttributes,
		KeepIdentifyingResourceAttributes: c.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:              c.PromoteScopeMetadata,
		ConvertHistogramsToNHCB:           c.ConvertHistogramsToNHCB,
	}
}
