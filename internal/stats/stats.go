// Package stats is how narthex counts what it does itself: counters, gauges and
// histograms in the text exposition format 0.0.4, for its /metrics.
//
// Source: Prometheus, "Exposition formats".
package stats

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Set is a list of metrics. The zero Set is empty and ready; its methods may be
// called from several goroutines.
type Set struct {
	mu       sync.Mutex
	families []*family
}

type family struct {
	name, help, typ string
	labels          string              // of the one member that read has
	read            func() float64      // or
	vec             map[string]*Counter // by labels as text, or
	hist            *Histogram
}

// Counter is a number that only rises.
type Counter struct{ n atomic.Uint64 }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// CounterFunc registers a counter that is kept elsewhere.
func (s *Set) CounterFunc(name, help string, read func() uint64) {
	s.add(&family{name: name, help: help, typ: "counter", read: func() float64 { return float64(read()) }})
}

// GaugeFunc registers a gauge that is read when it is asked for.
func (s *Set) GaugeFunc(name, help string, read func() float64) {
	s.add(&family{name: name, help: help, typ: "gauge", read: read})
}

// Info registers a gauge that is always 1 and says something in its label.
func (s *Set) Info(name, help, label, value string) {
	s.add(&family{name: name, help: help, typ: "gauge", labels: "{" + label + "=" + quote(value) + "}", read: func() float64 { return 1 }})
}

// CounterVec registers a counter with labels and returns what gives its
// members: with takes the labels' values, in the order of names.
func (s *Set) CounterVec(name, help string, names ...string) (with func(values ...string) *Counter) {
	f := &family{name: name, help: help, typ: "counter", vec: make(map[string]*Counter)}
	s.add(f)
	return func(values ...string) *Counter {
		var key strings.Builder
		for i, n := range names {
			if i > 0 {
				key.WriteByte(',')
			}
			key.WriteString(n + "=" + quote(values[i]))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		c := f.vec[key.String()]
		if c == nil {
			c = new(Counter)
			f.vec[key.String()] = c
		}
		return c
	}
}

// Histogram registers a histogram with the upper bounds of its buckets, rising; the
// one without a bound is added.
func (s *Set) Histogram(name, help string, bounds ...float64) *Histogram {
	h := &Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
	s.add(&family{name: name, help: help, typ: "histogram", hist: h})
	return h
}

func (s *Set) add(f *family) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.families = append(s.families, f)
}

// WriteTo writes all metrics, in the order of their registration.
func (s *Set) WriteTo(w io.Writer) (int64, error) {
	s.mu.Lock()
	families := slices.Clone(s.families)
	s.mu.Unlock()
	out := &counting{w: w}
	b := bufio.NewWriter(out)
	for _, f := range families {
		b.WriteString("# HELP " + f.name + " " + helpText.Replace(f.help) + "\n# TYPE " + f.name + " " + f.typ + "\n")
		if f.read != nil {
			b.WriteString(f.name + f.labels + " " + number(f.read()) + "\n")
			continue
		}
		if f.hist != nil {
			f.hist.write(b, f.name)
			continue
		}
		for _, line := range s.members(f) {
			b.WriteString(line)
		}
	}
	err := b.Flush()
	return out.n, err
}

func (s *Set) members(f *family) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for labels, c := range f.vec {
		lines = append(lines, f.name+"{"+labels+"} "+number(float64(c.n.Load()))+"\n")
	}
	slices.Sort(lines)
	return lines
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

var (
	helpText   = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelValue = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func quote(v string) string { return `"` + labelValue.Replace(v) + `"` }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
