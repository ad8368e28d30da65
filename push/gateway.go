package push

import (
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"narthex"
	"narthex/internal/message"
	"narthex/openmetrics"
)

// gateway is Pushgateway's API: PUT, POST and DELETE of
// /metrics/job/<job>{/<label>/<value>}. Its answers are Pushgateway's: no body,
// or one sentence of plain text.
func (d *door) gateway(w http.ResponseWriter, r *http.Request) {
	var e *exposition
	var what brought
	var err error
	code := http.StatusOK
	switch r.Method {
	case http.MethodPut, http.MethodPost:
		e, what, err = d.pushGroup(w, r)
	case http.MethodDelete:
		code = http.StatusAccepted
		e, err = d.deleteGroup(r)
	default:
		w.Header().Set("Allow", "PUT, POST, DELETE")
		err = &answer{http.StatusMethodNotAllowed, "method_not_allowed", "the method " + message.Quote(r.Method) + " is not allowed here: use PUT, POST or DELETE"}
	}
	var receipt *Receipt
	if e != nil {
		receipt = d.remember(e.batch, what, err)
		if err == nil && receipt.Status == Rejected { // a repetition of what was refused
			err = narthex.Errorf(narthex.Invalid, "%s", rejectedText(receipt.Rejected))
		}
	}
	if err != nil {
		a := d.answerOf(w, r, err)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		code = a.code
		w.WriteHeader(code)
		_, _ = io.WriteString(w, a.msg+"\n")
		if e == nil && code != http.StatusMethodNotAllowed {
			d.keepFailure(r, DoorGroup, a)
		}
	} else {
		w.WriteHeader(code)
	}
	d.Observe(code, receipt)
}

// What stands before job/ in the paths of the doors.
const (
	gatewayPrefix   = "/metrics/"
	aggregatePrefix = "/aggregate/metrics/"
)

// pushGroup replaces or extends a group. What it returns has a batch that was
// written, unless it is nil.
func (d *door) pushGroup(w http.ResponseWriter, r *http.Request) (e *exposition, what brought, err error) {
	e, err = d.expose(w, r, gatewayPrefix)
	if err != nil {
		return nil, what, err
	}
	op := narthex.GroupExtend
	if r.Method == http.MethodPut {
		op = narthex.GroupReplace
	}
	ttl, err := d.groupTTL(r, e.key.labels)
	if err != nil {
		return nil, what, err
	}
	e.batch.Group = &narthex.Group{Labels: e.key.labels, Op: op, TTL: ttl}
	if err = e.timeless(); err == nil {
		e.regroup()
		err = e.groupSeries(d.Names)
	}
	if err != nil {
		return nil, what, d.failGroup(r, e, err)
	}
	what = d.look(e.batch.Series)
	if err := d.Sink.Write(r.Context(), e.batch); err != nil {
		return nil, what, err
	}
	if len(e.batch.Rejected) > 0 {
		return e, what, narthex.Errorf(narthex.Invalid, "%s", rejectedText(e.batch.Rejected))
	}
	return e, what, nil
}

// ownMetric reports whether the ledger writes the metric itself; what a client says
// of them is left out.
func ownMetric(name string) bool {
	return name == "push_time_seconds" || name == "push_failure_time_seconds"
}

// groupSeries makes the batch's series. With the group's labels set two of them
// may have become the same.
func (e *exposition) groupSeries(names narthex.NameScheme) error {
	e.families = slices.DeleteFunc(e.families, func(f openmetrics.Family) bool { return ownMetric(f.Name) })
	e.batch.Series = flat(e.families...)
	seed, seen := maphash.MakeSeed(), make(map[uint64]int, len(e.batch.Series))
	var key []byte
	for i, s := range e.batch.Series {
		if err := checkSeries(names, s.Labels); err != nil {
			return narthex.Errorf(narthex.Invalid, "series %s: %w", seriesText(s.Labels), err)
		}
		key = s.Labels.AppendKey(key[:0])
		for h := maphash.Bytes(seed, key); ; h++ { // others may have the same hash
			j, taken := seen[h]
			if !taken {
				seen[h] = i
				break
			}
			if slices.Equal(e.batch.Series[j].Labels, s.Labels) {
				return narthex.Errorf(narthex.Invalid, "series %s is there twice once the path's labels are set: give the two different labels", message.Clip(s.Labels.String(), maxText))
			}
		}
	}
	return nil
}

// checkSeries is the scheme's check, and refuses a label that is there twice:
// le or quantile in the path.
func checkSeries(names narthex.NameScheme, ls narthex.Labels) error {
	for i := 1; i < len(ls); i++ {
		if ls[i].Name == ls[i-1].Name {
			return fmt.Errorf("the path sets the label %s, which histograms and summaries have of their own", ls[i].Name)
		}
	}
	return names.Check(ls)
}

// failGroup notes in the group that a push failed, and returns why it did.
func (d *door) failGroup(r *http.Request, e *exposition, why error) error {
	b := &narthex.Batch{Identity: e.batch.Identity, Received: e.batch.Received,
		Group: &narthex.Group{Labels: e.key.labels, Op: narthex.GroupFail}}
	err := d.Sink.Write(r.Context(), b)
	if kind := narthex.KindOf(err); err != nil && kind != narthex.Limited && kind != narthex.TooLarge {
		d.Logger.Warn("the failure of a push could not be noted in its group", "group", e.key.labels.String(), "err", err)
	}
	return why
}

func (d *door) deleteGroup(r *http.Request) (*exposition, error) {
	e, err := d.grouped(r, gatewayPrefix)
	if err != nil {
		return nil, err
	}
	e.batch.Group = &narthex.Group{Labels: e.key.labels, Op: narthex.GroupDelete}
	if err := d.Sink.Write(r.Context(), e.batch); err != nil {
		return nil, err
	}
	return e, nil
}

// remember keeps the receipt of a group's push. A group is taken whole or not
// at all; err is why it was not. A repetition of a push that was refused gets
// the receipt of the first, which is the one that says so.
func (d *door) remember(b *narthex.Batch, what brought, err error) *Receipt {
	p := &Push{Batch: b, Entries: len(b.Series)}
	receipt := p.Receipt()
	if err != nil {
		receipt.Status, receipt.Accepted = Rejected, 0
	}
	if b.Duplicate {
		if k := d.recent.get(b.Identity, b.ID); k != nil && k.receipt.Status == Rejected {
			return k.receipt
		}
	}
	d.keep(DoorGroup, "", b, what, receipt)
	return receipt
}

// rejectedText makes a sentence of rejections.
func rejectedText(all []narthex.Rejection) string {
	var b strings.Builder
	b.WriteString("pushed metrics are invalid or inconsistent with existing metrics, so nothing of the push was taken: ")
	for i, x := range all {
		if i == 5 {
			b.WriteString("; and " + strconv.Itoa(len(all)-i) + " more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if x.Series != "" {
			b.WriteString(message.Clip(x.Series, maxText) + ": ")
		}
		b.WriteString(message.Clip(x.Reason, maxText))
	}
	return b.String()
}
