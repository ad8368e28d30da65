package push

import (
	"container/list"
	"strings"
	"sync"
	"time"
)

// maxRecent is how many receipts are kept. Half of them may be receipts with
// rejections, which so outlive the many without.
const maxRecent = 1000

// recent keeps the last receipts in memory.
type recent struct {
	max int

	mu    sync.Mutex // protects all below
	byKey map[recentKey]*list.Element
	plain list.List // of *kept, the newest first
	bad   list.List // of *kept with rejections, the newest first
}

type recentKey struct{ identity, id string }

// kept is a receipt that is kept. It is not changed any more.
type kept struct {
	identity string
	received time.Time
	receipt  *Receipt
}

func newRecent(limit int) *recent {
	return &recent{max: limit, byKey: make(map[recentKey]*list.Element)}
}

// add keeps a receipt. That of a duplicate does not take the place of the first
// one, which says more.
func (q *recent) add(identity string, received time.Time, r *Receipt) {
	short := *r
	short.ID = strings.Clone(r.ID) // it may share the memory of a whole body
	short.Rejected = clipped(r.Rejected, r.refused, 20)
	k := &kept{identity: identity, received: received.UTC(), receipt: &short}

	q.mu.Lock()
	defer q.mu.Unlock()
	key := recentKey{identity, short.ID}
	if old, found := q.byKey[key]; found {
		if r.Status == Duplicate {
			return
		}
		q.remove(old)
	}
	if len(short.Rejected) > 0 {
		q.byKey[key] = q.bad.PushFront(k)
	} else {
		q.byKey[key] = q.plain.PushFront(k)
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
	delete(q.byKey, recentKey{k.identity, k.receipt.ID})
	if len(k.receipt.Rejected) > 0 {
		q.bad.Remove(e)
	} else {
		q.plain.Remove(e)
	}
}

// get returns the receipt, nil if it isn't kept.
func (q *recent) get(identity, id string) *kept {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.byKey[recentKey{identity, id}]; e != nil {
		return e.Value.(*kept)
	}
	return nil
}

// list returns at most limit receipts of those that are wanted, those with
// rejections first.
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
