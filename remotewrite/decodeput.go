package remotewrite

import (
	"slices"

	"narthex"
	"narthex/internal/message"
)

// put adds the series that was read.
func (d *decoder) put() error {
	ls, why := d.check(d.labelRoom[d.labelsFrom:])
	if why == "" && len(d.samples)+len(d.histograms)+len(d.exemplars) == 0 {
		why = "it has neither a sample nor a histogram nor an exemplar"
	}
	if why != "" {
		d.reject(ls, why)
		return nil
	}
	d.labels += len(ls)
	for _, e := range d.exemplars {
		d.labels += e.to - e.from
	}
	var err error
	if d.within(d.labels, &err); err != nil {
		return err
	}
	d.out.Series = append(d.out.Series, narthex.Series{Labels: d.keepRead(ls), Type: d.meta.typ, Help: d.meta.help, Unit: d.meta.unit})
	s := &d.out.Series[len(d.out.Series)-1]
	s.Samples = append(d.keepSamples(len(d.samples)+len(d.histograms)), d.samples...)
	for i := range d.histograms {
		h := &d.histograms[i]
		n, err := h.histogram()
		if err != nil {
			d.reject(s.Labels, "its histogram is not valid: "+err.Error())
			continue
		}
		s.Samples = append(s.Samples, narthex.Sample{Time: h.time, Start: h.start, Histogram: n})
		if h.gauge {
			s.Type = narthex.TypeGaugeHistogram
		}
	}
	if d.created != 0 {
		for i := range s.Samples {
			if s.Samples[i].Start == 0 {
				s.Samples[i].Start = d.created
			}
		}
	}
	s.Exemplars = d.putExemplars()
	if s.Type != narthex.TypeUnknown || s.Help != "" || s.Unit != "" {
		s.Family = familyOf(s)
	}
	if len(s.Samples)+len(s.Exemplars) == 0 {
		d.out.Series = d.out.Series[:len(d.out.Series)-1]
	}
	return nil
}

func (d *decoder) putExemplars() []narthex.Exemplar {
	if len(d.exemplars) == 0 {
		return nil
	}
	out := make([]narthex.Exemplar, len(d.exemplars))
	for i, e := range d.exemplars {
		out[i] = narthex.Exemplar{Labels: d.keepLabels(sorted(d.scratch[e.from:e.to])), Time: e.time, Value: e.value}
	}
	return out
}

// reject rejects a series, or a histogram of it. Its labels are of any length: a
// symbol that fills the body may be in all of the request's series.
func (d *decoder) reject(ls narthex.Labels, why string) {
	short := make(narthex.Labels, 0, min(len(ls), maxShown))
	for _, l := range ls[:min(len(ls), maxShown)] {
		short = append(short, narthex.Label{Name: message.Clip(l.Name, 80), Value: message.Clip(l.Value, 80)})
	}
	d.out.Rejected = append(d.out.Rejected, narthex.Rejection{Series: short.String(), Reason: why})
}

// maxShown is how many labels of a series a rejection shows.
const maxShown = 20

// within notes an error if there are more labels than a request may have. That holds
// for those of one series, too, while it is read.
func (d *decoder) within(labels int, err *error) {
	if d.limits.Labels > 0 && labels > d.limits.Labels && *err == nil {
		*err = narthex.Errorf(narthex.TooLarge, "the request has more than %d labels: send it in several, or raise limits.series_per_push", d.limits.Labels)
	}
}

// grow makes room for n more labels of the series that is read.
func (d *decoder) grow(n int, err *error) {
	read := d.labelRoom[d.labelsFrom:]
	if d.within(len(read)+n, err); *err != nil || n <= cap(read)-len(read) {
		return
	}
	d.labelRoom, d.labelsFrom = append(make([]narthex.Label, 0, max(roomSize, 2*len(read)+n)), read...), 0
}

// roomSize is how many labels or samples are allocated together.
const roomSize = 2048

// keepRead returns ls, which are the first of the labels that were read, for good.
func (d *decoder) keepRead(ls narthex.Labels) narthex.Labels {
	d.labelsFrom += len(ls)
	d.labelRoom = d.labelRoom[:d.labelsFrom]
	return slices.Clip(ls)
}

// keepLabels returns a copy of ls that lasts.
func (d *decoder) keepLabels(ls []narthex.Label) narthex.Labels {
	if len(ls) > cap(d.labelRoom)-len(d.labelRoom) {
		d.labelRoom = make([]narthex.Label, 0, max(roomSize, len(ls)))
	}
	n := len(d.labelRoom)
	d.labelRoom = append(d.labelRoom, ls...)
	d.labelsFrom = len(d.labelRoom)
	return d.labelRoom[n:d.labelsFrom:d.labelsFrom]
}

// keepSamples returns room for n samples that lasts.
func (d *decoder) keepSamples(n int) []narthex.Sample {
	if n > cap(d.sampleRoom)-len(d.sampleRoom) {
		d.sampleRoom = make([]narthex.Sample, 0, max(min(roomSize, cap(d.out.Series)), n))
	}
	from := len(d.sampleRoom)
	d.sampleRoom = d.sampleRoom[:from+n]
	return d.sampleRoom[from : from : from+n]
}
