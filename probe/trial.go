package probe

import (
	"log/slog"
	"net/netip"
	"sync"

	"narthex/openmetrics"
)

// trial is one run of a prober: what it is to probe, with what, and what it has
// found out so far.
type trial struct {
	*metrics
	prober   *Prober
	target   string
	hostname string
	module   *Module
	net      *network
	log      *slog.Logger
	written  *transcript

	// only is the address that this trial is about, if it is one of several trials
	// of the addresses of a name.
	only netip.Addr
	// candidates are the addresses of the target, the one to probe first.
	candidates []netip.Addr
	// found is how many there are.
	found int
	// fan, with addresses: all, starts the trials of the other addresses.
	fan func(others []netip.Addr)

	mu     sync.Mutex
	shaken []*shaken // the TLS handshakes so far
	hidden []string  // what is not to be seen in the log
}

func (p *Prober) newTrial(r Request, m *Module, only netip.Addr) *trial {
	w := new(transcript)
	t := &trial{
		metrics: newMetrics(), prober: p, target: r.Target, hostname: r.Hostname, module: m, only: only,
		log: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})), written: w,
	}
	t.net = &network{watch: p.watch, denied: p.countDenied, resolver: p.resolvers[m.Resolver]}
	return t
}

// finish adds what every probe has and returns the metrics and the log.
func (t *trial) finish(r *Result) ([]openmetrics.Family, []byte) {
	t.gauge("probe_success", "Displays whether or not the probe was a success").Set(oneIf(r.Success))
	t.gauge("probe_duration_seconds", "Returns how long the probe took to complete in seconds").Set(r.Duration.Seconds())
	t.gauge("probe_timeout_seconds", "Returns how long the probe timeout is in seconds").Set(r.Timeout.Seconds())
	if f := r.Failure; f != nil {
		t.gauge("probe_failure_info", "Where and why the probe failed", "phase", "reason").With(string(f.Phase), string(f.Reason)).Set(1)
	}
	if len(t.hidden) > 0 {
		t.rewrite(func(label string) string { return string(t.redact([]byte(label))) })
	}
	return t.families(), t.redact(t.written.end())
}

// transcript is a log in memory. What comes after its end is dropped: a connection
// may still be on its way out.
type transcript struct {
	mu    sync.Mutex
	text  []byte
	ended bool
}

// logLimit is how many bytes of a probe's log are kept.
const logLimit = 256 << 10

// Write implements [io.Writer].
func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended && len(w.text)+len(p) <= logLimit {
		w.text = append(w.text, p...)
	}
	return len(p), nil
}

func (w *transcript) end() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.text
}
