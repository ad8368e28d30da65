package config_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"narthex"
	"narthex/config"
	"narthex/internal/golden"
)

// TestBadFiles holds the errors of each testdata/bad/*.yml against the .want
// file beside it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse(filepath.Base(file), data, nil)
			if err == nil || c != nil {
				t.Fatalf("got %v, %v", c, err)
			}
			golden.Check(t, strings.TrimSuffix(file, ".yml")+".want", err.Error()+"\n")
		})
	}
}

func TestFull(t *testing.T) {
	got, err := config.ReadFile("testdata/full.yml", config.Input{})
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Listen: "[::1]:9092", Data: "/var/lib/narthex", ScrapeInterval: time.Second,
		Storage: config.Storage{Retention: 90 * 24 * time.Hour, OutOfOrderTimeWindow: 0},
		Ledger: config.Ledger{
			Settle: 30 * time.Second, Heartbeat: 90 * time.Second, Idle: 90 * time.Minute,
			Forget: 7 * 24 * time.Hour, Horizon: 36 * time.Hour, State: "dynamodb://table/prefix",
		},
		Push: config.Push{Preset: "article", EMF: config.EMF{Namespace: "prefix", Buckets: "default", Unitless: "histogram"}},
		Limits: config.Limits{
			Body: 1e6, LabelsPerSeries: 2, LabelNameLength: 3, LabelValueLength: 4, Series: 5,
			SenderLimits: config.SenderLimits{
				SeriesPerPush: 1, SeriesPerSource: 6, SeriesPerIdentity: 7, PushesPerSecond: 8.5, SamplesPerSecond: 9,
				SourcePushesPerSecond: 10, SourceSamplesPerSecond: 11, Burst: time.Minute,
			},
			SourceLabel: "app", Overflow: config.Overflow{Action: "other", Labels: []string{"route", "user"}},
			Identities: map[string]config.SenderLimits{"ci": {
				SeriesPerPush: 2, SeriesPerSource: -1, SeriesPerIdentity: 0, PushesPerSecond: -1, SamplesPerSecond: 3,
				SourcePushesPerSecond: -1, SourceSamplesPerSecond: -1,
			}},
		},
		OTLP: config.OTLP{
			TranslationStrategy: "NoTranslation", PromoteResourceAttributes: []string{"host.name", "cloud.region"},
			KeepIdentifyingResourceAttributes: true, PromoteScopeMetadata: true, ConvertHistogramsToNHCB: true,
		},
		ModulesFile: "blackbox.yml",
		Probes: config.Probes{
			Every: 15 * time.Second, Timeout: 5 * time.Second, Region: "us-west-2", Job: "checks", Concurrency: 7,
			Guard:          config.Guard{Loopback: true, Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Deny: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32")}},
			AllowedTargets: []string{"https://*.example/*"},
			Targets: []config.ProbeTarget{
				{Name: "shop", Target: "https://shop.example", Module: "web", Hostname: "www", Every: 30 * time.Second, Timeout: 3 * time.Second,
					Labels: narthex.Labels{{Name: "team", Value: "shop"}}, Regions: []string{"eu-west-1"}, Line: 47},
				{Name: "tcp.example:443", Target: "tcp.example:443", Module: "http_2xx", Every: 15 * time.Second, Timeout: 5 * time.Second, Line: 48},
			},
		},
		Viewer: config.Viewer{PricePerMillionSamples: 0.2, Currency: "CHF", SignIn: config.SignIn{Scopes: []string{"email", "profile"}, Session: 12 * time.Hour}},
		Lambda: config.Lambda{
			Roles: []string{"push", "fold"}, Mode: "queue", Queue: "https://sqs.eu-central-1.amazonaws.com/1/pushes", Bodies: "s3://bucket/bodies",
			ScheduleQueue: "https://sqs.eu-central-1.amazonaws.com/1/ticks", Groups: 4,
			Relay: config.Relay{URL: "https://narthex.example", Authorization: "ssm:/narthex/relay"}, AllowUnauthenticated: true,
		},
		UTF8Names: true,
		Hosts:     []string{"narthex.example", "10.0.0.1", "fd00::1"},
	}
	opts := cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmpopts.IgnoreUnexported(config.Config{}), cmpopts.IgnoreFields(config.Push{}, "Rules")}
	if d := cmp.Diff(want, got, opts); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var rules []string
	for _, r := range got.Rules() {
		rules = append(rules, r.String())
	}
	wantRules := []string{`{__name__=~"jobs_.*",env=~"a|b"} as delta`, `{__name__=~"queue"} as gauge`, `{__name__=~".*_total"} as delta`}
	if d := cmp.Diff(wantRules, rules); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
	env := got.Push.Rules[0].Match["env"]
	for value, match := range map[string]bool{"a": true, "b": true, "ab": false, "xb": false, "": false} {
		if env.MatchString(value) != match {
			t.Errorf("env %q matches: %v", value, !match)
		}
	}
}

func TestEmptyIsDefault(t *testing.T) {
	for _, text := range []string{"", "# only a comment\n", "---\n", "null\n", "{}", "ledger:\npush: {}\n", "push: {preset: \"\", rules: []}"} {
		got, err := config.Parse("x.yml", []byte(text), nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d := cmp.Diff(config.Default(), got, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
		if len(got.Rules()) != 0 {
			t.Errorf("%q: got rules", text)
		}
	}
}

// TestDefaultIsValid writes the default as a file and reads it again: it must
// keep to its own limits, and each value must be readable as it is shown.
func TestDefaultIsValid(t *testing.T) {
	const text = `
listen: 127.0.0.1:9091
data: ./narthex-data
scrape_interval: 15s
storage: {retention: 30d, out_of_order_time_window: 1h}
external_labels: {}
remote_write: []
query: []
scrape_configs: []
logs: []
modules_file: ""
modules: {}
probes: {every: 1m, timeout: 10s, region: "", job: probe, concurrency: 100, guard: {private: true, loopback: true, allow: [], deny: []}, allowed_targets: [], targets: []}
ledger: {settle: 5m, heartbeat: 2m, idle: 1h, forget: 30d, horizon: 24h, state: ""}
push: {preset: "", rules: [], group_ttl: [], time: [], emf: {namespace: label, buckets: native, unitless: gauge}}
otlp: {translation_strategy: UnderscoreEscapingWithSuffixes, promote_resource_attributes: [], keep_identifying_resource_attributes: false, promote_scope_metadata: false,
  convert_histograms_to_nhcb: false}
histograms: {}
limits: {body: 10MiB, series_per_push: 10000, labels_per_series: 150, label_name_length: 128, label_value_length: 2048, series: 1000000,
  series_per_source: 50000, series_per_identity: 1000000, source_label: service, pushes_per_second: 0, samples_per_second: 0,
  source_pushes_per_second: 0, source_samples_per_second: 0, burst: 10s, overflow: {action: reject, labels: []}, identities: {}}
utf8_names: false
hosts: []
web_config_file: ""
auth: {tokens: [], users: {}, oidc: [], gateway: []}
viewer: {price_per_million_samples: 0.09, price_per_billion_query_samples: 0.1, currency: USD, external_url: "",
  sign_in: {issuer: "", client_id: "", client_secret: "", scopes: [email, profile], session: 12h, keys: [], ca_file: ""}}
lambda: {roles: [], mode: "", queue: "", bodies: "", schedule_queue: "", groups: 1, relay: {url: "", authorization: ""}, allow_unauthenticated: false, telemetry: true}
`
	got, err := config.Parse("x.yml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(config.Default(), got, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-default +file):\n%s", d)
	}
	var b strings.Builder
	if err := got.Explain(&b); err != nil || strings.Contains(b.String(), "default") {
		t.Errorf("the file above does not set all there is: %v\n%s", err, b.String())
	}
}

func TestArticle(t *testing.T) {
	c, err := config.Parse("x.yml", []byte("push: {preset: article}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := c.Rules()
	if len(rules) != 1 || rules[0].As != narthex.AsDelta {
		t.Fatalf("got %v", rules)
	}
	re := rules[0].Match["__name__"]
	for name, match := range map[string]bool{"a_total": true, "_total": true, "total": false, "a_total_b": false} {
		if re.MatchString(name) != match {
			t.Errorf("%s matches: %v", name, !match)
		}
	}
}

func TestExplain(t *testing.T) {
	var b strings.Builder
	c, err := config.Parse("narthex.yml", []byte("scrape_interval: 5s\nledger:\n  idle: 2h\npush:\n  rules: [{match: {job: a.*}, as: gauge}]\n  group_ttl: [{match: {job: nightly}, ttl: 26h}]\nhistograms: {fine: \"1ms..20ms/1ms, 0.5\", n: native}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Explain(&b); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/explain.want", b.String())
	b.Reset()
	if err := config.Default().Explain(&b); err != nil || strings.Contains(b.String(), ":0") {
		t.Errorf("the default: %v\n%s", err, b.String())
	}
}

func TestExplainFailure(t *testing.T) {
	if err := config.Default().Explain(broken{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestReference(t *testing.T) { golden.Check(t, "testdata/reference.want", config.Reference()) }

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.ReadFile(filepath.Join(dir, "none.yml"), config.Input{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, err := config.ReadFile(dir, config.Input{}); err == nil || !strings.Contains(err.Error(), "read the configuration") {
		t.Errorf("a directory: got %v", err)
	}
	big := filepath.Join(dir, "big.yml")
	if err := os.WriteFile(big, []byte(strings.Repeat("#\n", 600000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.ReadFile(big, config.Input{}); err == nil || err.Error() != big+": the file is larger than 1MiB" {
		t.Errorf("a large file: got %v", err)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	_, err := config.Parse("x.yml", []byte("\nlisten: 1\n"), nil)
	var e *config.Error
	if !errors.As(err, &e) || e.File != "x.yml" || e.Line != 2 {
		t.Errorf("got %#v", e)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	_, err := config.Parse("x.yml", []byte(strings.Repeat("? [a]\n: 1\n", 500)), nil)
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 51 || lines[50] != "x.yml: 450 more errors" {
		t.Errorf("got %d lines, the last one %s", len(lines), lines[len(lines)-1])
	}
}
