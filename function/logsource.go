package function

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/emf"
	"narthex/logs"
)

// logSource is a source of access logs in JSON, with the keys that the
// configuration's logs have. A configuration itself would bring a YAML library
// with it, which is half a megabyte.
type logSource struct {
	Source string `json:"source"`
	// From is which logs it is for: what s3://bucket/key or cloudwatch:group
	// begins with. Empty is all.
	From         string            `json:"from"`
	Format       string            `json:"format"`
	Fields       []string          `json:"fields"`
	Delimiter    string            `json:"delimiter"`
	Mapping      map[string]string `json:"mapping"`
	Preset       string            `json:"preset"`
	Metrics      []logMetric       `json:"metrics"`
	Routes       []string          `json:"routes"`
	Learn        bool              `json:"learn"`
	Labels       map[string]string `json:"labels"`
	EventTime    bool              `json:"event_time"`
	Lateness     string            `json:"lateness"`
	SamplingRate float64           `json:"sampling_rate"`
	MaxSeries    int               `json:"max_series"`
}

type logMetric struct {
	Name    string     `json:"name"`
	Of      string     `json:"of"`
	Buckets string     `json:"buckets"`
	Help    string     `json:"help"`
	Labels  []logLabel `json:"labels"`
}

type logLabel struct {
	Name     string `json:"name"`
	From     string `json:"from"`
	Limit    int    `json:"limit"`
	Required bool   `json:"required"`
}

// readLogs reads NARTHEX_LOGS: a list of sources in JSON, or the name of a file
// that has one. Without it there is one source with all defaults, which takes
// whatever the function is told of.
func readLogs(text string) ([]logSource, error) {
	data := []byte(text)
	if text == "" {
		data = []byte(`[{"source": "logs"}]`)
	} else if !strings.HasPrefix(text, "[") {
		var err error
		if data, err = os.ReadFile(text); err != nil {
			return nil, fmt.Errorf("NARTHEX_LOGS: %w; want a list of sources in JSON, or the name of a file that has one", err)
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var list []logSource
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("NARTHEX_LOGS: %w", err)
	}
	names := make(map[string]bool)
	for i := range list {
		s := &list[i]
		if names[s.Source] {
			return nil, fmt.Errorf("NARTHEX_LOGS: the source %q is given twice", s.Source)
		}
		names[s.Source] = true
		o, err := s.options()
		if err == nil {
			err = o.Check()
		}
		if err != nil {
			return nil, fmt.Errorf("NARTHEX_LOGS: %w", err)
		}
	}
	return list, nil
}

// options returns the source's options, but for where its increments go.
func (s *logSource) options() (logs.Options, error) {
	o := accesslog.Options{
		Format: s.Format, Fields: s.Fields, Delimiter: s.Delimiter, Mapping: s.Mapping, Preset: s.Preset,
		Routes: s.Routes, Learn: s.Learn, SamplingRate: s.SamplingRate, MaxSeries: s.MaxSeries,
		EMF: func(line []byte) ([]narthex.Series, error) { return emf.Parse(line, emf.Options{}) },
	}
	for _, m := range s.Metrics {
		x := accesslog.Metric{Name: m.Name, Of: m.Of, Buckets: m.Buckets, Help: m.Help}
		for _, l := range m.Labels {
			x.Labels = append(x.Labels, accesslog.Label(l))
		}
		o.Metrics = append(o.Metrics, x)
	}
	out := logs.Options{Name: s.Source, Log: o}
	for name, value := range s.Labels {
		out.Labels = out.Labels.With(name, value)
	}
	if s.EventTime {
		out.Lateness = 15 * time.Minute
		if s.Lateness != "" {
			var err error
			if out.Lateness, err = time.ParseDuration(s.Lateness); err != nil || out.Lateness < time.Minute || out.Lateness > 24*time.Hour {
				return out, fmt.Errorf("the source %q: lateness is %q: want a duration from 1m to 24h", s.Source, s.Lateness)
			}
		}
	}
	return out, nil
}
