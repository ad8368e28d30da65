package push

import (
	"container/list"
	"hash/maphash"
	"log/slog"
	"sync"

	"narthex"
)

// What is remembered of pushes, to tell totals from increments: the first
// counters of the last groups. That is 10 MB at most.
const (
	maxWatched  = 10_000
	maxCounters = 64
)

// totals watches groups whose counters never fall from push to push. Increments
// do, sooner or later; so somebody pushes totals to where they are added up.
type totals struct {
	seed maphash.Seed

	mu      sync.Mutex // protects all below
	byGroup map[uint64]*list.Element
	groups  list.List // of *watched, the last pushed first
}

// watched is what is known of a group.
type watched struct {
	key      uint64
	counters []counter
	rises    int // pushes in a row in which a counter rose and none fell
	told     bool
}

type counter struct {
	series uint64
	value  float64
}

func newTotals() *totals {
	return &totals{seed: maphash.MakeSeed(), byGroup: make(map[uint64]*list.Element)}
}

// watch takes a push of increments into account and returns a warning, or "".
// Two rises in a row, that is three pushes, are taken for totals; the same
// increment again and again is not a rise.
func (t *totals) watch(log *slog.Logger, b *narthex.Batch, group narthex.Labels) string {
	if b.Duplicate {
		return ""
	}
	now := t.countersOf(b)
	var h maphash.Hash
	h.SetSeed(t.seed)
	h.WriteString(b.Identity)
	h.WriteByte(0)
	h.Write(group.AppendKey(nil))

	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.find(h.Sum64())
	if rose, fell := compare(w.counters, now); fell || !rose {
		w.rises = 0
	} else {
		w.rises++
	}
	w.counters = now
	if w.rises < 2 {
		return ""
	}
	if !w.told {
		w.told = true
		log.Warn("a group pushes what looks like totals to /aggregate, where they are added up as increments; if they are totals, add ?temporality=cumulative&source=ID to the address", "group", group.String())
	}
	return "the counters of this group have only grown from push to push, as totals do; here each push is added to the ones before. If these are the totals of a client's registry, push them with ?temporality=cumulative&source=ID, where ID is the process's own"
}

// find returns what is known of the group, which becomes the newest.
func (t *totals) find(key uint64) *watched {
	if e := t.byGroup[key]; e != nil {
		t.groups.MoveToFront(e)
		return e.Value.(*watched)
	}
	w := &watched{key: key}
	t.byGroup[key] = t.groups.PushFront(w)
	if t.groups.Len() > maxWatched {
		old := t.groups.Remove(t.groups.Back()).(*watched)
		delete(t.byGroup, old.key)
	}
	return w
}

func (t *totals) countersOf(b *narthex.Batch) []counter {
	var out []counter
	var key []byte
	for _, s := range b.Series {
		if s.As != narthex.AsDelta {
			continue
		}
		if len(out) == maxCounters {
			break
		}
		v := s.Samples[0].Value
		if h := s.Samples[0].Histogram; h != nil {
			v = h.Count
		}
		key = s.Labels.AppendKey(key[:0])
		out = append(out, counter{maphash.Bytes(t.seed, key), v})
	}
	return out
}

// compare says whether a counter rose and whether one fell or went. A registry
// has its counters in one order; a new one is no rise.
func compare(before, now []counter) (rose, fell bool) {
	i := 0
	for _, old := range before {
		for i < len(now) && now[i].series != old.series {
			i++
		}
		if i == len(now) {
			// It went, or the order changed: then nothing can be said.
			return false, len(before) < maxCounters
		}
		rose = rose || now[i].value > old.value
		fell = fell || now[i].value < old.value
	}
	return rose, fell
}
