package ledger

import (
	"encoding/binary"
	"errors"
	"math"

	"narthex"
)

// encoder appends values in the ledger's binary encoding: varints, little
// endian floats, and strings behind their length.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)   { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)     { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) byte(v byte)     { e.b = append(e.b, v) }
func (e *encoder) raw(v []byte)    { e.b = append(e.b, v...) }
func (e *encoder) string(v string) { e.uint(uint64(len(v))); e.b = append(e.b, v...) }
func (e *encoder) float(v float64) {
	e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v))
}

// number is a float that is mostly a small whole number: one more than it as a
// varint, or 0 and the float.
func (e *encoder) number(v float64) {
	if n := uint64(v); v >= 0 && v < 1<<52 && float64(n) == v && !math.Signbit(v) {
		e.uint(n + 1)
		return
	}
	e.uint(0)
	e.float(v)
}

// errDamaged says that bytes with a good checksum make no sense.
var errDamaged = errors.New("the encoding is damaged")

// decoder reads what encoder wrote. After the first error, which stays in err,
// every value is zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errDamaged
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) raw(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.raw(d.uint())) }

func (d *decoder) float() float64 {
	v := d.raw(8)
	if v == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v))
}

func (d *decoder) number() float64 {
	if n := d.uint(); n > 1<<52 {
		d.fail()
	} else if n > 0 {
		return float64(n - 1)
	}
	return d.float()
}

// count reads the number of things to come, each of at least size bytes, so
// that a damaged number can't make anyone allocate more than the input's size.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// end fails unless all was read.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}

// histogram appends h, which may be nil.
func (e *encoder) histogram(h *narthex.Histogram) {
	if h == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.int(int64(h.Schema))
	e.number(h.ZeroThreshold)
	e.number(h.ZeroCount)
	e.number(h.Count)
	e.number(h.Sum)
	e.uint(uint64(len(h.Bounds)))
	for _, b := range h.Bounds {
		e.number(b)
	}
	for _, b := range []narthex.Buckets{h.Positive, h.Negative} {
		e.uint(uint64(len(b.Spans)))
		for _, s := range b.Spans {
			e.int(int64(s.Offset))
			e.uint(uint64(s.Length))
		}
		e.uint(uint64(len(b.Counts)))
		for _, n := range b.Counts {
			e.number(n)
		}
	}
}

func (d *decoder) histogram() *narthex.Histogram {
	if d.byte() == 0 {
		return nil
	}
	h := &narthex.Histogram{Schema: int32(d.int()), ZeroThreshold: d.number(), ZeroCount: d.number(), Count: d.number(), Sum: d.number()}
	for range d.count(1) {
		h.Bounds = append(h.Bounds, d.number())
	}
	for _, b := range []*narthex.Buckets{&h.Positive, &h.Negative} {
		for range d.count(2) {
			b.Spans = append(b.Spans, narthex.Span{Offset: int32(d.int()), Length: uint32(d.uint())})
		}
		for range d.count(1) {
			b.Counts = append(b.Counts, d.number())
		}
	}
	return h
}
