package protowire

import (
	"encoding/binary"
	"math"
	"math/bits"

	"narthex"
)

// AppendPackedSide appends one side like [AppendSide], with the counts packed:
// a proto3 message has one field for all of them.
func AppendPackedSide(dst []byte, num int, b narthex.Buckets, integer bool) []byte {
	for _, s := range b.Spans {
		dst = AppendTag(dst, num, Bytes)
		start := len(dst)
		if s.Offset != 0 {
			dst = AppendSint(dst, 1, int64(s.Offset))
		}
		if s.Length != 0 {
			dst = AppendUint(dst, 2, uint64(s.Length))
		}
		dst = AppendLength(dst, start)
	}
	if len(b.Counts) == 0 {
		return dst
	}
	if !integer {
		return appendDoubles(dst, num+2, b.Counts)
	}
	dst = AppendTag(dst, num+1, Bytes)
	start := len(dst)
	last := int64(0)
	for _, c := range b.Counts {
		d := int64(c) - last
		dst = binary.AppendUvarint(dst, uint64(d)<<1^uint64(d>>63))
		last = int64(c)
	}
	return AppendLength(dst, start)
}

// appendDoubles appends a packed repeated double.
func appendDoubles(dst []byte, num int, values []float64) []byte {
	dst = binary.AppendUvarint(AppendTag(dst, num, Bytes), uint64(8*len(values)))
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// SizeUvarint returns how many bytes n takes as a base-128 number.
func SizeUvarint(n uint64) int { return (bits.Len64(n|1) + 6) / 7 }
