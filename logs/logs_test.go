package logs_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/accesslog"
	"narthex/logs"
	"narthex/state"
)

// ledger is a sink that counts each id once, as the real one does.
type ledger struct {
	mu     sync.Mutex
	ids    map[string]bool
	totals map[string]float64
	// fail, if not nil, decides before (applied false) and after an entry was
	// counted whether Write returns an error.
	fail func(id string, applied bool) error
}

func newLedger() *ledger { return &ledger{ids: map[string]bool{}, totals: map[string]float64{}} }

func (l *ledger) Write(_ context.Context, b *narthex.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(b.ID, false); err != nil {
			return err
		}
	}
	key := b.Identity + " " + b.ID
	if b.Duplicate = l.ids[key]; !b.Duplicate {
		l.ids[key] = true
		for _, s := range b.Series {
			for _, x := range s.Samples {
				if x.Histogram != nil {
					l.totals[s.Labels.String()] += x.Histogram.Count
				} else {
					l.totals[s.Labels.String()] += x.Value
				}
			}
		}
	}
	if l.fail != nil {
		return l.fail(b.ID, true)
	}
	return nil
}

func (l *ledger) known(_ context.Context, identity, id string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids[identity+" "+id], nil
}

// requests is the sum of a counter.
func (l *ledger) requests() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, v := range l.totals {
		if strings.HasPrefix(name, "http_requests_total") {
			n += int(v)
		}
	}
	return n
}

func unavailable() error { return narthex.Errorf(narthex.Unavailable, "not now") }

func source(t testing.TB, sink narthex.Sink, keep state.Store, change ...func(*logs.Options)) *logs.Source {
	t.Helper()
	o := logs.Options{Name: "test", Sink: sink, Keep: keep, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if l, ok := sink.(*ledger); ok {
		o.Known = l.known
	}
	for _, f := range change {
		f(&o)
	}
	s, err := logs.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines are n requests in the common log format, the first with the number from.
func lines(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "192.0.2.7 - - [02/Jan/2026:03:%02d:%02d +0000] \"GET /v1/users/%d HTTP/1.1\" 200 %d \"-\" \"agent %d\" 0.012\n", i/60%60, i%60, i, i, i)
	}
	return b.String()
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func object(id string, body []byte) logs.Object {
	return logs.Object{ID: id, Name: "log", Body: bytes.NewReader(body)}
}

func TestObjectTwice(t *testing.T) {
	l := newLedger()
	s := source(t, l, new(state.Memory))
	body := gzipped(lines(0, 100))
	for i := range 3 {
		r, err := s.Object(t.Context(), object("a", body))
		if err != nil || r.Duplicate != (i > 0) || r.Report.Counted != 100 {
			t.Errorf("%d: %+v, %v", i, r, err)
		}
	}
	if n := l.requests(); n != 100 {
		t.Errorf("%d requests, want 100", n)
	}
}

func TestObjectCutOff(t *testing.T) {
	l := newLedger()
	s := source(t, l, new(state.Memory))
	body := gzipped(lines(0, 1000))
	if _, err := s.Object(t.Context(), object("a", body[:len(body)/2])); err == nil || narthex.IsRejected(err) {
		t.Errorf("an object that is cut off: %v, want an error that has it delivered again", err)
	}
	if n := l.requests(); n != 0 {
		t.Errorf("%d requests of half an object", n)
	}
	if _, err := s.Object(t.Context(), object("a", body)); err != nil || l.requests() != 1000 {
		t.Errorf("the whole: %d requests, %v", l.requests(), err)
	}
}

// An object in many entries is counted once, whatever fails on the way, even if
// what was learned meanwhile would label it otherwise now.
func TestObjectInParts(t *testing.T) {
	var big strings.Builder
	for i := range 400 {
		fmt.Fprintf(&big, "192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET /p%s/list HTTP/1.1\" 200 1 \"-\" \"-\" 0.1\n", strings.Repeat(string(rune('a'+i%26)), i/26+1))
	}
	for failAt := range 40 {
		l, keep := newLedger(), new(state.Memory)
		n := 0
		l.fail = func(string, bool) error {
			if n++; n == failAt+1 {
				return unavailable()
			}
			return nil
		}
		again := func(s *logs.Source) {
			if r, err := s.Object(t.Context(), object("big", []byte(big.String()))); err != nil {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		few := func(o *logs.Options) { o.MaxSeries = 10; o.Log = accesslog.Options{FanOut: 500, MaxRoutes: 1000} }
		s := source(t, l, keep, few)
		_, err := s.Object(t.Context(), object("big", []byte(big.String())))
		if err != nil {
			// Another instance, which has learned other routes, gets it next.
			other := source(t, newLedger(), new(state.Memory), few, func(o *logs.Options) { o.Log.FanOut = 2 })
			if _, err := other.Object(t.Context(), object("else", []byte(big.String()))); err != nil {
				t.Fatal(err)
			}
			again(source(t, l, keep, few, func(o *logs.Options) { o.Log.FanOut = 2 }))
		} else if failAt < 20 {
			t.Errorf("nothing failed at %d", failAt)
		}
		// It comes once more, and comes to more or fewer entries than before.
		again(source(t, l, keep, few, func(o *logs.Options) { o.MaxSeries = 4 }))
		again(source(t, l, keep, few, func(o *logs.Options) { o.MaxSeries = 5000 }))
		if n := l.requests(); n != 400 {
			t.Errorf("fault %d: %d requests, want 400", failAt, n)
		}
	}
}

// Instances that read the same object at the same time write the same entries.
func TestObjectAtTheSameTime(t *testing.T) {
	l, keep := newLedger(), new(state.Memory)
	var all sync.WaitGroup
	for i := range 8 {
		s := source(t, l, keep, func(o *logs.Options) { o.MaxSeries = 3; o.Log.FanOut = 1 + i })
		all.Go(func() {
			if _, err := s.Object(t.Context(), object("a", []byte(lines(0, 500)))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := l.requests(); n != 500 {
		t.Errorf("%d requests, want 500", n)
	}
}

// What one instance learned, the next one knows.
func TestLearnedIsKept(t *testing.T) {
	keep := new(state.Memory)
	first := source(t, newLedger(), keep)
	if _, err := first.Object(t.Context(), object("a", []byte(lines(0, 10)))); err != nil {
		t.Fatal(err)
	}
	l := newLedger()
	next := source(t, l, keep)
	refused := strings.ReplaceAll(lines(0, 10), "\" 200 ", "\" 404 ") // makes no route of its own
	if _, err := next.Object(t.Context(), object("b", []byte(refused))); err != nil {
		t.Fatal(err)
	}
	for name := range l.totals {
		if strings.HasPrefix(name, "http_requests_total") && !strings.Contains(name, `route="/v1/users/{id}"`) {
			t.Errorf("%s has another route", name)
		}
	}
}

func TestLabelsAndLateness(t *testing.T) {
	var got narthex.Batch
	s := source(t, narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		got = *b
		return nil
	}), new(state.Memory), func(o *logs.Options) {
		o.Labels, o.Lateness = narthex.Labels{{Name: "site", Value: "shop"}}, 10*time.Minute
	})
	if _, err := s.Object(t.Context(), object("a", []byte(lines(50, 20)))); err != nil {
		t.Fatal(err)
	}
	if got.Lateness != 10*time.Minute || got.ID != "a#0" || got.Identity != "logs:test" {
		t.Errorf("%+v", got)
	}
	for _, x := range got.Series {
		if x.Labels.Get("site") != "shop" || len(x.Samples) != 2 {
			t.Errorf("%s has %d samples, want two minutes", x.Labels, len(x.Samples))
		}
	}
}

func TestErrorsOfTheSink(t *testing.T) {
	l := newLedger()
	l.fail = func(string, bool) error { return narthex.Errorf(narthex.Invalid, "too old") }
	stats := logs.NewStats(nil)
	s := source(t, l, new(state.Memory), func(o *logs.Options) { o.Stats, o.MaxSeries = stats, 1 })
	r, err := s.Object(t.Context(), object("a", []byte(lines(0, 10))))
	if !narthex.IsRejected(err) || !strings.Contains(r.Error, "too old") {
		t.Errorf("%+v, %v", r, err)
	}
	var e *narthex.Error
	if recent := stats.Recent(); len(recent) != 1 || !errors.As(err, &e) {
		t.Errorf("%d receipts", len(recent))
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, name := range []string{"", ".", "a/b", strings.Repeat("a", 65), "ä"} {
		if (logs.Options{Name: name}).Check() == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
	if err := (logs.Options{Name: "a.b-C_9", Log: accesslog.Options{Format: "x"}}).Check(); err == nil || !strings.Contains(err.Error(), "format") {
		t.Error(err)
	}
}

func TestCloudWatch(t *testing.T) {
	l := newLedger()
	s := source(t, l, new(state.Memory), func(o *logs.Options) {
		o.Log.Metrics = []accesslog.Metric{{Name: "http_requests_total", Of: "requests", Labels: []accesslog.Label{{Name: "status"}}}}
	})
	message := `{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/api","logStream":"s","subscriptionFilters":["f"],"logEvents":[
		{"id":"1","timestamp":1,"message":"{\"status\":\"200\",\"routeKey\":\"GET /a\",\"requestTime\":\"02/Jan/2026:03:04:05 +0000\"}"},
		{"id":"2","timestamp":2,"message":"{\"status\":\"500\",\n\"routeKey\":\"GET /a\"}\n"}]}`
	for _, counted := range []int64{2, 0} {
		if r, err := s.CloudWatch(t.Context(), gzipped(message), time.Time{}); err != nil || r.Report.Counted != counted || r.Duplicate != (counted == 0) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	want := map[string]float64{`http_requests_total{status="200"}`: 1, `http_requests_total{status="500"}`: 1}
	if d := cmp.Diff(want, l.totals); d != "" {
		t.Error(d)
	}
	if group, err := logs.CloudWatchGroup(gzipped(message)); group != "/api" || err != nil {
		t.Error(group, err)
	}
	control := gzipped(`{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: Checking health of destination"}]}`)
	if r, err := s.CloudWatch(t.Context(), control, time.Time{}); err != nil || r.Report.Lines != 0 {
		t.Errorf("control: %+v, %v", r, err)
	}
	for _, bad := range [][]byte{nil, []byte("x"), gzipped("{"), gzipped(`{"messageType":"OTHER"}`), gzipped(message)[:50]} {
		if _, err := s.CloudWatch(t.Context(), bad, time.Time{}); !narthex.IsRejected(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzCloudWatch(f *testing.F) {
	f.Add([]byte(`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","message":"x"}]}`), true)
	f.Add([]byte{0x1f, 0x8b}, false)
	s := source(f, newLedger(), new(state.Memory))
	f.Fuzz(func(t *testing.T, data []byte, packed bool) {
		if packed {
			data = gzipped(string(data))
		}
		if r, err := s.CloudWatch(t.Context(), data, time.Time{}); r == nil {
			t.Errorf("no receipt, %v", err)
		}
	})
}

// Whoever tells of an object tells when it was written, and may tell of a time to
// come: it counts as received now, so that no value is set for the future.
func TestObjectsOfTheFuture(t *testing.T) {
	now := time.Now()
	var got []time.Time
	sink := narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		got = append(got, b.Received)
		return nil
	})
	s := source(t, sink, new(state.Memory), func(o *logs.Options) { o.Now = func() time.Time { return now } })
	for i, at := range []time.Time{now.Add(-time.Hour), now.Add(365 * 24 * time.Hour), {}} {
		if _, err := s.Object(t.Context(), logs.Object{ID: fmt.Sprint(i), Name: "log", Received: at, Body: strings.NewReader(lines(i, 1))}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []time.Time{now.Add(-time.Hour), now, now}; !slices.Equal(got, want) {
		t.Errorf("received at %v, want %v", got, want)
	}
}
