package query

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/tsdb/index"
)

// BuildInfo is what status/buildinfo tells.
type BuildInfo struct {
	// Version is the version of Prometheus whose API this is, because that is
	// what clients conclude from it; empty is the one that narthex is built
	// with.
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	BuildUser string `json:"buildUser"`
	BuildDate string `json:"buildDate"`
	GoVersion string `json:"goVersion"`
}

// EngineVersion is the release of Prometheus that the module's v0.315.0 is.
const EngineVersion = "3.15.0"

func (b BuildInfo) withDefaults() BuildInfo {
	if b.Version == "" {
		b.Version = EngineVersion
	}
	if b.GoVersion == "" {
		b.GoVersion = runtime.Version()
	}
	return b
}

func (a *API) buildInfo(*http.Request) (answer, error) { return answer{data: a.opts.Build}, nil }

// runtimeInfo answers status/runtimeinfo. The directory and the host's name stay
// private.
func (a *API) runtimeInfo(*http.Request) (answer, error) {
	return answer{data: map[string]any{
		"startTime":           a.started.UTC(),
		"CWD":                 "",
		"hostname":            "",
		"serverTime":          a.opts.Now().UTC(),
		"reloadConfigSuccess": true,
		"lastConfigTime":      a.started.UTC().Truncate(time.Second),
		"corruptionCount":     0,
		"goroutineCount":      runtime.NumGoroutine(),
		"GOMAXPROCS":          runtime.GOMAXPROCS(0),
		"GOMEMLIMIT":          debug.SetMemoryLimit(-1), // -1 only reads it
		"GOGC":                os.Getenv("GOGC"),
		"GODEBUG":             os.Getenv("GODEBUG"),
		"storageRetention":    a.opts.Retention,
	}}, nil
}

// maxStats bounds the lists of status/tsdb, as Prometheus does.
const maxStats = 10000

// tsdbStatus answers status/tsdb.
func (a *API) tsdbStatus(r *http.Request) (answer, error) {
	limit := 10
	if s := r.Form.Get("limit"); s != "" {
		var err error
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 {
			return answer{}, badData(errors.New("limit must be a positive number"))
		}
		if limit > maxStats {
			return answer{}, badData(fmt.Errorf("limit must not exceed %d", maxStats))
		}
	}
	if a.opts.Stats == nil {
		return answer{}, notFound("this server has no store of its own")
	}
	s := a.opts.Stats(limit)
	var chunks int64
	if a.opts.Chunks != nil {
		chunks = a.opts.Chunks()
	}
	return answer{data: map[string]any{
		"headStats": map[string]any{
			"numSeries":     s.NumSeries,
			"numLabelPairs": s.IndexPostingStats.NumLabelPairs,
			"chunkCount":    chunks,
			"minTime":       s.MinTime,
			"maxTime":       s.MaxTime,
		},
		"seriesCountByMetricName":     ranking(s.IndexPostingStats.CardinalityMetricsStats),
		"labelValueCountByLabelName":  ranking(s.IndexPostingStats.CardinalityLabelStats),
		"memoryInBytesByLabelName":    ranking(s.IndexPostingStats.LabelValueStats),
		"seriesCountByLabelValuePair": ranking(s.IndexPostingStats.LabelValuePairsStats),
	}}, nil
}

type rank struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

func ranking(in []index.Stat) []rank {
	out := make([]rank, len(in))
	for i, s := range in {
		out[i] = rank{s.Name, s.Count}
	}
	return out
}

// metadata answers metadata: type, help text and unit of each metric.
func (a *API) metadata(r *http.Request) (answer, error) {
	limit := math.MaxInt
	for _, name := range []string{"limit", "limit_per_metric"} {
		s := r.Form.Get(name)
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return answer{}, badData(fmt.Errorf("%s must be a number", name))
		}
		// There is one entry for each metric, so that limit_per_metric is met.
		if name == "limit" && n >= 0 {
			limit = n
		}
	}
	known := a.opts.Metadata(r.Form.Get("metric"))
	out := make(map[string][]metadata.Metadata, len(known))
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if len(out) >= limit {
			break
		}
		out[name] = []metadata.Metadata{known[name]}
	}
	return answer{data: out}, nil
}
