package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"narthex"
)

// A checkpoint is: the magic, the version (one byte), the body, and the CRC-32C
// of all that. The body has the clock, the segments' keys, the ids that are in
// no segment, the ticks, the groups, a table of strings, and the accounts; from
// version 2 on, sections follow it (see sections.go).
const (
	checkpointMagic   = "narthex ledger\n"
	checkpointVersion = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Encode returns the state's encoding. Closed segments of ids are in it by
// key only: each is stored once, before, under its own key.
func (s *State) Encode() []byte {
	enc := encoder{append([]byte(checkpointMagic), checkpointVersion)}
	enc.int(s.last)
	enc.int(s.taken)
	enc.int(s.clock)
	enc.uint(uint64(len(s.ids.closed)))
	for _, seg := range s.ids.closed {
		enc.string(seg.key)
	}
	enc.int(s.ids.since)
	enc.uint(uint64(len(s.ids.open)))
	for id, m := range s.ids.open {
		encodeRec(&enc, rec{id, m})
	}
	enc.uint(uint64(len(s.ticks)))
	for _, r := range s.ticks {
		enc.int(r.first)
		enc.uint(uint64(r.last - r.first))
		enc.uint(uint64(r.step))
	}
	s.encodeAccounts(&enc, s.encodeGroups(&enc))
	s.encodeSections(&enc)
	return appendSum(enc.b)
}

func encodeRec(enc *encoder, r rec) {
	enc.raw(r.id[:])
	enc.raw(r.digest[:])
	enc.int(r.after)
}

// encodeGroups appends the groups and returns their numbers, from 1 on.
func (s *State) encodeGroups(enc *encoder) map[*group]uint64 {
	numbers := make(map[*group]uint64, len(s.groups))
	enc.uint(uint64(len(s.groups)))
	for _, key := range slices.Sorted(maps.Keys(s.groups)) {
		g := s.groups[key]
		numbers[g] = uint64(len(numbers) + 1)
		enc.string(key)
		enc.uint(uint64(g.ttl))
		enc.int(g.pushed)
		enc.int(g.touched)
	}
	return numbers
}

func (s *State) encodeAccounts(enc *encoder, groups map[*group]uint64) {
	room := len(s.accounts) + len(s.accounts)/4 // most series differ in one label
	table, words := make(map[string]uint64, room), make([]string, 0, room)
	size := 0
	ref := func(w string) uint64 {
		n, ok := table[w]
		if !ok {
			n = uint64(len(words))
			table[w], words = n, append(words, w)
			size += len(w) + 2
		}
		return n
	}
	body := encoder{make([]byte, 0, 48*len(s.accounts))}
	for _, a := range s.accounts {
		body.uint(uint64(len(a.labels)))
		for _, l := range a.labels {
			body.uint(ref(l.Name))
			body.uint(ref(l.Value))
		}
		body.uint(ref(a.family))
		body.uint(ref(a.unit))
		body.uint(ref(a.help))
		body.byte(byte(a.typ))
		body.byte(flags(a.dirty, a.stale, a.ended, a.gone))
		body.uint(groups[a.group]) // 0 for none, and for a group that is gone
		body.number(a.value)
		body.number(a.wrote)
		body.histogram(a.hist)
		body.histogram(a.wroteHist)
		body.int(s.last - a.changed)
		body.int(s.last - a.written)
		body.int(s.last - a.event)
		a.encodeSources(&body)
	}
	enc.b = slices.Grow(enc.b, size+len(body.b)+64)
	enc.uint(uint64(len(words)))
	for _, w := range words {
		enc.string(w)
	}
	enc.uint(uint64(len(s.accounts)))
	enc.raw(body.b)
}

func flags(bits ...bool) (b byte) {
	for i, set := range bits {
		if set {
			b |= 1 << i
		}
	}
	return b
}

// Decode returns the state that data is the encoding of. The segments of ids
// that it names are still to be loaded.
func Decode(data []byte) (*State, error) {
	body, err := checked(data, checkpointMagic)
	if err != nil {
		return nil, err
	}
	switch version := body[0]; version {
	case 1, 2:
		return decode(body[1:], version)
	default:
		return nil, fmt.Errorf("the checkpoint is of version %d, this narthex knows versions up to %d: use the newer narthex that wrote it", version, checkpointVersion)
	}
}

// checked returns what is between the magic and the checksum, at least a byte.
func checked(data []byte, magic string) ([]byte, error) {
	n := len(data) - 4
	if n <= len(magic) || string(data[:len(magic)]) != magic {
		return nil, errors.New("it does not begin as narthex's files do")
	}
	if crc32.Checksum(data[:n], castagnoli) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, errors.New("its checksum is wrong: the file was damaged after it was written")
	}
	return data[len(magic):n], nil
}

func decode(b []byte, version byte) (*State, error) {
	d := &decoder{b: b}
	s := NewState()
	s.last, s.taken, s.clock = d.int(), d.int(), d.int()
	for range d.count(1) {
		key := d.string()
		s.ids.closed = append(s.ids.closed, &segment{key: key, absent: key != ""})
	}
	s.ids.since = d.int()
	if n := d.count(recSize); n > 0 {
		s.ids.open = make(map[ID]mark, n)
		for range n {
			r := decodeRec(d)
			s.ids.open[r.id] = r.mark
		}
	}
	for range d.count(3) {
		r := run{first: d.int()}
		r.last = r.first + int64(d.uint())
		r.step = int64(d.uint())
		if r.last < r.first || r.step < 0 || (r.step == 0) != (r.last == r.first) || r.step > 0 && (r.last-r.first)%r.step != 0 {
			d.fail()
		}
		s.ticks = append(s.ticks, r)
	}
	s.decodeAccounts(d, s.decodeGroups(d))
	if version >= 2 {
		if err := s.decodeSections(d); err != nil {
			return nil, err
		}
	}
	return s, d.end()
}

// recSize is the least number of bytes that a rec is encoded in.
const recSize = 16 + 8 + 1

func decodeRec(d *decoder) (r rec) {
	copy(r.id[:], d.raw(16))
	copy(r.digest[:], d.raw(8))
	r.after = d.int()
	return r
}

func (s *State) decodeGroups(d *decoder) []*group {
	groups := make([]*group, 0, d.count(4))
	for range cap(groups) {
		key := d.string()
		ls, err := narthex.ParseKey(key)
		g := &group{labels: ls, key: key, members: make(map[string]*account), ttl: int64(d.uint()), pushed: d.int(), touched: d.int()}
		if err != nil || g.ttl < 0 {
			d.fail()
		}
		s.groups[key] = g
		groups = append(groups, g)
	}
	if len(s.groups) != len(groups) {
		d.fail()
	}
	return groups
}

func (s *State) decodeAccounts(d *decoder, groups []*group) {
	words := d.words()
	word := func() string {
		i := d.uint()
		if i >= uint64(len(words)) {
			d.fail()
			return ""
		}
		return words[i]
	}
	n := d.count(17)
	s.accounts, s.byKey = make([]*account, 0, n), make(map[string]*account, n)
	var slab []account
	var labels narthex.Labels
	var buf []byte
	for i := range n {
		if len(slab) == 0 {
			slab = make([]account, min(n-i, slabSize))
		}
		a := &slab[0]
		slab = slab[1:]
		many := d.count(2)
		if len(labels) < many {
			labels = make(narthex.Labels, max(many, slabSize))
		}
		a.labels, labels = labels[:0:many], labels[many:]
		for range many {
			a.labels = append(a.labels, narthex.Label{Name: word(), Value: word()})
		}
		a.family, a.unit, a.help, a.typ = word(), word(), word(), narthex.Type(d.byte())
		f := d.byte()
		a.dirty, a.stale, a.ended, a.gone = f&1 != 0, f&2 != 0, f&4 != 0, f&8 != 0
		number := d.uint()
		a.value, a.wrote, a.hist, a.wroteHist = d.number(), d.number(), d.histogram(), d.histogram()
		a.changed, a.written, a.event = s.last-d.int(), s.last-d.int(), s.last-d.int()
		a.decodeSources(d)
		s.memories += len(a.sources)
		buf = a.labels.AppendKey(buf[:0])
		key := string(buf)
		s.add(key, a)
		switch {
		case number > uint64(len(groups)):
			d.fail()
		case a.ended: // only until the next tick; its group does not matter
			a.group = &group{labels: a.labels, members: map[string]*account{}}
		case number > 0:
			a.group = groups[number-1]
			a.group.members[key] = a
			s.enlist(a, 1)
		}
		if d.err == nil && (wrongShape(a.hist) || wrongShape(a.wroteHist)) {
			d.fail()
		}
	}
	if len(s.byKey) != n {
		d.fail()
	}
}

// slabSize is how many accounts, or labels, are allocated at a time.
const slabSize = 256

// words reads the table of strings. They share one piece of memory.
func (d *decoder) words() []string {
	n := d.count(1)
	ends := make([][2]int, 0, n)
	table := d.b
	for range n {
		size := d.uint()
		from := len(table) - len(d.b)
		ends = append(ends, [2]int{from, from + len(d.raw(size))})
	}
	if d.err != nil {
		return nil
	}
	text := string(table[:len(table)-len(d.b)])
	words := make([]string, 0, n)
	for _, e := range ends {
		words = append(words, text[e[0]:e[1]])
	}
	return words
}

// Segment is a part of the ids that a state has seen, which is stored once, on
// its own, before a state that refers to it.
type Segment struct {
	Key    string
	Encode func() []byte
}

// Segments returns the closed segments. One that has no key yet is given the
// one that name returns for the time of its first entry, in ms.
func (s *State) Segments(name func(first int64) string) []Segment {
	out := make([]Segment, 0, len(s.ids.closed))
	for _, seg := range s.ids.closed {
		if seg.key == "" {
			seg.key = name(seg.first)
		}
		out = append(out, Segment{seg.key, seg.encode})
	}
	return out
}

// LoadSegments loads the segments that a decoded state refers to and that are
// not loaded. load returns what was stored under a key, nil if nothing is there.
// A tick does without them, a fold does not.
func (s *State) LoadSegments(load func(key string) ([]byte, error)) error {
	for _, seg := range s.ids.closed {
		if !seg.absent {
			continue
		}
		data, err := load(seg.key)
		if err == nil && data == nil {
			err = errors.New("it is missing")
		}
		if err == nil {
			err = seg.decode(data)
		}
		if err != nil {
			return fmt.Errorf("the ids %s: %w", seg.key, err)
		}
	}
	return nil
}

// Absent returns the keys of the segments that are not loaded.
func (s *State) Absent() (keys []string) {
	for _, seg := range s.ids.closed {
		if seg.absent {
			keys = append(keys, seg.key)
		}
	}
	return keys
}

// Adopt takes the segments that are not loaded from another state that has them
// loaded, such as one that lost a swap against this one.
func (s *State) Adopt(other *State) {
	have := make(map[string]*segment, len(other.ids.closed))
	for _, seg := range other.ids.closed {
		if !seg.absent {
			have[seg.key] = seg
		}
	}
	for _, seg := range s.ids.closed {
		if from := have[seg.key]; seg.absent && from != nil {
			seg.first, seg.last, seg.recs, seg.absent = from.first, from.last, from.recs, false
		}
	}
}

const segmentMagic = "narthex ids\n"

func (seg *segment) encode() []byte {
	enc := encoder{append(make([]byte, 0, 64+len(seg.recs)*(recSize+7)), segmentMagic...)}
	enc.byte(1)
	enc.int(seg.first)
	enc.int(seg.last)
	enc.uint(uint64(len(seg.recs)))
	for _, r := range seg.recs {
		encodeRec(&enc, r)
	}
	return appendSum(enc.b)
}

func (seg *segment) decode(data []byte) error {
	body, err := checked(data, segmentMagic)
	if err != nil {
		return err
	}
	if body[0] != 1 {
		return fmt.Errorf("the ids are of version %d, this narthex knows version 1", body[0])
	}
	d := &decoder{b: body[1:]}
	seg.first, seg.last = d.int(), d.int()
	seg.recs = make([]rec, 0, d.count(recSize))
	for range cap(seg.recs) {
		seg.recs = append(seg.recs, decodeRec(d))
	}
	seg.absent = false
	return d.end()
}
