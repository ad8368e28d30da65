//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// world is what a scenario happens to.
type world interface {
	// deliver sends an entry once.
	deliver(ctx context.Context, e *entry) answer
	// stores are where what was acknowledged has to arrive.
	stores() []store
	// now is the programs' clock.
	now() time.Time
	// actions are the steps that only this world knows.
	actions() map[string]func(r *run)
	// heal ends all faults and returns when the programs take pushes again.
	heal(r *run)
	// bounds checks what the programs use, after a fault or in the end.
	bounds(r *run)
}

// answer is what a sender sees.
type answer struct {
	code  int    // 0: none came
	body  []byte // a receipt or an error
	ours  bool   // a program of ours said it, not something on the way
	cause error
}

// worlds by their names in scenarios.yaml.
var worlds = map[string]func(r *run) world{
	"program":      newProgram,
	"delivery":     newDelivery,
	"disk":         newDisk,
	"clock":        newClock,
	"clients":      newClients,
	"certificates": newCertificates,
	"fleet":        newFleet,
}

// flags of a run by hand.
type options struct {
	steps, seeds int
	seed         uint64
	scenario     string
	page         string
}

func commandLine() *options {
	o := new(options)
	flag.IntVar(&o.steps, "steps", 0, "how many steps all runs together draw; 0 is the short run of the seeds in scenarios.yaml")
	flag.IntVar(&o.seeds, "seeds", 5, "how many seeds of its own each scenario runs with")
	flag.Uint64Var(&o.seed, "seed", 0, "replay this seed alone; 0 draws them")
	flag.StringVar(&o.scenario, "scenario", "", "run this scenario alone")
	flag.StringVar(&o.page, "page", "", "write what it came to into this page, docs/chaos.md")
	flag.Parse()
	if o.steps == 0 { // they wait more than they work
		flag.Set("test.parallel", "4")
	}
	return o
}

// given is written once, before any test runs.
var given *options

func TestMain(m *testing.M) {
	given = commandLine()
	code := m.Run()
	builds.Remove()
	os.Exit(code)
}

// run is one scenario with one seed.
type run struct {
	*testing.T
	scenario
	seed    uint64
	r       *rand.Rand // of the driver alone
	make    *maker
	truth   *truth
	world   world
	queues  []chan *entry
	senders sync.WaitGroup

	breaks atomic.Int64
	mu     sync.Mutex
	counts map[string]int
	trail  []string
	peak   map[string]float64
}

// TestChaos runs the seeds of the file, or by hand as many steps as are wanted.
func TestChaos(t *testing.T) {
	var chosen []scenario
	for _, s := range scenarios(t) {
		if given.scenario == "" || given.scenario == s.Called {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		t.Fatalf("there is no scenario %q in scenarios.yaml", given.scenario)
	}
	if given.steps == 0 {
		for _, s := range chosen {
			for _, x := range s.Seeds {
				start(t, s, x.Seed, x.Steps, new(report))
			}
		}
		return
	}
	runs := len(chosen) * given.seeds
	if given.seed != 0 {
		runs = len(chosen)
	}
	all := new(report)
	t.Cleanup(func() { // when all runs are over
		table := all.table(chosen)
		t.Log("\n" + table)
		if given.page != "" {
			all.write(t, given.page, table)
		}
	})
	for n := range runs {
		seed := given.seed
		if seed == 0 {
			seed = rand.Uint64N(1e12)
		}
		start(t, chosen[n%len(chosen)], seed, (given.steps+runs-1)/runs, all)
	}
}

func start(t *testing.T, s scenario, seed uint64, steps int, all *report) {
	t.Run(fmt.Sprintf("%s/%d", s.Called, seed), func(t *testing.T) {
		t.Parallel()
		r := &run{T: t, scenario: s, seed: seed, r: rand.New(rand.NewPCG(seed, 0)), truth: newTruth(), counts: map[string]int{}, peak: map[string]float64{}}
		r.make = &maker{r: r.r, set: s.Set, run: fmt.Sprintf("%s-%d", s.Called, seed), last: map[int]int64{}}
		defer all.add(r)
		t.Logf("replay: make chaos SCENARIO=%s SEED=%d STEPS=%d", s.Called, seed, steps)
		r.drive(steps)
	})
}

// drive draws the steps, and then has all of it come to rest.
func (r *run) drive(steps int) {
	begin := time.Now()
	open, ok := worlds[r.World]
	if !ok {
		r.Fatalf("scenario %s: there is no world %q", r.Called, r.World)
	}
	r.world = open(r)
	ctx, cancel := context.WithCancel(context.Background())
	defer r.senders.Wait()
	defer cancel()
	for range r.Set.Senders {
		queue := make(chan *entry, 1000)
		r.queues = append(r.queues, queue)
		r.senders.Go(func() { r.send(ctx, queue) })
	}
	actions := r.world.actions()
	for name, do := range common {
		actions[name] = do
	}
	for name := range r.Steps {
		if actions[name] == nil {
			r.Fatalf("scenario %s: the world %s has no step %q", r.Called, r.World, name)
		}
	}
	defer func() {
		if r.Failed() {
			r.Logf("the last steps: %s", strings.Join(r.trail[max(0, len(r.trail)-60):], ", "))
		}
	}()
	for n := 0; n < steps && !r.Failed(); n++ {
		name := r.draw(r.r)
		r.note(fmt.Sprintf("%d %s", n+1, name))
		r.counts[name]++
		actions[name](r)
	}
	if r.Failed() {
		return
	}
	r.world.heal(r)
	r.settle()
	r.Logf("%d steps in %v: %v; %d tries; at most %v", steps, time.Since(begin).Round(100*time.Millisecond), r.counts, r.truth.tries, r.peak)
}

// note remembers what was done, to be told if it goes wrong.
func (r *run) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trail = append(r.trail, what)
}

// broken reports a broken invariant.
func (r *run) broken(format string, args ...any) {
	r.Helper()
	text := fmt.Sprintf(format, args...)
	if r.breaks.Add(1) > 5 { // they are said often enough
		r.Fail()
		return
	}
	r.Errorf("BROKEN INVARIANT (seed %d): %s", r.seed, text[:min(len(text), 1200)])
}

// common are the steps that every world knows.
var common = map[string]func(r *run){
	"push": func(r *run) {
		sender := r.r.IntN(r.Set.Senders)
		r.enqueue(r.make.next(sender, r.world.now()))
	},
	"abandon": func(r *run) { r.enqueue(r.make.abandoned(r.r.IntN(r.Set.Senders))) },
	"again":   (*run).again,
	"other":   (*run).otherBody,
	"check":   (*run).check,
}

// enqueue hands an entry to its sender. While much is under way it waits a little,
// so that faults meet pushes and pushes do not run away from faults.
func (r *run) enqueue(e *entry) {
	e.begun = time.Now()
	r.truth.begin(e)
	r.queues[e.sender] <- e
	for end := time.Now().Add(60 * time.Millisecond); r.truth.under() > 3*r.Set.Senders && time.Now().Before(end); {
		pause(5 * time.Millisecond)
	}
}

// pause lets time pass in which faults work; nothing relies on its length.
func pause(d time.Duration) { <-time.After(d) }

// patience is how long a push may stay without an acknowledgement, faults
// included.
const patience = 3 * time.Minute

// send pushes the entries of one sender, one after the other, each until it is
// acknowledged.
func (r *run) send(ctx context.Context, queue chan *entry) {
	for {
		select {
		case e := <-queue:
			r.sendOne(ctx, e)
		case <-ctx.Done():
			return
		}
	}
}

func (r *run) sendOne(ctx context.Context, e *entry) {
	for wait := 10 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 200*time.Millisecond) {
		a := r.try(ctx, e)
		switch {
		case a.code == 200:
			e.queued = r.receipt(e, a, "accepted", "duplicate", "queued") == "queued"
			r.truth.acknowledge(e, r.world.now())
			return
		case e.abandoned:
			r.truth.abandon(e)
			return
		case time.Since(e.begun) > patience:
			r.broken("the push %s was not acknowledged within %v; the last answer: %d %s %v", e.id, patience, a.code, a.body, a.cause)
			r.truth.abandon(e)
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// try sends an entry once and judges the answer: an error has to be one that a
// sender can act on.
func (r *run) try(ctx context.Context, e *entry) answer {
	r.truth.mu.Lock()
	r.truth.tries++
	r.truth.mu.Unlock()
	a := r.world.deliver(ctx, e)
	if a.code == 0 || a.code == 200 || !a.ours {
		return a
	}
	var said struct{ Status, ErrorType, Error string }
	if err := json.Unmarshal(a.body, &said); err != nil || said.Error == "" {
		r.broken("the error to the caller is not clear: %d %q", a.code, a.body)
	}
	if a.code != 429 && a.code != 503 && a.code != 422 {
		r.broken("a push that is right was refused: %d %s", a.code, a.body)
	}
	return a
}

// receipt checks what an acknowledgement says, and returns its status.
func (r *run) receipt(e *entry, a answer, want ...string) string {
	var said struct {
		ID, Status string
		Rejected   []struct{ Series, Reason string }
	}
	if e.late { // its sample may be too old for the store, or ahead of a clock that went back on its way; which is told
		want = append(want, "partial")
	}
	if err := json.Unmarshal(a.body, &said); err != nil || !slices.Contains(want, said.Status) {
		r.broken("the receipt of %s is %s, want %v", e.id, a.body, want)
	}
	for _, x := range said.Rejected {
		if !e.late || !strings.HasPrefix(x.Series, "chaos_future") || !strings.Contains(x.Reason, "too old") && !strings.Contains(x.Reason, "in the future") {
			r.broken("%s was pushed rightly and is rejected: %+v", e.id, x)
		}
	}
	return said.Status
}

// again sends one that was acknowledged once more, out of order: nothing counts
// twice.
func (r *run) again() {
	e := r.truth.known(r.r, r.world.now().Add(-20*time.Hour))
	if e == nil {
		return
	}
	r.senders.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if a := r.try(ctx, e); a.code == 200 {
			r.receipt(e, a, "duplicate", "queued")
		}
	})
}

// otherBody sends another body under an id that was used: it is refused. Of two in
// a queue without an order either may come first, so the first has to count; and
// each shard knows the ids of its own series, so the other has one of the first.
func (r *run) otherBody() {
	e := r.truth.known(r.r, r.world.now().Add(-20*time.Hour))
	if e == nil || e.queued && !r.truth.counts(e) {
		return
	}
	r.counts["other, sent"]++
	other := &entry{id: e.id, sender: e.sender, body: pushBody{Counters: []item{{Name: "chaos_total", Labels: labels("n", e.series), Add: 1e9}}}.text()}
	r.senders.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if a := r.try(ctx, other); a.code == 200 && !strings.Contains(string(a.body), "queued") {
			r.broken("the id %s was taken for another body: %s", e.id, a.body)
		}
	})
}
