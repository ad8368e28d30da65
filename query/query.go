// Package query answers Prometheus's HTTP API from any storage.Queryable: enough
// of it for Grafana's data source, promtool query and the viewer.
//
//	api := query.New(query.Options{Queryable: db, ExemplarQueryable: db, Metadata: db.Metadata})
//	api.Mount(mux)
//
// Paths, parameters, answers and errors are those of Prometheus's documentation
// ("HTTP API"), with these differences: the range selectors anchored and
// smoothed are on; a form's body, a query's length and the number of series,
// labels and values in an answer are bounded; a wrong method gets JSON as every
// other error does.
package query

import (
	"io"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"narthex/query/syntax"
)

// Options of an [API]. Only Queryable has to be set.
type Options struct {
	// Queryable is what queries read.
	Queryable storage.Queryable
	// ExemplarQueryable is what query_exemplars reads; nil means none.
	ExemplarQueryable storage.ExemplarQueryable
	// Metadata returns what is known of a metric, by name, or of all metrics if
	// name is empty; nil means nothing.
	Metadata func(name string) map[string]metadata.Metadata
	// Stats and Chunks describe the store for status/tsdb, with the limit
	// largest of each kind; without Stats there is no such page.
	Stats  func(limit int) *tsdb.Stats
	Chunks func() int64
	// Retention is what status/runtimeinfo tells, such as "30d".
	Retention string
	// Build is what status/buildinfo tells.
	Build BuildInfo

	// Timeout bounds a query (2 min if 0), MaxSamples the samples it holds in
	// memory (50 million if 0), MaxConcurrent how many run at once (20 if 0).
	// The calls that list series, labels, values and exemplars have as many places
	// of their own.
	Timeout       time.Duration
	MaxSamples    int
	MaxConcurrent int
	// MaxResults bounds the series, labels or values of one answer to the calls
	// that list them (100,000 if 0). What is cut is told in a warning.
	MaxResults int
	// LookbackDelta is how long a sample stands for its series (5 min if 0).
	LookbackDelta time.Duration
	// Logger takes what went wrong here; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.MaxSamples <= 0 {
		o.MaxSamples = 50_000_000
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = 20
	}
	if o.MaxResults <= 0 {
		o.MaxResults = 100_000
	}
	if o.LookbackDelta <= 0 {
		o.LookbackDelta = 5 * time.Minute
	}
	if o.Metadata == nil {
		o.Metadata = func(string) map[string]metadata.Metadata { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Build = o.Build.withDefaults()
	return o
}

// API answers queries. Its methods may be called from several goroutines.
type API struct {
	opts    Options
	parser  parser.Parser
	engine  *promql.Engine
	lists   slots
	started time.Time
}

// New returns an API over o.Queryable.
func New(o Options) *API {
	o = o.withDefaults()
	p := syntax.New()
	return &API{
		opts:   o,
		parser: p,
		engine: promql.NewEngine(promql.EngineOpts{
			Logger:                   o.Logger,
			MaxSamples:               o.MaxSamples,
			Timeout:                  o.Timeout,
			ActiveQueryTracker:       make(slots, o.MaxConcurrent),
			LookbackDelta:            o.LookbackDelta,
			EnableAtModifier:         true,
			EnableNegativeOffset:     true,
			EnablePerStepStats:       true,
			NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep.Milliseconds() },
			Parser:                   p,
		}),
		lists:   make(slots, o.MaxConcurrent),
		started: o.Now(),
	}
}

// Mount registers the API's paths, which all begin with /api/v1/.
func (a *API) Mount(mux *http.ServeMux) {
	read := func(path string, h handler) { mux.Handle("/api/v1/"+path, a.handle(h, http.MethodGet)) }
	form := func(path string, h handler) {
		mux.Handle("/api/v1/"+path, a.handle(h, http.MethodGet, http.MethodPost))
	}
	form("query", a.instant)
	form("query_range", a.queryRange)
	form("query_exemplars", a.seated(a.exemplars))
	form("format_query", a.formatQuery)
	form("parse_query", a.parseQuery)
	form("labels", a.seated(a.labelNames))
	form("series", a.seated(a.series))
	read("label/{name}/values", a.seated(a.labelValues))
	read("metadata", a.metadata)
	read("status/buildinfo", a.buildInfo)
	read("status/runtimeinfo", a.runtimeInfo)
	read("status/tsdb", a.tsdbStatus)
	// narthex evaluates no rules; clients ask nevertheless.
	read("rules", fixed(map[string]any{"groups": []any{}}))
	read("alerts", fixed(map[string]any{"alerts": []any{}}))
}

// seated answers once there is a place for it, or the request's time is up.
func (a *API) seated(h handler) handler {
	return func(r *http.Request) (answer, error) {
		if _, err := a.lists.Insert(r.Context(), ""); err != nil {
			return answer{}, err
		}
		defer a.lists.Delete(0)
		return h(r)
	}
}

// slots lets as many queries run at once as it has room for. It is a
// promql.QueryTracker.
type slots chan struct{}

var (
	_ promql.QueryTracker = slots(nil)
	_ io.Closer           = slots(nil)
)

func (s slots) GetMaxConcurrent() int { return cap(s) }
func (s slots) Delete(int)            { <-s }
func (s slots) Close() error          { return nil }

// minTime and maxTime are the bounds of a time range that isn't given; they are
// Prometheus's, because clients send them back.
func minTime() time.Time { return time.Unix(math.MinInt64/1000+62135596801, 0).UTC() }
func maxTime() time.Time { return time.Unix(math.MaxInt64/1000-62135596801, 999999999).UTC() }
