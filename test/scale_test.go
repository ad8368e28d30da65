package test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/ledger"
	"narthex/queue"
	"narthex/shard"
	"narthex/state"
)

// The fold and the tick over a million and over ten million series in shards: how
// long they take, in what memory, and how many requests they cost. The figures are
// those of docs/scale.md.
func TestScaleShards(t *testing.T) {
	for _, x := range []struct{ series, groups int }{{scaled(1_000_000, 8_000), scaled(32, 4)}, {scaled(10_000_000, 16_000), scaled(256, 8)}} {
		t.Run(fmt.Sprint(x.series), func(t *testing.T) { scaleShards(t, x.series, x.groups) })
		debug.FreeOSMemory()
	}
}

func scaleShards(t *testing.T, series, groups int) {
	direct := awstest.S3(t)
	counts := new(requestCounts)
	endpoint := awstest.Proxy(t, direct, counts.see)
	address := "s3://" + awstest.Bucket + "/scale"
	fillShards(t, address, direct, series, groups)
	to := newCounter(t)
	env := append(awsEnv(map[string]string{"s3": endpoint}), "NARTHEX_STATE="+address, "NARTHEX_INTERVAL=1s", "NARTHEX_TELEMETRY=false",
		"NARTHEX_REMOTE_WRITE_URL="+to.url, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", fmt.Sprintf("NARTHEX_CONFIG=limits: {series: %d}", 2*series))
	f := startFunction(t, env...)
	measure := func(what string, do func()) {
		t.Helper()
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the next tick is due then
		counts.reset()
		to.samples.Store(0)
		before, start := usageOf(t, f.cmd.Process.Pid), time.Now()
		do()
		after := usageOf(t, f.cmd.Process.Pid)
		t.Logf("%s: %v, %.2f s of processor time, %.0f MiB resident at most; S3: %s; %d samples", what, time.Since(start).Round(time.Millisecond),
			after.cpu-before.cpu, float64(after.peak)/(1<<20), counts, to.samples.Load())
	}
	tick := func(want int) func() {
		return func() {
			a := f.invoke(map[string]string{"narthex": "tick"})
			if a.killed || a.failed {
				t.Fatalf("the tick was answered %s", a.body)
			}
			// A series that changed while ticks were missed has its old value before the new one.
			if got := int(to.samples.Load()); got < want || got > 2*series {
				t.Errorf("the receiver got %d samples, want %d", got, want)
			}
			if gets, puts := counts.of(http.MethodGet), counts.of(http.MethodPut); gets > groups+1 || puts != groups {
				t.Errorf("a tick of %d groups made %d gets and %d puts", groups, gets, puts)
			}
		}
	}
	fold := func(pushes, each int) func() {
		event, size := foldEvent(t, series, pushes, each)
		return func() {
			if a := f.invoke(event); a.killed || a.failed || strings.Contains(string(a.body), "itemIdentifier") {
				t.Fatalf("the fold was answered %s", a.body)
			}
			// A function of 512 MB unpacks 4 MiB of messages at a time: each group is swapped once,
			// or twice if there are so many new ids in it that they become a value of their own.
			if puts := counts.of(http.MethodPut); size > 4<<20 || puts > 2*groups || pushes < 100 && puts > groups {
				t.Errorf("a fold of %d bytes into %d groups made %d puts", size, groups, puts)
			}
		}
	}
	measure("tick, zeros and values", tick(2*series))
	measure("tick, values", tick(series))
	measure("tick, values", tick(series))
	measure("fold of 10 pushes of 30 series", fold(10, 30))
	measure("fold of 1,000 pushes of 30 series", fold(1000, 30))
	measure("fold of 100 pushes of 1,000 series", fold(100, scaled(1000, 100)))
	measure("tick, values", tick(series))
}

// fillShards puts the series into the totals, a value of the store for each group.
func fillShards(t *testing.T, address, endpoint string, series, groups int) {
	t.Helper()
	store, err := state.Open(t.Context(), address, state.Options{AWS: awstest.Options(endpoint)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := shard.Open(t.Context(), shard.Options{Store: store, Groups: groups, Policy: ledger.Policy{MaxSeries: 2 * series}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const perPush, atOnce = 10_000, 400 // each Fold reads and writes all groups: as many at a time as memory bears
	start := time.Now()
	for first := 0; first < series; {
		var entries []*ledger.Entry
		for len(entries) < atOnce && first < series {
			n := min(perPush, series-first)
			e, err := ledger.NewEntry(millionSeries(t, fmt.Sprint(first), first, n))
			if err != nil {
				t.Fatal(err)
			}
			entries, first = append(entries, e), first+n
		}
		for _, r := range s.Fold(t.Context(), entries) {
			if r.Err != nil || len(r.Rejected) > 0 {
				t.Fatal(r.Err, r.Rejected)
			}
		}
	}
	filled, size, most := time.Since(start), 0, 0
	for n := range groups {
		e, err := store.Load(t.Context(), fmt.Sprintf("e1/%03d", n))
		if err != nil || e.Data == nil {
			t.Fatal(err)
		}
		size, most = size+len(e.Data), max(most, len(e.Data))
	}
	t.Logf("%d series in %d groups: filled in %v; %.1f bytes a series, the largest value %.2f MB", series, groups, filled.Round(time.Millisecond), float64(size)/float64(series), float64(most)/1e6)
}

// foldEvent is a batch of the queue: pushes of some series that are spread over all.
func foldEvent(t *testing.T, series, pushes, each int) (event map[string]any, size int) {
	t.Helper()
	var records []any
	sink := queue.Sink{SQS: sender(func(body string) {
		size += len(body)
		records = append(records, map[string]any{"messageId": fmt.Sprint("m-", len(records)), "body": body, "eventSource": "aws:sqs"})
	})}
	for i := range pushes {
		b := millionSeries(t, fmt.Sprint("fold/", pushes, "/", i), i*each*7919%(series-each), each)
		if err := sink.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]any{"Records": records}, size
}

// sender is a queue that hands each message on.
type sender func(body string)

func (s sender) SendMessage(_ context.Context, _ string, m aws.SendMessage) (string, error) {
	s(m.Body)
	return "id", nil
}

// requestCounts counts requests that pass a proxy, by their method.
type requestCounts struct {
	mu       sync.Mutex
	byMethod map[string]int
	sent     int64 // bytes of bodies
}

func (c *requestCounts) see(r *http.Request, _ int) awstest.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byMethod[r.Method]++
	c.sent += max(0, r.ContentLength)
	return awstest.Pass
}

func (c *requestCounts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byMethod, c.sent = make(map[string]int), 0
}

func (c *requestCounts) of(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byMethod[method]
}

func (c *requestCounts) String() string {
	return fmt.Sprintf("%d gets, %d puts of %.1f MB", c.of(http.MethodGet), c.of(http.MethodPut), float64(c.sent)/1e6)
}

// The same for the state of a ledger in one process, without its disk: the heap,
// the fold, the tick, the checkpoint and the way back from it.
func TestScaleState(t *testing.T) {
	for _, series := range []int{scaled(1_000_000, 10_000), scaled(10_000_000, 20_000)} {
		t.Run(fmt.Sprint(series), func(t *testing.T) { scaleState(t, series) })
		debug.FreeOSMemory()
	}
}

func scaleState(t *testing.T, series int) {
	before := heapInUse()
	p := ledger.Policy{MaxSeries: 2 * series}
	s := ledger.NewState()
	fold := func(id string, first, n int) time.Duration {
		e, err := ledger.NewEntry(millionSeries(t, id, first, n))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		out, err := s.Fold(e, time.Now().UnixMilli(), p)
		if err != nil || len(out.Rejected) > 0 {
			t.Fatal(err, out.Rejected)
		}
		return time.Since(start)
	}
	filling := time.Duration(0)
	const each = 10_000
	for first := 0; first < series; first += each {
		filling += fold(fmt.Sprint("fill/", first), first, min(each, series-first))
	}
	heap := heapInUse() - before
	t.Logf("%d series: %.0f bytes of heap a series (%.2f GiB), folded in %v (%.2f µs a series)", series, float64(heap)/float64(series), float64(heap)/(1<<30), filling.Round(time.Millisecond), filling.Seconds()*1e6/float64(series))
	known := time.Duration(0)
	for i := range 1000 {
		known += fold(fmt.Sprint("again/", i), i*30*7919%(series-30), 30)
	}
	t.Logf("a push of 30 series that are known: %.1f µs", known.Seconds()*1e6/1000)
	at := ledger.Grid(time.Now().UnixMilli(), 15*time.Second)
	for _, what := range []string{"zeros and values", "values", "values"} {
		at += 15_000
		start := time.Now()
		leads, values := s.Tick(at, p)
		took := time.Since(start)
		if len(values) != series || what == "values" && len(leads) > 0 {
			t.Errorf("the tick has %d leads and %d values", len(leads), len(values))
		}
		s.Confirm(at)
		t.Logf("a tick with %s: %v (%d samples)", what, took.Round(time.Millisecond), len(leads)+len(values))
	}
	start := time.Now()
	data := s.Encode()
	encoded := time.Since(start)
	s = nil
	runtime.GC()
	start = time.Now()
	back, err := ledger.Decode(data)
	decoded := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := back.Sizes(); n != series {
		t.Errorf("%d series came back, want %d", n, series)
	}
	t.Logf("a checkpoint: %.1f bytes a series, made in %v, read in %v", float64(len(data))/float64(series), encoded.Round(time.Millisecond), decoded.Round(time.Millisecond))
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
