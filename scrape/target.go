package scrape

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/pipeline"
)

// target is a program that is scraped.
type target struct {
	scraper *Scraper
	job     *Job
	client  *http.Client
	labels  narthex.Labels // of its series
	key     string         // of all its labels
	hash    uint64
	url     string
	accept  string

	interval, timeout time.Duration

	// The loop's own.
	previous map[string]narthex.Labels // what the last scrape had
	warned   string                    // the failure that is in the log

	mu     sync.Mutex
	status Status
}

// The labels that a target has while it is relabelled.
const (
	addressLabel  = "__address__"
	schemeLabel   = "__scheme__"
	pathLabel     = "__metrics_path__"
	intervalLabel = "__scrape_interval__"
	timeoutLabel  = "__scrape_timeout__"
	paramPrefix   = "__param_"
)

// newTarget returns a target, nil if relabelling drops it.
func newTarget(job *Job, address string, group narthex.Labels) (*target, error) {
	defaults := []narthex.Label{
		{Name: addressLabel, Value: address}, {Name: "job", Value: job.Name}, {Name: schemeLabel, Value: or(job.Scheme, "http")}, {Name: pathLabel, Value: or(job.Path, "/metrics")},
		{Name: intervalLabel, Value: job.Interval.String()}, {Name: timeoutLabel, Value: job.Timeout.String()},
	}
	for name, values := range job.Params {
		if len(values) > 0 {
			defaults = append(defaults, narthex.Label{Name: paramPrefix + name, Value: values[0]})
		}
	}
	own, err := narthex.NewLabels(defaults...)
	if err != nil {
		return nil, err
	}
	ls, keep := pipeline.Process(pipeline.Under(group, own), job.Relabel)
	if !keep {
		return nil, nil
	}
	address = ls.Get(addressLabel)
	if address == "" || strings.Contains(address, "/") {
		return nil, errors.New("after relabelling its address is " + strconv.Quote(address) + ": want host:port")
	}
	if ls.Get("instance") == "" {
		ls = ls.With("instance", address)
	}
	t := &target{job: job, key: string(ls.AppendKey(nil)), accept: accept(job.NativeHistograms)}
	if t.interval, err = span(ls, intervalLabel); err != nil {
		return nil, err
	}
	if t.timeout, err = span(ls, timeoutLabel); err != nil {
		return nil, err
	}
	if t.timeout > t.interval {
		return nil, fmt.Errorf("its timeout of %s is above its interval of %s", t.timeout, t.interval)
	}
	t.url = address2URL(ls, job.Params)
	for _, l := range ls {
		if !strings.HasPrefix(l.Name, "__") {
			t.labels = append(t.labels, l)
		}
	}
	h := fnv.New64a()
	h.Write([]byte(t.key))
	h.Write([]byte(t.url))
	t.hash = h.Sum64()
	t.status = Status{Job: t.labels.Get("job"), URL: t.url, Labels: t.labels}
	return t, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// span reads a label that is a duration.
func span(ls narthex.Labels, name string) (time.Duration, error) {
	d, err := time.ParseDuration(ls.Get(name))
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s is %q: want a duration such as 15s", name, ls.Get(name))
	}
	return d, nil
}

// address2URL makes the address of a target's labels.
func address2URL(ls narthex.Labels, params url.Values) string {
	query := make(url.Values)
	for name, values := range params {
		query[name] = append([]string(nil), values...)
	}
	for _, l := range ls {
		if name, ok := strings.CutPrefix(l.Name, paramPrefix); ok {
			if len(query[name]) > 0 {
				query[name][0] = l.Value
			} else {
				query[name] = []string{l.Value}
			}
		}
	}
	return (&url.URL{Scheme: ls.Get(schemeLabel), Host: ls.Get(addressLabel), Path: ls.Get(pathLabel), RawQuery: query.Encode()}).String()
}

// accept is the header that says which formats are read, best first, with the
// weights of Prometheus 3.
func accept(native bool) string {
	formats := []string{
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", "application/openmetrics-text;version=0.0.1",
		"text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain;version=0.0.4",
	}
	if native {
		formats = append([]string{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}, formats...)
	}
	weight := 7
	var out []string
	for _, f := range append(formats, "*/*") {
		out = append(out, fmt.Sprintf("%s;q=0.%d", f, weight))
		weight--
	}
	return strings.Join(out, ",")
}
