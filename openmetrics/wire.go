package openmetrics

import (
	"encoding/binary"
	"math"
	"math/bits"

	"narthex"
)

// The wire types of protobuf that are read. Groups, which metrics.proto does
// not use, are refused.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field is one field of a protobuf message.
type field struct {
	num  uint32
	wire uint8
	n    uint64 // of a number: its bits
	s    string // of bytes
}

// message is what is left to read of a protobuf message.
type message string

// next reads the next field. It returns false at the end of the message and
// at an error.
func (m *message) next(f *field, err *error) bool {
	if *m == "" || *err != nil {
		return false
	}
	tag, ok := m.varint()
	f.num, f.wire = uint32(tag>>3), uint8(tag&7)
	if !ok || tag>>3 == 0 || tag>>3 >= 1<<29 {
		*err = damaged("a field's number")
		return false
	}
	switch f.wire {
	case wireVarint:
		f.n, ok = m.varint()
	case wireFixed64:
		f.n, ok = m.fixed(8)
	case wireFixed32:
		f.n, ok = m.fixed(4)
	case wireBytes:
		f.s, ok = m.bytes()
	default:
		ok = false
	}
	if !ok {
		*err = damaged("a field")
	}
	return ok
}

func damaged(what string) error {
	return narthex.Errorf(narthex.Invalid, "%s is damaged: this is not the protobuf that is expected", what)
}

// varint reads a base-128 number.
func (m *message) varint() (uint64, bool) {
	var n uint64
	for i := 0; i < len(*m) && i < binary.MaxVarintLen64; i++ {
		c := (*m)[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			*m = (*m)[i+1:]
			return n, i < 9 || c <= 1
		}
	}
	return 0, false
}

// fixed reads a little-endian number of so many bytes.
func (m *message) fixed(size int) (n uint64, ok bool) {
	if len(*m) < size {
		return 0, false
	}
	for i := size - 1; i >= 0; i-- {
		n = n<<8 | uint64((*m)[i])
	}
	*m = (*m)[size:]
	return n, true
}

// bytes reads a length and as many bytes.
func (m *message) bytes() (string, bool) {
	n, ok := m.varint()
	if !ok || n > uint64(len(*m)) {
		return "", false
	}
	s := (*m)[:n]
	*m = (*m)[n:]
	return string(s), true
}

// The following take the value of a field that has to have a certain wire
// type.

func (f *field) uint(dst *uint64, err *error) {
	*dst = f.n
	f.want(wireVarint, err)
}

func (f *field) float(dst *float64, err *error) {
	*dst = math.Float64frombits(f.n)
	f.want(wireFixed64, err)
}

func (f *field) text(dst *string, err *error) {
	*dst = f.s
	f.want(wireBytes, err)
}

func (f *field) message(err *error) message {
	f.want(wireBytes, err)
	return message(f.s)
}

func (f *field) want(wire uint8, err *error) {
	if f.wire != wire && *err == nil {
		*err = damaged("a field's type")
	}
}

// floats appends a repeated double, packed or not.
func (f *field) floats(dst *[]float64, err *error) {
	if f.wire != wireBytes {
		var v float64
		f.float(&v, err)
		*dst = append(*dst, v)
		return
	}
	for m := message(f.s); m != ""; {
		n, ok := m.fixed(8)
		if !ok {
			*err = damaged("a packed field")
			return
		}
		*dst = append(*dst, math.Float64frombits(n))
	}
}

// deltas appends a repeated sint64, packed or not.
func (f *field) deltas(dst *[]int64, err *error) {
	if f.wire != wireBytes {
		f.want(wireVarint, err)
		*dst = append(*dst, zigzag(f.n))
		return
	}
	for m := message(f.s); m != ""; {
		n, ok := m.varint()
		if !ok {
			*err = damaged("a packed field")
			return
		}
		*dst = append(*dst, zigzag(n))
	}
}

// zigzag undoes the encoding of sint32 and sint64.
func zigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// The following append a field.

func appendTag(dst []byte, num, wire int) []byte {
	return binary.AppendUvarint(dst, uint64(num<<3|wire))
}

func appendUint(dst []byte, num int, n uint64) []byte {
	return binary.AppendUvarint(appendTag(dst, num, wireVarint), n)
}

func appendSint(dst []byte, num int, n int64) []byte {
	return appendUint(dst, num, uint64(n)<<1^uint64(n>>63))
}

func appendDouble(dst []byte, num int, f float64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(dst, num, wireFixed64), math.Float64bits(f))
}

func appendString(dst []byte, num int, s string) []byte {
	dst = binary.AppendUvarint(appendTag(dst, num, wireBytes), uint64(len(s)))
	return append(dst, s...)
}

// appendLength puts the length of dst[start:] before it.
func appendLength(dst []byte, start int) []byte {
	n := uint64(len(dst) - start)
	size := (bits.Len64(n|1) + 6) / 7
	var room [binary.MaxVarintLen64]byte
	dst = append(dst, room[:size]...)
	copy(dst[start+size:], dst[start:])
	binary.PutUvarint(dst[start:], n)
	return dst
}
