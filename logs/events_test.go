package logs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/logs"
	"narthex/state"
)

// An event is a request in a log stream; its number is its id.
func message(stream string, events ...int) []byte {
	var list []string
	for _, n := range events {
		text, _ := json.Marshal(fmt.Sprintf(`{"status":"200","routeKey":"GET /a","responseLatency":"%d"}`, n%100))
		list = append(list, fmt.Sprintf(`{"id":"%056d","timestamp":%d,"message":%s}`, n, 1767323045000+int64(n)*1000, text))
	}
	return gzipped(`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/api","logStream":"` + stream + `","logEvents":[` + strings.Join(list, ",") + `]}`)
}

func upto(from, to int) (list []int) {
	for n := from; n < to; n++ {
		list = append(list, n)
	}
	return list
}

// An event counts once, however messages are cut.
func TestEventsOnce(t *testing.T) {
	l, keep := newLedger(), new(state.Memory)
	s := source(t, l, keep)
	for i, c := range []struct {
		stream        string
		events        []int
		counted, want int // of this message, of all
	}{
		{"a", []int{1, 2, 3}, 3, 3},
		{"a", []int{1, 2, 3}, 0, 3},
		{"a", []int{3, 4}, 1, 4},
		{"a", []int{5, 5, 4, 5}, 1, 5},
		{"a", []int{1, 2, 3, 4, 5}, 0, 5},
		{"b", []int{1, 2}, 2, 7},         // another stream's are other events
		{"a", upto(0, 2000), 1995, 2002}, // in several parts of an hour
		{"a", []int{7, 1999, 2000}, 1, 2003},
	} {
		if i == 4 {
			s = source(t, l, keep) // another instance
		}
		r, err := s.CloudWatch(t.Context(), message(c.stream, c.events...), time.Time{})
		if err != nil || r.Report.Counted != int64(c.counted) || r.Duplicate != (c.counted == 0) || l.requests() != c.want {
			t.Errorf("%d: %d counted, want %d; in all %d, want %d: %+v, %v", i, r.Report.Counted, c.counted, l.requests(), c.want, r, err)
		}
	}
}

// Events without ids are told apart by what they say and where.
func TestEventsWithoutIDs(t *testing.T) {
	l := newLedger()
	s := source(t, l, new(state.Memory))
	event := `{"timestamp":1,"message":"{\"status\":\"200\",\"routeKey\":\"GET /a\"}"}`
	text := `{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/api","logStream":"s","logEvents":[` + event + "," + event + "]}"
	for range 2 {
		if _, err := s.CloudWatch(t.Context(), gzipped(text), time.Time{}); err != nil || l.requests() != 2 {
			t.Errorf("%d requests, want 2; %v", l.requests(), err)
		}
	}
}

// A place that is full is followed by another.
func TestEventsMany(t *testing.T) {
	l := newLedger()
	s := source(t, l, new(state.Memory))
	many := func(from int) []byte { // within one second
		var list []string
		for n := from; n < from+6000; n++ {
			list = append(list, fmt.Sprintf(`{"id":"%d","timestamp":1,"message":"{\"status\":\"200\",\"routeKey\":\"GET /a\"}"}`, n))
		}
		return gzipped(`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/api","logStream":"s","logEvents":[` + strings.Join(list, ",") + `]}`)
	}
	for _, from := range []int{0, 5000, 10_000, 15_000, 0, 18_000, 9000} {
		if _, err := s.CloudWatch(t.Context(), many(from), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.requests(); n != 24_000 {
		t.Errorf("%d requests, want 24000", n)
	}
}

// A tripwire is a store that fails once, before or after it has done what it was
// asked for.
type tripwire struct {
	state.Store
	mu     sync.Mutex
	n, at  int
	broken bool
}

func (f *tripwire) trip() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	f.broken = f.broken || f.n == f.at
	return f.n == f.at
}

func (f *tripwire) Save(ctx context.Context, key string, prev state.Entry, data []byte) (state.Entry, error) {
	if f.trip() {
		return state.Entry{}, unavailable()
	}
	e, err := f.Store.Save(ctx, key, prev, data)
	if f.trip() {
		return state.Entry{}, unavailable()
	}
	return e, err
}

// Whatever fails at whatever point, and whichever message comes next, each event
// counts once.
func TestEventsFaults(t *testing.T) {
	done := false
	for at := 1; !done; at++ {
		l := newLedger()
		keep := &tripwire{Store: new(state.Memory), at: at}
		l.fail = func(string, bool) error {
			if keep.trip() {
				return unavailable()
			}
			return nil
		}
		deliver := func(events ...int) {
			// Each time by another instance, until it is taken.
			for range 3 {
				_, err := source(t, l, keep).CloudWatch(t.Context(), message("a", events...), time.Time{})
				if err == nil {
					return
				}
			}
			t.Fatalf("fault %d: %v is not taken", at, events)
		}
		s := source(t, l, keep)
		if _, err := s.CloudWatch(t.Context(), message("a", 1, 2, 3), time.Time{}); err != nil {
			deliver(2, 3, 4) // overlaps with the one that failed
			deliver(1, 2, 3)
		}
		deliver(3, 4, 5)
		deliver(1, 5)
		if n := l.requests(); n != 5 {
			t.Errorf("fault %d: %d requests, want 5", at, n)
		}
		done = !keep.broken
	}
}

// Instances are told of the same events, differently cut, at the same time.
func TestEventsAtTheSameTime(t *testing.T) {
	l, keep := newLedger(), new(state.Memory)
	var all sync.WaitGroup
	for i := range 8 {
		s := source(t, l, keep, func(o *logs.Options) { o.Log.FanOut = 1 + i })
		r := rand.New(rand.NewPCG(uint64(i), 1))
		all.Go(func() {
			for range 30 {
				from := r.IntN(290)
				m := message("a", upto(from, from+10)...)
				for {
					_, err := s.CloudWatch(t.Context(), m, time.Time{})
					if err == nil {
						break
					} else if narthex.KindOf(err) != narthex.Unavailable {
						t.Error(err)
						break
					}
				}
			}
			for _, from := range []int{0, 100, 200} {
				if _, err := s.CloudWatch(t.Context(), message("a", upto(from, from+100)...), time.Time{}); err != nil && narthex.KindOf(err) != narthex.Unavailable {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if _, err := source(t, l, keep).CloudWatch(t.Context(), message("a", upto(0, 300)...), time.Time{}); err != nil {
		t.Error(err)
	}
	if n := l.requests(); n != 300 {
		t.Errorf("%d requests, want 300", n)
	}
}

// What the sink refuses for good is told, and does not stand in the way of what
// comes next. What is known of events goes after a day.
func TestEventsRefusedAndForgotten(t *testing.T) {
	l, keep, now := newLedger(), new(state.Memory), time.Now()
	s := source(t, l, keep, func(o *logs.Options) {
		o.Now = func() time.Time { return now }
		o.Log = accesslog.Options{Format: "apigateway"}
	})
	l.fail = func(string, bool) error { return narthex.Errorf(narthex.Invalid, "too old") }
	if r, err := s.CloudWatch(t.Context(), message("a", 1), time.Time{}); !narthex.IsRejected(err) || r.Error == "" {
		t.Errorf("%+v, %v", r, err)
	}
	l.fail = nil
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {24 * time.Hour, 1}, {26 * time.Hour, 2}} {
		now = now.Add(c.after)
		clear(l.ids) // the sink remembers for a day, too
		if _, err := s.CloudWatch(t.Context(), message("a", 2), time.Time{}); err != nil || l.requests() != c.want {
			t.Errorf("after %v: %d requests, want %d; %v", c.after, l.requests(), c.want, err)
		}
	}
}
