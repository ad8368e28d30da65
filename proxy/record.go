package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"narthex/internal/reply"
)

// Record is what a backend was found to be able to do, as GET
// /api/v1/status/backend tells it.
type Record struct {
	Name string `json:"name"`
	// Kind is amp, mimir, victoriametrics, thanos, prometheus, narthex (this
	// program's own store), or unknown.
	Kind    string    `json:"kind"`
	URL     string    `json:"url,omitempty"`     // scheme and host
	Version string    `json:"version,omitempty"` // as it says, which may be the version it imitates
	Checked time.Time `json:"checked,omitzero"`
	Error   string    `json:"error,omitempty"` // why nothing could be found out
	// Can has the endpoints, by the name behind /api/v1/.
	Can map[string]bool `json:"can"`
	// Supports has parts of the language and parameters: anchored (range selectors
	// anchored and smoothed), at, negative_offset, native_histograms,
	// lookback_delta, stats, limit.
	Supports map[string]bool `json:"supports"`
	// Lookback is for how long the language shows a sample, in seconds: what the
	// server's flags say, or Prometheus's default, which few servers change.
	Lookback float64 `json:"lookbackSeconds"`
	Limits   struct {
		AnswerBytes int64   `json:"answerBytes"`
		Results     int     `json:"results"`
		Timeout     float64 `json:"timeoutSeconds"`
		Points      int     `json:"points"` // of a series in query_range
	} `json:"limits"`
}

const (
	recordFresh = 10 * time.Minute
	recordRetry = 15 * time.Second // after a failure
	recordTime  = 20 * time.Second
	defaultLook = 300
	maxPoints   = 11000
)

// none is a metric that nobody has: asking for it costs a backend next to
// nothing.
const none = "narthex_no_such_metric"

// trial finds out one thing: what it is called, and the request whose success
// (or refusal, because the value is nonsense) shows that it is there.
type trial struct {
	feature, path string
	form          url.Values
	refused       bool
	member        string // of data, that must be there
}

func trials() []trial {
	query := func(feature, expr string, more ...string) trial {
		form := url.Values{"query": {expr}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return trial{feature: feature, path: "query", form: form}
	}
	refused := func(t trial) trial { t.refused = true; return t }
	member := func(t trial, name string) trial { t.member = name; return t }
	return []trial{
		query("anchored", "increase("+none+"[5m] anchored)"),
		query("at", none+" @ 0"),
		query("negative_offset", none+" offset -5m"),
		query("native_histograms", "histogram_count("+none+")"),
		refused(query("lookback_delta", none, "lookback_delta", "x")),
		member(query("stats", none, "stats", "all"), "stats"),
		refused(trial{feature: "limit", path: "labels", form: url.Values{"limit": {"x"}, "match[]": {none}}}),
	}
}

// endpointTrials are the endpoints that not every backend has.
func endpointTrials(now time.Time) []trial {
	second := now.UTC().Format(time.RFC3339)
	return []trial{
		{path: "query_range", form: url.Values{"query": {none}, "start": {second}, "end": {second}, "step": {"15"}}},
		{path: "query_exemplars", form: url.Values{"query": {none}, "start": {second}, "end": {second}}},
		{path: "labels", form: url.Values{"match[]": {none}}},
		{path: "series", form: url.Values{"match[]": {none}}},
		{path: "metadata", form: url.Values{"limit": {"1"}, "metric": {none}}},
		{path: "format_query", form: url.Values{"query": {"1"}}},
		{path: "parse_query", form: url.Values{"query": {"1"}}},
		{path: "rules", form: url.Values{"limit": {"1"}, "rule_name[]": {none}}},
		{path: "status/tsdb", form: url.Values{"limit": {"1"}}},
	}
}

// Record returns what the backend can do: what was found out within the last ten
// minutes, or else what is found out now. One request at a time finds out; others
// are given what was known before.
func (b *Backend) Record(ctx context.Context) Record {
	b.mu.Lock()
	known := b.record
	b.mu.Unlock()
	if known != nil {
		age := b.o.Now().Sub(known.Checked)
		if age < recordRetry || known.Error == "" && age < recordFresh {
			return *known
		}
	}
	select {
	case b.asking <- struct{}{}:
	default:
		if known != nil {
			return *known
		}
		select {
		case b.asking <- struct{}{}:
		case <-ctx.Done():
			return b.blank()
		}
	}
	defer func() { <-b.asking }()
	found, err := b.find(ctx)
	var p *problem
	if errors.As(err, &p) && p.errorType == errorCredentials { // it is about this sender
		return found
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if found.Error == "" || known == nil || known.Error != "" {
		b.record = &found
	} else { // what it could do it can do again
		kept := *known
		kept.Error, kept.Checked = found.Error, found.Checked
		b.record = &kept
	}
	return *b.record
}

func (b *Backend) blank() Record {
	r := Record{
		Name: b.o.Name, Kind: "unknown", URL: b.base.Scheme + "://" + b.base.Host, Checked: b.o.Now().UTC(),
		Can: make(map[string]bool), Supports: make(map[string]bool), Lookback: defaultLook,
	}
	r.Limits.AnswerBytes, r.Limits.Results, r.Limits.Timeout, r.Limits.Points = b.o.MaxAnswer, b.o.MaxResults, b.o.Timeout.Seconds(), maxPoints
	return r
}

// find finds out what the backend can do. The error is why it could not.
func (b *Backend) find(ctx context.Context) (Record, error) {
	r := b.blank()
	// What is found out holds for all, so that it goes on if who asked first leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	// The query decides whether there is a Prometheus at all.
	if err := b.try(ctx, trial{path: "query", form: url.Values{"query": {"vector(1)"}}}); err != nil {
		r.Error = err.Error()
		return r, err
	}
	r.Can["query"], r.Can["label_values"] = true, true
	for _, t := range endpointTrials(b.o.Now()) {
		r.Can[t.path] = b.try(ctx, t) == nil
	}
	for _, t := range trials() {
		err := b.try(ctx, t)
		var p *problem
		if t.refused { // anything but the refusal shows nothing
			r.Supports[t.feature] = errors.As(err, &p) && (p.code == http.StatusBadRequest || p.code == http.StatusUnprocessableEntity)
			continue
		}
		r.Supports[t.feature] = err == nil
	}
	if b.o.Format != nil {
		r.Can["format_query"] = true
	}
	if b.o.Parse != nil {
		r.Can["parse_query"] = true
	}
	r.Kind, r.Version = b.identify(ctx)
	r.Can["status/buildinfo"] = r.Version != ""
	if look, told := b.lookback(ctx); told {
		r.Lookback = look
	}
	return r, nil
}

// try makes a trial's request. The error is why it failed.
func (b *Backend) try(ctx context.Context, t trial) error {
	body, err := b.get(ctx, t.path, t.form)
	if err != nil || t.member == "" {
		return err
	}
	var answer struct{ Data map[string]json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if _, there := answer.Data[t.member]; !there {
		return errNotAPI
	}
	return nil
}

// get asks for something small.
func (b *Backend) get(ctx context.Context, path string, form url.Values) ([]byte, error) {
	resp, err := b.send(ctx, path, form, false)
	if err != nil {
		return nil, b.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	in, err := decompressed(resp)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, b.refusal(discard{}, resp, strings.TrimSpace(strings.Split(resp.Header.Get("Content-Type"), ";")[0]), in)
	}
	body, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err == nil && !json.Valid(body) {
		err = errNotAPI
	}
	return body, err
}

// discard takes the headers of an answer that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// identify says what the backend is.
//
// Source: Mimir's and Thanos's answers to status/buildinfo; VictoriaMetrics
// answers as some Prometheus 2 and has /api/v1/status/top_queries.
func (b *Backend) identify(ctx context.Context) (kind, version string) {
	if strings.HasPrefix(b.base.Hostname(), "aps-workspaces") && strings.Contains(b.base.Hostname(), ".amazonaws.") {
		return "amp", ""
	}
	var info struct {
		Data struct {
			Version, Application string
			Features             map[string]any
		}
	}
	body, err := b.get(ctx, "status/buildinfo", nil)
	if err != nil || json.Unmarshal(body, &info) != nil {
		return "unknown", ""
	}
	kind = "prometheus"
	switch {
	case strings.Contains(info.Data.Application, "Mimir") || len(info.Data.Features) > 0:
		kind = "mimir"
	case b.hasTopQueries(ctx):
		kind = "victoriametrics"
	}
	return kind, info.Data.Version
}

// lookback asks for the flag that says for how long a sample is shown. Of a
// server's flags no other is looked at, and none goes on.
//
// Source: Prometheus, "HTTP API", Flags, and --query.lookback-delta.
func (b *Backend) lookback(ctx context.Context) (seconds float64, told bool) {
	var flags struct{ Data map[string]string }
	body, err := b.get(ctx, "status/flags", nil)
	if err != nil || json.Unmarshal(body, &flags) != nil {
		return 0, false
	}
	d, err := time.ParseDuration(flags.Data["query.lookback-delta"]) // such as 1m30s
	return d.Seconds(), err == nil && d > 0
}

func (b *Backend) hasTopQueries(ctx context.Context) bool {
	_, err := b.get(ctx, "status/top_queries", url.Values{"topN": {"1"}})
	return err == nil
}

// MountRecord registers GET /api/v1/status/backend below prefix. names are those
// of all backends, each of which is below /backends/<name>/; the first is the one
// without a prefix.
func (b *Backend) MountRecord(mux *http.ServeMux, prefix string, names []string) {
	mux.HandleFunc("GET "+prefix+"/api/v1/status/backend", func(w http.ResponseWriter, r *http.Request) {
		ServeRecord(w, b.Record(r.Context()), names)
	})
}

// ServeRecord answers with a record.
func ServeRecord(w http.ResponseWriter, r Record, names []string) {
	type data struct {
		Record
		Backends []string `json:"backends"`
	}
	type answer struct {
		Status string `json:"status"`
		Data   data   `json:"data"`
	}
	reply.JSON(w, http.StatusOK, answer{"success", data{r, names}})
}

// Own returns the record of this program's own store and API.
func Own(version string) Record {
	r := Record{Name: "embedded", Kind: "narthex", Version: version, Can: make(map[string]bool), Supports: make(map[string]bool), Lookback: defaultLook}
	for name := range endpoints() {
		r.Can[name] = true
	}
	r.Can["label_values"] = true
	for _, t := range trials() {
		r.Supports[t.feature] = true
	}
	r.Limits.Points = maxPoints
	return r
}
