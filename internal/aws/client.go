package aws

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
	"time"
)

const (
	errorLimit = 64 << 10        // of an error's body, in bytes
	slowest    = 1 << 20         // bytes a second, to be waited for
	skewLimit  = 4 * time.Minute // AWS refuses from five minutes on
	firstWait  = 100 * time.Millisecond
	longestGap = 5 * time.Second
)

// client sends the requests of one service.
type client struct {
	session *Session
	signer  *Signer
	base    *url.URL // the endpoint
	own     bool     // the endpoint is not AWS's
	err     error    // why there is no endpoint
}

// client returns a client for a service, as its endpoint and its credential
// scope name it.
func (s *Session) client(name string) client {
	base, own, err := s.endpoint(name)
	return client{session: s, base: base, own: own, err: err, signer: &Signer{Region: s.region, Service: name, PathAsIs: name == "s3"}}
}

// call is a request to a service.
type call struct {
	op, resource string // for the error
	method       string
	url          *url.URL // nil: the endpoint
	header       http.Header
	body         []byte
	limit        int64         // of the answer's body, in bytes
	stream       bool          // hand out the body instead of reading it
	unsigned     bool          // it needs no credentials
	wait         time.Duration // how long the service may take on purpose
}

// answer is the service's answer to a call.
type answer struct {
	header   http.Header
	body     []byte
	stream   io.ReadCloser // instead of body; the caller closes it
	attempts int
}

// do sends a call until it succeeds, fails for good, or time is up.
func (c *client) do(ctx context.Context, in call) (*answer, error) {
	if c.err != nil {
		return nil, c.err
	}
	hash := HashBody(in.body)
	renewed, adjusted := false, false
	for attempt := 1; ; attempt++ {
		var cred Credentials
		var err error
		if !in.unsigned {
			if cred, err = c.session.Credentials(ctx); err != nil {
				return nil, fmt.Errorf("%s %s: %w", c.signer.Service, in.op, err)
			}
		}
		a, fail := c.send(ctx, in, hash, cred)
		if fail == nil {
			a.attempts = attempt
			return a, nil
		}
		fail.Service, fail.Op, fail.Resource, fail.Attempts = c.signer.Service, in.op, in.resource, attempt
		switch {
		case !adjusted && c.session.adjust(fail.Status, fail.date):
			adjusted = true
			continue
		case !renewed && !in.unsigned && fail.expired():
			renewed = true
			c.session.credentials.drop(cred)
			continue
		}
		if attempt >= c.session.options.Attempts || !fail.passing() || !pause(ctx, gap(attempt, fail)) {
			return nil, fail
		}
	}
}

// send makes one attempt.
func (c *client) send(ctx context.Context, in call, hash string, cred Credentials) (*answer, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	patience := c.session.options.AttemptTimeout
	limit := time.AfterFunc(patience+in.wait+transfer(int64(len(in.body))), func() {
		cancel(errors.New("the answer took too long"))
	})
	open := false
	defer func() {
		limit.Stop()
		if !open {
			cancel(nil)
		}
	}()
	r := c.request(ctx, in)
	if !in.unsigned {
		c.signer.Sign(r, hash, cred, c.session.now())
	}
	// Not signed, since proxies change it. Without it net/http would ask for gzip
	// and unpack objects that are stored in it.
	r.Header["Accept-Encoding"] = []string{"identity"}
	resp, err := c.session.http.Do(r)
	if err != nil {
		return nil, fault(ctx, err)
	}
	if resp.StatusCode/100 == 2 && in.stream {
		open = true
		return &answer{header: resp.Header, stream: &body{resp.Body, cancel}}, nil
	}
	defer resp.Body.Close()
	most := in.limit
	if resp.StatusCode/100 != 2 {
		most = errorLimit
	}
	limit.Reset(patience + transfer(min(resp.ContentLength, most)))
	text, err := read(resp, most+1)
	if err != nil { // of an error too: its code may be in what is missing
		return nil, fault(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		e := &Error{Status: resp.StatusCode}
		e.date, _ = http.ParseTime(resp.Header.Get("Date"))
		e.read(resp.Header, text[:min(len(text), errorLimit)])
		return nil, e
	}
	if int64(len(text)) > most {
		return nil, &Error{Err: fmt.Errorf("the answer is over %d bytes: %w", most, ErrTooLarge)}
	}
	return &answer{header: resp.Header, body: text}, nil
}

// transfer is how long that many bytes may take on their way.
func transfer(size int64) time.Duration {
	return time.Duration(max(size, 0)) * time.Second / slowest
}

// read reads up to most bytes of an answer, into one piece of memory where the
// answer says how long it is.
func read(resp *http.Response, most int64) ([]byte, error) {
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n < most {
		b.Grow(int(n) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(resp.Body, most))
	if b.Len() == 0 {
		return []byte{}, err
	}
	return b.Bytes(), err
}

// request makes the request of a call; it can be signed.
func (c *client) request(ctx context.Context, in call) *http.Request {
	u := *c.base
	if in.url != nil {
		u = *in.url
	}
	if u.Path == "" {
		u.Path = "/"
	}
	r := &http.Request{Method: in.method, URL: &u, Host: u.Host, Header: make(http.Header, len(in.header)+4), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	for name, values := range in.header {
		r.Header[name] = values
	}
	r.Header["User-Agent"] = []string{"narthex"}
	if len(in.body) > 0 {
		r.ContentLength = int64(len(in.body))
		r.Body = io.NopCloser(bytes.NewReader(in.body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(in.body)), nil }
	}
	return r.WithContext(ctx)
}

// body releases a stream's context when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *body) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// fault is an attempt without an answer.
func fault(ctx context.Context, err error) *Error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	return &Error{Err: err}
}

// adjust sets the clock by the answer's Date if that is why a request was
// refused, and reports whether to send it again.
func (s *Session) adjust(status int, date time.Time) bool {
	if date.IsZero() || status != http.StatusBadRequest && status != http.StatusUnauthorized && status != http.StatusForbidden {
		return false
	}
	if off := date.Sub(s.now()); off.Abs() < skewLimit {
		return false
	}
	s.skew.Store(int64(date.Sub(s.options.Now())))
	return true
}

// gap is how long to wait after an attempt, with full jitter, so that those
// who failed together don't come back together.
func gap(attempt int, e *Error) time.Duration {
	top := min(longestGap, firstWait<<min(attempt-1, 10))
	if e.throttled() {
		top = min(longestGap, 4*top)
	}
	return max(rand.N(top), e.after)
}

// pause waits, and reports whether there is time left for another attempt.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the seconds that an answer asks to wait, up to a minute.
func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 60)) * time.Second
}
