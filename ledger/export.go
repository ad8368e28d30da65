package ledger

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"narthex"
)

// An export is JSON lines, each an object with one member that says what the
// line is: first the head, then groups, series, ids and leads, and at the end
// the numbers of these, so that one that was cut off is noticed. It does not
// depend on the encoding of checkpoints. All times are in ms since the epoch; a
// number that JSON has no form for is a string ("NaN", "+Inf").
type exportLine struct {
	Head   *exportHead   `json:"narthex_ledger,omitempty"`
	Group  *exportGroup  `json:"group,omitempty"`
	Series *exportSeries `json:"series,omitempty"`
	IDs    *exportIDs    `json:"ids,omitempty"`
	Lead   *exportLead   `json:"lead,omitempty"`
	End    *exportEnd    `json:"end,omitempty"`
}

// exportFormat changes only if what is there comes to mean something else; what
// is new gets a member of its own.
const exportFormat = 1

type exportHead struct {
	Format       int              `json:"format"`
	Writer       string           `json:"writer,omitempty"` // the version of narthex
	Exported     string           `json:"exported,omitempty"`
	LastTick     int64            `json:"last_tick"`
	Taken        int64            `json:"taken"`
	Clock        int64            `json:"clock"`
	Destinations map[string]int64 `json:"destinations,omitempty"` // the newest tick that each has taken
	Ticks        [][3]int64       `json:"ticks,omitempty"`        // first, last, distance
	Shards       []int            `json:"shards,omitempty"`       // from (inclusive), to (exclusive)
}

type exportGroup struct {
	Labels  map[string]string `json:"labels"`
	TTL     int64             `json:"ttl,omitempty"`
	Pushed  int64             `json:"pushed,omitempty"`
	Touched int64             `json:"touched,omitempty"`
}

type exportSeries struct {
	Labels         map[string]string `json:"labels"`
	Type           string            `json:"type"`
	Family         string            `json:"family,omitempty"`
	Unit           string            `json:"unit,omitempty"`
	Help           string            `json:"help,omitempty"`
	Value          number            `json:"value"`
	Histogram      *exportHistogram  `json:"histogram,omitempty"`
	Event          int64             `json:"event,omitempty"`
	Changed        int64             `json:"changed,omitempty"`
	Pending        bool              `json:"pending,omitempty"`
	Written        int64             `json:"written,omitempty"`
	Wrote          number            `json:"wrote"`
	WroteHistogram *exportHistogram  `json:"wrote_histogram,omitempty"`
	Stale          bool              `json:"stale,omitempty"`
	Ended          bool              `json:"ended,omitempty"`
	Gone           bool              `json:"gone,omitempty"`
	Group          map[string]string `json:"group,omitempty"`
	Sources        []exportSource    `json:"sources,omitempty"`
	Minutes        *exportMinutes    `json:"minutes,omitempty"`
}

type exportSource struct {
	ID        string           `json:"id"`
	At        int64            `json:"at"`
	Start     int64            `json:"start,omitempty"`
	Value     number           `json:"value"`
	Histogram *exportHistogram `json:"histogram,omitempty"`
}

type exportMinutes struct {
	Lateness int64          `json:"lateness"`
	Upto     int64          `json:"upto"`
	Pending  []exportMinute `json:"pending,omitempty"`
}

type exportMinute struct {
	End       int64            `json:"end"`
	Value     number           `json:"value"`
	Histogram *exportHistogram `json:"histogram,omitempty"`
}

// exportIDs are some ids of one segment; those of one segment have its number.
type exportIDs struct {
	Segment int         `json:"segment"`
	First   int64       `json:"first"`
	Last    int64       `json:"last"`
	Shards  []int       `json:"shards,omitempty"`
	Entries []exportRec `json:"entries"`
}

type exportRec struct {
	ID     string `json:"id"`
	Digest string `json:"digest"`
	After  int64  `json:"after"`
}

type exportLead struct {
	Series    map[string]string `json:"series"`
	Tick      int64             `json:"tick"`
	At        int64             `json:"at"`
	Value     number            `json:"value"`
	Histogram *exportHistogram  `json:"histogram,omitempty"`
	Marker    bool              `json:"marker,omitempty"`
}

type exportEnd struct {
	Groups int `json:"groups"`
	Series int `json:"series"`
	IDs    int `json:"ids"`
	Leads  int `json:"leads"`
}

// exportHistogram is a [narthex.Histogram]: spans are pairs of an offset and a
// length.
type exportHistogram struct {
	Schema         int32      `json:"schema"`
	ZeroThreshold  number     `json:"zero_threshold,omitempty"`
	ZeroCount      number     `json:"zero_count,omitempty"`
	Count          number     `json:"count"`
	Sum            number     `json:"sum"`
	Bounds         []number   `json:"bounds,omitempty"`
	PositiveSpans  [][2]int64 `json:"positive_spans,omitempty"`
	PositiveCounts []number   `json:"positive_counts,omitempty"`
	NegativeSpans  [][2]int64 `json:"negative_spans,omitempty"`
	NegativeCounts []number   `json:"negative_counts,omitempty"`
}

// number is a float that JSON may have no form for.
type number float64

// MarshalJSON implements [json.Marshaler].
func (n number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f-f == 0 {
			return fmt.Errorf("%q is no number that has to be a string: NaN, +Inf or -Inf", s)
		}
		*n = number(f)
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

func numbers(in []float64) []number {
	out := make([]number, len(in))
	for i, f := range in {
		out[i] = number(f)
	}
	return out
}

func newExportHistogram(h *narthex.Histogram) *exportHistogram {
	if h == nil {
		return nil
	}
	spans := func(in []narthex.Span) (out [][2]int64) {
		for _, s := range in {
			out = append(out, [2]int64{int64(s.Offset), int64(s.Length)})
		}
		return out
	}
	return &exportHistogram{
		Schema: h.Schema, ZeroThreshold: number(h.ZeroThreshold), ZeroCount: number(h.ZeroCount),
		Count: number(h.Count), Sum: number(h.Sum), Bounds: numbers(h.Bounds),
		PositiveSpans: spans(h.Positive.Spans), PositiveCounts: numbers(h.Positive.Counts),
		NegativeSpans: spans(h.Negative.Spans), NegativeCounts: numbers(h.Negative.Counts),
	}
}

// MarshalHistogram returns the form that a histogram has in an export.
func MarshalHistogram(h *narthex.Histogram) (json.RawMessage, error) {
	return json.Marshal(newExportHistogram(h))
}

// exporter writes lines and counts them. The first error stays.
type exporter struct {
	w   *bufio.Writer
	end exportEnd
	err error
}

func (x *exporter) line(l exportLine) {
	if x.err != nil {
		return
	}
	b, err := json.Marshal(l)
	if err == nil {
		_, err = x.w.Write(append(b, '\n'))
	}
	x.err = err
}

// labels returns the labels as JSON has them, which knows UTF-8 only.
func (x *exporter) labels(ls narthex.Labels) map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		if !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) {
			x.err = fmt.Errorf("the series %s can't be exported: its labels are not UTF-8", ls)
		}
		m[l.Name] = l.Value
	}
	return m
}

// Export writes all that the state has as JSON lines. writer is the version of
// the program, for people.
func (s *State) Export(w io.Writer, writer string, now time.Time) error {
	if s.ids.absent() {
		return errors.New("the ids are not loaded: see State.LoadSegments")
	}
	x := &exporter{w: bufio.NewWriterSize(w, 64<<10)}
	head := &exportHead{
		Format: exportFormat, Writer: writer, Exported: now.UTC().Format(time.RFC3339),
		LastTick: s.last, Taken: s.taken, Clock: s.clock, Destinations: s.takers, Shards: s.holds.export(),
	}
	for _, r := range s.ticks {
		head.Ticks = append(head.Ticks, [3]int64{r.first, r.last, r.step})
	}
	x.line(exportLine{Head: head})
	for _, key := range slices.Sorted(maps.Keys(s.groups)) {
		g := s.groups[key]
		x.line(exportLine{Group: &exportGroup{Labels: x.labels(g.labels), TTL: g.ttl, Pushed: g.pushed, Touched: g.touched}})
		x.end.Groups++
	}
	for _, a := range s.accounts {
		x.line(exportLine{Series: x.series(a)})
		x.end.Series++
	}
	x.ids(s)
	held := s.held()
	for _, l := range s.leads {
		if _, ok := held[l.a]; ok {
			x.line(exportLine{Lead: &exportLead{
				Series: x.labels(l.a.labels), Tick: l.tick, At: l.at, Value: number(l.value), Histogram: newExportHistogram(l.hist), Marker: l.marker,
			}})
			x.end.Leads++
		}
	}
	x.line(exportLine{End: &x.end})
	if x.err != nil {
		return x.err
	}
	return x.w.Flush()
}

// held returns the accounts that are there.
func (s *State) held() map[*account]bool {
	m := make(map[*account]bool)
	for _, l := range s.leads {
		m[l.a] = false
	}
	for _, a := range s.accounts {
		if _, ok := m[a]; ok {
			m[a] = true
		}
	}
	maps.DeleteFunc(m, func(_ *account, there bool) bool { return !there })
	return m
}

func (x *exporter) series(a *account) *exportSeries {
	out := &exportSeries{
		Labels: x.labels(a.labels), Type: a.typ.String(), Family: a.family, Unit: a.unit, Help: a.help,
		Value: number(a.value), Histogram: newExportHistogram(a.hist), Event: a.event, Changed: a.changed, Pending: a.dirty,
		Written: a.written, Wrote: number(a.wrote), WroteHistogram: newExportHistogram(a.wroteHist), Stale: a.stale,
		Ended: a.ended, Gone: a.gone,
	}
	if a.group != nil && !a.ended {
		out.Group = x.labels(a.group.labels)
	}
	for _, id := range slices.SortedFunc(maps.Keys(a.sources), compareIDs) {
		m := a.sources[id]
		out.Sources = append(out.Sources, exportSource{hex.EncodeToString(id[:]), m.at, m.start, number(m.value), newExportHistogram(m.hist)})
	}
	if a.minutes != nil {
		out.Minutes = &exportMinutes{Lateness: a.minutes.lateness, Upto: a.minutes.upto}
		for _, m := range a.minutes.pending {
			out.Minutes.Pending = append(out.Minutes.Pending, exportMinute{m.end, number(m.value), newExportHistogram(m.hist)})
		}
	}
	return out
}

// idsPerLine keeps lines short.
const idsPerLine = 500

// ids writes the ids; those that are in no segment yet are written as one.
func (x *exporter) ids(s *State) {
	segments := slices.Clone(s.ids.closed)
	if len(s.ids.open) > 0 {
		open := seen{open: s.ids.open, since: s.ids.since}
		open.seal(s.clock)
		segments = append(segments, open.closed...)
	}
	segments = slices.DeleteFunc(segments, func(seg *segment) bool { return len(seg.recs) == 0 })
	for i, seg := range segments {
		for recs := range slices.Chunk(seg.recs, idsPerLine) {
			line := &exportIDs{Segment: i, First: seg.first, Last: seg.last, Shards: seg.holds.export()}
			for _, r := range recs {
				line.Entries = append(line.Entries, exportRec{hex.EncodeToString(r.id[:]), hex.EncodeToString(r.digest[:]), r.after})
			}
			x.end.IDs += len(recs)
			x.line(exportLine{IDs: line})
		}
	}
}

// export returns the range, nothing if it is all.
func (r span) export() []int {
	if r == (span{}) {
		return nil
	}
	return []int{r.from, r.to}
}
