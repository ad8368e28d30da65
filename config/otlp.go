package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// OTLP is how OpenTelemetry's metrics are translated (otlp). The settings are
// those of Prometheus's own section of that name.
type OTLP struct {
	// TranslationStrategy says what becomes of names (translation_strategy,
	// default UnderscoreEscapingWithSuffixes). NoUTF8EscapingWithSuffixes and
	// NoTranslation need utf8_names.
	TranslationStrategy string
	// PromoteResourceAttributes become labels of each series
	// (promote_resource_attributes, default none).
	PromoteResourceAttributes []string
	// KeepIdentifyingResourceAttributes leaves service.name, service.namespace
	// and service.instance.id in target_info, which job and instance are made of
	// (keep_identifying_resource_attributes, default false).
	KeepIdentifyingResourceAttributes bool
	// PromoteScopeMetadata makes labels otel_scope_… of the instrumentation
	// scope (promote_scope_metadata, default false).
	PromoteScopeMetadata bool
	// ConvertHistogramsToNHCB stores explicit histograms as native ones with
	// their bounds (convert_histograms_to_nhcb, default false: as classic ones).
	ConvertHistogramsToNHCB bool
}

// strategies are the words of TranslationStrategy, those that escape first.
func strategies() []string {
	return []string{"UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes", "NoTranslation"}
}

// otlp checks that names are allowed which the strategy leaves as they are.
func (r *reader) otlp() {
	const path = "otlp.translation_strategy"
	s := r.config.OTLP.TranslationStrategy
	if slices.Index(strategies(), s) >= 2 && !r.config.UTF8Names && !r.wrong["utf8_names"] {
		r.add(r.config.set[path], path+" "+s+" leaves names as they are, with dots and more: set utf8_names: true")
	}
}

type attributes struct{ p *[]string }

func (v attributes) read(r *reader, path string, n *yaml.Node) {
	var out []string
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		s, ok := r.scalar(path, n, "an attribute's key")
		switch s = strings.TrimSpace(s); {
		case !ok:
		case s == "":
			r.errorf(n, path, "the attribute's key is empty")
		case slices.Contains(out, s):
			r.errorf(n, path, "the attribute %s is given twice", message.Quote(s))
		default:
			out = append(out, s)
		}
	})
	*v.p = out
}
func (v attributes) String() string { return orNone(strings.Join(*v.p, ", ")) }
func (v attributes) wants() string  { return "a list of attributes' keys" }
