package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/ledger"
)

func labelsOf(name string, kv ...string) narthex.Labels {
	ls := []narthex.Label{{Name: narthex.MetricName, Value: name}}
	for i := 0; i < len(kv); i += 2 {
		ls = append(ls, narthex.Label{Name: kv[i], Value: kv[i+1]})
	}
	out, err := narthex.NewLabels(ls...)
	if err != nil {
		panic(err)
	}
	return out
}

// looked is a state as a test looks at it.
type looked struct{ s *ledger.State }

func must(s *ledger.State, err error) looked {
	if err != nil {
		panic(err)
	}
	return looked{s}
}

func (l looked) all() (out []string) {
	all, _ := l.s.Find(nil, 1000)
	for _, x := range all {
		out = append(out, fmt.Sprintf("%s %v\n", x.Labels, x.Value))
	}
	return out
}

func export(t testing.TB, s *ledger.State) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(&b, "test", epoch); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func imported(t testing.TB, text string) *ledger.State {
	t.Helper()
	s, err := ledger.Import(strings.NewReader(text), ledger.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fresh returns a state into which s was imported, through the log's encoding.
func fresh(t testing.TB, s *ledger.State, at time.Time, into *ledger.State) (*ledger.State, []narthex.Rejection) {
	t.Helper()
	entries, err := ledger.ImportEntries(s, at)
	if err != nil {
		t.Fatal(err)
	}
	var kept []narthex.Rejection
	for _, e := range entries {
		again, err := ledger.DecodeEntry(e.Encode())
		if err != nil {
			t.Fatal(err)
		}
		out, err := into.Fold(again, at.UnixMilli(), ledger.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, out.Rejected...)
	}
	return into, kept
}

// everything is a state of which nothing is missing: leads, minutes, a deleted
// and an ended series, a destination.
func everything(t testing.TB) (*ledger.State, time.Time) {
	s := full(t)
	p := ledger.Policy{Interval: 15 * time.Second, Horizon: time.Hour}
	now := epoch.Add(8 * time.Minute)
	s.Destinations("store", "slow")
	s.Took("store", s.LastTick(), p)
	e, err := ledger.NewEntry(&narthex.Batch{ID: "minutes", Received: now, Lateness: 2 * time.Minute, Series: []narthex.Series{
		{Labels: labelsOf("log_total"), Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Time: now.Add(-3 * time.Minute).UnixMilli(), Value: 2}, {Time: now.UnixMilli(), Value: 3}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fold(e, now.UnixMilli(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fold(entry(t, "late", 1, now, delta(t, "late_total", 3), gauge(t, "nan", math.NaN(), 0)), now.UnixMilli(), p); err != nil {
		t.Fatal(err)
	}
	edit(t, s, now, deleteEntry(t, now, labelsOf("g")))
	s.Tick(ledger.Grid(now.UnixMilli(), p.Interval), p)
	return s, now
}

// An export says all: what is imported of it exports the same, knows the same
// ids and writes the same samples, for as long as one looks.
func TestExportRoundTrip(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second, Horizon: time.Hour}
	s, now := everything(t)
	first := export(t, s)
	for _, part := range []string{`"narthex_ledger"`, `"group":{"labels"`, `"sources":[`, `"minutes":{`, `"lead":{`, `"ids":{`, `"histogram":{`, `"destinations":{"slow":`, `"end":{`} {
		if !strings.Contains(first, part) {
			t.Errorf("the export has no %s", part)
		}
	}
	again := imported(t, first)
	if d := cmp.Diff(first, export(t, again)); d != "" {
		t.Fatalf("(-exported +imported)\n%s", d)
	}
	restored, kept := fresh(t, again, now, ledger.NewState())
	if len(kept) > 0 {
		t.Fatalf("left out: %v", kept)
	}
	series, ids := s.Sizes()
	series2, ids2 := restored.Sizes()
	if series2 != series || ids2 < ids {
		t.Errorf("%d series and %d ids became %d and %d", series, ids, series2, ids2)
	}
	for i := range 8 {
		for _, id := range []string{string(rune('a' + i)), "totals" + string(rune('a'+i)), "group" + string(rune('a'+i))} {
			at, ok := s.Lookup(ledger.NewID("", id), s.LastTick())
			if at2, ok2 := restored.Lookup(ledger.NewID("", id), s.LastTick()); !ok || !ok2 || at != at2 {
				t.Errorf("%s: written %d, known %v; after the import %d, %v", id, at, ok, at2, ok2)
			}
		}
	}
	for range 500 { // beyond the end of idle series
		now = now.Add(15 * time.Second)
		at := ledger.Grid(now.UnixMilli(), p.Interval)
		_, v1 := s.Tick(at, p)
		_, v2 := restored.Tick(at, p)
		l1, _ := s.For("slow", v1)
		l2, _ := restored.For("slow", v2)
		if d := cmp.Diff(text(sorted(l1), sorted(v1)), text(sorted(l2), sorted(v2))); d != "" {
			t.Fatalf("at %s (-exported +imported)\n%s", now, d)
		}
		s.Took("store", at, p)
		restored.Took("store", at, p)
	}
}

func sorted(in []narthex.Series) []narthex.Series {
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(a, b narthex.Series) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
	return out
}

// Merging leaves what is there alone and takes the rest.
func TestImportMerges(t *testing.T) {
	s, now := everything(t)
	text := export(t, s)
	into := ledger.NewState()
	p := ledger.Policy{Interval: 15 * time.Second}
	fold(t, into, p, now, 1, delta(t, "t_total", 1))
	grouped(t, into, p, now, narthex.GroupReplace, 0, gauge(t, "own", 1, 0))
	into, kept := fresh(t, imported(t, text), now, into)
	names := map[string]bool{}
	for _, k := range kept {
		names[k.Series] = true
	}
	if !names["t_total"] || names["c_total"] {
		t.Errorf("left out: %v", kept)
	}
	if all, _ := into.Find(func(ls narthex.Labels) bool { return ls.Get("__name__") == "t_total" }, 2); len(all) != 1 || all[0].Value != 1 {
		t.Errorf("t_total is %v", all)
	}
	if all, _ := into.Find(func(ls narthex.Labels) bool { return ls.Get("__name__") == "late_total" }, 2); len(all) != 1 || all[0].Value != 3 {
		t.Errorf("late_total is %v", all)
	}
	again, err := ledger.Decode(into.Encode())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := into.Sizes()
	if b, _ := again.Sizes(); a != b {
		t.Errorf("%d series, encoded %d", a, b)
	}
}

// A backup of a running ledger restores a new directory, which goes on as the
// old one would have: no sample is written twice with another value, no id is
// forgotten.
func TestBackupAndRestore(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	for i := range 50 {
		write(t, l, c, fmt.Sprint("a", i), delta(t, "c_total", 1), observe(t, "h", "1, 2", 0.5), gauge(t, "g", float64(i), 0))
		c.add(5 * time.Second)
		tick(t, l)
	}
	s, err := l.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	text := export(t, s)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Snapshot(context.Background()); narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("of a closed ledger: %v", err)
	}
	o := options(t, filepath.Join(t.TempDir(), "new"), st, c)
	stopped, err := ledger.OpenStopped(context.Background(), o, true)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ledger.ImportEntries(imported(t, text), c.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if kept, err := stopped.Edit(context.Background(), e); err != nil || len(kept) > 0 {
			t.Fatal(err, kept)
		}
	}
	if err := stopped.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	for i := range 50 {
		b := &narthex.Batch{ID: fmt.Sprint("a", i), Received: c.Now(), Series: []narthex.Series{delta(t, "c_total", 1)}}
		if err := l.Write(context.Background(), b); err != nil || !b.Duplicate {
			t.Errorf("a%d counts again (%v)", i, err)
		}
	}
	write(t, l, c, "b", delta(t, "c_total", 1))
	c.add(15 * time.Second)
	tick(t, l)
	if st.last("c_total") != 51 || st.resets("c_total") != 0 || st.last("h_count") != 50 {
		t.Errorf("c_total %v, %d resets, h_count %v", st.last("c_total"), st.resets("c_total"), st.last("h_count"))
	}
}

// State that older versions wrote is read, exports, and imports.
func TestUpgrade(t *testing.T) {
	path := filepath.Join("testdata", "state-v2.bin")
	if *update {
		s, _ := everything(t)
		if err := os.WriteFile(path, s.Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]int{"state-v1.bin": 8, "state-v2.bin": 11} { // of the ids only those that are in no segment are in there
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ledger.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := s.LoadSegments(func(string) ([]byte, error) { return nil, errors.New("this one has none") }); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		text := export(t, s)
		if d := cmp.Diff(text, export(t, imported(t, text))); d != "" {
			t.Errorf("%s (-exported +imported)\n%s", file, d)
		}
		if series, ids := s.Sizes(); series != want || ids < 6 {
			t.Errorf("%s has %d series, %d ids; want %d series", file, series, ids, want)
		}
		if all, _ := s.Find(func(ls narthex.Labels) bool { return ls.Get("__name__") == "c_total" }, 2); len(all) != 1 || all[0].Value != 12 || all[0].Help != "Things." {
			t.Errorf("%s: c_total is %+v", file, all)
		}
	}
}

// An older narthex takes what a newer one exports as far as it knows it, and
// says what it does not know.
func TestRollback(t *testing.T) {
	s, _ := everything(t)
	text := export(t, s)
	newer := strings.Replace(text, `"type":"counter"`, `"type":"counter","colour":"red"`, 1)
	newer = strings.Replace(newer, "\n{\"series\"", "\n{\"weather\":{\"rain\":true}}\n{\"series\"", 1)
	_, err := ledger.Import(strings.NewReader(newer), ledger.ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), `"weather"`) || !strings.Contains(err.Error(), "--ignore-unknown") {
		t.Errorf("%v", err)
	}
	_, err = ledger.Import(strings.NewReader(strings.Replace(text, `"type":"counter"`, `"type":"counter","colour":"red"`, 1)), ledger.ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), `"colour"`) {
		t.Errorf("%v", err)
	}
	got, err := ledger.Import(strings.NewReader(newer), ledger.ImportOptions{IgnoreUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text, export(t, got)); d != "" {
		t.Error(d)
	}
	for change, want := range map[[2]string]string{
		{`"format":1`, `"format":2`}:                                             "use the newer narthex",
		{`{"end":{`, `{"series":{"labels":{}}}` + "\n" + `{"end":{`}:             "metric name",
		{`"type":"counter"`, `"type":"spoon"`}:                                   "not known",
		{`"value":12`, `"value":-12`}:                                            "neither negative",
		{`"wrote":12}`, `"wrote":"NaN"}`}:                                        "neither negative",
		{`"at":1800000420000,"value":70}`, `"at":1800000420000,"value":"-Inf"}`}: "is no total",
		{`"count":2,"sum":3.5,`, `"count":-2,"sum":3.5,`}:                        "a histogram with count -2",
		{`"value":12`, `"value":"12"`}:                                           "no number that has to be a string",
		{`"__name__":"t_total"`, `"__name__":"h_count"`}:                         "the ledger keeps",
		{`"last_tick":`, `"last_tick":-`}:                                        "no time",
		{`"positive_counts":[`, `"positive_counts":[1,`}:                         "do not fit",
	} {
		if _, err := ledger.Import(strings.NewReader(strings.Replace(text, change[0], change[1], 1)), ledger.ImportOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", change, err, want)
		}
	}
	lines := strings.SplitAfter(text, "\n")
	for name, lines := range map[string][]string{"cut off": lines[:len(lines)-2], "a part of it is missing": slices.Delete(slices.Clone(lines), 3, 4), "empty": nil, "begin as an export": lines[1:], "after its end": append(slices.Clone(lines), lines[2])} {
		if _, err := ledger.Import(strings.NewReader(strings.Join(lines, "")), ledger.ImportOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ledger.ImportEntries(s, epoch); err == nil || !strings.Contains(err.Error(), "ahead of the clock") {
		t.Errorf("%v", err)
	}
}

func FuzzImport(f *testing.F) {
	s, _ := everything(f)
	text := export(f, s)
	f.Add(text)
	for line := range strings.Lines(text) {
		f.Add(strings.SplitAfter(text, "\n")[0] + line)
	}
	f.Add(`{"narthex_ledger":{"format":1}}` + "\n" + `{"series":{"labels":{"__name__":"x"},"type":"counter","value":1e308}}` + "\n" + `{"end":{"series":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ledger.Import(strings.NewReader(text), ledger.ImportOptions{})
		if err != nil {
			if narthex.KindOf(err) != narthex.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		first := export(t, s)
		if again := export(t, imported(t, first)); again != first {
			t.Fatalf("exported\n%s\nthen\n%s", first, again)
		}
		at := time.UnixMilli(1 << 52)
		restored, _ := fresh(t, s, at, ledger.NewState())
		if _, err := ledger.Decode(restored.Encode()); err != nil {
			t.Fatal(err)
		}
		fold(t, restored, ledger.Policy{}, at, 1, delta(t, "c_total", 1))
		restored.Tick(ledger.Grid(at.UnixMilli(), 15*time.Second), ledger.Policy{})
	})
}
