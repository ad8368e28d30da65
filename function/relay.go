package function

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"narthex"
	"narthex/internal/reply"
	"narthex/lambda"
	"narthex/push"
)

// patience is how long a push is tried. The sender tries again under the same
// id, at no charge for the waiting.
const patience = 10 * time.Second

// relay hands pushes to another narthex and its receipts back.
//
// It puts package push's own door in front, so that what is malformed is refused
// here, in the same words. But the door's batch is not what is sent on: a sample
// without a timestamp is given the time of arrival in it, and a retry would
// arrive at another time, as another body under the same id, which is refused.
// The other narthex gets the bytes of the sender instead.
type relay struct {
	door   http.Handler
	client *push.Client
	logger *slog.Logger
}

func newRelay(client *push.Client, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	y := &relay{door: mux, client: client, logger: logger}
	push.Mount(mux, push.Options{
		Sink: narthex.SinkFunc(y.write),
		// What depends on settings is for the other narthex to decide.
		Names:   narthex.NameScheme{UTF8: true},
		Horizon: math.MaxInt64,
		// The failures are logged here, with the id of the request.
		Logger: slog.New(slog.DiscardHandler),
	})
	return y
}

// parcel is a push on its way.
type parcel struct {
	body    bytes.Buffer  // as it came, decompressed
	receipt *push.Receipt // of the other narthex
	err     error         // its reason, if the receipt says that all was rejected
}

type parcelKey struct{}

// ServeHTTP implements [http.Handler].
func (y *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := new(parcel)
	r = r.Clone(context.WithValue(r.Context(), parcelKey{}, p))
	if strings.EqualFold(strings.TrimSpace(r.Header.Get("Content-Encoding")), "gzip") {
		r.Header.Del("Content-Encoding")
		r.ContentLength = -1
		r.Body = &gunzip{src: r.Body}
	}
	r.Body = &tee{ReadCloser: r.Body, to: &p.body}
	y.door.ServeHTTP(&unlessReceipt{w, p}, r)
	switch {
	case p.receipt == nil: // the door has answered
	case p.err != nil:
		reply.Fail(w, http.StatusBadRequest, reply.Failure{ErrorType: "bad_data", Error: p.err.Error(), ID: p.receipt.ID, Rejected: p.receipt.Rejected})
	default:
		reply.JSON(w, http.StatusOK, p.receipt)
	}
}

// write is the door's sink: it sends the sender's bytes under the batch's id.
func (y *relay) write(ctx context.Context, b *narthex.Batch) error {
	p, ok := ctx.Value(parcelKey{}).(*parcel)
	if !ok {
		return narthex.Errorf(narthex.Unavailable, "the push came without its bytes")
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := y.client.Send(within, b.ID, p.body.Bytes())
	if judged(b.ID, r, err) {
		p.receipt, p.err = r, err
		return err
	}
	if err == nil {
		err = errors.New("the answer is a receipt for something else; check lambda.relay.url")
	}
	y.logger.ErrorContext(ctx, "a push was not acknowledged", "request_id", lambda.RequestID(ctx), "id", b.ID, "err", err)
	return narthex.Errorf(narthex.Unavailable,
		"the narthex behind this function did not acknowledge the push: send it again later, under the id %s; the function's log has the reason", b.ID)
}

// judged reports whether the other narthex has taken or refused the push. A 200
// without a receipt for it is no acknowledgement, and a 400 that can't be read is
// no verdict: something that stands in between may have given it.
func judged(id string, r *push.Receipt, err error) bool {
	switch {
	case err == nil:
		return r.ID == id
	case r == nil && narthex.KindOf(err) == narthex.Invalid:
		return false
	}
	return narthex.IsRejected(err) && err.Error() != ""
}

// unlessReceipt drops the door's answer if the other narthex has given one.
type unlessReceipt struct {
	http.ResponseWriter
	*parcel
}

func (w *unlessReceipt) WriteHeader(code int) {
	if w.receipt == nil {
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *unlessReceipt) Write(b []byte) (int, error) {
	if w.receipt == nil {
		return w.ResponseWriter.Write(b)
	}
	return len(b), nil
}

// tee keeps what is read. The door reads no more than its limit and a byte.
type tee struct {
	io.ReadCloser
	to *bytes.Buffer
}

func (t *tee) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	t.to.Write(b[:n])
	return n, err
}

// gunzip decompresses a body when it is first read, so that what is wrong with
// it is the door's to answer.
type gunzip struct {
	src io.ReadCloser
	z   *gzip.Reader
}

func (g *gunzip) Read(b []byte) (int, error) {
	if g.z == nil {
		z, err := gzip.NewReader(g.src)
		if err != nil {
			return 0, err
		}
		g.z = z
	}
	return g.z.Read(b)
}

func (g *gunzip) Close() error { return g.src.Close() }
