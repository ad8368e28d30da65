package accesslog

import (
	"bytes"
	"math"
)

// maxPlaces bounds how many combinations of one metric are remembered.
const maxPlaces = 1 << 16

// places remember where a metric counts combinations of values, so that its
// table is seldom asked. They are an open hash table; what is folded has no
// place.
type places struct {
	at   []place // a power of two, at most half full
	used int
}

type place struct {
	hash uint64
	slot *slot // nil: free
}

// put adds a place that is not there yet.
func (p *places) put(h uint64, s *slot) {
	if p.used == maxPlaces {
		return
	}
	if p.used++; p.used*2 > len(p.at) {
		old := p.at
		p.at = make([]place, max(256, 2*len(old)))
		for _, o := range old {
			if o.slot != nil {
				p.seat(o)
			}
		}
	}
	p.seat(place{h, s})
}

func (p *places) seat(o place) {
	mask := uint64(len(p.at) - 1)
	i := o.hash & mask
	for p.at[i].slot != nil {
		i = (i + 1) & mask
	}
	p.at[i] = o
}

// A counter adds requests to counts. It lasts for one reading.
type counter struct {
	r           *Reader
	c           *Counts
	places      []places // by metric
	set         labelSet // the request's values
	hash        [maxDims]uint64
	first, last int64 // when requests ended, in milliseconds
	lower       []byte
	route       uint32 // of the request
}

// newCounter returns a counter for c.
func (r *Reader) newCounter(c *Counts) *counter {
	for i := range r.plan.dims {
		r.plan.dims[i].folded.reset()
	}
	return &counter{r: r, c: c, places: make([]places, len(r.metrics)), first: math.MaxInt64}
}

// count adds a request.
func (k *counter) count(r *request) {
	if r.time > 0 {
		k.first, k.last = min(k.first, r.time), max(k.last, r.time)
	}
	if k.r.routes {
		k.route = k.r.router.route(r)
	}
	for i := range k.r.plan.dims {
		id := k.value(&k.r.plan.dims[i], r)
		k.set[i], k.hash[i] = id, uint64(id+1)*multiplier(i)
	}
	minute := int64(0)
	if k.r.perMinute && r.time > 0 {
		minute = r.time / 60_000
	}
	for i := range k.r.metrics {
		m := &k.r.metrics[i]
		v := r.n[m.m]
		if v == none || len(m.needs) > 0 && k.lacks(m) {
			continue
		}
		k.slot(i, m, minute).add(m, v)
	}
}

// foldedIn notes what a metric that is full had no series for.
func (k *counter) foldedIn(i int, m *metric) {
	text := ""
	if d := m.widest(&k.r.plan); d != none {
		text = k.r.text(d, k.set[d])
	}
	k.c.tables[i].folded.noteText(text)
}

// lacks reports whether the request has no value for a label that a metric
// requires.
func (k *counter) lacks(m *metric) bool {
	for _, d := range m.needs {
		if k.set[d] == absentID {
			return true
		}
	}
	return false
}

// multiplier returns an odd number for a dimension's ids, so that the sum of
// products tells combinations apart (multiply-shift hashing).
func multiplier(dim int) uint64 {
	return 0x9e3779b97f4a7c15 * uint64(2*dim+1) * 0xbf58476d1ce4e5b9
}

// slot returns where a metric counts the request.
func (k *counter) slot(i int, m *metric, minute int64) *slot {
	h := uint64(minute) * 0x94d049bb133111eb
	for _, d := range m.dims {
		h += k.hash[d]
	}
	h ^= h >> 29
	if at := k.places[i].at; len(at) > 0 {
		mask := uint64(len(at) - 1)
		for j := h & mask; at[j].slot != nil; j = (j + 1) & mask {
			if p := &at[j]; p.hash == h && p.slot.is(m, &k.set, minute) {
				return p.slot
			}
		}
	}
	return k.find(i, m, minute, h)
}

// is reports whether a slot is that of the metric's values in a set.
func (s *slot) is(m *metric, set *labelSet, minute int64) bool {
	same := s.minute == minute
	for _, d := range m.dims {
		same = same && s.set[d] == set[d]
	}
	return same
}

// find asks a metric's table where it counts the request.
func (k *counter) find(i int, m *metric, minute int64, h uint64) *slot {
	t := &k.c.tables[i]
	var own labelSet
	for _, d := range m.dims {
		own[d] = k.set[d]
	}
	row, folded := t.row(m, &k.r.plan, own)
	s := row.slot(minute, t.spare)
	if folded {
		k.foldedIn(i, m)
		return s
	}
	if s.minute == minute { // otherwise there was no room for the minute
		k.places[i].put(h, s)
	}
	return s
}

// value returns the id of a dimension's value.
func (k *counter) value(d *dimension, r *request) uint32 {
	for i := range d.sources {
		if id := k.sourceValue(d, &d.sources[i], r); id != absentID {
			return id
		}
	}
	return absentID
}

func (k *counter) sourceValue(d *dimension, s *source, r *request) uint32 {
	switch s.origin {
	case fromStatus:
		return k.status(d, r)
	case fromClass:
		if r.status == none {
			return absentID
		}
		return d.values.id([]byte{byte('0' + r.status/100), 'x', 'x'}, 10)
	case fromMethod:
		return k.method(d, r.f[fieldMethod])
	case fromRoute:
		if k.route == otherID {
			d.folded.note(r.f[fieldPath])
		}
		return k.route
	case fromHost:
		return k.text(d, k.lowered(r.f[fieldHost]), r)
	case fromEdge:
		b := r.f[fieldEdge]
		return d.values.id(b[:min(3, len(b))], d.limit)
	case fromCapture:
		return k.text(d, k.r.router.captures[s.slot], r)
	case fromQuery, fromHostPattern, fromColumn, fromHeader, fromField:
		return k.text(d, s.text(r), r)
	}
	return absentID
}

func (k *counter) status(d *dimension, r *request) uint32 {
	if r.status == none {
		return absentID
	}
	if id := k.r.statusIDs[r.status]; id != absentID {
		return id
	}
	id := d.values.id(r.f[fieldStatus], 1000)
	k.r.statusIDs[r.status] = id
	return id
}

func (k *counter) method(d *dimension, b []byte) uint32 {
	if len(b) == 0 {
		return absentID
	}
	if i := methodIndex(b); i != none {
		return uint32(i) + 2 // the dimension began with them
	}
	d.folded.note(b)
	return otherID
}

// text returns the id of a value of which there may be many.
func (k *counter) text(d *dimension, b []byte, r *request) uint32 {
	limit := d.limit
	if d.guarded && !mayLearn(r) {
		limit = 0
	}
	id := d.values.id(b, limit)
	if id == otherID {
		d.folded.note(b)
	}
	return id
}

// lowered returns a host as DNS compares it.
func (k *counter) lowered(b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			k.lower = append(k.lower[:0], b...)
			for i, c := range k.lower {
				if 'A' <= c && c <= 'Z' {
					k.lower[i] = c + 'a' - 'A'
				}
			}
			return k.lower
		}
	}
	return bytes.TrimSuffix(b, []byte{'.'})
}

// finish completes the report.
func (k *counter) finish() {
	rep := &k.c.Report
	if k.last > 0 {
		rep.seen(k.first)
		rep.seen(k.last)
	}
	for i := range k.r.plan.dims {
		if d := &k.r.plan.dims[i]; d.folded.total > 0 {
			rep.addFolded(Folded{Label: d.from, Lines: d.folded.total, Top: d.folded.top(sketchSize / 2)})
		}
	}
	for i := range k.c.tables {
		t, m := &k.c.tables[i], &k.r.metrics[i]
		if t.folded.total == 0 {
			continue
		}
		f := Folded{Metric: m.name, Lines: t.folded.total, Top: t.folded.top(sketchSize / 2)}
		if d := m.widest(&k.r.plan); d != none {
			f.Label = k.r.plan.dims[d].from
		}
		rep.addFolded(f)
	}
}
