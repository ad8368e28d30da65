package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"narthex/internal/message"
	"narthex/openmetrics"
	"narthex/probe"
)

// screen writes lines of which each has a word in front.
type screen struct {
	strings.Builder
}

// say writes a paragraph after a word, broken into lines.
func (s *screen) say(word, text string) {
	const width = 76
	lead := fmt.Sprintf("  %-9s ", word)
	for line := range strings.SplitSeq(text, "\n") {
		for line != "" {
			cut := len(line)
			if utf8.RuneCountInString(line) > width {
				cut = strings.LastIndexByte(line[:min(len(line), width)], ' ')
				if cut <= 0 {
					cut = len(line)
				}
			}
			s.WriteString(lead + line[:cut] + "\n")
			line, lead = strings.TrimLeft(line[cut:], " "), strings.Repeat(" ", 12)
		}
	}
}

// printProbe writes a result on one screen.
func printProbe(w io.Writer, r *probe.Result) error {
	var s screen
	verdict := "is up"
	if !r.Success {
		verdict = "is DOWN"
	}
	fmt.Fprintf(&s, "%s %s (%s, %s)\n\n", message.Clip(r.Target, 200), verdict, r.Module, strings.TrimSpace(milliseconds(r.Duration.Seconds())))
	if f := r.Failure; f != nil {
		s.say("why", string(f.Phase)+": "+string(f.Reason))
		s.say("", message.Clip(f.Err.Error(), 800))
		s.say("do", f.Remedy())
		s.WriteByte('\n')
	}
	s.phases(r)
	s.facts(r)
	if r.Attempts > 1 {
		s.say("attempts", fmt.Sprintf("%d", r.Attempts))
	}
	if r.Throttled() {
		s.say("caution", fmt.Sprintf("this process was kept from the CPU for %s of the probe: the durations are not the target's", strings.TrimSpace(milliseconds(r.Wait.Seconds()))))
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// phases draws a bar for each phase.
func (s *screen) phases(r *probe.Result) {
	const width = 40
	longest := 0.0
	phases := reached(r)
	for _, p := range phases {
		longest = math.Max(longest, p.Seconds)
	}
	word := "phases"
	for _, p := range phases {
		n := 0
		if longest > 0 {
			n = int(math.Round(p.Seconds / longest * width))
		}
		fmt.Fprintf(s, "  %-9s %-12s %s  %s\n", word, p.Phase, milliseconds(p.Seconds), strings.Repeat("█", n))
		word = ""
	}
}

// reached returns the phases that took time. What a failure took that belongs to
// none of them is its own.
func reached(r *probe.Result) []probe.PhaseTime {
	var out []probe.PhaseTime
	rest := r.Duration.Seconds()
	for _, p := range r.Phases() {
		if rest -= p.Seconds; p.Seconds > 0 {
			out = append(out, p)
		}
	}
	if r.Failure != nil && rest > r.Duration.Seconds()/2 {
		out = append(out, probe.PhaseTime{Phase: string(r.Failure.Phase) + " ✗", Seconds: rest})
	}
	return out
}

// milliseconds writes a duration of at most hours in 9 columns.
func milliseconds(seconds float64) string {
	switch {
	case seconds >= 10:
		return fmt.Sprintf("%7.1f s", seconds)
	case seconds >= 1:
		return fmt.Sprintf("%7.2f s", seconds)
	}
	return fmt.Sprintf("%6.1f ms", seconds*1000)
}

// facts says what the answer was.
func (s *screen) facts(r *probe.Result) {
	if code, ok := r.Value("probe_http_status_code"); ok && code > 0 {
		text := fmt.Sprintf("status %.0f", code)
		if v, ok := r.Value("probe_http_version"); ok && v > 0 {
			text += fmt.Sprintf(", HTTP/%.1f", v)
		}
		if n, ok := r.Value("probe_http_uncompressed_body_length"); ok {
			text += fmt.Sprintf(", %.0f bytes", n)
		}
		if n, ok := r.Value("probe_http_redirects"); ok && n > 0 {
			text += fmt.Sprintf(", after %.0f redirects", n)
		}
		s.say("answer", text)
	}
	if n, ok := r.Value("probe_dns_answer_rrs"); ok {
		text := fmt.Sprintf("%.0f records", n)
		if serial, ok := r.Value("probe_dns_serial"); ok {
			text += fmt.Sprintf(", serial %.0f", serial)
		}
		s.say("answer", text)
	}
	if v, ok := r.Value("probe_ip_protocol"); ok && v > 0 {
		s.say("over", fmt.Sprintf("IPv%.0f", v))
	}
	if c := r.Certificate(); c != nil {
		s.certificate(c)
	}
}

func (s *screen) certificate(c *probe.Certificate) {
	var text []string
	if c.Names != "" {
		text = append(text, "for "+message.Clip(c.Names, 200))
	}
	if c.Subject != "" {
		text = append(text, c.Subject)
	}
	if c.Issuer != "" {
		text = append(text, "issued by "+c.Issuer)
	}
	if len(text) > 0 {
		s.say("cert", strings.Join(text, "; "))
	}
	when := fmt.Sprintf("expires in %.0f days, on %s", math.Floor(c.DaysLeft), c.Expires.Format(time.DateOnly))
	if c.DaysLeft < 0 {
		when = fmt.Sprintf("EXPIRED %.0f days ago, on %s", math.Ceil(-c.DaysLeft), c.Expires.Format(time.DateOnly))
	}
	s.say("", strings.TrimSuffix(when+"; "+c.Version, "; "))
}

// printDebug writes each step, the metrics and the module.
func printDebug(w io.Writer, r *probe.Result, m *probe.Module) error {
	if _, err := fmt.Fprintf(w, "\nLog\n\n%s\nMetrics\n\n", r.Log); err != nil {
		return err
	}
	if err := openmetrics.WriteText(w, r.Families); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nModule\n\n%s", m.Source())
	return err
}
