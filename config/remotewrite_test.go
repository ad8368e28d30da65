package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"narthex"
	"narthex/config"
)

// prometheusFile has what a user of Prometheus would bring along.
const prometheusFile = `
storage: none
scrape_interval: 20s
external_labels: {region: eu, cluster: a}
remote_write:
  - url: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write
    name: amp
    sigv4: {region: eu-west-1, role_arn: "arn:aws:iam::1:role/x", external_id: e}
    queue_config: {capacity: 2500, max_samples_per_send: 1000, max_shards: 200, min_backoff: 1s, max_backoff: 10s, retry_on_http_429: true}
    write_relabel_configs:
      - {source_labels: [__name__], regex: go_.*, action: drop}
  - url: https://mimir.example/api/v1/push?tenant=secret-query
    remote_timeout: 10s
    protobuf_message: io.prometheus.write.v2.Request
    headers: {X-Scope-OrgID: "${TENANT}"}
    basic_auth: {username: me, password: "${PASSWORD}"}
    tls_config: {ca_file: /ca.pem, server_name: x, insecure_skip_verify: true, min_version: TLS13}
    send_exemplars: false
    send_native_histograms: false
    metadata_config: {send: false, send_interval: 5m}
    outbox: {max_bytes: 100MiB, max_age: 2h}
  - {url: "http://127.0.0.1:9090/api/v1/write", bearer_token_file: /token, protobuf_message: prometheus.WriteRequest}
scrape_configs:
  - job_name: node
    scrape_timeout: 5s
    params: {collect: [cpu, disk]}
    static_configs:
      - {targets: ["a:9100", "b:9100"], labels: {env: prod, __metrics_path__: /m}}
    relabel_configs: [{source_labels: [env, __address__], separator: "", target_label: x, replacement: ""}]
    honor_labels: true
    honor_timestamps: false
    enable_http2: false
    body_size_limit: 10MB
    sample_limit: 100
    label_limit: 20
  - {job_name: other, scrape_interval: 5s, authorization: {credentials: "${PASSWORD}"}}
`

func env(name string) (string, bool) {
	v, ok := map[string]string{"PASSWORD": "hunter2", "TENANT": "tenant-7"}[name]
	return v, ok
}

func TestPrometheusFile(t *testing.T) {
	c, err := config.Parse("p.yml", []byte(prometheusFile), env)
	if err != nil {
		t.Fatal(err)
	}
	amp := config.RemoteWriteTo("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write")
	amp.Name, amp.SigV4 = "amp", &config.SigV4{Region: "eu-west-1", RoleARN: "arn:aws:iam::1:role/x", ExternalID: "e"}
	amp.MaxSamples, amp.Concurrency, amp.MinBackoff, amp.MaxBackoff = 1000, 200, time.Second, 10*time.Second
	mimir := config.RemoteWriteTo("https://mimir.example/api/v1/push?tenant=secret-query")
	mimir.Timeout, mimir.Version = 10*time.Second, 2
	mimir.HTTP = config.HTTPClient{
		Username: "me", Password: "hunter2", Headers: map[string]config.Secret{"X-Scope-OrgID": "tenant-7"},
		TLS: config.TLSClient{CAFile: "/ca.pem", ServerName: "x", InsecureSkipVerify: true, MinVersion: "TLS13"},
	}
	mimir.Exemplars, mimir.NativeHistograms, mimir.Metadata, mimir.MetadataInterval = false, false, false, 5*time.Minute
	mimir.OutboxBytes, mimir.OutboxAge = 100<<20, 2*time.Hour
	local := config.RemoteWriteTo("http://127.0.0.1:9090/api/v1/write")
	local.Version, local.HTTP = 1, config.HTTPClient{AuthType: "Bearer", CredentialsFile: "/token"}
	if d := cmp.Diff([]config.RemoteWrite{amp, mimir, local}, c.RemoteWrite, cmpopts.IgnoreFields(config.RemoteWrite{}, "Relabel")); d != "" {
		t.Errorf("remote_write (-want +got):\n%s", d)
	}
	if s := c.RemoteWrite[0].Relabel[0]; !s.Regex.MatchString("go_x") || s.Regex.MatchString("a_go_x") || s.Action != "drop" || s.Separator != ";" || s.Replacement != "$1" {
		t.Errorf("relabel %+v", s)
	}
	node := config.ScrapeJob("node")
	node.Interval, node.Timeout, node.Params = 20*time.Second, 5*time.Second, map[string][]string{"collect": {"cpu", "disk"}}
	node.Targets = []config.TargetGroup{{Targets: []string{"a:9100", "b:9100"}, Labels: narthex.Labels{{Name: "__metrics_path__", Value: "/m"}, {Name: "env", Value: "prod"}}}}
	node.HonorLabels, node.HonorTimestamps, node.BodyLimit, node.SampleLimit, node.LabelLimit = true, false, 10e6, 100, 20
	other := config.ScrapeJob("other")
	other.Interval, other.Timeout, other.HTTP = 5*time.Second, 5*time.Second, config.HTTPClient{AuthType: "Bearer", Credentials: "hunter2"}
	if d := cmp.Diff([]config.ScrapeConfig{node, other}, c.ScrapeConfigs, cmpopts.IgnoreFields(config.ScrapeConfig{}, "Relabel")); d != "" {
		t.Errorf("scrape_configs (-want +got):\n%s", d)
	}
	if s := c.ScrapeConfigs[0].Relabel[0]; s.Separator != "" || s.Replacement != "" || s.Action != "replace" || len(s.SourceLabels) != 2 {
		t.Errorf("relabel %+v", s)
	}
	if !c.Storage.None || c.ExternalLabels.String() != `{cluster="a",region="eu"}` {
		t.Errorf("storage %+v, external labels %s", c.Storage, c.ExternalLabels)
	}
}

// TestSecretsStayInside: nothing that prints a configuration prints a secret.
func TestSecretsStayInside(t *testing.T) {
	c, err := config.Parse("p.yml", []byte(prometheusFile), env)
	if err != nil {
		t.Fatal(err)
	}
	var explained strings.Builder
	if err := c.Explain(&explained); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "http", c.RemoteWrite[1].HTTP, "scrape", c.ScrapeConfigs[1].HTTP)
	for name, text := range map[string]string{"explained": explained.String(), "JSON": string(encoded), "Go": fmt.Sprintf("%#v %+v", c.RemoteWrite[1].HTTP, c.ScrapeConfigs), "log": logged.String()} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "tenant-7") {
			t.Errorf("%s shows a secret: %s", name, text)
		}
	}
	for _, want := range []string{
		"amp at https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write, sigv4 eu-west-1, 1 write_relabel_configs, outbox 1GiB and 24h",
		"mimir.example at https://mimir.example/api/v1/push, basic_auth, remote write 2.0, outbox 100MiB and 2h",
		"node (2 targets every 20s); other (0 targets every 5s)",
		"storage.retention                          none",
		"p.yml:9: remote_write[0].queue_config.capacity has no effect: there is no queue in memory",
		"p.yml:9: remote_write[0].queue_config.retry_on_http_429 has no effect: 429 is always tried again",
		"p.yml:32: scrape_configs[0].enable_http2 has no effect",
	} {
		if !strings.Contains(explained.String(), want) {
			t.Errorf("narthex check does not say %q:\n%s", want, explained.String())
		}
	}
	if strings.Contains(explained.String(), "secret-query") {
		t.Error("narthex check shows a URL's query")
	}
}
