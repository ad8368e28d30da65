package otlp

import (
	"encoding/base64"

	"narthex"
)

func decodeJSON(body []byte, l Limits) (*Metrics, error) {
	d := jsonDecoder{scanner: scanner{text: string(body)}, budget: newBudget(l)}
	var out Metrics
	d.object(func(name string) {
		if name != "resourceMetrics" {
			d.skip()
			return
		}
		d.list(func() {
			if d.element(&d.err) {
				out.Resources = append(out.Resources, d.resource())
			}
		})
	})
	if d.err == nil && d.next() != 0 || d.err == nil && d.pos != len(d.text) {
		d.scanner.fail("nothing after the object")
	}
	if d.err != nil {
		return nil, d.err
	}
	out.Points = d.points
	return &out, nil
}

type jsonDecoder struct {
	scanner
	budget
}

func (d *jsonDecoder) resource() (r Resource) {
	d.object(func(name string) {
		switch name {
		case "resource":
			d.object(func(name string) {
				if name == "attributes" {
					d.attributes(&r.Attributes)
				} else {
					d.skip()
				}
			})
		case "scopeMetrics":
			d.list(func() {
				if d.element(&d.err) {
					r.Scopes = append(r.Scopes, d.scope())
				}
			})
		default:
			d.skip()
		}
	})
	return r
}

func (d *jsonDecoder) scope() (s Scope) {
	d.object(func(name string) {
		switch name {
		case "scope":
			d.object(func(name string) {
				switch name {
				case "name":
					s.Name = d.str()
				case "version":
					s.Version = d.str()
				case "attributes":
					d.attributes(&s.Attributes)
				default:
					d.skip()
				}
			})
		case "metrics":
			d.list(func() {
				if d.element(&d.err) {
					s.Metrics = append(s.Metrics, d.metric())
				}
			})
		case "schemaUrl":
			s.SchemaURL = d.str()
		default:
			d.skip()
		}
	})
	return s
}

func (d *jsonDecoder) metric() (m Metric) {
	d.object(func(name string) {
		switch name {
		case "name":
			m.Name = d.str()
		case "description":
			m.Description = d.str()
		case "unit":
			m.Unit = d.str()
		case "gauge":
			d.data(&m, KindGauge)
		case "sum":
			d.data(&m, KindSum)
		case "histogram":
			d.data(&m, KindHistogram)
		case "exponentialHistogram":
			d.data(&m, KindExponential)
		case "summary":
			d.data(&m, KindSummary)
		default:
			d.skip()
		}
	})
	return m
}

// data reads a metric's data; of several, the last counts.
func (d *jsonDecoder) data(m *Metric, kind Kind) {
	if d.null() {
		return
	}
	d.points -= len(m.Points)
	m.Kind, m.Points, m.Temporality, m.Monotonic = kind, nil, Unspecified, false
	d.object(func(name string) {
		switch {
		case name == "dataPoints":
			d.list(func() {
				if d.point(&d.err) {
					m.Points = append(m.Points, d.dataPoint(kind))
				}
			})
		case name == "aggregationTemporality" && kind != KindGauge && kind != KindSummary:
			m.Temporality = d.temporality()
		case name == "isMonotonic" && kind == KindSum:
			m.Monotonic = d.bool()
		default:
			d.skip()
		}
	})
}

func (d *jsonDecoder) temporality() Temporality {
	if d.next() != '"' {
		return temporality(d.int(32))
	}
	switch at, text := d.pos, d.str(); text {
	case "AGGREGATION_TEMPORALITY_DELTA":
		return Delta
	case "AGGREGATION_TEMPORALITY_CUMULATIVE":
		return Cumulative
	case "AGGREGATION_TEMPORALITY_UNSPECIFIED":
	default: // perhaps a number in a string
		d.pos = at
		return temporality(d.int(32))
	}
	return Unspecified
}

func (d *jsonDecoder) attributes(to *[]Attribute) {
	d.list(func() {
		if !d.element(&d.err) {
			return
		}
		key, v := d.keyValue(1)
		*to = append(*to, Attribute{Key: key, Value: v.text()})
	})
}

func (d *jsonDecoder) keyValue(depth int) (key string, v value) {
	d.object(func(name string) {
		switch name {
		case "key":
			key = d.str()
		case "value":
			d.value(&v, depth)
		default:
			d.skip()
		}
	})
	return key, v
}

// value reads an AnyValue.
func (d *jsonDecoder) value(v *value, depth int) {
	if depth > maxDepth {
		fail(&d.err, errTooDeep())
		return
	}
	d.object(func(name string) {
		switch name {
		case "stringValue":
			*v = value{kind: valueString, s: d.str()}
		case "boolValue":
			*v = value{kind: valueBool}
			if d.bool() {
				v.n = 1
			}
		case "intValue":
			*v = value{kind: valueInt, n: uint64(d.int(64))}
		case "doubleValue":
			*v = value{kind: valueDouble, f: d.float()}
		case "arrayValue", "kvlistValue":
			*v = value{kind: valueList}
			if name == "kvlistValue" {
				v.kind = valueMap
			}
			d.values(v, depth)
		case "bytesValue":
			text := d.str()
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				fail(&d.err, narthex.Errorf(narthex.Invalid, "not OTLP's JSON: bytesValue before byte %d is not base64", d.pos))
			}
			*v = value{kind: valueBytes, s: string(b)}
		case "stringValueStrindex": // which only profiles have
			*v = value{}
			d.skip()
		default:
			d.skip()
		}
	})
}

// values reads the elements of an ArrayValue or a KeyValueList.
func (d *jsonDecoder) values(to *value, depth int) {
	d.object(func(name string) {
		if name != "values" {
			d.skip()
			return
		}
		d.list(func() {
			if !d.element(&d.err) {
				return
			}
			var v value
			key := ""
			if to.kind == valueList {
				d.value(&v, depth+1)
			} else {
				key, v = d.keyValue(depth + 1)
			}
			to.keys, to.list = append(to.keys, key), append(to.list, v)
		})
	})
}
