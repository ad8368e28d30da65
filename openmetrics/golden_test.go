package openmetrics_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"narthex"
	"narthex/internal/golden"
	"narthex/openmetrics"
)

// dump writes series for a person: one a line, families by their type.
func dump(series []narthex.Series) string {
	var b strings.Builder
	about := ""
	for _, s := range series {
		if a := fmt.Sprintf("# %s unit=%q help=%q\n", s.Type, s.Unit, s.Help); a != about {
			about = a
			b.WriteString(a)
		}
		for _, smp := range s.Samples {
			fmt.Fprintf(&b, "%s", s.Labels)
			if h := smp.Histogram; h != nil {
				fmt.Fprintf(&b, " %+v", *h)
			} else {
				fmt.Fprintf(&b, " %v", smp.Value)
			}
			if smp.Time != 0 {
				fmt.Fprintf(&b, " at %d", smp.Time)
			}
			if smp.Start != 0 {
				fmt.Fprintf(&b, " since %d", smp.Start)
			}
			for _, e := range s.Exemplars {
				fmt.Fprintf(&b, " exemplar %s %v at %d", e.Labels, e.Value, e.Time)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// TestGolden reads each exposition in testdata and compares the series, and
// what is written in each format, with the golden files beside it.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file   string
		format openmetrics.Format
	}{{"all.prom", openmetrics.Text}, {"all.om", openmetrics.OpenMetrics}, {"all.pb", openmetrics.Protobuf}} {
		var data []byte
		var err error
		if c.format == openmetrics.Protobuf {
			cases := protobufCases(t)
			data = cases[len(cases)-1]
		} else if data, err = os.ReadFile(filepath.Join("testdata", c.file)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", c.file)
		families, err := openmetrics.Parse(c.format.ContentType(), data, openmetrics.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		golden.Check(t, file+".series.golden", dump(openmetrics.Series(families)))
		var text, om bytes.Buffer
		if err := openmetrics.WriteText(&text, families); err != nil {
			t.Fatal(err)
		}
		if err := openmetrics.WriteOpenMetrics(&om, families); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, file+".text.golden", text.String())
		golden.Check(t, file+".openmetrics.golden", om.String())
		for _, out := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
			roundTrip(t, families, c.format, out)
		}
	}
}
