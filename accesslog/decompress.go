package accesslog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"narthex"
)

// maxWindow bounds what a zstd frame may ask for: what RFC 8878 says that
// decoders should support.
const maxWindow = 8 << 20

// decompress returns what is in a log, which it looks at first.
func (r *Reader) decompress(src io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(src, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		if r.gzip == nil {
			r.gzip = new(gzip.Reader)
		}
		if err := r.gzip.Reset(b); err != nil {
			return nil, damaged(err)
		}
		return decoder{r.gzip}, nil
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
		return decoder{r.zstd}, nil
	case bytes.Equal(magic, []byte("PAR1")):
		return nil, narthex.Errorf(narthex.Invalid, "the log is Parquet, which is not read: have it delivered as json or w3c")
	}
	return b, nil
}

// decoder says of an error whether it is the decoder's.
type decoder struct{ r io.Reader }

func (d decoder) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	if err != nil && err != io.EOF {
		err = damaged(err)
	}
	return n, err
}

// damaged marks an error of a compressed log. It may be the source's, and the
// next try better.
func damaged(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the compressed log is damaged or cut off: %w", err)
}
