package otlp

import (
	"fmt"
	"slices"
	"strings"
)

// Strategy says how names are translated. The words are Prometheus's own
// (otlp.translation_strategy).
type Strategy uint8

// The strategies.
const (
	UnderscoreEscapingWithSuffixes Strategy = iota
	UnderscoreEscapingWithoutSuffixes
	NoUTF8EscapingWithSuffixes
	NoTranslation
)

// Strategies are the strategies' words, in their order.
func Strategies() []string {
	return []string{"UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes", "NoTranslation"}
}

// ParseStrategy returns the strategy of a word, the first one for "".
func ParseStrategy(word string) (Strategy, error) {
	i := slices.Index(Strategies(), word)
	if i < 0 && word != "" {
		return 0, fmt.Errorf("the translation strategy %q is not known: use one of %s", word, strings.Join(Strategies(), ", "))
	}
	return Strategy(max(i, 0)), nil
}

func (s Strategy) escapes() bool  { return s <= UnderscoreEscapingWithoutSuffixes }
func (s Strategy) suffixes() bool { return s%2 == 0 }

// metricName returns the name of the metric's family.
//
// Source: prometheus/otlptranslator, MetricNamer.
func (s Strategy) metricName(m *Metric) (string, error) {
	counter := m.Kind == KindSum && m.Monotonic
	ratio := m.Kind == KindGauge && m.Unit == "1"
	if !s.escapes() {
		if !s.suffixes() {
			return m.Name, nil
		}
		return withSuffixes(m.Name, m.Unit, counter, ratio), nil
	}
	var name string
	if s.suffixes() {
		name = joinTokens(m.Name, m.Unit, counter, ratio)
	} else {
		name = strings.Join(strings.FieldsFunc(m.Name, func(r rune) bool { return !nameRune(r) && r != '_' }), "_")
	}
	if name != "" && isDigit(name[0]) {
		name = "_" + name
	}
	if name == "" || name != m.Name && strings.Trim(name, "_") == "" {
		return "", fmt.Errorf("nothing of its name is left once it is escaped: give it letters or digits, or set otlp.translation_strategy")
	}
	return name, nil
}

// joinTokens makes a legacy name of the words in name, the unit, and what the
// type adds.
func joinTokens(name, unit string, counter, ratio bool) string {
	tokens := strings.FieldsFunc(name, func(r rune) bool { return !nameRune(r) })
	main, per := unitWords(unit)
	main, per = cleanUnit(main), cleanUnit(per)
	if slices.Contains(tokens, main) {
		main = ""
	}
	if per == "per_" {
		per = ""
	} else if per = strings.TrimSuffix(per, "_"); slices.Contains(tokens, per) {
		per = ""
	}
	if per != "" {
		main = strings.TrimSuffix(main, "_")
	}
	for _, w := range []string{main, per} {
		if w != "" {
			tokens = append(tokens, w)
		}
	}
	if counter {
		tokens = atEnd(tokens, "total")
	}
	if ratio {
		tokens = atEnd(tokens, "ratio")
	}
	return strings.Join(tokens, "_")
}

func atEnd(tokens []string, word string) []string {
	return append(slices.DeleteFunc(tokens, func(t string) bool { return t == word }), word)
}

// withSuffixes adds the unit and what the type adds to a name that stays as it
// is, moving those that are there to the end.
func withSuffixes(name, unit string, counter, ratio bool) string {
	main, per := unitWords(unit)
	end := ""
	for _, suffix := range []string{pick(ratio, "ratio"), pick(counter, "total"), per} {
		if suffix != "" {
			if strings.HasSuffix(name, suffix) && len(name) > len(suffix)+1 {
				name = name[:len(name)-len(suffix)-1]
			}
			end = "_" + suffix + end
		}
	}
	if main != "" && !strings.HasSuffix(name, main) {
		name += "_" + main
	}
	return name + end
}

func pick(ok bool, s string) string {
	if ok {
		return s
	}
	return ""
}

// labelName returns the label that an attribute's key becomes.
//
// Source: prometheus/otlptranslator, LabelNamer, with Prometheus's defaults
// (label_name_underscore_sanitization, label_name_preserve_multiple_underscores).
func (s Strategy) labelName(key string) (string, error) {
	name := key
	if s.escapes() {
		name = strings.Map(func(r rune) rune {
			if r == ':' || !nameRune(r) {
				return '_'
			}
			return r
		}, key)
		switch {
		case name == "":
		case isDigit(name[0]):
			name = "key_" + name
		case name[0] == '_' && !strings.HasPrefix(name, "__"):
			name = "key" + name
		}
	}
	if strings.Trim(name, "_") == "" {
		return "", fmt.Errorf("nothing of its attribute %q is left for a label's name: give it letters or digits", key)
	}
	return name, nil
}

// nameRune reports whether r may stand in a metric's name, the underscore
// excepted.
func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == ':'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
