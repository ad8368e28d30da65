package ledger

import (
	"fmt"
	"time"

	"narthex"
)

// The log holds records: an entry, or a tick. A record's first byte says which,
// and in which version of the encoding.
const (
	recordEntry byte = 1
	recordTick  byte = 2
)

// appendEntry appends the record of e.
func appendEntry(dst []byte, e *Entry) []byte {
	enc := encoder{dst}
	enc.byte(recordEntry)
	enc.raw(e.ID[:])
	enc.raw(e.Digest[:])
	enc.int(e.Received)
	enc.uint(uint64(len(e.items)))
	for _, it := range e.items {
		enc.string(it.key)
		enc.byte(byte(it.typ))
		enc.byte(byte(it.as))
		enc.string(it.unit)
		enc.string(it.help)
		enc.uint(uint64(len(it.samples)))
		for _, x := range it.samples {
			enc.int(e.Received - x.Time)
			enc.float(x.Value)
		}
	}
	return enc.b
}

func appendTick(dst []byte, t int64, interval time.Duration) []byte {
	enc := encoder{dst}
	enc.byte(recordTick)
	enc.int(t)
	enc.uint(uint64(interval.Milliseconds()))
	return enc.b
}

// record is a decoded record: an entry, or else a tick.
type record struct {
	entry    *Entry
	tick     int64
	interval time.Duration
}

func parseRecord(b []byte) (record, error) {
	d := &decoder{b: b}
	var r record
	switch kind := d.byte(); kind {
	case recordEntry:
		r.entry = parseEntry(d)
	case recordTick:
		r.tick, r.interval = d.int(), time.Duration(d.uint())*time.Millisecond
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
	e.items = make([]item, 0, d.count(6))
	for range cap(e.items) {
		it := item{key: d.string(), typ: narthex.Type(d.byte()), as: narthex.As(d.byte()), unit: d.string(), help: d.string()}
		if _, err := narthex.ParseKey(it.key); err != nil || it.as > narthex.AsGauge {
			d.fail()
		}
		it.samples = make([]narthex.Sample, 0, d.count(9))
		for range cap(it.samples) {
			x := narthex.Sample{Time: e.Received - d.int(), Value: d.float()}
			if it.as == narthex.AsDelta && !(x.Value >= 0 && x.Value <= maxFinite) {
				d.fail()
			}
			it.samples = append(it.samples, x)
		}
		e.items = append(e.items, it)
	}
	return e
}
