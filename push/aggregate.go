package push

import (
	"cmp"
	"fmt"
	"math"
	"net/http"

	"narthex"
	"narthex/internal/message"
	"narthex/openmetrics"
)

// aggregate is PUT and POST /aggregate/metrics/job/…: Pushgateway's requests,
// but what is pushed is added up. Counters, histograms and the _count and _sum
// of summaries are increments, all else is set. The answer is a receipt, which
// Pushgateway's clients ignore.
func (d *door) aggregate(w http.ResponseWriter, r *http.Request) {
	if !d.allowed(w, r, http.MethodPut, http.MethodPost) {
		d.Observe(http.StatusMethodNotAllowed, nil)
		return
	}
	source, err := sourceOf(r)
	var e *exposition
	if err == nil {
		e, err = d.expose(w, r, aggregatePrefix)
	}
	if err == nil {
		err = e.timeless()
	}
	if err != nil {
		d.refuse(w, r, DoorAggregate, err)
		return
	}
	e.regroup()
	e.batch.Cumulative = source
	p := &Push{Batch: e.batch}
	a := adder{names: d.Names, push: p, seen: make(map[string]bool)}
	for _, f := range e.families {
		a.add(f)
	}
	if source == "" {
		p.notice = func() string { return d.totals.watch(d.Logger, e.batch, e.key.labels) }
	}
	d.deliver(w, r, DoorAggregate, p)
}

// sourceOf returns the source whose totals are pushed, "" if they are
// increments. Clients that can't write a query say it in headers.
func sourceOf(r *http.Request) (string, error) {
	q := r.URL.Query()
	source := cmp.Or(q.Get("source"), r.Header.Get("X-Narthex-Source"))
	switch temporality := cmp.Or(q.Get("temporality"), r.Header.Get("X-Narthex-Temporality")); {
	case temporality != "" && temporality != "delta" && temporality != "cumulative":
		return "", narthex.Errorf(narthex.Invalid, "the parameter temporality is %s: want delta (what is pushed are increments) or cumulative (they are a source's totals so far)", message.Quote(temporality))
	case temporality == "cumulative" && source == "":
		return "", narthex.Errorf(narthex.Invalid, "totals need to be told apart by where they come from: add source=ID, with an ID that is the process's own, such as its host name and start time")
	case temporality != "cumulative" && source != "":
		return "", narthex.Errorf(narthex.Invalid, "the parameter source is only for totals: add temporality=cumulative, or leave it out for increments")
	}
	return source, checkID(source)
}

// adder makes the series of a batch that is added up.
type adder struct {
	names narthex.NameScheme
	push  *Push
	seen  map[string]bool // keys
	key   []byte          // scratch
}

// add adds a family. Each of a metric's series is taken or rejected alone; of a
// histogram, all together.
func (a *adder) add(f openmetrics.Family) {
	switch f.Type {
	case narthex.TypeHistogram:
		for _, m := range f.Metrics {
			s := narthex.Series{
				Labels: m.Labels.With(narthex.MetricName, f.Name), Type: f.Type, As: narthex.AsDelta,
				Family: f.Name, Unit: f.Unit, Help: f.Help, Exemplars: m.Exemplars,
				Samples: []narthex.Sample{{Start: m.Start, Histogram: m.Histogram}},
			}
			if s.Labels.Get("le") != "" {
				a.reject(s, fmt.Errorf("the path sets the label le, which histograms have of their own"))
				continue
			}
			a.take(s)
		}
	case narthex.TypeCounter:
		for _, s := range flat(f) {
			s.As = narthex.AsDelta
			a.take(s)
		}
	case narthex.TypeSummary:
		for _, s := range flat(f) {
			s.Family = ""
			if s.Type, s.As = narthex.TypeGauge, narthex.AsGauge; s.Labels.Get(narthex.MetricName) != f.Name {
				s.Type, s.As = narthex.TypeCounter, narthex.AsDelta
			}
			a.take(s)
		}
	default:
		for _, s := range flat(f) {
			s.As = narthex.AsGauge
			a.take(s)
		}
	}
}

// take adds a series to the batch, or rejects it.
func (a *adder) take(s narthex.Series) {
	err := checkSeries(a.names, s.Labels)
	switch {
	case err != nil:
	case s.As == narthex.AsDelta:
		err = checkIncrement(s.Samples[0])
	case s.Samples[0].Histogram != nil:
		err = fmt.Errorf("a native gauge histogram can't be set: push it to /metrics/job/…")
	}
	if a.key = s.Labels.AppendKey(a.key[:0]); err == nil && a.seen[string(a.key)] {
		err = fmt.Errorf("it is there twice once the path's labels are set: give the two different labels")
	}
	if err != nil {
		a.reject(s, err)
		return
	}
	a.seen[string(a.key)] = true
	a.push.Entries++
	a.push.Batch.Series = append(a.push.Batch.Series, s)
}

func (a *adder) reject(s narthex.Series, err error) {
	a.push.Entries++
	a.push.rejected++
	a.push.Batch.Reject(seriesText(s.Labels), err.Error())
}

// checkIncrement says what can't be added up.
func checkIncrement(x narthex.Sample) error {
	h := x.Histogram
	if h == nil {
		if !(x.Value >= 0) || math.IsInf(x.Value, 0) {
			return fmt.Errorf("the increment %v can't be added: a counter only goes up, by finite numbers", x.Value)
		}
		return nil
	}
	if h.Sum-h.Sum != 0 || h.Count-h.Count != 0 {
		return fmt.Errorf("its count is %v and its sum %v, which can't be added", h.Count, h.Sum)
	}
	total := h.ZeroCount
	for _, b := range []narthex.Buckets{h.Positive, h.Negative} {
		for _, n := range b.Counts {
			total += n
		}
	}
	if math.Abs(total-h.Count) > 1e-9*h.Count {
		return fmt.Errorf("its buckets hold %v of %v observations (those of NaN are in none), so they can't be added", total, h.Count)
	}
	return nil
}
