package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
	"narthex/push"
)

// gate is the doors over a real ledger, whose clock the test moves.
type gate struct {
	t      *testing.T
	mux    *http.ServeMux
	ledger *ledger.Ledger
	log    *strings.Builder

	mu     sync.Mutex
	now    time.Time
	values map[string]float64 // what was written last, by series
}

func newGate(t *testing.T, o push.Options) *gate {
	t.Helper()
	g := &gate{t: t, mux: http.NewServeMux(), now: now, values: make(map[string]float64), log: new(strings.Builder)}
	clock := func() time.Time {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.now
	}
	l, err := ledger.Open(context.Background(), ledger.Options{
		Dir: t.TempDir(), Sink: narthex.SinkFunc(g.store), Now: clock,
		Policy: ledger.Policy{Interval: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	g.ledger = l
	o.Sink, o.Now = l, clock
	o.Logger = slog.New(slog.NewTextHandler(g.log, nil))
	o.Groups = func() (out []push.GroupState) {
		for _, x := range l.Groups() {
			out = append(out, push.GroupState(x))
		}
		return out
	}
	push.Mount(g.mux, o)
	return g
}

func (g *gate) store(_ context.Context, b *narthex.Batch) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range b.Series {
		for _, x := range s.Samples {
			name := s.Labels.String()
			switch {
			case math.Float64bits(x.Value) == 0x7ff0000000000002:
				delete(g.values, name)
			case x.Histogram != nil:
				g.values[name+" count"] = x.Histogram.Count
			default:
				g.values[name] = x.Value
			}
		}
	}
	return nil
}

// do sends a request; headers are "Name: value".
func (g *gate) do(method, path, body string, headers ...string) (code int, answer string) {
	g.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	g.mux.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// tick lets a second pass and returns the series as they were written last, a
// line each, in order; the times of pushes are relative to the start.
func (g *gate) tick() string {
	g.t.Helper()
	g.mu.Lock()
	g.now = g.now.Add(time.Second)
	g.mu.Unlock()
	if err := g.ledger.Tick(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var lines []string
	for name, v := range g.values {
		if strings.Contains(name, "_time_seconds") && v != 0 {
			v -= float64(now.Unix())
		}
		lines = append(lines, fmt.Sprintf("%s %v", name, v))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// without drops the lines of the groups' own gauges.
func without(lines string) string {
	var out []string
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, "push_") {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return strings.Join(out, "\n")
}
