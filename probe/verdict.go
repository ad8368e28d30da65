package probe

import (
	"bytes"
	"slices"
)

// verdict returns the failure of an attempt: that of the first address that failed,
// nil if all are well.
func verdict(trials []*ended) *Failure { return decisive(trials).failure }

// decisive returns the trial that stands for an attempt: the first that failed, or
// the first.
func decisive(trials []*ended) *ended {
	if i := slices.IndexFunc(trials, func(e *ended) bool { return e.failure != nil }); i >= 0 {
		return trials[i]
	}
	return trials[0]
}

// conclude makes the result of the trials of the last attempt.
func (p *Prober) conclude(out *Result, m *Module, trials []*ended) {
	e := decisive(trials)
	out.Success, out.Failure = e.failure == nil, e.redacted()
	if m.Retries > 0 {
		e.gauge("probe_attempts", "How often the target was tried").Set(float64(out.Attempts))
	}
	if m.Addresses == "all" {
		e.each(trials)
	}
	out.Families, out.Log = e.finish(out)
	if len(trials) > 1 {
		var logs [][]byte
		for _, o := range trials {
			logs = append(logs, o.redact(o.written.end()))
		}
		out.Log = bytes.Join(logs, nil)
	}
}

// each sets the metrics of the addresses.
func (e *ended) each(trials []*ended) {
	success := e.gauge("probe_address_success", "Whether the probe of an address of the target was a success", "address")
	duration := e.gauge("probe_address_duration_seconds", "How long the probe of an address of the target took", "address")
	for _, o := range trials {
		if len(o.candidates) > 0 {
			address := o.candidates[0].String()
			success.With(address).Set(oneIf(o.failure == nil))
			duration.With(address).Set(o.took.Seconds())
		}
	}
	if n := trials[0].found; n > 0 {
		e.gauge("probe_addresses", "How many addresses the target's name has").Set(float64(n))
	}
}

// redacted returns the failure without what is to be hidden.
func (e *ended) redacted() *Failure {
	if e.failure == nil {
		return nil
	}
	text := e.failure.Err.Error()
	if clean := string(e.redact([]byte(text))); clean != text {
		return &Failure{Phase: e.failure.Phase, Reason: e.failure.Reason, Err: hiddenError(clean)}
	}
	return e.failure
}

// hiddenError is what is left of an error when its secrets are taken out.
type hiddenError string

// Error returns the text.
func (e hiddenError) Error() string { return string(e) }
