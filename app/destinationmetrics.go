package app

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"narthex/ledger"
	"narthex/remotewrite"
)

// destinationMetrics writes what is known of the destinations to /metrics.
func (a *App) destinationMetrics(w io.Writer) error {
	b := bufio.NewWriter(w)
	all := a.ledger.Destinations()
	last := a.ledger.Stats().LastTick
	family := func(name, typ, help string, value func(ledger.Destination) float64) {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, typ)
		for _, d := range all {
			fmt.Fprintf(b, "%s{destination=%q} %s\n", name, d.Name, strconv.FormatFloat(value(d), 'g', -1, 64))
		}
	}
	family("narthex_destination_up", "gauge", "Whether the destination took the last tick.", func(d ledger.Destination) float64 {
		if d.Err != nil {
			return 0
		}
		return 1
	})
	family("narthex_destination_lag_seconds", "gauge", "How far the newest tick that the destination has taken is behind the last one.", func(d ledger.Destination) float64 {
		taken := d.Taken
		if taken.IsZero() {
			taken = a.started
		}
		return max(0, last.Sub(taken).Seconds())
	})
	family("narthex_destination_outbox_bytes", "gauge", "Samples with times of their own that wait for the destination, on the disk.", func(d ledger.Destination) float64 { return float64(d.Waiting) })
	family("narthex_destination_dropped_samples_total", "counter", "Samples that were given up because the destination was away for too long.", func(d ledger.Destination) float64 { return float64(d.Dropped) })
	a.remoteWriteMetrics(b)
	return b.Flush()
}

// remoteWriteMetrics writes the counts of the remote-write clients.
func (a *App) remoteWriteMetrics(b *bufio.Writer) {
	if len(a.outlets) == 0 {
		return
	}
	counts := make([]remotewrite.Stats, len(a.outlets))
	for i := range a.outlets {
		counts[i] = a.outlets[i].client.Stats()
	}
	for _, f := range []struct {
		name, help string
		read       func(*remotewrite.Stats) uint64
	}{
		{"samples", "Samples that the destination has stored, as far as it says.", func(s *remotewrite.Stats) uint64 { return s.Samples }},
		{"failed_samples", "Samples that could not be sent when they were first; they are tried again.", func(s *remotewrite.Stats) uint64 { return s.Failed }},
		{"superseded_samples", "Samples of totals that came too late and were not needed: a newer total is there.", func(s *remotewrite.Stats) uint64 { return s.Superseded }},
		{"requests", "Requests, each attempt.", func(s *remotewrite.Stats) uint64 { return s.Requests }},
		{"retries", "Requests that were sent again after trouble.", func(s *remotewrite.Stats) uint64 { return s.Retries }},
		{"searches", "Requests to find what a destination refuses.", func(s *remotewrite.Stats) uint64 { return s.Searches }},
		{"bytes", "Bytes sent, compressed.", func(s *remotewrite.Stats) uint64 { return s.Bytes }},
		{"fallbacks", "Times that remote write 1.0 was found to be needed.", func(s *remotewrite.Stats) uint64 { return s.Fallbacks }},
	} {
		name := "narthex_remote_write_" + f.name + "_total"
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s counter\n", name, f.help, name)
		for i := range counts {
			fmt.Fprintf(b, "%s{destination=%q} %d\n", name, a.outlets[i].config.Name, f.read(&counts[i]))
		}
	}
	const refused = "narthex_remote_write_refused_samples_total"
	fmt.Fprintf(b, "# HELP %s Samples that the destination will never take, by its reason.\n# TYPE %s counter\n", refused, refused)
	for i := range counts {
		for _, reason := range reasons(counts[i].Refused) {
			fmt.Fprintf(b, "%s{destination=%q,reason=%q} %d\n", refused, a.outlets[i].config.Name, reason.String(), counts[i].Refused[reason])
		}
	}
}
