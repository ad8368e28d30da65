package pipeline_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/internal/stats"
	"narthex/pipeline"
)

// at returns milliseconds after the arrival.
func at(d time.Duration) int64 { return began.Add(d).UnixMilli() }

func exactly(expr string) *regexp.Regexp { return regexp.MustCompile("^(?s:" + expr + ")$") }

func TestTimePolicy(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	samples := func(times ...int64) (out []narthex.Sample) {
		for i, x := range times {
			out = append(out, narthex.Sample{Time: x, Value: float64(i)})
		}
		return out
	}
	for name, c := range map[string]struct {
		policy  pipeline.Policy
		as      narthex.As
		in      []narthex.Sample
		want    []narthex.Sample
		warning string
	}{
		"keep":      {"keep", narthex.AsSample, samples(at(-9*h), at(9*h)), samples(at(-9*h), at(9*h)), ""},
		"now":       {"now", narthex.AsSample, samples(at(-9 * h)), samples(at(0)), `the time policy "now" changed 1 times by up to 9h0m0s; the first is of x{service="shop"}`},
		"now many":  {"now", narthex.AsSample, samples(at(m), at(-m), 0), samples(at(0), at(-2*m), 0), "changed 2 times by up to 1m0s"},
		"now right": {"now", narthex.AsSample, samples(at(0)), samples(at(0)), ""},
		"now start": {"now", narthex.AsSample,
			[]narthex.Sample{{Time: at(h), Start: at(0)}}, []narthex.Sample{{Time: at(0), Start: at(-h)}}, "changed 1"},
		"now gauge": {"now", narthex.AsGauge, samples(at(-h)), samples(at(0)), "changed 1"},
		"delta":     {"now", narthex.AsDelta, samples(at(-h)), samples(at(-h)), ""},
		"clamp": {"clamp", narthex.AsSample, samples(at(-h), at(-m), 0, at(0), at(10*s), at(h)),
			[]narthex.Sample{{Value: 2}, {Time: at(-10 * m)}, {Time: at(-m), Value: 1}, {Time: at(0), Value: 3}, {Time: at(10 * s), Value: 5}},
			"changed 2 times by up to 59m50s; the first is of x{service=\"shop\"}; 1 samples were dropped"},
		"clamp order": {"clamp", narthex.AsSample, samples(at(-2*h), at(-3*h)), []narthex.Sample{{Time: at(-10 * m)}}, "1 samples were dropped"},
		"clamp start": {"clamp", narthex.AsSample,
			[]narthex.Sample{{Time: at(h), Start: at(m)}}, []narthex.Sample{{Time: at(10 * s), Start: at(10 * s)}}, "changed 1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipeline.NewTimePolicy([]pipeline.TimeRule{
				{Match: map[string]*regexp.Regexp{"service": exactly("other")}, Policy: pipeline.Keep},
				{Match: map[string]*regexp.Regexp{"service": exactly("shop")}, Identity: exactly("me"), Policy: c.policy, MaxAge: 10 * m, MaxFuture: 10 * s},
			})
			var set stats.Set
			p.Register(&set)
			sink := p.Before(sinkOf(func(*narthex.Batch) {}))
			series := func(service string) narthex.Series {
				return narthex.Series{Labels: labels(t, "x", "service", service), As: c.as, Samples: append([]narthex.Sample(nil), c.in...)}
			}
			b := batch(0, series("shop"), series("other"), series(""))
			b.Identity = "me"
			write(t, sink, b)
			if d := cmp.Diff(c.want, b.Series[0].Samples); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			for _, i := range []int{1, 2} {
				if d := cmp.Diff(c.in, b.Series[i].Samples); d != "" {
					t.Errorf("no rule is for series %d\n%s", i, d)
				}
			}
			if got := strings.Join(b.Warnings, "|"); !strings.Contains(got, c.warning) || (c.warning == "") != (got == "") {
				t.Errorf("warning %q, want %q", got, c.warning)
			}
			var text strings.Builder
			set.WriteTo(&text)
			if counted := strings.Contains(text.String(), `narthex_time_policy_changed_total{policy="`+string(c.policy)+`"}`); counted != (c.warning != "") {
				t.Errorf("metrics:\n%s", text.String())
			}
			b = batch(0, series("shop"))
			b.Identity = "you"
			write(t, sink, b)
			if d := cmp.Diff(c.in, b.Series[0].Samples); d != "" {
				t.Errorf("the rule is for another sender\n%s", d)
			}
		})
	}
}

func TestTimePolicyExemplars(t *testing.T) {
	for policy, want := range map[pipeline.Policy][2]int64{
		pipeline.Now:   {at(0), at(-time.Hour - time.Minute)},
		pipeline.Clamp: {at(-time.Minute), at(-time.Minute)},
	} {
		s := pipeline.NewTimePolicy([]pipeline.TimeRule{{Policy: policy, MaxAge: time.Minute}}).Before(sinkOf(func(*narthex.Batch) {}))
		delta := increment(labels(t, "d"), 1)
		delta.Exemplars = []narthex.Exemplar{{Time: at(-2 * time.Hour)}, {}}
		sample := narthex.Series{Labels: labels(t, "s"), Exemplars: []narthex.Exemplar{{Time: at(-2 * time.Hour)}},
			Samples: []narthex.Sample{{Time: at(-59 * time.Minute), Histogram: &narthex.Histogram{}}}}
		b := batch(0, delta, sample)
		write(t, s, b)
		if got := b.Series[0].Exemplars; got[0].Time != want[0] || got[1].Time != 0 {
			t.Errorf("%s: exemplars of increments %v", policy, got)
		}
		if got := b.Series[1].Exemplars[0].Time; got != want[1] {
			t.Errorf("%s: exemplar of a sample at %v", policy, time.UnixMilli(got).Sub(began))
		}
	}
}
