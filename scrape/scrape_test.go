package scrape_test

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/pipeline"
	"narthex/scrape"
)

// program is a target in this process: a transport that answers as it is told.
type program struct {
	mu          sync.Mutex
	status      int
	contentType string
	body        string
	header      http.Header // of the last request
	url         string
	hang        bool
}

func (p *program) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.header, p.url = r.Header.Clone(), r.URL.String()
	if p.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	if p.contentType != "" {
		w.Header().Set("Content-Type", p.contentType)
	}
	w.WriteHeader(p.status)
	w.WriteString(p.body)
	return w.Result(), nil
}

func (p *program) set(status int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body = status, body
}

func (p *program) hangs(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hang = yes
}

// asked returns the address and the header of the last request.
func (p *program) asked() (string, http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url, p.header
}

// recorder is a sink that keeps what it is given.
type recorder struct {
	mu      sync.Mutex
	batches []*narthex.Batch
}

func (s *recorder) Write(_ context.Context, b *narthex.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, b)
	return nil
}

// first returns the first series of the n-th batch.
func (s *recorder) first(n int) narthex.Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches[n].Series[0]
}

// last returns the values of the last scrape by series; stale markers are "end".
func (s *recorder) last() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]any)
	for _, x := range s.batches[len(s.batches)-1].Series {
		v := any(x.Samples[0].Value)
		if math.Float64bits(x.Samples[0].Value) == 0x7ff0000000000002 {
			v = "end"
		}
		if x.Labels.Get("__name__") != "scrape_duration_seconds" {
			out[strings.ReplaceAll(x.Labels.String(), `instance="web:80",job="j"`, "T")] = v
		}
	}
	return out
}

func beat(t *testing.T, change func(*scrape.Job), f func(p *program, s *recorder, scraper *scrape.Scraper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, s := &program{status: 200}, &recorder{}
		job := scrape.Job{Name: "j", Interval: 10 * time.Second, Timeout: 5 * time.Second, Transport: p, Targets: []scrape.Group{{Targets: []string{"web:80"}}}}
		if change != nil {
			change(&job)
		}
		scraper, err := scrape.New(scrape.Options{Jobs: []scrape.Job{job}, Sink: s, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { scraper.Run(ctx); close(done) }()
		f(p, s, scraper)
		cancel()
		<-done
	})
}

// interval lets one scrape happen.
func interval() {
	time.Sleep(10 * time.Second) // of the bubble's clock
	synctest.Wait()
}

func want(t *testing.T, s *recorder, want map[string]any) {
	t.Helper()
	if d := cmp.Diff(want, s.last()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLifeOfSeries(t *testing.T) {
	beat(t, nil, func(p *program, s *recorder, scraper *scrape.Scraper) {
		p.set(200, "a 1\nb{x=\"y\"} 2\nold 3 1000\n")
		interval()
		want(t, s, map[string]any{"a{T}": 1.0, `b{T,x="y"}`: 2.0, "old{T}": 3.0, "up{T}": 1.0,
			"scrape_samples_scraped{T}": 3.0, "scrape_samples_post_metric_relabeling{T}": 3.0, "scrape_series_added{T}": 3.0})
		first := s.first(0).Samples[0].Time
		p.set(200, "a 5\n")
		interval() // old has its own time, so that it has no end
		want(t, s, map[string]any{"a{T}": 5.0, `b{T,x="y"}`: "end", "up{T}": 1.0,
			"scrape_samples_scraped{T}": 1.0, "scrape_samples_post_metric_relabeling{T}": 1.0, "scrape_series_added{T}": 0.0})
		if second := s.first(1).Samples[0].Time; second-first != 10_000 {
			t.Errorf("the beats are at %d and %d", first, second)
		}
		p.set(500, "a 6\n")
		interval()
		down := map[string]any{"a{T}": "end", "up{T}": 0.0, "scrape_samples_scraped{T}": 0.0, "scrape_samples_post_metric_relabeling{T}": 0.0, "scrape_series_added{T}": 0.0}
		want(t, s, down)
		if st := scraper.Targets()[0]; st.Up || st.Err == nil || !strings.Contains(st.Err.Error(), "500") {
			t.Errorf("status %+v", st)
		}
		delete(down, "a{T}")
		p.set(200, "a 1\na{\n")
		interval()
		want(t, s, down)
		p.hangs(true)
		interval()
		want(t, s, down)
		p.hangs(false)
		p.set(200, "a 7\n")
		interval()
		want(t, s, map[string]any{"a{T}": 7.0, "up{T}": 1.0, "scrape_samples_scraped{T}": 1.0, "scrape_samples_post_metric_relabeling{T}": 1.0, "scrape_series_added{T}": 1.0})
		if st := scraper.Targets()[0]; !st.Up || st.Err != nil || st.Samples != 1 {
			t.Errorf("status %+v", st)
		}
	})
}

func anchored(s string) *regexp.Regexp { return regexp.MustCompile("^(?s:" + s + ")$") }

func TestLabels(t *testing.T) {
	const body = "m{job=\"own\",exported_job=\"x\",a=\"1\"} 1\ngone 1\n"
	report := map[string]any{"up{T}": 1.0, "scrape_samples_scraped{T}": 2.0, "scrape_samples_post_metric_relabeling{T}": 1.0, "scrape_series_added{T}": 1.0}
	drop := pipeline.Relabel{SourceLabels: []string{"__name__"}, Regex: anchored("gone"), Action: "drop"}
	for name, c := range map[string]struct {
		honor bool
		want  string
	}{
		"conflicts are exported": {false, `m{a="1",exported_exported_job="own",exported_job="x",T}`},
		"labels are honoured":    {true, `m{a="1",exported_job="x",instance="web:80",job="own"}`},
	} {
		t.Run(name, func(t *testing.T) {
			beat(t, func(j *scrape.Job) { j.HonorLabels, j.MetricRelabel = c.honor, []pipeline.Relabel{drop} }, func(p *program, s *recorder, _ *scrape.Scraper) {
				p.set(200, body)
				interval()
				report[c.want] = 1.0
				want(t, s, report)
				delete(report, c.want)
			})
		})
	}
}

func TestLimits(t *testing.T) {
	down := func(scraped, kept float64) map[string]any {
		return map[string]any{"up{T}": 0.0, "scrape_samples_scraped{T}": scraped, "scrape_samples_post_metric_relabeling{T}": kept, "scrape_series_added{T}": 0.0}
	}
	for name, c := range map[string]struct {
		change func(*scrape.Job)
		want   map[string]any
	}{
		"samples": {func(j *scrape.Job) { j.SampleLimit = 2 }, down(3, 3)},
		"body":    {func(j *scrape.Job) { j.BodyLimit = 5 }, down(0, 0)},
		"labels":  {func(j *scrape.Job) { j.LabelLimit = 3 }, down(3, 0)},
		"names":   {func(j *scrape.Job) { j.LabelNameLimit = 5 }, down(3, 0)},
		"values":  {func(j *scrape.Job) { j.LabelLength = 4 }, down(3, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			beat(t, c.change, func(p *program, s *recorder, scraper *scrape.Scraper) {
				p.set(200, "a{long=\"value\"} 1\nb 2\nc 3\n")
				interval()
				want(t, s, c.want)
				if scraper.Targets()[0].Err == nil {
					t.Error("no error")
				}
			})
		})
	}
}

func TestRequest(t *testing.T) {
	beat(t, func(j *scrape.Job) {
		j.Params = map[string][]string{"module": {"a", "b"}}
		j.Scheme, j.Path = "https", "/probe"
		j.Targets = []scrape.Group{{Targets: []string{"example.com"}, Labels: narthex.Labels{{Name: "env", Value: "prod"}}}}
		j.Relabel = []pipeline.Relabel{
			{SourceLabels: []string{"__address__"}, Regex: anchored("(.*)"), TargetLabel: "__param_target", Replacement: "$1", Action: "replace"},
			{SourceLabels: []string{"__param_target"}, Regex: anchored("(.*)"), TargetLabel: "instance", Replacement: "$1", Action: "replace"},
			{Regex: anchored("(.*)"), TargetLabel: "__address__", Replacement: "127.0.0.1:9115", Action: "replace"},
		}
	}, func(p *program, s *recorder, scraper *scrape.Scraper) {
		p.set(200, "a 1\n")
		interval()
		asked, header := p.asked()
		if want := "https://127.0.0.1:9115/probe?module=a&module=b&target=example.com"; asked != want {
			t.Errorf("asked %s, want %s", asked, want)
		}
		if got := s.first(0).Labels.String(); got != `a{env="prod",instance="example.com",job="j"}` {
			t.Errorf("got %s", got)
		}
		if header.Get("X-Prometheus-Scrape-Timeout-Seconds") != "5" || !strings.HasPrefix(header.Get("Accept"), "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,") {
			t.Errorf("header %v", header)
		}
	})
}

func TestTargetsThatAreNot(t *testing.T) {
	job := scrape.Job{Name: "j", Interval: time.Second, Timeout: time.Second, Targets: []scrape.Group{{Targets: []string{"a:1", "b:1", "a:1"}}},
		Relabel: []pipeline.Relabel{{SourceLabels: []string{"__address__"}, Regex: anchored("b.*"), Action: "drop"}}}
	s, err := scrape.New(scrape.Options{Jobs: []scrape.Job{job}})
	if err != nil || len(s.Targets()) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	job.Relabel = []pipeline.Relabel{{Regex: anchored("__address__"), Action: "labeldrop"}}
	if _, err := scrape.New(scrape.Options{Jobs: []scrape.Job{job}}); err == nil || !strings.Contains(err.Error(), "want host:port") {
		t.Errorf("no address: %v", err)
	}
}
