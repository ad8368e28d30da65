// Package gunzip reads gzip, in which access logs come. Decoding it is most of
// the work of counting them, so that this decoder is made for that: it decodes
// into a window of its own, a quarter of a megabyte at a time, and hands out the
// window itself, so that what was decoded is parsed where it lies.
//
//	z.Reset(file)
//	for left := 0; ; {
//		block, err := z.Next(left) // begins with what was left of the one before
//		left = len(block) - use(block)
//		...
//	}
//
// It is strict: the checksum and the length of each member are verified, a stream
// that is cut off is io.ErrUnexpectedEOF, and what stands behind a member and is
// not another one is an error. Several members in a row are one content (RFC 1952,
// section 2.2).
package gunzip

import (
	"errors"
	"hash/crc32"
	"io"
)

// What can be wrong with a stream, beside its end.
var (
	ErrHeader   = errors.New("gzip: this is no header")
	ErrChecksum = errors.New("gzip: the checksum is wrong")
	ErrCorrupt  = errors.New("gzip: the data is damaged")
)

const (
	history    = 32 << 10 // how far back a match may point
	longest    = 258      // a match
	slack      = 16       // copies may write that far beyond their ends
	windowSize = 288 << 10
	leastRoom  = 64 << 10 // of the window, to decode into
	inputSize  = 64 << 10
	ahead      = 32 // zeroes behind the input's end, so that eight bytes can always be read
)

// Reader decodes gzip. It has to be Reset before it is used, and serves again
// after another Reset.
type Reader struct {
	src  io.Reader
	err  error
	step func(*Reader) error // reads what comes next in the stream
	rest []byte              // what Read has not handed out

	in      []byte // [at:end] is not decoded yet
	at, end int
	eof     bool // nothing comes behind end

	bits  uint64 // the next bits of the stream, the lowest first
	nbits uint64

	out    []byte
	op     int // where the next byte goes
	summed int // up to where the checksum is computed
	from   int // where the member begins; may lie before the window

	member bool // there was one
	final  bool // the block is the member's last
	stored int  // bytes left of a stored block
	crc    uint32
	size   uint32

	symbol alphabets
	litlen [litlenSize]entry
	dist   [distSize]entry
	lens   [maxLitlen + maxDist]uint8
}

// Reset begins to read what src has.
func (z *Reader) Reset(src io.Reader) {
	if z.in == nil {
		z.in, z.out, z.symbol = make([]byte, inputSize+ahead), make([]byte, windowSize), newAlphabets()
	}
	z.src, z.err, z.step, z.rest = src, nil, (*Reader).header, nil
	z.at, z.end, z.eof, z.bits, z.nbits = 0, 0, false, 0, 0
	z.op, z.summed, z.from, z.member = 0, 0, 0, false
}

// Next decodes on. It returns what it decoded, behind the last keep bytes of what
// it returned before. All of it is the Reader's, and valid until the next call. An
// error, io.EOF at the end, comes after all that was decoded before it, with those
// keep bytes only.
func (z *Reader) Next(keep int) ([]byte, error) {
	z.slide(keep)
	first := z.op
	for z.err == nil && z.hasRoom() {
		z.err = z.step(z)
	}
	if z.op == first {
		return z.out[first-keep : first], z.err
	}
	z.sum()
	return z.out[first-keep : z.op], nil
}

// Read implements [io.Reader].
func (z *Reader) Read(b []byte) (int, error) {
	if len(z.rest) == 0 {
		var err error
		if z.rest, err = z.Next(0); err != nil {
			return 0, err
		}
	}
	n := copy(b, z.rest)
	z.rest = z.rest[n:]
	return n, nil
}

func (z *Reader) hasRoom() bool { return z.op < len(z.out)-longest-slack }

// slide makes room in the window, in which the last keep bytes and what matches
// may point to stay.
func (z *Reader) slide(keep int) {
	stays := max(keep, min(z.op, history))
	gone := z.op - stays
	copy(z.out, z.out[gone:z.op])
	z.op, z.from, z.summed = stays, z.from-gone, stays
	if len(z.out)-z.op < leastRoom+longest+slack {
		z.out = append(z.out, make([]byte, len(z.out))...)
	}
}

// sum brings the checksum up to date.
func (z *Reader) sum() {
	z.crc = crc32.Update(z.crc, crc32.IEEETable, z.out[z.summed:z.op])
	z.size += uint32(z.op - z.summed)
	z.summed = z.op
}

// fill reads more of the source behind what is not decoded yet. At its end there
// are zeroes. Eight bytes before stay, which may have been read ahead.
func (z *Reader) fill() error {
	stay := max(0, z.at-8)
	z.end = copy(z.in, z.in[stay:z.end])
	z.at -= stay
	for idle := 0; ; idle++ {
		n, err := z.src.Read(z.in[z.end : len(z.in)-ahead])
		z.end += n
		switch {
		case err == io.EOF:
			z.eof = true
			clear(z.in[z.end : z.end+ahead])
			return nil
		case err != nil:
			return err
		case n > 0:
			return nil
		case idle == 100:
			return io.ErrNoProgress
		}
	}
}

// need sees to it that n bytes, at most ahead, can be read at the place where the
// stream is, which is one between bytes.
func (z *Reader) need(n int) error {
	for z.end-z.at < n {
		if z.eof {
			return io.ErrUnexpectedEOF
		}
		if err := z.fill(); err != nil {
			return err
		}
	}
	return nil
}

// align goes on to the next byte of the stream, and gives back what was read
// ahead.
func (z *Reader) align() {
	z.at -= int(z.nbits >> 3)
	z.bits, z.nbits = 0, 0
}

// cutOff reports whether more was decoded than there is.
func (z *Reader) cutOff() bool { return z.at*8-int(z.nbits) > z.end*8 }
