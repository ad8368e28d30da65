package function

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/app"
	"narthex/lambda"
	"narthex/remotewrite"
	"narthex/shard"
)

// telemetry is what the function tells of itself. A nil one tells nothing.
type telemetry struct {
	*meter
	n *instance

	measuring sync.Mutex // guards what was read last
	usage     usage
	stats     shard.Stats
	sent      map[string]remotewrite.Stats // by destination
}

// apartKey is the context's key for the channel that is closed when what is told
// beside the work is told.
type apartKey struct{}

// newTelemetry returns the telemetry of an instance whose start took so long. A
// function that has neither a ledger nor a queue has nowhere to tell.
func newTelemetry(n *instance, init time.Duration) *telemetry {
	if !n.c.Lambda.Telemetry || n.c.Lambda.Relay.URL != "" {
		return nil
	}
	t := &telemetry{meter: newMeter(n.o), n: n, sent: make(map[string]remotewrite.Stats)}
	t.add("narthex_function_cold_starts_total", 1)
	t.add("narthex_function_init_seconds_total", init.Seconds())
	return t
}

// sink returns where the function tells. One that folds or ticks adds to the
// ledger itself; others send to where pushes go.
func (t *telemetry) sink() (sink narthex.Sink, apart bool) {
	if l := t.n.opened(); l != nil && t.n.folds.Load() {
		return l, false
	}
	return t.n.pushSink, !t.n.c.Lambda.Direct()
}

// begin tells what was counted before, if it is time, while the invocation is
// under way; not into the ledger, where it would be in the way.
func (t *telemetry) begin(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	sink, apart := t.sink()
	if !apart || !t.due() {
		return ctx
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.measure()
		bounded, stop := bounded(ctx)
		defer stop()
		t.tell(bounded, sink, t.n.logger)
	}()
	return context.WithValue(ctx, apartKey{}, done)
}

// end counts an invocation, and tells if it is time and there is some left.
func (t *telemetry) end(ctx context.Context, i *lambda.Invocation) []slog.Attr {
	if t == nil {
		return nil
	}
	event := narthex.Label{Name: "event", Value: i.Event}
	t.add("narthex_function_invocations_total", 1, event, narthex.Label{Name: "outcome", Value: outcome(i)})
	t.add("narthex_function_duration_seconds_total", i.Duration.Seconds(), event)
	if done, ok := ctx.Value(apartKey{}).(chan struct{}); ok {
		<-done // within its bounds
		return nil
	}
	sink, apart := t.sink()
	if left, ok := ctx.Deadline(); apart || !t.due() || ok && time.Until(left) < reserve {
		return nil
	}
	t.measure()
	bounded, stop := bounded(ctx)
	defer stop()
	t.tell(bounded, sink, t.n.logger)
	return nil
}

// reserve is how much of an invocation's time has to be left for telling.
const reserve = time.Second

// bounded bounds the telling: to half of the time that is left, and to what is
// enough for a service that works.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	const enough = 2 * time.Second
	if end, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, min(enough, time.Until(end)/2))
	}
	return context.WithTimeout(ctx, enough)
}

// outcome says how an invocation ended: ok, refused (the sender is to change
// something) or failed.
func outcome(i *lambda.Invocation) string {
	switch {
	case i.Err != nil || i.Status >= 500:
		return "failed"
	case i.Status >= 400:
		return "refused"
	}
	return "ok"
}

// measure reads what others have counted.
func (t *telemetry) measure() {
	t.measuring.Lock()
	defer t.measuring.Unlock()
	now := readUsage()
	t.add("narthex_function_cpu_seconds_total", (now.cpu - t.usage.cpu).Seconds())
	t.add("narthex_function_cpu_wait_seconds_total", (now.wait - t.usage.wait).Seconds())
	t.usage = now
	limit := float64(t.n.memory)
	t.max("narthex_function_memory_limit_bytes", limit)
	t.max("narthex_function_memory_peak_bytes", float64(now.peak))
	if float64(now.peak) > 0.9*limit {
		t.add("narthex_function_memory_high_total", 1)
	}
	if l := t.n.opened(); l != nil {
		t.ledger(l.Stats())
	}
	for _, d := range t.n.destinations {
		t.destination(d)
	}
}

// ledger counts what the ledger did since it was last asked.
func (t *telemetry) ledger(s shard.Stats) {
	o := t.stats
	t.stats = s
	entries := s.Entries - o.Entries
	t.add("narthex_ledger_entries_total", float64(entries))
	t.add("narthex_ledger_duplicates_total", float64(s.Duplicates-o.Duplicates))
	t.add("narthex_ledger_refused_total", float64(s.Refused-o.Refused))
	t.add("narthex_ledger_rejected_series_total", float64(s.Rejected-o.Rejected))
	t.add("narthex_late_increments_total", float64(s.Late-o.Late))
	t.add("narthex_ledger_conflicts_total", float64(s.Conflicts-o.Conflicts))
	t.add("narthex_ledger_ticks_total", float64(s.Ticks-o.Ticks))
	t.add("narthex_ledger_samples_written_total", float64(s.Samples-o.Samples))
	t.add("narthex_ledger_store_errors_total", float64(s.SinkErrors-o.SinkErrors))
	if entries > 0 {
		lag := (s.Lag - o.Lag).Seconds()
		t.add("narthex_fold_lag_seconds_total", lag)
		t.max("narthex_fold_lag_seconds", lag/float64(entries))
	}
}

// destination counts what was sent since it was last asked.
func (t *telemetry) destination(d app.Destination) {
	s, o := d.Stats(), t.sent[d.Name]
	t.sent[d.Name] = s
	to := narthex.Label{Name: "destination", Value: d.Name}
	t.add("narthex_remote_write_samples_total", float64(s.Samples-o.Samples), to)
	t.add("narthex_remote_write_failed_samples_total", float64(s.Failed-o.Failed), to)
	t.add("narthex_remote_write_requests_total", float64(s.Requests-o.Requests), to)
	t.add("narthex_remote_write_retries_total", float64(s.Retries-o.Retries), to)
	t.add("narthex_remote_write_bytes_total", float64(s.Bytes-o.Bytes), to)
	for reason, n := range s.Refused {
		t.add("narthex_remote_write_refused_samples_total", float64(n-o.Refused[reason]), to, narthex.Label{Name: "reason", Value: reason.String()})
	}
}

// messages counts those of a queue.
func (t *telemetry) messages(list []lambda.Message, failed int) {
	if t == nil {
		return
	}
	t.add("narthex_queue_messages_total", float64(len(list)))
	t.add("narthex_queue_failed_messages_total", float64(failed))
	for _, m := range list {
		if m.Received > 1 {
			t.add("narthex_queue_redelivered_messages_total", 1)
		}
		if !m.Sent.IsZero() {
			age := max(0, t.now().Sub(m.Sent).Seconds())
			t.add("narthex_queue_age_seconds_total", age)
			t.max("narthex_queue_age_seconds", age)
		}
	}
}

// usage is what the process has used of the machine since it began, as far as the
// system tells.
type usage struct {
	cpu  time.Duration // running
	wait time.Duration // ready to run, and kept from it
	peak int           // bytes of memory at most
}

// readUsage reads it from Linux's /proc; elsewhere it is all zero. Source:
// proc(5), "schedstat" in the kernel's documentation of scheduler statistics.
func readUsage() (u usage) {
	threads, _ := filepath.Glob("/proc/self/task/*/schedstat") // the pattern is right
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		for i, field := range strings.Fields(string(text)) {
			n, _ := strconv.ParseInt(field, 10, 64)
			switch i {
			case 0:
				u.cpu += time.Duration(n)
			case 1:
				u.wait += time.Duration(n)
			}
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			u.peak = kib << 10
		}
	}
	return u
}
