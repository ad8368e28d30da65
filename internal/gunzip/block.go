package gunzip

import (
	"encoding/binary"
	"io"
)

// refill reads ahead so that there are at least 56 bits. Beyond the end there are
// zeroes; who has taken more than there was finds out by cutOff.
func (z *Reader) refill() {
	if z.at <= z.end+ahead-8 {
		z.bits |= binary.LittleEndian.Uint64(z.in[z.at:]) << (z.nbits & 63)
		z.at += int((63 - z.nbits) >> 3)
	}
	z.nbits |= 56
}

// takeBits takes the next n bits, of those that refill has read.
func (z *Reader) takeBits(n uint64) int {
	v := int(z.bits & (1<<n - 1))
	z.bits >>= n
	z.nbits -= n
	return v
}

// longestTables is how many bytes the description of two codes takes at most: 17
// bits, 19 lengths of three, and 316 lengths of 7 bits and 7 behind each.
const longestTables = (17+maxCode*3+(maxLitlen+maxDist)*14)/8 + 8

// block reads what a block begins with.
func (z *Reader) block() error {
	if z.final {
		z.final, z.step = false, (*Reader).trailer
		return nil
	}
	// All of the description is read ahead, as far as there is so much.
	for z.end-z.at < longestTables && !z.eof {
		if err := z.fill(); err != nil {
			return err
		}
	}
	z.refill()
	z.final = z.takeBits(1) == 1
	err := error(nil)
	switch kind := z.takeBits(2); kind {
	case 0:
		return z.storedBlock()
	case 1:
		z.fixedCodes()
	case 2:
		err = z.dynamicCodes()
	default:
		err = ErrCorrupt
	}
	if z.cutOff() {
		return io.ErrUnexpectedEOF
	}
	z.step = (*Reader).symbols
	return err
}

// storedBlock reads the lengths of a block that is not compressed.
func (z *Reader) storedBlock() error {
	z.align()
	if z.at > z.end {
		return io.ErrUnexpectedEOF
	}
	if err := z.need(4); err != nil {
		return err
	}
	n, inverse := binary.LittleEndian.Uint16(z.in[z.at:]), binary.LittleEndian.Uint16(z.in[z.at+2:])
	if n != ^inverse {
		return ErrCorrupt
	}
	z.at += 4
	z.stored, z.step = int(n), (*Reader).copyStored
	return nil
}

// copyStored copies from a block that is not compressed.
func (z *Reader) copyStored() error {
	if z.stored == 0 {
		z.step = (*Reader).block
		return nil
	}
	if err := z.need(1); err != nil {
		return err
	}
	n := copy(z.out[z.op:len(z.out)-longest-slack], z.in[z.at:min(z.end, z.at+z.stored)])
	z.op += n
	z.at += n
	z.stored -= n
	return nil
}

// fixedCodes makes the codes of RFC 1951, section 3.2.6.
func (z *Reader) fixedCodes() {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144 || i >= 280:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		default:
			lens[i] = 7
		}
	}
	build(z.litlen[:], litlenBits, lens[:], z.symbol.litlen[:])
	for i := range 32 {
		lens[i] = 5
	}
	build(z.dist[:], distBits, lens[:32], z.symbol.dist[:])
}

// codeOrder is the order in which the lengths of the code for lengths come.
var codeOrder = [maxCode]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicCodes reads a block's codes (RFC 1951, section 3.2.7).
func (z *Reader) dynamicCodes() error {
	litlens, dists, codes := z.takeBits(5)+257, z.takeBits(5)+1, z.takeBits(4)+4
	if litlens > maxLitlen || dists > maxDist {
		return ErrCorrupt
	}
	var lens [maxCode]uint8
	for _, i := range codeOrder[:codes] {
		z.refill()
		lens[i] = uint8(z.takeBits(3))
	}
	var table [codeSize]entry
	if !build(table[:], codeBits, lens[:], z.symbol.length[:]) {
		return ErrCorrupt
	}
	all := z.lens[:litlens+dists]
	for i := 0; i < len(all); {
		z.refill()
		e := table[z.bits&(1<<codeBits-1)]
		if e&special != 0 {
			return ErrCorrupt
		}
		z.takeBits(e.takes())
		n, ok := z.repeat(e.value(), all, i)
		if !ok {
			return ErrCorrupt
		}
		i += n
	}
	if !build(z.litlen[:], litlenBits, all[:litlens], z.symbol.litlen[:]) || !build(z.dist[:], distBits, all[litlens:], z.symbol.dist[:]) {
		return ErrCorrupt
	}
	return nil
}

// repeat writes the length, or the lengths, that a symbol stands for.
func (z *Reader) repeat(symbol int, lens []uint8, at int) (n int, ok bool) {
	value := uint8(0)
	switch symbol {
	case 16:
		if at == 0 {
			return 0, false
		}
		value, n = lens[at-1], 3+z.takeBits(2)
	case 17:
		n = 3 + z.takeBits(3)
	case 18:
		n = 11 + z.takeBits(7)
	default:
		value, n = uint8(symbol), 1
	}
	if at+n > len(lens) {
		return 0, false
	}
	for i := range n {
		lens[at+i] = value
	}
	return n, true
}
