// Package accesslog makes counters and histograms of access logs.
//
// A [Reader] knows which metrics are wanted and how paths become routes. It
// reads a log, of whatever format, compressed or not, and returns what it came
// to:
//
//	r, err := accesslog.New(accesslog.Options{Routes: []string{"GET /v1/users/{id}"}})
//	...
//	counts, err := r.Read(ctx, key, body)
//	batch.Series = counts.Series()
//
// The format is found out by the log's content: CloudFront (standard logs v1
// and v2 as w3c, plain or json, and real-time logs), Application, Network and
// Classic Load Balancers, S3, API Gateway, Lambda's reports, the embedded
// metric format, common and combined (Apache, nginx) and JSON lines. Columns
// are found by a header or a key where there is one; what is new in a format
// is reported and does no harm. gzip (of any number of members) and zstd are
// seen by their first bytes.
//
// A log is read as a stream, in memory that does not depend on its size. A log
// that is cut off, damaged or of no known format is an error, and nothing is
// counted of it. A line that is malformed is counted by its reason and left out.
//
// Labels are bounded by construction: paths become routes (see [Options.Routes]),
// what clients choose freely (hosts, methods, parameters) has a limit of values,
// and each metric one of series. What is beyond counts as "other", so that sums
// stay right, and the [Report] names it.
//
// A Reader, and the [Counts] it returns, are for one goroutine at a time.
package accesslog

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"narthex"
	"narthex/internal/gunzip"
)

// Options say what is made of logs. The zero value makes the default metrics
// of any format, with routes that are learned.
type Options struct {
	// Format is one of [Formats]; empty finds it out.
	Format string
	// Fields are the columns of logs without a header: of real-time logs, and of
	// standard logs v2 in plain format. Delimiter, one byte, stands between
	// columns instead of a tab.
	Fields    []string
	Delimiter string
	// Mapping says where JSON lines have what: status, method, path, query, url,
	// request, host, route, cache, time, response_bytes, request_bytes, duration,
	// ttfb, upstream (seconds; duration_ms, _us and _ns for other units), each
	// with a key, or a path of keys with points between. Empty takes nginx's names.
	Mapping map[string]string

	// Preset is the metrics that are made: see [Preset]. Metrics are made
	// instead, if there are any.
	Preset  string
	Metrics []Metric
	// Layouts are the histograms' layouts by name, beside api_latency, default
	// and native.
	Layouts map[string]narthex.Layout
	// MaxSeries is how many series a metric may have, of all logs that the Reader
	// reads; a histogram has one for each bucket. Default 20,000.
	MaxSeries int

	// Routes are patterns, such as "GET /v1/users/{id}", "/static/**" or
	// "/**.js", the method being optional. {name} and * stand for one part of a
	// path, ** for the rest. Of several that match, the one with more text
	// further to the left counts. The route of a request is the one that the log
	// itself names (API Gateway), or the pattern that its path matches, or the
	// path pattern of CloudFront's cache behaviour, or one that is learned, or
	// "other".
	Routes []string
	// Learn makes routes of paths that match none: ids become {id}, and where
	// there are more than FanOut texts in one place, {name}. It is true without
	// being set if there are no Routes. Only answers with a status below 400 make
	// routes.
	Learn bool
	// MaxRoutes is how many routes are learned (default 300), FanOut how many
	// texts may stand in one place (default 50).
	MaxRoutes, FanOut int

	// SamplingRate is the percentage of requests that are logged (CloudFront's
	// real-time logs): counts are multiplied by 100/SamplingRate. 0 is 100.
	SamplingRate float64
	// PerMinute makes a sample for each minute in which requests ended.
	PerMinute bool
	// MaxLine is how long a line may be; longer ones are rejected. Default 1 MiB.
	MaxLine int
	// EMF reads a line in CloudWatch's embedded metric format. Without it, such
	// lines are not read.
	EMF func(line []byte) ([]narthex.Series, error)
}

// Reader reads logs.
type Reader struct {
	options   Options
	plan      plan
	metrics   []metric
	known     []knownSets // by metric
	router    router
	routes    bool // whether anything wants a route
	mapping   dialect
	emf       embedded
	factor    float64
	perMinute bool
	maxSeries int
	statusIDs [1000]uint32
	plain     plain
	gzip      gunzip.Reader
	zstd      *zstd.Decoder
}

// withDefaults returns o without zero fields.
func (o Options) withDefaults() Options {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&o.MaxSeries, 20_000)
	set(&o.MaxRoutes, 300)
	set(&o.FanOut, 50)
	set(&o.MaxLine, 1<<20)
	if o.SamplingRate == 0 {
		o.SamplingRate = 100
	}
	layouts := map[string]narthex.Layout{}
	for name, text := range map[string]string{
		latencyBuckets: narthex.ArticleLayout, "default": narthex.DefaultLayout, narthex.NativeLayout: narthex.NativeLayout,
	} {
		layouts[name], _ = narthex.ParseLayout(text) // constants
	}
	maps.Copy(layouts, o.Layouts)
	o.Layouts = layouts
	return o
}

// New returns a Reader. An error says which option is wrong.
func New(o Options) (*Reader, error) {
	o = o.withDefaults()
	r := &Reader{options: o, perMinute: o.PerMinute, maxSeries: o.MaxSeries, emf: embedded{o.EMF}}
	if !(o.SamplingRate > 0 && o.SamplingRate <= 100) {
		return nil, fmt.Errorf("the sampling rate %v is no percentage above 0", o.SamplingRate)
	}
	r.factor = 100 / o.SamplingRate
	if len(o.Delimiter) > 1 {
		return nil, fmt.Errorf("the delimiter %q is not one byte", o.Delimiter)
	}
	if o.Format != "" && !slices.Contains(Formats(), o.Format) {
		return nil, fmt.Errorf("the log format %q is not known: there are %s", o.Format, strings.Join(Formats(), ", "))
	}
	if err := r.setMapping(o.Mapping); err != nil {
		return nil, err
	}
	if err := r.setMetrics(&o); err != nil {
		return nil, err
	}
	return r, r.setRoutes(&o)
}

// setMapping turns a mapping round: from keys to what they stand for.
func (r *Reader) setMapping(m map[string]string) error {
	if len(m) == 0 {
		r.mapping = nginx()
		return nil
	}
	r.mapping = dialect{}
	for meaning, key := range m {
		if _, ok := targetOf(meaning); !ok || key == "" {
			return fmt.Errorf("the mapping %q: %q: nothing of a request is called that; there are time, status, method, path, query, url, request, host, route, cache, duration, ttfb, upstream, response_bytes, request_bytes", meaning, key)
		}
		if old := r.mapping[key]; old != "" {
			return fmt.Errorf("the mapping gives the key %q two meanings, %s and %s", key, min(old, meaning), max(old, meaning))
		}
		r.mapping[key] = meaning
	}
	return nil
}

func (r *Reader) setMetrics(o *Options) error {
	r.plan.seed = maphash.MakeSeed()
	list := o.Metrics
	if len(list) == 0 {
		var err error
		if list, err = Preset(o.Preset); err != nil {
			return err
		}
	}
	if len(list) > maxMetrics {
		return fmt.Errorf("there are %d metrics, the limit is %d", len(list), maxMetrics)
	}
	seen := map[string]bool{}
	for _, m := range list {
		out, err := r.plan.metric(m, o)
		if err != nil {
			return err
		}
		if seen[m.Name] {
			return fmt.Errorf("the metric %q is there twice", m.Name)
		}
		seen[m.Name] = true
		r.metrics, r.known = append(r.metrics, out), append(r.known, knownSets{})
	}
	for _, d := range r.plan.dims {
		for _, s := range d.sources {
			r.routes = r.routes || s.origin == fromRoute || s.origin == fromCapture
		}
	}
	return nil
}

func (r *Reader) setRoutes(o *Options) error {
	rt := &r.router
	rt.labels, rt.given, rt.maxLearned = newValues(), len(o.Routes), labelsPerRoute*o.MaxRoutes
	rt.captures = make([][]byte, len(r.plan.captures))
	if len(o.Routes) > maxPatterns {
		return fmt.Errorf("there are %d routes, the limit is %d", len(o.Routes), maxPatterns)
	}
	for _, text := range o.Routes {
		if err := rt.patterns.insert(text, &r.plan, rt.labels); err != nil {
			return err
		}
	}
	if o.Learn || len(o.Routes) == 0 {
		rt.learn = &learner{assets: map[string]uint32{}, maxRoutes: o.MaxRoutes, fanOut: o.FanOut}
	}
	return nil
}
