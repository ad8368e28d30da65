package test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"narthex/config"
	prices "narthex/cost"
)

// costRun runs narthex cost.
func costRun(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), append([]string{"cost"}, args...)...)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// The calculation that narthex began with, line by line: 178,560 requests of 300 ms
// with 128 MB, which is one each 15 s for 31 days. (The published sum says 0.111555
// where the price gives 0.111600.)
func TestCostOfTheArticle(t *testing.T) {
	out, code := costRun(t, strings.Fields("--requests 178560 --duration 300ms --memory 128 --arch x86_64 --no-free-tier")...)
	for _, want := range []string{"178,560 requests", "= $0.035712", "6,696 GB-seconds on x86_64", "x $0.0000166667", "= $0.111600", "total $0.1473"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d: no %q in\n%s", code, want, out)
		}
	}
}

func TestCostCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("narthex.yml", "probes: {every: 30s, targets: [{name: a, target: \"https://a.example\", module: http_2xx}, {name: b, target: \"https://b.example\", module: http_2xx}]}\n")
	lambda := write("lambda.yml", `scrape_interval: 1m
ledger: {state: "dynamodb://narthex/x"}
lambda: {telemetry: false, roles: [probe, tick]}
remote_write: [{url: "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write", sigv4: {region: eu-central-1}}]
probes: {every: 2m, targets: [{name: a, target: "https://a.example", module: http_2xx}, {name: b, target: "https://b.example", module: http_2xx}]}
`)
	elsewhere := write("elsewhere.yml", "remote_write: [{url: \"https://mimir.example/api/v1/push\"}]\n")
	dear := write("dear.json", `{"as_of":"2030-01-01","region":"moon","currency":"USD","prices":{"amp_samples":{"component":"Managed Prometheus","unit":"samples","per":1,"free":0,"tiers":[{"price":1}],"source":"mine"}}}`)
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"--config " + config, "9,417,600 samples", 0}, // 86,400 times two targets of 44 series, five of the round, 16 of the function
		{"--config " + lambda, "2,116,800 samples", 0}, // 43,200 times half of two targets, and five
		{"--config " + lambda, "DynamoDB", 0},
		{"--config " + lambda, "prices of us-east-1", 0},
		{"--config " + elsewhere + " --series 1000 --pushes 1000", "Lambda", 0},
		{"--targets 3 --regions eu-central-1,sa-east-1", "sa-east-1", 0},
		{"--targets 3 --regions eu-central-1,sa-east-1", "by region", 0},
		{"--targets 3 --regions eu-central-1,sa-east-1", "those of us-east-1 stand (--prices FILE gives them): eu-central-1, sa-east-1", 0},
		{"--targets 3 --regions 20", "region 20", 0},
		{"--targets 3 --regions 20,x", "want names such as", 2},
		{"--targets 3 --regions 0", "want names such as", 2},
		{"--series 1 --no-free-tier", "172,800 samples", 0},
		{"--series 1 --prices " + dear, "moon of 2030-01-01", 0},
		{"--targets 3 --mode pull --no-free-tier", "the largest lever", 0},
		{"--targets 3", "push, every 1m0s, regions: 20", 0},
		{"", "there is nothing to pay for", 2},
		{"--requests 5 --arch mips", "want arm64 or x86_64", 2},
		{"--series 1 --prices " + config, "read the prices", 1},
		{"--url http://127.0.0.1:1", "ask the narthex at", 1},
		{"x", "it takes no arguments", 2},
	} {
		out, code := costRun(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("narthex cost %s: %d, want %d and %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}

// The page on scale has what the program reckons.
func TestScalePage(t *testing.T) {
	page, err := os.ReadFile("../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	if out, code := costRun(t, "--scale"); code != 0 || !strings.Contains(string(page), out) {
		t.Errorf("docs/scale.md does not have what narthex cost --scale prints: put this in\n%s", out)
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"--scale --series 30000000 --interval 30s", "| | 30 M, 30 s |\n", 0},
		{"--scale --series 1000000 --json", `"Installations": 1,`, 0},
		{"--scale --pushes 5", "not with --pushes", 2},
		{"--scale --series -1", "want 1 to 10,000,000,000 series", 2},
		{"--scale --prices /nowhere", "/nowhere", 1},
	} {
		if out, code := costRun(t, strings.Fields(c.args)...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("narthex cost %s: %d, want %d and %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}

// Without a price of its own in the configuration the page shows the price file's.
func TestViewerPrices(t *testing.T) {
	p, err := prices.Default()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	for item, got := range map[string]float64{prices.Samples: c.Viewer.PricePerMillionSamples / 1e6, prices.QuerySamples: c.Viewer.PricePerBillionQuerySamples / 1e9} {
		if want := p.Items[item].Tiers[0].Price / p.Items[item].Per; math.Abs(got/want-1) > 1e-9 || c.Viewer.Currency != p.Currency {
			t.Errorf("%s: the viewer begins with %v %s, the price file with %v %s: change config", item, got, c.Viewer.Currency, want, p.Currency)
		}
	}
}

// What a narthex that runs writes is told from what it has counted.
func TestCostLive(t *testing.T) {
	s := newServer(t, "scrape_interval: 1s\n")
	if status, answer := s.post("/api/v1/push", []byte(`{"counters":[{"name":"a_total","add":1}]}`)); status != 200 {
		t.Fatal(status, answer)
	}
	var got struct {
		Total float64
		Lines []struct {
			Item     string
			Quantity float64
		}
	}
	eventually(t, "samples are counted", func() bool {
		out, code := costRun(t, "--url", s.url(), "--json", "--no-free-tier")
		return code == 0 && json.Unmarshal([]byte(out), &got) == nil && got.Total > 0
	})
	for _, l := range got.Lines {
		if l.Item == "amp_samples" && math.Abs(got.Total-l.Quantity/1e7*0.9)/got.Total > 0.5 {
			t.Errorf("%+v", got)
		}
	}
}
