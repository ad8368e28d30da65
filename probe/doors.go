package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/internal/stats"
	"narthex/openmetrics"
)

// Doors are the parts of the HTTP doors.
type Doors struct {
	Modules map[string]*Module
	Runner  *Runner
	// History takes what is probed here and is shown; nil makes one.
	History *History
	// Targets are those of the configuration. They may be probed here by everybody
	// whom the doors let in.
	Targets []Target
	// Allowed are patterns of further targets; * alone is all.
	Allowed []string
	// Free reports whether a caller may probe any target. Nil is nobody.
	Free func(*http.Request) bool
	// TimeoutOffset is subtracted from the scrape's timeout, so that the answer is in
	// time; 0 is half a second.
	TimeoutOffset time.Duration
	// Region is where the probes run, "" if it is not said.
	Region string
	Stats  *stats.Set // nil: nothing is counted
}

// doors are [Doors] at work.
type doors struct {
	Doors
	unknown func(...string) *stats.Counter
	refused func(...string) *stats.Counter
}

// Mount adds the doors:
//
//	GET  /probe                      the blackbox exporter's: target, module, hostname, debug
//	POST /api/v1/probe/run           the same as JSON, with the log
//	GET  /api/v1/probe/targets       Prometheus's HTTP service discovery
//	GET  /api/v1/probe/modules       the modules, without their secrets
//	GET  /api/v1/probe/results       the last results of each target
//	GET  /api/v1/probe/results/{id}  one of them, with metrics and log
//
// Who may come in is decided before them; which target may be probed, here.
func Mount(mux *http.ServeMux, o Doors) {
	d := &doors{Doors: o}
	if d.History == nil {
		d.History = new(History)
	}
	if d.TimeoutOffset == 0 {
		d.TimeoutOffset = 500 * time.Millisecond
	}
	if d.Stats == nil {
		d.Stats = new(stats.Set)
	}
	d.unknown = d.Stats.CounterVec("narthex_probe_module_unknown_total", "Requests for a module that there is not.")
	d.refused = d.Stats.CounterVec("narthex_probe_refused_total", "Requests to probe that were refused: the target is not allowed, or too many probes are under way.", "why")
	mux.HandleFunc("GET /probe", d.probe)
	mux.HandleFunc("POST /api/v1/probe/run", d.run)
	mux.HandleFunc("GET /api/v1/probe/targets", d.targets)
	mux.HandleFunc("GET /api/v1/probe/modules", d.modules)
	mux.HandleFunc("GET /api/v1/probe/results", d.results)
	mux.HandleFunc("GET /api/v1/probe/results/{id}", d.result)
}

// refusal is an answer that is no probe.
type refusal struct {
	code int
	msg  string
}

// Error returns the message.
func (r *refusal) Error() string { return r.msg }

// probe is GET /probe. Its answers to wrong requests are the exporter's.
//
// Source: prometheus/blackbox_exporter, prober/handler.go.
func (d *doors) probe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	seen, err := d.scrape(r)
	var no *refusal
	if errors.As(err, &no) {
		if no.code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		http.Error(w, no.msg, no.code)
		return
	}
	if r.URL.Query().Get("debug") == "true" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(debugText(seen, d.Modules[seen.Module]))
		return
	}
	var b bytes.Buffer
	write, contentType := openmetrics.WriteText, "text/plain; version=0.0.4; charset=utf-8"
	if wantsOpenMetrics(r.Header.Values("Accept")) {
		write, contentType = openmetrics.WriteOpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8"
	}
	if err := write(&b, seen.Families); err != nil {
		http.Error(w, "the metrics can't be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(b.Bytes())
}

// scrape makes the probe that a request asks for. Its error is a *refusal.
func (d *doors) scrape(r *http.Request) (*Seen, error) {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return nil, &refusal{http.StatusForbidden, "a web page of another origin sent this request"}
	}
	q := r.URL.Query()
	name := q.Get("module")
	if name == "" {
		name = "http_2xx"
	}
	m := d.Modules[name]
	if m == nil {
		d.unknown().Add(1)
		return nil, &refusal{http.StatusBadRequest, fmt.Sprintf("Unknown module %q", name)}
	}
	timeout, err := scrapeTimeout(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), m.Timeout, d.TimeoutOffset)
	if err != nil {
		return nil, &refusal{http.StatusInternalServerError, fmt.Sprintf("Failed to parse timeout from Prometheus header: %s", err)}
	}
	what := Request{Target: q.Get("target"), Module: name, Hostname: q.Get("hostname"), Timeout: timeout}
	if what.Target == "" {
		return nil, &refusal{http.StatusBadRequest, "Target parameter is missing"}
	}
	if err := d.permit(r, m, what); err != nil {
		return nil, err
	}
	return d.make(r.Context(), what)
}

// permit returns a *refusal if the caller may not have this probed.
func (d *doors) permit(r *http.Request, m *Module, what Request) error {
	if host := m.host(); m.Prober == "http" && what.Hostname != "" && host != "" && host != what.Hostname {
		return &refusal{http.StatusBadRequest, fmt.Sprintf("host header defined both in module configuration (%s) and with URL-parameter 'hostname' (%s)", host, what.Hostname)}
	}
	if d.configured(what) {
		return nil
	}
	if m.HasCredentials() && len(m.AllowedTargets) == 0 {
		d.refused("credentials").Add(1)
		return &refusal{http.StatusForbidden, fmt.Sprintf("the module %q has credentials and no allowed_targets, so it probes the targets of the configuration only: whoever may ask could have the credentials sent to a host of their own. Add allowed_targets to the module", what.Module)}
	}
	if len(m.AllowedTargets) > 0 && matchesAny(what.Target, m.AllowedTargets) || d.allowed(what.Target) || d.Free != nil && d.Free(r) {
		return nil
	}
	d.refused("target").Add(1)
	return &refusal{http.StatusForbidden, "this target is neither in the configuration nor among probes.allowed_targets: add it there, or ask with the scope admin as well"}
}

// configured reports whether the configuration has this target with this module.
func (d *doors) configured(what Request) bool {
	for _, t := range d.Targets {
		if t.Target == what.Target && t.Module == what.Module && t.Hostname == what.Hostname {
			return true
		}
	}
	return false
}

func (d *doors) allowed(target string) bool {
	for _, pattern := range d.Allowed {
		if pattern == "*" || matches(target, pattern) {
			return true
		}
	}
	return false
}

// make makes a probe and keeps its result.
func (d *doors) make(ctx context.Context, what Request) (*Seen, error) {
	result, err := d.Runner.TryRun(ctx, what)
	switch narthex.KindOf(err) {
	case narthex.Limited:
		d.refused("busy").Add(1)
		return nil, &refusal{http.StatusTooManyRequests, err.Error()}
	case narthex.Invalid:
		return nil, &refusal{http.StatusBadRequest, err.Error()}
	}
	if err != nil {
		return nil, &refusal{http.StatusInternalServerError, err.Error()}
	}
	seen := Seen{Region: d.Region, Result: result}
	for _, t := range d.Targets {
		if t.Target == what.Target && t.Module == what.Module && t.Hostname == what.Hostname {
			seen.Name, seen.Labels, seen.Every = t.Name, t.Labels, t.Every
			break
		}
	}
	seen.ID = d.History.Add(seen)
	return &seen, nil
}

// scrapeTimeout returns how long a probe may take of which the scrape's timeout is
// header, in seconds.
func scrapeTimeout(header string, module, offset time.Duration) (time.Duration, error) {
	seconds := 0.0
	if header != "" {
		var err error
		if seconds, err = strconv.ParseFloat(header, 64); err != nil {
			return 0, err
		}
		if math.IsNaN(seconds) || math.IsInf(seconds, 0) || math.Abs(seconds) > 1e6 {
			return 0, fmt.Errorf("%q is no number of seconds", header)
		}
	}
	if seconds == 0 {
		seconds = defaultTimeout.Seconds()
	}
	limit := time.Duration(seconds*float64(time.Second)) - offset
	switch {
	case limit <= 0 && module > 0:
		return module, nil
	case limit <= 0: // the offset is all there is: better late than never
		return time.Duration(math.Max(seconds, 0.001) * float64(time.Second)), nil
	case module > 0 && module < limit:
		return module, nil
	}
	return limit, nil
}

// host returns the Host that the module sets, "" if it sets none.
func (m *Module) host() string {
	for name, value := range m.HTTP.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
			return string(value)
		}
	}
	return ""
}

// wantsOpenMetrics reports whether an Accept header prefers OpenMetrics to the
// text format.
func wantsOpenMetrics(accept []string) bool {
	open, text := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		fields := strings.Split(part, ";")
		quality := 1.0
		for _, f := range fields[1:] {
			if v, ok := strings.CutPrefix(strings.TrimSpace(f), "q="); ok {
				quality, _ = strconv.ParseFloat(v, 64)
			}
		}
		switch strings.ToLower(strings.TrimSpace(fields[0])) {
		case "application/openmetrics-text":
			open = max(open, quality)
		case "text/plain", "text/*", "*/*":
			text = max(text, quality)
		}
	}
	return open > 0 && open >= text
}

// debugText is the answer to debug=true.
func debugText(s *Seen, m *Module) []byte {
	var b bytes.Buffer
	b.WriteString("Logs for the probe:\n")
	b.Write(s.Log)
	b.WriteString("\n\n\nMetrics that would have been returned:\n")
	if err := openmetrics.WriteText(&b, s.Families); err != nil {
		fmt.Fprintf(&b, "they can't be written: %v\n", err)
	}
	b.WriteString("\n\n\nModule configuration:\n")
	b.WriteString(m.Source())
	return b.Bytes()
}
