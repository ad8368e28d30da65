package verify

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"narthex"
	"narthex/internal/message"
	"narthex/remotewrite"
)

// Strategy is one way to deliver counts, and what came of it.
type Strategy struct {
	Name    string  `json:"name"`
	About   string  `json:"about"`
	Query   string  `json:"query"` // the function by which one would read it
	Truth   float64 `json:"truth"`
	Got     float64 `json:"got"`     // what the query says over all of the time
	Exists  bool    `json:"exists"`  // the query has a result
	Series  int     `json:"series"`  // that are stored
	Samples int     `json:"samples"` // that are stored
	Refused int     `json:"refused"` // requests
	Falls   int     `json:"falls"`   // from one sample to the next, each a reset to increase()
	Refusal string  `json:"refusal,omitempty"`
}

// The events: so many instances count for so long, and what they have counted
// arrives late, and sometimes twice.
const (
	eventSpan      = 60_000 // ms
	eventCount     = 60
	eventInstances = 8
	eventLate      = 20_000 // ms at most
)

// event is an increment of one instance.
type event struct {
	at, arrives int64 // ms since the beginning
	instance    int
	n           float64
	again       bool // it is delivered a second time
}

// events are the same for all strategies and each run.
func events() (all []event, truth float64) {
	r := rand.New(rand.NewPCG(20, 26))
	for i := range eventCount {
		at := int64(i)*eventSpan/eventCount + r.Int64N(700)
		e := event{at: at, arrives: at + r.Int64N(eventLate), instance: r.IntN(eventInstances), n: float64(1 + r.IntN(3))}
		truth += e.n
		all = append(all, e)
		if r.IntN(5) == 0 {
			e.arrives += r.Int64N(eventLate / 2)
			e.again = true
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return int(a.arrives - b.arrives) })
	return all, truth
}

// delivery is one request of a strategy: a sample of one series.
type delivery struct {
	series narthex.Series
	v      remotewrite.Version
}

// plan is a strategy before it is tried.
type plan struct {
	name, about, query string
	requests           []delivery
}

// Replay delivers the same minute of counting by each strategy, on series of its
// own in the time just past, and reads back what PromQL makes of it. Options
// must have a QueryURL.
func Replay(ctx context.Context, o Options) ([]Strategy, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	a, err := s.write(ctx, v2, s.one("version2", s.now, 1))
	if err != nil {
		return nil, err
	}
	s.speaks[v2] = a.taken() && a.written[remotewrite.HeaderSamplesWritten] == "1"
	begin := s.now - eventSpan - 2*eventLate
	begin -= begin % 1000 // so that two runs come to the same
	all, truth := events()
	var out []Strategy
	plans := s.plans(begin, all)
	for _, p := range plans {
		x := Strategy{Name: p.name, About: p.about, Query: p.query, Truth: truth}
		for _, d := range p.requests {
			a, err := s.write(ctx, d.v, d.series)
			if err != nil {
				return nil, err
			}
			if !a.taken() {
				if x.Refused++; x.Refusal == "" {
					x.Refusal = message.Clip(a.said(), 200)
				}
			}
		}
		out = append(out, x)
	}
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	for i := range out {
		if err := s.judge(ctx, &out[i], begin); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// metricOf returns the metric's name of a strategy.
func metricOf(name string) string { return prefix + strings.ToLower(name) + "_total" }

// judge reads back what a strategy has brought.
func (s *session) judge(ctx context.Context, x *Strategy, begin int64) error {
	name := metricOf(x.Name)
	got, err := s.read(ctx, name)
	if err != nil {
		return err
	}
	x.Series = len(got)
	last := begin
	for _, g := range got {
		x.Samples += len(g.samples)
		for i, v := range g.samples {
			last = max(last, v.Time)
			if x.Query == "increase" && i > 0 && v.Value < g.samples[i-1].Value {
				x.Falls++
			}
		}
	}
	// The window begins before the first sample and ends with the last.
	window := (last-begin)/1000 + 6
	expr := fmt.Sprintf("sum(%s(%s{run=%q}[%ds]))", x.Query, name, s.o.Run, window)
	x.Got, x.Exists, err = s.scalar(ctx, expr, last)
	return err
}

// PrintStrategies writes the outcomes for people.
func PrintStrategies(w io.Writer, all []Strategy) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe same minute of counting, %d increments of %d instances that arrive up to %d s late, and one of five twice:\n\n", eventCount, eventInstances, eventLate/1000)
	fmt.Fprintf(&b, "%-4s %-52s %6s %9s %7s %7s %8s %7s\n", "", "", "truth", "PromQL", "series", "samples", "refused", "falls")
	for _, x := range all {
		got := "nothing"
		if x.Exists {
			got = fmt.Sprintf("%.4g", x.Got)
		}
		mark := ""
		if x.Right() {
			mark = "  right"
		}
		fmt.Fprintf(&b, "%-4s %-52s %6.0f %9s %7d %7d %8d %7d%s\n", x.Name, x.About, x.Truth, got, x.Series, x.Samples, x.Refused, x.Falls, mark)
	}
	fmt.Fprintf(&b, "\nPromQL is sum(increase(…)) over all of it; of S1s, S2 and S3\nsum(sum_over_time(…)), for their samples are increments.\nnarthex delivers as in S4.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Right reports whether PromQL says the truth, to one in a hundred.
func (x Strategy) Right() bool { return x.Exists && math.Abs(x.Got-x.Truth) <= 0.01*x.Truth }
