package push

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"narthex"
	"narthex/internal/reply"
)

// GroupState is a group as [Options.Groups] tells it.
type GroupState struct {
	Labels narthex.Labels
	Pushed time.Time // the last push that was taken; zero if none was
	// Series are the group's, its push_time_seconds and
	// push_failure_time_seconds among them, each with one sample.
	Series []narthex.Series
}

// success is the answer of what Pushgateway answers in JSON.
type success struct {
	Status string `json:"status"` // "success"
	Data   any    `json:"data"`
}

// listGroups is GET /api/v1/metrics: the groups with all they have, in
// Pushgateway's shape.
func (d *door) listGroups(w http.ResponseWriter, r *http.Request) {
	if !d.allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	out := []map[string]any{}
	for _, g := range d.Groups() {
		out = append(out, groupJSON(g))
	}
	reply.JSON(w, http.StatusOK, success{"success", out})
}

// gatewayStatus is GET /api/v1/status, in Pushgateway's shape.
func (d *door) gatewayStatus(w http.ResponseWriter, r *http.Request) {
	if !d.allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	build := d.Build
	if build == nil {
		build = map[string]string{}
	}
	reply.JSON(w, http.StatusOK, success{"success", map[string]any{
		"flags": map[string]string{}, "start_time": d.started.UTC(), "build_information": build,
	}})
}

// familyJSON is a metric of a group.
type familyJSON struct {
	Time    time.Time    `json:"time_stamp"`
	Type    string       `json:"type"`
	Help    string       `json:"help,omitempty"`
	Metrics []metricJSON `json:"metrics"`
}

// metricJSON has labels, and value, or else count, sum and one of buckets and
// quantiles.
type metricJSON map[string]any

func groupJSON(g GroupState) map[string]any {
	out := map[string]any{}
	families := map[string]*familyJSON{}
	byLabels := map[string]metricJSON{} // of histograms and summaries
	for _, s := range g.Series {
		name := s.Family
		if name == "" {
			name = s.Labels.Get(narthex.MetricName)
		}
		f := families[name]
		if f == nil {
			f = &familyJSON{Time: g.Pushed.UTC(), Type: typeJSON(s.Type), Help: s.Help}
			families[name] = f
			out[name] = f
		}
		f.add(byLabels, name, s)
	}
	out["labels"] = labelsJSON(g.Labels)
	out["last_push_successful"] = lastPushTaken(g)
	return out
}

// add adds a series to the family.
func (f *familyJSON) add(byLabels map[string]metricJSON, name string, s narthex.Series) {
	x := s.Samples[0]
	suffix := strings.TrimPrefix(s.Labels.Get(narthex.MetricName), name)
	part := "" // the label that tells the parts of one metric apart
	switch s.Type {
	case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
		part = "le"
	case narthex.TypeSummary:
		part = "quantile"
	default:
		f.Metrics = append(f.Metrics, metricJSON{"labels": instanced(s.Labels), "value": fmt.Sprint(x.Value)})
		return
	}
	own := s.Labels.With(narthex.MetricName, name).With(part, "")
	key := string(own.AppendKey(nil))
	m := byLabels[key]
	if m == nil {
		m = metricJSON{"labels": instanced(own)}
		byLabels[key] = m
		f.Metrics = append(f.Metrics, m)
	}
	switch {
	case x.Histogram != nil:
		m["count"], m["sum"] = fmt.Sprint(x.Histogram.Count), fmt.Sprint(x.Histogram.Sum)
		m["buckets"] = map[string]string{}
	case strings.HasSuffix(suffix, "count"):
		m["count"] = fmt.Sprint(x.Value)
	case strings.HasSuffix(suffix, "sum"):
		m["sum"] = fmt.Sprint(x.Value)
	default:
		list := "quantiles"
		if part == "le" {
			list = "buckets"
		}
		if m[list] == nil {
			m[list] = map[string]string{}
		}
		m[list].(map[string]string)[s.Labels.Get(part)] = fmt.Sprint(x.Value)
	}
}

// typeJSON is the type's name in io.prometheus.client.MetricType.
func typeJSON(t narthex.Type) string {
	switch t {
	case narthex.TypeCounter, narthex.TypeSummary, narthex.TypeHistogram:
		return strings.ToUpper(t.String())
	case narthex.TypeGaugeHistogram:
		return "GAUGE_HISTOGRAM"
	case narthex.TypeUnknown:
		return "UNTYPED"
	}
	return "GAUGE"
}

func labelsJSON(ls narthex.Labels) map[string]string {
	out := make(map[string]string, len(ls))
	for _, l := range ls {
		if l.Name != narthex.MetricName {
			out[l.Name] = l.Value
		}
	}
	return out
}

// instanced adds an empty instance if there is none, as Pushgateway does.
func instanced(ls narthex.Labels) map[string]string {
	out := labelsJSON(ls)
	if _, found := out["instance"]; !found {
		out["instance"] = ""
	}
	return out
}

func lastPushTaken(g GroupState) bool {
	var taken, failed float64
	for _, s := range g.Series {
		switch s.Labels.Get(narthex.MetricName) {
		case "push_time_seconds":
			taken = s.Samples[0].Value
		case "push_failure_time_seconds":
			failed = s.Samples[0].Value
		}
	}
	return taken > failed
}
