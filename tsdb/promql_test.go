package tsdb_test

import (
	"path"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"narthex/tsdb"
)

// scripted is the store as promqltest wants it. It loads past our Write, whose
// clock and checks the scripts (they begin in 1970) don't mean.
type scripted struct {
	*promtsdb.DB
	ours *tsdb.DB
}

func (s scripted) Querier(mint, maxt int64) (storage.Querier, error) {
	return s.ours.Querier(mint, maxt)
}
func (s scripted) Close() error { return s.ours.Close() }

// Prometheus's own PromQL scripts, over a store opened as production opens it.
func TestPrometheusScripts(t *testing.T) {
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	promqltest.RunBuiltinTestsWithStorage(t, engine, func(t testing.TB) storage.Storage {
		o := tsdb.Options{OutOfOrderTimeWindow: time.Hour}
		switch script := path.Base(t.Name()); script {
		case "start_timestamps.test":
			o.StartTimestamps = true
		case "at_modifier.test", "selectors.test": // they load days and then go back
			o.OutOfOrderTimeWindow = 30 * 24 * time.Hour
		}
		db := open(t, t.TempDir(), o)
		return scripted{DB: db.Inner(), ours: db}
	})
}
