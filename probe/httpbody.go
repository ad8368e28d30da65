package probe

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
)

// held is how much of a body is kept to be searched where body_size_limit is 0.
const held = 64 << 20

// largeBody is from how many bytes on a body that is searched is one of the few
// large ones, of all probes, that are in memory at a time.
const (
	largeBody = 4 << 20
	maxLarge  = 4
)

// check checks an answer and reads its body, once for everything that looks at it.
func (h *httpProbe) check(ctx context.Context, resp *http.Response) {
	h.log.Debug("received an answer", "status_code", resp.StatusCode, "proto", resp.Proto, "content_length", resp.ContentLength,
		"headers", strings.Join(slices.Sorted(maps.Keys(resp.Header)), " "))
	h.checkStatus(resp.StatusCode)
	h.checkHeaders(resp.Header)
	body, err := h.reader(resp)
	if err != nil {
		h.fail(PhaseAssert, ReasonEncoding, "the body is not %s: %w", h.m.Compression, err)
	}
	wanted := h.failure == nil && h.looksAtBody()
	if h.stopped && !wanted {
		h.timings.done()
		return
	}
	counter := &counter{from: body}
	if wanted {
		h.checkBody(ctx, counter)
	}
	if _, err := io.Copy(io.Discard, counter); err != nil {
		h.failBody(ctx, err)
	}
	h.timings.done()
	h.gauge("probe_http_uncompressed_body_length", "").Set(float64(counter.n))
}

func (h *httpProbe) looksAtBody() bool {
	return len(h.m.BodyMatches)+len(h.m.BodyNotMatches) > 0 || h.m.BodyMatchesCEL != "" || h.m.BodyNotMatchesCEL != ""
}

func (h *httpProbe) checkStatus(code int) {
	valid := code/100 == 2
	if len(h.m.ValidStatusCodes) > 0 {
		valid = slices.Contains(h.m.ValidStatusCodes, code)
	}
	switch {
	case valid:
	case h.stopped && h.m.Client.FollowRedirects:
		h.fail(PhaseResponse, ReasonRedirects, "there are more than %d redirects", redirectLimit)
	case len(h.m.ValidStatusCodes) > 0:
		h.fail(PhaseAssert, ReasonStatus, "the status is %d %s, wanted one of %v", code, http.StatusText(code), h.m.ValidStatusCodes)
	default:
		h.fail(PhaseAssert, ReasonStatus, "the status is %d %s, wanted 2xx", code, http.StatusText(code))
	}
}

func (h *httpProbe) checkHeaders(header http.Header) {
	if h.failure != nil || len(h.m.HeaderMatches)+len(h.m.HeaderNotMatches) == 0 {
		return
	}
	for _, m := range h.m.HeaderMatches {
		h.checkHeader(header, m, false)
	}
	for _, m := range h.m.HeaderNotMatches {
		h.checkHeader(header, m, true)
	}
	h.gauge("probe_failed_due_to_regex", "").Set(oneIf(h.failure != nil))
}

// checkHeader checks one header. Its values are not told: they may be secrets.
func (h *httpProbe) checkHeader(header http.Header, m HeaderMatch, want bool) {
	values := header.Values(m.Header)
	if len(values) == 0 {
		if !m.AllowMissing {
			h.fail(PhaseAssert, ReasonHeader, "the answer has no header %s", m.Header)
		}
		return
	}
	found := slices.ContainsFunc(values, m.Regexp.MatchString)
	switch {
	case want && !found:
		h.fail(PhaseAssert, ReasonHeader, "the header %s does not match %q", m.Header, m.Regexp)
	case !want && found:
		h.fail(PhaseAssert, ReasonHeader, "the header %s matches %q", m.Header, m.Regexp)
	}
}

// reader returns the body, unpacked as the module says, and no more of it than it
// allows.
func (h *httpProbe) reader(resp *http.Response) (body io.Reader, err error) {
	body = resp.Body
	switch h.m.Compression {
	case "br":
		body = brotli.NewReader(resp.Body)
	case "deflate":
		body = flate.NewReader(resp.Body)
	case "gzip":
		var z *gzip.Reader
		if z, err = gzip.NewReader(resp.Body); err == nil {
			body = z
		}
	}
	if h.m.BodySizeLimit > 0 {
		body = http.MaxBytesReader(nil, io.NopCloser(body), h.m.BodySizeLimit)
	}
	return body, err
}

// packed reports whether the module unpacks the body.
func (h *httpProbe) packed() bool { return h.m.Compression != "" && h.m.Compression != "identity" }

// failBody notes why a body could not be read.
func (h *httpProbe) failBody(ctx context.Context, err error) {
	var large *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &large):
		h.fail(PhaseResponse, ReasonTooLarge, "the body is over the body_size_limit of %d bytes", large.Limit)
	case reasonOf(ctx, err) == ReasonTimeout:
		h.fail(PhaseResponse, ReasonTimeout, "the time was up before the body was read: %w", err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt), h.packed() && reasonOf(ctx, err) == ReasonOther:
		h.fail(PhaseAssert, ReasonEncoding, "the body is not %s: %w", h.m.Compression, err)
	case h.packed() && errors.Is(err, io.ErrUnexpectedEOF):
		h.fail(PhaseAssert, ReasonEncoding, "the body is not %s, or ends too early: %w", h.m.Compression, err)
	default:
		reason := reasonOf(ctx, err)
		if reason == ReasonOther {
			reason = ReasonProtocol
		}
		h.fail(PhaseResponse, reason, "reading the body: %w", err)
	}
}

// checkBody reads the body and searches it: first the regular expressions, then
// CEL, which sees the same bytes.
func (h *httpProbe) checkBody(ctx context.Context, body io.Reader) {
	var buf bytes.Buffer
	_, err := buf.ReadFrom(io.LimitReader(body, largeBody))
	if err == nil && buf.Len() == largeBody {
		select {
		case h.prober.large <- struct{}{}:
			defer func() { <-h.prober.large }()
			_, err = buf.ReadFrom(io.LimitReader(body, held+1-largeBody))
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil && buf.Len() > held {
		err = &http.MaxBytesError{Limit: held}
	}
	if err != nil {
		h.failBody(ctx, err)
	}
	if len(h.m.BodyMatches)+len(h.m.BodyNotMatches) > 0 {
		if err == nil {
			h.matchBody(ctx, buf.Bytes())
		}
		h.gauge("probe_failed_due_to_regex", "").Set(oneIf(h.failure != nil))
	}
	if h.failure == nil && (h.m.BodyMatchesCEL != "" || h.m.BodyNotMatchesCEL != "") {
		h.evaluateBody(ctx, buf.Bytes())
		h.gauge("probe_failed_due_to_cel", "").Set(oneIf(h.failure != nil))
	}
}

func (h *httpProbe) matchBody(ctx context.Context, body []byte) {
	for _, re := range h.m.BodyMatches {
		if match(ctx, re, body) {
			h.fail(PhaseAssert, ReasonBody, "the body matches %q", re)
			return
		}
	}
	for _, re := range h.m.BodyNotMatches {
		if !match(ctx, re, body) && ctx.Err() == nil {
			h.fail(PhaseAssert, ReasonBody, "the body does not match %q", re)
			return
		}
	}
	if ctx.Err() != nil {
		h.fail(PhaseAssert, ReasonTimeout, "the time was up while the body was searched")
	}
}

// searched is how much of a body is searched between two looks at the clock.
const searched = 1 << 20

// match reports whether body matches; of a large one it says no when ctx ends, which
// is no answer then.
func match(ctx context.Context, re *regexp.Regexp, body []byte) bool {
	if len(body) <= searched {
		return re.Match(body)
	}
	return re.MatchReader(&interruptible{ctx.Err, bytes.NewReader(body), 0})
}

// interruptible reads runes until it is told to stop.
type interruptible struct {
	stop func() error
	from *bytes.Reader
	n    int
}

// ReadRune implements [io.RuneReader].
func (r *interruptible) ReadRune() (rune, int, error) {
	if r.n++; r.n%(searched/16) == 0 && r.stop() != nil {
		return 0, 0, io.EOF
	}
	return r.from.ReadRune()
}

// evaluateBody evaluates the CEL expressions.
func (h *httpProbe) evaluateBody(ctx context.Context, text []byte) {
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		h.fail(PhaseAssert, ReasonBody, "the body is no JSON, which the CEL expression needs: %w", err)
		return
	}
	h.evaluate(ctx, h.m.BodyMatchesCEL, body, false)
	h.evaluate(ctx, h.m.BodyNotMatchesCEL, body, true)
}

func (h *httpProbe) evaluate(ctx context.Context, expression string, body any, want bool) {
	if expression == "" || h.failure != nil {
		return
	}
	got, err := h.prober.cel[expression].Eval(ctx, body)
	switch {
	case err != nil && ctx.Err() != nil:
		h.fail(PhaseAssert, ReasonTimeout, "the time was up while the CEL expression %q was evaluated", expression)
	case err != nil:
		h.fail(PhaseAssert, ReasonBody, "the CEL expression %q: %w", expression, err)
	case got != want:
		h.fail(PhaseAssert, ReasonBody, "the CEL expression %q is %s", expression, fmt.Sprint(got))
	}
}

// counter counts what is read.
type counter struct {
	from io.Reader
	n    int64
}

// Read implements [io.Reader].
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
