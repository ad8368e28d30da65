package push

import (
	"container/list"
	"strings"
	"sync"
	"time"
)

// maxRecent is how many requests to push are kept. Half of them may be such as
// failed or had something rejected, which so outlive the many without.
const maxRecent = 1000

// recent keeps the last requests to push in memory.
type recent struct {
	max int

	mu    sync.Mutex // protects all below
	byKey map[recentKey]*list.Element
	plain list.List // of *kept, the newest first
	bad   list.List // of *kept that are bad, the newest first
}

type recentKey struct{ identity, name string }

// kept is what is kept of a request to push. It is not changed any more.
type kept struct {
	key      recentKey
	received time.Time
	door     string
	brought
	receipt *Receipt // nil if the request failed as a whole:
	failure *answer
	times   int // how many requests alike this stands for
}

// bad reports whether somebody should look at it.
func (k *kept) bad() bool { return k.failure != nil || len(k.receipt.Rejected) > 0 }

func newRecent(limit int) *recent {
	return &recent{max: limit, byKey: make(map[recentKey]*list.Element)}
}

// add keeps what became of a request. That of a duplicate does not take the
// place of the first one, which says more; those without a receipt that can be
// asked for are counted where they are alike.
func (q *recent) add(k *kept) {
	k.times = 1
	k.received = k.received.UTC()
	k.key.name = strings.Clone(k.key.name) // it may share the memory of a whole body
	if r := k.receipt; r != nil {
		short := *r
		if short.ID != "" {
			short.ID = k.key.name
		}
		short.Rejected = clipped(r.Rejected, r.refused, 20)
		k.receipt = &short
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if old, found := q.byKey[k.key]; found {
		before := old.Value.(*kept)
		switch {
		case k.receipt == nil || k.receipt.ID == "":
			k.times += before.times
		case k.receipt.Status == Duplicate:
			return
		}
		q.remove(old)
	}
	if k.bad() {
		q.byKey[k.key] = q.bad.PushFront(k)
	} else {
		q.byKey[k.key] = q.plain.PushFront(k)
	}
	switch {
	case q.bad.Len() > q.max/2:
		q.remove(q.bad.Back())
	case q.bad.Len()+q.plain.Len() > q.max:
		q.remove(q.plain.Back())
	}
}

func (q *recent) remove(e *list.Element) {
	k := e.Value.(*kept)
	delete(q.byKey, k.key)
	if k.bad() {
		q.bad.Remove(e)
	} else {
		q.plain.Remove(e)
	}
}

// get returns what is kept of the push with the id, nil if nothing is.
func (q *recent) get(identity, id string) *kept {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.byKey[recentKey{identity, id}]; e != nil {
		return e.Value.(*kept)
	}
	return nil
}

// list returns at most limit of those that are wanted, the bad ones first.
func (q *recent) list(limit int, wanted func(*kept) bool) []*kept {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*kept
	for _, l := range []*list.List{&q.bad, &q.plain} {
		for e := l.Front(); e != nil && len(out) < limit; e = e.Next() {
			if k := e.Value.(*kept); wanted(k) {
				out = append(out, k)
			}
		}
	}
	return out
}
