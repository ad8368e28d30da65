package pipeline

import (
	"context"
	"regexp"
	"slices"
	"time"

	"narthex"
	"narthex/internal/stats"
)

// Policy says whose clock a sample's time is.
type Policy string

// The policies.
const (
	// Keep leaves times as they are.
	Keep Policy = "keep"
	// Now moves a series' samples so that the newest has the time of arrival;
	// the others keep their distance from it. Of one sample it is the arrival
	// itself.
	Now Policy = "now"
	// Clamp brings a time that is too old or too far ahead to the nearest one
	// that is not. Of several samples of a series that would get one time, the
	// newest is kept.
	Clamp Policy = "clamp"
)

// TimeRule says which policy holds for the series that it matches.
type TimeRule struct {
	// Match has, by label name, what the label's value must match; a label that
	// is absent has the value "". All must match; none matches every series.
	Match map[string]*regexp.Regexp
	// Identity is what the sender's identity must match, nil is any.
	Identity *regexp.Regexp
	Policy   Policy
	// MaxAge and MaxFuture are how far from the time of arrival Clamp lets a
	// time be.
	MaxAge, MaxFuture time.Duration
}

func (r *TimeRule) matches(ls narthex.Labels) bool {
	for name, re := range r.Match {
		if !re.MatchString(ls.Get(name)) {
			return false
		}
	}
	return true
}

// TimePolicy changes samples' times by rules, before anyone looks at them. The
// first rule that matches a series counts; without one times are kept. What is
// added up or set by its arrival has no time of its own, so increments are left
// alone; their exemplars are not, nor are histograms that are samples.
type TimePolicy struct {
	rules   []TimeRule
	changed func(values ...string) *stats.Counter
	dropped func(values ...string) *stats.Counter
}

// NewTimePolicy returns the policy by the rules.
func NewTimePolicy(rules []TimeRule) *TimePolicy {
	p := &TimePolicy{rules: rules}
	p.Register(new(stats.Set))
	return p
}

// Register registers the policy's metrics. It is called before the first batch.
func (p *TimePolicy) Register(s *stats.Set) {
	p.changed = s.CounterVec("narthex_time_policy_changed_total", "Times of samples and exemplars that were changed, by policy.", "policy")
	p.dropped = s.CounterVec("narthex_time_policy_dropped_total", "Samples dropped because a newer one of their series was given the same time, by policy.", "policy")
}

// Before returns the stage that changes what is written to next. Without rules
// it is next itself.
func (p *TimePolicy) Before(next narthex.Sink) narthex.Sink {
	if len(p.rules) == 0 {
		return next
	}
	return narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		if !b.Totals {
			p.apply(b)
		}
		return next.Write(ctx, b)
	})
}

// apply changes the batch's times.
func (p *TimePolicy) apply(b *narthex.Batch) {
	rules := make([]*TimeRule, 0, len(p.rules))
	for i := range p.rules {
		if r := &p.rules[i]; r.Identity == nil || r.Identity.MatchString(b.Identity) {
			rules = append(rules, r)
		}
	}
	done := make(map[Policy]*shift)
	for i := range b.Series {
		s := &b.Series[i]
		at := slices.IndexFunc(rules, func(r *TimeRule) bool { return r.matches(s.Labels) })
		if at < 0 || rules[at].Policy == Keep {
			continue
		}
		sum := done[rules[at].Policy]
		if sum == nil {
			sum = new(shift)
			done[rules[at].Policy] = sum
		}
		rules[at].series(s, b.Received.UnixMilli(), sum)
	}
	for _, policy := range []Policy{Now, Clamp} {
		if sum := done[policy]; sum != nil && sum.changed > 0 {
			p.changed(string(policy)).Add(uint64(sum.changed))
			p.dropped(string(policy)).Add(uint64(sum.dropped))
			b.Warn(sum.text(policy))
		}
	}
}
