package scrape

import (
	"context"
	"time"

	"narthex"
	"narthex/openmetrics"
)

// mostSeries is how many series a batch has at most; a scrape that has more is
// several.
const mostSeries = 50_000

// scrape does one scrape, stamped with the time at.
func (t *target) scrape(ctx context.Context, at time.Time) {
	s := t.scraper
	ms := at.UnixMilli()
	begun := time.Now()
	families, err := t.fetch(ctx)
	took := time.Since(begun)
	if err != nil && ctx.Err() != nil {
		return // narthex stops: this says nothing of the target
	}
	r, err := t.outcome(families, ms, err)
	s.scrapes.Add(1)
	if err != nil {
		s.failures.Add(1)
	}
	t.tell(err, at, took, &r)
	series := append(r.series, t.gone(r.current, ms)...)
	series = append(series, t.report(&r, err == nil, took, ms)...)
	t.previous = r.current
	t.write(ctx, series)
}

// outcome makes series of what was fetched. A scrape that fails has none, so that
// those of the one before end.
func (t *target) outcome(families []openmetrics.Family, at int64, err error) (result, error) {
	if err != nil {
		return result{}, err
	}
	r, err := t.collect(families, at)
	if err != nil {
		r.series, r.current, r.added = nil, nil, 0
	}
	if r.duplicates > 0 {
		t.scraper.o.Logger.Warn("relabelling gives series of a target the same labels; one of each is kept", "job", t.job.Name, "target", t.labels.Get("instance"), "series", r.duplicates)
	}
	return r, err
}

// tell notes how the scrape went. A failure is logged when it is new.
func (t *target) tell(err error, at time.Time, took time.Duration, r *result) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	log := t.scraper.o.Logger.With("job", t.job.Name, "target", t.labels.Get("instance"))
	switch {
	case text != "" && text != t.warned:
		log.Warn("a scrape failed", "err", err)
	case text == "" && t.warned != "":
		log.Info("the target is scraped again")
	}
	t.warned = text
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Up, t.status.Err, t.status.Last, t.status.Duration, t.status.Samples = err == nil, err, at, took, r.scraped
}

// patience is how long the sink may take before the next scrape is due.
func (t *target) patience() time.Duration {
	return min(max(t.interval*2/3, time.Second), 10*time.Second)
}

// write hands the series to the sink. It is finished also while narthex stops.
func (t *target) write(ctx context.Context, series []narthex.Series) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.patience())
	defer cancel()
	s := t.scraper
	for len(series) > 0 {
		n := min(len(series), mostSeries)
		b := &narthex.Batch{Received: s.o.Now(), Series: series[:n:n]}
		series = series[n:]
		if err := s.o.Sink.Write(ctx, b); err != nil {
			s.lost.Add(1)
			s.o.Logger.Error("the samples of a scrape could not be kept", "job", t.job.Name, "target", t.labels.Get("instance"), "err", err)
			return
		}
		if n := len(b.Rejected); n > 0 {
			s.o.Logger.Warn("samples of a scrape were rejected", "job", t.job.Name, "target", t.labels.Get("instance"), "samples", n, "first", b.Rejected[0].Series, "reason", b.Rejected[0].Reason)
		}
	}
}
