package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
	"narthex/remotewrite"
)

const (
	v1 = remotewrite.V1
	v2 = remotewrite.V2
)

// prefix begins the name of each series that is written.
const prefix = "narthex_verify_"

// session is one run.
type session struct {
	o      Options
	client *http.Client
	query  *http.Client
	shown  string // the address without what may be secret
	now    int64  // ms; the newest time that is written
	first  answer
	speaks map[remotewrite.Version]bool
	// What the backend said when it refused, by capability.
	duplicate, old string
	limits         map[string]time.Duration // that settings go by
}

func newSession(o Options) (*session, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, narthex.Errorf(narthex.Invalid, "the address has to be of the form https://host/path")
	}
	if o.QueryURL != "" {
		if q, err := url.Parse(o.QueryURL); err != nil || q.Scheme != "http" && q.Scheme != "https" || q.Host == "" {
			return nil, narthex.Errorf(narthex.Invalid, "the query address has to be of the form https://host/path")
		}
	}
	// A redirect could take credentials elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &session{
		o: o, shown: (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(),
		client: &http.Client{Transport: o.Transport, CheckRedirect: stay, Timeout: 30 * time.Second},
		query:  &http.Client{Transport: o.Query, CheckRedirect: stay, Timeout: time.Minute},
		// A second ago: clocks differ by less.
		now:    o.Now().Add(-time.Second).UnixMilli(),
		speaks: map[remotewrite.Version]bool{v1: true}, limits: make(map[string]time.Duration),
	}, nil
}

// one is a series with one sample. kv are further labels.
func (s *session) one(name string, at int64, v float64, kv ...string) narthex.Series {
	return s.series(name, []narthex.Sample{{Time: at, Value: v}}, kv...)
}

func (s *session) series(name string, samples []narthex.Sample, kv ...string) narthex.Series {
	if !strings.HasPrefix(name, "narthex") {
		name = prefix + name
	}
	ls := narthex.Labels{{Name: narthex.MetricName, Value: name}}
	for i := 0; i < len(kv); i += 2 {
		ls = ls.With(kv[i], kv[i+1])
	}
	return narthex.Series{Labels: ls.With("run", s.o.Run), Type: narthex.TypeGauge, Samples: samples}
}

// answer is what a request was answered.
type answer struct {
	code    int
	text    string
	written map[string]string // what the headers of 2.0 say, by the header's name
}

func (a answer) taken() bool { return a.code/100 == 2 }

// said returns the answer for people.
func (a answer) said() string {
	if a.text == "" {
		return strconv.Itoa(a.code)
	}
	return fmt.Sprintf("%d %q", a.code, message.Clip(a.text, 200))
}

// busy is how often a request is tried that is answered 429 or that the network
// lost, and pause how long is waited in between.
const (
	busy  = 4
	pause = 2 * time.Second
)

// write sends series as they are. A 5xx is an answer like any other: some
// receivers refuse with it.
func (s *session) write(ctx context.Context, v remotewrite.Version, series ...narthex.Series) (a answer, err error) {
	body := remotewrite.Encode(v, series)
	for n := 1; ; n++ {
		a, err = s.post(ctx, v, body)
		if n == busy || err == nil && a.code != http.StatusTooManyRequests || ctx.Err() != nil || s.first.code == 0 {
			return a, err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

func (s *session) post(ctx context.Context, v remotewrite.Version, body []byte) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return a, narthex.Errorf(narthex.Invalid, "the address can't be used")
	}
	req.Header.Set("Content-Type", v.ContentType())
	req.Header.Set("Content-Encoding", remotewrite.ContentEncoding)
	req.Header.Set("User-Agent", "narthex-verify")
	req.Header.Set(remotewrite.HeaderVersion, remotewrite.HeaderVersionV1)
	if v == v2 {
		req.Header.Set(remotewrite.HeaderVersion, remotewrite.HeaderVersionV2)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err // the whole would show the address with its secrets
		}
		return a, narthex.Errorf(narthex.Unavailable, "%s can't be reached: %w", s.shown, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return a, narthex.Errorf(narthex.Unavailable, "%s broke off its answer: %w", s.shown, err)
	}
	a = answer{code: resp.StatusCode, text: sentence(text), written: make(map[string]string)}
	for _, h := range []string{remotewrite.HeaderSamplesWritten, remotewrite.HeaderHistogramsWritten, remotewrite.HeaderExemplarsWritten} {
		if n := resp.Header.Get(h); n != "" {
			a.written[h] = n
		}
	}
	return a, nil
}

// sentence returns what an answer's body says: its text, or, of an error in JSON,
// the message.
func sentence(body []byte) string {
	var failure struct{ Error, Message string }
	if json.Unmarshal(body, &failure) == nil && failure.Error+failure.Message != "" {
		body = []byte(cmp.Or(failure.Error, failure.Message))
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(body)), "�")
}

// refuses reports whether the answer refuses a sample because of its time. A
// 5xx with such words does too: Prometheus before 3 answers 500 to a sample
// that is too old.
func (a answer) refuses() bool {
	if a.code/100 == 4 {
		return true
	}
	text := strings.ToLower(a.text)
	return a.code/100 == 5 && (strings.Contains(text, "too old") || strings.Contains(text, "out of") || strings.Contains(text, "duplicate"))
}

// gone returns the error for an answer from which nothing can be told.
func (s *session) gone(a answer) error {
	return narthex.Errorf(narthex.Unavailable, "%s stopped to answer as a receiver does: %s", s.shown, a.said())
}
