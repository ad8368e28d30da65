package push

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
	"narthex/internal/reply"
)

// The doors, as an [Arrival] names them.
const (
	DoorPush        = "push"         // POST /api/v1/push
	DoorEMF         = "emf"          // POST /api/v1/emf
	DoorOTLP        = "otlp"         // POST /v1/metrics
	DoorRemoteWrite = "remote_write" // POST /api/v1/write
	DoorGroup       = "group"        // /metrics/job/…
	DoorAggregate   = "aggregate"    // /aggregate/metrics/job/…
)

// Arrival is what became of a request to push, as GET /api/v1/arrivals tells it:
// of one that was refused as a whole too, which has no receipt.
type Arrival struct {
	// ID is that of the receipt; empty if there is none to ask for.
	ID       string    `json:"id,omitempty"`
	Door     string    `json:"door"`
	Identity string    `json:"identity"` // who sent it; "" without authentication
	Source   string    `json:"source"`   // the service, or else the job, of the first series
	Received time.Time `json:"received"`
	// Times is how many requests alike this stands for, of which it is the last:
	// failures with one reason, and remote write, which has no ids.
	Times int `json:"times"`
	// Status is one of a receipt's, or failed: nothing of the request was looked
	// at further, because of Error.
	Status    string              `json:"status"`
	Code      int                 `json:"code,omitempty"`
	ErrorType string              `json:"errorType,omitempty"`
	Error     string              `json:"error,omitempty"`
	Written   time.Time           `json:"written,omitzero"` // the tick that wrote it
	Accepted  int                 `json:"accepted"`
	Duplicate int                 `json:"duplicate"`
	Rejected  []narthex.Rejection `json:"rejected,omitempty"`
	Warnings  []string            `json:"warnings,omitempty"`
	// Series is how many it brought, Examples are the first of them.
	Series   int      `json:"series"`
	Examples []Stored `json:"examples,omitempty"`
}

// Failed is the status of an [Arrival] that was refused as a whole.
const Failed = "failed"

// Stored is a series of a push, and the name of the metric to look for it under:
// a classic histogram's is that of its buckets.
type Stored struct {
	Series string `json:"series"`
	Metric string `json:"metric"`
	Type   string `json:"type"`
	As     string `json:"as"`
}

const (
	maxExamples = 5
	maxExample  = 300 // bytes of one, which may be cut in the middle
)

// brought is what is remembered of a push's series.
type brought struct {
	series   int
	source   string
	examples []Stored
}

// look is called before the series are written: a stage may take some out.
func (d *door) look(series []narthex.Series) brought {
	b := brought{series: len(series), source: d.source(series)}
	for i := range series[:min(len(series), maxExamples)] {
		b.examples = append(b.examples, stored(&series[i]))
	}
	return b
}

// and returns what both brought.
func (b brought) and(o brought) brought {
	if b.series == 0 {
		return o
	}
	b.series += o.series
	b.examples = append(b.examples, o.examples[:min(len(o.examples), maxExamples-len(b.examples))]...)
	return b
}

// keep remembers a push that was taken, or whose entries were all rejected. id is
// under what, if the receipt has none.
func (d *door) keep(doorName, id string, b *narthex.Batch, what brought, r *Receipt) {
	d.recent.add(&kept{key: recentKey{b.Identity, cmp.Or(r.ID, id)}, received: b.Received, door: doorName, brought: what, receipt: r})
}

// refuse answers a request that failed as a whole, remembers it and returns the
// status code.
func (d *door) refuse(w http.ResponseWriter, r *http.Request, doorName string, err error) {
	a := d.answerOf(w, r, err)
	reply.Error(w, a.code, a.errorType, a.msg)
	d.keepFailure(r, doorName, a)
	d.Observe(a.code, nil)
}

// keepFailure remembers why a request failed.
func (d *door) keepFailure(r *http.Request, doorName string, a *answer) {
	if r.Context().Err() != nil { // the sender has left
		return
	}
	identity, _ := d.Identity(r)
	short := &answer{a.code, a.errorType, strings.Clone(message.Clip(a.msg, maxText))}
	d.recent.add(&kept{
		// Ids can be printed, so that none is taken for this.
		key:      recentKey{identity, fmt.Sprintf("\x00%s %d %s", doorName, short.code, short.msg)},
		received: d.Now(), door: doorName, failure: short,
	})
}

func (d *door) source(series []narthex.Series) string {
	if len(series) == 0 {
		return ""
	}
	ls := series[0].Labels
	return strings.Clone(message.Clip(cmp.Or(ls.Get(d.SourceLabel), ls.Get("job")), maxExample))
}

// stored says where the series is found once it is written.
func stored(s *narthex.Series) Stored {
	name := s.Labels.Get(narthex.MetricName)
	if len(s.Samples) > 0 && s.Samples[0].Histogram != nil && s.Samples[0].Histogram.Schema == narthex.CustomBounds && s.As != narthex.AsSample {
		name += "_bucket"
	}
	return Stored{
		Series: strings.Clone(message.Clip(s.Labels.String(), maxExample)),
		Metric: strings.Clone(message.Clip(name, maxExample)), Type: s.Type.String(), As: s.As.String(),
	}
}

// listArrivals is GET /api/v1/arrivals: the last requests to push, those that
// failed or had something rejected first, then the newest first.
func (d *door) listArrivals(w http.ResponseWriter, r *http.Request) {
	l, ok := d.wantsList(w, r)
	if !ok {
		return
	}
	type data struct {
		Arrivals []Arrival `json:"arrivals"`
		All      bool      `json:"all"` // those of others are among them
	}
	type list struct {
		Status string `json:"status"`
		Data   data   `json:"data"`
	}
	out := list{"success", data{Arrivals: []Arrival{}, All: l.all}}
	for _, k := range d.recent.list(l.limit, l.shows) {
		a, err := d.arrival(r, k)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		out.Data.Arrivals = append(out.Data.Arrivals, a)
	}
	reply.JSON(w, http.StatusOK, out)
}

// arrival tells what is kept of a request.
func (d *door) arrival(r *http.Request, k *kept) (Arrival, error) {
	a := Arrival{
		Door: k.door, Identity: k.key.identity, Source: k.source, Received: k.received, Times: k.times,
		Series: k.series, Examples: k.examples,
	}
	if f := k.failure; f != nil {
		a.Status, a.Code, a.ErrorType, a.Error = Failed, f.code, f.errorType, f.msg
		return a, nil
	}
	a.ID, a.Status = k.receipt.ID, k.receipt.Status
	a.Accepted, a.Duplicate = k.receipt.Accepted, k.receipt.Duplicate
	a.Rejected, a.Warnings = k.receipt.Rejected, k.receipt.Warnings
	if a.ID == "" { // remote write, which is stored when it is answered
		a.Written = k.received
		return a, nil
	}
	s, err := d.status(r.Context(), k.key.identity, a.ID, k)
	a.Rejected, a.Written = s.Rejected, s.Written
	if s.Status == Rejected || s.Status == Queued {
		a.Status = s.Status
	}
	return a, err
}
