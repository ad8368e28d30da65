package ledger

import (
	"math"

	"narthex"
)

const maxFinite = math.MaxFloat64

// account is what the ledger holds of one series, or of one histogram with all
// its series. Times are in ms since the epoch, 0 for never.
//
// There are millions of them: small fields stand together, at the end, so that none
// is padded.
type account struct {
	labels narthex.Labels
	family string
	unit   string
	help   string

	value   float64            // the total, or the gauge's value
	hist    *narthex.Histogram // takes the place of value
	event   int64              // gauge: when value was true, by its sender
	changed int64              // the tick that first wrote value

	written   int64              // time of the newest sample, be it a staleness marker
	wrote     float64            // the newest sample's value before any marker
	wroteHist *narthex.Histogram // the same of hist; nil if it is hist itself

	sources map[ID]*memory // of those that push their totals
	minutes *minutes       // of increments that have times of their own

	group  *group // whose member it is, or nil
	pushed uint64 // the number of the last push that had it, in this process

	typ   narthex.Type // counter, histogram, gauge; any in a group
	dirty bool         // touched since the last tick
	stale bool         // the newest sample is a staleness marker
	ended bool         // it left its group: the next tick ends it
	gone  bool         // it has ended so; only its last sample's time is still of use
}

// fold adds one item to the account. The item fits: see State.refuse.
func (a *account) fold(it *item) {
	if a.ended || a.gone || a.deleted() { // begun anew, after what was written
		*a = account{labels: a.labels, typ: it.keptAs(), written: a.written, stale: a.stale}
	}
	a.hold()
	touched := it.as != narthex.AsGauge
	for _, s := range it.samples {
		switch {
		case s.Histogram != nil:
			if a.hist == nil {
				a.hist, a.wroteHist = zeroOf(s.Histogram), zeroOf(s.Histogram)
			}
			merge(a.hist, s.Histogram)
		case it.as == narthex.AsDelta:
			a.value += s.Value
		case s.Time >= a.event:
			a.value, a.event, touched = s.Value, s.Time, true
		}
	}
	a.describe(it)
	a.dirty = a.dirty || touched // a gauge that came too late wakes nothing
}

// hold keeps the histogram as it was written before it changes.
func (a *account) hold() {
	if a.hist != nil && !a.dirty {
		a.wroteHist = a.hist.Clone()
	}
}

// describe takes over what the item says of the metric.
func (a *account) describe(it *item) {
	if it.help != "" {
		a.help = it.help
	}
	if it.unit != "" {
		a.unit = it.unit
	}
	if it.family != "" {
		a.family = it.family
	}
}

// refuse says why the item can't be folded into the account, or "".
func (a *account) refuse(it *item) string {
	if a.ended || a.gone || a.deleted() {
		if it.as == narthex.AsSample {
			return ""
		}
		return (&account{typ: it.keptAs()}).refuse(it)
	}
	if a.group != nil {
		return "it belongs to the group " + a.group.labels.String() + ": delete the group, or give the series another name"
	}
	if it.as == narthex.AsSample {
		return "the ledger keeps this series (as a " + a.typ.String() + "), so a sample with a time of its own can't be mixed in: push it as the same, or give it another name"
	}
	if want := it.keptAs(); a.typ != want {
		return "it is pushed as a " + want.String() + ", but the ledger keeps it as a " + a.typ.String() + ": give one of the two another name"
	}
	if a.typ == narthex.TypeHistogram {
		return refuseHistogram(a.hist, it)
	}
	if it.as == narthex.AsDelta {
		total := a.value
		for _, s := range it.samples {
			total += s.Value
		}
		if total > maxFinite {
			return "the total would pass the largest number"
		}
	}
	return ""
}

// keptAs returns the type of the account that the item is folded into.
func (it *item) keptAs() narthex.Type {
	switch {
	case it.as == narthex.AsGauge:
		return narthex.TypeGauge
	case len(it.samples) > 0 && it.samples[0].Histogram != nil:
		return narthex.TypeHistogram
	}
	return narthex.TypeCounter
}
