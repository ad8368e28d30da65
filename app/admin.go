package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"narthex"
	"narthex/auth"
	"narthex/internal/reply"
	"narthex/ledger"
)

// Totals is a ledger that can be looked into and corrected: that of a running
// program, of one that does not run, or one in a store.
type Totals interface {
	// Find returns what is kept of the series that match, at most a number of
	// them, and whether there are more.
	Find(ctx context.Context, match func(narthex.Labels) bool, most int) (totals []ledger.Total, more bool, err error)
	// Edit makes an edit, or a part of an import, durable. It returns the series
	// that it left as they are.
	Edit(ctx context.Context, e *ledger.Entry) ([]narthex.Rejection, error)
	// Snapshot returns a copy of the whole.
	Snapshot(ctx context.Context) (*ledger.State, error)
}

// TotalsOptions are what the doors to a ledger's totals need.
type TotalsOptions struct {
	Totals  Totals
	Version string // for exports
	Logger  *slog.Logger
	Now     func() time.Time
}

// MountTotals adds the doors under /api/v1/ledger/, which are for administrators.
func MountTotals(mux *http.ServeMux, o TotalsOptions) {
	d := totalsDoors{o}
	mux.HandleFunc("GET /api/v1/ledger/series", d.list)
	mux.HandleFunc("PUT /api/v1/ledger/series", d.set)
	mux.HandleFunc("DELETE /api/v1/ledger/series", d.delete)
	mux.HandleFunc("GET /api/v1/ledger/export", d.export)
	mux.HandleFunc("POST /api/v1/ledger/import", d.imports)
}

type totalsDoors struct{ o TotalsOptions }

const (
	maxListed = 100_000 // series in one answer
	maxEdit   = 1 << 20 // bytes of a set
	maxImport = 64 << 30
	maxLeft   = 1000 // series that are named of those that an import left alone
)

// LedgerSeries is a total as the doors tell it.
type LedgerSeries struct {
	Series    string          `json:"series"`
	Type      string          `json:"type"`
	Unit      string          `json:"unit,omitempty"`
	Help      string          `json:"help,omitempty"`
	Value     string          `json:"value,omitempty"` // as PromQL writes numbers
	Histogram json.RawMessage `json:"histogram,omitempty"`
	Count     string          `json:"count,omitempty"` // of the histogram
	Group     string          `json:"group,omitempty"`
	Changed   time.Time       `json:"changed,omitzero"` // the tick that wrote the last change
	Written   time.Time       `json:"written,omitzero"` // the newest sample
	Pending   bool            `json:"pending,omitempty"`
	Stale     bool            `json:"stale,omitempty"`
	Sources   int             `json:"sources,omitempty"`
}

// LedgerList is the answer of GET /api/v1/ledger/series.
type LedgerList struct {
	Status string         `json:"status"`
	Data   []LedgerSeries `json:"data"`
	More   bool           `json:"more,omitempty"` // there are more than limit
}

func (d totalsDoors) list(w http.ResponseWriter, r *http.Request) {
	most := 1000
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			reply.Error(w, http.StatusBadRequest, "bad_data", fmt.Sprintf("limit: want a number from 1 to %d", maxListed))
			return
		}
		most = n
	}
	var match func(narthex.Labels) bool
	if text := r.FormValue("match"); text != "" {
		s, err := ledger.ParseSelector(text)
		if err != nil {
			reply.Error(w, http.StatusBadRequest, "bad_data", err.Error())
			return
		}
		match = s.Matches
	}
	if text := r.FormValue("series"); text != "" {
		ls, err := oneSeries(text)
		if err != nil {
			reply.Error(w, http.StatusBadRequest, "bad_data", err.Error())
			return
		}
		match = func(other narthex.Labels) bool { return slices.Equal(ls, other) }
	}
	totals, more, err := d.o.Totals.Find(r.Context(), match, most)
	if err != nil {
		fail(w, err)
		return
	}
	list := LedgerList{Status: "success", Data: make([]LedgerSeries, 0, len(totals)), More: more}
	for i := range totals {
		s, err := seriesOf(&totals[i])
		if err != nil {
			fail(w, err)
			return
		}
		list.Data = append(list.Data, s)
	}
	reply.JSON(w, http.StatusOK, list)
}

func seriesOf(t *ledger.Total) (s LedgerSeries, err error) {
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	s = LedgerSeries{
		Series: t.Labels.String(), Type: t.Type.String(), Unit: t.Unit, Help: t.Help,
		Changed: t.Changed.UTC(), Written: t.Written.UTC(), Pending: t.Pending, Stale: t.Stale, Sources: t.Sources,
	}
	if t.Changed.IsZero() {
		s.Changed = time.Time{}
	}
	if t.Written.IsZero() {
		s.Written = time.Time{}
	}
	if t.Group != nil {
		s.Group = t.Group.String()
	}
	if t.Histogram == nil {
		s.Value = number(t.Value)
		return s, nil
	}
	s.Count = number(t.Histogram.Count)
	s.Histogram, err = ledger.MarshalHistogram(t.Histogram)
	return s, err
}

// LedgerSet is the body of PUT /api/v1/ledger/series: a value, or a histogram in
// the form that the list has.
type LedgerSet struct {
	Series    string          `json:"series"`
	Value     *float64        `json:"value,omitempty"`
	Histogram json.RawMessage `json:"histogram,omitempty"`
}

func (d totalsDoors) set(w http.ResponseWriter, r *http.Request) {
	var body LedgerSet
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEdit))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		reply.Error(w, http.StatusBadRequest, "bad_data", "the body is not as wanted: "+err.Error())
		return
	}
	series, err := oneSeries(body.Series)
	if err == nil && (body.Value == nil) == (body.Histogram == nil) {
		err = errors.New("want a value or a histogram")
	}
	var h *narthex.Histogram
	var v float64
	if body.Value != nil {
		v = *body.Value
	} else if err == nil {
		h, err = ledger.ParseHistogram(body.Histogram)
	}
	var e *ledger.Entry
	if err == nil {
		e, err = ledger.NewSet(whose(r), r.Header.Get("Idempotency-Key"), d.o.Now(), series, v, h)
	}
	if err != nil {
		reply.Error(w, http.StatusBadRequest, "bad_data", err.Error())
		return
	}
	d.edit(w, r, e, "set", series)
}

func (d totalsDoors) delete(w http.ResponseWriter, r *http.Request) {
	var all []narthex.Labels
	texts := r.URL.Query()["series"]
	if len(texts) == 0 || len(texts) > 1000 {
		reply.Error(w, http.StatusBadRequest, "bad_data", "say which series: want 1 to 1000 parameters series")
		return
	}
	for _, text := range texts {
		ls, err := oneSeries(text)
		if err != nil {
			reply.Error(w, http.StatusBadRequest, "bad_data", err.Error())
			return
		}
		all = append(all, ls)
	}
	e, err := ledger.NewDelete(whose(r), r.Header.Get("Idempotency-Key"), d.o.Now(), all...)
	if err != nil {
		reply.Error(w, http.StatusBadRequest, "bad_data", err.Error())
		return
	}
	d.edit(w, r, e, "delete", all...)
}

// edit enters an edit. What was refused is an error even if some was done: the
// answer names it.
func (d totalsDoors) edit(w http.ResponseWriter, r *http.Request, e *ledger.Entry, what string, series ...narthex.Labels) {
	refused, err := d.o.Totals.Edit(r.Context(), e)
	if err != nil {
		fail(w, err)
		return
	}
	done := len(series) - len(refused)
	if done > 0 {
		d.o.Logger.Info("totals were edited by hand", "what", what, "series", done, "first", series[0].String(), "by", whose(r))
	}
	if len(refused) > 0 {
		reply.Fail(w, http.StatusUnprocessableEntity, reply.Failure{
			ErrorType: "refused", Error: fmt.Sprintf("%s: %s (%d of %d series were done)", refused[0].Series, refused[0].Reason, done, len(series)), Rejected: refused,
		})
		return
	}
	reply.JSON(w, http.StatusOK, map[string]any{"status": "success", "series": done})
}

func (d totalsDoors) export(w http.ResponseWriter, r *http.Request) {
	s, err := d.o.Totals.Snapshot(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // it may be large
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.Export(w, d.o.Version, d.o.Now()); err != nil {
		// Its end is missing, which whoever imports it will notice.
		d.o.Logger.Warn("an export of the ledger was cut off", "err", err)
	}
}

// LedgerImported is the answer of POST /api/v1/ledger/import.
type LedgerImported struct {
	Status string `json:"status"`
	Series int    `json:"series"` // that were imported
	IDs    int    `json:"ids"`
	// Left are the series that were left alone, and why, up to a thousand of them.
	Left  int                 `json:"left"`
	Named []narthex.Rejection `json:"named,omitempty"`
}

func (d totalsDoors) imports(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	merge := r.URL.Query().Get("merge") == "true"
	if err := d.empty(r.Context()); err != nil && !merge {
		fail(w, err)
		return
	}
	s, err := ledger.Import(http.MaxBytesReader(w, r.Body, maxImport), ledger.ImportOptions{IgnoreUnknown: r.URL.Query().Get("ignore_unknown") == "true"})
	if err != nil {
		fail(w, err)
		return
	}
	answer := LedgerImported{Status: "success"}
	answer.Series, answer.IDs = s.Sizes()
	entries, err := ledger.ImportEntries(s, d.o.Now())
	if err != nil {
		fail(w, err)
		return
	}
	for i, e := range entries {
		left, err := d.o.Totals.Edit(r.Context(), e)
		if err != nil {
			fail(w, narthex.Errorf(narthex.KindOf(err), "part %d of %d: %w; what came before it is imported, and merge=true takes the rest", i+1, len(entries), err))
			return
		}
		answer.Left += len(left)
		answer.Named = append(answer.Named, left[:min(len(left), maxLeft-len(answer.Named))]...)
	}
	answer.Series -= answer.Left
	d.o.Logger.Info("an export was imported", "series", answer.Series, "ids", answer.IDs, "left", answer.Left, "by", whose(r))
	reply.JSON(w, http.StatusOK, answer)
}

// empty returns an error if there is something in the ledger.
func (d totalsDoors) empty(ctx context.Context) error {
	s, err := d.o.Totals.Snapshot(ctx)
	if err != nil {
		return err
	}
	if series, ids := s.Sizes(); series > 0 || ids > 0 {
		return narthex.Errorf(narthex.Conflict, "the ledger is not empty (%d series, %d ids): import into an empty one, or add what is absent with --merge (merge=true)", series, ids)
	}
	return nil
}

// oneSeries reads the name of one series.
func oneSeries(text string) (narthex.Labels, error) {
	s, err := ledger.ParseSelector(text)
	if err != nil {
		return nil, err
	}
	ls, err := s.Series()
	if err == nil && ls.Get(narthex.MetricName) == "" {
		err = errors.New("a series has a metric's name: want name{label=\"value\"}")
	}
	return ls, err
}

// whose returns in whose name an edit is entered: apart from that of pushes, so
// that their ids never meet.
func whose(r *http.Request) string {
	id, _ := auth.FromContext(r.Context())
	return "admin " + id.Name
}

// fail answers an error of the ledger.
func fail(w http.ResponseWriter, err error) {
	code, word := http.StatusInternalServerError, "internal"
	switch narthex.KindOf(err) {
	case narthex.Invalid:
		code, word = http.StatusBadRequest, "bad_data"
	case narthex.Conflict:
		code, word = http.StatusConflict, "conflict"
	case narthex.TooLarge:
		code, word = http.StatusRequestEntityTooLarge, "too_large"
	case narthex.Unavailable:
		w.Header().Set("Retry-After", "5")
		code, word = http.StatusServiceUnavailable, "unavailable"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return // the sender has left
	}
	reply.Error(w, code, word, err.Error())
}
