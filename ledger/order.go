package ledger

import (
	"sync"

	"narthex"
)

// order has batches with samples of the same series pass one after the other, in
// the order in which they came.
type order struct {
	mu   sync.Mutex
	last map[string]chan struct{} // by series, closed once the last that came has left
}

// enter waits for all that came before with one of these series, and returns what
// lets the next ones go on.
func (o *order) enter(series []narthex.Series) (leave func()) {
	mine := make(chan struct{})
	keys := make([]string, len(series))
	var before []chan struct{}
	o.mu.Lock()
	if o.last == nil {
		o.last = make(map[string]chan struct{})
	}
	for i := range series {
		keys[i] = string(series[i].Labels.AppendKey(nil))
		if c := o.last[keys[i]]; c != nil && c != mine {
			before = append(before, c)
		}
		o.last[keys[i]] = mine
	}
	o.mu.Unlock()
	for _, c := range before {
		<-c
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, key := range keys {
			if o.last[key] == mine {
				delete(o.last, key)
			}
		}
		close(mine)
	}
}
