package app_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/app"
	"narthex/auth"
	"narthex/config"
)

// senders is a server that knows its senders by bearer tokens.
type senders struct {
	t      *testing.T
	server *httptest.Server
	tokens map[string]string // by name
}

func newSenders(t *testing.T, text string, tokens ...config.Token) *senders {
	t.Helper()
	c, err := config.Parse("narthex.yml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &senders{t: t, tokens: make(map[string]string)}
	for _, x := range tokens {
		s.tokens[x.Name] = auth.NewToken()
		if x.Hash, err = auth.HashToken(s.tokens[x.Name]); err != nil {
			t.Fatal(err)
		}
		c.Auth.Tokens = append(c.Auth.Tokens, x)
	}
	access, err := app.NewAccess(c, app.AccessOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.Data = t.TempDir()
	a, err := app.New(t.Context(), app.Options{
		Config: c, Access: access,
		Sink: narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.server = serve(t, a)
	return s
}

func (s *senders) do(name, method, path, body string) (code int, answer string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[name])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func users(id string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%q,"counters":[`, id)
	for i := range n {
		fmt.Fprintf(&b, `{"name":"hits_total","labels":{"user":"%d"},"add":1},`, i)
	}
	return strings.TrimSuffix(b.String(), ",") + "]}"
}

// Each sender has its own limits, and what its identity says of it is never
// folded away.
func TestLimitsByIdentity(t *testing.T) {
	forced := narthex.Labels{{Name: "team", Value: "blue"}}
	s := newSenders(t, `
limits:
  series_per_push: 100
  overflow: {action: other}
  identities:
    token:small: {series_per_push: 3, series_per_identity: 2}
    token:large: {series_per_push: 200}
    token:eager: {pushes_per_second: 0.001}
`, config.Token{Name: "small", Scopes: []string{"push"}, Labels: forced}, config.Token{Name: "large", Scopes: []string{"push"}},
		config.Token{Name: "eager", Scopes: []string{"push"}}, config.Token{Name: "else", Scopes: []string{"push"}}, config.Token{Name: "boss", Scopes: []string{"query"}})
	for _, c := range []struct {
		sender, body string
		code         int
		want         string
	}{
		{"small", users("1", 4), 413, "the limit of this sender is 3 (limits.series_per_push)"},
		{"small", users("2", 3), 200, "all their labels but job, service, team"},
		{"small", users("2", 3), 200, `"status":"duplicate"`},
		{"else", users("2", 100), 200, `"status":"accepted"`},
		{"else", users("3", 101), 413, "the limit of this sender is 100"},
		{"large", users("3", 200), 200, `"status":"accepted"`},
		{"large", users("4", 201), 413, "more than 200 series"},
		{"eager", users("1", 1), 200, `"status":"accepted"`},
		{"eager", users("2", 1), 429, `the sender \"token:eager\" sends more than 0.001 pushes a second (limits.pushes_per_second): try again in`},
	} {
		if code, answer := s.do(c.sender, "POST", "/api/v1/push", c.body); code != c.code || !strings.Contains(answer, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.sender, code, answer, c.code, c.want)
		}
	}
	if code, _ := s.do("small", "GET", "/api/v1/status/limits", ""); code != 403 {
		t.Errorf("a sender may see the limits of all: %d", code)
	}
	code, answer := s.do("boss", "GET", "/api/v1/status/limits", "")
	if code != 200 || !strings.Contains(answer, `{"identity":"token:small","series":3,"limit":2,`) || !strings.Contains(answer, `"folded":1`) {
		t.Errorf("the status: %d %s", code, answer)
	}
	if _, metrics := s.do("boss", "GET", "/metrics", ""); !strings.Contains(metrics, `narthex_limited_pushes_total{identity="token:eager",reason="pushes_per_second"} 1`) {
		t.Errorf("metrics: %s", metrics)
	}
}

// A request that becomes several batches (samples, increments) is one push: the
// second must not wait for tokens that the first one takes at each retry.
func TestLimitsTakeARequestWhole(t *testing.T) {
	s := newSenders(t, `
limits:
  identities:
    token:slow: {pushes_per_second: 0.001, samples_per_second: 0.001, burst: 10s}
`, config.Token{Name: "slow", Scopes: []string{"push"}})
	body := func(at int) string {
		point := fmt.Sprintf(`{"timeUnixNano":"%d","asInt":"1"}`, time.Now().UnixNano()+int64(at))
		return `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":[` + point + `]}},` +
			`{"name":"c","sum":{"isMonotonic":true,"aggregationTemporality":1,"dataPoints":[` + point + `]}}]}]}]}`
	}
	for i, want := range []int{200, 429} {
		req, err := http.NewRequest("POST", s.server.URL+"/v1/metrics", strings.NewReader(body(i)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.tokens["slow"])
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want || (want == 429) != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("request %d: %d %s, %v; want %d", i, resp.StatusCode, text, err, want)
		}
	}
}

// A body weighs what it may be once it is decompressed.
func TestWeightOf(t *testing.T) {
	for _, c := range []struct {
		path, encoding string
		length, want   int64
	}{
		{"/api/v1/push", "", 1000, 1000},
		{"/api/v1/push", "", -1, 1e6},
		{"/api/v1/push", "gzip", 1000, 1e6},
		{"/api/v1/write", "snappy", 1000, 22000},
		{"/api/v1/write", "", 1000, 22000}, // which is snappy all the same
		{"/api/v1/write", "Snappy", 1000, 22000},
		{"/api/v1/write", "snappy", math.MaxInt64, 1e6},
		{"/v1/metrics", "", 1e9, 1e6},
		{"/v1/metrics", "", 1000, 4000},
	} {
		r := httptest.NewRequest("POST", c.path, nil)
		r.ContentLength = c.length
		r.Header.Set("Content-Encoding", c.encoding)
		if got := app.WeightOf(r, 1e6); got != c.want {
			t.Errorf("%s %q of %d bytes weighs %d, want %d", c.path, c.encoding, c.length, got, c.want)
		}
	}
}

// A sender whose requests never end leaves room for the others.
func TestRoomIsShared(t *testing.T) {
	r := app.NewRoom(100, 75, 0, time.Minute) // without a line
	take := func(who string, n int64) bool { return r.Take(t.Context(), who, n) }
	for _, step := range []struct {
		who  string
		n    int64
		want bool
	}{{"a", 40, true}, {"a", 40, false}, {"a", 35, true}, {"a", 1, false}, {"b", 30, false}, {"b", 25, true}, {"c", 1, false}} {
		if got := take(step.who, step.n); got != step.want {
			t.Errorf("%s takes %d: %v", step.who, step.n, got)
		}
	}
	r.Give("a", 40)
	if !take("c", 40) || take("a", 1) {
		t.Error("what was given back is not there, or too much is")
	}
}

// Who finds a room full waits in line: in order, but for those who have their share,
// not for ever, and not if too many do already.
func TestRoomHasALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := app.NewRoom(4, 3, 4, time.Second)
		var mu sync.Mutex
		var served []string
		come := func(who string, n int64) {
			go func() {
				told := who
				if !r.Take(t.Context(), who, n) {
					told = "not " + who
				}
				mu.Lock()
				defer mu.Unlock()
				served = append(served, told)
			}()
			synctest.Wait()
		}
		want := func(list ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(served)
			if diff := cmp.Diff(list, served); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			served = nil
		}
		come("a", 3)
		come("b", 1)
		want("a", "b")
		come("a", 1) // has its share
		come("c", 2)
		come("d", 1)
		come("a", 1)
		come("e", 1) // the line is full
		want("not e")
		r.Give("b", 1) // not enough for c, and d came later
		want()
		if n := r.Waiting(); n != 4 {
			t.Errorf("%d wait, want 4", n)
		}
		r.Give("a", 3)
		want("a", "c", "d")
		r.Give("c", 2)
		want("a")
		come("f", 3)
		time.Sleep(time.Second - time.Nanosecond)
		want()
		time.Sleep(time.Nanosecond)
		want("not f")
		r.Give("a", 1)
		r.Give("a", 1)
		r.Give("d", 1)
		come("g", 3)
		come("h", 1)
		want("g", "h")
	})
}

// A burst may fill the line; one that has stood for a second takes a quarter of that,
// until nobody waits.
func TestRoomLineThatStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := app.NewRoom(1, 1, 8, time.Minute)
		come := func(n int) (turnedAway int) {
			var refused atomic.Int64
			for range n {
				go func() {
					if !r.Take(t.Context(), "a", 1) {
						refused.Add(1)
					}
				}()
			}
			synctest.Wait()
			return int(refused.Load())
		}
		serve := func(n int) {
			for range n {
				r.Give("a", 1)
				synctest.Wait()
			}
		}
		if n := come(10); n != 1 || r.Waiting() != 8 {
			t.Errorf("of a burst of 10, %d were turned away and %d wait", n, r.Waiting())
		}
		serve(2)
		time.Sleep(time.Second)
		if n := come(1); n != 1 {
			t.Error("a line that stands took one more")
		}
		serve(5)
		if n := come(2); n != 1 || r.Waiting() != 2 {
			t.Errorf("of 2, %d were turned away and %d wait", n, r.Waiting())
		}
		serve(3)
		if n := come(9); n != 0 || r.Waiting() != 8 {
			t.Errorf("after the line was empty %d of a burst were turned away and %d wait", n, r.Waiting())
		}
		serve(9)
	})
}

// Who leaves the line lets those behind it through.
func TestRoomLineGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := app.NewRoom(4, 4, 4, time.Minute)
		r.Take(t.Context(), "a", 3)
		ctx, cancel := context.WithCancel(t.Context())
		var large, small bool
		done := make(chan bool)
		go func() { large = r.Take(ctx, "b", 2); done <- true }()
		synctest.Wait()
		go func() { small = r.Take(t.Context(), "c", 1); done <- true }()
		synctest.Wait()
		if r.Waiting() != 2 {
			t.Fatal("somebody overtook")
		}
		cancel()
		<-done
		<-done
		if large || !small || r.Waiting() != 0 {
			t.Errorf("the one that left got room: %v; the one behind it: %v", large, small)
		}
	})
}
