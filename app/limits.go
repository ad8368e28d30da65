package app

import (
	"maps"
	"net/http"
	"slices"

	"narthex"
	"narthex/config"
	"narthex/internal/reply"
	"narthex/pipeline"
)

// NewLimiter returns what bounds the senders. What was taken before, as known
// tells by a push's identity and id, goes on as it is; known may be nil.
func NewLimiter(c *config.Config, known func(identity, id string) bool) *pipeline.Limiter {
	most := seriesPerPush(&c.Limits)
	o := pipeline.LimiterOptions{
		Default:     senderLimits(c.Limits.SenderLimits, most),
		Identities:  make(map[string]pipeline.Limits),
		SourceLabel: c.Limits.SourceLabel,
		Fold:        c.Limits.Overflow.Action == "other",
		FoldLabels:  c.Limits.Overflow.Labels,
		Keep:        forcedLabels(c.Auth),
		Idle:        c.Ledger.Idle,
		MaxSeries:   2 * c.Limits.Series,
		Known:       known,
	}
	for identity := range c.Limits.Identities {
		o.Identities[identity] = senderLimits(c.Limits.Of(identity), most)
	}
	return pipeline.NewLimiter(o)
}

// senderLimits returns a sender's limits. Of the series of a push the doors take
// as many as most, by their own count (OTLP's points make several series), so
// only less is the limiter's to say.
func senderLimits(s config.SenderLimits, most int) pipeline.Limits {
	if s.SeriesPerPush == most {
		s.SeriesPerPush = 0
	}
	return pipeline.Limits{
		SeriesPerPush: s.SeriesPerPush, SeriesPerSource: s.SeriesPerSource, Series: s.SeriesPerIdentity,
		Pushes: s.PushesPerSecond, Samples: s.SamplesPerSecond,
		SourcePushes: s.SourcePushesPerSecond, SourceSamples: s.SourceSamplesPerSecond,
		Burst: s.Burst,
	}
}

// seriesPerPush is what the doors allow: the most that any sender may push.
func seriesPerPush(l *config.Limits) int {
	most := l.SeriesPerPush
	for identity := range l.Identities {
		most = max(most, l.Of(identity).SeriesPerPush)
	}
	return most
}

// forcedLabels are the labels that some identity forces on its series. They say
// who sent a series, and are never folded into others.
func forcedLabels(c config.Auth) []string {
	names := make(map[string]bool)
	add := func(labels narthex.Labels) {
		for _, l := range labels {
			names[l.Name] = true
		}
	}
	for _, t := range c.Tokens {
		add(t.Labels)
	}
	for _, u := range c.Users {
		add(u.Labels)
	}
	for _, i := range c.OIDC {
		for name := range i.Labels {
			names[name] = true
		}
	}
	for _, g := range c.Gateway {
		for name := range g.Labels {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// NewTimePolicy returns what changes samples' times.
func NewTimePolicy(c *config.Config) *pipeline.TimePolicy {
	var rules []pipeline.TimeRule
	for _, r := range c.Push.Time {
		rules = append(rules, pipeline.TimeRule{
			Match: r.Match, Identity: r.Identity, Policy: pipeline.Policy(r.Policy), MaxAge: r.MaxAge, MaxFuture: r.MaxFuture,
		})
	}
	return pipeline.NewTimePolicy(rules)
}

// mostUsages is how many senders and sources the status names.
const mostUsages = 1000

// limitStatus is GET /api/v1/status/limits.
func limitStatus(l *pipeline.Limiter) http.HandlerFunc {
	type answer struct {
		Status string                 `json:"status"`
		Data   pipeline.LimiterStatus `json:"data"`
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		reply.JSON(w, http.StatusOK, answer{"success", l.Status(mostUsages)})
	}
}

// deliver makes each request one delivery, also if it has several batches.
func deliver(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(pipeline.Delivery(r.Context())))
	})
}
