package test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
	"narthex/remotewrite"
)

func remoteClient(t testing.TB, url string, change func(*remotewrite.Options)) *remotewrite.Client {
	t.Helper()
	o := remotewrite.Options{URL: url, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	c, err := remotewrite.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func remoteBatch(series ...narthex.Series) *narthex.Batch { return &narthex.Batch{Series: series} }

func remoteSample(name string, at time.Time, v float64, extra ...narthex.Label) narthex.Series {
	ls, err := narthex.NewLabels(append(extra, narthex.Label{Name: narthex.MetricName, Value: name})...)
	if err != nil {
		panic(err)
	}
	return narthex.Series{Labels: ls, Samples: []narthex.Sample{{Time: at.UnixMilli(), Value: v}}}
}

// statuses counts what a receiver answers.
type statuses struct {
	mu sync.Mutex
	n  map[int]int
}

func (s *statuses) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		s.mu.Lock()
		s.n[resp.StatusCode]++
		s.mu.Unlock()
	}
	return resp, err
}

// load is a ledger that is pushed to, on a clock of its own, and what it should
// say.
type load struct {
	t      testing.TB
	ledger *ledger.Ledger
	now    atomic.Int64 // ms
	r      *rand.Rand
	truth  map[string]float64 // by name{n}
	ids    int
}

func newLoad(t testing.TB, sink narthex.Sink, start time.Time) *load {
	t.Helper()
	l := &load{t: t, r: rand.New(rand.NewPCG(1, 2)), truth: map[string]float64{}}
	l.now.Store(start.UnixMilli())
	var err error
	l.ledger, err = ledger.Open(context.Background(), ledger.Options{
		Dir: t.TempDir(), Sink: sink, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(l.now.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.ledger.Close() })
	return l
}

// push pushes to each of n series with a chance: counters, a tenth of them
// gauges, and the classic histograms that make up the rest.
func (l *load) push(n int, chance float64) {
	l.t.Helper()
	b := &narthex.Batch{ID: fmt.Sprint(l.ids), Received: time.UnixMilli(l.now.Load())}
	l.ids++
	add := func(name string, i int, s narthex.Series) {
		s.Labels = narthex.Labels{{Name: narthex.MetricName, Value: name}, {Name: "instance", Value: fmt.Sprintf("function-%d.example", i%7)}, {Name: "n", Value: strconv.Itoa(i)}}
		b.Series = append(b.Series, s)
	}
	for i := range n {
		if l.r.Float64() > chance {
			continue
		}
		switch v := float64(1 + l.r.IntN(9)); {
		case i%10 == 9:
			l.truth["load_gauge"+strconv.Itoa(i)] = v / 4
			add("load_gauge", i, narthex.Series{Type: narthex.TypeGauge, As: narthex.AsGauge, Samples: []narthex.Sample{{Value: v / 4}}})
		case i%200 == 0:
			l.truth["load_seconds_count"+strconv.Itoa(i)] += 3
			l.truth["load_seconds_sum"+strconv.Itoa(i)] += 3.5
			h := narthex.Layout{Bounds: []float64{0.5, 1, 2}}.Histogram([]float64{0.25, 1, 2.25})
			add("load_seconds", i, narthex.Series{Type: narthex.TypeHistogram, As: narthex.AsDelta, Samples: []narthex.Sample{{Histogram: h}}})
		default:
			l.truth["load_total"+strconv.Itoa(i)] += v
			add("load_total", i, narthex.Series{Type: narthex.TypeCounter, Help: "What was done.", As: narthex.AsDelta, Samples: []narthex.Sample{{Value: v}}})
		}
	}
	if err := l.ledger.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
		l.t.Fatal(err, b.Rejected)
	}
}

// tick lets the interval pass and ticks.
func (l *load) tick(ctx context.Context, interval time.Duration) error {
	l.now.Add(interval.Milliseconds())
	return l.ledger.Tick(ctx)
}

// check compares each series of the receiver with the truth.
func (l *load) check(rc receiver) {
	l.t.Helper()
	at := time.UnixMilli(l.now.Load())
	got := map[string]float64{}
	for _, r := range rc.query(l.t, `{__name__=~"load_(total|gauge|seconds_count|seconds_sum)"}`, at) {
		key := r.Metric["__name__"] + r.Metric["n"]
		if _, twice := got[key]; twice {
			l.t.Errorf("%s is there twice", key)
		}
		got[key], _ = strconv.ParseFloat(r.Value.v, 64)
	}
	if !maps.Equal(got, l.truth) {
		wrong := 0
		for key, want := range l.truth {
			if have, ok := got[key]; !ok || have != want {
				if wrong++; wrong < 5 {
					l.t.Errorf("%s is %v (stored: %t), the truth is %v", key, have, ok, want)
				}
			}
		}
		l.t.Errorf("%d series are stored, %d of %d are wrong", len(got), wrong, len(l.truth))
	}
	for _, name := range []string{"load_total", "load_seconds_bucket", "load_seconds_count", "load_seconds_sum"} {
		expr := "sum(resets(" + name + "[4h]))"
		if r := rc.query(l.t, expr, at); len(r) != 1 || r[0].Value.v != "0" {
			l.t.Errorf("%s is %v", expr, r)
		}
	}
}

// TestLoadOnReceivers: series for five minutes of ticks, on each receiver.
// Nothing is refused, and each series says the truth.
func TestLoadOnReceivers(t *testing.T) {
	series, ticks := scaled(10_000, 1_500), scaled(20, 6)
	for name, start := range startReceiver() {
		t.Run(name, func(t *testing.T) {
			rc := start(t)
			st := &statuses{n: map[int]int{}}
			c := remoteClient(t, rc.write, func(o *remotewrite.Options) { o.Transport = st })
			l := newLoad(t, c, time.Now().Add(-30*time.Minute))
			for i := range ticks {
				l.push(series, map[bool]float64{true: 1, false: 0.3}[i == 0])
				l.push(series, 0.3)
				if err := l.tick(context.Background(), 15*time.Second); err != nil {
					t.Fatal(err)
				}
			}
			l.check(rc)
			for status, n := range st.n {
				if status/100 != 2 {
					t.Errorf("%d answers of %d", n, status)
				}
			}
			s := c.Stats()
			t.Logf("%d requests, %d samples, %.1f bytes a sample, %d fallbacks", s.Requests, s.Samples, float64(s.Bytes)/float64(s.Samples), s.Fallbacks)
			if rc.native {
				checkNative(t, rc, c, time.UnixMilli(l.now.Load()))
			}
		})
	}
}

// checkNative writes a native histogram and its end, which may be said in two ways.
func checkNative(t *testing.T, rc receiver, c *remotewrite.Client, at time.Time) {
	t.Helper()
	h := narthex.Layout{}.Histogram([]float64{0.1, 0.2, 0.4, 3})
	s := remoteSample("native_seconds", at, 0)
	s.Type, s.Samples[0].Histogram = narthex.TypeHistogram, h
	if err := c.Write(context.Background(), remoteBatch(s)); err != nil {
		t.Fatal(err)
	}
	if got := rc.query(t, "histogram_count(native_seconds)", at); len(got) != 1 || got[0].Value.v != "4" {
		t.Errorf("histogram_count: %v", got)
	}
	gone := narthex.StaleMarker()
	for i, end := range []narthex.Sample{{Value: gone}, {Histogram: &narthex.Histogram{Schema: 3, Sum: gone}}} {
		s := remoteSample(fmt.Sprint("native_seconds_", i), at, 0)
		s.Samples[0].Histogram = h
		s.Samples = append(s.Samples, end)
		s.Samples[1].Time = at.Add(time.Second).UnixMilli()
		if err := c.Write(context.Background(), remoteBatch(s)); err != nil {
			t.Fatal(err)
		}
		name := s.Labels.Get(narthex.MetricName)
		if before, after := rc.query(t, name, at), rc.query(t, name, at.Add(time.Second)); len(before) != 1 || len(after) != 0 {
			t.Errorf("end %d: before it %v, after it %v", i, before, after)
		}
	}
}

// TestPoisonOnReceivers: 2,000 good series and three bad ones in one batch.
func TestPoisonOnReceivers(t *testing.T) {
	t.Parallel()
	for name, start := range startReceiver() {
		for _, v := range []remotewrite.Version{0, remotewrite.V1} {
			t.Run(name+" "+v.String(), func(t *testing.T) {
				rc := start(t)
				c := remoteClient(t, rc.write, func(o *remotewrite.Options) { o.Version, o.MaxSamples = v, 5000 })
				at := time.Now().Add(-10 * time.Second).Truncate(time.Second) // VictoriaMetrics does not show the last second
				bad := func(n string, at time.Time, v float64) narthex.Series {
					return remoteSample("bad", at, v, narthex.Label{Name: "n", Value: n})
				}
				write := func(b *narthex.Batch) {
					t.Helper()
					if err := c.Write(context.Background(), b); err != nil {
						t.Fatal(err)
					}
				}
				write(remoteBatch(bad("duplicate", at, 1), bad("old", at, 1), bad("older", at, 1)))
				var series []narthex.Series
				for i := range 2000 {
					series = append(series, remoteSample("good", at, float64(i), narthex.Label{Name: "n", Value: strconv.Itoa(i)}))
				}
				series = slices.Insert(series, 1, bad("duplicate", at, 2))
				series = slices.Insert(series, 1500, bad("old", at.Add(-3*time.Hour), 2), bad("older", at.Add(-4*time.Hour), 2))
				b := remoteBatch(series...)
				write(b)
				if got := rc.query(t, "count(good)", at); len(got) != 1 || got[0].Value.v != "2000" {
					t.Errorf("good series: %v", got)
				}
				if got := rc.query(t, "sum(good)", at); len(got) != 1 || got[0].Value.v != "1999000" {
					t.Errorf("their sum: %v", got)
				}
				var rejected []string
				for _, r := range b.Rejected {
					rejected = append(rejected, r.Series)
					if !strings.Contains(r.Reason, "refused the sample at ") {
						t.Errorf("reason: %s", r.Reason)
					}
				}
				slices.Sort(rejected)
				if want := []string{`bad{n="duplicate"}`, `bad{n="old"}`, `bad{n="older"}`}; rc.refuses && !slices.Equal(rejected, want) || !rc.refuses && len(rejected) > 0 {
					t.Errorf("rejected: %v", b.Rejected)
				}
				t.Logf("%d requests, of these %d to find the bad ones", c.Stats().Requests, c.Stats().Searches)
			})
		}
	}
}
