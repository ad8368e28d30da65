package ledger

import (
	"fmt"
	"math"
	"time"

	"narthex"
)

// The log holds records: an entry (pushed, an edit, or a part of an import), or
// a tick. A record's first byte says which,
// and in which version of the encoding.
const (
	recordEntry byte = 1
	recordTick  byte = 2
	recordEdit  byte = 3
	recordPart  byte = 4
)

// size is about how many bytes the record of e takes, for one allocation.
func (e *Entry) size() int {
	n := 64
	for i := range e.items {
		it := &e.items[i]
		n += len(it.key) + len(it.help) + len(it.unit) + len(it.family) + 8 + 20*len(it.samples)
		for _, x := range it.samples {
			if x.Histogram != nil {
				n += 64 + 4*len(x.Histogram.Positive.Counts) + 9*len(x.Histogram.Bounds)
			}
		}
	}
	return n
}

// appendEntry appends the record of e.
func appendEntry(dst []byte, e *Entry) []byte {
	switch {
	case e.edit != editNone:
		return appendEdit(dst, e)
	case e.restore != nil:
		return appendPart(dst, e)
	}
	enc := encoder{dst}
	enc.byte(recordEntry)
	enc.raw(e.ID[:])
	enc.raw(e.Digest[:])
	enc.int(e.Received)
	enc.group(e.group)
	rich := e.rich()
	enc.byte(flags(e.source != ID{}, rich, e.lateness != 0))
	if e.source != (ID{}) {
		enc.raw(e.source[:])
	}
	if e.lateness != 0 {
		enc.uint(uint64(e.lateness))
	}
	enc.uint(uint64(len(e.items)))
	for _, it := range e.items {
		enc.string(it.key)
		enc.byte(byte(it.typ))
		enc.byte(byte(it.as))
		enc.string(it.family)
		enc.string(it.unit)
		enc.string(it.help)
		enc.uint(uint64(len(it.samples)))
		for _, x := range it.samples {
			enc.int(e.Received - x.Time)
			if rich || e.source != (ID{}) {
				enc.int(x.Start)
			}
			enc.number(x.Value)
			enc.histogram(x.Histogram)
		}
		if rich {
			enc.exemplars(it.exemplars, e.Received)
		}
	}
	return enc.b
}

// rich reports whether the record has what most have not: starts of samples
// with times of their own, and exemplars.
func (e *Entry) rich() bool {
	for i := range e.items {
		it := &e.items[i]
		if len(it.exemplars) > 0 {
			return true
		}
		for j := range it.samples {
			if it.as == narthex.AsSample && it.samples[j].Start != 0 {
				return true
			}
		}
	}
	return false
}

func (e *encoder) exemplars(list []narthex.Exemplar, received int64) {
	e.uint(uint64(len(list)))
	for _, x := range list {
		e.string(string(x.Labels.AppendKey(nil)))
		e.int(received - x.Time)
		e.number(x.Value)
	}
}

func (d *decoder) exemplars(received int64) []narthex.Exemplar {
	var list []narthex.Exemplar
	for range d.count(3) {
		ls, err := narthex.ParseKey(d.string())
		if err != nil {
			d.fail()
		}
		list = append(list, narthex.Exemplar{Labels: ls, Time: received - d.int(), Value: d.number()})
	}
	return list
}

// appendTick appends the record of the tick t. taken is the newest tick that
// the store has taken by then, behind how many of the last entries that bring
// samples with times of their own span all that have not arrived.
func appendTick(dst []byte, t, taken int64, interval time.Duration, behind uint64) []byte {
	enc := encoder{dst}
	enc.byte(recordTick)
	enc.int(t)
	enc.int(t - taken)
	enc.uint(uint64(interval.Milliseconds()))
	enc.uint(behind)
	return enc.b
}

// record is a decoded record: an entry, or else a tick.
type record struct {
	entry    *Entry
	tick     int64
	taken    int64
	interval time.Duration
	behind   uint64 // see appendTick; all ones if the record does not say it
}

func parseRecord(b []byte) (record, error) {
	d := &decoder{b: b}
	var r record
	switch kind := d.byte(); kind {
	case recordEntry:
		r.entry = parseEntry(d)
	case recordEdit:
		r.entry = parseEdit(d)
	case recordPart:
		r.entry = parsePart(d)
	case recordTick:
		r.tick = d.int()
		r.taken, r.interval = r.tick-d.int(), time.Duration(d.uint())*time.Millisecond
		r.behind = math.MaxUint64
		if len(d.b) > 0 {
			r.behind = d.uint()
		}
		if d.err == nil && (r.tick <= 0 || r.interval <= 0) {
			d.fail()
		}
	default:
		return record{}, fmt.Errorf("a record of kind %d is unknown: a newer narthex wrote this log, so use that one", kind)
	}
	return r, d.end()
}

func parseEntry(d *decoder) *Entry {
	e := &Entry{}
	copy(e.ID[:], d.raw(uint64(len(e.ID))))
	copy(e.Digest[:], d.raw(uint64(len(e.Digest))))
	e.Received = d.int()
	e.group = d.group()
	has := d.byte()
	rich := has&2 != 0
	if has&1 != 0 {
		copy(e.source[:], d.raw(uint64(len(e.source))))
	}
	if has&4 != 0 {
		e.lateness = int64(min(d.uint(), uint64(maxLateness.Milliseconds())))
	}
	e.items = make([]item, 0, d.count(7))
	for range cap(e.items) {
		it := item{key: d.string(), typ: narthex.Type(d.byte()), as: narthex.As(d.byte()), family: d.string(), unit: d.string(), help: d.string()}
		if _, err := narthex.ParseKey(it.key); err != nil || it.as > narthex.AsGauge {
			d.fail()
		}
		it.samples = make([]narthex.Sample, 0, d.count(3))
		for range cap(it.samples) {
			x := narthex.Sample{Time: e.Received - d.int()}
			if rich || e.source != (ID{}) {
				x.Start = d.int()
			}
			x.Value, x.Histogram = d.number(), d.histogram()
			it.samples = append(it.samples, x)
		}
		if rich {
			it.exemplars = d.exemplars(e.Received)
		}
		if check(narthex.Series{As: it.as, Samples: it.samples}, e.group != nil) != nil {
			d.fail()
		}
		e.items = append(e.items, it)
	}
	return e
}

func (e *encoder) group(g *narthex.Group) {
	if g == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.string(string(g.Labels.AppendKey(nil)))
	e.byte(byte(g.Op))
	e.uint(uint64(g.TTL.Milliseconds()))
}

func (d *decoder) group() *narthex.Group {
	if d.byte() == 0 {
		return nil
	}
	ls, err := narthex.ParseKey(d.string())
	if err != nil {
		d.fail()
	}
	g := &narthex.Group{Labels: ls, Op: narthex.GroupOp(d.byte())}
	ttl := d.uint()
	if g.Op > narthex.GroupFail || ttl > 1<<42 {
		d.fail()
		return g
	}
	g.TTL = time.Duration(ttl) * time.Millisecond
	return g
}
