package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// LogSource is a place that access logs are read from (logs); docs/logs.md has
// the formats, the metrics and the routes.
type LogSource struct {
	// Source is the source's name (source): its state is kept, and ids are told
	// apart, by it.
	Source string
	// From is a file, a directory, a pattern of files, or s3://bucket/prefix
	// (from); in the Lambda function, of which objects it is told, or
	// cloudwatch:PREFIX, of which log groups.
	From string
	// Format names the logs' format (format, default none: it is found out).
	// Fields are the columns of logs without a header (fields), Delimiter what
	// stands between them (delimiter), Mapping where JSON lines have what
	// (mapping).
	Format    string
	Fields    []string
	Delimiter string
	Mapping   map[string]string
	// Preset names the metrics that are made (preset, default none: the default
	// metrics), Metrics lists them (metrics).
	Preset  string
	Metrics []LogMetric
	// Routes are patterns of paths (routes). Learn makes routes of other paths
	// (learn, default true if there are no routes).
	Routes []string
	Learn  bool
	// Labels are set on each series (labels).
	Labels narthex.Labels
	// EventTime counts requests in the minutes in which they ended (event_time,
	// default false: in those in which their log arrives). Lateness is how long
	// after its minute a log may come (lateness, default 15m).
	EventTime bool
	Lateness  time.Duration
	// SamplingRate is the percentage of requests that are logged (sampling_rate,
	// default 100).
	SamplingRate float64
	// Since is how old a file or object may be that is read when it is seen for
	// the first time (since, default 1d).
	Since time.Duration
	// Interval is how often it is looked for something new (interval, default
	// 1s, 1m for s3://).
	Interval time.Duration
	// MaxSeries is how many series one metric may have (max_series, default
	// 20000).
	MaxSeries int
}

// LogMetric is a metric made of access logs.
type LogMetric struct {
	Name, Of, Buckets, Help string
	Labels                  []LogLabel
}

// LogLabel is a label of one.
type LogLabel struct {
	Name, From string
	Limit      int
	Required   bool
}

type logSources struct{ p *[]LogSource }

func (v logSources) read(r *reader, path string, n *yaml.Node) {
	names := make(map[string]bool)
	var out []LogSource
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		s := r.logSource(path, n)
		if names[s.Source] && s.Source != "" {
			r.errorf(n, path, "the source %s is given twice", message.Quote(s.Source))
		}
		names[s.Source] = true
		out = append(out, s)
	})
	*v.p = out
}

func (v logSources) String() string {
	var parts []string
	for _, s := range *v.p {
		parts = append(parts, fmt.Sprintf("%s (%s)", s.Source, s.From))
	}
	return orNone(strings.Join(parts, "; "))
}

func (v logSources) wants() string {
	return "a list of {source: name, from: path or s3://bucket/prefix, …} (docs/logs.md)"
}

func (r *reader) logSource(path string, n *yaml.Node) LogSource {
	s := LogSource{Lateness: 15 * time.Minute, SamplingRate: 100, Since: day}
	flag := func(name string, p *bool) field {
		return field{name, func(path string, n *yaml.Node) { boolean{p}.read(r, path, n) }}
	}
	ok := r.fields(path, n, "a source {source: name, from: path}",
		r.word("source", "a name", &s.Source), r.word("from", "a path or s3://bucket/prefix", &s.From),
		r.word("format", "a format (docs/logs.md)", &s.Format), r.words("fields", "a list of columns", &s.Fields),
		r.word("delimiter", "one character", &s.Delimiter),
		field{"mapping", func(path string, n *yaml.Node) {
			s.Mapping = make(map[string]string)
			r.mapping(path, n, "a mapping such as {status: http.status}", func(key, n *yaml.Node) {
				s.Mapping[key.Value], _ = r.scalar(path+"."+message.Clip(key.Value, 80), n, "a key of the log")
			})
		}},
		r.word("preset", "article", &s.Preset),
		field{"metrics", func(path string, n *yaml.Node) {
			r.list(path, n, "a list of {name: x, of: requests, labels: […]}", func(path string, n *yaml.Node) {
				s.Metrics = append(s.Metrics, r.logMetric(path, n))
			})
		}},
		r.words("routes", "a list of patterns such as GET /users/{id}", &s.Routes),
		flag("learn", &s.Learn), r.forced(&s.Labels), flag("event_time", &s.EventTime),
		r.durationField("lateness", &s.Lateness, time.Minute, day),
		field{"sampling_rate", func(path string, n *yaml.Node) { rate{&s.SamplingRate}.read(r, path, n) }},
		r.durationField("since", &s.Since, time.Minute, 100*year), r.durationField("interval", &s.Interval, time.Second, day),
		r.countField("max_series", &s.MaxSeries, 1, 1e6))
	switch {
	case !ok:
	case !isWord(s.Source, 64, "."):
		r.errorf(n, path, "source %s can't name a source: want letters, digits, '.', '_' and '-', 64 at most", message.Quote(s.Source))
	case s.From == "":
		r.errorf(n, path, "from is missing: a file, a directory, a pattern of files, or s3://bucket/prefix")
	case s.SamplingRate > 100 || s.SamplingRate == 0:
		r.errorf(n, path, "sampling_rate is the percentage of requests that are logged: above 0, at most 100")
	}
	if s.Interval == 0 {
		s.Interval = time.Second
		if strings.HasPrefix(s.From, "s3://") {
			s.Interval = time.Minute
		}
	}
	return s
}

func (r *reader) logMetric(path string, n *yaml.Node) LogMetric {
	var m LogMetric
	r.fields(path, n, "a metric {name: x, of: requests}",
		r.word("name", "a name", &m.Name), r.word("of", "what is counted", &m.Of), r.word("buckets", "a layout's name", &m.Buckets), r.word("help", "a sentence", &m.Help),
		field{"labels", func(path string, n *yaml.Node) {
			r.list(path, n, "a list of {name: x, from: y}", func(path string, n *yaml.Node) {
				var l LogLabel
				r.fields(path, n, "a label {name: x, from: y}",
					r.word("name", "a name", &l.Name), r.word("from", "where its value comes from", &l.From), r.countField("limit", &l.Limit, 1, 1e6),
					field{"required", func(path string, n *yaml.Node) { boolean{&l.Required}.read(r, path, n) }})
				m.Labels = append(m.Labels, l)
			})
		}})
	return m
}
