package accesslog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"narthex"
)

// Metric is one metric made of the requests that logs tell of.
type Metric struct {
	// Name is the metric's name, such as http_requests_total.
	Name string
	// Of is what is counted or observed: requests, response_bytes,
	// request_bytes, duration, ttfb, upstream, upstream_ttfb; of NLB logs
	// connections, connection_duration, connection_sent_bytes and
	// connection_received_bytes; of Lambda's reports invocations, execution,
	// billed, init and memory. A line that does not tell it is left out.
	Of string
	// Labels are what the counts are told apart by.
	Labels []Label
	// Buckets names the layout of a histogram: api_latency (the default for
	// times), default, native or one of [Options.Layouts]. For bytes, which
	// become a counter otherwise, it makes a histogram. "none" makes a counter
	// of the sum of times.
	Buckets string
	// Help describes the metric. Empty is a sentence of our own.
	Help string
}

// Label is a label and where its value comes from.
type Label struct {
	Name string
	// From is one of status, status_class (2xx), method, route, host, path, cache,
	// edge, protocol, scheme, tls, country, error, operation, function, result,
	// or
	//
	//	column:NAME   a column or JSON key of the log, as the log calls it
	//	path:NAME     what {NAME} stands for in the pattern that matched
	//	query:NAME    a parameter of the query
	//	header:NAME   a request header, where the log has them
	//	host:PATTERN  what {…} stands for in a host such as {tenant}.example.com
	//
	// or several of these with | between them, of which the first that is there
	// is taken. Empty is the same as Name.
	From string
	// Limit is how many values the label can have; what comes later counts as
	// "other". 0 is 100 for host and 1,000 for others.
	Limit int
	// Required leaves lines out of the metric that have no such value.
	Required bool
}

// What a Buckets can be beside the name of a layout.
const (
	noBuckets      = "none"
	latencyBuckets = "api_latency"
)

// maxMetrics bounds what one configuration makes of a line.
const maxMetrics = 64

// labelsOf makes labels that are named as what they come from.
func labelsOf(names ...string) []Label {
	ls := make([]Label, len(names))
	for i, n := range names {
		ls[i].Name, ls[i].From, _ = strings.Cut(n, "=")
	}
	return ls
}

// Preset returns the metrics that a name stands for: "" those that are made
// by default, "article" those of the article that narthex began with.
//
// By default requests are told apart by all that is bounded; histograms, of
// which each label set is as many series as it has buckets, by what decides
// the time; the edge, of which there are hundreds, in a metric of its own.
func Preset(name string) ([]Metric, error) {
	switch name {
	case "":
		return []Metric{
			{Name: "http_requests_total", Of: "requests", Labels: labelsOf("host", "method", "route", "status", "cache")},
			{Name: "http_edge_requests_total", Of: "requests", Labels: []Label{{Name: "cache"}, {Name: "edge", Required: true}}, Help: "Requests by the place that answered."},
			{Name: "http_response_bytes_total", Of: "response_bytes", Labels: labelsOf("host", "route", "cache")},
			{Name: "http_request_bytes_total", Of: "request_bytes", Labels: labelsOf("host", "route")},
			{Name: "http_request_duration_seconds", Of: "duration", Labels: labelsOf("host", "method", "route", "status_class")},
			{Name: "http_time_to_first_byte_seconds", Of: "ttfb", Labels: labelsOf("host", "route", "cache")},
			{Name: "tls_connections_total", Of: "connections", Labels: labelsOf("host")},
			{Name: "tls_connection_duration_seconds", Of: "connection_duration", Labels: labelsOf("host")},
			{Name: "tls_connection_sent_bytes_total", Of: "connection_sent_bytes", Labels: labelsOf("host")},
			{Name: "tls_connection_received_bytes_total", Of: "connection_received_bytes", Labels: labelsOf("host")},
			{Name: "lambda_invocations_total", Of: "invocations", Labels: labelsOf("function", "result")},
			{Name: "lambda_duration_seconds", Of: "execution", Labels: labelsOf("function")},
			{Name: "lambda_billed_seconds_total", Of: "billed", Buckets: noBuckets, Labels: labelsOf("function")},
			{Name: "lambda_init_duration_seconds", Of: "init", Labels: labelsOf("function")},
		}, nil
	case "article":
		by := labelsOf("status_code=status", "method", "route", "account_id="+accountID)
		return []Metric{
			{Name: "response_status_code_total", Of: "requests", Labels: by},
			{Name: "response_time_seconds", Of: "duration", Labels: by[1:]},
		}, nil
	}
	return nil, fmt.Errorf("the preset %q is not known: there is \"article\", and the empty one for the default metrics", name)
}

// accountID is where the article's account_id may stand.
const accountID = "path:account_id|query:account_id|header:x-account-id|column:accountId"

// A metric is a Metric that has been checked.
type metric struct {
	name, help, unit string
	typ              narthex.Type
	m                measure
	scale            *scale // nil for a counter
	unitSize         float64
	labels           []string // sorted
	dims             []int    // of each label, which dimension
	needs            []int    // dimensions without whose values a line is left out
	cap              int      // label sets
}

// metric checks a Metric and makes its dimensions part of the plan.
func (p *plan) metric(m Metric, o *Options) (metric, error) {
	i := slices.IndexFunc(measures[:], func(info measureInfo) bool { return info.name == m.Of })
	if i < 0 {
		return metric{}, fmt.Errorf("metric %q: nothing is called of: %q; there are %s", m.Name, m.Of, strings.Join(measureNames(), ", "))
	}
	info := measures[i]
	p.measures[i] = true
	out := metric{name: m.Name, help: m.Help, unit: info.unit, typ: narthex.TypeCounter, m: measure(i), unitSize: 1, cap: o.MaxSeries}
	if out.help == "" {
		out.help = info.help
	}
	if info.unit == seconds {
		out.unitSize = 1e9
	}
	if err := out.setLayout(m.Buckets, info, o.Layouts); err != nil {
		return metric{}, fmt.Errorf("metric %q: %w", m.Name, err)
	}
	labels := slices.Clone(m.Labels)
	slices.SortStableFunc(labels, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	check := []narthex.Label{{Name: narthex.MetricName, Value: m.Name}}
	for _, l := range labels {
		d, err := p.dimension(l)
		if err != nil {
			return metric{}, fmt.Errorf("metric %q: label %q: %w", m.Name, l.Name, err)
		}
		out.labels, out.dims = append(out.labels, l.Name), append(out.dims, d)
		if l.Required {
			out.needs = append(out.needs, d)
		}
		check = append(check, narthex.Label{Name: l.Name, Value: "x"})
	}
	ls, err := narthex.NewLabels(check...)
	if err == nil {
		err = narthex.NameScheme{}.Check(ls)
	}
	if err == nil && out.scale != nil && slices.Contains(out.labels, "le") {
		err = fmt.Errorf("its label le is what a histogram's buckets are named by: give it another name")
	}
	if err != nil {
		return metric{}, fmt.Errorf("metric %q: %w", m.Name, err)
	}
	return out, nil
}

// widest returns the dimension with the most values of those that are folded
// first, or none.
func (m *metric) widest(p *plan) int {
	best := none
	for _, d := range m.dims {
		if p.dims[d].wide && (best == none || p.dims[d].values.len() > p.dims[best].values.len()) {
			best = d
		}
	}
	return best
}

// setLayout makes a histogram of the metric, if it is to be one, and gives it
// as many label sets as its buckets leave.
func (m *metric) setLayout(buckets string, info measureInfo, layouts map[string]narthex.Layout) error {
	if buckets == "" && info.histogram && info.unit == seconds {
		buckets = latencyBuckets
	}
	if buckets == "" || buckets == noBuckets {
		if info.histogram && info.unit == bytesOf {
			return fmt.Errorf("of: %s needs buckets: name a layout", info.name)
		}
		return nil
	}
	if info.unit == "" {
		return fmt.Errorf("of: %s is a count and has no buckets", info.name)
	}
	layout, ok := layouts[buckets]
	if !ok {
		return fmt.Errorf("the layout %q is not known: there are %s", buckets, strings.Join(slices.Sorted(maps.Keys(layouts)), ", "))
	}
	m.typ, m.scale = narthex.TypeHistogram, newScale(layout, m.unitSize)
	if layout.Bounds != nil {
		m.cap = max(2, m.cap/(len(layout.Bounds)+3))
	}
	return nil
}

// measureNames returns what a metric can be of.
func measureNames() []string {
	names := make([]string, len(measures))
	for i, info := range measures {
		names[i] = info.name
	}
	return names
}
