package push

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
	"narthex/internal/reply"
)

// pushJSON is POST /api/v1/push.
func (d *door) pushJSON(w http.ResponseWriter, r *http.Request) {
	// What curl -d sends by default is taken too.
	d.take(w, r, DoorPush, []string{"application/json", "text/json", "application/x-www-form-urlencoded"}, d.Decode)
}

// take takes a push whose answer is a receipt. decode makes it of the body; an id
// that it sets must be that of the header, if there is one.
func (d *door) take(w http.ResponseWriter, r *http.Request, doorName string, types []string, decode func(body []byte, now time.Time) (*Push, error)) {
	if !d.allowed(w, r, http.MethodPost) {
		d.Observe(http.StatusMethodNotAllowed, nil)
		return
	}
	err := wantType(w, r, types...)
	var p *Push
	now := d.Now()
	if err == nil {
		err = d.read(w, r, func(body []byte) (err error) {
			p, err = decode(body, now)
			return err
		})
	}
	if err == nil {
		p.Batch.ID, err = pickID(r, p.Batch.ID)
	}
	if err != nil {
		d.refuse(w, r, doorName, err)
		return
	}
	d.sign(r, p.Batch)
	d.deliver(w, r, doorName, p)
}

// sign says on the batch who sent it.
func (d *door) sign(r *http.Request, b *narthex.Batch) {
	name, forced := d.Identity(r)
	b.Identity = name
	b.Force(forced)
}

// deliver writes a push to the sink and answers with the receipt.
func (d *door) deliver(w http.ResponseWriter, r *http.Request, doorName string, p *Push) {
	what := d.look(p.Batch.Series)
	if what.source == "" { // of a push of which nothing is left
		what.source = strings.Clone(message.Clip(p.service, maxExample))
	}
	if what.series > 0 {
		if err := d.Sink.Write(r.Context(), p.Batch); err != nil {
			d.refuse(w, r, doorName, err)
			return
		}
	}
	if p.notice != nil {
		if text := p.notice(); text != "" {
			p.Warnings = append(p.Warnings, text)
		}
	}
	p.Warnings = append(p.Warnings, p.Batch.Warnings...)
	receipt := p.Receipt()
	d.keep(doorName, "", p.Batch, what, receipt)
	code := http.StatusOK
	if receipt.Status == Rejected {
		code = http.StatusBadRequest
		msg := "the push was rejected"
		if len(receipt.Rejected) > 0 {
			msg = fmt.Sprintf("nothing of the push could be accepted; %s: %s", receipt.Rejected[0].Series, receipt.Rejected[0].Reason)
		}
		reply.Fail(w, code, reply.Failure{ErrorType: badData, Error: msg, ID: receipt.ID, Rejected: receipt.Rejected})
	} else {
		reply.JSON(w, code, receipt)
	}
	d.Observe(code, receipt)
}

// listing is a request for a list of what is kept.
type listing struct {
	limit    int
	identity string
	all      bool // it may see what others sent
}

// shows reports whether what is kept may be in the list.
func (l listing) shows(k *kept) bool { return l.all || k.key.identity == l.identity }

// wantsList reads a request for a list. If it is none, it is answered and ok is
// false.
func (d *door) wantsList(w http.ResponseWriter, r *http.Request) (l listing, ok bool) {
	if !d.allowed(w, r, http.MethodGet, http.MethodHead) {
		return l, false
	}
	limit, err := limitParam(r)
	if err != nil {
		d.fail(w, r, err)
		return l, false
	}
	identity, _ := d.Identity(r)
	return listing{limit, identity, d.ReadsAll(r)}, true
}

// listReceipts is GET /api/v1/receipts: the last pushes, those with rejections
// first, then the newest first.
func (d *door) listReceipts(w http.ResponseWriter, r *http.Request) {
	l, ok := d.wantsList(w, r)
	if !ok {
		return
	}
	type list struct {
		Receipts []Status `json:"receipts"`
	}
	out := list{Receipts: []Status{}}
	for _, k := range d.recent.list(l.limit, func(k *kept) bool { return k.receipt != nil && k.receipt.ID != "" && l.shows(k) }) {
		s, err := d.status(r.Context(), k.key.identity, k.receipt.ID, k)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		out.Receipts = append(out.Receipts, s)
	}
	reply.JSON(w, http.StatusOK, out)
}

// getReceipt is GET /api/v1/receipts/{id}.
func (d *door) getReceipt(w http.ResponseWriter, r *http.Request) {
	if !d.allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	id := r.PathValue("id")
	identity, _ := d.Identity(r)
	s, err := d.status(r.Context(), identity, id, d.recent.get(identity, id))
	if err != nil {
		d.fail(w, r, err)
		return
	}
	if s.Status == "" {
		d.fail(w, r, &answer{http.StatusNotFound, "not_found",
			fmt.Sprintf("no push with the id %s is known: it was never acknowledged, or longer than %s ago", message.Quote(id), message.Duration(d.Horizon))})
		return
	}
	reply.JSON(w, http.StatusOK, s)
}

// status puts together what the sink and the recent receipts (k may be nil)
// know of a push. An unknown one has no Status.
func (d *door) status(ctx context.Context, identity, id string, k *kept) (Status, error) {
	s := Status{ID: id}
	if k != nil {
		s.Status, s.Received = Pending, k.received
		s.Accepted, s.Rejected, s.Warnings = k.receipt.Accepted, k.receipt.Rejected, k.receipt.Warnings
		switch k.receipt.Status {
		case Rejected:
			s.Status = Rejected
			return s, nil
		case Queued:
			s.Status = Queued
		}
	}
	o, ok, err := d.Lookup(ctx, identity, id)
	if err != nil || !ok {
		return s, err
	}
	for _, x := range clipped(o.Rejected, len(o.Rejected), maxRejections) {
		if !slices.Contains(s.Rejected, x) { // else the receipt has said so
			s.Rejected = append(slices.Clip(s.Rejected), x)
		}
	}
	switch s.Status, s.Written = Pending, utc(o.Written); {
	case o.Refused:
		s.Status = Rejected
	case !o.Written.IsZero():
		s.Status = Written
	}
	return s, nil
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
