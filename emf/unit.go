package emf

import (
	"slices"
	"strings"
)

// kind is what a metric becomes.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// unit is one of CloudWatch's units in the words of Prometheus.
type unit struct {
	kind   kind
	base   string  // seconds, bytes, bits, ratio, or ""
	factor float64 // to the base unit
	ending string  // of names
	drop   []string
}

// unitOf returns the unit with CloudWatch's name.
func unitOf(name string, unitlessHistograms bool) unit {
	plain := gauge
	if unitlessHistograms {
		plain = histogram
	}
	name, perSecond := strings.CutSuffix(name, "/Second")
	u := unit{kind: plain, factor: 1}
	switch name {
	case "Count":
		if perSecond {
			break
		}
		return unit{counter, "", 1, "total", []string{"total"}}
	case "Seconds":
		u = seconds(1)
	case "Milliseconds":
		u = seconds(1e-3)
	case "Microseconds":
		u = seconds(1e-6)
	case "Percent":
		u = unit{histogram, "ratio", 0.01, "ratio", []string{"ratio", "percent", "percentage", "pct"}}
	default:
		if scaled, ok := data(name); ok {
			u = scaled
		}
	}
	if perSecond {
		u.kind = plain
		u.ending = strings.TrimPrefix(u.ending+"_per_second", "_")
		u.base = ""
	}
	return u
}

func seconds(factor float64) unit {
	return unit{histogram, "seconds", factor, "seconds",
		[]string{"seconds", "milliseconds", "microseconds", "secs", "sec", "s", "millis", "msec", "ms", "micros", "us"}}
}

// data returns a unit of bytes or bits.
func data(name string) (unit, bool) {
	factor := 1.0
	lower := strings.ToLower(name)
	for _, prefix := range []string{"kilo", "mega", "giga", "tera"} {
		factor *= 1000
		if rest, ok := strings.CutPrefix(lower, prefix); ok {
			lower = rest
			break
		}
		if prefix == "tera" {
			factor = 1
		}
	}
	switch lower {
	case "bytes":
		return unit{histogram, "bytes", factor, "bytes", []string{"bytes", "kilobytes", "megabytes", "gigabytes", "terabytes", "kb", "mb", "gb", "tb"}}, true
	case "bits":
		return unit{histogram, "bits", factor, "bits", []string{"bits", "kilobits", "megabits", "gigabits", "terabits"}}, true
	}
	return unit{}, false
}

// name returns the metric's name: in snake_case, with the unit's ending in the
// place of one it may have.
func (u unit) name(metric string) string {
	name := snake(metric)
	if name == "" || u.ending == "" {
		return name
	}
	if i := strings.LastIndexByte(name, '_'); i > 0 && slices.Contains(u.drop, name[i+1:]) {
		name = name[:i]
	}
	if name == u.ending {
		return name
	}
	return name + "_" + u.ending
}

// namespaceLabel is the label that has the namespace.
const namespaceLabel = "namespace"

// labelName returns the label for a dimension. Labels that mean something else
// are set aside, as Prometheus does with those of targets.
func labelName(dimension string) string {
	switch name := snake(dimension); name {
	case "":
		return "dimension"
	case "le", "quantile", namespaceLabel:
		return "exported_" + name
	default:
		return name
	}
}

// snake returns the name in snake_case, of letters, digits and underscores only,
// and "" if it has no letter and no digit.
func snake(s string) string {
	b := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z':
			if i > 0 && (isLower(s[i-1]) || isDigit(s[i-1]) || isUpper(s[i-1]) && i+1 < len(s) && isLower(s[i+1])) {
				b = separate(b)
			}
			b = append(b, c+'a'-'A')
		case isLower(c), isDigit(c):
			b = append(b, c)
		default:
			b = separate(b)
		}
	}
	out := strings.TrimSuffix(string(b), "_")
	if out != "" && isDigit(out[0]) {
		return "_" + out
	}
	return out
}

// separate ends a word.
func separate(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != '_' {
		b = append(b, '_')
	}
	return b
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
