//go:build linux

package chaos

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// store is a Prometheus API at which what was acknowledged has to arrive.
type store struct {
	name  string
	query func(expr string, at time.Time) ([]result, error)
	plain bool // it knows neither native histograms nor anchored
}

// result is one of an instant query.
type result struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

func (x result) number() float64 {
	f, _ := strconv.ParseFloat(fmt.Sprint(x.Value[1]), 64)
	return f
}

// arrival is how long what was acknowledged may take to be in the store, once
// there is no fault any more.
const arrival = 90 * time.Second

// check heals, and then asks the stores whether all that was acknowledged by now
// is there, and no more than was pushed.
func (r *run) check() {
	r.world.heal(r)
	for end := time.Now().Add(2 * time.Second); r.Steps["other"] > 0 && r.truth.under() > 0 && time.Now().Before(end); {
		pause(5 * time.Millisecond) // so that some are known to count
	}
	counted := r.truth.settled()
	acked, _ := r.truth.copies()
	for _, s := range r.world.stores() {
		r.arrives(s, acked, nil)
		r.steady(s)
	}
	if counted != nil && !r.Failed() {
		counted()
	}
	r.world.bounds(r)
}

// settle waits until every push is acknowledged, and then compares all of it.
func (r *run) settle() {
	for end := time.Now().Add(patience); r.truth.under() > 0 && time.Now().Before(end); {
		pause(20 * time.Millisecond)
	}
	if n := r.truth.under(); n > 0 {
		r.broken("%d pushes are not acknowledged although nothing is broken any more", n)
		return
	}
	acked, issued := r.truth.copies()
	for _, s := range r.world.stores() {
		r.arrives(s, acked, issued)
		r.steady(s)
		r.last(s)
	}
	r.world.bounds(r)
}

// arrives waits until the store has what must be there. exact, if not nil, is all
// that may be there in the end.
func (r *run) arrives(s store, must, exact map[string]int64) {
	for end := time.Now().Add(arrival); ; {
		missing, err := r.compare(s, must, exact)
		if r.Failed() || missing == "" && err == nil {
			return
		}
		if time.Now().After(end) {
			r.broken("%s lacks what was acknowledged: %s %v", s.name, missing, err)
			return
		}
		pause(50 * time.Millisecond)
	}
}

// compare asks once. What is more than may be there is reported at once.
func (r *run) compare(s store, must, exact map[string]int64) (missing string, err error) {
	got := map[string]int64{}
	for what, expr := range observed {
		if strings.Contains(what, "native") && (!r.Set.Native || s.plain) {
			continue
		}
		list, err := s.query(strings.ReplaceAll(expr, "RANGE", r.Set.Window), r.world.now())
		if err != nil {
			return "", err
		}
		for _, x := range list {
			got[what+"|"+x.Metric["n"]] = int64(x.number())
		}
	}
	may := exact
	if may == nil {
		_, may = r.truth.copies()
	}
	for key, n := range got {
		if n > may[key] {
			r.broken("%s has %d of %s, but only %d were pushed", s.name, n, key, may[key])
		}
	}
	for key, n := range must {
		if strings.Contains(key, "native") && s.plain {
			continue
		}
		if got[key] < n {
			missing = fmt.Sprintf("%s is %d, want %d", key, got[key], n)
		}
	}
	return missing, nil
}

// steady checks that no counter ever fell, and that nothing is ahead of now.
func (r *run) steady(s store) {
	for _, name := range counters {
		for _, x := range r.ask(s, fmt.Sprintf("resets(%s[%s]) > 0", name, r.Set.Window)) {
			r.broken("%s: false reset: %s%v fell %v times", s.name, name, x.Metric, x.number())
		}
	}
}

// ask is a query that has to work, soon.
func (r *run) ask(s store, expr string) (list []result) {
	var err error
	for end := time.Now().Add(arrival); time.Now().Before(end); pause(50 * time.Millisecond) {
		if list, err = s.query(expr, r.world.now()); err == nil {
			return list
		}
	}
	r.broken("%s: %s: %v", s.name, expr, err)
	return nil
}

// last checks what can be told in the end only.
func (r *run) last(s store) {
	given := map[string]int64{}
	for _, x := range r.ask(s, fmt.Sprintf("last_over_time(chaos_abandoned_total[%s])", r.Set.Window)) {
		given[x.Metric["n"]] = int64(x.number())
	}
	for id, e := range r.truth.abandoned {
		n := given[id]
		if n != 0 && n != e.adds["add"] {
			r.broken("%s: the abandoned push %s counts %d, want %d or nothing", s.name, id, n, e.adds["add"])
		}
		if !e.acked.IsZero() && n == 0 {
			r.broken("%s: the push %s was acknowledged at the first try and does not count", s.name, id)
		}
	}
	for _, x := range r.ask(s, fmt.Sprintf("last_over_time(chaos_gauge[%s])", r.Set.Window)) {
		if sender, _ := strconv.Atoi(x.Metric["sender"]); int64(x.number()) != r.truth.gauges[sender] {
			r.broken("%s: the gauge of sender %d is %v, the last acknowledged is %d", s.name, sender, x.number(), r.truth.gauges[sender])
		}
	}
	if r.Set.Window == window {
		r.born(s)
		acked, _ := r.truth.copies()
		r.increases(s, acked)
	}
	r.order(s)
}

// born checks that each counter began at zero, so that its first increment counts.
func (r *run) born(s store) {
	for _, name := range counters {
		for _, x := range r.ask(s, fmt.Sprintf("min_over_time(%s[%s]) > 0", name, window)) {
			which, _ := json.Marshal(x.Metric)
			r.broken("%s: the first increment of %s%s is lost to increase(), for it does not begin at zero: its samples are %v", s.name, name, which,
				r.ask(s, fmt.Sprintf("{__name__=%q,n=%q,le=%q}[%s]", name, x.Metric["n"], x.Metric["le"], window)))
		}
	}
}

// increases checks that increase() finds all of what was pushed.
func (r *run) increases(s store, total map[string]int64) {
	if s.plain { // it has no anchored
		return
	}
	for _, x := range r.ask(s, fmt.Sprintf("increase(chaos_total[%s] anchored)", window)) {
		if key := "chaos_total|" + x.Metric["n"]; int64(x.number()) != total[key] {
			r.broken("%s: increase() of %s says %v, want %d; its samples are %v", s.name, key, x.number(), total[key],
				r.ask(s, fmt.Sprintf("chaos_total{n=%q}[%s]", x.Metric["n"], window)))
		}
	}
}

// order checks the samples with times of their own: all are there, and each series
// rises with time as its sender sent it.
func (r *run) order(s store) {
	for sender, n := range r.truth.own {
		what := fmt.Sprintf(`chaos_own{sender="%d"}[%s]`, sender, r.Set.Window)
		for end := time.Now().Add(arrival); ; pause(50 * time.Millisecond) {
			list := r.ask(s, "count_over_time("+what+")")
			if len(list) == 1 && int64(list[0].number()) == n {
				break
			}
			if time.Now().After(end) {
				r.broken("%s: of sender %d's %d samples are there %v", s.name, sender, n, list)
				break
			}
		}
		if list := r.ask(s, "resets("+what+")"); len(list) != 1 || list[0].number() != 0 {
			r.broken("%s: the samples of sender %d are not in their order: %v", s.name, sender, list)
		}
	}
}
