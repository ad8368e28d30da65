package pipeline

import (
	"slices"

	"narthex"
)

// otherValue is what labels have that many series were folded into one by.
const otherValue = "other"

// folds are a batch's series that others were folded into.
type folds struct {
	list   []*fold
	byHash map[uint64]*fold
	n      int // series that were folded
}

type fold struct {
	series  narthex.Series
	origins []narthex.Labels
}

// fold folds a series for which there is no room into another one, if it can
// be: only increments still mean the same when they are added to others.
func (a *admission) fold(src *source, s *narthex.Series) bool {
	if !a.l.o.Fold || s.As != narthex.AsDelta || a.b.Cumulative != "" {
		return false
	}
	if len(a.l.o.FoldLabels) > 0 && a.foldInto(src, s, a.l.replace(s.Labels, a.l.o.FoldLabels), 0.5) {
		return true
	}
	// Other labels than the configured ones may be what makes so many.
	return a.foldInto(src, s, a.l.keep(s.Labels), 1)
}

func (a *admission) foldInto(src *source, s *narthex.Series, to narthex.Labels, share float64) bool {
	if slices.Equal(to, s.Labels) {
		return false
	}
	h := a.l.hash(to)
	if !a.l.active(src, h) && !a.l.enterOther(src, h, share) {
		return false
	}
	a.folds.add(h, to, s)
	return true
}

// add adds a series to the one with the hash and the labels. Where their
// samples can't be of one series they stay two, and the ledger says why.
func (f *folds) add(h uint64, to narthex.Labels, s *narthex.Series) {
	f.n++
	into := f.byHash[h]
	if into == nil || !sameShape(&into.series, s) {
		into = &fold{series: *s}
		into.series.Labels = to
		into.series.Samples = slices.Clip(s.Samples)
		into.series.Exemplars = slices.Clip(s.Exemplars)
		f.list = append(f.list, into)
		if f.byHash == nil {
			f.byHash = make(map[uint64]*fold)
		}
		f.byHash[h] = into
	} else {
		into.series.Samples = append(into.series.Samples, s.Samples...)
		into.series.Exemplars = append(into.series.Exemplars, s.Exemplars...)
	}
	into.origins = append(into.origins, s.Labels)
}

// sameShape reports whether two series have samples that one series may have.
func sameShape(a, b *narthex.Series) bool {
	if len(a.Samples) == 0 || len(b.Samples) == 0 {
		return true
	}
	x, y := a.Samples[0].Histogram, b.Samples[0].Histogram
	if x == nil || y == nil {
		return x == y
	}
	return (x.Schema == narthex.CustomBounds) == (y.Schema == narthex.CustomBounds) && slices.Equal(x.Bounds, y.Bounds)
}

// explain names the senders' own series in what the sink rejected of those that
// they were folded into. told is how many rejections there were before it.
func (f *folds) explain(b *narthex.Batch, told int) {
	if len(f.list) == 0 || len(b.Rejected) <= told {
		return
	}
	byText := make(map[string][]narthex.Labels, len(f.list))
	for _, x := range f.list {
		text := x.series.Labels.String()
		byText[text] = append(byText[text], x.origins...)
	}
	sinks := b.Rejected[told:]
	b.Rejected = slices.Clone(b.Rejected[:told])
	for _, r := range sinks {
		origins := byText[r.Series]
		if origins == nil {
			b.Rejected = append(b.Rejected, r)
		}
		for _, o := range origins {
			b.Reject(o.String(), "it was folded into "+r.Series+", and that was rejected: "+r.Reason)
		}
		delete(byText, r.Series)
	}
}

// replace returns the labels with the value "other" for those of the names that
// they have.
func (l *Limiter) replace(ls narthex.Labels, names []string) narthex.Labels {
	out := slices.Clone(ls)
	for i := range out {
		if n := out[i].Name; slices.Contains(names, n) && n != narthex.MetricName && n != l.o.SourceLabel && n != "job" {
			out[i].Value = otherValue
		}
	}
	return out
}

// keep returns the labels with the value "other" for all that may be folded.
func (l *Limiter) keep(ls narthex.Labels) narthex.Labels {
	out := slices.Clone(ls)
	for i := range out {
		if n := out[i].Name; n != narthex.MetricName && n != "le" && !slices.Contains(l.o.Keep, n) {
			out[i].Value = otherValue
		}
	}
	return out
}
