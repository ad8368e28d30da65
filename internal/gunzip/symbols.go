package gunzip

import (
	"encoding/binary"
	"io"
)

// symbols decodes a block's literals and matches, until it ends or the window is
// full.
func (z *Reader) symbols() error {
	for z.hasRoom() {
		before := z.op
		done, err := z.decode()
		switch {
		case z.cutOff():
			z.op = before // some of it was made of the zeroes behind the end
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case done:
			z.step = (*Reader).block
			return nil
		case !z.hasRoom():
			return nil
		case z.eof:
			return io.ErrUnexpectedEOF
		}
		if err := z.fill(); err != nil {
			return err
		}
	}
	return nil
}

// decode decodes as long as there is room for a match and input for a symbol; done
// is true at the block's end. With 56 bits there are enough for three literals that
// the first table has (33), or for two of them, and with 56 more for a length (20)
// and a distance (28).
func (z *Reader) decode() (done bool, err error) {
	in, out, at, op := z.in, z.out, z.at, z.op
	bits, nbits, litlen, dist := z.bits, z.nbits, &z.litlen, &z.dist
	last, full := z.end-16, len(out)-longest-slack
	if z.eof {
		last = z.end + ahead - 16
	}
	for at <= last && op < full && !done && err == nil {
		bits |= binary.LittleEndian.Uint64(in[at:at+8]) << (nbits & 63)
		at += int((63 - nbits) >> 3)
		nbits |= 56
		e := litlen[bits&(1<<litlenBits-1)]
		if e&literal != 0 {
			out[op] = byte(e >> 16)
			op++
			bits >>= e & 63
			nbits -= e.takes()
			if e = litlen[bits&(1<<litlenBits-1)]; e&literal != 0 {
				out[op] = byte(e >> 16)
				op++
				bits >>= e & 63
				nbits -= e.takes()
				if e = litlen[bits&(1<<litlenBits-1)]; e&literal != 0 {
					out[op] = byte(e >> 16)
					op++
					bits >>= e & 63
					nbits -= e.takes()
					continue
				}
			}
			bits |= binary.LittleEndian.Uint64(in[at:at+8]) << (nbits & 63)
			at += int((63 - nbits) >> 3)
			nbits |= 56
		}
		if e&further != 0 {
			bits >>= litlenBits
			nbits -= litlenBits
			e = litlen[e.value()+int(bits&(1<<(e>>8&63)-1))]
			if e&literal != 0 {
				out[op] = byte(e >> 16)
				op++
				bits >>= e & 63
				nbits -= e.takes()
				continue
			}
		}
		if e&special != 0 {
			if done = e.value() != 0; !done {
				err = ErrCorrupt
			}
			bits >>= e & 63
			nbits -= e.takes()
			continue
		}
		end := op + e.number(bits)
		bits >>= e & 63
		nbits -= e.takes()
		if e = dist[bits&(1<<distBits-1)]; e&further != 0 {
			bits >>= distBits
			nbits -= distBits
			e = dist[e.value()+int(bits&(1<<(e>>8&63)-1))]
		}
		if e&special != 0 {
			err = ErrCorrupt
			continue
		}
		distance := e.number(bits)
		bits >>= e & 63
		nbits -= e.takes()
		if distance > op-z.from {
			err = ErrCorrupt
			continue
		}
		op = match(out, op, end, distance)
	}
	z.at, z.op, z.bits, z.nbits = at, op, bits, nbits
	return done, err
}

// match writes what stands so far before op, up to end, and maybe a few bytes
// beyond. It returns end.
func match(out []byte, op, end, distance int) int {
	from := op - distance
	if distance >= 16 {
		for ; op < end; op += 16 {
			to, src := out[op:op+16], out[from:from+16]
			binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(src))
			binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(src[8:]))
			from += 16
		}
		return end
	}
	for ; op < end; op++ {
		out[op] = out[from]
		from++
	}
	return end
}
