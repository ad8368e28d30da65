package remotewrite

import (
	"unicode/utf8"

	"narthex"
	"narthex/internal/protowire"
)

// The fields of io.prometheus.write.v2.Request: the specification's 2.0-rc.4,
// and before that (field 6 of a series) the start time of all its samples.

// request2 reads a Request. Its symbols may stand anywhere, so they are read
// first.
func (d *decoder) request2(body string) (err error) {
	symbols, series, other := 0, 0, 0
	for m, f := protowire.Message(body), (protowire.Field{}); m.Next(&f, &err); {
		switch f.Num {
		case 4:
			symbols++
		case 5:
			series++
		case 1, 3:
			other++
		}
	}
	if err != nil {
		return err
	}
	if other > 0 {
		return mistaken(V1, V2)
	}
	// A label has two symbols, and help and unit are symbols too.
	if limit := 2*d.limits.Labels + 2*d.limits.Series; d.limits.Labels > 0 && d.limits.Series > 0 && symbols > limit {
		return narthex.Errorf(narthex.TooLarge, "the request has %d symbols, the limit is %d: send it in several, or raise limits.series_per_push", symbols, limit)
	}
	if err := d.room(series); err != nil {
		return err
	}
	d.symbols, d.valid = make([]string, 0, symbols), true
	for m, f := protowire.Message(body), (protowire.Field{}); m.Next(&f, &err); {
		if f.Num == 4 {
			var s string
			f.Text(&s, &err)
			d.symbols, d.valid = append(d.symbols, s), d.valid && utf8.ValidString(s)
		}
	}
	for m, f := protowire.Message(body), (protowire.Field{}); m.Next(&f, &err); {
		if f.Num == 5 {
			d.series2(f.Message(&err), &err)
		}
	}
	return err
}

// series2 reads a TimeSeries.
func (d *decoder) series2(m protowire.Message, err *error) {
	d.reset()
	var n uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			d.refs = readRefs(d.refs, &f, err)
		case 2:
			d.sample(f.Message(err), V2, err)
		case 3:
			d.histogram(f.Message(err), V2, err)
		case 4:
			d.exemplar2(f.Message(err), err)
		case 5:
			d.metadata2(f.Message(err), err)
		case 6:
			f.Uint(&n, err)
			d.created = int64(n)
		}
	}
	d.grow(len(d.refs)/2, err)
	d.labelRoom = d.resolve(d.labelRoom, d.refs, err)
	for i := range d.exemplars {
		e := &d.exemplars[i]
		refs := d.exemplarRefs[e.from:e.to]
		d.within(len(d.scratch)+len(refs)/2, err)
		e.from = len(d.scratch)
		d.scratch = d.resolve(d.scratch, refs, err)
		e.to = len(d.scratch)
	}
	if *err == nil {
		*err = d.put()
	}
}

// readRefs appends references to symbols, packed or not.
func readRefs(refs []uint32, f *protowire.Field, err *error) []uint32 {
	if f.Wire != protowire.Bytes {
		var n uint64
		f.Uint(&n, err)
		return append(refs, ref(n, err))
	}
	for m := protowire.Message(f.S); m != ""; {
		if m[0] < 0x80 { // most symbols are among the first
			refs, m = append(refs, uint32(m[0])), m[1:]
			continue
		}
		n, ok := m.Varint()
		if !ok {
			*err = protowire.Damaged("a list of references")
			break
		}
		refs = append(refs, ref(n, err))
	}
	return refs
}

// resolve appends the labels that refs refer to to dst.
func (d *decoder) resolve(dst []narthex.Label, refs []uint32, err *error) []narthex.Label {
	if len(refs)%2 != 0 && *err == nil {
		*err = narthex.Errorf(narthex.Invalid, "a series or an exemplar has %d references for its labels, which come in pairs of name and value", len(refs))
	}
	for ; *err == nil && len(refs) > 0; refs = refs[2:] {
		dst = append(dst, narthex.Label{Name: d.symbol(refs[0], err), Value: d.symbol(refs[1], err)})
	}
	return dst
}

func (d *decoder) symbol(n uint32, err *error) string {
	if uint64(n) < uint64(len(d.symbols)) {
		return d.symbols[n]
	}
	if *err == nil {
		*err = narthex.Errorf(narthex.Invalid, "a reference says symbol %d, but the request has %d", n, len(d.symbols))
	}
	return ""
}

func (d *decoder) exemplar2(m protowire.Message, err *error) {
	d.value(&d.out.Offered.Exemplars, err)
	e := protoExemplar{from: len(d.exemplarRefs)}
	var n uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			d.exemplarRefs = readRefs(d.exemplarRefs, &f, err)
		case 2:
			f.Float(&e.value, err)
		case 3:
			f.Uint(&n, err)
			e.time = int64(n)
		}
	}
	e.to = len(d.exemplarRefs)
	d.exemplars = append(d.exemplars, e)
}

func (d *decoder) metadata2(m protowire.Message, err *error) {
	var n uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&n, err)
			d.meta.typ = typeOf(n)
		case 3:
			f.Uint(&n, err)
			d.meta.help = d.symbol(ref(n, err), err)
		case 4:
			f.Uint(&n, err)
			d.meta.unit = d.symbol(ref(n, err), err)
		}
	}
}
