package push_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/push"
)

// emfLine is an event with one metric, at the time of arrival.
func emfLine(members string) string {
	return fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["a"]],"Metrics":[{"Name":"hits","Unit":"Count"}]}]},%s}`, now.UnixMilli(), members)
}

func TestEMF(t *testing.T) {
	one := emfLine(`"a":"x","hits":2`)
	const series = `hits_total{a="x",namespace="n"} delta counter`
	for name, c := range map[string]struct {
		body string
		code int
		want string // of the series, or of the answer
	}{
		"an object":        {one, 200, series + " 2@-1767225600000\n"},
		"printed large":    {strings.ReplaceAll(one, ",", ",\n"), 200, series + " 2@-1767225600000\n"},
		"a list":           {"[" + one + "," + one + "]", 200, series + " 4@-1767225600000\n"},
		"lines":            {one + "\n\r\n" + one + "\r\n", 200, series + " 4@-1767225600000\n"},
		"other lines":      {`{"level":"INFO"}` + "\n" + one, 200, `1 of 2 events are not in the embedded metric format`},
		"a broken line":    {one[:50] + "\n" + one, 200, `{"series":"line 1","reason":"it is no JSON object`},
		"a broken event":   {"[1," + one + "]", 200, `{"series":"event 1","reason":"it is no JSON object`},
		"a wrong value":    {one + "\n" + emfLine(`"a":"x","hits":-1`), 200, `{"series":"hits_total{a=\"x\",namespace=\"n\"}","reason":"its unit is Count`},
		"an old event":     {one + "\n" + strings.Replace(one, "1767225600000", "1767139199999", 1), 200, `"series":"line 2"`},
		"a long value":     {one + "\n" + emfLine(`"a":"`+strings.Repeat("x", 50)+`","hits":1`), 200, `has 50 bytes, the limit is 40`},
		"nothing accepted": {emfLine(`"a":"x","hits":-1`), 400, "nothing of the push could be accepted"},
		"nothing":          {"", 400, "not JSON"},
		"not JSON":         {"hello", 400, "not JSON"},
		"cut off":          {one[:80], 400, "not JSON"},
		"no metrics":       {"[{},{}]", 400, "there are no metrics in it"},
		"too many events":  {strings.Repeat("{}\n", 101), 413, "more than 100 events"},
	} {
		s := serve(push.Options{Limits: push.Limits{Series: 100}, Names: narthex.NameScheme{MaxValue: 40}})
		w := s.do("POST", "/api/v1/emf", c.body, "Content-Type: application/x-ndjson")
		got := w.Body.String()
		if strings.HasPrefix(c.want, "hits_total") && len(s.batches) == 1 {
			got = text(s.batches[0])
		}
		if w.Code != c.code || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %s %s, want %d %s", name, w.Code, w.Body, got, c.code, c.want)
		}
	}
}

func TestEMFRequest(t *testing.T) {
	s := serve(push.Options{})
	one := emfLine(`"a":"x","hits":2`)
	if w := s.do("GET", "/api/v1/emf", ""); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
	if w := s.do("POST", "/api/v1/emf", one, "Content-Type: application/x-protobuf"); w.Code != 415 {
		t.Errorf("another type: %d", w.Code)
	}
	first := fields(t, s.do("POST", "/api/v1/emf", one))["id"]
	if second := fields(t, s.do("POST", "/api/v1/emf", one))["id"]; first != second || !strings.HasPrefix(first.(string), "sha256-") {
		t.Errorf("the same bytes have the ids %v and %v", first, second)
	}
	if other := fields(t, s.do("POST", "/api/v1/emf", one+" "))["id"]; other == first {
		t.Error("other bytes have the same id")
	}
	if own := fields(t, s.do("POST", "/api/v1/emf", one, `Idempotency-Key: "mine"`))["id"]; own != "mine" {
		t.Errorf("an own id became %v", own)
	}
	b := s.batches[0]
	if b.Digest == (narthex.Digest{}) || !b.Received.Equal(now) {
		t.Errorf("batch %+v", b)
	}
}

// The same bytes count once, and again once their id is forgotten is refused.
func TestEMFOnce(t *testing.T) {
	g := newGate(t, push.Options{})
	one := emfLine(`"a":"x","hits":2`)
	for _, want := range []string{push.Accepted, push.Duplicate} {
		if code, answer := g.do("POST", "/api/v1/emf", one); code != 200 || !strings.Contains(answer, `"status":"`+want+`"`) {
			t.Errorf("%d %s, want %s", code, answer, want)
		}
	}
	g.tick()
	if got := g.tick(); got != `hits_total{a="x",namespace="n"} 2` {
		t.Errorf("the totals are %s", got)
	}
	g.mu.Lock()
	g.now = g.now.Add(25 * time.Hour)
	g.mu.Unlock()
	if code, answer := g.do("POST", "/api/v1/emf", one); code != 400 || !strings.Contains(answer, "is older than") {
		t.Errorf("a day later: %d %s", code, answer)
	}
}
