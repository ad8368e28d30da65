package otlp

import "strings"

// unitWord returns Prometheus's word for a unit of UCUM, the unit itself if
// there is none.
//
// Source: prometheus/otlptranslator, UnitNamer.
func unitWord(unit string) string {
	switch unit {
	case "d":
		return "days"
	case "h":
		return "hours"
	case "min":
		return "minutes"
	case "s":
		return "seconds"
	case "ms":
		return "milliseconds"
	case "us":
		return "microseconds"
	case "ns":
		return "nanoseconds"
	case "By":
		return "bytes"
	case "KiBy":
		return "kibibytes"
	case "MiBy":
		return "mebibytes"
	case "GiBy":
		return "gibibytes"
	case "TiBy":
		return "tibibytes"
	case "KBy":
		return "kilobytes"
	case "MBy":
		return "megabytes"
	case "GBy":
		return "gigabytes"
	case "TBy":
		return "terabytes"
	case "m":
		return "meters"
	case "V":
		return "volts"
	case "A":
		return "amperes"
	case "J":
		return "joules"
	case "W":
		return "watts"
	case "g":
		return "grams"
	case "Cel":
		return "celsius"
	case "Hz":
		return "hertz"
	case "1":
		return ""
	case "%":
		return "percent"
	}
	return unit
}

// perWord is unitWord for what stands behind the slash.
func perWord(unit string) string {
	switch unit {
	case "s":
		return "second"
	case "m":
		return "minute"
	case "h":
		return "hour"
	case "d":
		return "day"
	case "w":
		return "week"
	case "mo":
		return "month"
	case "y":
		return "year"
	}
	return unit
}

// unitWords returns the words for both sides of a unit's slash. What is in
// braces is a comment.
func unitWords(unit string) (main, per string) {
	main, per, _ = strings.Cut(unit, "/")
	if main = strings.TrimSpace(main); strings.ContainsAny(main, "{}") {
		main = ""
	}
	if per = strings.TrimSpace(per); strings.ContainsAny(per, "{}") {
		per = ""
	}
	if per = perWord(per); per != "" {
		per = "per_" + per
	}
	return unitWord(main), per
}

// cleanUnit makes a unit fit for a name: runs of what is not become one
// underscore, none at the front.
func cleanUnit(unit string) string {
	var b strings.Builder
	last := '_'
	for _, r := range unit {
		if !nameRune(r) {
			r = '_'
		}
		if r != '_' || last != '_' {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// unitName is the unit that a metric's metadata has.
func unitName(unit string) string {
	main, per := unitWords(unit)
	main, per = cleanUnit(main), cleanUnit(per)
	if main != "" && per != "" {
		main += "_"
	}
	return strings.TrimSuffix(main+per, "_")
}
