package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// ScrapeConfig is a job whose targets are scraped (scrape_configs), in the words
// of Prometheus. Targets are static: what finds them is not narthex's trade.
type ScrapeConfig struct {
	Job string // job_name
	// Interval and Timeout are how often and for how long (scrape_interval, default
	// the file's; scrape_timeout, default 10s or the interval).
	Interval, Timeout time.Duration
	// Path and Scheme are where (metrics_path, default /metrics; scheme, default
	// http). Params are the query's parameters (params).
	Path, Scheme string
	Params       url.Values
	HTTP         HTTPClient
	// FollowRedirects follows them (follow_redirects, default true).
	FollowRedirects bool
	Targets         []TargetGroup // static_configs
	// HonorLabels keeps labels that the target gives and the job has too
	// (honor_labels, default false). HonorTimestamps keeps its times
	// (honor_timestamps, default true).
	HonorLabels, HonorTimestamps bool
	// Compression asks for gzip (enable_compression, default true).
	Compression bool
	// NativeHistograms asks for them, that is, for the protobuf format first
	// (scrape_native_histograms, default false).
	NativeHistograms bool
	// Relabel is for targets (relabel_configs), MetricRelabel for their series
	// (metric_relabel_configs).
	Relabel, MetricRelabel []Relabel
	// The limits fail the scrape that passes them; 0 is none. The body is bounded
	// by 256MiB in any case (body_size_limit, sample_limit, label_limit,
	// label_name_length_limit, label_value_length_limit).
	BodyLimit                              int64
	SampleLimit, LabelLimit                int
	LabelNameLengthLimit, LabelValueLength int
}

// TargetGroup is one of static_configs: targets with the labels they share.
// Labels may be those that begin with __ as well.
type TargetGroup struct {
	Targets []string // host:port
	Labels  narthex.Labels
}

type scrapeConfigs struct{ p *[]ScrapeConfig }

func (v scrapeConfigs) read(r *reader, path string, n *yaml.Node) {
	jobs := make(map[string]bool)
	var out []ScrapeConfig
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		s := r.scrapeConfig(path, n)
		if jobs[s.Job] && s.Job != "" {
			r.errorf(n, path, "the job_name %s is given twice", message.Quote(s.Job))
		}
		jobs[s.Job] = true
		out = append(out, s)
	})
	*v.p = out
	// The file's interval may stand below.
	r.later = append(r.later, func() {
		for i := range *v.p {
			s := &(*v.p)[i]
			if s.defaults(r.config); s.Timeout > s.Interval {
				r.add(r.config.set[path], fmt.Sprintf("%s[%d]: scrape_timeout is above the interval of %s: two scrapes of a target would overlap", path, i, FormatDuration(s.Interval)))
			}
		}
	})
}

// defaults fills in what depends on the rest of the file.
func (s *ScrapeConfig) defaults(c *Config) {
	if s.Interval == 0 {
		s.Interval = c.ScrapeInterval
	}
	if s.Timeout == 0 {
		s.Timeout = min(10*time.Second, s.Interval)
	}
}

func (v scrapeConfigs) String() string {
	var parts []string
	for _, s := range *v.p {
		n := 0
		for _, g := range s.Targets {
			n += len(g.Targets)
		}
		parts = append(parts, fmt.Sprintf("%s (%d targets every %s)", s.Job, n, FormatDuration(s.Interval)))
	}
	return orNone(strings.Join(parts, "; "))
}

func (v scrapeConfigs) wants() string {
	return "a list of {job_name: x, static_configs: [{targets: [host:port]}]}, as in Prometheus (docs/agent.md)"
}

// ScrapeJob returns a job with the defaults.
func ScrapeJob(name string) ScrapeConfig {
	return ScrapeConfig{Job: name, Path: "/metrics", Scheme: "http", HonorTimestamps: true, Compression: true, FollowRedirects: true}
}

func (r *reader) scrapeConfig(path string, n *yaml.Node) ScrapeConfig {
	s := ScrapeJob("")
	flag := func(name string, p *bool) field {
		return field{name, func(path string, n *yaml.Node) { boolean{p}.read(r, path, n) }}
	}
	fields := append(r.httpFields(&s.HTTP), r.headersField("headers", &s.HTTP), r.word("job_name", "a name", &s.Job),
		r.durationField("scrape_interval", &s.Interval, time.Second, day), r.durationField("scrape_timeout", &s.Timeout, 100*time.Millisecond, day),
		r.word("metrics_path", "a path", &s.Path), r.word("scheme", "http or https", &s.Scheme),
		field{"params", func(path string, n *yaml.Node) { s.Params = r.params(path, n) }},
		field{"static_configs", func(path string, n *yaml.Node) {
			r.list(path, n, "a list of {targets: [host:port], labels: {}}", func(path string, n *yaml.Node) {
				s.Targets = append(s.Targets, r.targetGroup(path, n))
			})
		}},
		flag("honor_labels", &s.HonorLabels), flag("honor_timestamps", &s.HonorTimestamps), flag("enable_compression", &s.Compression),
		flag("scrape_native_histograms", &s.NativeHistograms), flag("follow_redirects", &s.FollowRedirects),
		r.relabelField("relabel_configs", &s.Relabel), r.relabelField("metric_relabel_configs", &s.MetricRelabel),
		field{"body_size_limit", func(path string, n *yaml.Node) { size{&s.BodyLimit, 0, 256 << 20}.read(r, path, n) }},
		r.countField("sample_limit", &s.SampleLimit, 0, 1e8), r.countField("label_limit", &s.LabelLimit, 0, 1e6),
		r.countField("label_name_length_limit", &s.LabelNameLengthLimit, 0, 1e6), r.countField("label_value_length_limit", &s.LabelValueLength, 0, 1e8))
	const formats = "the formats that are read are always offered: OpenMetrics and text, and protobuf first with scrape_native_histograms"
	ok := r.but(path, n, "a job {job_name: x, static_configs: […]}", map[string]string{
		"*_sd_configs": "only static targets are scraped; list them in static_configs, or let a Prometheus find them and write here by remote_write",
		"oauth2":       "use authorization.credentials_file", "http_headers": "use headers, a mapping of names to values",
		"scrape_protocols": formats, "fallback_scrape_protocol": formats,
		"always_scrape_classic_histograms": "a histogram is kept in one form", "convert_classic_histograms_to_nhcb": "classic histograms are kept as they are",
		"track_timestamps_staleness": "series with times of their own end without a marker, which is the default of Prometheus", "target_limit": "static targets are as many as are listed",
		"native_histogram_bucket_limit": "native histograms are kept as they are", "native_histogram_min_bucket_factor": "native histograms are kept as they are",
		"metric_name_validation_scheme": "any UTF-8 name is taken", "metric_name_escaping_scheme": "any UTF-8 name is taken",
		"keep_dropped_targets": "there is no list of them", "scrape_failure_log_file": "failures are in narthex's log", "extra_scrape_metrics": "limits are in the configuration",
	}, fields...)
	if ok {
		if problem := s.problem(); problem != "" {
			r.errorf(n, path, "%s", problem)
		}
	}
	return s
}

func (s *ScrapeConfig) problem() string {
	switch problem := s.HTTP.problem(); {
	case s.Job == "":
		return "job_name is missing"
	case problem != "":
		return problem
	case s.Scheme != "http" && s.Scheme != "https":
		return "the scheme is http or https"
	case !strings.HasPrefix(s.Path, "/"):
		return "metrics_path does not begin with /"
	}
	return ""
}

func (r *reader) params(path string, n *yaml.Node) url.Values {
	out := make(url.Values)
	r.mapping(path, n, "{name: [value]}", func(key, n *yaml.Node) {
		out[key.Value] = r.oneOrMore(path+"."+message.Clip(key.Value, 80), n, "a value")
	})
	return out
}

func (r *reader) targetGroup(path string, n *yaml.Node) TargetGroup {
	var g TargetGroup
	r.fields(path, n, "{targets: [host:port], labels: {}}",
		field{"targets", func(path string, n *yaml.Node) {
			r.list(path, n, "a list of host:port", func(path string, n *yaml.Node) {
				s, ok := r.scalar(path, n, "host:port")
				switch {
				case !ok:
				case s == "" || strings.Contains(s, "/"):
					r.errorf(n, path, "%s is no target: want host:port; the scheme and the path are the job's", message.Quote(s))
				default:
					g.Targets = append(g.Targets, s)
				}
			})
		}},
		field{"labels", func(path string, n *yaml.Node) {
			r.mapping(path, n, "labels with values", func(key, n *yaml.Node) {
				value, ok := r.scalar(path+"."+message.Clip(key.Value, 80), n, "a value")
				if ok && (key.Value == "" || key.Value == narthex.MetricName) {
					r.errorf(key, path, "%s can't be the label of a target", message.Quote(key.Value))
				} else if ok {
					g.Labels = g.Labels.With(key.Value, value)
				}
			})
		}})
	return g
}
