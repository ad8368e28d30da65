package probe_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/internal/golden"
	"narthex/probe"
)

// promtool runs Prometheus's tool in a directory with the files.
func promtool(t *testing.T, files map[string]string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func ruleTarget(name, address string, every time.Duration, regions ...string) probe.RuleTarget {
	return probe.RuleTarget{Target: probe.Target{Name: name, Target: address, Module: "http_2xx", Every: every, Timeout: 4 * time.Second}, Regions: regions}
}

func writtenRules(t *testing.T, targets ...probe.RuleTarget) string {
	t.Helper()
	var b bytes.Buffer
	if err := probe.WriteRules(&b, probe.RuleOptions{Targets: targets}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRules has promtool run the rules over series of an hour.
func TestRules(t *testing.T) {
	rules := writtenRules(t,
		ruleTarget("shop", "https://shop.example/a?b=(c)|d", 15*time.Second, "us", "eu", "ap"),
		ruleTarget("a|b.c", "https://x.example", time.Minute),
		ruleTarget("gone", "https://gone.example", time.Minute, "us", "eu"),
	)
	const test = `
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - name: one of three regions is no quorum, two are
    interval: 15s
    input_series:
      - {series: 'probe_success{job="probe",name="shop",instance="i",module="m",region="us"}', values: '1x40 0x40'}
      - {series: 'probe_success{job="probe",name="shop",instance="i",module="m",region="eu"}', values: '1x20 0x20 1x20 0x20'}
      - {series: 'probe_success{job="probe",name="shop",instance="i",module="m",region="ap"}', values: '1x100'}
    alert_rule_test:
      - {eval_time: 8m, alertname: ProbeDown}
      - eval_time: 18m
        alertname: ProbeDown
        exp_alerts: [{exp_labels: {severity: critical, every: 15s, job: probe, name: shop, instance: i, module: m}, exp_annotations: &down {summary: shop is down,
          description: "i (m) has failed for 43s in more than half of the regions: 33.33% of them say that it is up. probe_failure_info tells where and why."}}]
  - name: a single failure is no alert
    interval: 15s
    input_series:
      - {series: 'probe_success{job="probe",name="shop",instance="i",module="m"}', values: '1x10 0 1 1 0 1x20'}
    alert_rule_test:
      - {eval_time: 2m45s, alertname: ProbeDown}
      - {eval_time: 3m30s, alertname: ProbeDown}
  - name: a name with signs of regular expressions
    interval: 1m
    input_series:
      - {series: 'probe_success{job="probe",name="a|b.c",instance="i",module="m"}', values: '0x20'}
      - {series: 'probe_success{job="probe",name="a",instance="i",module="m"}', values: '0x20'}
    alert_rule_test:
      - eval_time: 10m
        alertname: ProbeDown
        exp_alerts: [{exp_labels: {severity: critical, every: 1m, job: probe, name: a|b.c, instance: i, module: m}, exp_annotations: {summary: a|b.c is down,
          description: "i (m) has failed for 155s in more than half of the regions: 0% of them say that it is up. probe_failure_info tells where and why."}}]
  - name: not probed in a region
    interval: 1m
    input_series:
      - {series: 'probe_success{job="probe",name="gone",instance="https://gone.example",module="http_2xx",region="us"}', values: '1x30'}
      - {series: 'probe_success{job="probe",name="gone",instance="https://gone.example",module="http_2xx",region="eu"}', values: '1x10'}
      - {series: 'probe_success{job="probe",name="shop",instance="https://shop.example/a?b=(c)|d",module="http_2xx",region="us"}', values: '1x30'}
      - {series: 'probe_success{job="probe",name="shop",instance="https://shop.example/a?b=(c)|d",module="http_2xx",region="eu"}', values: '1x30'}
      - {series: 'probe_success{job="probe",name="shop",instance="https://shop.example/a?b=(c)|d",module="http_2xx",region="ap"}', values: '1x30'}
      - {series: 'probe_success{job="probe",name="a|b.c",instance="https://x.example",module="http_2xx"}', values: '1x30'}
    alert_rule_test:
      - {eval_time: 11m, alertname: ProbeDidNotRun}
      - eval_time: 20m
        alertname: ProbeDidNotRun
        exp_alerts: [{exp_labels: {severity: critical, job: probe, name: gone, instance: 'https://gone.example', module: http_2xx, region: eu}, exp_annotations: {summary: gone is not probed in eu,
          description: "There was no result for 210s: whether it is up is not known. Look at what should probe it, and at the way from there to this store."}}]
  - name: certificates
    interval: 1m
    input_series:
      - {series: 'probe_ssl_earliest_cert_expiry{job="probe",name="shop",instance="i",module="m",region="us"}', values: '864000x30'}
      - {series: 'probe_ssl_earliest_cert_expiry{job="probe",name="shop",instance="i",module="m",region="eu"}', values: '8640000x30'}
    alert_rule_test:
      - eval_time: 20m
        alertname: ProbeCertificateExpires
        exp_alerts: [{exp_labels: {severity: warning, job: probe, name: shop, instance: i, module: m}, exp_annotations: {summary: The certificate of shop expires in less than 14 days,
          description: "i: 9d 23h 40m 0s are left."}}]
  - name: slow, unless its runner is
    interval: 15s
    input_series:
      - {series: 'probe_duration_seconds{job="probe",name="shop",instance="i",module="m",region="us"}', values: '3x200'}
      - {series: 'probe_duration_seconds{job="probe",name="shop",instance="i",module="m",region="eu"}', values: '2.5x200'}
      - {series: 'probe_duration_seconds{job="probe",name="gone",instance="i",module="m",region="eu"}', values: '3x200'}
      - {series: 'narthex_runner_throttled{job="probe",name="gone",instance="i",module="m",region="eu"}', values: '1x200'}
      - {series: 'narthex_runner_throttled{job="probe",name="shop",instance="i",module="m",region="eu"}', values: '0x200'}
    alert_rule_test:
      - eval_time: 25m
        alertname: ProbeSlow
        exp_alerts: [{exp_labels: {severity: warning, limit: 2s, job: probe, name: shop, instance: i, module: m}, exp_annotations: {summary: shop is slow,
          description: "i took 2.5s on average over 10m, wherever it is looked at from."}}]
  - name: due and not made
    interval: 1m
    input_series:
      - {series: 'probe_scheduled_total{job="probe",name="shop",instance="i",module="m"}', values: '0+4x80'}
      - {series: 'probe_all_success_count{job="probe",name="shop",instance="i",module="m"}', values: '0+1x80'}
      - {series: 'probe_scheduled_total{job="probe",name="gone",instance="i",module="m"}', values: '0+4x80'}
      - {series: 'probe_all_success_count{job="probe",name="gone",instance="i",module="m"}', values: '0+4x80'}
    alert_rule_test:
      - eval_time: 60m
        alertname: ProbeNotMade
        exp_alerts: [{exp_labels: {severity: warning, job: probe, name: shop, instance: i, module: m}, exp_annotations: {summary: shop is not probed as often as it should be,
          description: "75% of the probes that were due within 30m were not made: the runner is too busy, or its round is called less often than the target's interval."}}]
`
	files := map[string]string{"rules.yml": rules, "test.yml": test}
	if out, err := promtool(t, files, "check", "rules", "rules.yml"); err != nil || strings.Contains(out, "FAILED") {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	if out, err := promtool(t, files, "test", "rules", "test.yml"); err != nil {
		t.Errorf("promtool test rules: %v\n%s\n%s", err, out, rules)
	}
}

// TestManyTargets are counted, not listed.
func TestManyTargets(t *testing.T) {
	var targets []probe.RuleTarget
	for range 300 {
		targets = append(targets, ruleTarget("t", "https://t.example", time.Minute, "us", "eu"))
	}
	rules := writtenRules(t, targets...)
	if !strings.Contains(rules, "< 600") || len(rules) > 20000 {
		t.Errorf("%d bytes of rules:\n%.3000s", len(rules), rules)
	}
	if out, err := promtool(t, map[string]string{"rules.yml": rules}, "check", "rules", "rules.yml"); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

func TestScrapeConfigs(t *testing.T) {
	for name, c := range map[string]probe.ScrapeConfig{
		"discovery": {},
		"targets":   {Targets: []string{"https://shop.example", "https://a.example/?b=c"}, Module: "web"},
		"regions": {TokenFile: "token", At: []probe.Place{
			{Region: "us-west-2", URL: "https://a.lambda-url.us-west-2.on.aws/"}, {Region: "eu-west-1", URL: "https://narthex.example:9443"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := probe.WriteScrapeConfig(&b, c); err != nil {
				t.Fatal(err)
			}
			if out, err := promtool(t, map[string]string{"p.yml": b.String(), "token": "x"}, "check", "config", "p.yml"); err != nil {
				t.Errorf("%v: %s\n%s", err, out, b.String())
			}
			golden.Check(t, "testdata/scrape-"+name+".want", b.String())
		})
	}
	for _, at := range [][]probe.Place{{{URL: "narthex.example"}}, {{URL: "https://a/b"}}, {{Region: "x", URL: "http://a"}, {Region: "x", URL: "http://b"}}} {
		if err := probe.WriteScrapeConfig(new(bytes.Buffer), probe.ScrapeConfig{At: at}); err == nil {
			t.Errorf("%v was taken", at)
		}
	}
}
