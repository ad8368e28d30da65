package push_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/push"
)

// arrivals lists what arrived, a line each.
func (s *server) arrivals(t *testing.T, headers ...string) (list []push.Arrival, text string) {
	t.Helper()
	w := s.do("GET", "/api/v1/arrivals", "", headers...)
	var out struct {
		Data struct{ Arrivals []push.Arrival }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
		t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
	}
	for _, a := range out.Data.Arrivals {
		line := []string{a.Door, a.Status, fmt.Sprint("id=", a.ID, " times=", a.Times, " series=", a.Series, " source=", a.Source)}
		for _, x := range a.Examples {
			line = append(line, x.Metric)
		}
		for _, x := range a.Rejected {
			line = append(line, "refused "+x.Series)
		}
		if a.Error != "" {
			line = append(line, fmt.Sprint(a.Code, " ", a.Error[:min(len(a.Error), 40)]))
		}
		text += strings.Join(line, " ") + "\n"
	}
	return out.Data.Arrivals, text
}

func TestArrivals(t *testing.T) {
	s := serve(push.Options{})
	s.push(`{"id":"p1","service":"shop","counters":[{"name":"orders_total","add":1}],"histograms":[{"name":"latency_seconds","observe":[1]}]}`)
	s.push(`{"id":"p2","counters":[{"name":"a","add":1},{"name":"b","add":-1}]}`)
	s.push(`{"id":"p3","service":"till","counters":[{"name":"c","add":-1}]}`)
	s.push(`{"counters":`)
	s.push(`{"counters":`)
	s.do("PUT", "/metrics/job/nightly", "ok 1\n", "Idempotency-Key: g1")
	s.do("PUT", "/metrics/job/nightly", "ok 1 5\n")
	s.do("POST", "/aggregate/metrics/job/nightly", "runs 1\n", "Idempotency-Key: a1")
	s.do("POST", "/v1/metrics", "{", "Content-Type: application/json")
	s.write(written1(t, "w1"))
	s.write(written1(t, "w2"))
	s.do("GET", "/api/v1/push", "") // no push

	_, got := s.arrivals(t)
	want := `otlp failed id= times=1 series=0 source= 400 not OTLP's JSON: want a string at byte 1
group failed id= times=1 series=0 source= 400 pushed metrics must not have timestamps:
push failed id= times=2 series=0 source= 400 the body is not JSON: line 1, column 13:
push rejected id=p3 times=1 series=0 source=till refused c{service="till"}
push partial id=p2 times=1 series=1 source= a refused b
remote_write accepted id= times=2 series=1 source= w2
aggregate accepted id=a1 times=1 series=1 source=nightly runs
group accepted id=g1 times=1 series=1 source=nightly ok
push accepted id=p1 times=1 series=2 source=shop orders_total latency_seconds_bucket
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What failed has no receipt, and does not hide that of a push under the same id.
func TestArrivalsFailedThenTaken(t *testing.T) {
	s := serve(push.Options{})
	s.on = func(*narthex.Batch) error { return narthex.Errorf(narthex.Unavailable, "the disk is full") }
	s.push(`{"id":"x","counters":[{"name":"a","add":1}]}`)
	s.on = nil
	s.push(`{"id":"x","counters":[{"name":"a","add":1}]}`)
	_, got := s.arrivals(t)
	want := "push failed id= times=1 series=0 source= 503 the disk is full\npush accepted id=x times=1 series=1 source= a\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := len(fields(t, s.do("GET", "/api/v1/receipts", ""))["receipts"].([]any)); got != 1 {
		t.Errorf("%d receipts", got)
	}
}

func TestArrivalsAreScoped(t *testing.T) {
	s := serve(push.Options{Identity: who, ReadsAll: func(r *http.Request) bool { return r.Header.Get("X-Who") == "root" }})
	s.push(one, "X-Who: ann")
	s.push(`{`, "X-Who: ann")
	s.push(`{`, "X-Who: bob")
	for name, want := range map[string]int{"ann": 2, "bob": 1, "eve": 0, "root": 3} {
		list, text := s.arrivals(t, "X-Who: "+name)
		if len(list) != want {
			t.Errorf("%s sees\n%swant %d", name, text, want)
		}
	}
}

// Nobody fills the list with failures, and texts from outside are cut.
func TestArrivalsAreBounded(t *testing.T) {
	s := serve(push.Options{})
	for range 10 {
		s.push(one)
	}
	for i := range 1200 {
		s.push(fmt.Sprintf(`{"x%d":1}`, i))
	}
	s.push(`{"counters":[{"name":"a","labels":{"l":"` + strings.Repeat("é", 1000) + `"},"add":1}]}`)
	all := fields(t, s.do("GET", "/api/v1/arrivals?limit=5000", ""))["data"].(map[string]any)["arrivals"].([]any)
	if len(all) != 511 {
		t.Errorf("%d are kept, want 500 failures and 11 pushes", len(all))
	}
	example := all[500].(map[string]any)["examples"].([]any)[0].(map[string]any)["series"].(string)
	if len(example) > 310 || !strings.HasSuffix(example, "…") {
		t.Errorf("an example has %d bytes: %s", len(example), example)
	}
	if w := s.do("GET", "/api/v1/arrivals?limit=x", ""); w.Code != 400 {
		t.Errorf("limit=x: %d", w.Code)
	}
	if w := s.do("POST", "/api/v1/arrivals", ""); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}
