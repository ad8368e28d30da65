package push

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"strings"

	"narthex"
	"narthex/openmetrics"
)

// exposition is a request to one of the doors that take what programs expose:
// the families of its body, in the group that its path names.
type exposition struct {
	key      groupKey
	batch    *narthex.Batch // all but its series
	families []openmetrics.Family
}

// expose reads a request's path, id and body. The error is the sender's. prefix
// is what stands before job/ in the path.
func (d *door) expose(w http.ResponseWriter, r *http.Request, prefix string) (*exposition, error) {
	e, err := d.grouped(r, prefix)
	if err != nil {
		return nil, err
	}
	contentType := r.Header.Get("Content-Type")
	format, err := openmetrics.FormatOf(contentType)
	if err != nil {
		w.Header().Set("Accept", openmetrics.Text.ContentType())
		return nil, &answer{http.StatusUnsupportedMediaType, badData, err.Error()}
	}
	err = d.read(w, r, func(body []byte) (err error) {
		e.digest(r, contentType, body)
		e.families, err = format.Parse(body, openmetrics.Limits{Samples: d.Limits.Series, Labels: d.Names.MaxLabels})
		return err
	})
	return e, err
}

// grouped reads a request's path and id.
func (d *door) grouped(r *http.Request, prefix string) (*exposition, error) {
	key, err := parseGroupKey(strings.TrimPrefix(r.URL.EscapedPath(), prefix), d.Names)
	if err != nil {
		return nil, err
	}
	id, err := pickID(r, "")
	if err != nil {
		return nil, err
	}
	name, forced := d.Identity(r)
	for _, l := range forced { // of the group too: nobody reaches another's
		key.labels = key.labels.With(l.Name, l.Value)
	}
	e := &exposition{key: key, batch: &narthex.Batch{ID: id, Identity: name, Received: d.Now()}}
	e.digest(r, "", nil)
	return e, nil
}

// digest sets the digest of what was sent: where to, as what, and the body.
func (e *exposition) digest(r *http.Request, contentType string, body []byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q %q ", r.Method, e.key.labels.AppendKey(nil), r.URL.RawQuery, contentType)
	h.Write(body)
	e.batch.Digest = narthex.Digest(h.Sum(nil)[:8])
}

// regroup sets the group's labels on all metrics.
func (e *exposition) regroup() {
	for i := range e.families {
		for j := range e.families[i].Metrics {
			m := &e.families[i].Metrics[j]
			m.Labels = e.key.set(m.Labels)
		}
	}
}

// errTimestamps is the refusal of what no group can have: a time of its own,
// which the next restatement of it would contradict.
var errTimestamps = narthex.Errorf(narthex.Invalid, "pushed metrics must not have timestamps: leave them out, or send samples with times of their own to /api/v1/push")

// timeless returns an error if a metric has a timestamp.
func (e *exposition) timeless() error {
	for i := range e.families {
		for j := range e.families[i].Metrics {
			if e.families[i].Metrics[j].Time != 0 {
				return errTimestamps
			}
		}
	}
	return nil
}

// flat returns the families' series as a store has them, with one kind of NaN.
func flat(families ...openmetrics.Family) []narthex.Series {
	series := openmetrics.Series(families)
	for i := range series {
		if v := &series[i].Samples[0].Value; *v != *v {
			*v = math.NaN() // whichever NaN it was: one of them would end the series
		}
	}
	return series
}
