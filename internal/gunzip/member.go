package gunzip

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// The flags of a header (RFC 1952, section 2.3.1).
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
)

// header reads what a member begins with, or finds that there is none any more.
func (z *Reader) header() error {
	if err := z.need(1); err == io.ErrUnexpectedEOF && z.member {
		return io.EOF
	}
	z.crc = 0
	h, err := z.take(10)
	if err != nil {
		if z.at < z.end && !bytes.HasPrefix([]byte{0x1f, 0x8b, 8}, z.in[z.at:min(z.end, z.at+3)]) {
			return ErrHeader
		}
		return err
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		return ErrHeader
	}
	if err := z.optional(h[3]); err != nil {
		return err
	}
	z.member, z.final, z.from, z.crc, z.size, z.step = true, false, z.op, 0, 0, (*Reader).block
	return nil
}

// optional passes over the parts of a header that flags say are there.
func (z *Reader) optional(flags byte) error {
	if flags&flagExtra != 0 {
		b, err := z.take(2)
		if err != nil {
			return err
		}
		for n := int(binary.LittleEndian.Uint16(b)); n > 0; n-- {
			if _, err := z.take(1); err != nil {
				return err
			}
		}
	}
	for _, text := range []byte{flagName, flagComment} {
		if flags&text == 0 {
			continue
		}
		if err := z.text(); err != nil {
			return err
		}
	}
	if flags&flagHeaderCRC == 0 {
		return nil
	}
	want := uint16(z.crc)
	b, err := z.take(2)
	if err == nil && binary.LittleEndian.Uint16(b) != want {
		err = ErrHeader
	}
	return err
}

// longestText is how long a name or a comment may be, as for the standard library.
const longestText = 512

// text passes over a text that ends in a zero.
func (z *Reader) text() error {
	for range longestText {
		b, err := z.take(1)
		if err != nil || b[0] == 0 {
			return err
		}
	}
	return ErrHeader
}

// take returns the next n bytes of a header, at most ahead.
func (z *Reader) take(n int) ([]byte, error) {
	if err := z.need(n); err != nil {
		return nil, err
	}
	b := z.in[z.at : z.at+n]
	z.at += n
	z.crc = crc32.Update(z.crc, crc32.IEEETable, b)
	return b, nil
}

// trailer verifies a member at its end.
func (z *Reader) trailer() error {
	z.align()
	z.sum()
	if err := z.need(8); err != nil {
		return err
	}
	crc, size := binary.LittleEndian.Uint32(z.in[z.at:]), binary.LittleEndian.Uint32(z.in[z.at+4:])
	z.at += 8
	if crc != z.crc || size != z.size {
		return ErrChecksum
	}
	z.step = (*Reader).header
	return nil
}
