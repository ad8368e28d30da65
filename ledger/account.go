package ledger

import (
	"math"

	"narthex"
)

const maxFinite = math.MaxFloat64

// account is what the ledger holds of one series. Times are in ms since the
// epoch, 0 for never.
type account struct {
	labels narthex.Labels
	typ    narthex.Type // TypeCounter or TypeGauge
	unit   string
	help   string

	value   float64 // the total, or the gauge's value
	event   int64   // gauge: when value was true, by its sender
	changed int64   // the tick that first wrote value
	dirty   bool    // touched since the last tick

	written int64   // time of the newest sample, be it a staleness marker
	wrote   float64 // the newest sample's value before any staleness marker
	stale   bool    // the newest sample is a staleness marker
}

// fold adds one item to the account. The item fits: see State.judge.
func (a *account) fold(it *item) {
	for _, s := range it.samples {
		switch {
		case it.as == narthex.AsDelta:
			a.value += s.Value
		case s.Time >= a.event:
			a.value, a.event = s.Value, s.Time
		}
	}
	if it.help != "" {
		a.help = it.help
	}
	if it.unit != "" {
		a.unit = it.unit
	}
	a.dirty = true
}

// refuse says why the item can't be folded into the account, or "".
func (a *account) refuse(it *item) string {
	if it.as == narthex.AsSample {
		return "the ledger keeps this series (as a " + a.typ.String() + "), so a sample with a time of its own can't be mixed in: push it as the same, or give it another name"
	}
	if want := typeOf(it.as); a.typ != want {
		return "it is pushed as a " + want.String() + ", but the ledger keeps it as a " + a.typ.String() + ": give one of the two another name"
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

func typeOf(as narthex.As) narthex.Type {
	if as == narthex.AsDelta {
		return narthex.TypeCounter
	}
	return narthex.TypeGauge
}
