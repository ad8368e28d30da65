package accesslog_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"narthex"
	"narthex/accesslog"
	"narthex/emf"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// The same keys again and again, in objects that are read, cost no more than their
// length.
func TestRepeatedKeysAreBounded(t *testing.T) {
	nested := func(open string, key, closing string) string {
		return open + strings.Repeat(key+",", 1000) + key + closing + "\n"
	}
	log := nested(`{"a":{"b":{`, `"c":200`, `}}}`) + nested(`{"a":{`, `"b":{}`, `}}`) + nested(`{`, `"a":{}`, `}`)
	r := newReader(t, accesslog.Options{Format: "json", Mapping: map[string]string{"status": "a.b.c"}})
	n := allocated(func() {
		counts, err := r.Read(t.Context(), "log", strings.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		checkReport(t, counts.Report)
	})
	if n > 32<<20 {
		t.Errorf("%d MiB were allocated for a log of %d KiB", n>>20, len(log)>>10)
	}
}

// The columns that a header names are kept, so that their names have a bound.
func TestLongHeaderIsRefused(t *testing.T) {
	for name, header := range map[string]string{
		"of another program": "#Fields: " + strings.Repeat("x", 500_000),
		"of CloudFront":      "#Fields: x-edge-location sc-status " + strings.Repeat("x", 500_000),
	} {
		_, err := newReader(t, accesslog.Options{}).Read(t.Context(), "log", strings.NewReader(header+"\n"))
		if narthex.KindOf(err) != narthex.Invalid || len(err.Error()) > 1000 {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

// What a metric is, an increment, an observation or a value that is set, is one thing
// in all lines: those that say otherwise are rejected, and cost no time.
func TestEmbeddedMetricsOfOneKind(t *testing.T) {
	line := func(name, unit string, v int) string {
		return fmt.Sprintf(`{"_aws":{"Timestamp":1767323045000,"CloudWatchMetrics":[{"Namespace":"shop","Dimensions":[[]],"Metrics":[{"Name":%q,"Unit":%q}]}]},%q:%d}`+"\n", name, unit, name, v)
	}
	r := newReader(t, accesslog.Options{Format: "emf", EMF: func(line []byte) ([]narthex.Series, error) { return emf.Parse(line, emf.Options{}) }})
	log := line("orders", "Count", 2) + line("orders_total", "None", 50) + line("orders", "Count", 3) + line("size", "Bytes", 7) + line("size_bytes", "None", 1)
	counts, err := r.Read(t.Context(), "log", strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, counts.Report)
	if counts.Report.Rejected != 2 {
		t.Errorf("%d lines were rejected, want 2: %v", counts.Report.Rejected, counts.Report.Reasons)
	}
	for _, s := range counts.Series() {
		if len(s.Samples) != 1 || s.Labels.Get(narthex.MetricName) == "orders_total" && s.Samples[0].Value != 5 {
			t.Errorf("%s: %+v", s.Labels, s.Samples)
		}
	}
}
