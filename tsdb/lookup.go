package tsdb

import (
	"context"
	"errors"
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// lookUp returns, for each series, the stored values at the times of its
// samples.
func (db *DB) lookUp(ctx context.Context, all []*late) (_ []map[int64]value, err error) {
	mint, maxt := int64(math.MaxInt64), int64(math.MinInt64)
	for _, l := range all {
		mint, maxt = min(mint, l.samples[0].t), max(maxt, l.samples[len(l.samples)-1].t)
	}
	q, err := db.inner.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	out := make([]map[int64]value, len(all))
	for i, l := range all {
		if out[i], err = values(ctx, q, l); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// values reads the stored values of one series. A selector can't say "and no
// other label", so the set may hold more series than the one.
func values(ctx context.Context, q storage.Querier, l *late) (map[int64]value, error) {
	matchers := make([]*labels.Matcher, 0, l.labels.Len())
	l.labels.Range(func(x labels.Label) {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, x.Name, x.Value))
	})
	hints := &storage.SelectHints{Start: l.samples[0].t, End: l.samples[len(l.samples)-1].t, DisableTrimming: true}
	set := q.Select(ctx, false, hints, matchers...)
	found := make(map[int64]value, len(l.samples))
	for set.Next() {
		s := set.At()
		if !labels.Equal(s.Labels(), l.labels) {
			continue
		}
		it := s.Iterator(nil)
		for _, x := range l.samples {
			typ := it.Seek(x.t)
			if typ == chunkenc.ValNone {
				break
			}
			if it.AtT() == x.t {
				found[x.t] = valueAt(it, typ)
			}
		}
		if err := it.Err(); err != nil {
			return nil, err
		}
	}
	return found, set.Err()
}
