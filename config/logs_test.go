package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/config"
)

func TestLogs(t *testing.T) {
	c, err := config.Parse("narthex.yml", []byte(`
logs:
  - source: cdn
    from: s3://bucket/AWSLogs/
    format: cloudfront-realtime
    fields: [timestamp, sc-status]
    delimiter: ","
    mapping: {status: http.status}
    preset: article
    routes: ["GET /v1/users/{id}", "/**.js"]
    learn: true
    labels: {site: shop}
    event_time: true
    lateness: 1h
    sampling_rate: 10
    since: 2d
    interval: 5m
    max_series: 7
    metrics: [{name: checkout_seconds, of: duration, buckets: native, help: Time., labels: [{name: route}, {name: tenant, from: "path:tenant", limit: 50, required: true}]}]
  - {source: nginx, from: /var/log/nginx/access.log}
`), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.LogSource{
		{
			Source: "cdn", From: "s3://bucket/AWSLogs/", Format: "cloudfront-realtime", Fields: []string{"timestamp", "sc-status"}, Delimiter: ",",
			Mapping: map[string]string{"status": "http.status"}, Preset: "article", Routes: []string{"GET /v1/users/{id}", "/**.js"}, Learn: true,
			Labels: narthex.Labels{{Name: "site", Value: "shop"}}, EventTime: true, Lateness: time.Hour, SamplingRate: 10,
			Since: 48 * time.Hour, Interval: 5 * time.Minute, MaxSeries: 7,
			Metrics: []config.LogMetric{{Name: "checkout_seconds", Of: "duration", Buckets: "native", Help: "Time.", Labels: []config.LogLabel{
				{Name: "route"}, {Name: "tenant", From: "path:tenant", Limit: 50, Required: true},
			}}},
		},
		{
			Source: "nginx", From: "/var/log/nginx/access.log", Lateness: 15 * time.Minute, SamplingRate: 100, Since: 24 * time.Hour, Interval: time.Second,
		},
	}
	if d := cmp.Diff(want, c.Logs); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

func TestLogsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"logs: [{source: a, from: x, form: y}]":                         `unknown key "form"; did you mean "from"?`,
		"logs: [{from: x}]":                                             "can't name a source",
		"logs: [{source: a}]":                                           "from is missing",
		"logs: [{source: a/b, from: x}]":                                "can't name a source",
		"logs: [{source: a, from: x, sampling_rate: 0}]":                "percentage",
		"logs: [{source: a, from: x}, {source: a, from: y}]":            `the source "a" is given twice`,
		"logs: [{source: a, from: x, metrics: [{name: b, labels: 3}]}]": "want a list",
	} {
		_, err := config.Parse("narthex.yml", []byte(text), os.LookupEnv)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
