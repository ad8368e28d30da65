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
	{"storage.retention", func(c *Config) value { return duration{&c.Storage.Retention, time.Hour, 100 * year} },
		"How long the embedded store keeps samples."},
	{"storage.out_of_order_time_window", func(c *Config) value { return duration{&c.Storage.OutOfOrderTimeWindow, 0, year} },
		"How much older than a series' newest sample a pushed sample may be."},
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
	{"utf8_names", func(c *Config) value { return boolean{&c.UTF8Names} },
		"Allows any UTF-8 string as the name of a metric or label, as Prometheus 3 does."},
	{"hosts", func(c *Config) value { return hosts{&c.Hosts} },
		"Further names that requests may have in their Host header."},
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
