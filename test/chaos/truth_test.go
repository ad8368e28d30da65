//go:build linux

package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// entry is one push: the same body under the same id, however often it is sent.
type entry struct {
	id, body  string
	adds      map[string]int64 // by key, see observed
	sender    int
	series    int   // the n of one of its chaos_total
	gauge     int64 // the sender's, 0 for none
	own       bool  // it has a sample with a time of its own
	abandoned bool  // it is tried once
	late      bool  // a sample of it, of chaos_future, may not be the store's any more when it arrives
	queued    bool  // it was acknowledged as queued, not as counted
	counted   bool  // it is known to count, see truth.settled
	begun     time.Time

	acked time.Time // by the programs' clock; zero: not yet
}

// truth is what the store has to come to.
type truth struct {
	mu        sync.Mutex
	issued    map[string]int64 // by key: all that may be there
	acked     map[string]int64 // and what must
	gauges    map[int]int64    // by sender, the last one acknowledged
	own       map[int]int64    // by sender, how many were acknowledged
	abandoned map[string]*entry
	done      []*entry // the last that were acknowledged
	open      int      // begun, and neither acknowledged nor abandoned
	tries     int
}

func newTruth() *truth {
	return &truth{issued: map[string]int64{}, acked: map[string]int64{}, gauges: map[int]int64{}, own: map[int]int64{}, abandoned: map[string]*entry{}}
}

// begin takes an entry for one that may be counted from now on.
func (t *truth) begin(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
	if e.abandoned {
		t.abandoned[e.id] = e
		return
	}
	for key, n := range e.adds {
		t.issued[key] += n
	}
}

// acknowledge takes it for one that has to be counted from now on.
func (t *truth) acknowledge(e *entry, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	e.acked = now
	if e.abandoned {
		return
	}
	for key, n := range e.adds {
		t.acked[key] += n
	}
	if e.gauge > 0 {
		t.gauges[e.sender] = e.gauge
	}
	if e.own {
		t.own[e.sender]++
	}
	if t.done = append(t.done, e); len(t.done) > 200 {
		t.done = t.done[100:]
	}
}

// settled returns what takes all that is acknowledged by now for counted, for when
// the stores have it; nil while others are under way, which might be there instead.
func (t *truth) settled() func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open > 0 {
		return nil
	}
	done := slices.Clone(t.done)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, e := range done {
			e.counted = true
		}
	}
}

func (t *truth) counts(e *entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return e.counted
}

func (t *truth) abandon(*entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
}

func (t *truth) under() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

// copies returns what must and what may be there by now.
func (t *truth) copies() (acked, issued map[string]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.acked), maps.Clone(t.issued)
}

// known returns one of the last entries that were acknowledged after a time.
func (t *truth) known(r *rand.Rand, after time.Time) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.done) == 0 {
		return nil
	}
	if e := t.done[r.IntN(len(t.done))]; e.acked.After(after) {
		return e
	}
	return nil
}

// observed is what PromQL is asked for, by the first part of a key; the label n is
// the second. RANGE is the window.
var observed = map[string]string{
	"chaos_total":             `last_over_time(chaos_total[RANGE])`,
	"chaos_size_count":        `last_over_time(chaos_size_count[RANGE])`,
	"chaos_size_sum":          `last_over_time(chaos_size_sum[RANGE])`,
	"chaos_size_bucket":       `last_over_time(chaos_size_bucket{le="2.0"}[RANGE])`,
	"histogram_count(native)": `histogram_count(last_over_time(chaos_native[RANGE]))`,
	"histogram_sum(native)":   `histogram_sum(last_over_time(chaos_native[RANGE]))`,
}

// counters are those that must not fall.
var counters = []string{"chaos_total", "chaos_size_count", "chaos_size_sum", "chaos_size_bucket", "chaos_abandoned_total"}

// maker makes entries. What it draws depends on its generator alone.
type maker struct {
	r    *rand.Rand
	set  parameters
	run  string
	n    int
	last map[int]int64 // by sender, the time of its last sample
}

// next makes an entry of a sender. now is the programs' clock.
func (m *maker) next(sender int, now time.Time) *entry {
	m.n++
	e := &entry{id: fmt.Sprintf("%s-%d", m.run, m.n), sender: sender, adds: map[string]int64{}}
	var body pushBody
	for _, n := range m.r.Perm(m.set.Series)[:1+m.r.IntN(3)] {
		add := int64(1 + m.r.IntN(5))
		body.Counters = append(body.Counters, item{Name: "chaos_total", Labels: labels("n", n), Add: add})
		e.adds[key("chaos_total", n)] += add
		e.series = n
	}
	if m.r.IntN(3) == 0 {
		m.observe(e, &body)
	}
	if !m.set.NoGauges && m.r.IntN(4) == 0 {
		e.gauge = int64(m.n)
		body.Gauges = append(body.Gauges, item{Name: "chaos_gauge", Labels: labels("sender", sender), Set: e.gauge})
	}
	if m.set.Own && m.r.IntN(4) == 0 {
		e.own = true
		m.last[sender] = max(now.UnixMilli(), m.last[sender]+1)
		body.Series = append(body.Series, item{Labels: map[string]string{"__name__": "chaos_own", "sender": strconv.Itoa(sender)}, As: "sample",
			Samples: []sample{{int64(m.n), m.last[sender]}}})
	}
	e.body = body.text()
	return e
}

// observe adds observations to an entry.
func (m *maker) observe(e *entry, body *pushBody) {
	n, values := m.r.IntN(m.set.Series), make([]int64, 1+m.r.IntN(4))
	for i := range values {
		values[i] = int64(m.r.IntN(9))
		e.adds[key("chaos_size_count", n)]++
		e.adds[key("chaos_size_sum", n)] += values[i]
		if values[i] <= 2 {
			e.adds[key("chaos_size_bucket", n)]++
		}
	}
	body.Histograms = append(body.Histograms, item{Name: "chaos_size", Labels: labels("n", n), Observe: values, Buckets: "small"})
	if m.set.Native {
		body.Histograms = append(body.Histograms, item{Name: "chaos_native", Labels: labels("n", n), Observe: values, Buckets: "native"})
		e.adds[key("histogram_count(native)", n)] = e.adds[key("chaos_size_count", n)]
		e.adds[key("histogram_sum(native)", n)] = e.adds[key("chaos_size_sum", n)]
	}
}

// abandoned makes one that its sender gives up after the first try, with a series
// of its own.
func (m *maker) abandoned(sender int) *entry {
	m.n++
	e := &entry{id: fmt.Sprintf("%s-%d", m.run, m.n), sender: sender, abandoned: true, adds: map[string]int64{}}
	add := int64(1 + m.r.IntN(5))
	e.adds["add"] = add
	e.body = pushBody{Counters: []item{{Name: "chaos_abandoned_total", Labels: map[string]string{"n": e.id}, Add: add}}}.text()
	return e
}

// pushBody is the body of POST /api/v1/push.
type pushBody struct {
	Counters   []item `json:"counters,omitempty"`
	Gauges     []item `json:"gauges,omitempty"`
	Histograms []item `json:"histograms,omitempty"`
	Series     []item `json:"series,omitempty"`
}

type item struct {
	Name    string            `json:"name,omitempty"`
	Labels  map[string]string `json:"labels"`
	Add     int64             `json:"add,omitempty"`
	Set     int64             `json:"set,omitempty"`
	Observe []int64           `json:"observe,omitempty"`
	Buckets string            `json:"buckets,omitempty"`
	As      string            `json:"as,omitempty"`
	Samples []sample          `json:"samples,omitempty"`
}

type sample struct {
	Value     int64 `json:"value"`
	Timestamp int64 `json:"timestamp"`
}

func (b pushBody) text() string {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // it has nothing that can't be JSON
	}
	return string(text)
}

func labels(name string, n int) map[string]string { return map[string]string{name: strconv.Itoa(n)} }

func key(what string, n int) string { return what + "|" + strconv.Itoa(n) }
