package ledger

import (
	"slices"
	"strings"

	"narthex"
)

// State is the ledger without its surroundings: the totals, the ids seen and
// the clock. Its methods do no input or output and read no clock; the same
// calls in the same order give the same state and the same samples. A State is
// not safe for concurrent use.
type State struct {
	accounts []*account // in the order of their first entry
	byKey    map[string]*account
	groups   map[string]*group // by their labels' keys
	uses     map[string]map[narthex.Type]int
	pushes   uint64 // to groups, in this process
	memories int    // of all accounts' sources
	ids      seen
	holds    span             // the virtual shards
	ticks    ticks            // that the store has taken
	last     int64            // ms; the last tick
	taken    int64            // ms; the newest tick that counts as written
	takers   map[string]int64 // ms; by destination, the newest tick that it has taken
	leads    []lead           // that not all destinations have taken, oldest first
	late     uint64           // increments that came after their minute was written, in this process
	emitted  int              // series of the last tick, for the room of the next one's
	lost     uint64           // leads that there was no room for, in this process
	clock    int64            // ms; the newest time that a fold or a tick was given

	// Scratch, for a push to a group.
	found []*account
	key   []byte
}

// NewState returns an empty state.
func NewState() *State {
	return &State{
		byKey:  make(map[string]*account),
		groups: make(map[string]*group),
		uses:   make(map[string]map[narthex.Type]int),
	}
}

// Outcome says what a fold did.
type Outcome struct {
	// Duplicate: the entry had been folded before; nothing was done.
	Duplicate bool
	// Rejected has the series that were not folded.
	Rejected []narthex.Rejection
	// Late is how many increments came after their minute was written; they count
	// in the next one that is.
	Late uint64
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
	if left := s.rest(e); left != e {
		if e = left; e.group == nil && len(e.items) == 0 && e.restore == nil {
			return Outcome{Duplicate: true}, nil
		}
	}
	s.ids.add(e.ID, mark{digest: e.Digest, after: s.last}, s.clock, p)
	var out Outcome
	if e.group != nil {
		if out.Rejected = s.foldGroup(e, p); len(out.Rejected) > 0 {
			delete(s.ids.open, e.ID) // nothing was counted: a retry gets the same answer, or a better one
		}
		return out, nil
	}
	if e.restore != nil {
		out.Rejected = s.merge(e.restore, p)
		return out, nil
	}
	late := s.late
	for i := range e.items {
		it := &e.items[i]
		if why := s.refuse(e, it, p); why != "" {
			out.Rejected = append(out.Rejected, narthex.Rejection{Series: keyText(it.key), Reason: why})
		} else if e.edit != editNone {
			s.change(e, it)
		} else if it.as == narthex.AsSample {
			out.Samples = append(out.Samples, it.series())
		} else {
			a := s.account(it)
			if it.as == narthex.AsDelta && a.awaits(e) {
				s.foldMinutes(a, e, s.increments(e, it, a))
			} else {
				a.fold(s.increments(e, it, a))
			}
		}
	}
	out.Late = s.late - late
	return out, nil
}

// Pass returns the entry's series with times of their own, whether the entry
// was folded before or not, and changes nothing: for those who must write them
// again because they can't tell whether it was done.
func (s *State) Pass(e *Entry, p Policy) (samples []narthex.Series) {
	p = p.withDefaults()
	for i := range e.items {
		if it := &e.items[i]; e.group == nil && it.as == narthex.AsSample && s.refuse(e, it, p) == "" {
			samples = append(samples, it.series())
		}
	}
	return samples
}

// known reports whether e was folded before, and refuses what can't be told.
func (s *State) known(e *Entry, now int64, p Policy) (bool, error) {
	if s.ids.absent() { // see LoadSegments
		return false, narthex.Errorf(narthex.Unavailable, "the ids of earlier pushes are not loaded, so whether this one was counted can't be told")
	}
	if m, ok := s.ids.find(e.ID, s.holds); ok {
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

const ledgerFull = "the ledger is full (limits.series): delete or merge series, or raise the limit"

// refuse says why an item of e can't be folded, or "".
func (s *State) refuse(e *Entry, it *item, p Policy) string {
	if e.edit != editNone {
		return s.refuseEdit(e, it)
	}
	if a, ok := s.byKey[it.key]; ok {
		if why := a.refuse(it); why != "" {
			return why
		}
		return s.refuseTotal(e, it, a, p)
	}
	if why := s.refuseName(it); why != "" || it.as == narthex.AsSample {
		return why
	}
	if len(s.accounts) >= p.MaxSeries {
		return ledgerFull
	}
	a := account{typ: it.keptAs()}
	if why := a.refuse(it); why != "" {
		return why
	}
	return s.refuseTotal(e, it, &a, p)
}

// refuseName keeps the series of a classic histogram its own: nobody else may
// count x_count where the ledger keeps the histogram x, nor the other way
// round.
func (s *State) refuseName(it *item) string {
	ls, _ := narthex.ParseKey(it.key)
	name := ls.Get(narthex.MetricName)
	if it.keptAs() == narthex.TypeHistogram && it.as == narthex.AsDelta {
		for _, part := range []string{"_count", "_sum"} {
			if s.byKey[string(ls.With(narthex.MetricName, name+part).AppendKey(nil))] != nil {
				return "the ledger keeps the series " + name + part + " already, which this histogram would have too: give one of the two another name"
			}
		}
		return ""
	}
	for _, part := range []string{"_count", "_sum", "_bucket"} {
		base, ok := strings.CutSuffix(name, part)
		if !ok || base == "" {
			continue
		}
		key := ls.With(narthex.MetricName, base).With("le", "").AppendKey(nil)
		if a := s.byKey[string(key)]; a != nil && a.hist != nil && a.group == nil && !a.gone && !a.deleted() {
			return "the ledger keeps the histogram " + base + ", to which this series belongs: push observations of it, or give the series another name"
		}
	}
	return ""
}

// refusesAll reports whether each item of e would be refused.
func (s *State) refusesAll(e *Entry, p Policy) (rejected []narthex.Rejection, all bool) {
	if e.group != nil { // a refused push is noted in the group itself
		return nil, false
	}
	for i := range e.items {
		why := s.refuse(e, &e.items[i], p)
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
		a = &account{labels: ls, typ: it.keptAs()}
		s.add(it.key, a)
	}
	return a
}

func (s *State) add(key string, a *account) {
	s.byKey[key] = a
	s.accounts = append(s.accounts, a)
}

// Confirm says that the store has taken the tick t's samples. What it has not
// taken is written again, at each tick, until it has.
func (s *State) Confirm(t int64) {
	if t > s.taken && t <= s.last {
		s.taken = t
		s.ticks = s.ticks.add(t)
		if len(s.takers) == 0 {
			s.dropLeads(t)
		}
	}
}

// Lookup says whether an id was folded, and returns the tick at which it was
// written in ms since the epoch, 0 if that is still to come. confirmed is the
// newest tick that the store is known to have taken.
func (s *State) Lookup(id ID, confirmed int64) (written int64, ok bool) {
	m, ok := s.ids.any(id)
	if !ok {
		return 0, false
	}
	if t := s.ticks.after(m.after); t != 0 {
		return t, true
	}
	if confirmed > m.after {
		return confirmed, true
	}
	return 0, true
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
		s.memories -= len(a.sources)
		return true
	})
}

func (it *item) series() narthex.Series {
	ls, _ := narthex.ParseKey(it.key)
	return narthex.Series{Labels: ls, Type: it.typ, As: it.as, Family: it.family, Unit: it.unit, Help: it.help, Samples: it.samples, Exemplars: it.exemplars}
}

func keyText(key string) string {
	ls, err := narthex.ParseKey(key)
	if err != nil {
		return "?"
	}
	return ls.String()
}
