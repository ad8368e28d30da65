package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"narthex"
	"narthex/app"
	"narthex/config"
)

func start(t *testing.T, c *config.Config) *httptest.Server {
	t.Helper()
	c.Data = t.TempDir()
	a, err := app.New(t.Context(), app.Options{
		Config: c,
		Sink:   narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a.Handler())
	t.Cleanup(func() {
		s.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Bodies that are on their way take room; when there is none left a push is
// turned away, and taken again once there is. Queries don't wait for pushes.
func TestRoom(t *testing.T) {
	c := config.Default()
	c.Limits.Body = 32 << 20 // two of these are all that is in hand at a time
	s := start(t, c)
	post := func(body io.Reader, length int64) *http.Response {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/api/v1/push", body)
		if err != nil {
			t.Error(err)
			return nil
		}
		req.ContentLength = length
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return nil
		}
		resp.Body.Close()
		return resp
	}
	const push = `{"counters":[{"name":"a_total","add":1}]}`
	slow := make(chan *http.Response)
	var bodies []*io.PipeWriter
	for range 2 {
		r, w := io.Pipe()
		bodies = append(bodies, w)
		go func() { slow <- post(r, 32<<20) }()
		if _, err := io.WriteString(w, push); err != nil {
			t.Fatal(err)
		}
	}
	resp := post(strings.NewReader(push), int64(len(push)))
	for range 100 { // until the server has begun with both
		if resp.StatusCode != http.StatusOK {
			break
		}
		resp = post(strings.NewReader(push), int64(len(push)))
	}
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("with no room left: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	for _, w := range bodies {
		if _, err := io.WriteString(w, strings.Repeat(" ", 32<<20-len(push))); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if resp := <-slow; resp.StatusCode != http.StatusOK {
			t.Errorf("a slow push: %s", resp.Status)
		}
	}
	if resp := post(strings.NewReader(push), int64(len(push))); resp.StatusCode != http.StatusOK {
		t.Errorf("with room again: %s", resp.Status)
	}
}

func TestIsLoopback(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:9091": true, "localhost:1": true, "[::1]:1": true, "127.9.9.9:1": true,
		":9091": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.com:1": false, "nonsense": false,
	} {
		if got := app.IsLoopback(listen); got != want {
			t.Errorf("%s: %v", listen, got)
		}
	}
}

// A page of another origin can't have narthex probe, which a GET does.
func TestProbesOfOtherOrigins(t *testing.T) {
	s := start(t, config.Default())
	for site, want := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 400, "none": 400, "": 400} {
		r, err := http.NewRequest(http.MethodGet, s.URL+"/probe", nil) // without a target
		if err != nil {
			t.Fatal(err)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Sec-Fetch-Site %q: %s, want %d", site, resp.Status, want)
		}
	}
}
