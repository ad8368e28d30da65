package app

import (
	"narthex/config"
	"narthex/otlp"
)

// otlpOptions is how OpenTelemetry's metrics are translated.
func otlpOptions(cfg *config.Config) otlp.Options {
	c := cfg.OTLP
	strategy, _ := otlp.ParseStrategy(c.TranslationStrategy) // the configuration was checked
	return otlp.Options{
		Strategy:                          strategy,
		PromoteResourceAttributes:         c.PromoteResourceAttributes,
		KeepIdentifyingResourceAttributes: c.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:              c.PromoteScopeMetadata,
		ConvertHistogramsToNHCB:           c.ConvertHistogramsToNHCB,
	}
}
