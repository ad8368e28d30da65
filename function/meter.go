package function

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"narthex"
)

// meter counts what an instance of the function does, until it is written with
// what others push. Instances come and go by the hundred, so there are no series
// of each: counts are increments, which add up over all, and what can't be added
// up says what the instance saw that told it last. All series bear the
// function's name and its region.
type meter struct {
	labels narthex.Labels
	now    func() time.Time

	mu      sync.Mutex
	counts  map[string]*reading
	gauges  map[string]*reading
	pending *narthex.Batch // told, but perhaps not taken
	told    time.Time      // when it was last tried
}

type reading struct {
	labels narthex.Labels
	value  float64
}

// every is how often an instance tells.
const every = time.Minute

// identitySelf is the sender of what the function tells of itself.
const identitySelf = "narthex:function"

func newMeter(o Options) *meter {
	m := &meter{now: o.Now, counts: make(map[string]*reading), gauges: make(map[string]*reading)}
	for name, variable := range map[string]string{"function": "AWS_LAMBDA_FUNCTION_NAME", "region": "AWS_REGION"} {
		if value := o.Getenv(variable); value != "" {
			m.labels = m.labels.With(name, value)
		}
	}
	return m
}

// add adds to a counter.
func (m *meter) add(name string, v float64, labels ...narthex.Label) {
	if v <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reading(m.counts, name, labels).value += v
}

// max sets a gauge, unless it was set to more since it was told.
func (m *meter) max(name string, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.reading(m.gauges, name, nil)
	r.value = max(r.value, v)
}

func (m *meter) reading(in map[string]*reading, name string, labels []narthex.Label) *reading {
	key := name
	for _, l := range labels {
		key += "\x00" + l.Value
	}
	r := in[key]
	if r == nil {
		r = &reading{labels: m.labels.With(narthex.MetricName, name)}
		for _, l := range labels {
			r.labels = r.labels.With(l.Name, l.Value)
		}
		in[key] = r
	}
	return r
}

// due reports whether it is time to tell.
func (m *meter) due() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now().Sub(m.told) >= every
}

// tell writes what was counted. A batch that was perhaps taken is written again
// as it was, under its id, before anything else is.
func (m *meter) tell(ctx context.Context, sink narthex.Sink, log *slog.Logger) {
	b := m.batch()
	if b == nil {
		return
	}
	err := sink.Write(ctx, b)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && !narthex.IsRejected(err) {
		log.WarnContext(ctx, "the function's own counts are not written; they are tried again", "err", err)
		return
	}
	m.pending = nil
}

// batch returns what there is to tell, nil if there is nothing.
func (m *meter) batch() *narthex.Batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = m.now()
	if m.pending == nil && len(m.counts)+len(m.gauges) > 0 {
		b := &narthex.Batch{ID: rand.Text(), Identity: identitySelf, Received: m.told}
		for _, key := range slices.Sorted(maps.Keys(m.counts)) {
			b.Series = append(b.Series, series(m.counts[key], narthex.TypeCounter, narthex.AsDelta))
		}
		for _, key := range slices.Sorted(maps.Keys(m.gauges)) {
			b.Series = append(b.Series, series(m.gauges[key], narthex.TypeGauge, narthex.AsGauge))
		}
		m.counts, m.gauges, m.pending = make(map[string]*reading), make(map[string]*reading), b
	}
	if m.pending == nil {
		return nil
	}
	out := *m.pending // whoever writes it may change it
	out.Series = narthex.CloneSeries(out.Series)
	return &out
}

func series(r *reading, t narthex.Type, as narthex.As) narthex.Series {
	return narthex.Series{Labels: r.labels, Type: t, As: as, Samples: []narthex.Sample{{Value: r.value}}}
}
