package otlp

import (
	"encoding/hex"
	"math"

	"narthex"
	"narthex/internal/protowire"
)

// dataPoint reads a point of a metric of the kind. The messages have the same
// fields under different numbers.
func (d *protoDecoder) dataPoint(kind Kind, p *Point, m protowire.Message, err *error) {
	d.attributes = d.attributes[:0]
	switch kind {
	case KindGauge, KindSum:
		d.number(p, m, err)
	case KindHistogram:
		p.Dist = new(Distribution)
		d.histogram(p, m, err)
	case KindExponential:
		p.Dist = new(Distribution)
		d.exponential(p, m, err)
	case KindSummary:
		p.Dist = new(Distribution)
		d.summary(p, m, err)
	}
	p.Attributes = d.arena.of(d.attributes)
}

func (d *protoDecoder) number(p *Point, m protowire.Message, err *error) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 2:
			fixed(&f, &p.Start, err)
		case 3:
			fixed(&f, &p.Time, err)
		case 4:
			f.Float(&p.Value, err)
		case 5:
			d.exemplar(p, f.Message(err), err)
		case 6:
			integer(&f, &p.Value, err)
		case 7:
			d.attribute(&d.attributes, f.Message(err), err)
		case 8:
			flags(&f, p, err)
		}
	}
}

func (d *protoDecoder) histogram(p *Point, m protowire.Message, err *error) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 2:
			fixed(&f, &p.Start, err)
		case 3:
			fixed(&f, &p.Time, err)
		case 4:
			fixed(&f, &p.Dist.Count, err)
		case 5:
			f.Float(&p.Dist.Sum, err)
			p.Dist.HasSum = true
		case 6:
			fixeds(&f, &p.Dist.Counts, func(n uint64) uint64 { return n }, err)
		case 7:
			fixeds(&f, &p.Dist.Bounds, math.Float64frombits, err)
		case 8:
			d.exemplar(p, f.Message(err), err)
		case 9:
			d.attribute(&d.attributes, f.Message(err), err)
		case 10:
			flags(&f, p, err)
		}
	}
}

func (d *protoDecoder) exponential(p *Point, m protowire.Message, err *error) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			d.attribute(&d.attributes, f.Message(err), err)
		case 2:
			fixed(&f, &p.Start, err)
		case 3:
			fixed(&f, &p.Time, err)
		case 4:
			fixed(&f, &p.Dist.Count, err)
		case 5:
			f.Float(&p.Dist.Sum, err)
			p.Dist.HasSum = true
		case 6:
			signed(&f, &p.Dist.Scale, err)
		case 7:
			fixed(&f, &p.Dist.Zero, err)
		case 8:
			buckets(&p.Dist.Positive, f.Message(err), err)
		case 9:
			buckets(&p.Dist.Negative, f.Message(err), err)
		case 10:
			flags(&f, p, err)
		case 11:
			d.exemplar(p, f.Message(err), err)
		}
	}
}

func (d *protoDecoder) summary(p *Point, m protowire.Message, err *error) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 2:
			fixed(&f, &p.Start, err)
		case 3:
			fixed(&f, &p.Time, err)
		case 4:
			fixed(&f, &p.Dist.Count, err)
		case 5:
			f.Float(&p.Dist.Sum, err)
		case 6:
			var q Quantile
			inner := f.Message(err)
			for g := (protowire.Field{}); inner.Next(&g, err); {
				switch g.Num {
				case 1:
					g.Float(&q.Quantile, err)
				case 2:
					g.Float(&q.Value, err)
				}
			}
			if d.element(err) {
				p.Dist.Quantiles = append(p.Dist.Quantiles, q)
			}
		case 7:
			d.attribute(&d.attributes, f.Message(err), err)
		case 8:
			flags(&f, p, err)
		}
	}
}

func (d *protoDecoder) exemplar(p *Point, m protowire.Message, err *error) {
	if !d.element(err) {
		return
	}
	e := Exemplar{NoValue: true}
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 2:
			fixed(&f, &e.Time, err)
		case 3:
			f.Float(&e.Value, err)
			e.NoValue = false
		case 4:
			identifier(&f, &e.SpanID, 8, err)
		case 5:
			identifier(&f, &e.TraceID, 16, err)
		case 6:
			integer(&f, &e.Value, err)
			e.NoValue = false
		case 7:
			d.attribute(&e.Attributes, f.Message(err), err)
		}
	}
	p.Exemplars = append(p.Exemplars, e)
}

func buckets(r *Run, m protowire.Message, err *error) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			signed(&f, &r.Offset, err)
		case 2:
			varints(&f, &r.Counts, err)
		}
	}
}

func fixed(f *protowire.Field, dst *uint64, err *error) {
	*dst = f.N
	f.Want(protowire.Fixed64, err)
}

// integer reads an sfixed64 as the float it becomes.
func integer(f *protowire.Field, dst *float64, err *error) {
	*dst = float64(int64(f.N))
	f.Want(protowire.Fixed64, err)
}

func signed(f *protowire.Field, dst *int32, err *error) {
	*dst = int32(protowire.Zigzag(uint64(uint32(f.N))))
	f.Want(protowire.Varint, err)
}

// flags reads DataPointFlags, of which there is one.
func flags(f *protowire.Field, p *Point, err *error) {
	p.NoValue = f.N&1 != 0
	f.Want(protowire.Varint, err)
}

// identifier reads a trace's or a span's id; one of zeros alone is none.
func identifier(f *protowire.Field, dst *string, size int, err *error) {
	f.Want(protowire.Bytes, err)
	if len(f.S) != 0 && len(f.S) != size {
		fail(err, narthex.Errorf(narthex.Invalid, "an exemplar's id has %d bytes, want %d", len(f.S), size))
		return
	}
	*dst = ""
	for i := range len(f.S) {
		if f.S[i] != 0 {
			*dst = hex.EncodeToString([]byte(f.S))
			return
		}
	}
}

// fixeds appends a repeated 64-bit number, packed or not.
func fixeds[T any](f *protowire.Field, dst *[]T, of func(uint64) T, err *error) {
	if f.Wire != protowire.Bytes {
		f.Want(protowire.Fixed64, err)
		*dst = append(*dst, of(f.N))
	} else if len(f.S)%8 != 0 {
		fail(err, protowire.Damaged("a packed field"))
	} else if room(len(*dst)+len(f.S)/8, err) {
		out := *dst
		if out == nil {
			out = make([]T, 0, len(f.S)/8)
		}
		for s := f.S; len(s) >= 8; s = s[8:] {
			out = append(out, of(uint64(s[0])|uint64(s[1])<<8|uint64(s[2])<<16|uint64(s[3])<<24|
				uint64(s[4])<<32|uint64(s[5])<<40|uint64(s[6])<<48|uint64(s[7])<<56))
		}
		*dst = out
	}
	room(len(*dst), err)
}

// varints appends a repeated uint64, packed or not.
func varints(f *protowire.Field, dst *[]uint64, err *error) {
	if f.Wire != protowire.Bytes {
		f.Want(protowire.Varint, err)
		*dst = append(*dst, f.N)
	} else {
		n := 0
		for i := range len(f.S) {
			if f.S[i] < 0x80 {
				n++
			}
		}
		if !room(len(*dst)+n, err) {
			return
		}
		if *dst == nil {
			*dst = make([]uint64, 0, n)
		}
		for m := protowire.Message(f.S); m != ""; {
			v, ok := m.Varint()
			if !ok {
				fail(err, protowire.Damaged("a packed field"))
				return
			}
			*dst = append(*dst, v)
		}
	}
	room(len(*dst), err)
}

// room reports whether a point may have so many buckets.
func room(n int, err *error) bool {
	if n > maxBuckets {
		fail(err, narthex.Errorf(narthex.TooLarge, "a histogram has %d buckets, the limit is %d", n, maxBuckets))
	}
	return n <= maxBuckets
}
