package push

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/klauspost/compress/s2"

	"narthex"
)

// readSnappy calls f with the request's body, decompressed from snappy's block
// format. The block says at its beginning how large it is inside; what is over
// the limit is refused before any memory is taken for it. f may keep the body.
func (d *door) readSnappy(w http.ResponseWriter, r *http.Request, f func(body string) error) error {
	limit := d.Limits.Body
	most := int64(s2.MaxEncodedLen(int(limit)))
	if most < 0 {
		most = limit
	}
	if r.ContentLength > most {
		return tooLarge(limit)
	}
	in, out := d.buffers.get(), d.buffers.get()
	defer func() { d.buffers.put(in); d.buffers.put(out) }()
	if _, err := in.ReadFrom(http.MaxBytesReader(w, r.Body, most)); err != nil {
		return bodyError(err, limit)
	}
	n, err := s2.DecodedLen(in.Bytes())
	if err != nil {
		return notSnappy(err)
	}
	if int64(n) > limit {
		return tooLarge(limit)
	}
	if n > SnappyRatio*in.Len() {
		return notSnappy(fmt.Errorf("it says that %d bytes hold %d, which they can't", in.Len(), n))
	}
	out.Grow(n)
	body, err := s2.Decode(out.AvailableBuffer()[:n], in.Bytes())
	if err != nil {
		return notSnappy(err)
	}
	return f(string(body))
}

// SnappyRatio is how many times smaller than its content a block of snappy's is
// at most: three bytes copy 64.
const SnappyRatio = 22

func notSnappy(err error) error {
	return narthex.Errorf(narthex.Invalid, "decompress the body: %w; remote write is compressed with snappy, in its block format", err)
}

// get returns an empty buffer; put takes it back.
func (b *buffers) get() *bytes.Buffer {
	buf, _ := b.bytes.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	return buf
}

func (b *buffers) put(buf *bytes.Buffer) {
	if buf.Cap() <= 1<<20 { // a rare large one is left to the collector
		b.bytes.Put(buf)
	}
}
