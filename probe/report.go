package probe

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"narthex"
	"narthex/openmetrics"
)

// Report is a result as JSON tells it.
type Report struct {
	ID       int64             `json:"id,omitempty"`
	Name     string            `json:"name,omitempty"`
	Target   string            `json:"target"`
	Module   string            `json:"module"`
	Region   string            `json:"region,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Every    float64           `json:"every_seconds,omitempty"`
	Start    time.Time         `json:"start"`
	Duration float64           `json:"duration_seconds"`
	Timeout  float64           `json:"timeout_seconds"`
	Success  bool              `json:"success"`
	Attempts int               `json:"attempts"`
	Failure  *FailureReport    `json:"failure"` // null if there is none
	Phases   []PhaseTime       `json:"phases"`
	// Certificate is null without TLS.
	Certificate *Certificate `json:"certificate"`
	Runner      RunnerReport `json:"runner"`
	Metrics     []MetricJSON `json:"metrics,omitempty"`
	Log         string       `json:"log,omitempty"`
}

// FailureReport is a [Failure].
type FailureReport struct {
	Phase  Phase  `json:"phase"`
	Reason Reason `json:"reason"`
	Error  string `json:"error"`
	Remedy string `json:"remedy"` // what to look at, a sentence
}

// PhaseTime is how long a phase of a probe took.
type PhaseTime struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
}

// Certificate is what a TLS peer showed, also if it did not verify.
type Certificate struct {
	Expires     time.Time `json:"expires"` // the first of the chain
	DaysLeft    float64   `json:"days_left"`
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Names       string    `json:"names"` // that it is for, with commas between
	Fingerprint string    `json:"fingerprint_sha256"`
	Version     string    `json:"tls_version"`
	Cipher      string    `json:"tls_cipher,omitempty"`
}

// RunnerReport is what the place did to the probe.
type RunnerReport struct {
	ColdStart bool    `json:"cold_start"`
	Wait      float64 `json:"cpu_wait_seconds"`
	Throttled bool    `json:"throttled"`
}

// MetricJSON is a metric.
type MetricJSON struct {
	Name   string       `json:"name"`
	Help   string       `json:"help"`
	Series []SeriesJSON `json:"series"`
}

// SeriesJSON is a series with its value; what JSON has no number for is a string.
type SeriesJSON struct {
	Labels map[string]string `json:"labels"`
	Value  number            `json:"value"`
}

type number float64

// MarshalJSON writes a number, or "NaN", "+Inf", "-Inf".
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'f', -1, 64))
	}
	return json.Marshal(float64(n))
}

// NewReport returns a report of a probe; whole adds its metrics and its log.
func NewReport(s *Seen, whole bool) *Report {
	r := &Report{
		ID: s.ID, Name: s.Name, Target: s.Target, Module: s.Module, Region: s.Region, Labels: labelMap(s.Labels), Every: s.Every.Seconds(),
		Start: s.Start.UTC().Truncate(time.Millisecond), Duration: s.Duration.Seconds(), Timeout: s.Timeout.Seconds(),
		Success: s.Success, Attempts: s.Attempts, Failure: failureReport(s.Failure),
		Phases: s.Phases(), Certificate: s.Certificate(),
		Runner: RunnerReport{s.Cold, s.Wait.Seconds(), s.Throttled()},
	}
	if !whole {
		return r
	}
	r.Log = string(s.Log)
	for _, f := range s.Families {
		m := MetricJSON{Name: f.Name, Help: f.Help}
		for _, x := range f.Metrics {
			m.Series = append(m.Series, SeriesJSON{labelMap(x.Labels), number(x.Value)})
		}
		r.Metrics = append(r.Metrics, m)
	}
	return r
}

func failureReport(f *Failure) *FailureReport {
	if f == nil {
		return nil
	}
	return &FailureReport{f.Phase, f.Reason, f.Err.Error(), f.Remedy()}
}

func labelMap(ls narthex.Labels) map[string]string {
	out := make(map[string]string, len(ls))
	for _, l := range ls {
		out[l.Name] = l.Value
	}
	return out
}

// phaseMetrics are the metrics that have phases, with these in their order.
var phaseMetrics = []struct {
	name   string
	phases []string
}{
	{"probe_http_duration_seconds", []string{"resolve", "connect", "tls", "processing", "transfer"}},
	{"probe_grpc_duration_seconds", []string{"resolve", "connect", "tls", "check"}},
	{"probe_websocket_duration_seconds", []string{"resolve", "connect", "tls", "upgrade", "conversation"}},
	{"probe_dns_duration_seconds", []string{"resolve", "connect", "tls", "request"}},
	{"probe_icmp_duration_seconds", []string{"resolve", "setup", "rtt"}},
}

// Phases returns how long each phase took, in the order in which they come. A
// prober without phases has resolve alone.
func (r *Result) Phases() []PhaseTime {
	out := []PhaseTime{}
	for _, m := range phaseMetrics {
		f := r.family(m.name)
		if f == nil {
			continue
		}
		for _, phase := range m.phases {
			for _, x := range f.Metrics {
				if x.Labels.Get("phase") == phase {
					out = append(out, PhaseTime{phase, x.Value})
				}
			}
		}
		for _, x := range f.Metrics { // those that are not in the list
			if phase := x.Labels.Get("phase"); !has(m.phases, phase) {
				out = append(out, PhaseTime{phase, x.Value})
			}
		}
		return out
	}
	if v, ok := r.Value("probe_dns_lookup_time_seconds"); ok {
		out = append(out, PhaseTime{"resolve", v})
	}
	return out
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// family returns a metric of the result, nil if there is none.
func (r *Result) family(name string) *openmetrics.Family {
	for i := range r.Families {
		if r.Families[i].Name == name && len(r.Families[i].Metrics) > 0 {
			return &r.Families[i]
		}
	}
	return nil
}

// Value returns the value of a metric with one series.
func (r *Result) Value(name string) (float64, bool) {
	if f := r.family(name); f != nil {
		return f.Metrics[0].Value, true
	}
	return 0, false
}

// Certificate returns what is known of the peer's certificate, nil if nothing is.
func (r *Result) Certificate() *Certificate {
	expires, ok := r.Value("probe_ssl_earliest_cert_expiry")
	if !ok {
		return nil
	}
	at := time.Unix(int64(expires), 0).UTC()
	c := &Certificate{Expires: at, DaysLeft: math.Round(at.Sub(r.Start).Hours()/24*10) / 10}
	if f := r.family("probe_ssl_last_chain_info"); f != nil {
		ls := f.Metrics[0].Labels
		c.Subject, c.Issuer, c.Names, c.Fingerprint = ls.Get("subject"), ls.Get("issuer"), ls.Get("subjectalternative"), ls.Get("fingerprint_sha256")
	}
	if f := r.family("probe_tls_version_info"); f != nil {
		c.Version = f.Metrics[0].Labels.Get("version")
	}
	if f := r.family("probe_tls_cipher_info"); f != nil {
		c.Cipher = f.Metrics[0].Labels.Get("cipher")
	}
	return c
}
