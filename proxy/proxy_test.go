package proxy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"narthex/proxy"
)

// upstream is a Prometheus API that keeps what it was asked.
type upstream struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	last  http.Header
}

func newUpstream(t testing.TB, answer http.HandlerFunc) *upstream {
	t.Helper()
	u := new(upstream)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		u.mu.Lock()
		u.asked = append(u.asked, r.Method+" "+r.URL.EscapedPath()+" "+r.Form.Encode())
		u.last = r.Header.Clone()
		u.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) seen() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.asked)
}

func answering(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

const good = `{"status":"success","data":{"resultType":"vector","result":[]}}`

// front starts a proxy to the upstream.
func front(t testing.TB, u *upstream, o proxy.Options) *httptest.Server {
	t.Helper()
	o.Name, o.URL = "up", u.URL+"/base/"
	b, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	b.Mount(mux, "")
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func do(t testing.TB, method, address, form string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// Only what is listed is asked, with the parameters that it has.
func TestOnlyWhatIsListedGoesOn(t *testing.T) {
	u := newUpstream(t, answering(good))
	s := front(t, u, proxy.Options{})
	for _, c := range []struct {
		method, path, form string
		code               int
		want               string // "" is nothing
	}{
		{"GET", "/api/v1/query?query=up&time=1&bogus=1&dedup=false", "", 200, "GET /base/api/v1/query query=up&time=1"},
		{"POST", "/api/v1/query_range", "query=up&start=1&end=2&step=1&lookback_delta=15s", 200, "GET /base/api/v1/query_range end=2&lookback_delta=15s&query=up&start=1&step=1"},
		{"POST", "/api/v1/query", "query=" + strings.Repeat("a", 3000), 200, "POST /base/api/v1/query query=" + strings.Repeat("a", 3000)},
		{"GET", "/api/v1/query?query=a%26b%3Dc%0D%0AX-Evil:%201", "", 200, "GET /base/api/v1/query query=a%26b%3Dc%0D%0AX-Evil%3A+1"},
		{"GET", "/api/v1/status/buildinfo?x=1", "", 200, "GET /base/api/v1/status/buildinfo "},
		{"GET", "/api/v1/metadata?metric=up", "", 200, "GET /base/api/v1/metadata metric=up"},
		// What writes, administers, or tells a configuration.
		{"POST", "/api/v1/write", "x", 404, ""},
		{"POST", "/api/v1/remote_write", "x", 404, ""},
		{"GET", "/api/v1/read", "", 404, ""},
		{"POST", "/api/v1/admin/tsdb/delete_series?match[]=up", "", 404, ""},
		{"GET", "/api/v1/status/config", "", 404, ""},
		{"GET", "/api/v1/status/flags", "", 404, ""},
		{"GET", "/api/v1/targets", "", 404, ""},
		{"POST", "/api/v1/rules", "x", 405, ""},
		{"DELETE", "/api/v1/series?match[]=up", "", 405, ""},
		{"PUT", "/api/v1/query?query=up", "", 405, ""},
		{"POST", "/api/v1/metadata", "metric=up", 405, ""},
		// Paths that try to leave. The mux redirects to the clean path, which is not served.
		{"GET", "/api/v1/query/../admin/tsdb/snapshot", "", 307, ""},
		{"GET", "/api/v1/label/..%2f..%2fadmin/values", "", 502, "GET /base/api/v1/label/U___2e__2e__2f__2e__2e__2f_admin/values "},
		{"GET", "/api/v1/label/%2e%2e/values", "", 502, "GET /base/api/v1/label/U___2e__2e_/values "},
		{"GET", "/api/v1/label/a%3Fb%23c/values", "", 502, "GET /base/api/v1/label/U__a_3f_b_23_c/values "},
		{"GET", "/api/v1/label/%00/values", "", 502, "GET /base/api/v1/label/U___0_/values "},
		{"GET", "/api/v1/label/%ff/values", "", 400, ""},
		{"GET", "/api/v1/label/" + strings.Repeat("a", 1025) + "/values", "", 400, ""},
		{"GET", "/api/v1/query?query=%00", "", 400, ""},
		{"GET", "/api/v1/query?query=%ff", "", 400, ""},
		{"POST", "/api/v1/query", "query=" + strings.Repeat("a", 1<<20), 413, ""},
	} {
		before := len(u.seen())
		resp, body := do(t, c.method, s.URL+c.path, c.form)
		got := strings.Join(u.seen()[before:], "; ")
		if resp.StatusCode != c.code || got != c.want {
			t.Errorf("%s %.80s: %d and %.200q, want %d and %.200q (%.200s)", c.method, c.path, resp.StatusCode, got, c.code, c.want, body)
		}
	}
}

// Names of labels are written as Prometheus's own library writes them.
func TestLabelNames(t *testing.T) {
	u := newUpstream(t, answering(`{"status":"success","data":[]}`))
	s := front(t, u, proxy.Options{})
	for _, name := range []string{"job", "_a1", "1a", "http.route", "größe", "a/b", "a_b.c", "U__a", "日本", "a:b"} {
		before := len(u.seen())
		do(t, "GET", s.URL+"/api/v1/label/"+strings.NewReplacer("/", "%2F").Replace(name)+"/values", "")
		want := name
		if !model.LegacyValidation.IsValidLabelName(name) {
			want = strings.ReplaceAll(model.EscapeName(name, model.ValueEncodingEscaping), ":", "_3a_")
			if !strings.HasPrefix(want, "U__") {
				want = "U__" + want
			}
			if back := model.UnescapeName(want, model.ValueEncodingEscaping); back != name {
				t.Fatalf("the oracle of %q is wrong: %q", name, back)
			}
		}
		if got := u.seen()[before:]; len(got) != 1 || got[0] != "GET /base/api/v1/label/"+want+"/values " {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// No header goes on in either direction but those that are meant to.
func TestHeaders(t *testing.T) {
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		for name, value := range map[string]string{
			"Set-Cookie": "a=b", "Location": "https://evil.example", "Access-Control-Allow-Origin": "*", "Refresh": "0; url=/x", "X-Amz-Secret": "x",
			"Content-Disposition": "attachment", "Cache-Control": "public", "Server": "x", "Strict-Transport-Security": "max-age=0",
		} {
			h.Set(name, value)
		}
		_, _ = io.WriteString(w, good)
	})
	s := front(t, u, proxy.Options{UserAgent: "narthex/test", Headers: map[string]string{"X-Scope-OrgID": "me"}})
	resp, _ := do(t, "POST", s.URL+"/api/v1/query", "query=up",
		"Authorization", "Bearer mine", "Cookie", "__Host-narthex=secret", "X-Scope-OrgID", "you", "X-Forwarded-For", "1.2.3.4", "X-Amz-Date", "1",
		"Connection", "X-Drop", "X-Drop", "1", "Forwarded", "host=x", "Origin", "https://evil.example", "Range", "bytes=0-1", "User-Agent", "browser")
	got := slices.Sorted(maps.Keys(u.last))
	if d := cmp.Diff([]string{"Accept", "Accept-Encoding", "User-Agent", "X-Scope-Orgid"}, got); d != "" {
		t.Errorf("to the backend (-want +got):\n%s", d)
	}
	if u.last.Get("User-Agent") != "narthex/test" || u.last.Get("X-Scope-OrgID") != "me" {
		t.Errorf("to the backend: %v", u.last)
	}
	got = slices.Sorted(maps.Keys(resp.Header))
	if d := cmp.Diff([]string{"Cache-Control", "Content-Length", "Content-Type", "Date", "Vary", "X-Content-Type-Options"}, got); d != "" {
		t.Errorf("back (-want +got):\n%s", d)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("back: %v", resp.Header)
	}
}

// What the backend answers other than a success is told in the API's words, and
// is never taken for something about the sender's own sign-in.
func TestRefusals(t *testing.T) {
	header := func(code int, kind, body string, more ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i < len(more); i += 2 {
				w.Header().Set(more[i], more[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		code      int
		errorType string
		text      string
	}{
		"a wrong query":     {header(400, "application/json", `{"status":"error","errorType":"bad_data","error":"parse error"}`), 400, "bad_data", "parse error"},
		"too many samples":  {header(422, "application/json", `{"status":"error","errorType":"execution","error":"too many samples"}`), 422, "execution", "too many samples"},
		"AWS's denial":      {header(403, "application/json", `{"message":"Missing Authentication Token"}`), 502, "backend_denied", "Missing Authentication Token"},
		"a login":           {header(401, "text/html", `<html>`, "WWW-Authenticate", "Basic"), 502, "backend_denied", "web page"},
		"a redirect":        {header(302, "text/html", ``, "Location", "/login"), 502, "unavailable", "redirect"},
		"no such endpoint":  {header(404, "text/plain", `404 page not found`), 404, "not_found", "does not have this"},
		"a limit":           {header(429, "application/json", `{"message":"Rate exceeded"}`, "Retry-After", "7"), 429, "backend", "Rate exceeded"},
		"a web page":        {header(200, "text/html", `<script>alert(1)</script>`), 502, "unavailable", "instead of JSON"},
		"a teapot":          {header(418, "text/plain", `short and stout`), 418, "backend", "short and stout"},
		"no JSON":           {header(200, "application/json", `hello`), 502, "unavailable", "something else"},
		"an unknown coding": {header(200, "application/json", good, "Content-Encoding", "br"), 502, "unavailable", "encoding"},
		"half of a gzip":    {header(200, "application/json", "x", "Content-Encoding", "gzip"), 502, "unavailable", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, c.answer)
			s := front(t, u, proxy.Options{})
			resp, body := do(t, "GET", s.URL+"/api/v1/query?query=up", "")
			var got struct{ Status, ErrorType, Error string }
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if resp.StatusCode != c.code || got.Status != "error" || got.ErrorType != c.errorType || !strings.Contains(got.Error, c.text) {
				t.Errorf("%d %+v, want %d %s %q", resp.StatusCode, got, c.code, c.errorType, c.text)
			}
			if h := resp.Header; h.Get("WWW-Authenticate") != "" || h.Get("Location") != "" || h.Get("Retry-After") != map[bool]string{true: "7"}[c.code == 429] {
				t.Errorf("headers %v", h)
			}
			if n := len(u.seen()); n != 1 {
				t.Errorf("%d requests were made", n)
			}
		})
	}
}

// Few large answers are in memory at a time; all come through.
func TestLargeAnswersTakeTurns(t *testing.T) {
	big := `{"status":"success","data":"` + strings.Repeat("a", 9<<20) + `"}`
	s := front(t, newUpstream(t, answering(big)), proxy.Options{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			resp, err := http.DefaultClient.Do(request(s.URL+"/api/v1/query?query=up", ""))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || n != int64(len(big)) {
				t.Errorf("%s, %d bytes, %v", resp.Status, n, err)
			}
		})
	}
	all.Wait()
}

// A query's answer is refused beyond the limit, also one that is small on its way.
func TestLargeAnswersAreRefused(t *testing.T) {
	big := `{"status":"success","data":"` + strings.Repeat("a", 1<<20) + `"}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, big)
	_ = z.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"plain": answering(big),
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed.Bytes())
		},
	} {
		s := front(t, newUpstream(t, answer), proxy.Options{MaxAnswer: 1 << 20})
		resp, body := do(t, "GET", s.URL+"/api/v1/query?query=up", "")
		if resp.StatusCode != 422 || !strings.Contains(body, "larger than 1 MiB") || len(body) > 1000 {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, body)
		}
		s = front(t, newUpstream(t, answer), proxy.Options{MaxAnswer: 2 << 20})
		if resp, body := do(t, "GET", s.URL+"/api/v1/query?query=up", ""); resp.StatusCode != 200 || body != big {
			t.Errorf("%s below the limit: %d, %d bytes", name, resp.StatusCode, len(body))
		}
	}
}

// A list is cut where it is too long, and says so; the backend may not know the
// parameter limit.
func TestListsAreCut(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("%q", fmt.Sprint("n", i)))
	}
	all := `{"status":"success","isPartial":false,"data":[` + strings.Join(names, ",") + `],"warnings":["slow"]}`
	for name, c := range map[string]struct {
		answer, query string
		o             proxy.Options
		want          int
		warning       string
	}{
		"whole":           {all, "", proxy.Options{}, 1000, "slow"},
		"by the request":  {all, "?limit=10", proxy.Options{}, 10, "more than 10"},
		"by the setting":  {all, "?limit=500", proxy.Options{MaxResults: 20}, 20, "more than 20"},
		"by its bytes":    {all, "", proxy.Options{MaxAnswer: 1000}, 152, "larger than what is read"},
		"cut off":         {all[:len(all)/2], "", proxy.Options{}, 506, "ended too early"},
		"none":            {`{"status":"success","data":[]}`, "", proxy.Options{}, 0, ""},
		"null":            {`{"status":"success","data":null}`, "", proxy.Options{}, 0, ""},
		"exactly as many": {`{"status":"success","data":["a","b"]}`, "?limit=2", proxy.Options{}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := front(t, newUpstream(t, answering(c.answer)), c.o)
			resp, body := do(t, "GET", s.URL+"/api/v1/label/__name__/values"+c.query, "")
			var got struct {
				Status   string
				Data     []string
				Warnings []string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 || got.Status != "success" {
				t.Fatalf("%d %v %.200s", resp.StatusCode, err, body)
			}
			if text := strings.Join(got.Warnings, "; "); len(got.Data) != c.want || !strings.Contains(text, c.warning) || c.warning == "" && text != "" {
				t.Errorf("%d elements and %q, want %d and %q", len(got.Data), text, c.want, c.warning)
			}
		})
	}
	s := front(t, newUpstream(t, answering(`{"status":"success","data":{"a":1}}`)), proxy.Options{})
	if resp, body := do(t, "GET", s.URL+"/api/v1/labels", ""); resp.StatusCode != 502 {
		t.Errorf("an object: %d %s", resp.StatusCode, body)
	}
}

// One sender's queries under way keep no other from asking.
func TestSendersAreBounded(t *testing.T) {
	free, arrived := make(chan struct{}), make(chan struct{}, 10)
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Form.Get("query") == "slow" {
			arrived <- struct{}{}
			<-free
		}
		answering(good)(w, r)
	})
	s := front(t, u, proxy.Options{MaxPerSender: 2, MaxConcurrent: 3, Sender: func(r *http.Request) string { return r.Header.Get("X-Who") }})
	var under sync.WaitGroup
	for range 2 {
		under.Go(func() {
			if resp, err := http.DefaultClient.Do(request(s.URL+"/api/v1/query?query=slow", "ann")); err != nil || resp.StatusCode != 200 {
				t.Errorf("a slow query: %v %v", resp, err)
			} else {
				resp.Body.Close()
			}
		})
		<-arrived
	}
	third := make(chan int)
	go func() {
		resp, err := http.DefaultClient.Do(request(s.URL+"/api/v1/query?query=third", "ann"))
		if err != nil {
			t.Error(err)
			close(third)
			return
		}
		resp.Body.Close()
		third <- resp.StatusCode
	}()
	if resp, body := do(t, "GET", s.URL+"/api/v1/query?query=up", "", "X-Who", "bob"); resp.StatusCode != 200 {
		t.Errorf("somebody else's: %d %s", resp.StatusCode, body)
	}
	if got := strings.Join(u.seen(), "\n"); strings.Contains(got, "third") {
		t.Error("her third was not kept waiting")
	}
	close(free)
	under.Wait()
	if code := <-third; code != 200 {
		t.Errorf("her third: %d", code)
	}
	if resp, body := do(t, "GET", s.URL+"/api/v1/query?query=up", "", "X-Who", "ann"); resp.StatusCode != 200 {
		t.Errorf("hers afterwards: %d %s", resp.StatusCode, body)
	}
}

func request(address, who string) *http.Request {
	r := httptest.NewRequest("GET", address, nil)
	r.RequestURI = ""
	r.Header.Set("X-Who", who)
	return r
}

func TestTimeout(t *testing.T) {
	u := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := front(t, u, proxy.Options{Timeout: 20 * time.Millisecond})
	if resp, body := do(t, "GET", s.URL+"/api/v1/query?query=up", ""); resp.StatusCode != 503 || !strings.Contains(body, `"timeout"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	u.CloseClientConnections()
	gone := front(t, u, proxy.Options{})
	u.Close()
	if resp, body := do(t, "GET", gone.URL+"/api/v1/query?query=up", ""); resp.StatusCode != 502 || !strings.Contains(body, "can't be reached") || strings.Contains(body, "query=up") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// The record is found out once, and kept when the backend goes away.
func TestRecord(t *testing.T) {
	broken := false
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch q := r.Form.Get("query"); {
		case broken:
			http.Error(w, "down", 500)
		case strings.HasSuffix(r.URL.Path, "/metadata"), strings.HasSuffix(r.URL.Path, "/format_query"), strings.HasSuffix(r.URL.Path, "top_queries"),
			strings.Contains(q, "anchored"), r.Form.Get("limit") == "x":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"no"}`)
		case strings.HasSuffix(r.URL.Path, "/buildinfo"):
			answering(`{"status":"success","data":{"version":"2.50.0","application":"Grafana Mimir"}}`)(w, r)
		case strings.HasSuffix(r.URL.Path, "/flags"):
			answering(`{"status":"success","data":{"query.lookback-delta":"1m30s"}}`)(w, r)
		default:
			answering(good)(w, r)
		}
	})
	now := time.Unix(1e9, 0)
	b, err := proxy.New(proxy.Options{Name: "up", URL: u.URL, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	r := b.Record(t.Context())
	if r.Kind != "mimir" || r.Version != "2.50.0" || r.Error != "" || !r.Can["query"] || !r.Can["query_exemplars"] || r.Can["metadata"] || r.Can["format_query"] ||
		r.Lookback != 90 || !r.Supports["at"] || r.Supports["anchored"] || !r.Supports["limit"] || r.Supports["stats"] || r.Supports["lookback_delta"] {
		t.Errorf("%+v", r)
	}
	n := len(u.seen())
	if b.Record(t.Context()); len(u.seen()) != n {
		t.Error("it was found out twice")
	}
	broken, now = true, now.Add(time.Hour)
	if r = b.Record(t.Context()); r.Error == "" || !r.Can["query"] || r.Kind != "mimir" {
		t.Errorf("with the backend away: %+v", r)
	}
}

// Who leaves before all is found out does not spoil it for the others.
func TestRecordOfWhoLeft(t *testing.T) {
	leave := make(chan func(), 1)
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case cancel := <-leave:
			cancel()
		default:
		}
		answering(good)(w, r)
	})
	b, err := proxy.New(proxy.Options{Name: "up", URL: u.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	leave <- cancel
	b.Record(ctx)
	if r := b.Record(t.Context()); r.Error != "" || !r.Can["series"] || !r.Supports["at"] {
		t.Errorf("%+v", r)
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"", "prom:9090", "ftp://prom", "http://u:p@prom", "http://prom?x=1", "http://prom#x", "http://"} {
		if _, err := proxy.New(proxy.Options{URL: address}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", address, err)
		}
	}
	u := newUpstream(t, answering(good))
	for _, path := range []string{"", "/", "/base", "/base/", "/base/api/v1", "/base/api/v1/"} {
		b, err := proxy.New(proxy.Options{URL: u.URL + path})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		b.Mount(mux, "")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/query?query=up", nil))
		want := "GET " + strings.TrimSuffix(strings.TrimSuffix(path, "/"), "/api/v1") + "/api/v1/query query=up"
		if got := u.seen(); got[len(got)-1] != want {
			t.Errorf("%q: %q, want %q", path, got[len(got)-1], want)
		}
	}
}
