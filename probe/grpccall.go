package probe

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"narthex/internal/message"
	"narthex/internal/protowire"
)

// maxGRPCMessage is how long an answer may be, as in gRPC's own client.
const maxGRPCMessage = 4 << 20

// healthCall is a call of grpc.health.v1.Health/Check.
type healthCall struct {
	scheme, authority string
	service           string
	metadata          map[string][]Secret
}

// check makes the call over a connection that has been made. It returns the
// serving status, or a *grpcError with the code that gRPC's own client would
// return, or a *Failure if the call can't be made.
func (c *healthCall) check(ctx context.Context, client http.RoundTripper) (int32, error) {
	r, err := c.request(ctx)
	if err != nil {
		return 0, failed(PhaseRequest, ReasonOther, "make the call: %w", err)
	}
	response, err := client.RoundTrip(r)
	if err != nil {
		return 0, transportError(ctx, err)
	}
	defer response.Body.Close()
	return readHealth(ctx, response)
}

func (c *healthCall) request(ctx context.Context) (*http.Request, error) {
	var body []byte
	if c.service != "" {
		body = protowire.AppendString(nil, 1, c.service)
	}
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	u := url.URL{Scheme: c.scheme, Host: c.authority, Path: "/grpc.health.v1.Health/Check"}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(frame))
	if err != nil {
		return nil, err
	}
	r.GetBody = nil // there is one connection, and so one try
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	r.Header.Set("User-Agent", userAgent)
	if d, ok := ctx.Deadline(); ok {
		r.Header.Set("Grpc-Timeout", grpcTimeout(time.Until(d)))
	}
	for key, values := range c.metadata {
		key = strings.ToLower(key)
		if reservedMetadata(key) {
			continue
		}
		for _, v := range values {
			if strings.HasSuffix(key, "-bin") {
				v = Secret(base64.RawStdEncoding.EncodeToString([]byte(v)))
			}
			r.Header.Add(key, string(v))
		}
	}
	return r, nil
}

// reservedMetadata reports whether a key is the protocol's own, which gRPC's
// client does not send either.
func reservedMetadata(key string) bool {
	switch key {
	case "content-type", "user-agent", "te", "grpc-message-type", "grpc-encoding", "grpc-message", "grpc-status", "grpc-timeout":
		return true
	}
	return strings.HasPrefix(key, ":")
}

// grpcTimeout writes a time of at most eight digits and a unit.
func grpcTimeout(d time.Duration) string {
	const most = 1e8 - 1
	if ms := (max(d, 0) + time.Millisecond - 1) / time.Millisecond; ms <= most {
		return strconv.FormatInt(int64(ms), 10) + "m"
	}
	return strconv.FormatInt(int64(min(d/time.Second, most)), 10) + "S"
}

// readHealth reads the answer to the call.
func readHealth(ctx context.Context, r *http.Response) (int32, error) {
	if kind := r.Header.Get("Content-Type"); !isGRPC(kind) {
		return 0, grpcErrorf(codeOfHTTP(r.StatusCode), "HTTP status %d and the content type %s, which is not gRPC", r.StatusCode, message.Quote(kind))
	}
	text, err := readMessage(r.Body, r.Header.Get("Grpc-Encoding"))
	none := errors.Is(err, errNoMessage)
	if err != nil && !none {
		return 0, transportError(ctx, err)
	}
	if !none {
		if n, err := io.CopyN(io.Discard, r.Body, 1); n > 0 {
			return 0, grpcErrorf(codeInternal, "more than one message")
		} else if !errors.Is(err, io.EOF) {
			return 0, transportError(ctx, err)
		}
	}
	if err := statusOf(r); err != nil {
		return 0, err
	}
	if none {
		return 0, grpcErrorf(codeInternal, "no message")
	}
	return parseHealth(text)
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(contentType), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

var errNoMessage = errors.New("no message")

// readMessage reads a length-prefixed message.
func readMessage(body io.Reader, encoding string) (string, error) {
	var head [5]byte
	switch n, err := io.ReadFull(body, head[:]); {
	case errors.Is(err, io.EOF):
		return "", errNoMessage
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "", grpcErrorf(codeInternal, "a message that ends after %d bytes", n)
	case err != nil:
		return "", err
	}
	switch {
	case head[0] > 1:
		return "", grpcErrorf(codeInternal, "a message of the unknown format %d", head[0])
	case head[0] == 1 && (encoding == "" || encoding == "identity"):
		return "", grpcErrorf(codeInternal, "a compressed message without its encoding")
	case head[0] == 1:
		return "", grpcErrorf(codeUnimplemented, "a message compressed by %s, which was not asked for", message.Quote(encoding))
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxGRPCMessage {
		return "", grpcErrorf(codeResourceExhausted, "a message of %d bytes, which is more than %d", size, maxGRPCMessage)
	}
	var text strings.Builder
	switch n, err := io.CopyN(&text, body, int64(size)); {
	case errors.Is(err, io.EOF):
		return "", grpcErrorf(codeInternal, "a message of %d bytes that ends after %d", size, n)
	case err != nil:
		return "", err
	}
	return text.String(), nil
}

// statusOf returns the status of a call whose body has been read, nil if it is OK.
func statusOf(r *http.Response) error {
	from := r.Trailer
	if len(from) == 0 {
		if r.ContentLength != 0 {
			return grpcErrorf(codeInternal, "no trailers, which have the status")
		}
		from = r.Header // the headers have ended the answer
	}
	text := from.Get("Grpc-Status")
	code, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return grpcErrorf(codeUnknown, "the status %s", message.Quote(text))
	}
	if code == 0 {
		return nil
	}
	said := from.Get("Grpc-Message")
	if plain, err := url.PathUnescape(said); err == nil {
		said = plain
	}
	return &grpcError{grpcCode(code), message.Clip(strings.ToValidUTF8(said, "\uFFFD"), labelLimit)}
}

// parseHealth reads a HealthCheckResponse.
func parseHealth(text string) (int32, error) {
	var status int32
	var err error
	m := protowire.Message(text)
	for f := (protowire.Field{}); m.Next(&f, &err); {
		if f.Num == 1 && f.Wire == protowire.Varint {
			status = int32(f.N)
		}
	}
	if err != nil {
		return 0, grpcErrorf(codeInternal, "a message that can't be read: %v", err)
	}
	return status, nil
}

// transportError returns the *grpcError for a stream or a connection that failed.
func transportError(ctx context.Context, err error) error {
	var known *grpcError
	var stream streamError
	switch {
	case errors.As(err, &known):
		return known
	case over(ctx), reasonOf(ctx, err) == ReasonTimeout:
		return grpcErrorf(codeDeadlineExceeded, "nothing in time: %v", err)
	case errors.As(err, &stream):
		return grpcErrorf(codeOfStream(stream.Code), "the stream is reset: %v", err)
	}
	return grpcErrorf(codeUnavailable, "nothing that can be read: %w", err)
}

// over reports whether a context has ended, or would have by its clock: the server,
// which was told the deadline, may reset the stream before that is noticed here.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// streamError is the error of a stream that the peer has reset: net/http copies
// its own into one of the same form.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return fmt.Sprintf("HTTP/2 error %d", e.Code) }
