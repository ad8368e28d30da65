package verify

import (
	"fmt"
	"io"
	"strings"
	"time"

	"narthex/internal/message"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, run %s\n", r.URL, r.Run)
	if !r.ReadBack {
		b.WriteString("Told by the answers alone: give --query to read back what was stored.\n")
	}
	b.WriteByte('\n')
	wide := 0
	for _, f := range r.Findings {
		wide = max(wide, len(f.Capability))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-*s  %s\n%*s  (%s)\n", wide, f.Capability, f.Found, wide, "", f.Evidence)
	}
	b.WriteString("\nIn narthex.yml:\n\n")
	for _, line := range r.Settings {
		b.WriteString("  " + line + "\n")
	}
	fmt.Fprintf(&b, "\nIts series are named %s… and have the label run=%q; nothing else was written.\n", prefix, r.Run)
	_, err := io.WriteString(w, b.String())
	return err
}

// settings are what follows of the findings for narthex.yml.
func settings(r *Report, s *session) []string {
	out := []string{"remote_write:", "  - url: " + r.URL}
	add := func(setting, why string) { out = append(out, fmt.Sprintf("%-57s # %s", setting, why)) }
	note := func(text string, values ...any) { out = append(out, "# "+fmt.Sprintf(text, values...)) }
	if s.speaks[v2] {
		add("    protobuf_message: io.prometheus.write.v2.Request", "half the bytes, and a refused sample holds up no other")
	} else {
		add("    protobuf_message: prometheus.WriteRequest", "2.0 is not spoken there")
	}
	native := r.Find(NativeHisto).Found == yes || r.Find(NativeHisto).Found == "taken"
	if !native {
		add("    send_native_histograms: false", "it does not store them")
	}
	if f := r.Find(Exemplars); f.Found == no || f.Found == "taken, and not stored" {
		add("    send_exemplars: false", "it does not keep them")
	}
	switch r.Find(UTF8Names).Found {
	case yes:
		add("utf8_names: true", "if you want them")
	case "taken":
	default:
		add("utf8_names: false", "it does not store them")
	}
	if !native {
		note("Give what is observed classic buckets: histograms: {NAME: \"5ms, 10ms, 50ms\"}.")
	}
	if old, ok := s.limits[OutOfOrder]; ok {
		note("Totals need no out-of-order window: they come in order, from one writer.")
		switch {
		case old == 0:
			note("Samples with times of their own (remote write in, OTLP) must come in order.")
		case old < s.o.MaxAge/2:
			note("Samples with times of their own (remote write in, OTLP) may be late by %s.", message.Duration(old.Truncate(time.Second)))
		}
	}
	if old, ok := s.limits[OldestSample]; ok && old < s.o.MaxAge/2 {
		note("Of an outage of more than %s it does not take what is older: outbox: {max_age: %s}.", message.Duration(old.Truncate(time.Minute)), message.Duration(old.Truncate(time.Minute)))
	}
	if r.Find(Partial1).Found == "nothing is stored" && !s.speaks[v2] {
		note("One bad sample spoils its request there; narthex finds it and sends the others again.")
	}
	return out
}
