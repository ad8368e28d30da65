package push

import (
	"crypto/sha256"
	"time"

	"narthex"
	"narthex/internal/message"
)

// Push is a decoded push, ready to be written.
type Push struct {
	// Batch is what was brought, without the entries that were rejected. Its ID
	// is the body's, "" if there is none. It may have no series left.
	Batch *narthex.Batch
	// Entries is how many series, counters, histograms and gauges the body has,
	// rejected ones too.
	Entries int
	// Warnings are sentences on what was changed on the way.
	Warnings []string

	notice   func() string  // once it is written: a warning, or ""
	service  string         // the body's
	rejected int            // entries, by Decode
	repeats  map[string]int // a series' text -> entries that were merged into it
}

// Decode makes a push of a JSON body; now is when it arrived. It uses Names,
// Limits.Series, Rules, Layouts and Horizon. A body that is malformed is an error of kind
// [narthex.Invalid], one with too many entries of kind [narthex.TooLarge]. The
// batch's strings share the memory of one copy of the body.
func (o Options) Decode(body []byte, now time.Time) (*Push, error) {
	o = o.withDefaults()
	d := decoder{scanner: scanner{text: string(body)}, max: o.Limits.Series}
	if err := d.document(); err != nil {
		if narthex.KindOf(err) == 0 {
			err = narthex.Errorf(narthex.Invalid, "%w", err)
		}
		return nil, err
	}
	sum := sha256.Sum256(body)
	c := collector{o: &o, now: now.UnixMilli(), push: &Push{Entries: len(d.entries), service: d.service}}
	c.push.Batch = &narthex.Batch{ID: d.id, Digest: narthex.Digest(sum[:8]), Received: now}
	c.collect(d.service, d.entries)
	return c.push, nil
}

// entry is one element of series, counters, histograms or gauges, as it was sent.
type entry struct {
	labels  []narthex.Label // the last one is empty, room for the service
	samples []narthex.Sample
	as      narthex.As
	ruled   bool // "as" is absent: the rules decide
	// A histogram has a layout's name ("" if it doesn't say one) and values in
	// the place of samples.
	histogram bool
	layout    string
	observed  []float64
}

// decoder reads the document's shape; what its values may be is the
// collector's to say.
type decoder struct {
	scanner
	max         int // entries
	id, service string
	entries     []entry
	// labels and samples are what entries take theirs from.
	labels  []narthex.Label
	samples []narthex.Sample
}

var (
	documentFields  = []string{"service", "id", "series", "counters", "histograms", "gauges"}
	seriesFields    = []string{"labels", "samples", "as"}
	sampleFields    = []string{"value", "timestamp"}
	counterFields   = []string{"name", "labels", "add"}
	histogramFields = []string{"name", "labels", "observe", "buckets"}
	gaugeFields     = []string{"name", "labels", "set", "timestamp"}
)

func (d *decoder) document() error {
	if d.next() == 0 && d.pos == len(d.text) {
		return &shapeError{msg: "it is empty; " + wantedShape}
	}
	err := d.object(documentFields, func(i int) (err error) {
		switch {
		case d.null():
		case i == 0:
			d.service, err = d.string()
		case i == 1:
			d.id, err = d.string()
		case i == 2 && d.next() == '{':
			err = d.series()
		case i == 2:
			err = d.list(d.series)
		case i == 3:
			err = d.list(d.counter)
		case i == 4:
			err = d.list(d.histogram)
		default:
			err = d.list(d.gauge)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case d.next() != 0 || d.pos < len(d.text):
		return d.syntax("nothing after the object")
	case len(d.entries) == 0:
		return &shapeError{msg: "there is nothing to push; " + wantedShape}
	}
	return checkID(d.id)
}

const wantedShape = `want an object with "counters", "histograms", "gauges" or "series"`

func (d *decoder) series() error {
	labels, samples, e := len(d.labels), len(d.samples), entry{ruled: true}
	err := d.object(seriesFields, func(i int) (err error) {
		switch {
		case d.null():
		case i == 0:
			err = d.labelSet()
		case i == 1:
			err = d.list(d.sample)
		default:
			e.as, err = d.as()
			e.ruled = false
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.add(e, labels, samples)
}

func (d *decoder) as() (narthex.As, error) {
	word, err := d.string()
	if err != nil {
		return 0, err
	}
	for _, as := range []narthex.As{narthex.AsSample, narthex.AsDelta, narthex.AsGauge} {
		if word == as.String() {
			return as, nil
		}
	}
	return 0, &shapeError{msg: `want "sample", "gauge" or "delta", got ` + message.Quote(word)}
}

func (d *decoder) sample() error {
	var s narthex.Sample
	found := false
	err := d.object(sampleFields, func(i int) (err error) {
		if i == 0 {
			s.Value, err = d.value()
			found = true
			return err
		}
		s.Time, err = d.time()
		return err
	})
	if err == nil && !found {
		err = &shapeError{path: "value", msg: "the field is missing"}
	}
	d.samples = append(d.samples, s)
	return err
}

func (d *decoder) counter() error { return d.named(counterFields, narthex.AsDelta) }
func (d *decoder) gauge() error   { return d.named(gaugeFields, narthex.AsGauge) }

// named reads a counter or a gauge. The fields are name, labels, the value's
// and perhaps the timestamp.
func (d *decoder) named(fields []string, as narthex.As) error {
	labels, samples := len(d.labels), len(d.samples)
	var s narthex.Sample
	name, found := "", false
	err := d.object(fields, func(i int) (err error) {
		switch {
		case i == 2:
			s.Value, err = d.value()
			found = true
		case i == 3:
			s.Time, err = d.time()
		case d.null():
		case i == 0:
			name, err = d.string()
		default:
			err = d.labelSet()
		}
		return err
	})
	if err == nil && !found {
		err = &shapeError{path: fields[2], msg: "the field is missing"}
	}
	if err != nil {
		return err
	}
	d.labels = append(d.labels, narthex.Label{Name: narthex.MetricName, Value: name})
	d.samples = append(d.samples, s)
	return d.add(entry{as: as}, labels, samples)
}

func (d *decoder) histogram() error {
	labels, samples := len(d.labels), len(d.samples)
	e, name, found := entry{as: narthex.AsDelta, histogram: true}, "", false
	err := d.object(histogramFields, func(i int) (err error) {
		switch {
		case i == 2:
			found = true
			err = d.list(func() error {
				v, err := d.value()
				e.observed = append(e.observed, v)
				return err
			})
		case d.null():
		case i == 0:
			name, err = d.string()
		case i == 1:
			err = d.labelSet()
		default:
			e.layout, err = d.string()
		}
		return err
	})
	if err == nil && !found {
		err = &shapeError{path: histogramFields[2], msg: "the field is missing"}
	}
	if err != nil {
		return err
	}
	d.labels = append(d.labels, narthex.Label{Name: narthex.MetricName, Value: name})
	return d.add(e, labels, samples)
}

func (d *decoder) labelSet() error {
	return d.members(func(name string) error {
		value, err := d.string()
		if err != nil {
			return under(step(name), err)
		}
		d.labels = append(d.labels, narthex.Label{Name: name, Value: value})
		return nil
	})
}

func (d *decoder) value() (float64, error) {
	v, err := d.number()
	if err != nil && d.kind() == "null" {
		err = &shapeError{msg: "want a number, got null (which is what JavaScript makes of NaN and Infinity)"}
	}
	return v, err
}

// time reads a timestamp in milliseconds; a fraction is cut off.
func (d *decoder) time() (int64, error) {
	if d.null() {
		return 0, nil
	}
	v, err := d.number()
	return int64(max(-1<<62, min(v, 1<<62))), err
}

// add ends the entry that has what was added to labels and samples since they
// had that many elements.
func (d *decoder) add(e entry, labels, samples int) error {
	if len(d.entries) == d.max {
		return narthex.Errorf(narthex.TooLarge, "the push has more than %d series: send it in several", d.max)
	}
	d.labels = append(d.labels, narthex.Label{})
	e.labels = d.labels[labels:len(d.labels):len(d.labels)]
	e.samples = d.samples[samples:len(d.samples):len(d.samples)]
	d.entries = append(d.entries, e)
	return nil
}
