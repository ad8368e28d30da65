package pipeline

import (
	"strings"

	"narthex/internal/stats"
)

// reason is the limit that was reached, by its setting's name.
type reason string

const (
	reasonPush          reason = "series_per_push"
	reasonSource        reason = "series_per_source"
	reasonIdentity      reason = "series_per_identity"
	reasonMemory        reason = "series"
	reasonPushes        reason = "pushes_per_second"
	reasonSamples       reason = "samples_per_second"
	reasonSourcePushes  reason = "source_pushes_per_second"
	reasonSourceSamples reason = "source_samples_per_second"
)

// setting returns what the limit is called in the configuration.
func (r reason) setting() string { return "limits." + string(r) }

// noun returns what a rate is of.
func (r reason) noun() string {
	noun, _, _ := strings.Cut(strings.TrimPrefix(string(r), "source_"), "_")
	return noun
}

// outcome is what became of what was over a limit.
type outcome string

const (
	wasLimited  outcome = "limited" // a push, refused
	wasFolded   outcome = "folded"  // a series
	wasRejected outcome = "rejected"
)

// tally counts what was over a limit.
type tally struct {
	limited, folded, rejected uint64
	lastOver                  int64 // when the last of them was, ms
}

func (t *tally) add(what outcome, now int64) {
	t.lastOver = now
	switch what {
	case wasLimited:
		t.limited++
	case wasFolded:
		t.folded++
	case wasRejected:
		t.rejected++
	}
}

// count notes what became of something that was over a limit; s may be nil.
func (l *Limiter) count(id *identity, s *source, why reason, what outcome) {
	id.add(what, l.now)
	if s != nil {
		s.add(what, l.now)
	}
	name := l.metrics.names[id.name]
	if name == "" {
		if name = id.name; len(l.metrics.names) >= maxNames {
			name = tooMany
		} else {
			l.metrics.names[id.name] = name
		}
	}
	if what == wasLimited {
		l.metrics.pushes(name, string(why)).Add(1)
		return
	}
	l.metrics.series(name, string(why), string(what)).Add(1)
}

// maxNames is how many senders the metrics name.
const maxNames = 100

type limiterMetrics struct {
	names          map[string]string
	pushes, series func(values ...string) *stats.Counter
	suspects       func(values ...string) *stats.Counter
}

// Register registers the limiter's metrics. It is called before the first
// batch.
func (l *Limiter) Register(s *stats.Set) {
	l.metrics = limiterMetrics{
		names:    make(map[string]string),
		pushes:   s.CounterVec("narthex_limited_pushes_total", "Pushes refused because of a limit, by who sent them and which limit.", "identity", "reason"),
		series:   s.CounterVec("narthex_limited_series_total", "New series beyond a limit, by who sent them, which limit, and whether they were folded into others or rejected.", "identity", "reason", "action"),
		suspects: s.CounterVec("narthex_suspect_labels_total", "Labels of pushes whose values look like ids, by what they look like.", "kind"),
	}
	s.GaugeFunc("narthex_limiter_active_series", "Series that were pushed lately, of all senders.", func() float64 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return float64(l.series)
	})
}
