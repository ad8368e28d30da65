package otlp_test

import (
	"strings"
	"testing"

	"github.com/prometheus/otlptranslator"

	"narthex/otlp"
)

// named translates a metric of that name, with an attribute of that key, and
// returns the name, the unit and the label, or "" if it was rejected.
func named(t *testing.T, s otlp.Strategy, name, unit, key string, kind otlp.Kind, monotonic bool) (metric, metricUnit, label string) {
	t.Helper()
	m := otlp.Metric{Name: name, Unit: unit, Kind: kind, Temporality: otlp.Cumulative, Monotonic: monotonic, Points: []otlp.Point{at(1, key, "v\tv")}}
	tr, err := otlp.Options{Strategy: s}.Translate(request(m), otlp.Arrival{Time: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Samples) == 0 {
		return "", "", ""
	}
	ls := tr.Samples[0].Labels
	for _, l := range ls {
		if l.Value == "v\tv" {
			label = l.Name
		}
	}
	return ls.Get("__name__"), tr.Samples[0].Unit, label
}

// checkNames compares a name with what Prometheus's translator makes of it.
func checkNames(t *testing.T, name, unit, key string) {
	t.Helper()
	for i, word := range otlp.Strategies() {
		s, err := otlp.ParseStrategy(word)
		if err != nil || int(s) != i {
			t.Fatal(word, err)
		}
		strategy := otlptranslator.TranslationStrategyOption(word)
		namer := otlptranslator.NewMetricNamer("", strategy)
		units := otlptranslator.UnitNamer{}
		//lint:ignore SA1019 Prometheus sets it by default
		labels := otlptranslator.LabelNamer{UTF8Allowed: !strategy.ShouldEscape(), UnderscoreLabelSanitization: true, PreserveMultipleUnderscores: true}
		wantLabel, err := labels.Build(key)
		if !strategy.ShouldEscape() {
			wantLabel, err = key, nil // not asked
		}
		badLabel := err != nil
		for _, k := range []struct {
			kind      otlp.Kind
			monotonic bool
			typ       otlptranslator.MetricType
		}{
			{otlp.KindGauge, false, otlptranslator.MetricTypeGauge},
			{otlp.KindSum, true, otlptranslator.MetricTypeMonotonicCounter},
			{otlp.KindSum, false, otlptranslator.MetricTypeNonMonotonicCounter},
		} {
			wantName, err := namer.Build(otlptranslator.Metric{Name: name, Unit: unit, Type: k.typ})
			gotName, gotUnit, gotLabel := named(t, s, name, unit, key, k.kind, k.monotonic)
			if gotName == "" { // ours checks what is left, too
				if err == nil && !badLabel && strings.ToValidUTF8(wantName, "") != "" && wantName == strings.ToValidUTF8(wantName, "") && plain(wantName, strategy) && plain(wantLabel, strategy) {
					t.Errorf("%s of %q, %q, %q is rejected, Prometheus has %q and %q", word, name, unit, key, wantName, wantLabel)
				}
				continue
			}
			if gotName != wantName || gotUnit != units.Build(unit) || gotLabel != wantLabel && wantLabel != "job" && key != "__name__" {
				t.Errorf("%s of %q, %q, %q: got %q, %q, %q, want %q, %q, %q", word, name, unit, key, gotName, gotUnit, gotLabel, wantName, units.Build(unit), wantLabel)
			}
		}
	}
}

// plain reports whether narthex allows the name without utf8_names, which is
// what these tests have.
func plain(name string, s otlptranslator.TranslationStrategyOption) bool {
	return s.ShouldEscape() && !strings.HasPrefix(name, "__")
}

func TestNames(t *testing.T) {
	names := []string{
		"http.server.request.duration", "requests", "requests.total", "total", "total.requests", "a_total_b", "ratio", "cpu.ratio", "x.seconds", "x.per_second",
		"bytes.sent", "a..b", "a__b", "_a", "9lives", "a-b/c", "Größe", "x:y", ":", "_", "__", "?", "seconds", "io.bytes.per_second", "duration_seconds_total",
	}
	units := []string{
		"", "1", "%", "s", "ms", "us", "ns", "min", "h", "d", "By", "KiBy", "MiBy", "GiBy", "TiBy", "KBy", "MBy", "GBy", "TBy", "m", "V", "A", "J", "W", "g", "Cel", "Hz",
		"By/s", "1/s", "m/h", "s/d", "By/w", "req/mo", "x/y", "{request}", "{request}/s", "By/{op}", "s/", "/s", "/", " s ", " By / s ", "a b", "_", "__x__", "foo/per_", "foo_/bar", "foo/_", "m^2", "a/b/c",
	}
	for _, n := range names {
		for _, u := range units {
			checkNames(t, n, u, "http.route")
		}
	}
	for _, key := range []string{"a", "a.b", "a..b", "_a", "__a", "__a__", "9", "9a", "_", "__", "___", "..", "é", "a:b", "le", "__name__", "job", "A"} {
		checkNames(t, "m", "", key)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("http.server.duration", "ms", "http.route")
	f.Add("9 lives_total", " By/{x}", "1st")
	f.Add("a__ratio", "1", "_x")
	f.Fuzz(checkNames)
}
