package ledger

import (
	"slices"
	"time"

	"narthex"
)

// minutes is what an account has whose increments belong to the time at which
// they happened, not to that at which they came: those of log files, which come
// late and in any order. They are held by the minute and written behind a
// watermark, in order, each minute's total at the minute's end. What comes
// after its minute was written counts in the next one that is.
type minutes struct {
	lateness int64    // ms; how far the watermark is behind the clock
	upto     int64    // ms; minutes that end here or before are written
	pending  []minute // in order
}

// minute is what is known so far of one minute.
type minute struct {
	end   int64 // ms
	value float64
	hist  *narthex.Histogram // takes the place of value
}

const minuteLength = int64(time.Minute / time.Millisecond)

// awaits reports whether the entry's increments are to be held by the minute:
// those of an account that holds them already, or has nothing yet.
func (a *account) awaits(e *Entry) bool {
	return a.minutes != nil || e.lateness > 0 && e.source == ID{} && a.written == 0 && !a.dirty && !a.gone
}

// foldMinutes adds an item to the minutes that its samples belong to.
func (s *State) foldMinutes(a *account, e *Entry, it *item) {
	if a.minutes == nil {
		a.minutes = &minutes{}
	}
	m := a.minutes
	m.lateness = max(m.lateness, e.lateness)
	if m.upto == 0 {
		m.upto = s.clock - m.lateness
		m.upto -= m.upto % minuteLength
	}
	a.describe(it)
	for _, x := range it.samples {
		if x.Histogram != nil && a.hist == nil {
			a.hist, a.wroteHist = zeroOf(x.Histogram), zeroOf(x.Histogram)
		}
		end := x.Time - x.Time%minuteLength + minuteLength
		if end <= m.upto {
			end = m.upto + minuteLength
			s.late++
		}
		i, found := slices.BinarySearchFunc(m.pending, end, func(m minute, end int64) int { return int(m.end - end) })
		if !found {
			m.pending = slices.Insert(m.pending, i, minute{end: end})
		}
		sum := &m.pending[i]
		switch {
		case x.Histogram == nil:
			sum.value += x.Value
		case sum.hist == nil:
			sum.hist = x.Histogram.Clone()
		default:
			merge(sum.hist, x.Histogram)
		}
	}
}

// tickMinutes makes the samples of the minutes that the watermark has passed at
// the tick t. They are leads: each is written once, so that it is kept until it
// was taken.
func (s *State) tickMinutes(a *account, t int64, p Policy) {
	m := a.minutes
	p.Interval = time.Minute
	watermark := t - m.lateness
	watermark -= watermark % minuteLength
	for end := m.next(a, watermark); end != 0; end = m.next(a, watermark) {
		m.upto = end
		if len(m.pending) > 0 && m.pending[0].end == end {
			a.hold()
			a.value += m.pending[0].value
			if h := m.pending[0].hist; h != nil {
				merge(a.hist, h)
			}
			a.dirty = true
			m.pending = m.pending[1:]
		}
		if at, ok := a.lead(end, p); ok {
			s.leads = append(s.leads, lead{a: a, tick: t, at: at, value: a.wrote, hist: a.wroteHist})
		}
		if marker, ok := a.tick(end, end, p); ok {
			s.leads = append(s.leads, lead{a: a, tick: t, at: end, value: a.value, hist: a.hist.Clone(), marker: marker})
		}
	}
	m.upto = max(m.upto, watermark)
}

// next returns the end of the next minute to look at, 0 if there is none up to
// the watermark. Where nothing is written any more minutes are passed over.
func (m *minutes) next(a *account, watermark int64) int64 {
	next := m.upto + minuteLength
	if a.stale || a.written == 0 {
		if len(m.pending) == 0 {
			return 0
		}
		next = m.pending[0].end
	}
	if next > watermark {
		return 0
	}
	return next
}

func (s *State) encodeMinutes(enc *encoder) {
	n := 0
	for _, a := range s.accounts {
		if a.minutes != nil {
			n++
		}
	}
	enc.uint(uint64(n))
	for i, a := range s.accounts {
		if a.minutes == nil {
			continue
		}
		enc.uint(uint64(i))
		enc.int(a.minutes.lateness)
		enc.int(a.minutes.upto)
		enc.uint(uint64(len(a.minutes.pending)))
		for _, m := range a.minutes.pending {
			enc.int(m.end - a.minutes.upto)
			enc.number(m.value)
			enc.histogram(m.hist)
		}
	}
}

func (s *State) decodeMinutes(d *decoder) {
	for range d.count(4) {
		n := d.uint()
		if n >= uint64(len(s.accounts)) {
			d.fail()
			return
		}
		a := s.accounts[n]
		a.minutes = &minutes{lateness: d.int(), upto: d.int()}
		if l := a.minutes.lateness; l < 0 || l > maxLateness.Milliseconds() || a.minutes.upto > maxTime || a.minutes.upto < -maxTime || max(a.changed, a.written) > max(a.minutes.upto, 0) {
			d.fail() // what is written by the minute would take for ever
			return
		}
		for range d.count(3) {
			m := minute{end: a.minutes.upto + d.int(), value: d.number(), hist: d.histogram()}
			last := a.minutes.pending
			if m.end <= a.minutes.upto || len(last) > 0 && m.end <= last[len(last)-1].end || wrongShape(m.hist) || !alike(m.hist, a.hist) {
				d.fail()
				return
			}
			a.minutes.pending = append(a.minutes.pending, m)
		}
	}
}
