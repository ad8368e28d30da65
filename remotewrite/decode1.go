package remotewrite

import (
	"narthex"
	"narthex/internal/protowire"
)

// The fields of prometheus.WriteRequest: prompb/remote.proto and types.proto in
// prometheus/prometheus.

// request1 reads a WriteRequest.
func (d *decoder) request1(body string) (err error) {
	n, other := 0, 0
	for m, f := protowire.Message(body), (protowire.Field{}); m.Next(&f, &err); {
		switch f.Num {
		case 1:
			n++
		case 4, 5:
			other++
		}
	}
	if err != nil {
		return err
	}
	if other > 0 {
		return mistaken(V2, V1)
	}
	if err := d.room(n); err != nil {
		return err
	}
	for m, f := protowire.Message(body), (protowire.Field{}); m.Next(&f, &err); {
		switch f.Num {
		case 1:
			d.series1(f.Message(&err), &err)
		case 3:
			d.family1(f.Message(&err), &err)
		}
	}
	return err
}

// mistaken is the error for the message of one version that was sent as the
// other's. Nothing of it would be read, as the versions share no field, and the
// sender would take that for success.
func mistaken(is, said Version) error {
	return narthex.Errorf(narthex.Invalid, "the body is a message of remote write %s, but the content type says %s: send %s", is, said, is.ContentType())
}

// series1 reads a TimeSeries.
func (d *decoder) series1(m protowire.Message, err *error) {
	d.reset()
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			d.grow(1, err)
			d.labelRoom = append(d.labelRoom, label1(f.Message(err), err))
		case 2:
			d.sample(f.Message(err), V1, err)
		case 3:
			d.exemplar1(f.Message(err), err)
		case 4:
			d.histogram(f.Message(err), V1, err)
		}
	}
	if *err == nil {
		*err = d.put()
	}
}

func label1(m protowire.Message, err *error) (l narthex.Label) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Text(&l.Name, err)
		case 2:
			f.Text(&l.Value, err)
		}
	}
	return l
}

func (d *decoder) exemplar1(m protowire.Message, err *error) {
	d.value(&d.out.Offered.Exemplars, err)
	e := protoExemplar{from: len(d.scratch)}
	var n uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			d.within(len(d.scratch)+1, err)
			d.scratch = append(d.scratch, label1(f.Message(err), err))
		case 2:
			f.Float(&e.value, err)
		case 3:
			f.Uint(&n, err)
			e.time = int64(n)
		}
	}
	e.to = len(d.scratch)
	d.exemplars = append(d.exemplars, e)
}

// family1 reads a MetricMetadata.
func (d *decoder) family1(m protowire.Message, err *error) {
	var s narthex.Series
	var typ uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&typ, err)
		case 2:
			f.Text(&s.Family, err)
		case 4:
			f.Text(&s.Help, err)
		case 5:
			f.Text(&s.Unit, err)
		}
	}
	s.Type = typeOf(typ)
	if d.limits.Values > 0 && len(d.out.Families) >= d.limits.Values && *err == nil {
		*err = narthex.Errorf(narthex.TooLarge, "the request describes more than %d metrics: send it in several", d.limits.Values)
	}
	d.out.Families = append(d.out.Families, s)
}
