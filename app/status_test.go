package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/app"
	"narthex/config"
)

// ask gets the data of an answer.
func ask(t *testing.T, h http.Handler, path string) map[string]any {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = "localhost"
	h.ServeHTTP(w, r)
	var out struct {
		Status string
		Data   map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.Status != "success" {
		t.Fatalf("%s: %d, %v: %s", path, w.Code, err, w.Body)
	}
	return out.Data
}

// Each sample that a destination takes is counted under its source, for a day.
func TestCostBySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config.Default()
		c.Data = t.TempDir()
		a, err := app.New(t.Context(), app.Options{Config: c, Sink: narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		push := func(service string, n int) {
			var samples []string
			for i := range n {
				at, _ := json.Marshal(time.Now().Add(time.Duration(i-n) * time.Second).UnixMilli())
				samples = append(samples, `{"value":1,"timestamp":`+string(at)+`}`)
			}
			body := `{"service":"` + service + `","series":{"labels":{"__name__":"x"},"samples":[` + strings.Join(samples, ",") + `]}}`
			r := httptest.NewRequest("POST", "/api/v1/push", strings.NewReader(body))
			r.Host = "localhost"
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, r)
			if w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			synctest.Wait() // samples with times of their own are sent on
		}
		costs := func() (window float64, lines []string, total map[string]any) {
			d := ask(t, a.Handler(), "/api/v1/status/cost")["destinations"].([]any)[0].(map[string]any)
			for _, s := range d["sources"].([]any) {
				s := s.(map[string]any)
				text, _ := json.Marshal([]any{s["source"], s["samples"], s["samplesPerDay"], s["costPerMonth"]})
				lines = append(lines, string(text))
			}
			return d["windowSeconds"].(float64), lines, d["total"].(map[string]any)
		}
		push("shop", 100)
		push("crm", 10)
		time.Sleep(6 * time.Hour)
		window, got, total := costs()
		// 400 samples a day are 12,000 a month.
		want := []string{`["shop",100,400,0.00108]`, `["crm",10,40,0.00010799999999999998]`}
		if d := cmp.Diff(want, got); d != "" || window != 6*3600 || total["samples"].(float64) != 110 {
			t.Errorf("window %v, total %v (-want +got):\n%s", window, total, d)
		}
		time.Sleep(20 * time.Hour)
		push("crm", 2)
		if _, got, _ = costs(); len(got) != 1 || !strings.HasPrefix(got[0], `["crm",2,`) {
			t.Errorf("after a day: %q", got)
		}
	})
}

func TestStatus(t *testing.T) {
	s := newSenders(t, "scrape_interval: 30s\n", config.Token{Name: "a", Scopes: []string{"query"}}, config.Token{Name: "p", Scopes: []string{"push"}})
	for _, c := range []struct {
		sender, method, path, body string
		code                       int
		want                       []string
	}{
		{"p", "POST", "/api/v1/push", `{"id":"1","counters":[{"name":"a_total","add":1}]}`, 200, []string{`"accepted"`}},
		{"p", "POST", "/api/v1/push", `{"service":"till","counters":[{"name":"a_total","add":1},{"name":"b_total","add":-1},{"name":"c_total","add":-1}]}`, 200, []string{`"partial"`}},
		{"p", "GET", "/api/v1/arrivals", "", 200, []string{`"all":false`, `"id":"1"`, `"identity":"token:p"`}},
		{"a", "GET", "/api/v1/arrivals", "", 200, []string{`"all":true`, `"id":"1"`}},
		{"a", "GET", "/api/v1/status/ledger", "", 200, []string{`"intervalSeconds":30,`, `"series":2,`, `"entries":2,`, `"rejectedSeries":2,`, `"shards":256,`, `"queue":{"bytes":`}},
		{"p", "GET", "/api/v1/status/ledger", "", 403, []string{"the scope query"}},
		{"a", "GET", "/api/v1/status/viewer", "", 200, []string{`"identity":{"name":"token:a","id":"token:a","scopes":["query"]}`, `"perMillionSamples":0.09`}},
	} {
		code, answer := s.do(c.sender, c.method, c.path, c.body)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(answer, want) {
				t.Errorf("%s %s: %d %s, want %d with %s", c.sender, c.path, code, answer, c.code, want)
			}
		}
	}
}
