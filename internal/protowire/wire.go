// Package protowire reads and writes the protobuf wire format, as far as the
// metric formats need it: without reflection, without a message's schema, and
// with strings that are copied once.
//
// The native histograms of several of these formats are laid out alike (spans,
// and counts as differences or as floats); [Side] and [AppendSide] are that.
//
// Source: https://protobuf.dev/programming-guides/encoding.
package protowire

import (
	"encoding/binary"
	"math"
	"math/bits"

	"narthex"
)

// The wire types of protobuf that are read. Groups, which metrics.proto does
// not use, are refused.
const (
	Varint  = 0
	Fixed64 = 1
	Bytes   = 2
	Fixed32 = 5
)

// Field is one field of a protobuf message.
type Field struct {
	Num  uint32
	Wire uint8
	N    uint64 // of a number: its bits
	S    string // of bytes
}

// Message is what is left to read of a protobuf message.
type Message string

// Next reads the next field. It returns false at the end of the message and
// at an error.
//
// What is left is stored once: while the collector marks, each store of a string
// through a pointer costs more than reading a field.
func (m *Message) Next(f *Field, err *error) bool {
	if *m == "" || *err != nil {
		return false
	}
	tag, rest, ok := uint64((*m)[0]), (*m)[1:], true
	if tag >= 0x80 {
		tag, rest, ok = varint(*m)
	}
	f.Num, f.Wire = uint32(tag>>3), uint8(tag&7)
	if !ok || tag>>3 == 0 || tag>>3 >= 1<<29 {
		*err = Damaged("a field's number")
		return false
	}
	switch f.Wire {
	case Varint:
		f.N, rest, ok = varint(rest)
	case Fixed64:
		f.N, rest, ok = fixed(rest, 8)
	case Fixed32:
		f.N, rest, ok = fixed(rest, 4)
	case Bytes:
		var n uint64
		if n, rest, ok = varint(rest); ok && n <= uint64(len(rest)) {
			f.S, rest = string(rest[:n]), rest[n:]
		} else {
			ok = false
		}
	default:
		ok = false
	}
	if *m = rest; !ok {
		*err = Damaged("a field")
	}
	return ok
}

func Damaged(what string) error {
	return narthex.Errorf(narthex.Invalid, "%s is damaged: this is not the protobuf that is expected", what)
}

// Varint reads a base-128 number.
func (m *Message) Varint() (n uint64, ok bool) {
	n, *m, ok = varint(*m)
	return n, ok
}

func varint(m Message) (n uint64, rest Message, ok bool) {
	for i := 0; i < len(m) && i < binary.MaxVarintLen64; i++ {
		c := m[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return n, m[i+1:], i < 9 || c <= 1
		}
	}
	return 0, m, false
}

// Fixed reads a little-endian number of so many bytes.
func (m *Message) Fixed(size int) (n uint64, ok bool) {
	n, *m, ok = fixed(*m, size)
	return n, ok
}

func fixed(m Message, size int) (n uint64, rest Message, ok bool) {
	if len(m) < size {
		return 0, m, false
	}
	if size == 8 { // the compiler makes one load of it
		return uint64(m[0]) | uint64(m[1])<<8 | uint64(m[2])<<16 | uint64(m[3])<<24 |
			uint64(m[4])<<32 | uint64(m[5])<<40 | uint64(m[6])<<48 | uint64(m[7])<<56, m[8:], true
	}
	for i := size - 1; i >= 0; i-- {
		n = n<<8 | uint64(m[i])
	}
	return n, m[size:], true
}

// Bytes reads a length and as many bytes.
func (m *Message) Bytes() (string, bool) {
	n, ok := m.Varint()
	if !ok || n > uint64(len(*m)) {
		return "", false
	}
	s := (*m)[:n]
	*m = (*m)[n:]
	return string(s), true
}

// The following take the value of a field that has to have a certain wire
// type.

func (f *Field) Uint(dst *uint64, err *error) {
	*dst = f.N
	f.Want(Varint, err)
}

func (f *Field) Float(dst *float64, err *error) {
	*dst = math.Float64frombits(f.N)
	f.Want(Fixed64, err)
}

func (f *Field) Text(dst *string, err *error) {
	*dst = f.S
	f.Want(Bytes, err)
}

func (f *Field) Message(err *error) Message {
	f.Want(Bytes, err)
	return Message(f.S)
}

func (f *Field) Want(wire uint8, err *error) {
	if f.Wire != wire && *err == nil {
		*err = Damaged("a field's type")
	}
}

// Floats appends a repeated double, packed or not.
func (f *Field) Floats(dst *[]float64, err *error) {
	if f.Wire != Bytes {
		var v float64
		f.Float(&v, err)
		*dst = append(*dst, v)
		return
	}
	for m := Message(f.S); m != ""; {
		n, ok := m.Fixed(8)
		if !ok {
			*err = Damaged("a packed field")
			return
		}
		*dst = append(*dst, math.Float64frombits(n))
	}
}

// Deltas appends a repeated sint64, packed or not.
func (f *Field) Deltas(dst *[]int64, err *error) {
	if f.Wire != Bytes {
		f.Want(Varint, err)
		*dst = append(*dst, Zigzag(f.N))
		return
	}
	for m := Message(f.S); m != ""; {
		n, ok := m.Varint()
		if !ok {
			*err = Damaged("a packed field")
			return
		}
		*dst = append(*dst, Zigzag(n))
	}
}

// Zigzag undoes the encoding of sint32 and sint64.
func Zigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// The following append a field.

func AppendTag(dst []byte, num, wire int) []byte {
	return appendUvarint(dst, uint64(num<<3|wire))
}

// appendUvarint is binary's, which can't be inlined: most numbers are of one byte.
func appendUvarint(dst []byte, n uint64) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, n)
}

func AppendUint(dst []byte, num int, n uint64) []byte {
	return binary.AppendUvarint(AppendTag(dst, num, Varint), n)
}

func AppendSint(dst []byte, num int, n int64) []byte {
	return AppendUint(dst, num, uint64(n)<<1^uint64(n>>63))
}

func AppendDouble(dst []byte, num int, f float64) []byte {
	return binary.LittleEndian.AppendUint64(AppendTag(dst, num, Fixed64), math.Float64bits(f))
}

func AppendString(dst []byte, num int, s string) []byte {
	dst = appendUvarint(AppendTag(dst, num, Bytes), uint64(len(s)))
	return append(dst, s...)
}

// AppendLength puts the length of dst[start:] before it.
func AppendLength(dst []byte, start int) []byte {
	n := uint64(len(dst) - start)
	size := (bits.Len64(n|1) + 6) / 7
	var room [binary.MaxVarintLen64]byte
	dst = append(dst, room[:size]...)
	copy(dst[start+size:], dst[start:])
	binary.PutUvarint(dst[start:], n)
	return dst
}
