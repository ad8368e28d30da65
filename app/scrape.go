package app

import (
	"fmt"
	"net/http"

	"narthex/config"
	"narthex/internal/reply"
	"narthex/scrape"
)

// newScraper returns what scrapes the configuration's targets. Their samples go
// where those go that are pushed with times of their own, past the limits that
// bound senders: a job has limits of its own.
func (a *App) newScraper() (*scrape.Scraper, error) {
	o := scrape.Options{Sink: a.foreign(), UserAgent: "narthex/" + a.o.Version, Logger: a.o.Logger, Now: a.o.Now}
	for _, c := range a.o.Config.ScrapeConfigs {
		carrier, err := transport(c.HTTP)
		if err != nil {
			return nil, fmt.Errorf("scrape_configs: job %s: %w", c.Job, err)
		}
		o.Jobs = append(o.Jobs, job(c, carrier))
	}
	s, err := scrape.New(o)
	if err != nil {
		return nil, fmt.Errorf("scrape_configs: %w", err)
	}
	if len(o.Jobs) > 0 {
		s.Register(&a.stats)
	}
	return s, nil
}

// job is a configured job in the words of scrape.
func job(c config.ScrapeConfig, carrier http.RoundTripper) scrape.Job {
	j := scrape.Job{
		Name: c.Job, Interval: c.Interval, Timeout: c.Timeout, Scheme: c.Scheme, Path: c.Path, Params: c.Params,
		Transport: carrier, FollowRedirects: c.FollowRedirects,
		HonorLabels: c.HonorLabels, OwnTimes: !c.HonorTimestamps, Plain: !c.Compression, NativeHistograms: c.NativeHistograms,
		Relabel: relabelling(c.Relabel), MetricRelabel: relabelling(c.MetricRelabel),
		BodyLimit: c.BodyLimit, SampleLimit: c.SampleLimit, LabelLimit: c.LabelLimit, LabelNameLimit: c.LabelNameLengthLimit, LabelLength: c.LabelValueLength,
	}
	for _, g := range c.Targets {
		j.Targets = append(j.Targets, scrape.Group(g))
	}
	return j
}

// targets is GET /api/v1/targets, with the fields of Prometheus's answer.
func (a *App) targets(w http.ResponseWriter, _ *http.Request) {
	type targetStatus struct {
		Labels    map[string]string `json:"labels"`
		Pool      string            `json:"scrapePool"`
		URL       string            `json:"scrapeUrl"`
		LastError string            `json:"lastError"`
		Last      string            `json:"lastScrape"`
		Duration  float64           `json:"lastScrapeDuration"`
		Health    string            `json:"health"`
	}
	type data struct {
		Active  []targetStatus `json:"activeTargets"`
		Dropped []targetStatus `json:"droppedTargets"`
	}
	type answer struct {
		Status string `json:"status"`
		Data   data   `json:"data"`
	}
	out := answer{"success", data{[]targetStatus{}, []targetStatus{}}}
	for _, t := range a.scraper.Targets() {
		s := targetStatus{Labels: make(map[string]string), Pool: t.Job, URL: t.URL, Last: stamp(t.Last), Duration: t.Duration.Seconds(), Health: "unknown"}
		for _, l := range t.Labels {
			s.Labels[l.Name] = l.Value
		}
		switch {
		case t.Err != nil:
			s.Health, s.LastError = "down", t.Err.Error()
		case t.Up:
			s.Health = "up"
		}
		out.Data.Active = append(out.Data.Active, s)
	}
	reply.JSON(w, http.StatusOK, out)
}

// noStore answers what only an embedded store could.
func noStore(w http.ResponseWriter, _ *http.Request) {
	reply.Error(w, http.StatusNotFound, "not_found", "this narthex keeps no samples (storage: none), so it answers no queries and shows no page: ask where remote_write sends them, which GET /api/v1/status/destinations lists")
}
