package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"narthex"
	"narthex/remotewrite"
)

// What is pushed: of a hundred requests 75 are JSON, 15 replace a Pushgateway group,
// 5 are remote write and 5 are queries.
const (
	shops, routes   = 1000, 50 // series of counters and gauges; of histograms
	groups, writers = 200, 64
	groupSeries     = 30
	writtenSeries   = 20
	countersInPush  = 10
)

// request is one request, which can be sent again as it is.
type request struct {
	kind         string // push, group, write or query
	method, path string
	header       [][2]string
	body         []byte
	acknowledged func()
	release      func() // lets others have what must not be sent twice at a time
}

// traffic makes requests.
type traffic struct {
	truth           *truth
	id              string // of this run
	n               atomic.Int64
	groups, writers chan *sender
}

// sender is somebody whose requests come one after the other: a group's pusher, or a
// writer of samples with times of their own.
type sender struct {
	number int
	last   int64 // what it sent last: a sequence number, or a time in ms
}

func newTraffic(t *truth, seed uint64) *traffic {
	x := &traffic{truth: t, id: fmt.Sprintf("load-%d-%d", seed, time.Now().UnixNano()), groups: make(chan *sender, groups), writers: make(chan *sender, writers)}
	for i := range groups {
		x.groups <- &sender{number: i}
	}
	for i := range writers {
		x.writers <- &sender{number: i}
	}
	return x
}

// next returns a request. Where all senders of a kind are under way it is a push.
func (x *traffic) next(r *rand.Rand) *request {
	switch n := r.IntN(100); {
	case n < 15:
		select {
		case s := <-x.groups:
			return x.group(s, r)
		default:
		}
	case n < 20:
		select {
		case s := <-x.writers:
			return x.write(s, r)
		default:
		}
	case n < 25:
		return query(r)
	}
	return x.push(r)
}

func query(r *rand.Rand) *request {
	path := fmt.Sprintf("/api/v1/query?query=rate(load_orders_total%%7Bshop%%3D%%22s%d%%22%%7D%%5B5m%%5D)", r.IntN(shops))
	return &request{kind: "query", method: "GET", path: path, acknowledged: func() {}, release: func() {}}
}

// push is a JSON body with counters, observations and gauges.
func (x *traffic) push(r *rand.Rand) *request {
	b := make([]byte, 0, 2048)
	b = append(b, `{"counters":[`...)
	var adds [countersInPush]struct{ shop, n int }
	for i := range adds {
		a := &adds[i]
		a.shop, a.n = r.IntN(shops), 1+r.IntN(9)
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":"load_orders_total","labels":{"shop":"s`...)
		b = strconv.AppendInt(b, int64(a.shop), 10)
		b = append(b, `"},"add":`...)
		b = strconv.AppendInt(b, int64(a.n), 10)
		b = append(b, '}')
	}
	b = append(b, `],"histograms":[{"name":"load_latency_seconds","labels":{"route":"/r`...)
	route, sum := r.IntN(routes), 0
	b = strconv.AppendInt(b, int64(route), 10)
	b = append(b, `"},"buckets":"default","observe":[`...)
	const observations = 5
	for i := range observations {
		if i > 0 {
			b = append(b, ',')
		}
		n := r.IntN(640) // sixty-fourths, whose sums are exact
		sum += n
		b = strconv.AppendFloat(b, float64(n)/64, 'f', -1, 64)
	}
	b = append(b, `]}],"gauges":[`...)
	for i := range 3 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":"load_queue_length","labels":{"shop":"s`...)
		b = strconv.AppendInt(b, int64(r.IntN(shops)), 10)
		b = append(b, `"},"set":`...)
		b = strconv.AppendInt(b, int64(r.IntN(100)), 10)
		b = append(b, '}')
	}
	b = append(b, `]}`...)
	t := x.truth
	return &request{
		kind: "push", method: "POST", path: "/api/v1/push", body: b, release: func() {},
		header: [][2]string{{"Content-Type", "application/json"}, {"Idempotency-Key", x.id + "-" + strconv.FormatInt(x.n.Add(1), 10)}},
		acknowledged: func() {
			for _, a := range adds {
				t.orders[a.shop].Add(int64(a.n))
			}
			t.observed[route].Add(observations)
			t.sums[route].Add(int64(sum))
		},
	}
}

// group replaces a Pushgateway group.
func (x *traffic) group(s *sender, r *rand.Rand) *request {
	s.last++
	seq := s.last
	b := fmt.Appendf(make([]byte, 0, 2048), "# TYPE load_group_sequence gauge\nload_group_sequence %d\n# TYPE load_group_done_total counter\n", seq)
	for i := range groupSeries - 1 {
		b = append(b, `load_group_done_total{step="`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `"} `...)
		b = strconv.AppendInt(b, r.Int64N(1e6), 10)
		b = append(b, '\n')
	}
	return &request{
		kind: "group", method: "PUT", path: "/metrics/job/load/instance/" + strconv.Itoa(s.number), body: b,
		acknowledged: func() { x.truth.sequence[s.number].Store(seq) }, release: func() { x.groups <- s },
	}
}

// write is remote write of a sample for each of a writer's series.
func (x *traffic) write(s *sender, r *rand.Rand) *request {
	s.last = max(s.last+1, time.Now().UnixMilli())
	list := make([]narthex.Series, writtenSeries)
	for i := range list {
		list[i] = narthex.Series{
			Labels:  narthex.Labels{{Name: narthex.MetricName, Value: "load_written"}, {Name: "n", Value: strconv.Itoa(i)}, {Name: "writer", Value: strconv.Itoa(s.number)}},
			Samples: []narthex.Sample{{Time: s.last, Value: float64(r.IntN(1000))}},
		}
	}
	return &request{
		kind: "write", method: "POST", path: "/api/v1/write", body: remotewrite.Encode(remotewrite.V1, list),
		header: [][2]string{
			{"Content-Type", "application/x-protobuf"}, {"Content-Encoding", "snappy"}, {"X-Prometheus-Remote-Write-Version", "0.1.0"},
		},
		acknowledged: func() { x.truth.written[s.number].Add(writtenSeries) }, release: func() { x.writers <- s },
	}
}
