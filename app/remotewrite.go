package app

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"narthex"
	"narthex/config"
	"narthex/internal/aws"
	"narthex/internal/reply"
	"narthex/ledger"
	"narthex/pipeline"
	"narthex/remotewrite"
)

// outlet is a destination of remote_write.
type outlet struct {
	config config.RemoteWrite
	client *remotewrite.Client
	sink   narthex.Sink // the labels, the relabelling and then the client
}

// outlets makes the destinations of a configuration. It does not touch the
// network.
func outlets(c *config.Config, version string, log *slog.Logger) (out []outlet, err error) {
	for _, w := range c.RemoteWrite {
		client, err := remoteClient(w, version, log)
		if err != nil {
			return nil, fmt.Errorf("remote_write %s: %w", w.Name, err)
		}
		out = append(out, outlet{config: w, client: client, sink: &pipeline.Outlet{
			External: c.ExternalLabels, Relabel: relabelling(w.Relabel), Next: client,
		}})
	}
	return out, nil
}

// relabelling is the configuration's steps in the words of pipeline.
func relabelling(steps []config.Relabel) []pipeline.Relabel {
	var out []pipeline.Relabel
	for _, s := range steps {
		out = append(out, pipeline.Relabel(s))
	}
	return out
}

func remoteClient(w config.RemoteWrite, version string, log *slog.Logger) (*remotewrite.Client, error) {
	carrier, err := transport(w.HTTP)
	if err != nil {
		return nil, err
	}
	if s := w.SigV4; s != nil {
		o := aws.Options{Region: s.Region, Profile: s.Profile, RoleARN: s.RoleARN, ExternalID: s.ExternalID}
		if s.AccessKey != "" {
			o.Credentials = aws.Credentials{AccessKeyID: string(s.AccessKey), SecretAccessKey: string(s.SecretKey)}
		}
		session, err := aws.Open(o)
		if err != nil {
			return nil, fmt.Errorf("sigv4: %w", err)
		}
		carrier = session.Transport("aps", carrier)
	}
	return remotewrite.New(remotewrite.Options{
		URL: w.URL, Name: w.Name, Version: remotewrite.Version(w.Version), Transport: carrier,
		UserAgent: "narthex/" + version, Timeout: w.Timeout, MaxSamples: w.MaxSamples, Concurrency: w.Concurrency,
		MinBackoff: w.MinBackoff, MaxBackoff: w.MaxBackoff,
		NoMetadata: !w.Metadata, NoExemplars: !w.Exemplars, NoNativeHistograms: !w.NativeHistograms, MetadataEvery: w.MetadataInterval,
		Logger: log,
	})
}

// sinks returns the destinations' sinks by name, and what bounds their outboxes.
func sinks(all []outlet) (map[string]narthex.Sink, map[string]ledger.OutboxBounds) {
	out, bounds := make(map[string]narthex.Sink), make(map[string]ledger.OutboxBounds)
	for _, o := range all {
		out[o.config.Name] = o.sink
		bounds[o.config.Name] = ledger.OutboxBounds{Bytes: o.config.OutboxBytes, Age: o.config.OutboxAge}
	}
	return out, bounds
}

// destinationStatus is what GET /api/v1/status/destinations says of one.
type destinationStatus struct {
	Name   string `json:"name"`
	URL    string `json:"url,omitempty"`    // without what may be secret
	Health string `json:"health"`           // up, down or unknown
	Error  string `json:"error,omitempty"`  // why it is down
	Since  string `json:"since,omitempty"`  // since when
	Taken  string `json:"taken,omitempty"`  // the newest tick that it has taken
	Waits  int64  `json:"waitingBytes"`     // of samples with times of their own
	Gone   uint64 `json:"droppedSamples"`   // which waited for too long
	Sent   uint64 `json:"samples,omitzero"` // stored, since the start
	// Failed is how many samples could not be sent when they were first, and
	// Refused how many were never taken, by reason.
	Failed  uint64            `json:"failedSamples,omitzero"`
	Refused map[string]uint64 `json:"refusedSamples,omitempty"`
	Success string            `json:"lastSuccess,omitempty"`
}

// destinations is GET /api/v1/status/destinations.
func (a *App) destinations(w http.ResponseWriter, _ *http.Request) {
	type data struct {
		Destinations []destinationStatus `json:"destinations"`
	}
	type answer struct {
		Status string `json:"status"`
		Data   data   `json:"data"`
	}
	out := answer{"success", data{[]destinationStatus{}}}
	for _, d := range a.ledger.Destinations() {
		s := destinationStatus{Name: d.Name, Health: "unknown", Taken: stamp(d.Taken), Waits: d.Waiting, Gone: d.Dropped}
		if !d.Taken.IsZero() {
			s.Health = "up"
		}
		if d.Err != nil {
			s.Health, s.Error, s.Since = "down", d.Err.Error(), stamp(d.Since)
		}
		if o := a.outlet(d.Name); o != nil {
			o.describe(&s)
		}
		out.Data.Destinations = append(out.Data.Destinations, s)
	}
	reply.JSON(w, http.StatusOK, out)
}

// describe adds what the client knows. It also sees samples that do not come of
// the ledger's ticks.
func (o *outlet) describe(s *destinationStatus) {
	n := o.client.Stats()
	s.URL = o.config.Shown()
	s.Sent, s.Failed, s.Success = n.Samples, n.Failed, stamp(n.LastSuccess)
	for reason, samples := range n.Refused {
		if s.Refused == nil {
			s.Refused = make(map[string]uint64)
		}
		s.Refused[reason.String()] += samples
	}
	switch {
	case s.Health == "down":
	case n.LastError != "" && n.LastFailure.After(n.LastSuccess):
		s.Health, s.Error, s.Since = "down", n.LastError, stamp(n.LastFailure)
	case !n.LastSuccess.IsZero():
		s.Health = "up"
	}
}

func (a *App) outlet(name string) *outlet {
	i := slices.IndexFunc(a.outlets, func(o outlet) bool { return o.config.Name == name })
	if i < 0 {
		return nil
	}
	return &a.outlets[i]
}

// stamp writes a time for people and programs, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// reasons returns the reasons of refusals, sorted, for /metrics.
func reasons(refused map[remotewrite.Reason]uint64) []remotewrite.Reason {
	return slices.Sorted(maps.Keys(refused))
}
