package push_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/push"
)

func TestPushReceipt(t *testing.T) {
	const two = `{"id":"x","counters":[{"name":"a","add":1},{"name":"b","add":1}]}`
	const bad = `{"id":"x","counters":[{"name":"a","add":1},{"name":"b","add":-1}]}`
	f := func(name, body string, on func(*narthex.Batch) error, code int, want string) {
		t.Helper()
		s := serve(push.Options{})
		s.on = on
		w := s.push(body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != code || got != want {
			t.Errorf("%s: got  %d %s\nwant %d %s", name, w.Code, got, code, want)
		}
	}
	reject := func(series ...string) func(*narthex.Batch) error {
		return func(b *narthex.Batch) error {
			for _, s := range series {
				b.Reject(s, "no room")
			}
			return nil
		}
	}
	seen := func(b *narthex.Batch) error { b.Duplicate = true; return nil }
	const negative = `{"series":"b","reason":"the increment -1 is negative: a counter only goes up; send what goes down as a gauge"}`

	f("accepted", two, nil, 200, `{"id":"x","status":"accepted","accepted":2,"duplicate":0,"rejected":[]}`)
	f("duplicate", two, seen, 200, `{"id":"x","status":"duplicate","accepted":0,"duplicate":2,"rejected":[]}`)
	f("duplicate with a rejection", bad, seen, 200, `{"id":"x","status":"duplicate","accepted":0,"duplicate":1,"rejected":[`+negative+`]}`)
	f("partial", bad, nil, 200, `{"id":"x","status":"partial","accepted":1,"duplicate":0,"rejected":[`+negative+`]}`)
	f("partial by the sink", two, reject("b", "b"), 200,
		`{"id":"x","status":"partial","accepted":1,"duplicate":0,"rejected":[{"series":"b","reason":"no room"},{"series":"b","reason":"no room"}]}`)
	f("all rejected", `{"id":"x","counters":[{"name":"b","add":-1}]}`, func(*narthex.Batch) error { panic("the sink was called") }, 400,
		`{"status":"error","errorType":"bad_data","error":"nothing of the push could be accepted; b: the increment -1 is negative: a counter only goes up; send what goes down as a gauge","id":"x","rejected":[`+negative+`]}`)
	f("all rejected by both", bad, reject("a"), 400,
		`{"status":"error","errorType":"bad_data","error":"nothing of the push could be accepted; `+
			`b: the increment -1 is negative: a counter only goes up; send what goes down as a gauge","id":"x","rejected":[`+negative+`,{"series":"a","reason":"no room"}]}`)
	f("merged entries", `{"id":"x","counters":[{"name":"a","add":1},{"name":"a","add":1},{"name":"b","add":1}]}`, reject("a"), 200,
		`{"id":"x","status":"partial","accepted":1,"duplicate":0,"rejected":[{"series":"a","reason":"no room"}]}`)
	f("future", `{"id":"x","gauges":[{"name":"a","set":1,"timestamp":1767226140000},{"name":"b","set":1,"timestamp":1e300},{"name":"c","set":1}]}`, nil, 200,
		`{"id":"x","status":"accepted","accepted":3,"duplicate":0,"rejected":[],"warnings":["2 samples had timestamps up to 2562047h47m16.854s ahead of the server's clock and were given the time of arrival; the first is of a"]}`)
}

func TestPushFutureIsClamped(t *testing.T) {
	s := serve(push.Options{})
	s.push(`{"gauges":[{"name":"a","set":1,"timestamp":1767226140000}],"series":{"labels":{"__name__":"b"},"samples":[{"value":1,"timestamp":1767225600001}]}}`)
	if got, want := text(s.batches[0]), "a gauge gauge 1@0\nb sample unknown 1@0\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPushSinkErrors(t *testing.T) {
	f := func(err error, code int, errorType, msg string) {
		t.Helper()
		s := serve(push.Options{})
		s.on = func(*narthex.Batch) error { return err }
		w := s.push(`{"id":"x","counters":[{"name":"a","add":1}]}`)
		got := fields(t, w)
		if w.Code != code || got["errorType"] != errorType || got["error"] != msg {
			t.Errorf("%v: got %d %s", err, w.Code, w.Body)
		}
		if after := w.Header().Get("Retry-After"); (after == "5") != (code == 503) {
			t.Errorf("%v: Retry-After is %q", err, after)
		}
		if w := s.do("GET", "/api/v1/receipts/x", ""); w.Code != 404 {
			t.Errorf("%v: a push that was not acknowledged has a receipt: %s", err, w.Body)
		}
	}
	f(narthex.Errorf(narthex.Conflict, "another body"), 422, "conflict", "another body")
	f(fmt.Errorf("write: %w", narthex.Errorf(narthex.TooLarge, "too much")), 413, "too_large", "write: too much")
	f(narthex.Errorf(narthex.Invalid, "wrong"), 400, "bad_data", "wrong")
	f(narthex.Errorf(narthex.Unavailable, "the disk is full"), 503, "unavailable", "the disk is full")
	f(errors.New("secret internals"), 503, "unavailable", "the push could not be stored: try again later, with the same id")
}

func TestPushRejectionsAreBounded(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"id":"x","counters":[{"name":"ok","add":1}`)
	for i := range 150 {
		fmt.Fprintf(&body, `,{"name":"a%d","labels":{"x":"%s"},"add":-1}`, i, strings.Repeat("é", 1000))
	}
	s := serve(push.Options{})
	w := s.push(body.String() + `]}`)
	rejected := fields(t, w)["rejected"].([]any)
	if len(rejected) != 101 {
		t.Fatalf("got %d rejections", len(rejected))
	}
	if got := rejected[100].(map[string]any); got["series"] != "" || got["reason"] != "50 more were rejected" {
		t.Errorf("the last one: got %v", got)
	}
	if got := rejected[0].(map[string]any)["series"].(string); len(got) > 520 || !strings.HasSuffix(got, "é…") {
		t.Errorf("the first one's series has %d bytes: %s", len(got), got)
	}
	rejected = fields(t, s.do("GET", "/api/v1/receipts/x", ""))["rejected"].([]any)
	if got := rejected[len(rejected)-1].(map[string]any)["reason"]; len(rejected) != 21 || got != "130 more were rejected" {
		t.Errorf("later: got %d rejections, the last one %v", len(rejected), got)
	}
}

func TestReceipts(t *testing.T) {
	outcomes := map[[2]string]push.Outcome{}
	s := serve(push.Options{Lookup: func(_ context.Context, identity, id string) (push.Outcome, bool, error) {
		o, ok := outcomes[[2]string{identity, id}]
		return o, ok, nil
	}})
	get := func(id string, code int, want string) {
		t.Helper()
		w := s.do("GET", "/api/v1/receipts/"+id, "")
		if d := cmp.Diff(want, strings.TrimSpace(w.Body.String())); w.Code != code || d != "" {
			t.Errorf("%s: got %d (-want +got):\n%s", id, w.Code, d)
		}
	}
	get("x", 404, `{"status":"error","errorType":"not_found","error":"no push with the id \"x\" is known: it was never acknowledged, or longer than 24h ago"}`)

	s.push(`{"id":"x/1 y","counters":[{"name":"a","add":1},{"name":"b","add":-1}]}`)
	const rejected = `"rejected":[{"series":"b","reason":"the increment -1 is negative: a counter only goes up; send what goes down as a gauge"}]`
	get("x%2F1%20y", 200, `{"id":"x/1 y","status":"pending","received":"2026-01-01T00:00:00Z","accepted":1,`+rejected+`}`)

	key := [2]string{"", "x/1 y"}
	outcomes[key] = push.Outcome{}
	get("x%2F1%20y", 200, `{"id":"x/1 y","status":"pending","received":"2026-01-01T00:00:00Z","accepted":1,`+rejected+`}`)
	outcomes[key] = push.Outcome{Written: now.Add(15 * time.Second)}
	written := `{"id":"x/1 y","status":"written","received":"2026-01-01T00:00:00Z","written":"2026-01-01T00:00:15Z","accepted":1,` + rejected + `}`
	get("x%2F1%20y", 200, written)

	// A retry does not hide what the first one said.
	s.on = func(b *narthex.Batch) error { b.Duplicate = true; return nil }
	s.push(`{"id":"x/1 y","counters":[{"name":"a","add":1},{"name":"b","add":-1}]}`)
	get("x%2F1%20y", 200, written)
	s.on = nil

	// Known to the ledger only, as after a restart.
	outcomes[[2]string{"", "old"}] = push.Outcome{Written: now}
	get("old", 200, `{"id":"old","status":"written","written":"2026-01-01T00:00:00Z"}`)

	// Rejected as a whole, then mended and sent again under the same id.
	s.push(`{"id":"r","counters":[{"name":"b","add":-1}]}`)
	get("r", 200, `{"id":"r","status":"rejected","received":"2026-01-01T00:00:00Z",`+rejected+`}`)
	s.push(`{"id":"r","counters":[{"name":"b","add":1}]}`)
	get("r", 200, `{"id":"r","status":"pending","received":"2026-01-01T00:00:00Z","accepted":1}`)

	if w := s.do("POST", "/api/v1/receipts/r", ""); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestReceiptsAreScoped(t *testing.T) {
	s := serve(push.Options{Identity: who})
	s.push(`{"id":"x","counters":[{"name":"a","add":1}]}`, "X-Who: ann")
	if w := s.do("GET", "/api/v1/receipts/x", "", "X-Who: ann"); w.Code != 200 {
		t.Errorf("the sender's own: got %d", w.Code)
	}
	if w := s.do("GET", "/api/v1/receipts/x", "", "X-Who: bob"); w.Code != 404 {
		t.Errorf("somebody else's: got %d", w.Code)
	}
}

func TestReceiptsList(t *testing.T) {
	s := serve(push.Options{})
	ids := func(query string) (out []string) {
		t.Helper()
		for _, r := range fields(t, s.do("GET", "/api/v1/receipts"+query, ""))["receipts"].([]any) {
			out = append(out, r.(map[string]any)["id"].(string))
		}
		return out
	}
	if got := ids(""); len(got) != 0 {
		t.Errorf("at first: got %v", got)
	}
	const bad = `{"id":"bad%d","counters":[{"name":"b","add":-1}]}`
	const good = `{"id":"good%d","counters":[{"name":"b","add":1}]}`
	for i := range 3 {
		s.push(fmt.Sprintf(bad, i))
		s.push(fmt.Sprintf(good, i))
	}
	if d := cmp.Diff([]string{"bad2", "bad1", "bad0", "good2", "good1"}, ids("?limit=5")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, q := range []string{"?limit=0", "?limit=x", "?limit=-1"} {
		if w := s.do("GET", "/api/v1/receipts"+q, ""); w.Code != 400 {
			t.Errorf("%s: got %d", q, w.Code)
		}
	}
	// Those without rejections go first, those with them when they are half.
	for i := 3; i < 1200; i++ {
		s.push(fmt.Sprintf(good, i))
	}
	if got := ids("?limit=2000"); len(got) != 1000 || got[2] != "bad0" || got[3] != "good1199" || got[999] != "good203" {
		t.Errorf("got %d, from %v to %v", len(got), got[:4], got[len(got)-1])
	}
	for i := 3; i < 600; i++ {
		s.push(fmt.Sprintf(bad, i))
	}
	if got := ids("?limit=2000"); len(got) != 1000 || got[0] != "bad599" || got[499] != "bad100" || got[500] != "good1199" || got[999] != "good700" {
		t.Errorf("got %d", len(got))
	}
}

func TestPushObserve(t *testing.T) {
	var got []string
	s := serve(push.Options{Observe: func(code int, r *push.Receipt) {
		status := "none"
		if r != nil {
			status = r.Status
		}
		got = append(got, fmt.Sprint(code, " ", status))
	}})
	s.push(one)
	s.push("x")
	s.push(`{"counters":[{"name":"b","add":-1}]}`)
	s.do("GET", "/api/v1/push", "")
	s.on = func(*narthex.Batch) error { return errors.New("x") }
	s.push(one)
	want := []string{"200 accepted", "400 none", "400 rejected", "405 none", "503 none"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
