package app

import (
	"net/http"
	"strings"
	"time"

	"narthex/auth"
	"narthex/internal/reply"
	"narthex/ledger"
)

// success is the envelope of Prometheus's API.
type success[T any] struct {
	Status string `json:"status"`
	Data   T      `json:"data"`
}

// ledgerStatus is what GET /api/v1/status/ledger says: whether totals go out in
// time, and what is kept.
type ledgerStatus struct {
	Error    string  `json:"error,omitempty"` // why pushes can't be made durable
	Interval float64 `json:"intervalSeconds"`
	LastTick string  `json:"lastTick,omitempty"`
	// Lag is how long ago the last tick was, in seconds: more than two intervals
	// is late.
	Lag float64 `json:"lagSeconds"`
	// Queue is what is acknowledged and in the log only, beyond the checkpoint.
	Queue struct {
		Bytes int64 `json:"bytes"`
	} `json:"queue"`
	// Shards are the virtual shards, which a ledger on a disk holds in one state.
	Shards    int    `json:"shards"`
	States    int    `json:"states"`
	Series    int    `json:"series"`
	MaxSeries int    `json:"maxSeries"`
	Groups    int    `json:"groups"`
	IDs       int    `json:"ids"`
	Horizon   string `json:"horizon"`
	// The counts are since the start: entries (pushes), series, ticks, samples.
	Entries      uint64 `json:"entries"`
	Duplicates   uint64 `json:"duplicates"`
	Refused      uint64 `json:"refused"`
	Rejected     uint64 `json:"rejectedSeries"` // at all doors
	Late         uint64 `json:"lateIncrements"`
	Ticks        uint64 `json:"ticks"`
	TicksSkipped uint64 `json:"ticksSkipped"`
	Samples      uint64 `json:"samples"`
	StoreErrors  uint64 `json:"storeErrors"`
	LogErrors    uint64 `json:"logErrors"`
	Started      string `json:"started"`
}

// ledgerState is GET /api/v1/status/ledger.
func (a *App) ledgerState(w http.ResponseWriter, _ *http.Request) {
	s, c := a.ledger.Stats(), a.o.Config
	out := ledgerStatus{
		Interval: c.ScrapeInterval.Seconds(), Shards: ledger.Shards, States: 1,
		Series: s.Series, MaxSeries: c.Limits.Series, Groups: len(a.ledger.Groups()), IDs: s.IDs, Horizon: c.Ledger.Horizon.String(),
		Entries: s.Entries, Duplicates: s.Duplicates, Refused: s.Refused, Rejected: max(s.Rejected, a.rejected.Load()), Late: s.Late,
		Ticks: s.Ticks, TicksSkipped: s.TicksSkipped, Samples: s.Samples, StoreErrors: s.SinkErrors, LogErrors: s.LogErrors,
		Started: stamp(a.started),
	}
	out.Queue.Bytes = s.LogBytes
	if err := a.ledger.Err(); err != nil {
		out.Error = err.Error()
	}
	if s.LastTick.UnixMilli() > 0 {
		out.LastTick, out.Lag = stamp(s.LastTick), max(0, a.o.Now().Sub(s.LastTick).Seconds())
	}
	reply.JSON(w, http.StatusOK, success[ledgerStatus]{"success", out})
}

// price is what samples cost.
type price struct {
	PerMillionSamples      float64 `json:"perMillionSamples"`
	PerBillionQuerySamples float64 `json:"perBillionQuerySamples"`
	Currency               string  `json:"currency"`
}

func (a *App) price() price {
	v := a.o.Config.Viewer
	return price{v.PricePerMillionSamples, v.PricePerBillionQuerySamples, v.Currency}
}

// costStatus is what GET /api/v1/status/cost says of one destination.
type costStatus struct {
	Destination string       `json:"destination"`
	Since       string       `json:"since"`
	Seconds     float64      `json:"windowSeconds"`
	Total       sourceCost   `json:"total"`
	Sources     []sourceCost `json:"sources"`
}

// sourceCost is what a source comes to: in the window, and at that pace.
type sourceCost struct {
	Source        string  `json:"source"`
	Samples       uint64  `json:"samples"`
	SamplesPerDay float64 `json:"samplesPerDay"`
	CostPerMonth  float64 `json:"costPerMonth"` // of 30 days
}

// cost is GET /api/v1/status/cost: samples written in the last day (or since the
// start) by source, and what they cost a month at the configured price.
func (a *App) cost(w http.ResponseWriter, _ *http.Request) {
	type data struct {
		Price        price        `json:"price"`
		Destinations []costStatus `json:"destinations"`
	}
	out := data{a.price(), []costStatus{}}
	for _, m := range a.meters {
		out.Destinations = append(out.Destinations, m.cost(out.Price))
	}
	reply.JSON(w, http.StatusOK, success[data]{"success", out})
}

// namedMeter is a destination's.
type namedMeter struct {
	name string
	*meter
}

func (m namedMeter) cost(p price) costStatus {
	sources, window := m.read()
	out := costStatus{
		Destination: m.name, Since: stamp(m.now().Add(-window).Truncate(time.Second)), Seconds: window.Seconds(), Sources: make([]sourceCost, 0, len(sources)),
	}
	of := func(source string, samples uint64) sourceCost {
		c := sourceCost{Source: source, Samples: samples}
		if window > 0 {
			c.SamplesPerDay = float64(samples) * float64(24*time.Hour) / float64(window)
		}
		c.CostPerMonth = c.SamplesPerDay * 30 / 1e6 * p.PerMillionSamples
		return c
	}
	total := uint64(0)
	for _, s := range sources {
		total += s.Samples
		out.Sources = append(out.Sources, of(s.Source, s.Samples))
	}
	out.Total = of("", total)
	return out
}

// viewerStatus is what GET /api/v1/status/viewer tells the page: who looks, what
// there is to see, and by which rules samples are written.
type viewerStatus struct {
	Version  string  `json:"version"`
	Identity *person `json:"identity"` // null without authentication
	SignIn   bool    `json:"signIn"`   // people can sign in and out
	Price    price   `json:"price"`
	// Interval is the tick; a counter is written at each for Settle after a
	// change, then each Heartbeat, until Idle. All in seconds.
	Interval  float64 `json:"intervalSeconds"`
	Settle    float64 `json:"settleSeconds"`
	Heartbeat float64 `json:"heartbeatSeconds"`
	Idle      float64 `json:"idleSeconds"`
	Has       struct {
		Push   bool `json:"push"`   // arrivals, the ledger, limits, costs
		Store  bool `json:"store"`  // samples are kept here
		Logs   bool `json:"logs"`   // access logs are followed
		Probes bool `json:"probes"` // targets are probed
	} `json:"has"`
	Destinations []string `json:"destinations"` // of remote write
}

// person is who looks: by the name that people know, and by the identity's.
type person struct {
	Name   string   `json:"name"`
	ID     string   `json:"id"`
	Scopes []string `json:"scopes"`
}

// viewerStatus is GET /api/v1/status/viewer.
func (a *App) viewerStatus(w http.ResponseWriter, r *http.Request) {
	c := a.o.Config
	out := viewerStatus{
		Version: a.o.Version, Price: a.price(), Interval: c.ScrapeInterval.Seconds(),
		Settle: c.Ledger.Settle.Seconds(), Heartbeat: c.Ledger.Heartbeat.Seconds(), Idle: c.Ledger.Idle.Seconds(),
		Destinations: []string{},
	}
	out.SignIn = a.o.Access != nil && a.o.Access.signIn != nil
	if id, known := auth.FromContext(r.Context()); known {
		out.Identity = &person{shownName(id.Name), id.Name, id.Scopes.Names()}
	}
	out.Has.Push, out.Has.Store, out.Has.Logs, out.Has.Probes = a.ledger != nil, a.o.Sink != nil, len(a.logSources) > 0, len(c.Probes.Targets) > 0
	for _, o := range a.outlets {
		out.Destinations = append(out.Destinations, o.config.Name)
	}
	reply.JSON(w, http.StatusOK, success[viewerStatus]{"success", out})
}

// shownName leaves the issuer out of the name of somebody who has a JSON Web Token.
func shownName(identity string) string {
	if _, name, ok := strings.Cut(identity, "#"); ok && strings.HasPrefix(identity, "jwt:") {
		return name
	}
	return identity
}
