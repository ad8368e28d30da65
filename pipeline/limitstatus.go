package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// LimiterStatus is what a limiter knows of its senders.
type LimiterStatus struct {
	// Series are all that are active, MaxSeries how many are told apart.
	Series    int `json:"series"`
	MaxSeries int `json:"max_series"`
	// Identities and Sources are how many there are.
	Identities int `json:"identities"`
	Sources    int `json:"sources"`
	// Senders and Top are the identities and the sources with the most series.
	Senders []Usage `json:"by_identity"`
	Top     []Usage `json:"by_source"`
	// Suspects are labels whose values look like ids, those that were seen last
	// first.
	Suspects []SuspectLabel `json:"suspect_labels"`
}

// SuspectLabel is a label that makes a series of each of its values.
type SuspectLabel struct {
	Identity string    `json:"identity"`
	Label    string    `json:"label"`
	Kind     string    `json:"kind"`    // what its values look like: uuid, timestamp…
	Example  string    `json:"example"` // a value
	Metric   string    `json:"metric"`  // of a series that has it
	Series   uint64    `json:"series"`  // that were new with it, since the start
	Last     time.Time `json:"last"`
}

// Usage is what one sender, or one of its sources, uses of its limits.
type Usage struct {
	Identity string `json:"identity"`
	Source   string `json:"source,omitempty"`
	// Series are active now, Limit how many may be (0: no limit). Folded into
	// are those of Series that stand for others.
	Series     int `json:"series"`
	FoldedInto int `json:"folded_into,omitempty"`
	Limit      int `json:"limit"`
	// PushesPerSecond and SamplesPerSecond are the rates that hold, 0 is none.
	PushesPerSecond  float64 `json:"pushes_per_second"`
	SamplesPerSecond float64 `json:"samples_per_second"`
	// Limited counts pushes that were refused, Folded and Rejected series, since
	// the start or since the sender was last forgotten.
	Limited  uint64 `json:"limited"`
	Folded   uint64 `json:"folded"`
	Rejected uint64 `json:"rejected"`
	// Last is when something last came, LastOver when something was last over a
	// limit.
	Last     time.Time `json:"last,omitzero"`
	LastOver time.Time `json:"last_over,omitzero"`
}

// Status returns what the limiter knows of the senders and sources with the
// most series, at most so many of each.
func (l *Limiter) Status(most int) LimiterStatus {
	l.mu.Lock()
	out := LimiterStatus{Series: l.series, MaxSeries: l.o.MaxSeries, Identities: len(l.identities), Sources: len(l.sources),
		Senders: make([]Usage, 0, len(l.identities)), Top: make([]Usage, 0, len(l.sources))}
	for _, id := range l.identities {
		u := Usage{Identity: id.name, Series: id.series, Limit: id.limits.Series,
			PushesPerSecond: id.limits.Pushes, SamplesPerSecond: id.limits.Samples, Last: when(id.last)}
		out.Senders = append(out.Senders, u.with(&id.tally))
	}
	for _, s := range l.sources {
		u := Usage{Identity: s.id.name, Source: s.name, Series: len(s.seen) + len(s.other), FoldedInto: len(s.other), Limit: s.id.limits.SeriesPerSource,
			PushesPerSecond: s.id.limits.SourcePushes, SamplesPerSecond: s.id.limits.SourceSamples, Last: when(s.last)}
		out.Top = append(out.Top, u.with(&s.tally))
	}
	out.Suspects = slices.AppendSeq(make([]SuspectLabel, 0, len(l.suspected)), maps.Values(l.suspected))
	l.mu.Unlock()
	slices.SortFunc(out.Suspects, func(a, b SuspectLabel) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Label, b.Label))
	})
	for _, list := range []*[]Usage{&out.Senders, &out.Top} {
		slices.SortFunc(*list, func(a, b Usage) int {
			return cmp.Or(b.Series-a.Series, cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Source, b.Source))
		})
		*list = (*list)[:min(len(*list), most)]
	}
	return out
}

func (u Usage) with(t *tally) Usage {
	u.Limited, u.Folded, u.Rejected, u.LastOver = t.limited, t.folded, t.rejected, when(t.lastOver)
	return u
}

func when(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
