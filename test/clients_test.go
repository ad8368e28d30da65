package test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/common/expfmt"
)

// expectSeries waits until the groups and totals of a job are those.
func expectSeries(t *testing.T, s *server, selector string, want map[string]string) {
	t.Helper()
	var got map[string]string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		got = make(map[string]string)
		for _, r := range query(t, s.url(), selector, time.Time{}) {
			labels := r.Metric
			name := labels["__name__"]
			delete(labels, "__name__")
			delete(labels, "job")
			if strings.HasPrefix(name, "push_") {
				continue
			}
			text, _ := json.Marshal(labels)
			got[name+string(text)] = r.Value.v
		}
		if cmp.Equal(want, got) {
			return
		}
	}
	t.Errorf("%s (-want +got)\n%s", selector, cmp.Diff(want, got))
}

// golang is client_golang's registry with something of each type.
type golang struct {
	*client.Registry
	runs    *client.CounterVec
	last    client.Gauge
	seconds client.Histogram
	size    client.Summary
}

func newGolang() *golang {
	g := &golang{
		Registry: client.NewRegistry(),
		runs:     client.NewCounterVec(client.CounterOpts{Name: "go_runs_total", Help: "Runs."}, []string{"shop"}),
		last:     client.NewGauge(client.GaugeOpts{Name: "go_last"}),
		seconds:  client.NewHistogram(client.HistogramOpts{Name: "go_seconds", Buckets: []float64{0.5, 1}}),
		size:     client.NewSummary(client.SummaryOpts{Name: "go_size"}),
	}
	g.MustRegister(g.runs, g.last, g.seconds, g.size)
	return g
}

func (g *golang) work() {
	g.runs.WithLabelValues("zug").Add(2)
	g.last.Set(7)
	g.seconds.Observe(0.25)
	g.seconds.Observe(4)
	g.size.Observe(3)
}

// series is what the registry has after n rounds of work, the gauge set.
func goSeries(n string, twice string, four, six string) map[string]string {
	return map[string]string{
		`go_runs_total{"shop":"zug"}`:    twice,
		`go_last{}`:                      "7",
		`go_seconds_bucket{"le":"0.5"}`:  n,
		`go_seconds_bucket{"le":"1.0"}`:  n,
		`go_seconds_bucket{"le":"+Inf"}`: twice,
		`go_seconds_count{}`:             twice,
		`go_seconds_sum{}`:               four,
		`go_size_count{}`:                n,
		`go_size_sum{}`:                  six,
	}
}

func TestClientGolang(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	g := newGolang()
	plain := push.New(s.url(), "go-put").Grouping("path", "a/b").Grouping("none", "").Gatherer(g)
	for range 2 { // the second time without a reset: the last totals are there
		g.work()
		do("Push", plain.Push())
	}
	two := goSeries("2", "4", "8.5", "6")
	in := func(m map[string]string, label string) map[string]string {
		out := make(map[string]string)
		for k, v := range m {
			name, rest, _ := strings.Cut(k, "{")
			var labels map[string]string
			json.Unmarshal([]byte("{"+rest), &labels)
			labels["path"] = label
			text, _ := json.Marshal(labels)
			out[name+string(text)] = v
		}
		return out
	}
	expectSeries(t, s, `{job="go-put"}`, in(two, "a/b"))

	one := newGolang()
	one.work()
	extra := client.NewGauge(client.GaugeOpts{Name: "go_extra"})
	extra.Set(1)
	do("Push", push.New(s.url(), "go-add").Collector(extra).Push())
	do("Add", push.New(s.url(), "go-add").Gatherer(one).Format(expfmt.NewFormat(expfmt.TypeTextPlain)).Add())
	want := goSeries("1", "2", "4.25", "3")
	want["go_extra{}"] = "1"
	expectSeries(t, s, `{job="go-add"}`, want)

	do("Delete", plain.Delete())
	expectSeries(t, s, `{job="go-put"}`, map[string]string{})

	// Increments: two processes that push once each.
	for range 2 {
		once := newGolang()
		once.work()
		do("Push to /aggregate", push.New(s.url()+"/aggregate", "go-once").Gatherer(once).Push())
	}
	expectSeries(t, s, `{job="go-once"}`, two)
	// The same registry pushed twice, said to be totals.
	same := newGolang()
	for range 2 {
		same.work()
		do("Push totals", push.New(s.url()+"/aggregate", "go-totals").Gatherer(same).
			Header(http.Header{"X-Narthex-Temporality": {"cumulative"}, "X-Narthex-Source": {"pod-1"}}).Add())
	}
	expectSeries(t, s, `{job="go-totals"}`, two)
	// Not said, each push is added: that is what the receipt warns of.
	wrong := newGolang()
	for range 2 {
		wrong.work()
		do("Push to /aggregate", push.New(s.url()+"/aggregate", "go-wrong").Gatherer(wrong).Push())
	}
	expectSeries(t, s, `{job="go-wrong"}`, goSeries("3", "6", "12.75", "9"))
}

// Native histograms, which client_golang sends as protobuf.
func TestClientGolangNative(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	h := client.NewHistogram(client.HistogramOpts{Name: "go_native", NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 8})
	pusher := push.New(s.url()+"/aggregate", "native").Collector(h).Header(http.Header{"X-Narthex-Temporality": {"cumulative"}, "X-Narthex-Source": {"pod-1"}})
	group := push.New(s.url(), "native-group").Collector(h)
	for i := range 40 { // so many buckets that the client lowers the resolution
		h.Observe(float64(1 + i*i))
		for _, p := range []*push.Pusher{pusher, group} {
			if err := p.Push(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "40 observations", func() bool {
		return s.value(`histogram_count(go_native{job="native"})`) == "40" && s.value(`histogram_sum(go_native{job="native"})`) == "20580" &&
			s.value(`histogram_count(go_native{job="native-group"})`) == "40"
	})
}

func TestClientNode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("clients", "node")
	npmInstall(t, dir)
	s := newServer(t, "scrape_interval: 1s\n")
	cmd := exec.Command("node", "push.mjs", s.url())
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	const want = "push 200\naggregate totals 200\npush 200\naggregate totals 200\npushAdd 200\npush 200\ndelete 202\naggregate 200\naggregate 200\n"
	if err != nil || string(out) != want {
		t.Fatalf("%v\n%s", err, out)
	}
	series := func(labels string, n ...string) map[string]string {
		comma := strings.TrimSuffix(labels+",", ",")
		if labels != "" {
			comma += ","
		}
		return map[string]string{
			`node_runs_total{` + comma + `"shop":"zug"}`:    n[0],
			`node_last{` + labels + `}`:                     "2",
			`node_seconds_bucket{` + comma + `"le":"0.5"}`:  n[1],
			`node_seconds_bucket{` + comma + `"le":"1.0"}`:  n[1],
			`node_seconds_bucket{` + comma + `"le":"+Inf"}`: n[2],
			`node_seconds_count{` + labels + `}`:            n[2],
			`node_seconds_sum{` + labels + `}`:              n[3],
			`node_size{` + comma + `"quantile":"0.5"}`:      "1.5",
			`node_size_count{` + labels + `}`:               n[2],
			`node_size_sum{` + labels + `}`:                 n[0],
		}
	}
	once, twice := []string{"3", "1", "2", "4.25"}, []string{"6", "2", "4", "8.5"}
	expectSeries(t, s, `{job="node a/b"}`, series(`"instance":"i 1"`, once...))
	expectSeries(t, s, `{job="node-totals"}`, series("", once...))
	expectSeries(t, s, `{job="node-add"}`, series("", once...))
	expectSeries(t, s, `{job="node-increments"}`, series("", twice...))
	expectSeries(t, s, `{job="node-gone"}`, map[string]string{})
}

func TestClientCurl(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	curl := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("curl", append([]string{"-sS", "-w", "%{http_code}"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("this test needs curl (apt-get install curl): %v\n%s", err, out)
		}
		return string(out)
	}
	const one = "# TYPE some_metric counter\nsome_metric{label=\"val1\"} 42\n"
	for _, c := range []struct{ got, want string }{
		{curl("some_metric 3.14\n", "--data-binary", "@-", s.url()+"/metrics/job/some_job"), "200"},
		{curl(one, "--data-binary", "@-", s.url()+"/metrics/job/some_job/instance/some_instance"), "400"},
		{curl("", "-X", "DELETE", s.url()+"/metrics/job/some_job"), "202"},
		{curl(one, "--data-binary", "@-", s.url()+"/metrics/job/some_job/instance/some_instance"), "200"},
		{curl(one, "-X", "PUT", "--data-binary", "@-", s.url()+"/aggregate/metrics/job/sum"), "200"},
		{curl(one, "-X", "PUT", "-T", "-", s.url()+"/aggregate/metrics/job/sum"), "200"},
	} {
		if !strings.HasSuffix(c.got, c.want) {
			t.Errorf("curl says %s, want %s", c.got, c.want)
		}
	}
	expectSeries(t, s, `{job="some_job"}`, map[string]string{`some_metric{"instance":"some_instance","label":"val1"}`: "42"})
	expectSeries(t, s, `{job="sum"}`, map[string]string{`some_metric{"label":"val1"}`: "84"})
}
