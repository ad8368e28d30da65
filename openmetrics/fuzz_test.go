package openmetrics_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"narthex"
	"narthex/openmetrics"
)

// stricter are parts of our messages for what the oracle lets pass. Package
// openmetrics says why each is refused.
var stricter = []string{
	"all lines of a metric must stand together", "all samples of a metric must stand together",
	"second HELP", "second TYPE", "second UNIT", "TYPE after its first sample", "no line feed at its end",
	"has a sample twice", "is given twice", "is there twice", "is reserved", "a name is empty", "not UTF-8",
	"must be in increasing order", "is not a count", "must be cumulative", "they must be equal",
	"is not between 0 and 1", "is not the bound of a bucket", "samples of different times",
	"has no bucket le=\"+Inf\"", "has one of count and sum", "is also a series of",
	"has a sample of that name", "needs the label", "label le: ", "label quantile: ",
	"unknown escape", "has no end", "want , or }", "want a blank after the metric's name",
	"cannot have the value", "which only counters and buckets may have", "characters, 128 are allowed",
	"which is not in it", "do not increase", "is not a time in seconds", "has no label that is named like it",
	"has a unit", "there are more than", "has _created and no value", "has more than",
}

// Protobuf alone: the oracle takes any number and a missing message for zero.
var stricterProtobuf = append([]string{
	"has no value of the type", "which is not one", "a timestamp has", "is damaged",
	"is not one of -4 to 8", "cannot be", "overlaps the one before", "is out of range", "and its buckets", "it mixes whole",
}, stricter...)

func seeds(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in testdata/%s: %v", pattern, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// differ parses data with both and compares. lax says whether an error of the
// oracle is one of those that we know of.
func differ(t *testing.T, format openmetrics.Format, data []byte, stricter []string, lax func(err error) bool) {
	families, err := format.Parse(data, openmetrics.Limits{})
	want, wantErr := oracle(format, data)
	switch {
	case err != nil && wantErr != nil:
	case err != nil:
		if narthex.KindOf(err) == 0 {
			t.Errorf("the error %q has no kind", err)
		}
		for _, s := range stricter {
			if strings.Contains(err.Error(), s) {
				return
			}
		}
		t.Errorf("we refuse what the oracle takes: %v", err)
	case wantErr != nil:
		if !lax(wantErr) {
			t.Errorf("we take what the oracle refuses: %v", wantErr)
		}
	default:
		compare(t, families, want, format == openmetrics.Protobuf)
	}
}

func FuzzText(f *testing.F) {
	seeds(f, "*.prom")
	f.Add([]byte(" \tA 0\n")) // the oracle takes the blanks for a part of the name
	f.Add([]byte("{\" \"}00\n"))
	for _, c := range textErrors {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// The oracle's lexer ends at a NUL, and for it a # without a blank
		// behind it begins a comment always.
		s := string(data)
		if strings.Contains(s, "\x00") || strings.Contains(s, "#HELP") || strings.Contains(s, "#TYPE") {
			return
		}
		differ(t, openmetrics.Text, data, stricter, laxer)
	})
}

func FuzzOpenMetrics(f *testing.F) {
	seeds(f, "*.om")
	f.Add([]byte("# TYPE a counter\na_total 1\n_created 0\n# EOF\n")) // the oracle drops _created
	for _, c := range openMetricsErrors {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// The oracle does not undo the escapes of exemplars' labels.
		if s := string(data); strings.Contains(s, "\x00") || strings.Contains(s, "# {") && strings.Contains(s, `\`) {
			return
		}
		differ(t, openmetrics.OpenMetrics, data, stricter, func(error) bool { return false })
	})
}

func FuzzProtobuf(f *testing.F) {
	for _, c := range protobufCases(f) {
		f.Add(c)
	}
	for _, text := range protobufErrors {
		f.Add(delimited(f, family(f, text.in)))
	}
	f.Add([]byte("7\n\tA00000000\x18\x04\"(:&A00000000\x1a\x12100000000100000000A00000000")) // zero_count_float alone
	f.Fuzz(func(t *testing.T, data []byte) {
		differ(t, openmetrics.Protobuf, data, stricterProtobuf, func(error) bool { return false })
	})
}

// FuzzRoundTrip reads data in each format and writes it in each: what is read
// back is what the format can carry.
func FuzzRoundTrip(f *testing.F) {
	seeds(f, "*.prom")
	seeds(f, "*.om")
	for _, c := range protobufCases(f) {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, in := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
			families, err := in.Parse(data, openmetrics.Limits{})
			if err != nil {
				continue
			}
			for _, out := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
				roundTrip(t, families, in, out)
			}
		}
	})
}

// roundTrip returns false if the format can't hold the families, so that
// nothing was compared.
func roundTrip(t *testing.T, families []openmetrics.Family, in, out openmetrics.Format) bool {
	t.Helper()
	want, ok := carried(families, in, out)
	if !ok {
		return false
	}
	var b bytes.Buffer
	if err := out.Write(&b, families); err != nil {
		t.Fatalf("writing %d: %v", out, err)
	}
	got, err := out.Parse(b.Bytes(), openmetrics.Limits{})
	if err != nil {
		t.Fatalf("reading back %d: %v\n%q", out, err, b.String())
	}
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.FilterPath(notInCounts, cmpopts.EquateEmpty()), cmp.FilterPath(inCounts, cmp.Comparer(near))); d != "" {
		t.Errorf("format %d to %d: want -, got +\n%s%q", in, out, d, b.String())
	}
	agree(t, got, out, b.String())
	return true
}

// agree demands that the oracle reads what we wrote as we do.
func agree(t *testing.T, families []openmetrics.Family, format openmetrics.Format, text string) {
	t.Helper()
	if strings.Contains(text, "\x00") || format == openmetrics.OpenMetrics && strings.Contains(text, "# {") && strings.Contains(text, `\`) {
		return
	}
	read, err := oracle(format, []byte(text))
	switch {
	case err == nil:
		compare(t, families, read, format == openmetrics.Protobuf)
	case format != openmetrics.Text || !laxer(err):
		t.Errorf("the oracle refuses what we wrote in format %d: %v\n%q", format, err, text)
	}
}

// laxer reports whether an error of the oracle is about what we take in text
// 0.0.4: a type in capitals or among blanks, or a signed time.
func laxer(err error) bool {
	return strings.Contains(err.Error(), "invalid metric type") || strings.Contains(err.Error(), "expected timestamp or new record")
}

// inCounts selects the counts of buckets: fractions may lose a last digit.
func inCounts(p cmp.Path) bool {
	f, ok := p.Last().(cmp.StructField)
	return ok && f.Name() == "Counts"
}

func notInCounts(p cmp.Path) bool { return !inCounts(p) }

func near(a, b []float64) bool {
	sum := 0.0
	for _, v := range a {
		sum += v
	}
	ok := len(a) == len(b)
	for i := 0; ok && i < len(a); i++ {
		ok = math.Abs(a[i]-b[i]) <= 1e-9*sum
	}
	return ok
}
