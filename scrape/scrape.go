// Package scrape reads what long-lived programs expose of their metrics, as
// Prometheus does: static targets, each on its own steady beat, and for each
// scrape the series up, scrape_duration_seconds, scrape_samples_scraped,
// scrape_samples_post_metric_relabeling and scrape_series_added.
//
//	s, err := scrape.New(scrape.Options{Sink: sink, Jobs: []scrape.Job{{
//		Name: "shop", Interval: 15 * time.Second, Timeout: 10 * time.Second,
//		Targets: []scrape.Group{{Targets: []string{"127.0.0.1:8080"}}},
//	}}})
//	...
//	s.Run(ctx)
//
// A scrape is one batch of samples with times of their own. A series that a
// target no longer has, and all of them when a scrape fails, end with a stale
// marker; those whose times the target gives do not, as with Prometheus.
//
// Differences from Prometheus: start timestamps (OpenMetrics' _created) are those
// of their series and no series of their own; the parser is that of package
// openmetrics, which refuses what the formats forbid.
package scrape

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
	"narthex/internal/stats"
	"narthex/pipeline"
)

// Options are a Scraper's parts.
type Options struct {
	Jobs []Job
	// Sink takes the samples.
	Sink narthex.Sink
	// UserAgent is sent to the targets; default narthex.
	UserAgent string
	Logger    *slog.Logger     // nil means slog.Default()
	Now       func() time.Time // nil means time.Now
}

// Job is a set of targets and how to scrape them. The fields are those of
// Prometheus's scrape_config.
type Job struct {
	Name string
	// Interval and Timeout are how often, and how long a scrape may take.
	Interval, Timeout time.Duration
	// Scheme and Path are where; default http and /metrics.
	Scheme, Path string
	Params       url.Values
	// Transport carries the requests, with what authenticates them; nil means
	// http.DefaultTransport.
	Transport       http.RoundTripper
	FollowRedirects bool
	Targets         []Group
	// HonorLabels keeps labels of the target where the job has them too;
	// otherwise the target's become exported_….
	HonorLabels bool
	// OwnTimes stamps all samples with the scrape's time, whatever the target says.
	OwnTimes bool
	// Plain does not ask for compression.
	Plain bool
	// NativeHistograms asks for the protobuf format first and keeps them; otherwise
	// a histogram that is both is kept as the classic one.
	NativeHistograms bool
	// Relabel is for targets, MetricRelabel for their series.
	Relabel, MetricRelabel []pipeline.Relabel
	// A scrape that passes a limit fails. 0 is no limit, of the body 256 MiB.
	BodyLimit                                            int64
	SampleLimit, LabelLimit, LabelNameLimit, LabelLength int
}

// Group is a list of targets, host:port, with the labels that they share.
type Group struct {
	Targets []string
	Labels  narthex.Labels
}

// Scraper scrapes targets.
type Scraper struct {
	o       Options
	targets []*target

	scrapes, failures, lost atomic.Uint64
}

// New returns a scraper. It does not touch the network.
func New(o Options) (*Scraper, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.UserAgent == "" {
		o.UserAgent = "narthex"
	}
	s := &Scraper{o: o}
	seen := make(map[string]bool)
	for i := range o.Jobs {
		job := &o.Jobs[i]
		client := &http.Client{Transport: job.Transport}
		if !job.FollowRedirects {
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		}
		for _, g := range job.Targets {
			for _, address := range g.Targets {
				t, err := newTarget(job, address, g.Labels)
				if err != nil {
					return nil, fmt.Errorf("scrape %s of job %s: %w", address, job.Name, err)
				}
				if t == nil || seen[t.key] { // dropped by relabelling, or there already
					continue
				}
				seen[t.key] = true
				t.scraper, t.client = s, client
				s.targets = append(s.targets, t)
			}
		}
	}
	return s, nil
}

// Run scrapes until ctx ends, and returns once the scrapes under way have ended
// too. A target's beat depends on its labels, so that the targets are spread over
// the interval and keep their places after a restart.
func (s *Scraper) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, t := range s.targets {
		all.Go(func() { t.run(ctx) })
	}
	all.Wait()
}

// run scrapes the target at each of its beats.
func (t *target) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		now := t.scraper.o.Now()
		next := t.next(now)
		timer.Reset(next.Sub(now))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		at := t.scraper.o.Now()
		if d := at.Sub(next); d >= -tolerance && d <= min(tolerance, t.interval/100) {
			at = next // even distances compress better
		}
		t.scrape(ctx, at)
	}
}

// tolerance is how far from its beat a scrape may begin to be stamped with it.
const tolerance = 2 * time.Millisecond

// next returns the target's first beat after now.
func (t *target) next(now time.Time) time.Time {
	interval := t.interval.Nanoseconds()
	offset := int64(t.hash % uint64(interval))
	wait := (offset - now.UnixNano()%interval + interval) % interval
	if wait == 0 {
		wait = interval
	}
	return now.Add(time.Duration(wait))
}

// Status is what is known of a target.
type Status struct {
	Job, URL string
	Labels   narthex.Labels
	// Up is whether the last scrape succeeded; Err why it did not. Before the first
	// one Last is zero.
	Up       bool
	Err      error
	Last     time.Time
	Duration time.Duration
	Samples  int
}

// Targets returns the targets, in the order of the configuration.
func (s *Scraper) Targets() []Status {
	out := make([]Status, len(s.targets))
	for i, t := range s.targets {
		t.mu.Lock()
		out[i] = t.status
		t.mu.Unlock()
	}
	return out
}

// Register names the scraper's metrics.
func (s *Scraper) Register(set *stats.Set) {
	set.GaugeFunc("narthex_scrape_targets", "Targets that are scraped.", func() float64 { return float64(len(s.targets)) })
	set.CounterFunc("narthex_scrapes_total", "Scrapes of targets.", s.scrapes.Load)
	set.CounterFunc("narthex_scrape_failures_total", "Scrapes that failed: their targets are down, or pass a limit.", s.failures.Load)
	set.CounterFunc("narthex_scrape_lost_total", "Scrapes whose samples could not be kept.", s.lost.Load)
}

// errSamples says that a limit was passed.
var errSamples = errors.New("it has more samples than sample_limit allows")
