package ledger

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"narthex"
)

func compareIDs(x, y ID) int { return bytes.Compare(x[:], y[:]) }

// ImportOptions say how an export is read. The zero value is strict.
type ImportOptions struct {
	// IgnoreUnknown passes over what this narthex does not know, which a newer
	// one has written; else that is an error that names it.
	IgnoreUnknown bool
}

// maxLine bounds a line of an export: a series with its sources.
const maxLine = 64 << 20

// maxTime bounds times from outside, in ms, so that no sum of them overflows.
const maxTime = 1 << 52

// Import returns the state that an export is of. What it says is checked as if
// anybody had written it.
func Import(r io.Reader, o ImportOptions) (*State, error) {
	in := &importer{o: o, s: NewState(), segment: make(map[int]*segment)}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := in.line(lines.Bytes()); err != nil {
			return nil, narthex.Errorf(narthex.Invalid, "line %d of the export: %w", n, err)
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, narthex.Errorf(narthex.Invalid, "read the export: %w", err)
	case !in.headed:
		return nil, narthex.Errorf(narthex.Invalid, "it is empty: want what narthex ledger export writes")
	case !in.ended:
		return nil, narthex.Errorf(narthex.Invalid, "the export has no end: it was cut off")
	}
	for _, a := range in.s.accounts {
		if why := in.s.refuseAccount(a); why != "" {
			return nil, narthex.Errorf(narthex.Invalid, "the series %s: %s", a.labels, why)
		}
	}
	return in.s, nil
}

// importer is an export as far as it is read.
type importer struct {
	o             ImportOptions
	s             *State
	headed, ended bool
	n             exportEnd
	segment       map[int]*segment
}

func (in *importer) line(b []byte) error {
	var l exportLine
	d := json.NewDecoder(bytes.NewReader(b))
	if !in.o.IgnoreUnknown {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(&l); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return fmt.Errorf("this narthex does not know %s, which a newer one has written: use that one, or pass over it with --ignore-unknown", name)
		}
		return err
	}
	if d.More() {
		return errors.New("there is more than one object on the line")
	}
	if in.ended {
		return errors.New("it goes on after its end")
	}
	if (l.Head != nil) == in.headed {
		return errors.New("it does not begin as an export of narthex does, once")
	}
	switch {
	case l.Head != nil:
		in.headed = true
		return in.head(l.Head)
	case l.Group != nil:
		in.n.Groups++
		return in.group(l.Group)
	case l.Series != nil:
		in.n.Series++
		return in.series(l.Series)
	case l.IDs != nil:
		in.n.IDs += len(l.IDs.Entries)
		return in.ids(l.IDs)
	case l.Lead != nil:
		in.n.Leads++
		return in.lead(l.Lead)
	case l.End != nil:
		if in.ended = true; *l.End != in.n {
			return fmt.Errorf("it has %+v, but says that it has %+v: a part of it is missing", in.n, *l.End)
		}
	case !in.o.IgnoreUnknown:
		return errors.New("it says nothing")
	}
	return nil
}

func checkTimes(times ...int64) error {
	for _, t := range times {
		if t < 0 || t > maxTime {
			return fmt.Errorf("%d is no time in milliseconds", t)
		}
	}
	return nil
}

func (in *importer) head(h *exportHead) (err error) {
	if h.Format != exportFormat {
		return fmt.Errorf("it is of format %d, this narthex knows format %d: use the newer narthex that wrote it", h.Format, exportFormat)
	}
	s := in.s
	s.last, s.taken, s.clock, s.takers = h.LastTick, h.Taken, h.Clock, h.Destinations
	if s.holds, err = importSpan(h.Shards); err != nil {
		return err
	}
	for _, t := range h.Ticks {
		r := run{t[0], t[1], t[2]}
		if err := checkTimes(r.first, r.last); err != nil {
			return err
		}
		if r.wrong() {
			return fmt.Errorf("ticks from %d to %d, %d apart", r.first, r.last, r.step)
		}
		s.ticks = append(s.ticks, r)
	}
	return checkTimes(append(slices.Collect(maps.Values(s.takers)), s.last, s.taken, s.clock)...)
}

// wrong reports whether it is no run of ticks.
func (r run) wrong() bool {
	return r.last < r.first || r.step < 0 || (r.step == 0) != (r.last == r.first) || r.step > 0 && (r.last-r.first)%r.step != 0
}

func importSpan(shards []int) (span, error) {
	if len(shards) == 0 {
		return span{}, nil
	}
	if len(shards) != 2 || shards[0] < 0 || shards[1] <= shards[0] || shards[1] > Shards {
		return span{}, fmt.Errorf("the shards %v: want two numbers up to %d", shards, Shards)
	}
	return span{shards[0], shards[1]}, nil
}

func importLabels(m map[string]string) (narthex.Labels, error) {
	var ls []narthex.Label
	for name, value := range m {
		if value == "" {
			return nil, fmt.Errorf("the label %q is empty", name)
		}
		ls = append(ls, narthex.Label{Name: name, Value: value})
	}
	return narthex.NewLabels(ls...)
}

func (in *importer) group(x *exportGroup) error {
	ls, err := importLabels(x.Labels)
	if err != nil {
		return err
	}
	g := &group{labels: ls, key: string(ls.AppendKey(nil)), members: make(map[string]*account), ttl: x.TTL, pushed: x.Pushed, touched: x.Touched}
	if in.s.groups[g.key] != nil {
		return fmt.Errorf("the group %s is there twice", ls)
	}
	in.s.groups[g.key] = g
	return checkTimes(x.TTL, x.Pushed, x.Touched)
}

func (in *importer) series(x *exportSeries) error {
	ls, err := importLabels(x.Labels)
	if err == nil {
		err = (narthex.NameScheme{UTF8: true}).Check(ls)
	}
	if err != nil {
		return fmt.Errorf("the series %v: %w", x.Labels, err)
	}
	a := &account{labels: ls, family: x.Family, unit: x.Unit, help: x.Help, value: float64(x.Value), wrote: float64(x.Wrote),
		event: x.Event, changed: x.Changed, dirty: x.Pending, written: x.Written, stale: x.Stale, ended: x.Ended, gone: x.Gone}
	if err = in.fill(a, x); err != nil {
		return fmt.Errorf("the series %s: %w", ls, err)
	}
	return nil
}

func (in *importer) fill(a *account, x *exportSeries) (err error) {
	s, key := in.s, string(a.labels.AppendKey(nil))
	if s.byKey[key] != nil {
		return errors.New("it is there twice")
	}
	s.add(key, a)
	if a.typ, err = parseType(x.Type); err != nil {
		return err
	}
	if err := checkTimes(x.Event, x.Changed, x.Written); err != nil {
		return err
	}
	if max(x.Changed, x.Written) > s.last {
		return errors.New("it was written after the last tick")
	}
	if a.hist, err = x.Histogram.histogram(); err != nil {
		return err
	}
	if a.wroteHist, err = x.WroteHistogram.histogram(); err != nil {
		return err
	}
	switch {
	case a.ended: // only until the next tick; its group does not matter
		a.group = &group{labels: a.labels, members: map[string]*account{}}
	case x.Group != nil:
		ls, err := importLabels(x.Group)
		if err != nil {
			return err
		}
		if a.group = s.groups[string(ls.AppendKey(nil))]; a.group == nil {
			return fmt.Errorf("its group %s is not there before it", ls)
		}
		a.group.members[key] = a
		s.enlist(a, 1)
	}
	if err := in.sources(a, x.Sources); err != nil {
		return err
	}
	return in.minutes(a, x.Minutes)
}

// checkTotal refuses what no sum of increments comes to: later ones would be counted
// from it.
func checkTotal(v float64, h *narthex.Histogram) error {
	if h != nil {
		return checkHistogram(h)
	}
	if !(v >= 0 && v <= maxFinite) {
		return fmt.Errorf("%v is no total", v)
	}
	return nil
}

// parseType returns the type that a word stands for.
func parseType(word string) (narthex.Type, error) {
	for t := narthex.TypeUnknown; t <= narthex.TypeStateSet; t++ {
		if t.String() == word {
			return t, nil
		}
	}
	return 0, fmt.Errorf("the type %q is not known", word)
}

func (in *importer) sources(a *account, list []exportSource) error {
	for _, x := range list {
		id, err := importID(x.ID)
		if err != nil {
			return err
		}
		m := &memory{at: x.At, start: x.Start, value: float64(x.Value)}
		if m.hist, err = x.Histogram.histogram(); err == nil {
			err = checkTotal(m.value, m.hist)
		}
		if err != nil {
			return fmt.Errorf("the source %s: %w", x.ID, err)
		}
		if a.sources == nil {
			a.sources = make(map[ID]*memory)
		}
		if a.sources[id] != nil {
			return fmt.Errorf("the source %s is there twice", x.ID)
		}
		a.sources[id] = m
		in.s.memories++
		if err := checkTimes(x.At, x.Start); err != nil {
			return err
		}
	}
	return nil
}

func (in *importer) minutes(a *account, x *exportMinutes) error {
	if x == nil {
		return nil
	}
	a.minutes = &minutes{lateness: x.Lateness, upto: x.Upto}
	if x.Lateness > maxLateness.Milliseconds() || x.Upto > in.s.last || a.group != nil {
		return errors.New("it can't be written by the minute")
	}
	if max(a.changed, a.written) > x.Upto {
		return errors.New("it was written after the minutes that are written")
	}
	last := x.Upto
	for _, m := range x.Pending {
		h, err := m.Histogram.histogram()
		if err != nil {
			return err
		}
		if m.End <= last || (h == nil) != (a.hist == nil) || h != nil && refuseHistogram(a.empty(), &item{samples: []narthex.Sample{{Histogram: h}}}) != "" {
			return fmt.Errorf("the minute that ends at %d does not fit", m.End)
		}
		if err := checkTotal(float64(m.Value), h); err != nil {
			return fmt.Errorf("the minute that ends at %d: %w", m.End, err)
		}
		last = m.End
		a.minutes.pending = append(a.minutes.pending, minute{end: m.End, value: float64(m.Value), hist: h})
	}
	return checkTimes(x.Lateness, x.Upto, last)
}

func importID(text string) (id ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("the id %q is not %d bytes in hexadecimal", text, len(id))
	}
	return ID(b), nil
}

func (in *importer) ids(x *exportIDs) (err error) {
	seg := in.segment[x.Segment]
	if seg == nil {
		seg = &segment{first: x.First, last: x.Last}
		if seg.holds, err = importSpan(x.Shards); err != nil {
			return err
		}
		in.segment[x.Segment] = seg
		in.s.ids.closed = append(in.s.ids.closed, seg)
	}
	for _, e := range x.Entries {
		id, err := importID(e.ID)
		if err != nil {
			return err
		}
		digest, err := hex.DecodeString(e.Digest)
		if err != nil || len(digest) != len(narthex.Digest{}) {
			return fmt.Errorf("the digest %q is not %d bytes in hexadecimal", e.Digest, len(narthex.Digest{}))
		}
		if n := len(seg.recs); n > 0 && compareIDs(seg.recs[n-1].id, id) >= 0 {
			return errors.New("the ids are not in order")
		}
		seg.recs = append(seg.recs, rec{id, mark{narthex.Digest(digest), e.After}})
		if err := checkTimes(e.After); err != nil {
			return err
		}
	}
	if x.Last < x.First {
		return errors.New("the ids end before they begin")
	}
	return checkTimes(x.First, x.Last)
}

func (in *importer) lead(x *exportLead) error {
	ls, err := importLabels(x.Series)
	if err != nil {
		return err
	}
	l := lead{a: in.s.byKey[string(ls.AppendKey(nil))], tick: x.Tick, at: x.At, value: float64(x.Value), marker: x.Marker}
	if l.a == nil {
		return fmt.Errorf("the series %s is not there", ls)
	}
	if l.tick > in.s.last || l.at > l.tick {
		return errors.New("the lead lies after its tick, or after the last one")
	}
	if l.hist, err = x.Histogram.histogram(); err == nil && l.hist != nil {
		err = checkHistogram(l.hist)
	}
	if err != nil {
		return err
	}
	if n := len(in.s.leads); n > 0 && in.s.leads[n-1].tick > l.tick {
		return errors.New("the leads are not in the order of their ticks")
	}
	in.s.leads = append(in.s.leads, l)
	return checkTimes(x.Tick, x.At)
}

// ParseHistogram reads the form that a histogram has in an export.
func ParseHistogram(b json.RawMessage) (*narthex.Histogram, error) {
	var x exportHistogram
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "the histogram: %w", err)
	}
	h, err := x.histogram()
	if err == nil {
		err = checkHistogram(h)
	}
	if err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "the histogram: %w", err)
	}
	return h, nil
}

func (x *exportHistogram) histogram() (*narthex.Histogram, error) {
	if x == nil {
		return nil, nil
	}
	floats := func(in []number) (out []float64) {
		for _, n := range in {
			out = append(out, float64(n))
		}
		return out
	}
	fits := true
	spans := func(in [][2]int64) (out []narthex.Span) {
		for _, s := range in {
			span := narthex.Span{Offset: int32(s[0]), Length: uint32(s[1])}
			fits = fits && int64(span.Offset) == s[0] && int64(span.Length) == s[1]
			out = append(out, span)
		}
		return out
	}
	h := &narthex.Histogram{
		Schema: x.Schema, ZeroThreshold: float64(x.ZeroThreshold), ZeroCount: float64(x.ZeroCount), Count: float64(x.Count), Sum: float64(x.Sum),
		Bounds:   floats(x.Bounds),
		Positive: narthex.Buckets{Spans: spans(x.PositiveSpans), Counts: floats(x.PositiveCounts)},
		Negative: narthex.Buckets{Spans: spans(x.NegativeSpans), Counts: floats(x.NegativeCounts)},
	}
	if !fits || wrongShape(h) {
		return nil, errors.New("the parts of a histogram do not fit each other")
	}
	return h, nil
}
