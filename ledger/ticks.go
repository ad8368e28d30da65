package ledger

import "sort"

// ticks are the times of past ticks, as runs of equal distance, in order.
type ticks []run

type run struct{ first, last, step int64 } // ms; step is 0 for a single tick

func (ts ticks) add(t int64) ticks {
	if n := len(ts); n > 0 {
		r := &ts[n-1]
		if step := t - r.last; r.step == 0 || r.step == step {
			r.last, r.step = t, step
			return ts
		}
	}
	return append(ts, run{first: t, last: t})
}

// after returns the first tick later than t, 0 if there is none yet.
func (ts ticks) after(t int64) int64 {
	i := sort.Search(len(ts), func(i int) bool { return ts[i].last > t })
	if i == len(ts) {
		return 0
	}
	r := ts[i]
	if t < r.first {
		return r.first
	}
	return r.first + ((t-r.first)/r.step+1)*r.step
}

// expire drops the runs that ended before t.
func (ts ticks) expire(t int64) ticks {
	i := sort.Search(len(ts), func(i int) bool { return ts[i].last >= t })
	return ts[i:]
}
