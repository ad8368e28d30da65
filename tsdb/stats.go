package tsdb

import (
	"math"

	promtsdb "github.com/prometheus/prometheus/tsdb"

	"narthex"
)

// Stats counts the series and labels of the part of the store that is in memory
// (the last two to three hours), with the limit largest of each kind. It walks
// the index: seconds on a store with millions of series.
func (db *DB) Stats(limit int) *promtsdb.Stats {
	return db.inner.Head().Stats(narthex.MetricName, limit)
}

// Series returns the number of series in memory. It is cheap.
func (db *DB) Series() uint64 { return db.inner.Head().NumSeries() }

// Newest returns the time of the newest sample of any series, in milliseconds
// since the epoch, and whether there is one.
func (db *DB) Newest() (int64, bool) {
	t := db.inner.Head().MaxTime()
	return t, t != math.MinInt64
}

// Chunks returns the number of chunks in memory, which the TSDB tells only as a
// metric.
func (db *DB) Chunks() int64 {
	fams, err := db.metrics.Gather()
	if err != nil {
		return 0
	}
	for _, f := range fams {
		if f.GetName() == "prometheus_tsdb_head_chunks" && len(f.GetMetric()) == 1 {
			return int64(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return 0
}
