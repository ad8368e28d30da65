package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"narthex/internal/message"
)

const (
	longestGet = 2048     // bytes of a query; beyond it a form is posted
	maxError   = 64 << 10 // bytes of an error's answer
)

// send asks the server. The request has nothing of the one that came in but the
// parameters.
func (b *Backend) send(ctx context.Context, path string, form url.Values, posts bool) (*http.Response, error) {
	u := *b.base
	u.Path += "/api/v1/" + path
	text := form.Encode()
	method, body := http.MethodGet, io.Reader(nil)
	switch {
	case len(text) <= longestGet:
		u.RawQuery = text
	case posts:
		method, body = http.MethodPost, strings.NewReader(text)
	default:
		return nil, badData("the parameters are longer than %d bytes", longestGet)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("User-Agent", b.o.UserAgent)
	for name, value := range b.o.Headers {
		r.Header.Set(name, value)
	}
	return b.client.Do(r)
}

// unreachable says why there was no answer. The address may be nobody's business.
func (b *Backend) unreachable(ctx context.Context, err error) error {
	var p *problem
	var u *url.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "timeout", fmt.Sprintf("%s did not answer within %s: ask for less, or raise query.timeout", b.o.Name, b.o.Timeout)}
	case ctx.Err() != nil:
		return &problem{http.StatusServiceUnavailable, "canceled", "the request was given up"}
	case errors.As(err, &u):
		err = u.Err
	}
	var c *CredentialsError
	if errors.As(err, &c) {
		return &problem{c.Code, errorCredentials, message.Clip(c.Error(), 500)}
	}
	b.o.Logger.Warn("a Prometheus API could not be asked", "backend", b.o.Name, "err", err)
	return &problem{http.StatusBadGateway, "unavailable", fmt.Sprintf("%s can't be reached: %s", b.o.Name, message.Clip(err.Error(), 300))}
}

// errorCredentials is the error type of a CredentialsError.
const errorCredentials = "credentials"

// CredentialsError is what a transport returns that has no credentials for the
// sender. Code is the status to answer: 401 if signing in again would help, 403
// if not, 502 if it is the server's fault.
type CredentialsError struct {
	Code int
	Err  error
}

func (e *CredentialsError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// relay hands an answer on.
func (b *Backend) relay(w http.ResponseWriter, asked *http.Request, resp *http.Response, form url.Values, e endpoint) int {
	in, err := decompressed(resp)
	if err != nil {
		return fail(w, &problem{http.StatusBadGateway, "unavailable", b.o.Name + ": " + err.Error()})
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "application/json" {
		return fail(w, b.refusal(w, resp, kind, in))
	}
	if e.list {
		return b.relayList(w, in, form)
	}
	body, done, err := b.whole(resp, in)
	defer done()
	if err != nil {
		return fail(w, err)
	}
	jsonHeader(w)
	w.Header().Set("Vary", "Accept-Encoding")
	if len(body) > worthPacking && takesGzip(asked) {
		w.Header().Set("Content-Encoding", "gzip")
		body = packed(body)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // an error means that the sender has left
	return http.StatusOK
}

// largeAnswer is from how many bytes on an answer is one of the few large ones that
// are in memory at a time.
const (
	largeAnswer = 8 << 20
	maxLarge    = 4
)

// whole reads an answer that must not be cut. done is to be called when it is
// wanted no more.
func (b *Backend) whole(resp *http.Response, in io.Reader) (text []byte, done func(), err error) {
	done = func() {}
	ctx := resp.Request.Context()
	var buf bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= largeAnswer {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err = buf.ReadFrom(io.LimitReader(in, min(largeAnswer, b.o.MaxAnswer+1)))
	if err == nil && buf.Len() == largeAnswer {
		select {
		case b.large <- struct{}{}:
			done = func() { <-b.large }
			_, err = buf.ReadFrom(io.LimitReader(in, b.o.MaxAnswer+1-largeAnswer))
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	text, err = b.judged(ctx, &buf, err)
	return text, done, err
}

// judged returns what was read of an answer, or what is wrong with it.
func (b *Backend) judged(ctx context.Context, buf *bytes.Buffer, err error) ([]byte, error) {
	switch {
	case int64(buf.Len()) > b.o.MaxAnswer:
		return nil, &problem{http.StatusUnprocessableEntity, "too_large", fmt.Sprintf(
			"the answer of %s is larger than %d MiB: aggregate, select fewer series, or take a longer step or a shorter range (query.max_answer is the limit)", b.o.Name, b.o.MaxAnswer>>20)}
	case err != nil:
		return nil, b.unreachable(ctx, err)
	case !bytes.HasPrefix(bytes.TrimLeft(buf.Bytes(), " \t\r\n"), []byte("{")):
		return nil, &problem{http.StatusBadGateway, "unavailable", b.o.Name + " answered something else than Prometheus's JSON: check query.url"}
	}
	return buf.Bytes(), nil
}

// worthPacking is from how many bytes on an answer is compressed: what fits into
// one packet is not.
const worthPacking = 1400

// packed returns the bytes as gzip.
func packed(b []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil { // only for a level that does not exist
		return b
	}
	_, _ = z.Write(b) // a bytes.Buffer takes all
	_ = z.Close()
	return out.Bytes()
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as gzip is
// named in it: who says * takes what is not compressed too.
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, q, weighed := strings.Cut(params, "q=")
			weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return !weighed || err == nil && weight > 0
		}
	}
	return false
}

func jsonHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// decompressed returns the answer's body.
func decompressed(resp *http.Response) (io.Reader, error) {
	switch coding := resp.Header.Get("Content-Encoding"); coding {
	case "", "identity":
		return resp.Body, nil
	case "gzip":
		z, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, errors.New("its answer is not gzip, as it says")
		}
		return z, nil
	default:
		return nil, fmt.Errorf("its answer has the encoding %.20q, which was not asked for", coding)
	}
}

// refusal is what an answer other than a success comes to. A server that refuses
// narthex's credentials is not the sender's 401.
func (b *Backend) refusal(w http.ResponseWriter, resp *http.Response, kind string, in io.Reader) error {
	text, _ := io.ReadAll(io.LimitReader(in, maxError)) // as much as there is
	said := b.said(kind, text)
	code := resp.StatusCode
	switch {
	case code == http.StatusOK:
		return &problem{http.StatusBadGateway, "unavailable", fmt.Sprintf("%s answered with %.60q instead of JSON: check query.url", b.o.Name, kind)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &problem{http.StatusBadGateway, "backend_denied", fmt.Sprintf("%s refuses the credentials that narthex has for it (%d): %s", b.o.Name, code, said.Error)}
	case code/100 == 3:
		return &problem{http.StatusBadGateway, "unavailable", b.o.Name + " answered with a redirect, which is not followed: check query.url"}
	case code == http.StatusNotFound:
		return &problem{http.StatusNotFound, "not_found", b.o.Name + " does not have this: " + said.Error}
	case code == http.StatusTooManyRequests:
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(min(after, 3600)))
		}
	case code < 400 || code > 599:
		code = http.StatusBadGateway
	}
	return &problem{code, said.ErrorType, said.Error}
}

// failure is an error as Prometheus, or AWS, writes it.
type failure struct {
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
	Message   string `json:"message"`
}

// said reads an error's answer.
func (b *Backend) said(kind string, text []byte) (f failure) {
	if kind != "application/json" || json.Unmarshal(text, &f) != nil {
		f = failure{Message: strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD"))}
		if kind == "text/html" {
			f.Message = "it answered with a web page"
		}
	}
	if f.Error == "" {
		f.Error = f.Message
	}
	if f.Error == "" {
		f.Error = b.o.Name + " gave no reason"
	}
	if f.ErrorType == "" || len(f.ErrorType) > 40 {
		f.ErrorType = "backend"
	}
	f.Error = message.Clip(f.Error, 2000)
	return f
}
