package remotewrite

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"narthex"
	"narthex/internal/protowire"
)

// plan is what a batch comes to on the wire: each series once, its samples by
// time and each time once. It changes nothing of the batch, which other sinks
// may be reading, and uses its own memory again.
type plan struct {
	options *Options
	seed    maphash.Seed
	totals  bool
	parts   []part
	index   map[uint64]int32 // of the first entry with that hash
	entries []entry
	key     []byte
	reject  func(s *narthex.Series, reason string)
}

// entry is a series before its samples are in order.
type entry struct {
	part
	next  int32 // 1 + the next entry with the same hash; 0 is none
	owned bool  // its slices are not the batch's
}

// lay makes the plan of a batch. What can't be sent is rejected.
func (p *plan) lay(b *narthex.Batch) {
	if p.index == nil {
		p.index = make(map[uint64]int32, len(b.Series))
	}
	p.totals = b.Totals
	for i := range b.Series {
		s := &b.Series[i]
		if hasClassic(s) {
			if reason := checkClassic(s); reason != "" {
				p.reject(s, reason)
				continue
			}
			expand(s, p.take)
			continue
		}
		p.take(s)
	}
	for i := range p.entries {
		p.tidy(&p.entries[i])
	}
}

// forget drops what the plan holds of the batch.
func (p *plan) forget() {
	clear(p.parts)
	clear(p.entries)
	clear(p.index)
	p.parts, p.entries = p.parts[:0], p.entries[:0]
}

// take adds a series, to the entry of the same labels if there is one.
func (p *plan) take(s *narthex.Series) {
	if !inOrder(s.Labels) {
		own := *s
		own.Labels = slices.Clone(s.Labels)
		slices.SortFunc(own.Labels, byName)
		s = &own
	}
	p.key = s.Labels.AppendKey(p.key[:0])
	if err := checkLabels(s.Labels, ascii(p.key)); err != nil {
		p.reject(s, err.Error())
		return
	}
	h := maphash.Bytes(p.seed, p.key)
	first, known := p.index[h]
	if known {
		for i := first; ; i = p.entries[i].next - 1 {
			e := &p.entries[i]
			if slices.Equal(e.series.Labels, s.Labels) {
				e.merge(s)
				return
			}
			if e.next == 0 {
				e.next = int32(len(p.entries)) + 1
				break
			}
		}
	} else {
		p.index[h] = int32(len(p.entries))
	}
	p.entries = append(p.entries, entry{part: part{series: s, hash: h, samples: s.Samples, exemplars: s.Exemplars}})
}

// inOrder reports whether the labels are sorted by name, as they are to be.
func inOrder(ls narthex.Labels) bool {
	for i := 1; i < len(ls); i++ {
		if ls[i].Name < ls[i-1].Name {
			return false
		}
	}
	return true
}

func byName(a, b narthex.Label) int { return strings.Compare(a.Name, b.Name) }

func (e *entry) merge(s *narthex.Series) {
	e.own()
	e.samples = append(e.samples, s.Samples...)
	e.exemplars = append(e.exemplars, s.Exemplars...)
}

// own makes the entry's slices its own before they change.
func (e *entry) own() {
	if !e.owned {
		e.owned = true
		e.samples, e.exemplars = slices.Clone(e.samples), slices.Clone(e.exemplars)
	}
}

// tidy puts the samples in order and adds the entry's parts: a run of floats and
// one of histograms are two, because a series of 2.0 can't have both.
func (p *plan) tidy(e *entry) {
	p.drop(e)
	if len(e.samples) == 0 {
		return
	}
	if !rising(e.samples) {
		e.own()
		p.sort(e)
	}
	p.tidyExemplars(e)
	for from := 0; from < len(e.samples); {
		to := from + 1
		for to < len(e.samples) && (e.samples[to].Histogram == nil) == (e.samples[from].Histogram == nil) {
			to++
		}
		run := part{series: e.series, hash: e.hash, samples: e.samples[from:to]}
		if to == len(e.samples) {
			run.exemplars = e.exemplars
		}
		p.parts = append(p.parts, run)
		from = to
	}
}

// rising reports whether each sample is later than the one before.
func rising(samples []narthex.Sample) bool {
	for i := 1; i < len(samples); i++ {
		if samples[i].Time <= samples[i-1].Time {
			return false
		}
	}
	return true
}

// drop rejects the samples that no request can have.
func (p *plan) drop(e *entry) {
	for i := 0; i < len(e.samples); i++ {
		if reason := p.checkSample(&e.samples[i]); reason != "" {
			p.reject(e.series, reason)
			e.own()
			e.samples = slices.Delete(e.samples, i, i+1)
			i--
		}
	}
}

// sort orders samples by time. Of one time the last by the batch's order stays:
// a receiver would say yes to both and keep either.
func (p *plan) sort(e *entry) {
	slices.SortStableFunc(e.samples, func(a, b narthex.Sample) int { return cmp.Compare(a.Time, b.Time) })
	kept := e.samples[:0]
	for _, s := range e.samples {
		if n := len(kept); n > 0 && kept[n-1].Time == s.Time {
			if !p.totals && !sameValue(&kept[n-1], &s) {
				p.reject(e.series, fmt.Sprintf("another value for this series and time is in the same batch (%s); the last was taken", stamp(s.Time)))
			}
			kept[n-1] = s
			continue
		}
		kept = append(kept, s)
	}
	e.samples = kept
}

func (p *plan) tidyExemplars(e *entry) {
	if !p.options.exemplars() {
		e.exemplars = nil
	}
	if len(e.exemplars) == 0 {
		return
	}
	e.own()
	e.exemplars = slices.DeleteFunc(e.exemplars, func(x narthex.Exemplar) bool {
		return slices.ContainsFunc(x.Labels, func(l narthex.Label) bool { return !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) })
	})
	for i := range e.exemplars {
		if e.exemplars[i].Time == 0 {
			e.exemplars[i].Time = e.samples[len(e.samples)-1].Time
		}
	}
	slices.SortStableFunc(e.exemplars, func(a, b narthex.Exemplar) int { return cmp.Compare(a.Time, b.Time) })
}

// checkLabels says why a series can't be sent: some receivers answer 204 to such
// labels and drop them, others refuse the whole request for ever. With plain their
// text is known to be ASCII.
func checkLabels(ls narthex.Labels, plain bool) error {
	named := false
	for i := range ls {
		l := &ls[i]
		named = named || l.Name == narthex.MetricName
		switch {
		case l.Name == "" || l.Value == "":
			return errors.New("a label has no name or no value")
		case i > 0 && l.Name == ls[i-1].Name:
			return fmt.Errorf("label %q is given twice", l.Name)
		case !plain && (!utf8.ValidString(l.Name) || !utf8.ValidString(l.Value)):
			return fmt.Errorf("label %q is not UTF-8", l.Name)
		}
	}
	if !named {
		return errors.New("it has no metric name: set the label __name__")
	}
	return nil
}

// ascii reports whether no byte of b has its highest bit set. Of the key of labels
// that says it of all their text, in one pass; a length of 128 or more has the bit.
func ascii(b []byte) bool {
	const highest = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&highest != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checkSample says why a sample can't be sent, "" if it can.
func (p *plan) checkSample(s *narthex.Sample) string {
	switch h := s.Histogram; {
	case s.Time == 0:
		return "the sample has no time"
	case h == nil:
		return ""
	case !p.options.nativeHistograms():
		return "native histograms are not sent to this destination: switch them on for it, or push a classic histogram"
	case !wellFormed(h):
		return fmt.Sprintf("the histogram at %s is not valid: its spans do not fit its buckets, or a count is not a count", stamp(s.Time))
	}
	return ""
}

// checkClassic says why a series with a classic histogram can't be expanded.
func checkClassic(s *narthex.Series) string {
	for _, x := range s.Samples {
		h := x.Histogram
		if isClassic(h) && !narthex.IsStaleMarker(h.Sum) && len(h.Positive.Counts) != len(h.Bounds)+1 {
			return fmt.Sprintf("the histogram at %s is not valid: it has %d bounds and %d buckets", stamp(x.Time), len(h.Bounds), len(h.Positive.Counts))
		}
	}
	return ""
}

// wellFormed reports whether the parts of a native histogram fit each other.
func wellFormed(h *narthex.Histogram) bool {
	if !protowire.IsCount(h.Count) || !protowire.IsCount(h.ZeroCount) {
		return false
	}
	for _, b := range [...]*narthex.Buckets{&h.Positive, &h.Negative} {
		n := 0
		for i, s := range b.Spans {
			if i > 0 && s.Offset < 0 || s.Length > math.MaxInt32 {
				return false
			}
			n += int(s.Length)
		}
		if n != len(b.Counts) || slices.ContainsFunc(b.Counts, func(c float64) bool { return !protowire.IsCount(c) }) {
			return false
		}
	}
	return true
}

// sameValue reports whether two samples say the same, to the bit.
func sameValue(a, b *narthex.Sample) bool {
	if a.Histogram == nil || b.Histogram == nil {
		return a.Histogram == b.Histogram && math.Float64bits(a.Value) == math.Float64bits(b.Value)
	}
	x, y := a.Histogram, b.Histogram
	return x.Schema == y.Schema && x.ZeroThreshold == y.ZeroThreshold && x.ZeroCount == y.ZeroCount && x.Count == y.Count &&
		math.Float64bits(x.Sum) == math.Float64bits(y.Sum) && sameBuckets(&x.Positive, &y.Positive) && sameBuckets(&x.Negative, &y.Negative)
}

func sameBuckets(a, b *narthex.Buckets) bool {
	return slices.Equal(a.Spans, b.Spans) && slices.Equal(a.Counts, b.Counts)
}

// stamp writes a time for people.
func stamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
