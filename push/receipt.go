package push

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"narthex"
	"narthex/internal/message"
)

// The statuses of a [Receipt] and of a [Status].
const (
	Accepted  = "accepted"  // all of it
	Queued    = "queued"    // safe, and what becomes of it is found out later
	Partial   = "partial"   // some entries were rejected
	Duplicate = "duplicate" // the id was seen before; nothing was done
	Rejected  = "rejected"  // all entries were rejected
	Pending   = "pending"   // acknowledged, not yet written to the store
	Written   = "written"   // in the store
)

// Receipt says what was done with a push. Its numbers count entries of the
// body, each of which is accepted whole, a duplicate, or rejected.
type Receipt struct {
	ID        string              `json:"id"`
	Status    string              `json:"status"`
	Accepted  int                 `json:"accepted"`
	Duplicate int                 `json:"duplicate"`
	Rejected  []narthex.Rejection `json:"rejected"`
	Warnings  []string            `json:"warnings,omitempty"`

	refused int // rejections, those too that Rejected has no room for
}

// Status is what became of a push, as GET /api/v1/receipts/{id} tells it.
type Status struct {
	ID       string              `json:"id"`
	Status   string              `json:"status"`
	Received time.Time           `json:"received,omitzero"`
	Written  time.Time           `json:"written,omitzero"`
	Accepted int                 `json:"accepted,omitempty"`
	Rejected []narthex.Rejection `json:"rejected,omitempty"`
	Warnings []string            `json:"warnings,omitempty"`
}

const (
	maxRejections = 100 // that a receipt lists
	maxText       = 512 // bytes of a series in a receipt
)

// Receipt returns the receipt of a push that the sink has taken (or that has no
// series left for it).
func (p *Push) Receipt() *Receipt {
	b := p.Batch
	r := &Receipt{ID: b.ID, Status: Accepted, Warnings: p.Warnings, refused: len(b.Rejected)}
	r.Rejected = clipped(b.Rejected, r.refused, maxRejections)
	left := p.Entries - p.rejected
	if b.Duplicate {
		r.Status, r.Duplicate = Duplicate, left
		return r
	}
	refused := make(map[string]bool)
	for _, x := range b.Rejected[p.rejected:] {
		if !refused[x.Series] {
			refused[x.Series] = true
			left -= 1 + p.repeats[x.Series]
		}
	}
	switch r.Accepted = max(0, left); {
	case r.Accepted == 0 && p.Entries > 0:
		r.Status = Rejected
	case b.Queued:
		r.Status = Queued
	case len(b.Rejected) > 0:
		r.Status = Partial
	}
	return r
}

// Refusals returns how many rejections there were, those too that Rejected has no
// room for.
func (r *Receipt) Refusals() int {
	if r == nil {
		return 0
	}
	return r.refused
}

// clipped returns at most limit of the first rejections of a total, with texts
// of a bounded length, and how many more there are.
func clipped(first []narthex.Rejection, total, limit int) []narthex.Rejection {
	out := make([]narthex.Rejection, 0, min(total, limit+1))
	for i, x := range first {
		if i == limit {
			return append(out, narthex.Rejection{Reason: fmt.Sprintf("%d more were rejected", total-limit)})
		}
		out = append(out, narthex.Rejection{Series: message.Clip(x.Series, maxText), Reason: message.Clip(x.Reason, maxText)})
	}
	return out
}

// limitParam returns the parameter limit, 100 if it is absent.
func limitParam(r *http.Request) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, narthex.Errorf(narthex.Invalid, "the parameter limit is %s: want a whole number from 1 on", message.Quote(text))
	}
	return n, nil
}
