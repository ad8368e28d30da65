package remotewrite

import (
	"math"

	"narthex"
	"narthex/internal/protowire"
)

// Request is what the body of a request says.
type Request struct {
	// Series are the entries that can be taken, in the body's order: labels are
	// sorted, names and values share the body's memory. An entry may have
	// exemplars and no samples, because Prometheus sends those by themselves; two
	// entries may have the same labels.
	Series []narthex.Series
	// Families describe metrics apart from any samples, as 1.0 does it: Family,
	// Type, Unit and Help are set.
	Families []narthex.Series
	// Rejected are the entries (or histograms of one) that can't be taken.
	Rejected []narthex.Rejection
	// Offered counts what the body has, rejected or not.
	Offered Counts
}

// Counts are numbers of the three things that the protocol counts.
type Counts struct{ Samples, Histograms, Exemplars int }

// Add counts what the series has.
func (c *Counts) Add(s *narthex.Series) {
	c.Exemplars += len(s.Exemplars)
	for i := range s.Samples {
		if s.Samples[i].Histogram != nil {
			c.Histograms++
		} else {
			c.Samples++
		}
	}
}

// Limits bound what one request may make in memory; 0 is no limit. A request
// over the first three is refused whole, an entry over the others by itself.
type Limits struct {
	Series int // entries
	Values int // samples, histograms and exemplars together
	Labels int // of all entries together

	LabelsPerSeries, Name, Value int // of one entry; bytes of a name and of a value
}

// Decode reads a decompressed body. What isn't the protobuf of that version, or
// refers to a symbol that isn't there, is an error of kind [narthex.Invalid];
// what is over a limit is one of kind [narthex.TooLarge]. Entries whose labels
// or histograms are wrong are rejected one by one.
//
// Labels need not be sorted, and an empty value is no label at all, which is
// how Prometheus takes them. Unlike the other doors this one takes label names
// that begin with two underscores, and any UTF-8.
func Decode(v Version, body string, l Limits) (*Request, error) {
	d := &decoder{limits: l, out: &Request{}}
	var err error
	if v == V2 {
		err = d.request2(body)
	} else {
		err = d.request1(body)
	}
	if err != nil {
		return nil, err
	}
	return d.out, nil
}

// decoder reads one body.
type decoder struct {
	limits  Limits
	out     *Request
	symbols []string
	valid   bool // all symbols are UTF-8

	// What the series share, so that a series costs no allocations of its own.
	labelRoom  []narthex.Label
	sampleRoom []narthex.Sample
	labels     int // used of the limit

	// Of the series that is read. Its labels are read to where they stay.
	labelsFrom   int // in labelRoom
	refs         []uint32
	samples      []narthex.Sample
	histograms   []protoHistogram
	exemplars    []protoExemplar
	exemplarRefs []uint32
	scratch      []narthex.Label // the exemplars' labels
	meta         protoMetadata
	created      int64
}

// protoExemplar is one whose labels stand in decoder.scratch from the one index to
// the other, or, as references, in decoder.exemplarRefs.
type protoExemplar struct {
	from, to int
	value    float64
	time     int64
}

// protoMetadata describes a metric. In 2.0 help and unit are references.
type protoMetadata struct {
	typ        narthex.Type
	help, unit string
}

// reset makes ready for another series. What was read of one that was rejected is
// dropped.
func (d *decoder) reset() {
	d.labelRoom, d.refs, d.samples = d.labelRoom[:d.labelsFrom], d.refs[:0], d.samples[:0]
	d.histograms, d.exemplars = d.histograms[:0], d.exemplars[:0]
	d.exemplarRefs, d.scratch = d.exemplarRefs[:0], d.scratch[:0]
	d.meta, d.created = protoMetadata{}, 0
}

// room makes room for n entries, within the limit.
func (d *decoder) room(n int) error {
	if d.limits.Series > 0 && n > d.limits.Series {
		return narthex.Errorf(narthex.TooLarge, "the request has %d series, the limit is %d: send them in several, or raise limits.series_per_push", n, d.limits.Series)
	}
	d.out.Series = make([]narthex.Series, 0, n)
	return nil
}

// value counts a sample, a histogram or an exemplar.
func (d *decoder) value(count *int, err *error) {
	*count++
	o := &d.out.Offered
	if d.limits.Values > 0 && o.Samples+o.Histograms+o.Exemplars > d.limits.Values && *err == nil {
		*err = narthex.Errorf(narthex.TooLarge, "the request has more than %d samples, histograms and exemplars: send them in several, or raise limits.series_per_push", d.limits.Values)
	}
}

// sample reads a Sample message, which the versions have alike but for its
// start.
func (d *decoder) sample(m protowire.Message, v Version, err *error) {
	d.value(&d.out.Offered.Samples, err)
	var s narthex.Sample
	var n uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Float(&s.Value, err)
		case 2:
			f.Uint(&n, err)
			s.Time = int64(n)
		case 3:
			if v == V2 {
				f.Uint(&n, err)
				s.Start = int64(n)
			}
		}
	}
	d.samples = append(d.samples, s)
}

// typeOf returns the type with the protocol's number, which is also ours.
func typeOf(n uint64) narthex.Type {
	if n > uint64(narthex.TypeStateSet) {
		return narthex.TypeUnknown
	}
	return narthex.Type(n)
}

// ref checks that n is a number of 32 bits.
func ref(n uint64, err *error) uint32 {
	if n > math.MaxUint32 && *err == nil {
		*err = narthex.Errorf(narthex.Invalid, "the reference %d is no 32-bit number", n)
	}
	return uint32(n)
}
