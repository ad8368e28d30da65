package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a client waits for an answer. One that it does not get in that
// time is a failure of narthex's: it has to say that it is busy.
const patience = 20 * time.Second

// mostUnderWay is how many requests are under way at a time, if they are not answered.
// What is due beyond is not sent.
const mostUnderWay = 4000

// driver sends requests and notes what becomes of them.
type driver struct {
	wire    *wire
	truth   *truth
	traffic *traffic
	seed    uint64

	underWay atomic.Int64

	mu      sync.Mutex
	notes   notes
	unknown []*request // whose answer did not come: to be sent again
}

// notes are what was seen since they were taken last.
type notes struct {
	offered        int             // sent
	unsent         int             // were due, and were not because too many were under way
	answered, busy []time.Duration // how long answers took, of those done and of those turned away
	queries        []time.Duration
	kinds          map[string]int // what was done
	failures       map[string]int // whatever should not be
	rude           int            // 429 without Retry-After
}

func newDriver(url string, seed uint64) *driver {
	t := new(truth)
	return &driver{
		wire: newWire(url), seed: seed, truth: t, traffic: newTraffic(t, seed),
	}
}

// take returns the notes and begins anew.
func (d *driver) take() notes {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.notes
	d.notes = notes{}
	return n
}

func (d *driver) note(f func(*notes)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.notes.failures == nil {
		d.notes.failures, d.notes.kinds = make(map[string]int), make(map[string]int)
	}
	f(&d.notes)
}

// closed sends as fast as answers come, by a number of clients.
func (d *driver) closed(ctx context.Context, clients int, length time.Duration) {
	var wg sync.WaitGroup
	end := time.Now().Add(length)
	for i := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(d.seed, uint64(i)))
			for ctx.Err() == nil && time.Now().Before(end) {
				d.underWay.Add(1)
				d.send(d.traffic.next(r), time.Now())
			}
		})
	}
	wg.Wait()
}

// open sends at a steady rate, however long answers take. How long one takes counts
// from when its request was due.
func (d *driver) open(ctx context.Context, rate float64, length time.Duration) {
	r := rand.New(rand.NewPCG(d.seed, 1<<32))
	var wg sync.WaitGroup
	defer wg.Wait()
	begun, sent := time.Now(), 0
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil && time.Since(begun) < length {
		for now := time.Since(begun).Seconds(); float64(sent) < rate*now; sent++ {
			due := begun.Add(time.Duration(float64(sent) / rate * float64(time.Second)))
			if d.underWay.Load() >= mostUnderWay {
				d.note(func(n *notes) { n.unsent++ })
				continue
			}
			d.underWay.Add(1)
			q := d.traffic.next(r)
			wg.Go(func() { d.send(q, due) })
		}
		<-ticker.C
	}
}

// send sends a request that is due and notes what becomes of it.
func (d *driver) send(q *request, due time.Time) {
	defer d.underWay.Add(-1)
	d.note(func(n *notes) { n.offered++ })
	status, retry, body, err := d.wire.do(q)
	took := time.Since(due)
	d.note(func(n *notes) {
		switch {
		case err != nil:
			n.failures["no answer: "+short(err.Error())]++
		case status == http.StatusTooManyRequests:
			n.busy = append(n.busy, took)
			if retry == "" {
				n.rude++
			}
		case status/100 != 2 || q.kind == "push" && !strings.Contains(body, `"accepted"`):
			n.failures[fmt.Sprintf("%s answered %d: %s", q.kind, status, short(body))]++
		case q.kind == "query":
			n.queries = append(n.queries, took)
			n.kinds[q.kind]++
		default:
			n.answered = append(n.answered, took)
			n.kinds[q.kind]++
		}
	})
	switch {
	case err != nil || status >= 500:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.unknown = append(d.unknown, q)
		return // it is not released: its sender does not go on before it knows
	case status/100 == 2:
		q.acknowledged()
	}
	q.release()
}

// settle sends again what was not answered, under the same id, until all is known.
func (d *driver) settle(ctx context.Context) {
	d.mu.Lock()
	list := d.unknown
	d.unknown = nil
	d.mu.Unlock()
	for _, q := range list {
		for ctx.Err() == nil {
			status, _, _, err := d.wire.do(q)
			if err == nil && status/100 == 2 {
				q.acknowledged()
				break
			}
			if err == nil && status/100 == 4 && status != http.StatusTooManyRequests {
				d.note(func(n *notes) { n.failures[fmt.Sprintf("%s sent again was answered %d", q.kind, status)]++ })
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// short is an error without the addresses in it, so that equal ones count as one.
func short(s string) string {
	if i := strings.LastIndex(s, "127.0.0.1"); i >= 0 {
		if _, rest, ok := strings.Cut(s[i:], ": "); ok {
			s = rest
		}
	}
	return s[:min(len(s), 160)]
}
