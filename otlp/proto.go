package otlp

import (
	"narthex"
	"narthex/internal/protowire"
)

func decodeProtobuf(body []byte, l Limits) (*Metrics, error) {
	d := protoDecoder{budget: newBudget(l)}
	var out Metrics
	var err error
	for f, m := (protowire.Field{}), protowire.Message(body); m.Next(&f, &err); {
		if f.Num == 1 && d.element(&err) {
			out.Resources = append(out.Resources, d.resource(f.Message(&err), &err))
		}
	}
	if err != nil {
		return nil, err
	}
	out.Points = d.points
	return &out, nil
}

type protoDecoder struct {
	budget
	attributes []Attribute // scratch
	arena      copies[Attribute]
	scratch    []Point // scratch
	pointArena copies[Point]
}

func (d *protoDecoder) resource(m protowire.Message, err *error) (r Resource) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			inner := f.Message(err)
			for g := (protowire.Field{}); inner.Next(&g, err); {
				if g.Num == 1 {
					d.attribute(&r.Attributes, g.Message(err), err)
				}
			}
		case 2:
			if d.element(err) {
				r.Scopes = append(r.Scopes, d.scope(f.Message(err), err))
			}
		}
	}
	return r
}

func (d *protoDecoder) scope(m protowire.Message, err *error) (s Scope) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			inner := f.Message(err)
			for g := (protowire.Field{}); inner.Next(&g, err); {
				switch g.Num {
				case 1:
					g.Text(&s.Name, err)
				case 2:
					g.Text(&s.Version, err)
				case 3:
					d.attribute(&s.Attributes, g.Message(err), err)
				}
			}
		case 2:
			if d.element(err) {
				s.Metrics = append(s.Metrics, d.metric(f.Message(err), err))
			}
		case 3:
			f.Text(&s.SchemaURL, err)
		}
	}
	return s
}

// dataFields has the kinds by the number of the field that holds them.
var dataFields = [...]Kind{5: KindGauge, 7: KindSum, 9: KindHistogram, 10: KindExponential, 11: KindSummary}

func (d *protoDecoder) metric(m protowire.Message, err *error) (out Metric) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Text(&out.Name, err)
		case 2:
			f.Text(&out.Description, err)
		case 3:
			f.Text(&out.Unit, err)
		case 5, 7, 9, 10, 11: // one of them: the last one counts
			d.points -= len(out.Points)
			out.Kind, out.Temporality, out.Monotonic = dataFields[f.Num], Unspecified, false
			d.data(&out, f.Message(err), err)
		}
	}
	return out
}

func (d *protoDecoder) data(out *Metric, m protowire.Message, err *error) {
	d.scratch = d.scratch[:0]
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch {
		case f.Num == 1:
			if d.point(err) {
				d.scratch = append(d.scratch, Point{})
				d.dataPoint(out.Kind, &d.scratch[len(d.scratch)-1], f.Message(err), err)
			}
		case f.Num == 2 && out.Kind != KindGauge && out.Kind != KindSummary:
			var n uint64
			f.Uint(&n, err)
			out.Temporality = temporality(int64(n))
		case f.Num == 3 && out.Kind == KindSum:
			var n uint64
			f.Uint(&n, err)
			out.Monotonic = n != 0
		}
	}
	out.Points = d.pointArena.of(d.scratch)
}

func temporality(n int64) Temporality {
	if n := int32(n); n == int32(Delta) || n == int32(Cumulative) {
		return Temporality(n)
	}
	return Unspecified
}

// attribute appends a KeyValue.
func (d *protoDecoder) attribute(to *[]Attribute, m protowire.Message, err *error) {
	if !d.element(err) {
		return
	}
	var a Attribute
	var v value
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Text(&a.Key, err)
		case 2:
			d.value(&v, f.Message(err), 1, err)
		}
	}
	a.Value = v.text()
	*to = append(*to, a)
}

// value reads an AnyValue; of several in one, the last counts.
func (d *protoDecoder) value(v *value, m protowire.Message, depth int, err *error) {
	if depth > maxDepth {
		fail(err, errTooDeep())
		return
	}
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			*v = value{kind: valueString}
			f.Text(&v.s, err)
		case 2, 3:
			*v = value{kind: valueBool + valueKind(f.Num-2)}
			f.Uint(&v.n, err)
		case 4:
			*v = value{kind: valueDouble}
			f.Float(&v.f, err)
		case 5, 6:
			list := f.Message(err)
			*v = value{kind: valueList + valueKind(f.Num-5)}
			for g := (protowire.Field{}); list.Next(&g, err); {
				if g.Num == 1 && d.element(err) {
					d.member(v, g.Message(err), depth, err)
				}
			}
		case 7:
			*v = value{kind: valueBytes}
			f.Text(&v.s, err)
		case 8: // string_value_strindex, which only profiles have
			*v = value{}
			f.Want(protowire.Varint, err)
		}
	}
}

// member appends to a list or a map.
func (d *protoDecoder) member(to *value, m protowire.Message, depth int, err *error) {
	var v value
	key := ""
	if to.kind == valueList {
		d.value(&v, m, depth+1, err)
	} else {
		for f := (protowire.Field{}); m.Next(&f, err); {
			switch f.Num {
			case 1:
				f.Text(&key, err)
			case 2:
				d.value(&v, f.Message(err), depth+1, err)
			}
		}
	}
	to.keys, to.list = append(to.keys, key), append(to.list, v)
}

func errTooDeep() error {
	return narthex.Errorf(narthex.Invalid, "an attribute's value is nested more than %d deep", maxDepth)
}
