package ledger

import (
	"fmt"
	"maps"
	"slices"
)

// The sections behind a checkpoint's body: a number, a length, and as many
// bytes. One with an even number may be passed over by a narthex that does not
// know it, so that state written by a newer one can still be read; one with an
// odd number may not.
const (
	sectionLeads   = 1
	sectionTakers  = 2
	sectionSpans   = 3
	sectionTimes   = 4 // of the segments of ids
	sectionMinutes = 5
)

func (s *State) encodeSections(enc *encoder) {
	section := func(number uint64, write func(*encoder)) {
		var body encoder
		write(&body)
		enc.uint(number)
		enc.string(string(body.b))
	}
	if len(s.leads) > 0 {
		section(sectionLeads, s.encodeLeads)
	}
	if len(s.takers) > 0 {
		section(sectionTakers, func(enc *encoder) {
			enc.uint(uint64(len(s.takers)))
			for _, name := range slices.Sorted(maps.Keys(s.takers)) {
				enc.string(name)
				enc.int(s.takers[name])
			}
		})
	}
	if slices.ContainsFunc(s.accounts, func(a *account) bool { return a.minutes != nil }) {
		section(sectionMinutes, s.encodeMinutes)
	}
	if len(s.ids.closed) > 0 {
		section(sectionTimes, s.encodeTimes)
	}
	spans := s.holds != span{}
	for _, seg := range s.ids.closed {
		spans = spans || seg.holds != span{}
	}
	if spans {
		section(sectionSpans, func(enc *encoder) {
			enc.span(s.holds)
			for _, seg := range s.ids.closed {
				enc.span(seg.holds)
			}
		})
	}
}

func (s *State) encodeLeads(enc *encoder) {
	numbers := make(map[*account]int, len(s.leads))
	for _, l := range s.leads {
		numbers[l.a] = -1
	}
	for i, a := range s.accounts {
		if _, ok := numbers[a]; ok {
			numbers[a] = i
		}
	}
	var leads []lead
	for _, l := range s.leads {
		if numbers[l.a] >= 0 { // else its account was dropped
			leads = append(leads, l)
		}
	}
	enc.uint(uint64(len(leads)))
	for _, l := range leads {
		enc.uint(uint64(numbers[l.a]))
		enc.int(s.last - l.tick)
		enc.int(l.tick - l.at)
		enc.number(l.value)
		enc.histogram(l.hist)
		enc.byte(flags(l.marker))
	}
}

// encodeTimes writes what has to be known of segments that are not loaded.
func (s *State) encodeTimes(enc *encoder) {
	for _, seg := range s.ids.closed {
		enc.int(s.last - seg.first)
		enc.uint(uint64(seg.last - seg.first))
		enc.uint(uint64(seg.len()))
	}
}

func (s *State) decodeTimes(d *decoder) {
	for _, seg := range s.ids.closed {
		seg.first = s.last - d.int()
		seg.last, seg.count = seg.first+int64(d.uint()), int(d.uint())
		if seg.last < seg.first || seg.count < 0 {
			d.fail()
		}
	}
}

func (e *encoder) span(r span) {
	e.uint(uint64(r.from))
	e.uint(uint64(r.to))
}

func (s *State) decodeSections(d *decoder) error {
	for d.err == nil && len(d.b) > 0 {
		number := d.uint()
		in := &decoder{b: d.raw(d.uint())}
		switch number {
		case sectionLeads:
			s.decodeLeads(in)
		case sectionTakers:
			s.takers = make(map[string]int64)
			for range in.count(2) {
				name := in.string()
				s.takers[name] = in.int()
			}
		case sectionMinutes:
			s.decodeMinutes(in)
		case sectionSpans:
			s.holds = in.span()
			for _, seg := range s.ids.closed {
				seg.holds = in.span()
			}
		case sectionTimes:
			s.decodeTimes(in)
		default:
			if number%2 == 1 {
				return fmt.Errorf("the checkpoint has a part (number %d) that this narthex does not know: use the newer narthex that wrote it", number)
			}
			continue
		}
		if in.end() != nil {
			d.fail()
		}
	}
	return d.err
}

func (s *State) decodeLeads(d *decoder) {
	for range d.count(6) {
		n := d.uint()
		l := lead{tick: s.last - d.int()}
		l.at, l.value, l.hist = l.tick-d.int(), d.number(), d.histogram()
		l.marker = d.byte()&1 != 0
		if n >= uint64(len(s.accounts)) || wrongShape(l.hist) {
			d.fail()
			return
		}
		l.a = s.accounts[n]
		s.leads = append(s.leads, l)
	}
}

func (d *decoder) span() span {
	r := span{int(d.uint()), int(d.uint())}
	if r != (span{}) && (r.from < 0 || r.to <= r.from || r.to > Shards) {
		d.fail()
	}
	return r
}
