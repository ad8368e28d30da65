package ledger

import (
	"slices"

	"narthex"
)

// State is the ledger without its surroundings: the totals, the ids seen and
// the clock. Its methods do no input or output and read no clock; the same
// calls in the same order give the same state and the same samples. A State is
// not safe for concurrent use.
type State struct {
	accounts []*account // in the order of their first entry
	byKey    map[string]*account
	ids      seen
	ticks    ticks
	last     int64 // ms; the last tick
	clock    int64 // ms; the newest time that a fold or a tick was given
}

// NewState returns an empty state.
func NewState() *State { return &State{byKey: make(map[string]*account)} }

// Outcome says what a fold did.
type Outcome struct {
	// Duplicate: the entry had been folded before; nothing was done.
	Duplicate bool
	// Rejected has the series that were not folded.
	Rejected []narthex.Rejection
	// Samples are the series with times of their own. They are no business of
	// the totals: the caller passes them on.
	Samples []narthex.Series
}

// Fold adds an entry. now is when, in ms since the epoch; an entry that was
// received longer ago than the horizon is refused whole. All of an error's
// kinds mean that nothing was changed.
func (s *State) Fold(e *Entry, now int64, p Policy) (Outcome, error) {
	p = p.withDefaults()
	if dup, err := s.known(e, now, p); dup || err != nil {
		return Outcome{Duplicate: dup}, err
	}
	s.clock = max(s.clock, now)
	s.ids.add(e.ID, mark{digest: e.Digest, after: s.last}, s.clock, p.Horizon.Milliseconds())
	var out Outcome
	for i := range e.items {
		it := &e.items[i]
		if why := s.refuse(it, p); why != "" {
			out.Rejected = append(out.Rejected, narthex.Rejection{Series: keyText(it.key), Reason: why})
		} else if it.as == narthex.AsSample {
			out.Samples = append(out.Samples, it.series())
		} else {
			s.account(it).fold(it)
		}
	}
	return out, nil
}

// known reports whether e was folded before, and refuses what can't be told.
func (s *State) known(e *Entry, now int64, p Policy) (bool, error) {
	if m, ok := s.ids.find(e.ID); ok {
		if m.digest != e.Digest && m.digest != (narthex.Digest{}) && e.Digest != (narthex.Digest{}) {
			return false, narthex.Errorf(narthex.Conflict, "this id was used before for another body: an id may be repeated only to send the same thing again")
		}
		return true, nil
	}
	if e.Received < now-p.Horizon.Milliseconds() {
		return false, narthex.Errorf(narthex.Invalid, "it was received at %s, longer ago than ids are remembered (%s): whether it was counted already can't be told, so it is refused",
			e.received().UTC().Format("2006-01-02T15:04:05Z"), p.Horizon)
	}
	return false, nil
}

// refuse says why an item can't be folded, or "".
func (s *State) refuse(it *item, p Policy) string {
	if a, ok := s.byKey[it.key]; ok {
		return a.refuse(it)
	}
	if it.as != narthex.AsSample && len(s.accounts) >= p.MaxSeries {
		return "the ledger is full (limits.series): delete or merge series, or raise the limit"
	}
	if it.as == narthex.AsSample {
		return ""
	}
	return (&account{typ: typeOf(it.as)}).refuse(it)
}

// refusesAll reports whether each item of e would be refused.
func (s *State) refusesAll(e *Entry, p Policy) (rejected []narthex.Rejection, all bool) {
	for i := range e.items {
		why := s.refuse(&e.items[i], p)
		if why == "" {
			return nil, false
		}
		rejected = append(rejected, narthex.Rejection{Series: keyText(e.items[i].key), Reason: why})
	}
	return rejected, len(rejected) > 0
}

// account returns the item's account, a new one if need be.
func (s *State) account(it *item) *account {
	a, ok := s.byKey[it.key]
	if !ok {
		ls, _ := narthex.ParseKey(it.key) // NewEntry and the log's decoder made or checked it
		a = &account{labels: ls, typ: typeOf(it.as)}
		s.byKey[it.key] = a
		s.accounts = append(s.accounts, a)
	}
	return a
}

// Lookup returns when an id was folded: after which tick, and at which it was
// written (0: not yet). Times are in ms since the epoch.
func (s *State) Lookup(id ID) (after, written int64, ok bool) {
	m, ok := s.ids.find(id)
	if !ok {
		return 0, 0, false
	}
	return m.after, s.ticks.after(m.after), true
}

// Sizes returns how many series and ids the state holds.
func (s *State) Sizes() (series, ids int) { return len(s.accounts), s.ids.len() }

// LastTick returns the time of the last tick in ms, 0 if there was none.
func (s *State) LastTick() int64 { return s.last }

// forget drops the accounts for which it returns true.
func (s *State) forget(drop func(*account) bool) {
	s.accounts = slices.DeleteFunc(s.accounts, func(a *account) bool {
		if !drop(a) {
			return false
		}
		delete(s.byKey, string(a.labels.AppendKey(nil)))
		return true
	})
}

func (it *item) series() narthex.Series {
	ls, _ := narthex.ParseKey(it.key)
	return narthex.Series{Labels: ls, Type: it.typ, As: it.as, Unit: it.unit, Help: it.help, Samples: it.samples}
}

func keyText(key string) string {
	ls, err := narthex.ParseKey(key)
	if err != nil {
		return "?"
	}
	return ls.String()
}
