package config

import (
	"math"
	"time"
)

// option is one setting: the table below is what the file is read with, what
// [Config.Explain] shows and what [Reference] documents.
type option struct {
	path string // as in ledger.settle
	in   func(*Config) value
	help string // one sentence
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// options are in the order of the documentation.
var options = []option{
	{"listen", func(c *Config) value { return address{&c.Listen} },
		"The address to serve HTTP on; beyond loopback it demands authentication."},
	{"data", func(c *Config) value { return text{&c.Data} },
		"The directory for all that is kept: write-ahead log, checkpoints, embedded store."},
	{"scrape_interval", func(c *Config) value { return duration{&c.ScrapeInterval, time.Second, 5 * time.Minute} },
		"The tick: how often totals are written to the store."},
	{"storage.retention", func(c *Config) value {
		return stored(c, duration{&c.Storage.Retention, time.Hour, 100 * year})
	},
		"How long the embedded store keeps samples; storage: none does without the store."},
	{"storage.out_of_order_time_window", func(c *Config) value {
		return stored(c, duration{&c.Storage.OutOfOrderTimeWindow, 0, year})
	},
		"How much older than a series' newest sample a pushed sample may be."},
	{"external_labels", func(c *Config) value { return labelSet{&c.ExternalLabels} },
		"Labels added to series that leave by remote write and do not have them."},
	{"remote_write", func(c *Config) value { return remoteWrites{&c.RemoteWrite} },
		"Where all samples are sent, besides the embedded store."},
	{"query", func(c *Config) value { return queries{&c.Query} },
		"Prometheus APIs that are asked in the place of the embedded store, such as Amazon Managed Prometheus."},
	{"scrape_configs", func(c *Config) value { return scrapeConfigs{&c.ScrapeConfigs} },
		"Jobs with static targets that are scraped."},
	{"logs", func(c *Config) value { return logSources{&c.Logs} },
		"Access logs that are followed: files, directories, prefixes of buckets."},
	{"modules_file", func(c *Config) value { return filePath{&c.ModulesFile} },
		"The file of the modules of probes, in the blackbox exporter's format; without it and modules those hold that are built in."},
	{"modules", func(c *Config) value { return modules{&c.Modules} },
		"The modules of probes within this file."},
	{"probes.every", func(c *Config) value { return duration{&c.Probes.Every, time.Second, time.Hour} },
		"How often a target is probed that doesn't say it itself."},
	{"probes.timeout", func(c *Config) value { return duration{&c.Probes.Timeout, 10 * time.Millisecond, 10 * time.Minute} },
		"How long a probe may take, at most as long as the interval."},
	{"probes.region", func(c *Config) value { return region{&c.Probes.Region} },
		"Where this program is; a label of all series of probes."},
	{"probes.job", func(c *Config) value { return text{&c.Probes.Job} },
		"The label job of all series of probes."},
	{"probes.concurrency", func(c *Config) value { return count{&c.Probes.Concurrency, 1, 10000} },
		"How many probes run at a time; a request beyond is answered 429."},
	{"probes.guard.private", func(c *Config) value { return boolean{&c.Probes.Guard.Private} },
		"Allows probes to dial addresses of private networks; on Lambda only if the file says so."},
	{"probes.guard.loopback", func(c *Config) value { return boolean{&c.Probes.Guard.Loopback} },
		"Allows probes to dial this machine; on Lambda only if the file says so."},
	{"probes.guard.allow", func(c *Config) value { return networks{&c.Probes.Guard.Allow} },
		"Networks that may be dialled besides."},
	{"probes.guard.deny", func(c *Config) value { return networks{&c.Probes.Guard.Deny} },
		"Networks that may not be dialled; link-local addresses and metadata services never may."},
	{"probes.allowed_targets", func(c *Config) value { return patterns{&c.Probes.AllowedTargets} },
		"What may be probed on request besides the targets; on loopback, and with the scope admin, everything may."},
	{"probes.targets", func(c *Config) value { return probeTargets{&c.Probes.Targets} },
		"What is probed on a schedule."},
	{"ledger.settle", func(c *Config) value { return duration{&c.Ledger.Settle, 0, day} },
		"How long a counter is written at every tick after it has changed."},
	{"ledger.heartbeat", func(c *Config) value { return duration{&c.Ledger.Heartbeat, time.Second, day} },
		"How often a counter is written that is settled; PromQL looks back for 5m, so longer than that leaves gaps."},
	{"ledger.idle", func(c *Config) value { return duration{&c.Ledger.Idle, time.Second, year} },
		"After how long without a change a series ends; it goes on from its total when it is pushed again."},
	{"ledger.forget", func(c *Config) value { return duration{&c.Ledger.Forget, time.Minute, 100 * year} },
		"After how long without a change a total is dropped."},
	{"ledger.horizon", func(c *Config) value { return duration{&c.Ledger.Horizon, time.Hour, 30 * day} },
		"How long ids of pushes are remembered: a retry within it counts once, anything older is refused."},
	{"push.preset", func(c *Config) value { return oneOf{&c.Push.Preset, []string{"article"}} },
		"Rules that come after your own: article adds up series whose names end in _total."},
	{"push.rules", func(c *Config) value { return rules{&c.Push.Rules} },
		"What a pushed series is (delta, gauge or sample) that does not say it itself; the first rule that matches counts."},
	{"push.group_ttl", func(c *Config) value { return ttlRules{&c.Push.GroupTTL} },
		"How long a group of Pushgateway's API lives without a push, by its grouping labels; the first rule that matches counts, without one it is for ever."},
	{"push.time", func(c *Config) value { return timeRules{&c.Push.Time} },
		"Whose clock a sample's time is: keep the sender's, now (the arrival), or clamp it between max_age ago and max_future ahead; the first rule that matches counts."},
	{"push.emf.namespace", func(c *Config) value { return choice{&c.Push.EMF.Namespace, []string{"label", "prefix", "none"}} },
		"What becomes of the namespace of CloudWatch's embedded metric format: the label namespace, a prefix of the name, or nothing."},
	{"push.emf.buckets", func(c *Config) value { return layoutName{&c.Push.EMF.Buckets} },
		"The layout of histograms that are made of the embedded metric format; native suits all units."},
	{"push.emf.unitless", func(c *Config) value { return choice{&c.Push.EMF.Unitless, []string{"gauge", "histogram"}} },
		"What a metric of the embedded metric format is that has no unit."},
	{"otlp.translation_strategy", func(c *Config) value { return oneOf{&c.OTLP.TranslationStrategy, strategies()} },
		"How names of OpenTelemetry's metrics and attributes become those of Prometheus; the last two need utf8_names."},
	{"otlp.promote_resource_attributes", func(c *Config) value { return attributes{&c.OTLP.PromoteResourceAttributes} },
		"Attributes of the resource that become labels of each series; all are in target_info."},
	{"otlp.keep_identifying_resource_attributes", func(c *Config) value { return boolean{&c.OTLP.KeepIdentifyingResourceAttributes} },
		"Leaves service.name, service.namespace and service.instance.id in target_info, of which job and instance are made."},
	{"otlp.promote_scope_metadata", func(c *Config) value { return boolean{&c.OTLP.PromoteScopeMetadata} },
		"Makes labels otel_scope_name, otel_scope_version and so on of the instrumentation scope."},
	{"otlp.convert_histograms_to_nhcb", func(c *Config) value { return boolean{&c.OTLP.ConvertHistogramsToNHCB} },
		"Stores cumulative explicit histograms as native ones with their bounds instead of as classic ones."},
	{"histograms", func(c *Config) value { return layouts{&c.Histograms} },
		"Buckets that histograms of observations may name, besides those that are built in."},
	{"limits.body", func(c *Config) value { return size{&c.Limits.Body, 1 << 10, 1 << 30} },
		"How large a request's body may be after decompression."},
	{"limits.series_per_push", func(c *Config) value { return count{&c.Limits.SeriesPerPush, 1, 1e7} },
		"How many series one push may have."},
	{"limits.labels_per_series", func(c *Config) value { return count{&c.Limits.LabelsPerSeries, 1, 1e4} },
		"How many labels one series may have, its name included."},
	{"limits.label_name_length", func(c *Config) value { return count{&c.Limits.LabelNameLength, 1, 1 << 16} },
		"How many bytes the name of a metric or label may have."},
	{"limits.label_value_length", func(c *Config) value { return count{&c.Limits.LabelValueLength, 1, 1 << 20} },
		"How many bytes the value of a label may have."},
	{"limits.series", func(c *Config) value { return count{&c.Limits.Series, 1, math.MaxInt32} },
		"How many series the ledger holds; new ones beyond are rejected."},
	{"limits.series_per_source", func(c *Config) value { return count{&c.Limits.SeriesPerSource, 0, 1e8} },
		"How many active series (pushed within ledger.idle) a sender's source may have; 0 is no limit."},
	{"limits.series_per_identity", func(c *Config) value { return count{&c.Limits.SeriesPerIdentity, 0, 1e8} },
		"How many active series a sender may have; 0 is no limit."},
	{"limits.source_label", func(c *Config) value { return labelName{&c.Limits.SourceLabel} },
		"The label by which a sender's sources are told apart; where it is missing, job is."},
	{"limits.pushes_per_second", func(c *Config) value { return rate{&c.Limits.PushesPerSecond} },
		"How often a sender may push; beyond it the answer is 429."},
	{"limits.samples_per_second", func(c *Config) value { return rate{&c.Limits.SamplesPerSecond} },
		"How many samples a sender may push."},
	{"limits.source_pushes_per_second", func(c *Config) value { return rate{&c.Limits.SourcePushesPerSecond} },
		"How often each of a sender's sources may be pushed."},
	{"limits.source_samples_per_second", func(c *Config) value { return rate{&c.Limits.SourceSamplesPerSecond} },
		"How many samples of each of a sender's sources may be pushed."},
	{"limits.burst", func(c *Config) value { return duration{&c.Limits.Burst, time.Second, day} },
		"For how long what a rate allows, and was not used, is saved up."},
	{"limits.overflow.action", func(c *Config) value { return choice{&c.Limits.Overflow.Action, []string{"reject", "other"}} },
		"What becomes of new series beyond a limit: reject them, or count increments under the value other of some labels."},
	{"limits.overflow.labels", func(c *Config) value { return labelNames{&c.Limits.Overflow.Labels} },
		"The labels that become other; without any, all but the name, the source, job and those that an identity forces."},
	{"limits.identities", func(c *Config) value { return identityLimits{&c.Limits.Identities} },
		"Senders' own limits; what an entry leaves out is as for all."},
	{"utf8_names", func(c *Config) value { return boolean{&c.UTF8Names} },
		"Allows any UTF-8 string as the name of a metric or label, as Prometheus 3 does."},
	{"hosts", func(c *Config) value { return hosts{&c.Hosts} },
		"Further names that requests may have in their Host header."},
	{"web_config_file", func(c *Config) value { return filePath{&c.WebConfigFile} },
		"The web configuration file that Prometheus and its exporters share: TLS, users with passwords (docs/auth.md)."},
	{"auth.tokens", func(c *Config) value { return tokens{&c.Auth.Tokens} },
		"Bearer tokens, by their hashes."},
	{"auth.users", func(c *Config) value { return users{&c.Auth.Users} },
		"What users of the web configuration file may do; who is not here may do all."},
	{"auth.oidc", func(c *Config) value { return oidc{&c.Auth.OIDC} },
		"Issuers whose JSON Web Tokens are taken, such as GitHub Actions."},
	{"auth.gateway", func(c *Config) value { return gateway{&c.Auth.Gateway} },
		"Callers that are taken of those whom API Gateway or a function URL has identified."},
	{"viewer.price_per_million_samples", func(c *Config) value { return amount{&c.Viewer.PricePerMillionSamples} },
		"What a destination charges for a million samples; 0.09 is what Amazon Managed Prometheus did in us-east-1 in November 2026."},
	{"viewer.price_per_billion_query_samples", func(c *Config) value { return amount{&c.Viewer.PricePerBillionQuerySamples} },
		"What it charges for a billion samples that queries read."},
	{"viewer.currency", func(c *Config) value { return currency{&c.Viewer.Currency} },
		"The currency of the two."},
}

// relations are what must hold between two durations.
var relations = []struct {
	less, more string
	strict     bool
	why        string
}{
	{"scrape_interval", "ledger.heartbeat", false, "a heartbeat is written at a tick"},
	{"ledger.heartbeat", "ledger.idle", false, "a series would end before its first heartbeat"},
	{"ledger.settle", "ledger.idle", false, "a series would end before it is settled"},
	{"ledger.idle", "ledger.forget", true, "a total must outlive its series"},
	{"storage.out_of_order_time_window", "storage.retention", false, "older samples are not kept"},
}
