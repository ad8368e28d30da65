package push

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"narthex"
	"narthex/internal/message"
)

// buffers are reused from request to request.
type buffers struct {
	bytes sync.Pool // *bytes.Buffer
	gzip  sync.Pool // *gzip.Reader
}

// read calls f with the request's body, decompressed. The body is refused as
// soon as it turns out to be over the limit, so it never takes more memory than
// a small multiple of that. f must not keep the bytes.
func (d *door) read(w http.ResponseWriter, r *http.Request, f func(body []byte) error) error {
	limit := d.Limits.Body
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	// What is compressed is bounded too: a gzip file may go on for ever without
	// any content. A little is added for content that can't be compressed.
	in := io.Reader(http.MaxBytesReader(w, r.Body, limit+limit/1024+4096))
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		z, _ := d.buffers.gzip.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		defer d.buffers.gzip.Put(z)
		if err := z.Reset(in); err != nil {
			return bodyError(err, limit)
		}
		in = z
	default:
		w.Header().Set("Accept-Encoding", "gzip, identity")
		return &answer{http.StatusUnsupportedMediaType, badData, "the content encoding " + message.Quote(encoding) + " is not known: use gzip or none"}
	}
	buf, _ := d.buffers.bytes.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	defer func() {
		if buf.Cap() <= 1<<20 { // a rare large one is left to the collector
			d.buffers.bytes.Put(buf)
		}
	}()
	if _, err := buf.ReadFrom(io.LimitReader(in, limit+1)); err != nil {
		return bodyError(err, limit)
	}
	if int64(buf.Len()) > limit {
		return tooLarge(limit)
	}
	return f(buf.Bytes())
}

func tooLarge(limit int64) error {
	return narthex.Errorf(narthex.TooLarge, "the body is larger than %d bytes (after decompression): send it in several, or raise limits.body", limit)
}

func bodyError(err error, limit int64) error {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &answer{http.StatusRequestTimeout, "timeout", "the body did not arrive in time"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return narthex.Errorf(narthex.Invalid, "the body ends too early: %w", err)
	}
	return narthex.Errorf(narthex.Invalid, "read the body: %w", err)
}

// wantType returns an error unless the request's content type is one of those,
// or absent.
func wantType(w http.ResponseWriter, r *http.Request, types ...string) error {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	got, params, err := mime.ParseMediaType(header)
	if charset := params["charset"]; err == nil && slices.Contains(types, got) && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	w.Header().Set("Accept", types[0])
	return &answer{http.StatusUnsupportedMediaType, badData, "the content type " + message.Quote(header) + " is not taken here: send " + types[0] + " in UTF-8"}
}
