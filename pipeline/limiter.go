package pipeline

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"narthex"
	"narthex/internal/stats"
)

// Limits bound one sender. Zero is no limit.
type Limits struct {
	// SeriesPerPush is how many series one push may have.
	SeriesPerPush int
	// SeriesPerSource and Series are how many series may be active: of each of
	// the sender's sources, and of all of them.
	SeriesPerSource, Series int
	// Pushes and Samples are how many may come each second, SourcePushes and
	// SourceSamples the same for each source.
	Pushes, Samples             float64
	SourcePushes, SourceSamples float64
	// Burst is for how long what was not used is saved up (default 10s).
	Burst time.Duration
}

// LimiterOptions say what a [Limiter] limits.
type LimiterOptions struct {
	// Default holds for senders that Identities does not name.
	Default    Limits
	Identities map[string]Limits
	// SourceLabel is the label whose value is a series' source (default
	// service); where it is missing, job is.
	SourceLabel string
	// Fold lets increments of series beyond a limit be counted under the value
	// "other" of FoldLabels; all else beyond is rejected. Without FoldLabels all
	// labels are folded but the name, the source, job, le and those in Keep.
	Fold       bool
	FoldLabels []string
	Keep       []string
	// Idle is after how long without a push a series is no longer active
	// (default 1h).
	Idle time.Duration
	// Known reports whether the sender's push with the id was taken before. It
	// then goes on as it is, for whoever remembers it to say so.
	Known func(identity, id string) bool
	// MaxSeries bounds the series that are told apart, of all senders (default
	// 2,000,000; each takes about 30 bytes). A new one beyond is over the limit of
	// whoever has one.
	MaxSeries int
}

// Limiter limits senders. A sender is a batch's identity; its sources are the
// values of a label. It keeps in memory which series were active lately, as
// hashes, so that a restart forgives; nothing is kept of a batch.
//
// A series is new if it was not pushed within Idle. Only new series are counted
// against a limit, so that a sender at its limit goes on with those it has. A
// series beyond is rejected by name, or its increments are folded into "other":
// sums stay right. A group is taken whole or not at all.
//
// A rate that is passed is an error of kind [narthex.Limited] that says when to
// try again. A push larger than what can be saved up is taken when all of that
// is there, and its excess is waited for afterwards.
type Limiter struct {
	o    LimiterOptions
	seed maphash.Seed

	mu         sync.Mutex // guards all below
	identities map[string]*identity
	sources    map[sourceKey]*source
	series     int    // of all
	now        int64  // the latest arrival, ms
	gen        uint32 // which eighth of Idle now is in
	pass       uint64 // the number of this admission
	behind     []*source
	key        []byte    // scratch
	due        []*source // scratch
	found      []place   // scratch
	suspected  map[suspectKey]SuspectLabel
	metrics    limiterMetrics
}

// What is told apart of senders, at most: what comes beyond shares one.
const (
	maxIdentities = 10_000
	maxSources    = 20_000
)

// NewLimiter returns a limiter.
func NewLimiter(o LimiterOptions) *Limiter {
	o.SourceLabel = cmp.Or(o.SourceLabel, "service")
	o.Idle = cmp.Or(o.Idle, time.Hour)
	o.MaxSeries = cmp.Or(o.MaxSeries, 2_000_000)
	o.Keep = slices.Compact(slices.Sorted(slices.Values(append([]string{o.SourceLabel, "job"}, o.Keep...))))
	if o.Known == nil {
		o.Known = func(string, string) bool { return false }
	}
	l := &Limiter{o: o, seed: maphash.MakeSeed(), identities: make(map[string]*identity), sources: make(map[sourceKey]*source), suspected: make(map[suspectKey]SuspectLabel)}
	l.Register(new(stats.Set))
	return l
}

// Before returns the stage that limits what is written to next. The stages of
// one limiter share its counts.
func (l *Limiter) Before(next narthex.Sink) narthex.Sink {
	return narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error { return l.write(ctx, b, next) })
}

func (l *Limiter) write(ctx context.Context, b *narthex.Batch, next narthex.Sink) error {
	if b.Totals || b.Group != nil && b.Group.Op == narthex.GroupDelete {
		return next.Write(ctx, b) // the ledger's own, or nothing that could grow
	}
	known := b.ID != "" && l.o.Known(b.Identity, b.ID)
	before := len(b.Series)
	folds, err := l.admit(b, known, deliveryOf(ctx))
	if err != nil || before > 0 && len(b.Series) == 0 {
		return err
	}
	told := len(b.Rejected)
	err = next.Write(ctx, b)
	folds.explain(b, told)
	return err
}

// admit takes the batch's series that are over no limit, and returns what it
// folded.
func (l *Limiter) admit(b *narthex.Batch, known bool, d *delivery) (folds, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass++
	l.advance(b.Received.UnixMilli())
	id := l.identity(b.Identity)
	id.last = l.now
	if err := l.rates(id, b, d.begun); err != nil {
		return folds{}, err
	}
	if d.begun = true; known {
		return folds{}, nil
	}
	if most := id.limits.SeriesPerPush; most > 0 && len(b.Series) > most {
		l.count(id, nil, reasonPush, wasLimited)
		return folds{}, narthex.Errorf(narthex.TooLarge, "the push has %d series, the limit of this sender is %d (%s): send it in several", len(b.Series), most, reasonPush.setting())
	}
	a := admission{l: l, id: id, b: b}
	if b.Group != nil {
		return folds{}, a.group()
	}
	a.series()
	a.suspects.warn(l, b)
	return a.folds, nil
}
