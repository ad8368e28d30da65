package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex/internal/awstest"
)

// fleet is instances of the function, any of which may be killed at any time.
type fleet struct {
	t   testing.TB
	env []string

	mu    sync.Mutex
	alive []*function
	kills int
}

// start starts an instance.
func (f *fleet) start() *function {
	i := startFunction(f.t, f.env...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alive = append(f.alive, i)
	return i
}

// strike kills an instance at random.
func (f *fleet) strike(r *rand.Rand) {
	f.mu.Lock()
	var victim *function
	if n := len(f.alive); n > 0 {
		i := r.IntN(n)
		victim = f.alive[i]
		f.alive = slices.Delete(f.alive, i, i+1)
		f.kills++
	}
	f.mu.Unlock()
	if victim != nil {
		victim.kill()
	}
}

// worker is one that has an instance, another one when it is killed.
type worker struct {
	*fleet
	now *function
}

// do has an instance do something until it was not killed meanwhile.
func (w *worker) do(what func(*function) (killed bool)) {
	for {
		if w.now == nil {
			w.now = w.start()
		}
		if !what(w.now) {
			return
		}
		w.now = nil
	}
}

// push pushes increments until they are acknowledged.
func (w *worker) push(id string, counters []string) {
	var list []string
	for _, name := range counters {
		list = append(list, fmt.Sprintf(`{"name":"%s_total","labels":{"which":%q},"add":1}`, name, name))
	}
	body := fmt.Sprintf(`{"id":%q,"counters":[%s]}`, id, strings.Join(list, ","))
	for acknowledged := false; !acknowledged; {
		w.do(func(f *function) bool {
			status, answer := f.http("POST", "/api/v1/push", body)
			acknowledged = status == 200
			if status != 0 && status != 200 && status != 503 {
				w.t.Errorf("a push was answered %d %s", status, answer)
				acknowledged = true
			}
			return status == 0
		})
	}
}

// tick ticks once and reports how much was written.
func (w *worker) tick() (samples int) {
	w.do(func(f *function) bool {
		a := f.invoke(map[string]string{"narthex": "tick"})
		if a.killed {
			return true
		}
		var out struct{ Samples int }
		if err := json.Unmarshal(a.body, &out); err != nil || a.failed {
			w.t.Logf("a tick was answered %s", a.body)
		}
		samples = out.Samples
		return false
	})
	return samples
}

// race is what happens at the same time.
type race struct {
	writers, entries, names int
	groups                  int
	regroup                 []int
}

// run has writers, two tickers and a killer at the same store, and returns the
// truth.
func (x race) run(t *testing.T, f *fleet, seed uint64) map[string]float64 {
	truth := map[string]float64{}
	r := rand.New(rand.NewPCG(seed, 1))
	var writing, others sync.WaitGroup
	var over atomic.Bool
	for n := range x.writers {
		var pushes [][]string
		for range x.entries {
			var counters []string
			for range 1 + r.IntN(3) {
				c := fmt.Sprintf("c%d", r.IntN(x.names))
				if !slices.Contains(counters, c) {
					counters = append(counters, c)
					truth[c]++
				}
			}
			pushes = append(pushes, counters)
		}
		writing.Go(func() {
			w := &worker{fleet: f}
			for i, counters := range pushes {
				w.push(fmt.Sprintf("%d/%d", n, i), counters)
				if i%5 == 0 { // as if the answer was lost
					w.push(fmt.Sprintf("%d/%d", n, i), counters)
				}
			}
		})
	}
	for range 2 {
		others.Go(func() {
			for w := (&worker{fleet: f}); !over.Load(); {
				w.tick()
			}
		})
	}
	others.Go(func() {
		k := rand.New(rand.NewPCG(seed, 2))
		for pause := time.NewTicker(40 * time.Millisecond); !over.Load(); <-pause.C {
			if k.IntN(3) == 0 {
				f.strike(k)
			}
		}
	})
	if len(x.regroup) > 0 {
		writing.Go(func() {
			w := &worker{fleet: f}
			for _, n := range x.regroup {
				w.do(func(i *function) bool { return i.invoke(map[string]any{"narthex": "regroup", "groups": n}).killed })
				w.tick()
			}
		})
	}
	writing.Wait()
	over.Store(true)
	others.Wait()
	return truth
}

// Writers and tickers race on one store and are killed at random: everything is
// counted once, and the series in a Prometheus without an out-of-order window
// never fall.
func TestShardRace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		aws  func(testing.TB) map[string]string
		at   string
		race
	}{
		{"S3, 2 writers", s3Endpoint, "s3://" + awstest.Bucket + "/race", race{writers: 2, entries: scaled(300, 40), names: 20, groups: 1}},
		{"S3, 8 writers, regrouping", s3Endpoint, "s3://" + awstest.Bucket + "/race", race{writers: 8, entries: scaled(150, 15), names: 200, groups: 4, regroup: []int{16, 3, 256, 8}}},
		{"DynamoDB, 2 writers", dynamoEndpoint, "dynamodb://" + awstest.Table + "/race", race{writers: 2, entries: scaled(200, 25), names: 10, groups: 1}},
		{"DynamoDB, 8 writers", dynamoEndpoint, "dynamodb://" + awstest.Table + "/race", race{writers: 8, entries: scaled(100, 10), names: 20, groups: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rc := inProcess(t, 0)
			rec := newRecorder(t, rc.write)
			f := &fleet{t: t, env: append(awsEnv(c.aws(t)), "NARTHEX_MODE=direct", "NARTHEX_INTERVAL=1s", "NARTHEX_STATE="+c.at,
				fmt.Sprint("NARTHEX_GROUPS=", c.groups), "NARTHEX_REMOTE_WRITE_URL="+rec.url)}
			start := time.Now()
			truth := c.run(t, f, uint64(len(c.name)))
			last := &worker{fleet: f}
			for end := time.Now().Add(4 * time.Second); time.Now().Before(end); { // the last ticks, one a second
				last.tick()
			}
			rec.check(rc, truth)
			if f.kills == 0 {
				t.Error("nobody was killed")
			}
			t.Logf("%d pushes by %d writers in %v: %d instances were killed, %d samples were sent again, %d requests refused",
				c.writers*c.entries, c.writers, time.Since(start).Round(time.Second), f.kills, rec.again, rec.refused)
		})
	}
}

func s3Endpoint(t testing.TB) map[string]string { return map[string]string{"s3": awstest.S3(t)} }

func dynamoEndpoint(t testing.TB) map[string]string {
	return map[string]string{"dynamodb": awstest.DynamoDB(t)}
}

// An instance that is killed when the totals are saved and not written yet: the
// next one sends the identical samples, at their old time, before its own.
func TestShardKilledBetweenSwapAndWrite(t *testing.T) {
	t.Parallel()
	rec := newRecorder(t, "")
	blocked := make(chan []string)
	var killed atomic.Bool
	rec.block = func(request []string) bool {
		if killed.Load() || !strings.Contains(strings.Join(request, ""), " 1@") {
			return false
		}
		blocked <- request // the values, after their zeros
		return true
	}
	env := append(awsEnv(s3Endpoint(t)), "NARTHEX_INTERVAL=1s", "NARTHEX_STATE=s3://"+awstest.Bucket+"/kill", "NARTHEX_REMOTE_WRITE_URL="+rec.url)
	w := &worker{fleet: &fleet{t: t, env: env}}
	w.push("a", []string{"c0", "c1"})
	first := w.now
	go first.invoke(map[string]string{"narthex": "tick"})
	lost := <-blocked
	killed.Store(true)
	first.kill()
	zeros := rec.requests[0]
	rec.requests = nil

	w.now = nil
	w.push("b", []string{"c0"}) // so that the totals are others by now
	eventually(t, "the next tick", func() bool { return w.tick() > 0 })
	if len(rec.requests) < 3 || !slices.Equal(rec.requests[0], zeros) || !slices.Equal(rec.requests[1], lost) {
		t.Fatalf("the killed one had sent\n%s\n%s\nthe next one sent\n%s", zeros, lost, rec.requests)
	}
	if after := strings.Join(rec.requests[2], " "); !strings.Contains(after, " 2@") || !strings.Contains(after, " 1@") {
		t.Errorf("and then %s, want c0 at 2 and c1 at 1", after)
	}
}
