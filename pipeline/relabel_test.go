package pipeline_test

import (
	"context"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"narthex"
	"narthex/pipeline"
)

var actions = []string{"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"}

// both takes labels through Prometheus's relabelling and ours.
func both(t *testing.T, ls narthex.Labels, steps []pipeline.Relabel) {
	t.Helper()
	var base []promlabels.Label
	for _, l := range ls {
		base = append(base, promlabels.Label{Name: l.Name, Value: l.Value})
	}
	var configs []*relabel.Config
	for _, s := range steps {
		re := s.Regex.String()
		c := &relabel.Config{
			Separator: s.Separator, Regex: relabel.MustNewRegexp(re[len("^(?s:") : len(re)-len(")$")]), Modulus: s.Modulus, TargetLabel: s.TargetLabel,
			Replacement: s.Replacement, Action: relabel.Action(s.Action), NameValidationScheme: model.UTF8Validation,
		}
		for _, name := range s.SourceLabels {
			c.SourceLabels = append(c.SourceLabels, model.LabelName(name))
		}
		configs = append(configs, c)
	}
	b := promlabels.NewBuilder(promlabels.New(base...))
	wantKeep := relabel.ProcessBuilder(b, configs...)
	var want narthex.Labels
	if wantKeep {
		b.Labels().Range(func(l promlabels.Label) { want = append(want, narthex.Label{Name: l.Name, Value: l.Value}) })
	}
	before := append(narthex.Labels(nil), ls...)
	got, keep := pipeline.Process(ls, steps)
	if keep != wantKeep || len(got)+len(want) > 0 && !cmp.Equal(want, got) {
		t.Errorf("%v by %+v:\n got %v %v\nwant %v %v", ls, steps, keep, got, wantKeep, want)
	}
	if !cmp.Equal(before, append(narthex.Labels(nil), ls...)) {
		t.Errorf("the labels given were changed: %v to %v", before, ls)
	}
}

func FuzzRelabel(f *testing.F) {
	f.Add(uint64(1), "(.*)", "a", "$1", ";", uint64(3))
	f.Add(uint64(2), "([^-]+)-(\\d+)", "x_${1}", "$2", "-", uint64(1<<40))
	f.Add(uint64(3), "__meta_(.+)", "b", "$1", "", uint64(7))
	f.Add(uint64(4), "", "", "", ";", uint64(1))
	f.Add(uint64(5), "a|b", "ü", "x$0", "\n", uint64(2))
	f.Fuzz(func(t *testing.T, seed uint64, expr, target, replacement, separator string, modulus uint64) {
		re, err := regexp.Compile("^(?s:" + expr + ")$")
		if _, alone := regexp.Compile(expr); err != nil || alone != nil || modulus == 0 || len(expr) > 50 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		names := []string{"__meta_a", "__name__", "a", "b", "c", target}
		values := []string{"", "up", "host-12", "Ünï", replacement, "a;b"}
		var ls []narthex.Label
		for _, name := range names[:5] {
			ls = append(ls, narthex.Label{Name: name, Value: values[r.IntN(len(values))]})
		}
		in, err := narthex.NewLabels(ls...)
		if err != nil {
			t.Fatal(err)
		}
		var steps []pipeline.Relabel
		for range 1 + r.IntN(4) {
			s := pipeline.Relabel{Separator: separator, Regex: re, Modulus: modulus, TargetLabel: names[r.IntN(len(names))], Replacement: replacement, Action: actions[r.IntN(len(actions))]}
			if s.TargetLabel == "" && s.Action != "replace" || s.Action == "labelmap" && !validUTF8(replacement) {
				return // neither configuration allows it
			}
			for range r.IntN(3) {
				s.SourceLabels = append(s.SourceLabels, names[r.IntN(len(names))])
			}
			steps = append(steps, s)
		}
		both(t, in, steps)
	})
}

func validUTF8(s string) bool { return model.UTF8Validation.IsValidLabelName(s) }

// TestRelabelAsPrometheus runs the fuzz target's idea over many seeds, so that
// each run of the tests sees all actions.
func TestRelabelAsPrometheus(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	exprs := []string{"(.*)", "a|b", "([a-z]+)-(.*)", "__meta_(.+)", "", ".+", "(?i)UP"}
	targets := []string{"a", "new", "x_$1", "${2}", "__name__", "__tmp"}
	replacements := []string{"$1", "", "x", "$2-$1", "${1}y"}
	names := []string{"__name__", "__meta_b", "__meta_a", "a", "b", "new"}
	values := []string{"", "up", "UP", "host-12", "a;b", "x"}
	for range 20000 {
		var ls []narthex.Label
		for _, name := range names[:5] {
			ls = append(ls, narthex.Label{Name: name, Value: values[r.IntN(len(values))]})
		}
		in, err := narthex.NewLabels(ls...)
		if err != nil {
			t.Fatal(err)
		}
		var steps []pipeline.Relabel
		for range 1 + r.IntN(4) {
			s := pipeline.Relabel{
				Separator: []string{";", "", "--"}[r.IntN(3)], Regex: regexp.MustCompile("^(?s:" + exprs[r.IntN(len(exprs))] + ")$"), Modulus: 1 + r.Uint64N(9),
				TargetLabel: targets[r.IntN(len(targets))], Replacement: replacements[r.IntN(len(replacements))], Action: actions[r.IntN(len(actions))],
			}
			if s.Action == "labelmap" && s.Replacement == "" {
				s.Replacement = "$1"
			}
			for range r.IntN(3) {
				s.SourceLabels = append(s.SourceLabels, names[r.IntN(len(names))])
			}
			steps = append(steps, s)
		}
		if both(t, in, steps); t.Failed() {
			return
		}
	}
}

func TestOutlet(t *testing.T) {
	var got *narthex.Batch
	next := narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		b.Reject("x", "why")
		got = b
		return nil
	})
	o := &pipeline.Outlet{
		External: narthex.Labels{{Name: "env", Value: "prod"}, {Name: "region", Value: "eu"}},
		Relabel: []pipeline.Relabel{{SourceLabels: []string{"__name__"}, Separator: ";", Regex: regexp.MustCompile("^(?s:debug_.*)$"), Action: "drop"},
			{Regex: regexp.MustCompile("^(?s:pod)$"), Action: "labeldrop"}},
		Next: next,
	}
	series := func(s string) narthex.Series {
		return narthex.Series{Labels: narthex.Labels{{Name: "__name__", Value: s}, {Name: "env", Value: "test"}, {Name: "pod", Value: "1"}}, Samples: []narthex.Sample{{Time: 1, Value: 2}}}
	}
	b := &narthex.Batch{ID: "1", Totals: true, Series: []narthex.Series{series("debug_x"), series("up")}}
	if err := o.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if len(got.Series) != 1 || got.Series[0].Labels.String() != `up{env="test",region="eu"}` || !got.Totals || got.ID != "1" {
		t.Errorf("got %+v", got)
	}
	if len(b.Rejected) != 1 || len(b.Series) != 2 || b.Series[1].Labels.Get("pod") != "1" {
		t.Errorf("the batch became %+v", b)
	}
}
