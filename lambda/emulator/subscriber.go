package emulator

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// subscriber buffers events and sends them.
type subscriber struct {
	t            *telemetry
	types        map[string]bool
	items, bytes int // of one delivery
	timeout      time.Duration
	send         func(context.Context, []entry) error
	wake         chan struct{}
	ctx          context.Context // ends with the instance
	stop         context.CancelFunc

	mu      sync.Mutex
	waiting []entry
	size    int // of what waits
	dropped struct{ records, bytes int }
}

// held is how many deliveries a subscriber that is behind may have waiting.
const held = 10

// put takes an event that is wanted, and drops it if too many wait.
func (s *subscriber) put(e entry) {
	if !s.types[e.class] {
		return
	}
	s.mu.Lock()
	if s.size+len(e.text) > held*s.bytes || len(s.waiting) >= held*s.items {
		s.dropped.records++
		s.dropped.bytes += len(e.text)
	} else {
		s.waiting = append(s.waiting, e)
		s.size += len(e.text)
	}
	full := len(s.waiting) >= s.items || s.size >= s.bytes
	s.mu.Unlock()
	if full {
		s.hurry()
	}
}

// hurry has what waits delivered now.
func (s *subscriber) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run delivers until it is stopped.
func (s *subscriber) run() {
	ticker := time.NewTicker(s.timeout)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
		s.t.awake(s.ctx)
		for s.flush() {
		}
	}
}

// flush sends one delivery and reports whether another is due. One that fails
// is tried again later.
func (s *subscriber) flush() (more bool) {
	batch := s.take()
	if len(batch) == 0 {
		return false
	}
	if err := s.send(s.ctx, batch); err != nil {
		s.mu.Lock()
		s.waiting = append(batch, s.waiting...)
		for _, e := range batch {
			s.size += len(e.text)
		}
		s.mu.Unlock()
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}

// take takes a delivery's events out of those that wait.
func (s *subscriber) take() (batch []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.waiting) && n < s.items && (n == 0 || size+len(s.waiting[n].text) <= s.bytes) {
		size += len(s.waiting[n].text)
		n++
	}
	batch, s.waiting, s.size = s.waiting[:n:n], s.waiting[n:], s.size-size
	if s.dropped.records > 0 && s.types["platform"] {
		text, err := json.Marshal(map[string]any{"time": timestamp(time.Now()), "type": "platform.logsDropped", "record": map[string]any{
			"droppedRecords": s.dropped.records, "droppedBytes": s.dropped.bytes, "reason": "the subscriber has fallen behind"}})
		if err == nil { // text and numbers
			batch = append(batch, entry{"platform", text})
		}
		s.dropped.records, s.dropped.bytes = 0, 0
	}
	return batch
}
