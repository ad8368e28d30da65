package remotewrite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex"
)

// answer is what a receiver said.
type answer struct {
	status       int
	text         string // of a refusal
	written      int    // samples and histograms, as it says
	writtenKnown bool
	after        time.Duration
	location     string
}

func (a *answer) taken() bool { return a.status/100 == 2 }

func (a *answer) line() string { return fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)) }

// attempts sends a message until there is an answer that another attempt would
// not change. The error is of kind Unavailable.
func (w *worker) attempts(v Version, message []byte) (answer, error) {
	c := w.c
	// It is snappy's block format, a tenth smaller than the reference makes it.
	w.zip = s2.EncodeSnappyBetter(w.zip[:cap(w.zip)], message)
	start, pause, before := time.Now(), c.o.MinBackoff, ""
	for n := 1; ; n++ {
		a, err := w.once(v)
		trouble := ""
		switch {
		case err != nil:
			trouble, w.resent = err.Error(), true
		case a.status/100 == 5 && lasting(a.text) && (c.answers5.Load() || a.text == before):
			c.answers5.Store(true)
			return a, nil
		case a.status/100 == 5, a.status == http.StatusTooManyRequests:
			trouble = a.line() + ", and said " + said(a.text)
			w.resent = w.resent || !lasting(a.text)
		default:
			return a, nil
		}
		before = a.text
		// Half of the pause is left to chance, so that many senders do not come
		// back at once.
		wait := max(a.after, pause/2+rand.N(pause/2+1))
		pause = min(2*pause, c.o.MaxBackoff)
		deadline, bounded := w.ctx.Deadline()
		switch {
		case w.ctx.Err() != nil, c.closing.Err() != nil, c.o.MaxAttempts > 0 && n >= c.o.MaxAttempts,
			time.Since(start)+wait > c.o.MaxElapsed, bounded && time.Until(deadline) < wait:
			return a, c.unavailable(trouble, n, time.Since(start), a.after, err)
		}
		if !c.sleep(w.ctx, wait) {
			return a, c.unavailable(trouble, n, time.Since(start), a.after, w.ctx.Err())
		}
		c.stats.add(func(n *Stats) { n.Retries++ })
	}
}

func (c *Client) unavailable(trouble string, attempts int, took, after time.Duration, cause error) error {
	times := "once"
	if attempts > 1 {
		times = fmt.Sprintf("%d times in %s", attempts, took.Round(time.Millisecond))
	}
	return &narthex.Error{Kind: narthex.Unavailable, After: after, Err: cause,
		Msg: fmt.Sprintf("remote write to %s: tried %s: %s; nothing is lost, it can be tried again", c.o.Name, times, trouble)}
}

// sleep waits, and reports whether there is still reason to go on.
func (c *Client) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-c.closing.Done():
	}
	return false
}

// payload is the body of a request. The transport may read it even after it has
// an answer, and says by Close that it won't any more.
type payload struct {
	bytes.Reader
	open *atomic.Int32
}

func (p *payload) Close() error {
	p.open.Add(-1)
	return nil
}

// once sends the compressed message once.
func (w *worker) once(v Version) (answer, error) {
	c := w.c
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-w.ctx.Done():
		return answer{}, w.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(w.ctx, c.o.Timeout)
	defer cancel()
	open := new(atomic.Int32)
	body := func() (io.ReadCloser, error) {
		open.Add(1)
		p := &payload{open: open}
		p.Reset(w.zip)
		return p, nil
	}
	first, _ := body()
	req := (&http.Request{
		Method: http.MethodPost, URL: c.endpoint.url, Host: c.endpoint.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: c.endpoint.header[v].Clone(), Body: first, GetBody: body, ContentLength: int64(len(w.zip)),
	}).WithContext(ctx)
	size := uint64(len(w.zip))
	c.stats.add(func(n *Stats) { n.Requests++; n.Bytes += size })
	resp, err := c.o.Transport.RoundTrip(req)
	var a answer
	if err == nil {
		a = read(resp, c.o.Now())
	}
	if open.Load() != 0 {
		w.zip = bytes.Clone(w.zip) // the transport is still reading the other
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text has the URL, which may have secrets
	}
	return a, err
}

// read reads an answer. Once its status is there it counts, whatever becomes of
// the rest of it.
func read(resp *http.Response, now time.Time) answer {
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, location: resp.Header.Get("Location")}
	if a.taken() {
		io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	} else {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		a.text = string(text)
		a.after = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	for _, name := range []string{HeaderSamplesWritten, HeaderHistogramsWritten, HeaderExemplarsWritten} {
		n, err := strconv.Atoi(resp.Header.Get(name))
		if err != nil || n < 0 {
			continue
		}
		a.writtenKnown = true
		if name != HeaderExemplarsWritten {
			a.written += n
		}
	}
	return a
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), 86_400)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), 24*time.Hour)
	}
	return 0
}
