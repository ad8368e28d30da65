package remotewrite_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"narthex"
	"narthex/remotewrite"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// roundTrip is a function that is a transport.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	return f(r)
}

func answer(status int, text string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(text))}
}

// script answers each request with the next of the answers, and then with 204.
func script(answers ...any) (http.RoundTripper, *int) {
	n := new(int)
	return roundTrip(func(*http.Request) (*http.Response, error) {
		*n++
		if *n > len(answers) {
			return answer(204, ""), nil
		}
		switch a := answers[*n-1].(type) {
		case error:
			return nil, a
		default:
			return a.(*http.Response), nil
		}
	}), n
}

func TestRetries(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	cases := map[string]struct {
		answers  func() []any
		o        remotewrite.Options
		deadline time.Duration
		requests int
		atLeast  time.Duration
		atMost   time.Duration
		fails    string
	}{
		"5xx, 429 and the network": {
			answers:  func() []any { return []any{answer(503, "busy"), answer(429, ""), errors.New("reset"), answer(500, "")} },
			requests: 5, atLeast: 100 * time.Millisecond, atMost: 460 * time.Millisecond},
		"Retry-After in seconds": {answers: func() []any { return []any{answer(429, "", "Retry-After", "7")} }, requests: 2, atLeast: 7 * time.Second, atMost: 7 * time.Second},
		"Retry-After as a date":  {answers: func() []any { return []any{answer(503, "", "Retry-After", date(9*time.Second))} }, requests: 2, atLeast: 8 * time.Second, atMost: 9 * time.Second},
		"Retry-After beyond the deadline": {answers: func() []any { return []any{answer(429, "", "Retry-After", "60")} }, deadline: 10 * time.Second,
			requests: 1, fails: "429 Too Many Requests"},
		"attempts":     {answers: func() []any { return []any{answer(500, ""), answer(500, ""), answer(500, "out of disk")} }, o: remotewrite.Options{MaxAttempts: 3}, requests: 3, atLeast: time.Millisecond, atMost: time.Second, fails: `tried 3 times in .* "out of disk"`},
		"not 400":      {answers: func() []any { return []any{answer(400, "no")} }, requests: 1, fails: "400 Bad Request .*it has taken nothing yet"},
		"unauthorized": {answers: func() []any { return []any{answer(401, "who?")} }, requests: 1, fails: "401 Unauthorized .*credentials are missing"},
		"forbidden":    {answers: func() []any { return []any{answer(403, "no")} }, requests: 1, fails: "403 Forbidden .*permission"},
		"not found":    {answers: func() []any { return []any{answer(404, "no")} }, requests: 1, fails: "404 Not Found .*/api/v1/write"},
		"redirect":     {answers: func() []any { return []any{answer(302, "", "Location", "https://login.example/x?token=secret")} }, requests: 1, fails: "302 Found .*https://login.example/x;"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport, n := script(c.answers()...)
				c.o.URL, c.o.Version, c.o.Transport = "http://me:secret@receiver.example/w?token=secret", remotewrite.V1, transport
				client := newClient(t, c.o)
				ctx := context.Background()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				err := client.Write(ctx, &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}})
				if took := time.Since(start); took < c.atLeast || took > c.atMost {
					t.Errorf("it took %s, want %s to %s", took, c.atLeast, c.atMost)
				}
				if *n != c.requests {
					t.Errorf("%d requests, want %d", *n, c.requests)
				}
				checkError(t, err, c.fails)
			})
		})
	}
}

// checkError wants an error that is Unavailable, of that text, and without secrets.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("failed: %v", err)
		}
		return
	}
	if narthex.KindOf(err) != narthex.Unavailable || !matches(want, err.Error()) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v (kind %d), want Unavailable, %q and no secrets", err, narthex.KindOf(err), want)
	}
}

func TestForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := roundTrip(func(*http.Request) (*http.Response, error) { return answer(503, "down"), nil })
		client := newClient(t, remotewrite.Options{Transport: down, MaxElapsed: 20 * time.Second})
		start := time.Now()
		err := client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}})
		if took := time.Since(start); took < 14*time.Second || took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		checkError(t, err, "503 Service Unavailable")
		if s := client.Stats(); s.Failed != 1 || s.Retries == 0 || s.LastError != err.Error() {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		hang := roundTrip(func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answer(204, ""), nil
		})
		client := newClient(t, remotewrite.Options{Transport: hang, Version: remotewrite.V1, Timeout: 3 * time.Second})
		start := time.Now()
		if err := client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}}); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 3*time.Second || took > 3100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}

// TestFallback: a receiver of 1.0 gets 2.0 once, then 1.0 for six hours.
func TestFallback(t *testing.T) {
	cases := map[string]func() *http.Response{
		"415":                        func() *http.Response { return answer(415, "unsupported") },
		"204 without the counts":     func() *http.Response { return answer(204, "") },
		"400 about the content type": func() *http.Response { return answer(400, "expected application/x-protobuf as Content-Type") },
	}
	for name, refuse := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			receiver := roundTrip(func(r *http.Request) (*http.Response, error) {
				v := r.Header.Get(remotewrite.HeaderVersion)
				got = append(got, v)
				if v == remotewrite.HeaderVersionV2 {
					return refuse(), nil
				}
				return answer(204, ""), nil
			})
			now := time.UnixMilli(1e12)
			client := newClient(t, remotewrite.Options{Transport: receiver, Now: func() time.Time { return now }})
			write := func() {
				if err := client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}}); err != nil {
					t.Fatal(err)
				}
			}
			write()
			write()
			now = now.Add(7 * time.Hour)
			write()
			if want := "2.0.0 0.1.0 0.1.0 2.0.0 0.1.0"; strings.Join(got, " ") != want {
				t.Errorf("versions %v, want %s", got, want)
			}
			if s := client.Stats(); s.Fallbacks != 2 || s.Samples != 3 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestVersionOfAmazon(t *testing.T) {
	for v, want := range map[remotewrite.Version]string{0: "0.1.0", remotewrite.V2: "2.0.0"} {
		got := ""
		receiver := roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get(remotewrite.HeaderVersion)
			return answer(204, "", remotewrite.HeaderSamplesWritten, "1"), nil
		})
		client := newClient(t, remotewrite.Options{URL: "https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write", Version: v, Transport: receiver})
		if err := client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}}); err != nil || got != want {
			t.Errorf("%s: version %q, %v", v, got, err)
		}
	}
}

func TestShort(t *testing.T) {
	receiver := roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(200, "", remotewrite.HeaderSamplesWritten, "1"), nil
	})
	client := newClient(t, remotewrite.Options{Transport: receiver})
	err := client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("a", 1, 1000), gauge("b", 1, 1000)}})
	if s := client.Stats(); err != nil || s.Short != 1 || s.Fallbacks != 0 {
		t.Errorf("%v, stats %+v", err, s)
	}
}

func TestNew(t *testing.T) {
	for want, o := range map[string]remotewrite.Options{
		"of the form https":     {URL: "receiver/api"},
		"can't be read":         {URL: "http://me:secret@host:x y/"},
		"belongs to the":        {URL: "http://host/", Headers: map[string]string{"content-encoding": "gzip"}},
		"neither 1.0 nor":       {URL: "http://host/", Version: 3},
		"X-Prometheus-Remote-W": {URL: "http://host/", Headers: map[string]string{"x-prometheus-remote-write-version": "9"}},
	} {
		_, err := remotewrite.New(o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestClosed(t *testing.T) {
	client := newClient(t, remotewrite.Options{})
	client.Close()
	checkError(t, client.Write(context.Background(), &narthex.Batch{}), "stopping")
}

// TestClosedDuringRetries: a client that is closed does not sit out its pauses.
func TestClosedDuringRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := roundTrip(func(*http.Request) (*http.Response, error) { return answer(503, "down", "Retry-After", "20"), nil })
		client := newClient(t, remotewrite.Options{Transport: down})
		start := time.Now()
		time.AfterFunc(time.Second, func() { client.Close() })
		checkError(t, client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}}), "503")
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestSlowReader: a transport that answers before it has read the request must
// not see the next one in the same memory.
func TestSlowReader(t *testing.T) {
	var bodies []io.ReadCloser
	slow := slowTransport(func(r *http.Request) (*http.Response, error) {
		bodies = append(bodies, r.Body)
		return answer(204, ""), nil
	})
	client := newClient(t, remotewrite.Options{Transport: slow, Version: remotewrite.V1, MaxSamples: 1, Concurrency: 1})
	if err := client.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{gauge("a", 1, 1000), gauge("b", 2, 1000), gauge("c", 3, 1000)}}); err != nil {
		t.Fatal(err)
	}
	for i, body := range bodies {
		zipped, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(zipped), string(rune('a'+i))) {
			t.Errorf("request %d was overwritten: %q, %v", i, zipped, err)
		}
	}
}

type slowTransport func(r *http.Request) (*http.Response, error)

func (f slowTransport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// patient writes as those do that keep what a receiver which has taken nothing
// yet refuses, until its refusals are believed.
func patient(c *remotewrite.Client, b *narthex.Batch) (err error) {
	for range 3 {
		if err = c.Write(context.Background(), b); narthex.KindOf(err) != narthex.Unavailable {
			break
		}
	}
	return err
}

// A receiver that refuses all it is sent, and does not say why, is first thought
// to be the wrong one: nothing is dropped and no second request is made.
func TestDoubts(t *testing.T) {
	transport, n := script(answer(400, "no"), answer(400, "no"), answer(400, "no"))
	client := newClient(t, remotewrite.Options{URL: "http://receiver.example/w", Version: remotewrite.V1, Transport: transport})
	for i := 1; i <= 3; i++ {
		b := &narthex.Batch{Series: []narthex.Series{gauge("up", 1, 1000)}}
		err := client.Write(context.Background(), b)
		if held := narthex.KindOf(err) == narthex.Unavailable; held != (i < 3) || *n != i || !held && len(b.Rejected) != 1 {
			t.Errorf("write %d: %v, %d requests, rejected %v", i, err, *n, b.Rejected)
		}
	}
}
