package openmetrics

import (
	"hash/maphash"
	"slices"

	"narthex"
)

// builder collects families and their metrics, finds a metric by its labels,
// and keeps the limits. All three parsers build through it.
type builder struct {
	limits   Limits
	families []Family
	names    map[string]int    // Family.Name -> its index in families
	slab     []narthex.Label   // from which the metrics' labels are cut
	samples  int               // flat series so far
	slots    int               // and their labels
	seed     maphash.Seed      // secret, so that nobody can make hashes meet
	seen     map[uint64]member // of families with more than few metrics

	// What is known of the metrics of the family that is being read.
	cur  int // its index in families; -1 if there is none
	open []state
	run  int // the metric whose points are in points; -1 if there is none
	// points are the buckets (bound, cumulative count) or the quantiles of run.
	points []Quantile
}

// member is a metric of a family, by indexes.
type member struct{ family, metric int }

// few metrics are searched one by one.
const few = 16

func newBuilder(limits Limits) *builder {
	return &builder{limits: limits.withDefaults(), names: map[string]int{}, cur: -1, run: -1}
}

// family adds a family.
func (b *builder) family(f Family) (int, error) {
	if len(b.families) >= b.limits.Families {
		return 0, narthex.Errorf(narthex.TooLarge, "there are more than %d metrics", b.limits.Families)
	}
	b.families = append(b.families, f)
	b.names[f.Name] = len(b.families) - 1
	return len(b.families) - 1, nil
}

// spend counts flat series that have n labels each.
func (b *builder) spend(series, n int) error {
	b.samples += series
	b.slots += series * (n + 2) // the name, and le or quantile
	if b.samples > b.limits.Samples {
		return narthex.Errorf(narthex.TooLarge, "there are more than %d samples", b.limits.Samples)
	}
	if b.slots > (b.limits.Samples+1)*slotsPerSample {
		return narthex.Errorf(narthex.TooLarge, "there are more than %d labels in all", b.limits.Samples*slotsPerSample)
	}
	return nil
}

// find returns the last metric of the current family with these labels, -1 if
// there is none.
func (b *builder) find(labels []narthex.Label) int {
	metrics := b.families[b.cur].Metrics
	last := len(metrics) - 1
	if last >= 0 && slices.Equal(labels, metrics[last].Labels) {
		return last
	}
	if len(metrics) > few {
		_, at := b.slot(labels)
		return at
	}
	for i := last - 1; i >= 0; i-- {
		if slices.Equal(labels, metrics[i].Labels) {
			return i
		}
	}
	return -1
}

// add adds a metric to the current family. It copies labels.
func (b *builder) add(labels []narthex.Label) *Metric {
	f := &b.families[b.cur]
	if len(f.Metrics) == 1 { // many have one; those with more rarely have two
		f.Metrics = slices.Grow(f.Metrics, 3)
	}
	f.Metrics = append(f.Metrics, Metric{Labels: b.keep(labels)})
	b.open = append(b.open, state{})
	n := len(f.Metrics)
	first := n - 1
	if n == few+1 {
		first = 0
	}
	for i := first; n > few && i < n; i++ {
		key, _ := b.slot(f.Metrics[i].Labels)
		b.seen[key] = member{b.cur, i}
	}
	return &f.Metrics[n-1]
}

// slot returns where in seen the labels are or belong, and the metric that is
// there, -1 if none.
func (b *builder) slot(labels []narthex.Label) (key uint64, metric int) {
	if b.seen == nil {
		b.seen, b.seed = map[uint64]member{}, maphash.MakeSeed()
	}
	const prime = 0x9e3779b97f4a7c15
	key = uint64(b.cur+1) * prime
	for _, l := range labels {
		key = (key ^ maphash.String(b.seed, l.Name)) * prime
		key = (key ^ maphash.String(b.seed, l.Value)) * prime
	}
	for ; ; key++ {
		m, ok := b.seen[key]
		if !ok {
			return key, -1
		}
		if m.family == b.cur && slices.Equal(labels, b.families[b.cur].Metrics[m.metric].Labels) {
			return key, m.metric
		}
	}
}

// keep returns a copy of labels, cut from the slab.
func (b *builder) keep(labels []narthex.Label) narthex.Labels {
	n := len(labels)
	if n == 0 {
		return nil
	}
	if cap(b.slab)-len(b.slab) < n {
		b.slab = make([]narthex.Label, 0, max(n, min(64+b.slots, 2048)))
	}
	start := len(b.slab)
	b.slab = append(b.slab, labels...)
	return narthex.Labels(b.slab[start:len(b.slab):len(b.slab)])
}

// enter makes f the current family, after the one before has been closed.
func (b *builder) enter(f int) {
	b.cur, b.run, b.open = f, -1, b.open[:0]
}

// describe names a metric of the current family for a message.
func (b *builder) describe(metric int) string {
	f := b.families[b.cur]
	return f.Type.String() + " " + clip(f.Metrics[metric].Labels.With(narthex.MetricName, f.Name).String())
}

// result returns the families that have metrics.
func (b *builder) result() ([]Family, error) {
	if err := b.clash(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(b.families, func(f Family) bool { return len(f.Metrics) == 0 }), nil
}

// clash finds a series that two families have: that of a histogram or summary,
// and a family named like it.
func (b *builder) clash() error {
	for _, f := range b.families {
		for _, suffix := range suffixes(f.Type) {
			if i, ok := b.names[f.Name+suffix]; ok && len(f.Metrics) > 0 && len(b.families[i].Metrics) > 0 {
				return narthex.Errorf(narthex.Invalid, "metric %q is also a series of the %s %q: rename one of them", clip(f.Name+suffix), f.Type, clip(f.Name))
			}
		}
	}
	return nil
}

// suffixes returns what the names of a family's series may have behind the
// family's name.
func suffixes(t narthex.Type) []string {
	switch t {
	case narthex.TypeHistogram:
		return []string{"_bucket", "_count", "_sum"}
	case narthex.TypeGaugeHistogram:
		return []string{"_bucket", "_gcount", "_gsum"}
	case narthex.TypeSummary:
		return []string{"_count", "_sum"}
	}
	return nil
}
