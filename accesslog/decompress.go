package accesslog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"narthex"
)

// maxWindow bounds what a zstd frame may ask for: what RFC 8878 says that
// decoders should support.
const maxWindow = 8 << 20

// Blocks hand out what is in a log, a piece at a time: each begins with the last
// keep bytes of the one before. With an error, which is io.EOF at the end, come
// these alone.
type blocks interface {
	Next(keep int) ([]byte, error)
}

// decompress returns what is in a log, which it looks at first.
func (r *Reader) decompress(src io.Reader) (blocks, error) {
	b := bufio.NewReaderSize(src, 32<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	r.plain.r = b
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		r.gzip.Reset(b)
		return decoded{&r.gzip}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		if r.zstd == nil {
			r.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, err
			}
		}
		if err := r.zstd.Reset(b); err != nil {
			return nil, damaged(err)
		}
		r.plain.r = r.zstd
		return decoded{&r.plain}, nil
	case bytes.Equal(magic, []byte("PAR1")):
		return nil, narthex.Errorf(narthex.Invalid, "the log is Parquet, which is not read: have it delivered as json or w3c")
	}
	return &r.plain, nil
}

// plain reads blocks as they are.
type plain struct {
	r    io.Reader
	buf  []byte
	have int
}

func (p *plain) Next(keep int) ([]byte, error) {
	if keep > len(p.buf)/2 || p.buf == nil {
		p.buf = append(p.buf, make([]byte, max(bufferSize, len(p.buf)))...)
	}
	copy(p.buf, p.buf[p.have-keep:p.have])
	p.have = keep
	for range 100 {
		n, err := p.r.Read(p.buf[keep:])
		if p.have += n; n > 0 {
			return p.buf[:p.have], nil
		}
		if err != nil {
			return p.buf[:keep], err
		}
	}
	return p.buf[:keep], io.ErrNoProgress
}

// decoded says of an error that it is the decoder's.
type decoded struct{ blocks }

func (d decoded) Next(keep int) ([]byte, error) {
	b, err := d.blocks.Next(keep)
	if err != nil && err != io.EOF {
		err = damaged(err)
	}
	return b, err
}

// damaged marks an error of a compressed log. It may be the source's, and the
// next try better.
func damaged(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the compressed log is damaged or cut off: %w", err)
}
