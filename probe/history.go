package probe

import (
	"slices"
	"strings"
	"sync"
	"time"

	"narthex"
)

// Seen is a probe that was made, and for which target of the configuration, if it
// is one's.
type Seen struct {
	ID     int64 // unique in this process
	Name   string
	Region string
	Labels narthex.Labels
	Every  time.Duration // 0: it is not on a schedule
	*Result
}

// Outcome is what is kept of a probe once others came after it.
type Outcome struct {
	ID       int64
	Start    time.Time
	Duration time.Duration
	Success  bool
	Failure  *Failure
}

// Record is what is kept of a target.
type Record struct {
	// Last is its last probe, Failures are the last ones that failed, newest first.
	Last     *Seen
	Failures []*Seen
	// Recent are its last probes, oldest first.
	Recent []Outcome
}

// Bounds of a history.
const (
	keptTargets  = 2000
	keptOutcomes = 60
	keptFailures = 3
)

// History keeps the last probes of each target, in memory and bounded. The zero
// History is ready.
type History struct {
	mu      sync.Mutex
	next    int64
	records map[string]*Record
	order   []string // the record that was changed longest ago first, roughly
}

// Add adds a probe and returns its id.
func (h *History) Add(s Seen) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.records == nil {
		h.records = make(map[string]*Record)
	}
	h.next++
	s.ID = h.next
	key := strings.Join([]string{s.Name, s.Target, s.Module}, "\x00")
	r := h.records[key]
	if r == nil {
		if len(h.records) >= keptTargets {
			h.forget()
		}
		r = new(Record)
		h.records[key] = r
		h.order = append(h.order, key)
	}
	r.Last = &s
	r.Recent = append(r.Recent, Outcome{s.ID, s.Start, s.Duration, s.Success, s.Failure})
	if n := len(r.Recent); n > keptOutcomes {
		r.Recent = slices.Clone(r.Recent[n-keptOutcomes:])
	}
	if !s.Success {
		r.Failures = append([]*Seen{&s}, r.Failures[:min(len(r.Failures), keptFailures-1)]...)
	}
	return s.ID
}

// forget drops the record that came first, of targets on no schedule if there is
// one.
func (h *History) forget() {
	i := slices.IndexFunc(h.order, func(key string) bool { return h.records[key].Last.Every == 0 })
	i = max(i, 0)
	delete(h.records, h.order[i])
	h.order = slices.Delete(h.order, i, i+1)
}

// Records returns the records for which keep holds, by name and target.
func (h *History) Records(keep func(*Seen) bool) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Record
	for _, r := range h.records {
		if keep(r.Last) {
			out = append(out, Record{r.Last, slices.Clone(r.Failures), slices.Clone(r.Recent)})
		}
	}
	slices.SortStableFunc(out, func(a, b Record) int {
		return strings.Compare(a.Last.Name+"\x00"+a.Last.Target+"\x00"+a.Last.Module, b.Last.Name+"\x00"+b.Last.Target+"\x00"+b.Last.Module)
	})
	return out
}

// Get returns a probe with all that it found, nil if only its outcome is kept, or
// nothing.
func (h *History) Get(id int64) *Seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.records {
		for _, s := range append([]*Seen{r.Last}, r.Failures...) {
			if s.ID == id {
				return s
			}
		}
	}
	return nil
}
