package accesslog

import (
	"cmp"
	"slices"
)

// sketchSize is how many of the most frequent folded values are named.
const sketchSize = 16

// A sketch remembers the values that were folded most often, approximately,
// in constant memory (Metwally et al., "Efficient computation of frequent and
// top-k elements in data streams", 2005: Space-Saving).
type sketch struct {
	total int64
	slots []sketchSlot
}

type sketchSlot struct {
	n    int64
	size uint8
	text [80]byte // the value's beginning
}

// note counts a folded value.
func (s *sketch) note(b []byte) { note(s, b) }

// noteText counts a folded value.
func (s *sketch) noteText(b string) { note(s, b) }

func note[T string | []byte](s *sketch, b T) {
	s.total++
	b = b[:min(len(b), len(sketchSlot{}.text))]
	least := 0
	for i := range s.slots {
		slot := &s.slots[i]
		if int(slot.size) == len(b) && string(slot.text[:slot.size]) == string(b) {
			slot.n++
			return
		}
		if slot.n < s.slots[least].n {
			least = i
		}
	}
	if len(s.slots) < sketchSize {
		s.slots = append(s.slots, sketchSlot{})
		least = len(s.slots) - 1
	}
	slot := &s.slots[least]
	slot.n++
	slot.size = uint8(copy(slot.text[:], b))
}

// top returns the most frequent values.
func (s *sketch) top(n int) []string {
	sorted := slices.Clone(s.slots)
	slices.SortStableFunc(sorted, func(a, b sketchSlot) int { return cmp.Compare(b.n, a.n) })
	var out []string
	for _, slot := range sorted[:min(n, len(sorted))] {
		out = append(out, string(slot.text[:slot.size]))
	}
	return out
}

// reset forgets everything.
func (s *sketch) reset() { s.total, s.slots = 0, s.slots[:0] }
