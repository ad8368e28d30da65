package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/config"
	"narthex/emf"
	"narthex/internal/aws"
	"narthex/internal/reply"
	"narthex/logs"
	"narthex/state"
)

// logSource is a configured place of access logs.
type logSource struct {
	config config.LogSource
	run    func(ctx context.Context, interval time.Duration)
}

// LogOptions returns what a configured source makes of logs.
func LogOptions(c *config.Config, s config.LogSource) accesslog.Options {
	o := accesslog.Options{
		Format: s.Format, Fields: s.Fields, Delimiter: s.Delimiter, Mapping: s.Mapping, Preset: s.Preset,
		Routes: s.Routes, Learn: s.Learn, SamplingRate: s.SamplingRate, MaxSeries: s.MaxSeries, Layouts: c.Histograms,
	}
	events := emfOptions(c)
	o.EMF = func(line []byte) ([]narthex.Series, error) { return emf.Parse(line, events) }
	for _, m := range s.Metrics {
		x := accesslog.Metric{Name: m.Name, Of: m.Of, Buckets: m.Buckets, Help: m.Help}
		for _, l := range m.Labels {
			x.Labels = append(x.Labels, accesslog.Label(l))
		}
		o.Metrics = append(o.Metrics, x)
	}
	return o
}

// SourceOptions returns the options of a configured source, but for where its
// increments go.
func SourceOptions(c *config.Config, s config.LogSource) logs.Options {
	o := logs.Options{Name: s.Source, Log: LogOptions(c, s), Labels: s.Labels}
	if s.EventTime {
		o.Lateness = s.Lateness
	}
	return o
}

// newLogs opens the configured sources of access logs. Their increments go to
// the ledger past the limits that bound senders: logs have bounds of their own.
func (a *App) newLogs(ctx context.Context) error {
	c := a.o.Config
	if len(c.Logs) == 0 {
		return nil
	}
	keep, err := state.OpenFile(filepath.Join(c.Data, "state"))
	if err != nil {
		return err
	}
	a.logStats = logs.NewStats(&a.stats)
	for _, s := range c.Logs {
		o := SourceOptions(c, s)
		o.Sink, o.Keep, o.Stats, o.Logger, o.Now = a.ledger, keep, a.logStats, a.o.Logger, a.o.Now
		o.Known = func(_ context.Context, identity, id string) (bool, error) {
			_, known := a.ledger.Lookup(identity, id)
			return known, nil
		}
		source, err := logs.New(ctx, o)
		if err != nil {
			return fmt.Errorf("logs: %w", err)
		}
		run, err := follow(ctx, source, s, a.o.Logger)
		if err != nil {
			return fmt.Errorf("logs: %s: %w", s.Source, err)
		}
		a.logSources = append(a.logSources, logSource{s, run})
	}
	return nil
}

// follow returns what reads the source's logs until its context ends.
func follow(ctx context.Context, s *logs.Source, c config.LogSource, log *slog.Logger) (func(context.Context, time.Duration), error) {
	if _, _, ok := logs.ParseS3(c.From); ok {
		session, err := aws.Open(aws.Options{})
		if err != nil {
			return nil, err
		}
		b, err := logs.NewBucket(ctx, s, session.S3(), c.From, c.Since)
		if err != nil {
			return nil, err
		}
		return b.Run, nil
	}
	if scheme, _, ok := strings.Cut(c.From, "://"); ok || strings.HasPrefix(c.From, "cloudwatch:") {
		return nil, fmt.Errorf("from %q can't be followed here: want a file, a directory, a pattern of files or s3://bucket/prefix, not %s", c.From, scheme)
	}
	f, err := logs.NewFollower(ctx, s, logs.FollowOptions{From: c.From, Since: c.Since})
	if err != nil {
		return nil, err
	}
	if found, err := logs.Files(c.From); err != nil || len(found) == 0 {
		log.Warn("there is no log yet; it is waited for", "source", c.Source, "from", c.From)
	}
	return f.Run, nil
}

// followLogs reads access logs until ctx ends.
func (a *App) followLogs(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range a.logSources {
		all.Go(func() { s.run(ctx, s.config.Interval) })
	}
	all.Wait()
}

// logReceipts is GET /api/v1/status/logs: what became of the last objects.
func (a *App) logReceipts(w http.ResponseWriter, _ *http.Request) {
	type answer struct {
		Status string          `json:"status"`
		Data   []*logs.Receipt `json:"data"`
	}
	out := answer{"success", []*logs.Receipt{}}
	if a.logStats != nil {
		out.Data = a.logStats.Recent()
	}
	reply.JSON(w, http.StatusOK, out)
}
