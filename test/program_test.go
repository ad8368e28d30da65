package test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"narthex/internal/narthextest"
)

// builds are the programs under test, ports the addresses for them and others.
var (
	builds narthextest.Builds
	ports  narthextest.Ports
)

// side is how many tests run side by side, where they may: what they do most is
// wait.
const side = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set(side)
	}
	code := m.Run()
	builds.Remove()
	os.Exit(code)
}

func program(t testing.TB) string {
	t.Helper()
	path, err := builds.Program("narthex", "narthex/cmd/narthex")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// full reports whether the tests run at full size.
func full() bool { return os.Getenv("NARTHEX_ACCEPTANCE") != "" }

// scaled returns n, or small in a scaled-down run.
func scaled(n, small int) int {
	if full() {
		return n
	}
	return small
}

// server is a narthex serve that may be killed and started again.
type server struct {
	*narthextest.Server
	t   testing.TB
	dir string // data and configuration
}

// newServer starts a narthex with the configuration, on a free port.
func newServer(t testing.TB, config string) *server {
	t.Helper()
	s := prepareServer(t, config)
	s.start()
	return s
}

// prepareServer does all but start it.
func prepareServer(t testing.TB, config string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, dir: dir, Server: &narthextest.Server{
		Binary: program(t), Config: filepath.Join(dir, "narthex.yml"), Data: filepath.Join(dir, "data"), Address: freePort(t),
	}}
	writeFile(t, s.Config, config)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("narthex said:\n%s", s.Log.String())
		}
	})
	return s
}

func (s *server) url() string { return s.URL() }

// start starts the program and returns once it says that it is ready.
func (s *server) start() {
	s.t.Helper()
	if err := s.Start(); err != nil {
		s.t.Fatalf("%v\n%s", err, s.Log.String())
	}
}

// kill sends SIGKILL and waits for the end.
func (s *server) kill() { s.End(syscall.SIGKILL) }

// stop sends SIGTERM and returns how the program ended.
func (s *server) stop() error { return s.End(syscall.SIGTERM) }

// push posts a body and returns the status code and the answer.
func (s *server) push(body string, header ...string) (int, map[string]any) {
	s.t.Helper()
	return s.post("/api/v1/push", []byte(body), header...)
}

// post posts a body and returns the status code and the answer, which is JSON.
func (s *server) post(path string, body []byte, header ...string) (int, map[string]any) {
	s.t.Helper()
	resp, text := fetch(s.t, http.MethodPost, s.url()+path, body, header...)
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		s.t.Fatalf("%s: %s", resp.Status, text)
	}
	return resp.StatusCode, answer
}

// fetch makes a request, with headers as names and values in turn, and returns the
// answer and its body.
func fetch(t testing.TB, method, url string, body []byte, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, text
}

// point is a sample of an answer: a time in seconds and a value.
type point struct {
	t float64
	v string
}

func (p *point) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&p.t, &p.v})
}

type result struct {
	Metric map[string]string `json:"metric"`
	Value  point             `json:"value"`
	Values []point           `json:"values"`
}

// query asks PromQL at a time (zero: now).
func query(t testing.TB, base, expr string, at time.Time) []result {
	t.Helper()
	form := url.Values{"query": {expr}}
	if !at.IsZero() {
		form.Set("time", strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64))
	}
	resp, err := http.PostForm(base+"/api/v1/query", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []result }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %s: %v", expr, resp.Status, err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}

// value returns the one value of an instant query, "" if there is none.
func (s *server) value(expr string) string {
	s.t.Helper()
	r := query(s.t, s.url(), expr, time.Time{})
	if len(r) == 0 {
		return ""
	}
	if len(r) > 1 {
		s.t.Fatalf("%s has %d results", expr, len(r))
	}
	return r[0].Value.v
}

// samples returns the stored samples of the series that a selector picks.
func samples(t testing.TB, base, selector string) []point {
	t.Helper()
	r := query(t, base, selector+"[1h]", time.Time{})
	if len(r) != 1 {
		t.Fatalf("%s picks %d series", selector, len(r))
	}
	return r[0].Values
}

// eventually polls until ok holds or two minutes have passed.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-ticker.C {
		if ok() {
			return
		}
	}
	t.Fatalf("after two minutes still not: %s", what)
}
