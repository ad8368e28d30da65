package otlp

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"narthex"
)

// add adds the series of a point to the translation.
func (t *translator) add(m *Metric, p *Point, base narthex.Labels) error {
	if err := t.checkTime(p); err != nil {
		return err
	}
	if t.delta && p.NoValue {
		return nil // no increment; the ledger ends its series by itself
	}
	if p.Dist == nil {
		return t.number(m, p, base)
	}
	wide := base // the widest of the series, to be checked for all
	switch {
	case m.Kind == KindSummary && len(p.Dist.Quantiles) > 0:
		wide = t.with(base, t.family+"_count", "quantile", "0.5")
	case m.Kind == KindSummary:
		wide = t.with(base, t.family+"_count", "", "")
	case m.Kind == KindHistogram && !t.ConvertHistogramsToNHCB:
		wide = t.with(base, t.family+"_bucket", "le", "+Inf")
	}
	if err := t.Names.Check(wide); err != nil {
		return err
	}
	switch m.Kind {
	case KindExponential:
		return t.exponential(p, base)
	case KindSummary:
		t.summary(p, base)
		return nil
	}
	if t.delta || t.ConvertHistogramsToNHCB {
		return t.bounded(p, base)
	}
	t.classic(p, base)
	return nil
}

// checkTime refuses a point whose time says that it must not be counted.
func (t *translator) checkTime(p *Point) error {
	switch age := t.at.Time.Sub(time.Unix(0, int64(min(p.Time, math.MaxInt64)))); {
	case p.Time == 0 && !t.delta:
		return fmt.Errorf("it has no time: set timeUnixNano")
	case p.Time == 0 && !t.at.Keyed:
		return fmt.Errorf("it is an increment without a time, so that the next one alike would be taken for a retry: set timeUnixNano, or the header Idempotency-Key")
	case p.Time != 0 && t.delta && age > t.Horizon:
		return fmt.Errorf("it is an increment of %s, longer ago than the horizon of %s: a retry this late could not be recognised, so it is refused",
			time.Unix(0, int64(p.Time)).UTC().Format(time.RFC3339), t.Horizon)
	}
	return nil
}

// emit adds a series with one sample.
func (t *translator) emit(labels narthex.Labels, p *Point, value float64, h *narthex.Histogram, exemplars []narthex.Exemplar) {
	s := t.metric
	s.Labels, s.Exemplars = labels, exemplars
	if s.Type == narthex.TypeHistogram && h == nil || s.Type == narthex.TypeSummary {
		s.Family = t.family
	}
	x := [1]narthex.Sample{{Time: ms(p.Time), Start: ms(p.Start), Value: value, Histogram: h}}
	if t.delta { // counted at its arrival, like all increments
		x[0].Time, x[0].Start = 0, 0
	}
	if p.NoValue && h == nil {
		x[0].Value = narthex.StaleMarker()
	}
	s.Samples = t.samples.of(x[:])
	if t.delta {
		t.out.Deltas, t.out.ofDelta = append(t.out.Deltas, s), append(t.out.ofDelta, t.point)
	} else {
		t.out.Samples, t.out.ofSample = append(t.out.Samples, s), append(t.out.ofSample, t.point)
	}
}

func ms(nanoseconds uint64) int64 { return int64(nanoseconds) / 1e6 }

func (t *translator) number(m *Metric, p *Point, base narthex.Labels) error {
	if t.delta && !(p.Value >= 0 && p.Value <= math.MaxFloat64) {
		return fmt.Errorf("the increment %v can't be added: a counter only goes up, by finite numbers", p.Value)
	}
	var exemplars []narthex.Exemplar
	if m.Kind == KindSum {
		exemplars = exemplarsOf(p)
	}
	t.emit(t.with(base, t.family, "", ""), p, p.Value, nil, exemplars)
	return nil
}

func (t *translator) summary(p *Point, base narthex.Labels) {
	t.emit(t.with(base, t.family+"_sum", "", ""), p, p.Dist.Sum, nil, nil)
	t.emit(t.with(base, t.family+"_count", "", ""), p, float64(p.Dist.Count), nil, nil)
	for _, q := range p.Dist.Quantiles {
		t.emit(t.with(base, t.family, "quantile", strconv.FormatFloat(q.Quantile, 'f', -1, 64)), p, q.Value, nil, nil)
	}
}

// classic adds a histogram's series of buckets, and its count and sum.
func (t *translator) classic(p *Point, base narthex.Labels) {
	if p.Dist.HasSum {
		t.emit(t.with(base, t.family+"_sum", "", ""), p, p.Dist.Sum, nil, nil)
	}
	t.emit(t.with(base, t.family+"_count", "", ""), p, float64(p.Dist.Count), nil, nil)
	exemplars := exemplarsOf(p)
	name, total := t.family+"_bucket", uint64(0)
	les := t.les.of(p.Dist.Bounds)
	for i, bound := range p.Dist.Bounds {
		if i == len(p.Dist.Counts) {
			break
		}
		total += p.Dist.Counts[i]
		n := 0 // exemplars come in the order of their values
		for n < len(exemplars) && !(exemplars[n].Value > bound) {
			n++
		}
		t.emit(t.with(base, name, "le", les[i]), p, float64(total), nil, exemplars[:n:n])
		exemplars = exemplars[n:]
	}
	t.emit(t.with(base, name, "le", "+Inf"), p, float64(p.Dist.Count), nil, exemplars)
}

// bounded adds an explicit histogram as one series, for those that add up or
// store them so.
func (t *translator) bounded(p *Point, base narthex.Labels) error {
	d := p.Dist
	h := &narthex.Histogram{Schema: narthex.CustomBounds, Count: float64(d.Count), Sum: d.Sum, Bounds: slices.Clone(d.Bounds)}
	h.Positive.Counts = make([]float64, len(d.Bounds)+1)
	switch {
	case p.NoValue:
		h.Count, h.Sum = 0, narthex.StaleMarker()
	case len(d.Counts) == 0 && len(d.Bounds) == 0:
		h.Positive.Counts[0] = h.Count
	case len(d.Counts) != len(d.Bounds)+1:
		return fmt.Errorf("it has %d buckets and %d bounds: want one bucket more than bounds", len(d.Counts), len(d.Bounds))
	default:
		for i, n := range d.Counts {
			h.Positive.Counts[i] = float64(n)
		}
	}
	for i, b := range d.Bounds {
		if b-b != 0 || i > 0 && b <= d.Bounds[i-1] {
			return fmt.Errorf("its bounds do not rise at %v, or are no finite numbers", b)
		}
	}
	return t.histogram(p, base, h)
}

// histogram adds a series of histograms.
func (t *translator) histogram(p *Point, base narthex.Labels, h *narthex.Histogram) error {
	if t.delta {
		if err := addable(h); err != nil {
			return err
		}
	}
	t.emit(t.with(base, t.family, "", ""), p, 0, h, exemplarsOf(p))
	return nil
}

// addable says why an increment can't be added up.
func addable(h *narthex.Histogram) error {
	if h.Sum-h.Sum != 0 {
		return fmt.Errorf("its sum is %v, which can't be added", h.Sum)
	}
	total := h.ZeroCount
	for _, b := range []narthex.Buckets{h.Positive, h.Negative} {
		for _, n := range b.Counts {
			total += n
		}
	}
	if math.Abs(total-h.Count) > 1e-9*h.Count {
		return fmt.Errorf("its buckets hold %v of %v observations, so they can't be added", total, h.Count)
	}
	return nil
}

// boundTexts are the values of le for the bounds that were last asked for:
// usually the same ones point after point.
type boundTexts struct {
	bounds []float64
	texts  []string
}

func (b *boundTexts) of(bounds []float64) []string {
	if !slices.Equal(b.bounds, bounds) {
		b.bounds, b.texts = bounds, make([]string, len(bounds))
		for i, v := range bounds {
			b.texts[i] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return b.texts
}
