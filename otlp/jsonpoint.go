package otlp

import (
	"strings"

	"narthex"
)

// dataPoint reads a point of a metric of the kind.
func (d *jsonDecoder) dataPoint(kind Kind) (p Point) {
	if kind != KindGauge && kind != KindSum {
		p.Dist = new(Distribution)
	}
	d.object(func(name string) {
		switch name {
		case "attributes":
			d.attributes(&p.Attributes)
		case "startTimeUnixNano":
			p.Start = d.uint()
		case "timeUnixNano":
			p.Time = d.uint()
		case "flags":
			p.NoValue = d.uint()&1 != 0
		case "exemplars":
			if kind == KindSummary {
				d.skip()
				return
			}
			d.list(func() {
				if d.element(&d.err) {
					p.Exemplars = append(p.Exemplars, d.exemplar())
				}
			})
		default:
			if p.Dist == nil {
				d.number(&p, name)
			} else {
				d.distribution(p.Dist, kind, name)
			}
		}
	})
	return p
}

func (d *jsonDecoder) number(p *Point, name string) {
	switch name {
	case "asDouble":
		p.Value = d.float()
	case "asInt":
		p.Value = float64(d.int(64))
	default:
		d.skip()
	}
}

func (d *jsonDecoder) distribution(h *Distribution, kind Kind, name string) {
	switch {
	case name == "count":
		h.Count = d.uint()
	case name == "sum":
		if d.null() {
			return
		}
		h.Sum, h.HasSum = d.float(), kind != KindSummary
	case name == "bucketCounts" && kind == KindHistogram:
		d.counts(&h.Counts)
	case name == "explicitBounds" && kind == KindHistogram:
		d.list(func() {
			h.Bounds = append(h.Bounds, d.float())
			room(len(h.Bounds), &d.err)
		})
	case name == "scale" && kind == KindExponential:
		h.Scale = int32(d.int(32))
	case name == "zeroCount" && kind == KindExponential:
		h.Zero = d.uint()
	case name == "positive" && kind == KindExponential:
		d.run(&h.Positive)
	case name == "negative" && kind == KindExponential:
		d.run(&h.Negative)
	case name == "quantileValues" && kind == KindSummary:
		d.list(func() {
			if d.element(&d.err) {
				h.Quantiles = append(h.Quantiles, d.quantile())
			}
		})
	default:
		d.skip()
	}
}

func (d *jsonDecoder) counts(to *[]uint64) {
	d.list(func() {
		*to = append(*to, d.uint())
		room(len(*to), &d.err)
	})
}

func (d *jsonDecoder) run(r *Run) {
	d.object(func(name string) {
		switch name {
		case "offset":
			r.Offset = int32(d.int(32))
		case "bucketCounts":
			d.counts(&r.Counts)
		default:
			d.skip()
		}
	})
}

func (d *jsonDecoder) quantile() (q Quantile) {
	d.object(func(name string) {
		switch name {
		case "quantile":
			q.Quantile = d.float()
		case "value":
			q.Value = d.float()
		default:
			d.skip()
		}
	})
	return q
}

func (d *jsonDecoder) exemplar() Exemplar {
	e := Exemplar{NoValue: true}
	d.object(func(name string) {
		switch name {
		case "timeUnixNano":
			e.Time = d.uint()
		case "asDouble":
			e.Value, e.NoValue = d.float(), false
		case "asInt":
			e.Value, e.NoValue = float64(d.int(64)), false
		case "spanId":
			e.SpanID = d.identifier(16)
		case "traceId":
			e.TraceID = d.identifier(32)
		case "filteredAttributes":
			d.attributes(&e.Attributes)
		default:
			d.skip()
		}
	})
	return e
}

// identifier reads an id of so many hexadecimal digits; one of zeros alone is
// none.
func (d *jsonDecoder) identifier(digits int) string {
	id := strings.ToLower(d.str())
	if d.err != nil || id == "" {
		return ""
	}
	if len(id) != digits || strings.Trim(id, "0123456789abcdef") != "" {
		fail(&d.err, narthex.Errorf(narthex.Invalid, "not OTLP's JSON: an exemplar's id before byte %d is not %d hexadecimal digits", d.pos, digits))
		return ""
	}
	if strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}
