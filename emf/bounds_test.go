package emf_test

import (
	"fmt"
	"strings"
	"testing"

	"narthex"
	"narthex/emf"
)

// What an event says once and names many times is not read, nor kept, as often:
// a few kilobytes (compressed) must not cost minutes or gigabytes.
func TestRepetitionIsBounded(t *testing.T) {
	list := func(n int, format string) string {
		var parts []string
		for i := range n {
			parts = append(parts, strings.ReplaceAll(format, "%", fmt.Sprint(i)))
		}
		return strings.Join(parts, ",")
	}
	directive := func(dimensions, metrics string) string {
		return `{"Namespace":"n","Dimensions":[` + dimensions + `],"Metrics":[` + metrics + `]}`
	}
	metrics := list(1000, `{"Name":"m%"}`)
	thirty := `[` + list(30, `"d%"`) + `]`
	members := list(30, `"d%":"`+strings.Repeat("x", 8000)+`"`)
	for _, c := range []struct {
		name, directive, members string
		kind                     narthex.Kind
		want                     string
	}{
		{"a large dimension of many metrics", directive(`["d"]`, metrics), `"d":"` + strings.Repeat("x", 2<<20) + `"`, 0, "the limit is 8192"},
		{"dimensions of many metrics", directive(thirty, metrics), members + `,` + list(1000, `"m%":1`), narthex.TooLarge, "more than 33554432 bytes"},
		{"dimensions of many metrics without values", directive(thirty, metrics), members, narthex.TooLarge, "more than 33554432 bytes"},
		{"dimensions of many sets", directive(list(200, thirty), ""), members, narthex.TooLarge, "more than 33554432 bytes"},
		{"many small sets", directive(list(510_000, `["d"]`), ""), `"d":"x"`, narthex.TooLarge, "more than 1000000 values"},
		{"a large value of many metrics", directive(`[]`, list(1000, `{"Name":"m"}`)), `"m":[` + list(1<<17, "1") + `]`, 0, "the limit is 16384"},
		{"a long namespace", `{"Namespace":"` + strings.Repeat("n", 1<<20) + `","Metrics":[` + metrics + `]}`, `"m1":1`, 0, "the limit is 1024"},
		{"a long name", directive(`[]`, `{"Name":"`+strings.Repeat("n", 2000)+`"}`), "", 0, "the limit is 1024"},
		{"a long name of a dimension", directive(`["`+strings.Repeat("n", 2000)+`"]`, `{"Name":"m"}`), `"m":1`, 0, "the limit is 1024"},
	} {
		k := emf.NewCollector(emf.Options{MaxSeries: 20000})
		err := k.Add(event(c.directive, c.members))
		if narthex.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %d", c.name, err, c.kind)
			continue
		}
		text := fmt.Sprint(err)
		if err == nil {
			text = fmt.Sprint(k.Rejected())
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: %.300s, want %q", c.name, text, c.want)
		}
	}
}

// A gauge that was set in the future does not outlive what is set afterwards.
func TestNewest(t *testing.T) {
	series, err := emf.Parse(event(`{"Dimensions":[[]],"Metrics":[{"Name":"g"}]}`, `"g":1`), emf.Options{Newest: 1000})
	if err != nil || len(series) != 1 || series[0].Samples[0].Time != 1000 {
		t.Errorf("%+v, %v", series, err)
	}
}
