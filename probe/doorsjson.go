package probe

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"narthex/internal/reply"
)

// answer is the body of what went well.
type answer struct {
	Status string `json:"status"` // "success"
	Data   any    `json:"data"`
}

// maxRunBody is how large the body of a request to probe may be.
const maxRunBody = 64 << 10

// run is POST /api/v1/probe/run with {target, module, hostname, timeout}.
func (d *doors) run(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		reply.Error(w, http.StatusUnsupportedMediaType, "bad_data", "want a body of JSON, with Content-Type: application/json")
		return
	}
	var body struct {
		Target   string `json:"target"`
		Module   string `json:"module"`
		Hostname string `json:"hostname"`
		Timeout  string `json:"timeout"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRunBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil || dec.More() {
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("want one object")
		}
		reply.Error(w, http.StatusBadRequest, "bad_data", `the body can't be read: `+err.Error()+`; want {"target": "https://shop.example", "module": "http_2xx", "timeout": "10s"}`)
		return
	}
	what := Request{Target: body.Target, Module: body.Module, Hostname: body.Hostname}
	if what.Module == "" {
		what.Module = "http_2xx"
	}
	if err := d.wanted(r, &what, body.Timeout); err != nil {
		fail(w, err)
		return
	}
	seen, err := d.make(r.Context(), what)
	if err != nil {
		fail(w, err)
		return
	}
	reply.JSON(w, http.StatusOK, answer{"success", NewReport(seen, true)})
}

// maxRunTime is how long a probe may take that is asked for by hand.
const maxRunTime = 2 * time.Minute

// wanted checks what is to be probed. Its error is a *refusal.
func (d *doors) wanted(r *http.Request, what *Request, timeout string) error {
	m := d.Modules[what.Module]
	switch {
	case m == nil:
		d.unknown().Add(1)
		return &refusal{http.StatusBadRequest, "there is no module " + strconv.Quote(what.Module) + "; there are " + strings.Join(slices.Sorted(maps.Keys(d.Modules)), ", ")}
	case what.Target == "":
		return &refusal{http.StatusBadRequest, "target is missing: say what is to be probed"}
	}
	what.Timeout = 15 * time.Second
	if timeout != "" {
		t, err := parseModuleDuration(timeout)
		if err != nil || t <= 0 || t > maxRunTime {
			return &refusal{http.StatusBadRequest, "timeout is " + strconv.Quote(timeout) + ": want a duration up to 2m, such as 10s"}
		}
		what.Timeout = t
	}
	return d.permit(r, m, *what)
}

// fail answers a *refusal.
func fail(w http.ResponseWriter, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{http.StatusInternalServerError, err.Error()}
	}
	words := map[int]string{http.StatusBadRequest: "bad_data", http.StatusForbidden: "forbidden", http.StatusTooManyRequests: "too_busy"}
	word := words[no.code]
	if word == "" {
		word = "internal"
	}
	if no.code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	reply.Error(w, no.code, word, no.msg)
}

// targetGroup is a group of Prometheus's HTTP service discovery.
type targetGroup struct {
	Targets []string          `json:"targets" yaml:"targets"`
	Labels  map[string]string `json:"labels" yaml:"labels"`
}

// targets is GET /api/v1/probe/targets: each target as one that is scraped here,
// with all parameters, so that the job needs no relabelling.
//
// Source: Prometheus, "Writing HTTP service discovery".
func (d *doors) targets(w http.ResponseWriter, r *http.Request) {
	out := []targetGroup{}
	for _, t := range d.Targets {
		ls := labelMap(t.Labels)
		set := map[string]string{
			"__metrics_path__": "/probe", "__param_target": t.Target, "__param_module": t.Module, "__param_hostname": t.Hostname,
			"instance": t.Target, "module": t.Module, "name": t.Name, "region": d.Region,
		}
		if t.Every > 0 {
			set["__scrape_interval__"] = promDuration(t.Every)
			set["__scrape_timeout__"] = promDuration(min(t.Timeout+d.TimeoutOffset, t.Every))
		}
		for name, value := range set {
			if value != "" {
				ls[name] = value
			}
		}
		out = append(out, targetGroup{[]string{r.Host}, ls})
	}
	reply.JSON(w, http.StatusOK, out)
}

// modules is GET /api/v1/probe/modules.
func (d *doors) modules(w http.ResponseWriter, _ *http.Request) {
	type module struct {
		Name        string   `json:"name"`
		Prober      string   `json:"prober"`
		Timeout     float64  `json:"timeout_seconds"` // 0: none of its own
		Allowed     []string `json:"allowed_targets,omitempty"`
		Credentials bool     `json:"credentials"` // it has some
		YAML        string   `json:"yaml"`        // without secrets
	}
	out := []module{}
	for _, name := range slices.Sorted(maps.Keys(d.Modules)) {
		m := d.Modules[name]
		out = append(out, module{name, m.Prober, m.Timeout.Seconds(), m.AllowedTargets, m.HasCredentials(), m.Source()})
	}
	reply.JSON(w, http.StatusOK, answer{"success", out})
}

// outcome is an [Outcome].
type outcome struct {
	ID       int64     `json:"id"`
	Start    time.Time `json:"start"`
	Duration float64   `json:"duration_seconds"`
	Success  bool      `json:"success"`
	Phase    Phase     `json:"phase,omitempty"`
	Reason   Reason    `json:"reason,omitempty"`
}

// results is GET /api/v1/probe/results?name=&target=&module=.
func (d *doors) results(w http.ResponseWriter, r *http.Request) {
	type result struct {
		Last     *Report   `json:"last"`
		Failures []*Report `json:"failures"` // the last ones that failed, newest first
		Recent   []outcome `json:"recent"`   // oldest first
	}
	q := r.URL.Query()
	fits := func(param, value string) bool { return !q.Has(param) || q.Get(param) == value }
	records := d.History.Records(func(s *Seen) bool {
		return fits("name", s.Name) && fits("target", s.Target) && fits("module", s.Module)
	})
	out := []result{}
	for _, rec := range records {
		x := result{Last: NewReport(rec.Last, false), Failures: []*Report{}}
		for _, f := range rec.Failures {
			x.Failures = append(x.Failures, NewReport(f, false))
		}
		for _, o := range rec.Recent {
			c := outcome{ID: o.ID, Start: o.Start.UTC().Truncate(time.Millisecond), Duration: o.Duration.Seconds(), Success: o.Success}
			if o.Failure != nil {
				c.Phase, c.Reason = o.Failure.Phase, o.Failure.Reason
			}
			x.Recent = append(x.Recent, c)
		}
		out = append(out, x)
	}
	reply.JSON(w, http.StatusOK, answer{"success", out})
}

// result is GET /api/v1/probe/results/{id}.
func (d *doors) result(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	seen := d.History.Get(id)
	if err != nil || seen == nil {
		reply.Error(w, http.StatusNotFound, "not_found", "this result is not kept: of each target the last one is, and the last three that failed, since this process began")
		return
	}
	reply.JSON(w, http.StatusOK, answer{"success", NewReport(seen, true)})
}
