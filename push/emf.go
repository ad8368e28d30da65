package push

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"narthex"
	"narthex/emf"
)

// pushEMF is POST /api/v1/emf: events in CloudWatch's embedded metric format, as
// an object, a list of objects, or lines. The answer is a receipt.
//
// Who sends logs on sends the same bytes again when there was no answer, so
// without an Idempotency-Key the id is the hash of the body.
func (d *door) pushEMF(w http.ResponseWriter, r *http.Request) {
	types := []string{"application/json", "text/json", "application/x-ndjson", "application/jsonl", "application/json-lines", "text/plain", "application/x-www-form-urlencoded"}
	d.take(w, r, DoorEMF, types, func(body []byte, now time.Time) (*Push, error) {
		p, err := d.decodeEMF(body, now)
		if err == nil && r.Header.Get("Idempotency-Key") != "" {
			p.Batch.ID = ""
		}
		return p, err
	})
}

// decodeEMF makes a push of a body. Its id is the body's hash.
func (d *door) decodeEMF(body []byte, now time.Time) (*Push, error) {
	o := d.EMF
	o.Oldest, o.Newest, o.MaxSeries = now.Add(-d.Horizon).UnixMilli(), now.UnixMilli(), d.Limits.Series
	c := &emfReader{door: d, collector: emf.NewCollector(o)}
	if err := c.documents(body); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	p := &Push{Batch: &narthex.Batch{
		ID: "sha256-" + base64.RawURLEncoding.EncodeToString(sum[:]), Digest: narthex.Digest(sum[:8]), Received: now,
	}}
	b := p.Batch
	b.Rejected = append(c.refused, c.collector.Rejected()...)
	for _, s := range c.collector.Series() {
		if err := d.Names.Check(s.Labels); err != nil {
			b.Reject(seriesText(s.Labels), err.Error())
			continue
		}
		b.Series = append(b.Series, s)
	}
	p.rejected = len(b.Rejected)
	p.Entries = len(b.Series) + p.rejected
	if p.Entries == 0 {
		return nil, narthex.Errorf(narthex.Invalid, "there are no metrics in it: want objects with _aws.CloudWatchMetrics (the embedded metric format), one, a list, or one in each line")
	}
	if c.others > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d of %d events are not in the embedded metric format and were left out", c.others, c.n))
	}
	return p, nil
}

// emfReader reads events of a body.
type emfReader struct {
	door      *door
	collector *emf.Collector
	n, others int // events; those without metrics
	refused   []narthex.Rejection
}

// documents reads a body: one JSON value, or one in each line. Among lines, one
// that is broken spoils no other.
func (c *emfReader) documents(body []byte) error {
	body = bytes.TrimSpace(body)
	if json.Valid(body) {
		if body[0] == '[' {
			return c.list(body)
		}
		return c.event(body, "the event")
	}
	if !bytes.ContainsRune(body, '\n') {
		var v json.RawMessage
		return narthex.Errorf(narthex.Invalid, "the body is not JSON: %w", json.Unmarshal(body, &v))
	}
	n := 0
	for line := range bytes.Lines(body) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := c.event(line, fmt.Sprintf("line %d", n)); err != nil {
			return err
		}
	}
	return nil
}

func (c *emfReader) list(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		return narthex.Errorf(narthex.Invalid, "the body: %w", err)
	}
	for dec.More() {
		var doc json.RawMessage
		if err := dec.Decode(&doc); err != nil {
			return narthex.Errorf(narthex.Invalid, "the body: %w", err)
		}
		if err := c.event(doc, fmt.Sprintf("event %d", c.n+1)); err != nil {
			return err
		}
	}
	return nil
}

// event reads one event. The error is of the whole push.
func (c *emfReader) event(doc []byte, where string) error {
	if c.n++; c.n > c.door.Limits.Series {
		return narthex.Errorf(narthex.TooLarge, "the push has more than %d events: send it in several", c.door.Limits.Series)
	}
	err := c.collector.Add(doc)
	switch {
	case err == nil:
	case errors.Is(err, emf.ErrNotEMF):
		c.others++
	case narthex.KindOf(err) == narthex.TooLarge:
		return err
	default:
		c.refused = append(c.refused, narthex.Rejection{Series: where, Reason: err.Error()})
	}
	return nil
}
