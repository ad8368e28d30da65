package push

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"narthex"
	"narthex/internal/message"
	"narthex/internal/reply"
	"narthex/remotewrite"
)

// WritePath is where remote write comes in, as with Prometheus.
const WritePath = "/api/v1/write"

// valuesPerSeries and labelsPerSeries are how many values and labels together a
// request may have for each series that it may have.
const (
	valuesPerSeries = 20
	labelsPerSeries = 50
)

// write is POST /api/v1/write: Prometheus's remote write, 1.0 and 2.0.
//
// The content type and the encoding are judged before the body is looked at, so
// that a sender learns what is not spoken here from 415, whatever it sent.
func (d *door) write(w http.ResponseWriter, r *http.Request) {
	if !d.allowed(w, r, http.MethodPost) {
		d.Observe(http.StatusMethodNotAllowed, nil)
		return
	}
	version, err := writeVersion(r)
	if err != nil {
		d.refuse(w, r, DoorRemoteWrite, err)
		return
	}
	var req *remotewrite.Request
	err = d.readSnappy(w, r, func(body string) (err error) {
		if req, err = remotewrite.Decode(version, body, d.writeLimits()); err == nil {
			err = d.fits(req.Series)
		}
		return err
	})
	if err != nil {
		d.refuse(w, r, DoorRemoteWrite, err)
		return
	}
	b := &narthex.Batch{Received: d.Now(), Series: req.Series, Rejected: req.Rejected}
	d.sign(r, b)
	what, unread := d.look(b.Series), len(b.Rejected)
	if len(b.Series) > 0 {
		if err := d.Samples.Write(r.Context(), b); err != nil {
			d.refuse(w, r, DoorRemoteWrite, err)
			return
		}
	}
	if len(req.Families) > 0 && d.Describe != nil {
		d.Describe(req.Families)
	}
	d.answerWrite(w, version, req.Offered, b, d.keepWrite(b, what, unread))
}

// keepWrite remembers a request: the last one of each sender, and the last one
// with something refused, because they come every few seconds and have no
// ids. unread is how many of the rejections are of series that could not be read.
func (d *door) keepWrite(b *narthex.Batch, what brought, unread int) *Receipt {
	p := &Push{Batch: b, Entries: what.series + unread, rejected: unread}
	r, id := p.Receipt(), "\x00write"
	if len(r.Rejected) > 0 {
		id += " refused"
	}
	d.keep(DoorRemoteWrite, id, b, what, r)
	return r
}

// answerWrite says how much is stored, and what is not and why. An exemplar that
// the store refuses is worth a 400 in 2.0 only, as with Prometheus.
func (d *door) answerWrite(w http.ResponseWriter, version remotewrite.Version, offered remotewrite.Counts, b *narthex.Batch, r *Receipt) {
	var c remotewrite.Counts
	for i := range b.Series {
		c.Add(&b.Series[i])
	}
	if version == remotewrite.V2 {
		h := w.Header()
		h.Set(remotewrite.HeaderSamplesWritten, strconv.Itoa(c.Samples))
		h.Set(remotewrite.HeaderHistogramsWritten, strconv.Itoa(c.Histograms))
		h.Set(remotewrite.HeaderExemplarsWritten, strconv.Itoa(c.Exemplars))
	}
	msg := ""
	if n := len(b.Rejected); n > 0 {
		msg = fmt.Sprintf("%d samples or series were refused, the others are stored; the first: %s: %s", n, message.Clip(b.Rejected[0].Series, maxText), b.Rejected[0].Reason)
	} else if version == remotewrite.V2 && c.Exemplars < offered.Exemplars && !d.noExemplars {
		msg = strings.Join(b.Warnings, "; ")
	}
	if msg == "" {
		w.WriteHeader(http.StatusNoContent)
		d.Observe(http.StatusNoContent, r)
		return
	}
	reply.Fail(w, http.StatusBadRequest, reply.Failure{ErrorType: badData, Error: msg, Rejected: clipped(b.Rejected, len(b.Rejected), maxToldWrite)})
	d.Observe(http.StatusBadRequest, r)
}

// maxToldWrite is how many rejections the answer lists.
const maxToldWrite = 100

// writeLimits are the bounds of a request.
func (d *door) writeLimits() remotewrite.Limits {
	n := d.Limits.Series
	return remotewrite.Limits{
		Series: n, Values: valuesPerSeries * n, Labels: labelsPerSeries * n,
		LabelsPerSeries: d.Names.MaxLabels, Name: d.Names.MaxName, Value: d.Names.MaxValue,
	}
}

// writeVersion returns the version that the request's headers say, or an error
// with the status 415.
func writeVersion(r *http.Request) (remotewrite.Version, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, remotewrite.ContentEncoding) {
		return 0, &answer{http.StatusUnsupportedMediaType, badData, "the content encoding " + message.Quote(encoding) + " is not taken here: remote write is compressed with snappy, in its block format"}
	}
	header := r.Header.Get("Content-Type")
	if header == "" { // as old senders do
		return remotewrite.V1, nil
	}
	media, params, err := mime.ParseMediaType(header)
	if err == nil && media == remotewrite.ContentTypeV1 {
		switch params["proto"] {
		case "", "prometheus.WriteRequest":
			return remotewrite.V1, nil
		case "io.prometheus.write.v2.Request":
			return remotewrite.V2, nil
		}
	}
	return 0, &answer{http.StatusUnsupportedMediaType, badData, "the content type " + message.Quote(header) + " is not taken here: send " + remotewrite.ContentTypeV1 + ", or " + remotewrite.ContentTypeV2}
}

// exactly makes a sink for samples of one that is for pushes: see
// [Options.Samples]. It can't tell which sample of a series was rejected, so the
// whole series counts as such; and it takes no exemplars.
func exactly(s narthex.Sink) narthex.Sink {
	return narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		kept := b.Series[:0]
		for _, x := range b.Series {
			if x.Exemplars = nil; len(x.Samples) > 0 {
				kept = append(kept, x)
			}
		}
		if b.Series = kept; len(kept) == 0 {
			return nil
		}
		told := len(b.Rejected)
		if err := s.Write(ctx, b); err != nil || len(b.Rejected) == told {
			return err
		}
		gone := make(map[string]bool)
		for _, x := range b.Rejected[told:] {
			gone[x.Series] = true
		}
		kept = b.Series[:0]
		for _, x := range b.Series {
			if !gone[x.Labels.String()] {
				kept = append(kept, x)
			}
		}
		b.Series = kept
		return nil
	})
}
