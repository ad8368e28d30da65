package accesslog

import (
	"hash/maphash"
	"strings"
	"unicode/utf8"
)

// The ids that every table of values begins with.
const (
	absentID = 0 // the empty value: no label
	otherID  = 1 // what was folded
)

// other is the value of a label for all that has none of its own.
const other = "other"

// maxValue is the longest value a label gets; a longer one is folded.
const maxValue = 128

// values gives each distinct value of a label a number. It is an open hash
// table without deletion, and looking up what it has does not allocate.
type values struct {
	seed  maphash.Seed
	slots []valueSlot // a power of two, at most half full
	text  []string    // by id
	known [64]uint32  // ids of values seen lately, by their length and ends
}

type valueSlot struct {
	hash uint64
	id   uint32 // 0: free
}

// newValues returns a table that has "" and other.
func newValues() *values {
	v := &values{seed: maphash.MakeSeed(), slots: make([]valueSlot, 64), text: []string{"", other}}
	v.place(maphash.String(v.seed, other), otherID)
	return v
}

// len returns how many values there are beside "" and other.
func (v *values) len() int { return len(v.text) - 2 }

// find returns the id of b, or false if there is none.
func (v *values) find(b []byte) (uint32, uint64, bool) {
	h := maphash.Bytes(v.seed, b)
	mask := uint64(len(v.slots) - 1)
	for i := h & mask; v.slots[i].id != 0; i = (i + 1) & mask {
		if s := v.slots[i]; s.hash == h && v.text[s.id] == string(b) {
			return s.id, h, true
		}
	}
	return 0, h, false
}

// id returns the number of b, a new one if need be and if there are fewer than
// limit values. Otherwise it is otherID.
func (v *values) id(b []byte, limit int) uint32 {
	if len(b) == 0 {
		return absentID
	}
	known := &v.known[(len(b)*5+int(b[0])*3+int(b[len(b)-1]))%len(v.known)]
	if v.text[*known] == string(b) {
		return *known
	}
	id, h, ok := v.find(b)
	if ok {
		*known = id
		return id
	}
	if v.len() >= limit || len(b) > maxValue {
		return otherID
	}
	if !utf8.Valid(b) {
		return v.id([]byte(strings.ToValidUTF8(string(b), "\uFFFD")), limit)
	}
	return v.add(string(b), h)
}

// add appends a value that is not in the table.
func (v *values) add(s string, h uint64) uint32 {
	id := uint32(len(v.text))
	v.text = append(v.text, s)
	if len(v.text)*2 > len(v.slots) {
		old := v.slots
		v.slots = make([]valueSlot, 2*len(old))
		for _, s := range old {
			if s.id != 0 {
				v.place(s.hash, s.id)
			}
		}
	}
	v.place(h, id)
	return id
}

func (v *values) place(h uint64, id uint32) {
	mask := uint64(len(v.slots) - 1)
	i := h & mask
	for v.slots[i].id != 0 {
		i = (i + 1) & mask
	}
	v.slots[i] = valueSlot{h, id}
}
