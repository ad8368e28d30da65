package app

import (
	"io"
	"net/http"

	"narthex/ledger"
)

// register names narthex's own metrics.
func (a *App) register() {
	s := &a.stats
	s.Info("narthex_build_info", "The version that runs.", "version", a.o.Version)
	s.GaugeFunc("narthex_start_time_seconds", "When this process began, in seconds since the epoch.", func() float64 {
		return float64(a.started.UnixMilli()) / 1000
	})
	counter := func(name, help string, read func(ledger.Stats) uint64) {
		s.CounterFunc(name, help, func() uint64 { return read(a.ledger.Stats()) })
	}
	gauge := func(name, help string, read func(ledger.Stats) float64) {
		s.GaugeFunc(name, help, func() float64 { return read(a.ledger.Stats()) })
	}
	counter("narthex_ledger_entries_total", "Entries folded into the totals.", func(s ledger.Stats) uint64 { return s.Entries })
	counter("narthex_ledger_duplicates_total", "Entries whose id was known, so that nothing was done.", func(s ledger.Stats) uint64 { return s.Duplicates })
	counter("narthex_ledger_refused_total", "Entries refused: an id used for another body, or older than the horizon.", func(s ledger.Stats) uint64 { return s.Refused })
	counter("narthex_ledger_rejected_series_total", "Series of entries that were rejected.", func(s ledger.Stats) uint64 { return s.Rejected })
	counter("narthex_ledger_commits_total", "Group commits: writes of the log, each with one fsync.", func(s ledger.Stats) uint64 { return s.Commits })
	counter("narthex_ledger_log_errors_total", "Writes of the log that failed; their pushes were answered 503.", func(s ledger.Stats) uint64 { return s.LogErrors })
	counter("narthex_ledger_ticks_total", "Ticks at which totals were taken.", func(s ledger.Stats) uint64 { return s.Ticks })
	counter("narthex_ledger_ticks_skipped_total", "Ticks skipped because the one before was still being written.", func(s ledger.Stats) uint64 { return s.TicksSkipped })
	counter("narthex_ledger_samples_written_total", "Samples that the store has taken.", func(s ledger.Stats) uint64 { return s.Samples })
	counter("narthex_ledger_store_errors_total", "Writes that the store failed; they are tried again.", func(s ledger.Stats) uint64 { return s.SinkErrors })
	counter("narthex_ledger_checkpoints_total", "Checkpoints saved.", func(s ledger.Stats) uint64 { return s.Checkpoints })
	counter("narthex_ledger_checkpoint_errors_total", "Checkpoints that could not be saved.", func(s ledger.Stats) uint64 { return s.CheckpointFails })
	counter("narthex_ledger_replayed_entries_total", "Entries read from the log when this process began.", func(s ledger.Stats) uint64 { return s.Replayed })
	counter("narthex_late_increments_total", "Increments with times of their own whose minute was written already; they count in the next one.", func(s ledger.Stats) uint64 { return s.Late })
	counter("narthex_ledger_torn_bytes_total", "Bytes of an unfinished write cut off the log when this process began.", func(s ledger.Stats) uint64 { return s.TornBytes })
	gauge("narthex_ledger_series", "Series that the ledger holds.", func(s ledger.Stats) float64 { return float64(s.Series) })
	gauge("narthex_ledger_ids", "Ids of entries that the ledger remembers.", func(s ledger.Stats) float64 { return float64(s.IDs) })
	gauge("narthex_ledger_log_bytes", "Size of the log since its last checkpoint.", func(s ledger.Stats) float64 { return float64(s.LogBytes) })
	gauge("narthex_ledger_checkpoint_duration_seconds", "How long the last checkpoint took, from the copy of the totals to the disk.", func(s ledger.Stats) float64 { return s.CheckpointTook.Seconds() })
	gauge("narthex_ledger_last_tick_timestamp_seconds", "Time of the last tick, in seconds since the epoch.", func(s ledger.Stats) float64 {
		return float64(s.LastTick.UnixMilli()) / 1000
	})
}

// durations are the bounds of histograms of how long something took, in seconds.
func durations() []float64 {
	return []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
}

func (a *App) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	write := a.o.Metrics
	if write == nil {
		write = func(io.Writer) error { return nil }
	}
	_, err := a.stats.WriteTo(w)
	if err == nil {
		err = a.destinationMetrics(w)
	}
	if err == nil {
		err = write(w)
	}
	if err != nil {
		a.o.Logger.Debug("the metrics were not written whole", "err", err)
	}
}
