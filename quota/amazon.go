package quota

import "time"

// The quotas of Amazon Managed Prometheus.
//
// Source: Amazon Managed Service for Prometheus User Guide, "Service quotas" and
// "Configure your workspace"; announcements of 2026-06-11 (out-of-order window,
// native histograms) and 2026-07-21 (series).
const (
	amazonSeries       = 50_000_000 // can be raised to 1,500,000,000
	amazonGrowth       = 2_000_000  // the least capacity; beyond, twice the average of half an hour
	amazonPerSecond    = amazonSeries / 30
	amazonLabels       = 150
	amazonLabelName    = 128
	amazonLabelValue   = 2048
	amazonBuckets      = 200
	amazonAge          = time.Hour
	amazonDisorder     = 10 * time.Minute // by default a minute
	amazonRetention    = 1095 * 24 * time.Hour
	amazonQuotas       = "Amazon Managed Service for Prometheus, service quotas, " + Date
	amazonOutOfOrder   = "Amazon Managed Service for Prometheus, out-of-order time window, 2026-06-11"
	amazonUndocumented = "Amazon Managed Service for Prometheus, RemoteWrite API, " + Date
)

func amazon(u Use) []Finding {
	perSecond := 0.
	if u.Interval > 0 {
		perSecond = float64(u.Series) / u.Interval.Seconds()
	}
	return []Finding{
		number(Finding{Quota: "active series of the workspace", Setting: "limits.series", Source: amazonQuotas,
			Then: "new series are refused (400, per_user_series_limit)", Remedy: "ask AWS for more, up to 1,500,000,000, or lower limits.series"},
			float64(u.Series), amazonSeries, ""),
		number(Finding{Quota: "series that a new workspace takes at once", Setting: "limits.series", Source: amazonQuotas,
			Then: "more than twice the average of the last half hour is throttled (429)", Remedy: "let the number grow over hours; narthex repeats what is refused"},
			float64(u.Series), amazonGrowth, ""),
		number(Finding{Quota: "samples a second", Setting: "limits.series / scrape_interval", Source: amazonQuotas,
			Then: "what is beyond is throttled (429)", Remedy: "make scrape_interval longer, or ask AWS for more series: the rate is a thirtieth of them"},
			perSecond, amazonPerSecond, "/s"),
		number(Finding{Quota: "labels of a series", Setting: "limits.labels_per_series", Source: amazonQuotas,
			Then: "such series are refused (max_label_names_per_series)", Remedy: "lower the setting, so that the sender is told"},
			float64(u.LabelsPerSeries), amazonLabels, ""),
		number(Finding{Quota: "length of a label's name", Setting: "limits.label_name_length", Source: amazonQuotas,
			Then: "such series are refused", Remedy: "lower the setting, so that the sender is told"},
			float64(u.LabelNameLength), amazonLabelName, ""),
		number(Finding{Quota: "length of a label's value", Setting: "limits.label_value_length", Source: amazonQuotas,
			Then: "such series are refused (label_value_too_long)", Remedy: "lower the setting, so that the sender is told"},
			float64(u.LabelValueLength), amazonLabelValue, ""),
		forbidden(Finding{Quota: "names beyond letters, digits and underscores", Setting: "utf8_names", Source: amazonQuotas,
			Then: "such series are refused", Remedy: "leave utf8_names off"}, u.UTF8Names),
		number(Finding{Quota: "buckets of a native histogram", Setting: "histograms: native", Source: amazonQuotas,
			Then: "its resolution is reduced", Remedy: "nothing has to be done"}, float64(u.NativeBuckets), amazonBuckets, ""),
		span(Finding{Quota: "age of a sample", Setting: "logs.lateness", Source: amazonQuotas,
			Then: "older samples are refused (greater_than_max_sample_age)", Remedy: "keep lateness below 50m"},
			u.Age, amazonAge),
		span(Finding{Quota: "out-of-order time window", Setting: "samples pushed with times of their own", Source: amazonOutOfOrder,
			Then: "samples further behind are refused (sample-too-old)", Remedy: "push increments instead, which are always in order, or let push.time clamp the times"},
			u.Disorder, amazonDisorder),
		span(Finding{Quota: "retention", Setting: "--retention", Source: amazonQuotas,
			Then: "samples are gone earlier", Remedy: "keep what has to be older in a store of your own: a second remote_write"}, u.Retention, amazonRetention),
		forbidden(Finding{Quota: "remote write 2.0", Setting: "remote_write.protobuf_message", Source: amazonUndocumented,
			Then: "it is not documented, and a receiver without it answers 2xx and stores nothing", Remedy: "leave protobuf_message out: 1.0 is used"}, u.RemoteWrite2),
	}
}
