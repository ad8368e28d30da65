// Package push holds the HTTP doors that applications push through: narthex's
// own JSON, CloudWatch's embedded metrics, OTLP, remote write, Pushgateway's API,
// and the latter's requests with what they bring added up.
//
//	POST /api/v1/push           counters, histograms, gauges and samples; the answer is a receipt
//	POST /api/v1/emf            CloudWatch's embedded metric format; the answer is a receipt
//	GET  /api/v1/receipts/{id}  what became of a push
//	GET  /api/v1/receipts       the last pushes, those with rejections first
//	GET  /api/v1/arrivals       the last requests to push by all doors, refused ones too
//
//	PUT  /metrics/job/<job>{/<label>/<value>}  replaces a group (Pushgateway)
//	POST, DELETE  the same                     replaces metrics of the same names; ends the group
//	GET  /api/v1/metrics, /api/v1/status       the groups; the program
//
//	PUT, POST /aggregate/metrics/job/…         adds counters and histograms, sets gauges
//
//	POST /v1/metrics                           OpenTelemetry's protocol (OTLP/HTTP)
//	POST /api/v1/write                         Prometheus's remote write, 1.0 and 2.0
//
// The body of the Pushgateway's doors and of /aggregate is text 0.0.4, OpenMetrics
// or delimited protobuf, by the Content-Type. A group's time to live is the
// parameter ttl or the header X-Narthex-TTL (26h, 7d; none is for ever). With
// temporality=cumulative and source=ID (or the headers X-Narthex-Temporality and
// X-Narthex-Source) what is pushed to /aggregate are the totals of a client's
// registry, of which the ledger adds the differences.
//
// [Mount] registers them. A door reads the body within its bounds, makes a
// [narthex.Batch] of it, writes that to the sink, and answers 200 with a
// [Receipt] once the sink has returned nil: acknowledged is what the sink calls
// safe. [Options.Decode] is the middle step alone, a pure function, for those
// that have the bytes from somewhere else.
//
// A body:
//
//	{"service": "shop", "id": "a6f1…",
//	 "counters": [{"name": "orders_total", "labels": {"country": "ch"}, "add": 1}],
//	 "gauges":   [{"name": "queue_length", "set": 7}],
//	 "histograms": [{"name": "latency_seconds", "observe": [0.12, 0.3], "buckets": "api_latency"}],
//	 "series":   [{"labels": {"__name__": "latency_ms"}, "as": "sample",
//	               "samples": [{"value": 12.5, "timestamp": 1767225600000}]}]}
//
// What is malformed (not JSON, an unknown field, a wrong type) fails the whole
// push with 400. What is well formed but can't be taken (a bad name, a negative
// increment) is rejected entry by entry in the receipt; an entry is taken whole
// or not at all.
package push

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"narthex"
	"narthex/emf"
	"narthex/otlp"
)

// Options says how the doors behave. All but Sink may be left zero.
type Options struct {
	// Sink takes what was pushed.
	Sink narthex.Sink
	// Samples takes what has times of its own and needs no adding up: remote
	// write, OTLP's cumulative streams. It removes from a batch's Series what it
	// puts in Rejected, so that what is left can be counted: remote write's answer
	// says how much was stored. Nil is Sink.
	Samples narthex.Sink
	// Describe takes descriptions of metrics (Family, Type, Unit, Help) that come
	// without samples. Nil drops them.
	Describe func([]narthex.Series)
	// Lookup says what became of the push with the id, false if it is not
	// known. An error means that it can't be told now. Nil knows nothing.
	Lookup func(ctx context.Context, identity, id string) (Outcome, bool, error)
	// Identity says who sent the request, and which labels that forces on its
	// series; nil says "" and none of all.
	Identity func(*http.Request) (name string, forced narthex.Labels)
	// ReadsAll says whether the sender may list the receipts of other identities
	// too; nil says yes.
	ReadsAll func(*http.Request) bool
	// SourceLabel is the label by which a sender's sources are told apart (default
	// service); where it is missing, job is.
	SourceLabel string
	// Names says which names and lengths are allowed.
	Names narthex.NameScheme
	// Limits bound one push.
	Limits Limits
	// Rules say what a series without "as" is; the first that matches counts.
	// If none does it is a sample.
	Rules []Rule
	// Layouts are the buckets of histograms by name, besides api_latency
	// ([narthex.ArticleLayout]), default and native, which are always there.
	Layouts map[string]narthex.Layout
	// OTLP says how OpenTelemetry's metrics are translated. Its Names, Horizon
	// and MaxSeries are taken from these options.
	OTLP otlp.Options
	// EMF says how events of the embedded metric format are read; the doors set
	// its bounds.
	EMF emf.Options
	// GroupTTL says how long groups live that don't say it themselves; the first
	// rule that matches counts. Without one a group lives for ever.
	GroupTTL []TTLRule
	// Groups returns the groups, for GET /api/v1/metrics. Nil has none.
	Groups func() []GroupState
	// Build is what GET /api/v1/status says of the program, such as its version.
	Build map[string]string
	// Horizon is how long ids are remembered (default 24h). An increment with an
	// older timestamp is refused.
	Horizon time.Duration
	// Now is the clock, nil is time.Now.
	Now func() time.Time
	// Logger gets the errors that are the server's own, nil is slog.Default().
	Logger *slog.Logger
	// Observe, if not nil, is called once for each request to push, with the
	// status code of the answer. r is nil if no receipt was made.
	Observe func(code int, r *Receipt)
}

// Limits bound one push. Zero takes the default.
type Limits struct {
	Body   int64 // bytes after decompression, default 10 MiB
	Series int   // entries, default 10000
}

// Outcome is what became of an acknowledged push.
type Outcome struct {
	Written  time.Time // the tick that wrote it; zero: not written yet
	Rejected []narthex.Rejection
	Refused  bool // all of it was: nothing is going to be written
}

// Mount registers the doors.
func Mount(mux *http.ServeMux, o Options) {
	d := &door{Options: o.withDefaults(), recent: newRecent(maxRecent), totals: newTotals()}
	d.started, d.Layouts, d.noExemplars = d.Now(), withOwnLayouts(o.Layouts), o.Samples == nil
	for _, job := range []string{"job/{path...}", "job@base64/{path...}"} {
		mux.HandleFunc(gatewayPrefix+job, d.gateway)
		mux.HandleFunc(aggregatePrefix+job, d.aggregate)
	}
	mux.HandleFunc("/api/v1/metrics", d.listGroups)
	mux.HandleFunc("/api/v1/status", d.gatewayStatus)
	mux.HandleFunc("/api/v1/push", d.pushJSON)
	mux.HandleFunc(WritePath, d.write)
	mux.HandleFunc("/api/v1/emf", d.pushEMF)
	mux.HandleFunc(OTLPPath, d.otlpMetrics)
	mux.HandleFunc("/api/v1/receipts", d.listReceipts)
	mux.HandleFunc("/api/v1/receipts/{id}", d.getReceipt)
	mux.HandleFunc("/api/v1/arrivals", d.listArrivals)
}

// door is what the handlers share.
type door struct {
	Options
	buffers buffers
	// noExemplars says that Samples takes none, which is no fault of the sender's.
	noExemplars bool
	recent      *recent
	totals      *totals
	started     time.Time
}

func (o Options) withDefaults() Options {
	if o.Lookup == nil {
		o.Lookup = func(context.Context, string, string) (Outcome, bool, error) { return Outcome{}, false, nil }
	}
	if o.Identity == nil {
		o.Identity = func(*http.Request) (string, narthex.Labels) { return "", nil }
	}
	if o.ReadsAll == nil {
		o.ReadsAll = func(*http.Request) bool { return true }
	}
	if o.SourceLabel == "" {
		o.SourceLabel = "service"
	}
	if o.Samples == nil {
		o.Samples = exactly(o.Sink)
	}
	if o.Limits.Body <= 0 {
		o.Limits.Body = 10 << 20
	}
	if o.Limits.Series <= 0 {
		o.Limits.Series = 10000
	}
	if o.Groups == nil {
		o.Groups = func() []GroupState { return nil }
	}
	if o.Horizon <= 0 {
		o.Horizon = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Observe == nil {
		o.Observe = func(int, *Receipt) {}
	}
	return o
}
