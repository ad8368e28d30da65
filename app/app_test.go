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
	return serve(t, a)
}

// serve serves all that an app has until the test ends, and closes it then.
func serve(t *testing.T, a *app.App) *httptest.Server {
	t.Helper()
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

// A page of another origin can't have its visitor's browser probe, which a GET
// does, nor query, which costs; a link to narthex that somebody follows is theirs.
func TestRequestsOfOtherOrigins(t *testing.T) {
	s := start(t, config.Default())
	ask := func(path, site, mode, dest string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for site, foreign := range map[string]bool{"cross-site": true, "same-site": true, "same-origin": false, "none": false, "": false} {
		for _, x := range []struct {
			path, mode, dest string
			own, foreign     int
		}{
			{"/probe", "", "", 400, 403}, // without a target
			{"/probe", "navigate", "document", 400, 403},
			{"/api/v1/receipts", "no-cors", "image", 200, 403},
			{"/api/v1/receipts", "cors", "empty", 200, 403},
			{"/api/v1/receipts", "navigate", "iframe", 200, 403},
			{"/api/v1/receipts", "navigate", "document", 200, 200},
		} {
			want := x.own
			if foreign {
				want = x.foreign
			}
			if got := ask(x.path, site, x.mode, x.dest); got != want {
				t.Errorf("%s, Sec-Fetch-Site %q, mode %q, destination %q: %d, want %d", x.path, site, x.mode, x.dest, got, want)
			}
		}
	}
}

// TestLongPaths: who may use a path is found out before who asks is known, so that
// the longest one takes no time.
func TestLongPaths(t *testing.T) {
	for _, path := range []string{strings.Repeat("/backends/a", 5000), strings.Repeat("/backends/a", 2) + "/api/v1/query", "/backends/a"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if n := testing.AllocsPerRun(1, func() { app.Open(r) }); n > 10 {
			t.Errorf("%.40s…: %v allocations", path, n)
		}
	}
}
