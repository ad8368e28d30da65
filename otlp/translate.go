package otlp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"narthex"
)

// Options say how requests are translated. The zero value is Prometheus's
// default. Those of Prometheus's own otlp section mean what they mean there.
type Options struct {
	Strategy                          Strategy
	PromoteResourceAttributes         []string
	KeepIdentifyingResourceAttributes bool
	PromoteScopeMetadata              bool
	ConvertHistogramsToNHCB           bool
	// Lookback is how far queries look back; target_info is written twice in it
	// (default 5m).
	Lookback time.Duration
	// Names says which names and lengths are allowed.
	Names narthex.NameScheme
	// Horizon is how long ids are remembered; an older increment is refused
	// (default 24h).
	Horizon time.Duration
	// MaxSeries bounds what a request unfolds to (default 200000).
	MaxSeries int
}

// Arrival is what the translation has to know of a request besides its body.
type Arrival struct {
	Time time.Time
	// Keyed says that the sender gave the request an id of its own, so that two
	// requests alike are not taken for one.
	Keyed bool
}

// Translation is what a request became.
type Translation struct {
	// Samples have their own times, each series exactly one but for
	// target_info. Deltas are increments.
	Samples, Deltas []narthex.Series
	// Rejected are the points that could not be translated: the first of them,
	// and how many more there are.
	Rejected []narthex.Rejection
	More     int
	// Warnings are sentences about what was taken all the same.
	Warnings []string

	points         int // that became series or nothing
	rejectedPoints int
	ofSample       []int32 // the point that each of Samples is of, -1 for none
	ofDelta        []int32
	sampleLabels   []narthex.Labels // see Hold
	deltaLabels    []narthex.Labels
}

// targetInfo is the metric that has a resource's attributes.
const targetInfo = "target_info"

// Translate makes series of a request. Everything wrong with single points is
// in the result; the error is of kind [narthex.TooLarge].
func (o Options) Translate(m *Metrics, at Arrival) (*Translation, error) {
	if o.Lookback <= 0 {
		o.Lookback = 5 * time.Minute
	}
	if o.Horizon <= 0 {
		o.Horizon = 24 * time.Hour
	}
	if o.MaxSeries <= 0 {
		o.MaxSeries = 200000
	}
	t := &translator{Options: o, at: at, out: new(Translation), names: make(map[string]labelName)}
	t.grow(m)
	for i := range m.Resources {
		if t.resource(&m.Resources[i]); t.err != nil {
			return nil, t.err
		}
	}
	t.out.points = int(t.point)
	return t.out, nil
}

// grow makes room for the series that a request will become.
func (t *translator) grow(m *Metrics) {
	samples, deltas := len(m.Resources), 0
	for i := range m.Resources {
		for j := range m.Resources[i].Scopes {
			for _, x := range m.Resources[i].Scopes[j].Metrics {
				n := len(x.Points)
				for k := range x.Points {
					if d := x.Points[k].Dist; d != nil && x.Temporality != Delta && !t.ConvertHistogramsToNHCB {
						n += len(d.Bounds) + len(d.Quantiles) + 2
					}
				}
				if x.Temporality == Delta {
					deltas += n
				} else {
					samples += n
				}
			}
		}
	}
	samples, deltas = min(samples, t.MaxSeries), min(deltas, t.MaxSeries)
	t.out.Samples, t.out.ofSample = make([]narthex.Series, 0, samples), make([]int32, 0, samples)
	t.out.Deltas, t.out.ofDelta = make([]narthex.Series, 0, deltas), make([]int32, 0, deltas)
}

// translator is one translation under way.
type translator struct {
	Options
	at  Arrival
	out *Translation
	err error

	names map[string]labelName
	// Of the resource.
	job, instance string
	promoted      []narthex.Label
	seenTargets   map[string]map[int64]bool // target_info's labels and times
	targets       int                       // its samples
	// Of the scope.
	scoped []narthex.Label
	// Of the metric.
	metric narthex.Series // what its series have in common
	family string
	delta  bool
	point  int32
	les    boundTexts

	scratch labelSet
	sorted  []Attribute
	labels  copies[narthex.Label]
	samples copies[narthex.Sample]
}

type labelName struct {
	name string
	err  error
}

func (t *translator) labelName(key string) (string, error) {
	n, ok := t.names[key]
	if !ok {
		n.name, n.err = t.Strategy.labelName(key)
		t.names[key] = n
	}
	return n.name, n.err
}

func (t *translator) resource(r *Resource) {
	t.job, t.instance = "", ""
	if name, ok := get(r.Attributes, "service.name"); ok {
		t.job = name
		if space, ok := get(r.Attributes, "service.namespace"); ok {
			t.job = space + "/" + name
		}
	}
	t.instance, _ = get(r.Attributes, "service.instance.id")
	err := tooMany("resource", r.Attributes)
	t.scratch.reset()
	for _, a := range r.Attributes {
		if err == nil && slices.Contains(t.PromoteResourceAttributes, a.Key) {
			var name string
			name, err = t.labelName(a.Key)
			t.scratch.set(name, a.Value)
		}
	}
	t.promoted = slices.Clone(t.scratch.ls)
	span := timeSpan{}
	for i := range r.Scopes {
		s := &r.Scopes[i]
		scopeErr := err
		if scopeErr == nil {
			scopeErr = t.scope(s)
		}
		for j := range s.Metrics {
			span.add(s.Metrics[j].Points)
			if t.translate(&s.Metrics[j], scopeErr); t.err != nil {
				return
			}
		}
	}
	if err == nil {
		t.target(r, span)
	}
}

// scope prepares the labels that a scope's metrics get.
func (t *translator) scope(s *Scope) error {
	t.scoped = nil
	if !t.PromoteScopeMetadata || s.Name == "" {
		return nil
	}
	if err := tooMany("scope", s.Attributes); err != nil {
		return err
	}
	t.scratch.reset()
	for _, a := range s.Attributes {
		name, err := t.labelName("otel_scope_" + a.Key)
		if err != nil {
			return err
		}
		t.scratch.set(name, a.Value)
	}
	t.scratch.dropEmpty()
	t.scratch.set("otel_scope_name", s.Name)
	t.scratch.set("otel_scope_version", s.Version)
	t.scratch.set("otel_scope_schema_url", s.SchemaURL)
	t.scoped = slices.Clone(t.scratch.ls)
	return nil
}

func tooMany(what string, attributes []Attribute) error {
	if len(attributes) > maxAttributes {
		return fmt.Errorf("its %s has %d attributes, the limit is %d", what, len(attributes), maxAttributes)
	}
	return nil
}

func get(attributes []Attribute, key string) (string, bool) {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value, true
		}
	}
	return "", false
}

// translate adds the series of a metric, or rejects its points for why.
func (t *translator) translate(m *Metric, why error) {
	if why == nil {
		why = t.describe(m)
	}
	for i := range m.Points {
		p := &m.Points[i]
		err := why
		var base narthex.Labels
		if err == nil {
			base, err = t.base(p)
		}
		if err == nil {
			err = t.add(m, p, base)
		}
		if err != nil {
			name := t.family
			if why != nil {
				name = m.Name
			}
			t.reject(name, base, err)
		}
		if t.point++; len(t.out.Samples)+len(t.out.Deltas) > t.MaxSeries {
			t.err = narthex.Errorf(narthex.TooLarge, "the request has more than %d series once its histograms are unfolded: send it in several (the batch processor's send_batch_max_size), or raise limits.series_per_push", t.MaxSeries)
			return
		}
	}
}

// maxRejected and maxWarnings are how many rejections and warnings are worded,
// maxText is how long the text of a series is, in bytes.
const (
	maxRejected = 200
	maxWarnings = 10
	maxText     = 512
)

func (t *translator) reject(name string, base narthex.Labels, why error) {
	if t.out.rejectedPoints++; len(t.out.Rejected) == maxRejected {
		t.out.More++
		return
	}
	text, size := name, 0
	for _, l := range base {
		size += len(l.Name) + len(l.Value)
	}
	if base != nil && size <= maxText {
		text = base.With(narthex.MetricName, name).String()
	}
	text = strings.ToValidUTF8(text[:min(len(text), 2*maxText)], "\ufffd")
	t.out.Rejected = append(t.out.Rejected, narthex.Rejection{Series: text, Reason: why.Error()})
}

// describe prepares what a metric's series have in common.
func (t *translator) describe(m *Metric) (err error) {
	sums := m.Kind == KindSum || m.Kind == KindHistogram || m.Kind == KindExponential
	if sums && m.Temporality == Unspecified {
		return fmt.Errorf("its aggregation temporality is unspecified: set cumulative or delta")
	}
	if t.delta = sums && m.Temporality == Delta; t.delta && m.Kind == KindSum && !m.Monotonic {
		return fmt.Errorf("it is an up-down counter with delta temporality, whose value nobody can know who missed one of its changes: set the exporter's temporality preference for up-down counters to cumulative, which is what the preferences delta and lowmemory do")
	}
	if t.family, err = t.Strategy.metricName(m); err != nil {
		return err
	}
	t.metric = narthex.Series{Type: typeOf(m), Unit: unitName(m.Unit), Help: m.Description}
	if t.delta {
		t.metric.As = narthex.AsDelta
	}
	return nil
}

func typeOf(m *Metric) narthex.Type {
	switch m.Kind {
	case KindSum:
		if m.Monotonic {
			return narthex.TypeCounter
		}
		return narthex.TypeGauge
	case KindHistogram, KindExponential:
		return narthex.TypeHistogram
	case KindSummary:
		return narthex.TypeSummary
	}
	return narthex.TypeGauge
}
