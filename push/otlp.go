package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"narthex"
	"narthex/internal/message"
	"narthex/otlp"
)

// OTLPPath is where OpenTelemetry's exporters send metrics.
const OTLPPath = "/v1/metrics"

// unfold is how many series an OTLP data point may become on average: a classic
// histogram's buckets are one each.
const unfold = 20

// maxTold is how many rejections the answer to an OTLP exporter tells.
const maxTold = 5

// otlpPush is an OTLP request that was translated.
type otlpPush struct {
	*otlp.Translation
	encoding        otlp.Encoding
	samples, deltas narthex.Batch
}

// otlpMetrics is POST /v1/metrics. What is cumulative goes to Samples, what are
// increments to Sink; both must have taken theirs. The samples go first: they may
// be written twice without harm, so that what is retried until the ledger has
// remembered the id is never half told.
func (d *door) otlpMetrics(w http.ResponseWriter, r *http.Request) {
	if !d.allowed(w, r, http.MethodPost) {
		d.Observe(http.StatusMethodNotAllowed, nil)
		return
	}
	p := &otlpPush{encoding: otlp.JSON}
	err := wantType(w, r, otlp.Protobuf.ContentType(), otlp.JSON.ContentType())
	if header := r.Header.Get("Content-Type"); err == nil && header == "" {
		err = &answer{http.StatusUnsupportedMediaType, badData, "the content type is missing: send " + otlp.Protobuf.ContentType() + " or " + otlp.JSON.ContentType()}
	} else if media, _, _ := mime.ParseMediaType(header); err == nil && media == otlp.Protobuf.ContentType() {
		p.encoding = otlp.Protobuf
	}
	if err == nil {
		err = d.read(w, r, func(body []byte) error { return p.read(d, r, body) })
	}
	var what brought
	if err == nil {
		what = d.look(p.Deltas).and(d.look(p.Samples))
		err = p.writeSamples(r.Context(), d)
	}
	if err == nil && len(p.Deltas) > 0 {
		err = d.Sink.Write(r.Context(), &p.deltas)
	}
	if err != nil {
		d.failOTLP(w, r, p.encoding, err)
		return
	}
	receipt := p.receipt()
	d.keep(DoorOTLP, "", &p.deltas, what, receipt)
	p.reply(w, receipt)
	d.Observe(http.StatusOK, receipt)
}

// read makes the batches of a body. The id of the increments is the sender's, or
// else a hash of the body: exporters that retry send the same bytes, and the
// times in them make the next request another one.
func (p *otlpPush) read(d *door, r *http.Request, body []byte) error {
	sum, now := sha256.Sum256(body), d.Now()
	m, err := p.encoding.Decode(body, otlp.Limits{Points: d.Limits.Series})
	if err != nil {
		return err
	}
	id, keyed := hex.EncodeToString(sum[:]), r.Header.Get("Idempotency-Key") != ""
	if keyed {
		if id, err = pickID(r, ""); err != nil {
			return err
		}
	}
	o := d.OTLP
	o.Names, o.Horizon, o.MaxSeries = d.Names, d.Horizon, unfold*d.Limits.Series
	p.Translation, err = o.Translate(m, otlp.Arrival{Time: now, Keyed: keyed})
	if err == nil {
		err = d.fits(p.Samples)
	}
	if err == nil {
		err = d.fits(p.Deltas)
	}
	if err != nil {
		return err
	}
	// The samples have no id: another part of the push has it, and they need none.
	p.samples = narthex.Batch{Received: now, Series: p.Samples}
	p.deltas = narthex.Batch{ID: id, Digest: narthex.Digest(sum[:8]), Received: now, Series: p.Deltas}
	d.sign(r, &p.samples)
	d.sign(r, &p.deltas)
	p.Hold()
	return nil
}

// writeSamples writes the samples, in parts of as many series as a push may have:
// points were counted before, and their buckets are no fault of the sender's.
func (p *otlpPush) writeSamples(ctx context.Context, d *door) error {
	for left := p.samples.Series; len(left) > 0; {
		n := min(len(left), d.Limits.Series)
		part := p.samples
		part.Series, part.Rejected, part.Warnings = left[:n:n], nil, nil
		if err := d.Samples.Write(ctx, &part); err != nil {
			return err
		}
		p.samples.Rejected = append(p.samples.Rejected, part.Rejected...)
		p.samples.Warnings = append(p.samples.Warnings, part.Warnings...)
		left = left[n:]
	}
	return nil
}

// receipt says what was done with the points.
func (p *otlpPush) receipt() *Receipt {
	all, rejected := p.Points(p.samples.Rejected, p.deltas.Rejected)
	r := &Receipt{ID: p.deltas.ID, Status: Accepted, Accepted: all - rejected}
	r.Warnings = append(append(p.Warnings, p.samples.Warnings...), p.deltas.Warnings...)
	every := append(append(p.Rejected, p.samples.Rejected...), p.deltas.Rejected...)
	r.refused = len(every) + p.More
	r.Rejected = clipped(every, r.refused, maxRejections)
	switch {
	case rejected == all && all > 0:
		r.Status = Rejected
	case p.deltas.Duplicate && len(p.Samples) == 0:
		r.Status, r.Accepted, r.Duplicate = Duplicate, 0, all-rejected
	case len(every) > 0:
		r.Status = Partial
	}
	return r
}

// reply answers with what was rejected, in points.
func (p *otlpPush) reply(w http.ResponseWriter, r *Receipt) {
	_, rejected := p.Points(p.samples.Rejected, p.deltas.Rejected)
	var told []string
	for _, x := range r.Rejected[:min(len(r.Rejected), maxTold)] {
		told = append(told, x.Series+": "+x.Reason)
	}
	if n := r.refused - maxTold; n > 0 {
		told = append(told, fmt.Sprintf("%d more: see GET /api/v1/receipts/%s", n, r.ID))
	}
	told = append(told, r.Warnings...)
	writeOTLP(w, p.encoding, http.StatusOK, p.encoding.Response(rejected, message.Clip(strings.Join(told, "; "), 4096)))
}

func writeOTLP(w http.ResponseWriter, e otlp.Encoding, code int, body []byte) {
	w.Header().Set("Content-Type", e.ContentType())
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(body) // an error means that the sender has left
}

// The codes of google.rpc.Code that errors have.
const (
	rpcInvalid     = 3
	rpcForbidden   = 7
	rpcExhausted   = 8
	rpcUnavailable = 14
)

// failOTLP answers an error as a google.rpc.Status.
// Exporters try again after 429, 502, 503 and 504, and after nothing else.
func (d *door) failOTLP(w http.ResponseWriter, r *http.Request, e otlp.Encoding, err error) {
	a := d.answerOf(w, r, err)
	code := rpcInvalid
	switch a.code {
	case http.StatusForbidden:
		code = rpcForbidden
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		code = rpcExhausted
	case http.StatusServiceUnavailable:
		code = rpcUnavailable
	case http.StatusRequestTimeout: // to be tried again, which exporters do not after 408
		a.code, code = http.StatusServiceUnavailable, rpcUnavailable
	}
	writeOTLP(w, e, a.code, e.Status(code, a.msg))
	d.keepFailure(r, DoorOTLP, a)
	d.Observe(a.code, nil)
}
