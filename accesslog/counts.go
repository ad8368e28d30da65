package accesslog

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"

	"narthex"
)

// maxSlots bounds what per-minute counting may hold beside one slot a row.
const maxSlots = 200_000

// Counts is what one reading of a log came to.
type Counts struct {
	// Report says what was read.
	Report Report

	reader *Reader
	tables []table // by metric
	foreign
}

// labelSet is the values of a row's labels, by the dimensions' order; a
// dimension that the metric does not have is absentID.
type labelSet [maxDims]uint32

// A table is one metric's rows.
type table struct {
	rows   map[labelSet]*row
	known  knownSets // of the metric, from all logs
	folded sketch    // values of lines that count in a row other than their own
	spare  *int      // slots that all tables may still make
}

// knownSets are the label sets that a reader's logs have come to, as hashes: a
// metric has no more of them than it may, over all logs and not only in each.
type knownSets map[uint64]struct{}

// admit reports whether the label set may have a row: if it had one before, or if
// there are fewer than room.
func (k knownSets) admit(seed maphash.Seed, set labelSet, room int) bool {
	h := maphash.Comparable(seed, set)
	if _, known := k[h]; known {
		return true
	}
	if len(k) >= room {
		return false
	}
	k[h] = struct{}{}
	return true
}

// A row is one label set of a metric.
type row struct {
	set   labelSet
	slots []*slot // by minute, increasing; one if minutes don't matter
}

// A slot is what a row counted in one minute.
type slot struct {
	minute int64 // first what each line needs, in one line of the CPU's cache
	sum    int64
	set    labelSet // the row's
	large  float64  // what did not fit sum
	tally  tally
}

// newCounts returns empty counts.
func (r *Reader) newCounts() *Counts {
	c := &Counts{reader: r, tables: make([]table, len(r.metrics))}
	spare := maxSlots
	for i := range c.tables {
		c.tables[i] = table{rows: map[labelSet]*row{}, known: r.known[i], spare: &spare}
	}
	c.Report.Reasons = map[string]int64{}
	c.Report.Unknown = map[string]int64{}
	return c
}

// crowded reports whether there is little room left for minutes, or for metrics
// that lines bring.
func (c *Counts) crowded() bool {
	return len(c.tables) > 0 && *c.tables[0].spare < maxSlots/2 || c.foreign.points > maxSlots/2
}

// row returns the row of a label set. A table that is full folds: first the
// wide labels become "other", and when even that has no room, all of them.
func (t *table) row(m *metric, p *plan, set labelSet) (r *row, folded bool) {
	own := set
	for full := range 3 {
		if r := t.rows[set]; r != nil {
			return r, set != own
		}
		room := m.cap - m.cap/10
		switch full {
		case 1:
			room = m.cap - 1
		case 2:
			room = m.cap
		}
		if t.known.admit(p.seed, set, max(room, 1)) {
			break
		}
		for _, d := range m.dims {
			if set[d] != absentID && (p.dims[d].wide || full == 1) {
				set[d] = otherID
			}
		}
	}
	if r := t.rows[set]; r != nil {
		return r, true
	}
	r = &row{set: set}
	t.rows[set] = r
	return r, set != own
}

// slot returns the row's slot of a minute. Where there is no room for another
// one, it is the one before.
func (r *row) slot(minute int64, spare *int) *slot {
	i, found := slices.BinarySearchFunc(r.slots, minute, func(s *slot, m int64) int {
		switch {
		case s.minute < m:
			return -1
		case s.minute > m:
			return 1
		}
		return 0
	})
	if found {
		return r.slots[i]
	}
	if len(r.slots) > 0 && *spare <= 0 {
		return r.slots[max(0, i-1)]
	}
	if len(r.slots) > 0 {
		*spare--
	}
	r.slots = slices.Insert(r.slots, i, &slot{set: r.set, minute: minute})
	return r.slots[i]
}

// add adds a value.
func (s *slot) add(m *metric, v int64) {
	if s.sum += v; s.sum > math.MaxInt64/4 {
		s.large += float64(s.sum)
		s.sum = 0
	}
	if m.scale != nil {
		s.tally.observe(m.scale, v)
	}
}

func (s *slot) merge(m *metric, o *slot) {
	s.large += o.large
	if s.sum += o.sum; s.sum > math.MaxInt64/4 {
		s.large += float64(s.sum)
		s.sum = 0
	}
	if m.scale != nil {
		s.tally.merge(&o.tally, len(m.scale.bounds)+1)
	}
}

// Add adds what o came to, which the same Reader read.
func (c *Counts) Add(o *Counts) {
	for i := range o.tables {
		m, t := &c.reader.metrics[i], &c.tables[i]
		for _, from := range o.tables[i].sorted() {
			to, folded := t.row(m, &c.reader.plan, from.set)
			for _, s := range from.slots {
				to.slot(s.minute, t.spare).merge(m, s)
			}
			if d := m.widest(&c.reader.plan); folded && d != none {
				c.Report.addFolded(Folded{Metric: m.name, Label: c.reader.plan.dims[d].from, Lines: 1, Top: []string{c.reader.text(d, from.set[d])}})
			}
		}
	}
	c.foreign.add(&o.foreign, c.reader.maxSeries)
	c.Report.Add(&o.Report)
}

// sorted returns the rows in an order that does not depend on chance.
func (t *table) sorted() []*row {
	return slices.SortedFunc(maps.Values(t.rows), func(a, b *row) int { return slices.Compare(a.set[:], b.set[:]) })
}

// Series returns the counts as increments, in the order of their labels. With
// [Options.PerMinute] a series has a sample for each minute, whose time is the
// minute's beginning; otherwise samples have no time.
func (c *Counts) Series() []narthex.Series {
	var out []narthex.Series
	for i := range c.tables {
		m := &c.reader.metrics[i]
		first := len(out)
		for _, r := range c.tables[i].rows {
			out = append(out, c.series(m, r))
		}
		slices.SortStableFunc(out[first:], func(a, b narthex.Series) int {
			return slices.CompareFunc(a.Labels, b.Labels, compareLabels)
		})
	}
	return append(out, c.foreign.series...)
}

func compareLabels(a, b narthex.Label) int {
	if a.Name != b.Name {
		return compareStrings(a.Name, b.Name)
	}
	return compareStrings(a.Value, b.Value)
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// series returns one row.
func (c *Counts) series(m *metric, r *row) narthex.Series {
	labels := make(narthex.Labels, 0, len(m.dims)+1)
	labels = append(labels, narthex.Label{Name: narthex.MetricName, Value: m.name})
	for i, d := range m.dims {
		if v := c.reader.text(d, r.set[d]); v != "" {
			labels = append(labels, narthex.Label{Name: m.labels[i], Value: v})
		}
	}
	labels, _ = narthex.NewLabels(labels...) // checked when the metric was
	s := narthex.Series{Labels: labels, Type: m.typ, As: narthex.AsDelta, Unit: m.unit, Help: m.help}
	factor := c.reader.factor
	s.Samples = make([]narthex.Sample, len(r.slots))
	for i := range r.slots {
		from, to := r.slots[i], &s.Samples[i]
		sum := (from.large + float64(from.sum)) / m.unitSize * factor
		if to.Time = from.minute * 60_000; m.scale == nil {
			to.Value = sum
		} else {
			to.Histogram = from.tally.histogram(m.scale, sum, factor)
		}
	}
	return s
}

// text returns a dimension's value.
func (r *Reader) text(d int, id uint32) string {
	dim := &r.plan.dims[d]
	if dim.sources[0].origin == fromRoute {
		return r.router.labels.text[id]
	}
	return dim.values.text[id]
}
