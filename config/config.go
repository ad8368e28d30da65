// Package config is narthex's one YAML file: what may stand in it, what it
// means, and what holds where it says nothing. The fields of [Config] are the
// manual.
//
// [Read] reads the file strictly and reports all that is wrong with it at once,
// each with its line:
//
//	narthex.yml:7: ledger: unknown key "heartbeet"; did you mean "heartbeat"?
//
// [Config.Explain] lists the settings that hold and where they come from,
// [Reference] is the list for the documentation. Both come from the table that
// also drives the reading, so they can't disagree with it.
//
// The package holds data only: it opens nothing but the file and starts
// nothing.
package config

import (
	"time"

	"go.yaml.in/yaml/v3"

	"narthex"
)

// Config is the file's content, complete: what the file leaves out has its
// default. Durations are written as in Prometheus (15s, 1h30m, 30d), sizes as
// 10MiB or 1GB.
type Config struct {
	// Listen is the address to serve HTTP on, host:port (listen, default
	// 127.0.0.1:9091). Beyond loopback it demands authentication.
	Listen string
	// Data is the directory that has all that is kept: the write-ahead log, the
	// checkpoints, the embedded store (data, default ./narthex-data).
	Data string
	// ScrapeInterval is the tick: how often the totals are written to the store
	// (scrape_interval, default 15s, from 1s to 5m).
	ScrapeInterval time.Duration
	// Storage is the embedded store (storage).
	Storage Storage
	// ExternalLabels are added to the series that leave by remote write and do not
	// have them (external_labels, default none).
	ExternalLabels narthex.Labels
	// RemoteWrite are the destinations of all samples, besides the embedded store
	// (remote_write, default none).
	RemoteWrite []RemoteWrite
	// Query are Prometheus APIs that are asked in the place of the embedded store;
	// the first is the one the page begins with (query, default none).
	Query []Query
	// ScrapeConfigs are the jobs whose targets are scraped (scrape_configs,
	// default none).
	ScrapeConfigs []ScrapeConfig
	// Logs are the access logs that are followed (logs, default none).
	Logs []LogSource
	// ModulesFile is the file that has the modules of probes, in the blackbox
	// exporter's format (modules_file, default none: those that are built in).
	// Modules are they within this file (modules); their node is kept as it is.
	ModulesFile string
	Modules     *yaml.Node
	// Probes are what is probed (probes).
	Probes Probes
	// Ledger is when a counter is written and how long it is known (ledger).
	Ledger Ledger
	// Push is how pushes are understood (push).
	Push Push
	// OTLP is how OpenTelemetry's metrics are translated (otlp).
	OTLP OTLP
	// Histograms are the bucket layouts that histograms of observations may
	// name, besides api_latency, default and native (histograms). A layout is
	// written as its bounds and ranges of bounds: 1ms..20ms/1ms, 50ms, 0.1s..1s/0.1s.
	// api_latency and default may be written anew.
	Histograms map[string]narthex.Layout
	// Limits bound what comes in (limits).
	Limits Limits
	// UTF8Names allows any UTF-8 string as the name of a metric or label, as
	// Prometheus 3 does (utf8_names, default false: letters, digits and
	// underscores, for metrics colons too).
	UTF8Names bool
	// Hosts are names that requests may have in their Host header, besides the
	// address listened on and localhost (hosts, default none). Others are
	// refused, so that no web page can reach the server through a DNS name of
	// its own.
	Hosts []string
	// WebConfigFile is the web configuration file that Prometheus and its
	// exporters share: TLS, users with passwords (web_config_file, default none).
	WebConfigFile string
	// Auth is who may do what (auth).
	Auth Auth
	// Viewer is the page (viewer).
	Viewer Viewer
	// Lambda is what only the Lambda function reads (lambda).
	Lambda Lambda

	name  string            // the file's, for Explain
	set   map[string]int    // option -> the line that sets it
	given map[string]string // option -> what else than the file sets it
	notes []string          // about settings that have no effect
}

// Name returns the name of the file, "" without one.
func (c *Config) Name() string { return c.name }

// Given reports whether something gives the setting, such as probes.guard.private.
func (c *Config) Given(setting string) bool { return c.has(setting) }

// Storage is the embedded Prometheus TSDB.
type Storage struct {
	// None is storage: none: there is no embedded store and nothing answers
	// queries. At least one RemoteWrite is needed then.
	None bool
	// Retention is how long samples are kept (retention, default 30d).
	Retention time.Duration
	// OutOfOrderTimeWindow is how much older than the newest one a sample may be
	// (out_of_order_time_window, default 1h). It matters to samples that are
	// pushed with their own time, never to counters.
	OutOfOrderTimeWindow time.Duration
}

// Ledger is the life of a counter.
type Ledger struct {
	// Settle is how long a counter is written at every tick after it has changed
	// (settle, default 5m).
	Settle time.Duration
	// Heartbeat is how often one is written that is settled (heartbeat, default
	// 2m). PromQL looks back for 5m: longer than that leaves gaps.
	Heartbeat time.Duration
	// Idle is after how long without a change the series ends (idle, default
	// 1h). A later increment goes on from the old total.
	Idle time.Duration
	// Forget is after how long without a change the total is dropped (forget,
	// default 30d). A later increment starts from zero.
	Forget time.Duration
	// Horizon is how long the ids of pushes are remembered (horizon, default
	// 24h). A retry within it counts once; what is older is refused.
	Horizon time.Duration
	// State is where the Lambda function keeps the totals (state, default none):
	// s3://bucket/prefix, dynamodb://table/prefix or file:path. The program keeps
	// them under Data.
	State string
}

// Push is how pushes are understood.
type Push struct {
	// Preset is a set of rules that comes after one's own: "article" adds up
	// series whose names end in _total (preset, default none).
	Preset string
	// Rules say what a pushed series is that doesn't say it itself; the first
	// that matches counts (rules, default none: each sample is kept with its
	// time).
	Rules []Rule
	// GroupTTL says how long a group of Pushgateway's API lives without a push;
	// the first rule that matches its grouping labels counts (group_ttl, default
	// none: for ever). A push may say it itself.
	GroupTTL []TTLRule
	// Time says whose clock a sample's time is; the first rule that matches
	// counts (time, default none: the sender's).
	Time []TimeRule
	// EMF is how events of CloudWatch's embedded metric format are read (emf).
	EMF EMF
}

// EMF is how events of CloudWatch's embedded metric format are read.
type EMF struct {
	// Namespace says what becomes of a namespace: label, prefix (of the name) or
	// none (namespace, default label).
	Namespace string
	// Buckets names the layout of histograms (buckets, default native).
	Buckets string
	// Unitless says what a metric without a unit is: gauge or histogram
	// (unitless, default gauge).
	Unitless string
}

// Limits bound what comes in.
type Limits struct {
	// Body is how many bytes a request's body may have after decompression
	// (body, default 10MiB).
	Body int64
	// SenderLimits hold for each sender that Identities does not name.
	SenderLimits
	// Identities are senders' own limits, by identity; what an entry leaves out
	// is as for all (identities, default none). See [Limits.Of].
	Identities map[string]SenderLimits
	// SourceLabel is the label by which a sender's sources are told apart; where
	// it is missing, job is (source_label, default service).
	SourceLabel string
	// Overflow says what becomes of new series beyond a limit (overflow).
	Overflow Overflow
	// LabelsPerSeries is how many labels one series may have, its name included
	// (labels_per_series, default 150).
	LabelsPerSeries int
	// LabelNameLength is how many bytes the name of a label or metric may have
	// (label_name_length, default 128).
	LabelNameLength int
	// LabelValueLength is how many bytes the value of a label may have
	// (label_value_length, default 2048).
	LabelValueLength int
	// Series is how many series the ledger holds (series, default 1000000). New
	// ones beyond are rejected.
	Series int
}

// Default returns the configuration that holds without a file.
func Default() *Config {
	const minute, hour, day = time.Minute, time.Hour, 24 * time.Hour
	return &Config{
		Listen:         "127.0.0.1:9091",
		Data:           "./narthex-data",
		ScrapeInterval: 15 * time.Second,
		Storage:        Storage{Retention: 30 * day, OutOfOrderTimeWindow: hour},
		Probes: Probes{
			Every: minute, Timeout: 10 * time.Second, Job: "probe", Concurrency: 100, Guard: Guard{Private: true, Loopback: true},
		},
		OTLP:   OTLP{TranslationStrategy: "UnderscoreEscapingWithSuffixes"},
		Ledger: Ledger{Settle: 5 * minute, Heartbeat: 2 * minute, Idle: hour, Forget: 30 * day, Horizon: day},
		Push:   Push{EMF: EMF{Namespace: "label", Buckets: narthex.NativeLayout, Unitless: "gauge"}},
		Limits: Limits{
			Body: 10 << 20, LabelsPerSeries: 150,
			SenderLimits: SenderLimits{SeriesPerPush: 10000, SeriesPerSource: 50000, SeriesPerIdentity: 1000000, Burst: 10 * time.Second},
			SourceLabel:  "service", Overflow: Overflow{Action: "reject"},
			LabelNameLength: 128, LabelValueLength: 2048, Series: 1000000,
		},
		Viewer: Viewer{PricePerMillionSamples: 0.09, PricePerBillionQuerySamples: 0.1, Currency: "USD",
			SignIn: SignIn{Scopes: []string{"email", "profile"}, Session: 12 * hour}},
		Lambda: Lambda{Groups: 1, Telemetry: true},
	}
}
