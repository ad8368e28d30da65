package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// listing is what the calls share that list series, labels or values.
type listing struct {
	limit    int   // at least 1
	asked    bool  // the limit is the client's
	from, to int64 // milliseconds since the epoch, both included
	sets     [][]*labels.Matcher
}

func (a *API) listing(r *http.Request) (l listing, err error) {
	if l.limit, err = limitParam(r.Form); err != nil {
		return l, err
	}
	l.asked = l.limit > 0 && l.limit <= a.opts.MaxResults
	if !l.asked {
		l.limit = a.opts.MaxResults
	}
	if l.from, l.to, err = rangeParams(r.Form); err != nil {
		return l, err
	}
	l.sets, err = a.matcherSets(r.Form)
	return l, err
}

// hints asks the storage for one more than the limit, to know whether there is
// more.
func (l listing) hints() *storage.LabelHints { return &storage.LabelHints{Limit: l.limit + 1} }

func (l listing) cut() error {
	if l.asked {
		return errTruncated()
	}
	return fmt.Errorf("results truncated to %d, the server's limit: narrow the selector or the time range", l.limit)
}

// labelNames answers labels.
func (a *API) labelNames(r *http.Request) (answer, error) {
	return a.names(r, func(ctx context.Context, q storage.Querier, h *storage.LabelHints, ms []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelNames(ctx, h, ms...)
	})
}

// labelValues answers label/<name>/values. A name outside the legacy set may be
// escaped as U__….
func (a *API) labelValues(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return answer{}, badData(fmt.Errorf("invalid label name: %q", name))
	}
	return a.names(r, func(ctx context.Context, q storage.Querier, h *storage.LabelHints, ms []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelValues(ctx, name, h, ms...)
	})
}

type lister func(context.Context, storage.Querier, *storage.LabelHints, []*labels.Matcher) ([]string, annotations.Annotations, error)

// names lists strings for each of the selectors (or for everything if there is
// none), each string once, sorted.
func (a *API) names(r *http.Request, list lister) (_ answer, err error) {
	l, err := a.listing(r)
	if err != nil {
		return answer{}, err
	}
	q, err := a.opts.Queryable.Querier(l.from, l.to)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	if len(l.sets) == 0 {
		l.sets = [][]*labels.Matcher{nil}
	}
	var out answer
	all := []string{}
	for _, set := range l.sets {
		some, warnings, err := list(r.Context(), q, l.hints(), set)
		if err != nil {
			return answer{}, err
		}
		all = append(all, some...)
		out.warnings.Merge(warnings)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > l.limit {
		all = all[:l.limit]
		out.warnings.Add(l.cut())
	}
	// The strings may live in the storage's memory, which the querier holds.
	for i := range all {
		all[i] = strings.Clone(all[i])
	}
	out.data = all
	return out, nil
}

// series answers series: the labels of what the selectors match.
func (a *API) series(r *http.Request) (answer, error) {
	if len(r.Form["match[]"]) == 0 {
		return answer{}, badData(errors.New("no match[] parameter provided"))
	}
	l, err := a.listing(r)
	if err != nil {
		return answer{}, err
	}
	q, err := a.opts.Queryable.Querier(l.from, l.to)
	if err != nil {
		return answer{}, err
	}
	out := answer{close: func() { _ = q.Close() }} // labels may live in the storage's memory
	hints := &storage.SelectHints{Start: l.from, End: l.to, Func: "series", Limit: l.limit + 1}
	sets := make([]storage.SeriesSet, len(l.sets))
	for i, ms := range l.sets {
		sets[i] = q.Select(r.Context(), true, hints, ms...)
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	found := []labels.Labels{}
	for set.Next() {
		if err := r.Context().Err(); err != nil {
			return out, err
		}
		if len(found) == l.limit {
			out.warnings.Add(l.cut())
			break
		}
		found = append(found, set.At().Labels())
	}
	if err := set.Err(); err != nil {
		return out, err
	}
	out.warnings.Merge(set.Warnings())
	out.data = found
	return out, nil
}
