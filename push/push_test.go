package push_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/push"
)

// now is when all test requests arrive: 1767225600000 ms.
var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// server is the doors over a sink that records.
type server struct {
	mux     *http.ServeMux
	batches []*narthex.Batch
	// on, if not nil, is what the sink does.
	on func(b *narthex.Batch) error
}

func serve(o push.Options) *server {
	s := &server{mux: http.NewServeMux()}
	o.Sink = narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		s.batches = append(s.batches, b)
		if s.on != nil {
			return s.on(b)
		}
		return nil
	})
	o.Now = func() time.Time { return now }
	o.Logger = slog.New(slog.DiscardHandler)
	push.Mount(s.mux, o)
	return s
}

// do sends a request; headers are "Name: value".
func (s *server) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

func (s *server) push(body string, headers ...string) *httptest.ResponseRecorder {
	return s.do("POST", "/api/v1/push", body, headers...)
}

// fields decodes a JSON object.
func fields(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("the answer is not JSON: %v: %s", err, w.Body)
	}
	return m
}

// text writes a batch's series as lines: labels, as, type, value@time in
// milliseconds after now.
func text(b *narthex.Batch) string {
	var out strings.Builder
	for _, s := range b.Series {
		out.WriteString(s.Labels.String() + " " + s.As.String() + " " + s.Type.String())
		for _, x := range s.Samples {
			v, _ := json.Marshal(x.Value)
			d, _ := json.Marshal(x.Time - now.UnixMilli())
			out.WriteString(" " + string(v) + "@" + string(d))
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestPushAccepted(t *testing.T) {
	f := func(name, body, want string) {
		t.Helper()
		s := serve(push.Options{Rules: []push.Rule{
			{Match: map[string]*regexp.Regexp{"__name__": regexp.MustCompile(`^.*_total$`), "raw": regexp.MustCompile(`^$`)}, As: narthex.AsDelta},
			{Match: map[string]*regexp.Regexp{"__name__": regexp.MustCompile(`^g_.*$`)}, As: narthex.AsGauge},
		}})
		w := s.push(body)
		if w.Code != 200 {
			t.Fatalf("%s: got %d %s", name, w.Code, w.Body)
		}
		if d := cmp.Diff(want, text(s.batches[0])); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if got := fields(t, w); got["status"] != "accepted" || len(got["rejected"].([]any)) != 0 {
			t.Errorf("%s: got receipt %v", name, got)
		}
	}
	f("counter", `{"counters":[{"name":"a","labels":{"z":"1","b":"2"},"add":3}]}`, `a{b="2",z="1"} delta counter 3@0`+"\n")
	f("counter of zero", `{"counters":[{"name":"a","add":0}]}`, "a delta counter 0@0\n")
	f("name after add, null labels", `{"counters":[{"add":1.5,"name":"a","labels":null}]}`, "a delta counter 1.5@0\n")
	f("gauge", `{"gauges":[{"name":"a","set":-2e3,"timestamp":1767225599000}]}`, "a gauge gauge -2000@-1000\n")
	f("gauge without a time", `{"gauges":[{"name":"a","set":1,"timestamp":0}]}`, "a gauge gauge 1@0\n")
	f("one series", `{"series":{"labels":{"__name__":"a"},"samples":[{"value":1,"timestamp":1767225599000}]}}`, "a sample unknown 1@-1000\n")
	f("a list of series", `{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1}]},{"labels":{"__name__":"b"},"samples":[{"value":2}]}]}`,
		"a sample unknown 1@0\nb sample unknown 2@0\n")
	f("samples out of order", `{"series":{"labels":{"__name__":"a"},"samples":[{"value":2,"timestamp":1767225599000},{"value":1,"timestamp":1767225598000}]}}`,
		"a sample unknown 1@-2000 2@-1000\n")
	f("old sample", `{"series":{"labels":{"__name__":"a"},"samples":[{"value":1,"timestamp":1600000000000}]}}`, "a sample unknown 1@-167225600000\n")
	f("fraction of a millisecond", `{"series":{"labels":{"__name__":"a"},"samples":[{"value":1,"timestamp":1767225599000.9}]}}`, "a sample unknown 1@-1000\n")
	f("as", `{"series":[{"labels":{"__name__":"a"},"as":"delta","samples":[{"value":1},{"value":1}]},{"labels":{"__name__":"b"},"as":"gauge","samples":[{"value":1}]},{"labels":{"__name__":"x_total"},"as":"sample","samples":[{"value":1}]}]}`,
		"a delta counter 1@0 1@0\nb gauge gauge 1@0\nx_total sample unknown 1@0\n")
	f("rules", `{"series":[{"labels":{"__name__":"a_total"},"samples":[{"value":1}]},{"labels":{"__name__":"a_total","raw":"y"},"samples":[{"value":1}]},{"labels":{"__name__":"g_a"},"as":null,"samples":[{"value":1}]}]}`,
		"a_total delta counter 1@0\na_total{raw=\"y\"} sample unknown 1@0\ng_a gauge gauge 1@0\n")
	f("service", `{"series":[{"labels":{"__name__":"a","z":"1"},"samples":[{"value":1}]},{"labels":{"__name__":"b","service":"shop"},"samples":[{"value":1}]}],"counters":[{"name":"c","labels":{"service":""},"add":1}],"service":"shop"}`,
		"a{service=\"shop\",z=\"1\"} sample unknown 1@0\nb{service=\"shop\"} sample unknown 1@0\nc{service=\"shop\"} delta counter 1@0\n")
	f("empty values are no labels", `{"counters":[{"name":"a","labels":{"x":""},"add":1}]}`, "a delta counter 1@0\n")
	f("escapes", `{"counters":[{"name":"\u0061","labels":{"x":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"},"add":1}]}`,
		"a{x=\"\\\"\\\\/\\b\\f\\n\\r\\té😀é\"} delta counter 1@0\n")
	f("the same sample twice", `{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1},{"value":1}]},{"labels":{"__name__":"a"},"samples":[{"value":1},{"value":2,"timestamp":1767225599000}]}]}`,
		"a sample unknown 1@0 2@-1000\n")
	f("the same counter twice", `{"counters":[{"name":"a","add":1},{"name":"a","add":2}]}`, "a delta counter 1@0 2@0\n")
	f("the same gauge twice", `{"gauges":[{"name":"a","set":1},{"name":"a","set":2,"timestamp":1767225599000}]}`, "a gauge gauge 1@0\n")
	f("the same gauge twice at one time", `{"gauges":[{"name":"a","set":1},{"name":"a","set":2}]}`, "a gauge gauge 2@0\n")
	f("white space", " \r\n\t{ \"counters\" : [ { \"name\" : \"a\" , \"add\" : 1 } ] , \"series\" : [ ] } \n", "a delta counter 1@0\n")
	f("null lists", `{"counters":[{"name":"a","add":1}],"gauges":null,"series":null,"service":null,"id":null}`, "a delta counter 1@0\n")
	f("numbers", `{"gauges":[{"name":"a","set":0},{"name":"b","set":-0.5},{"name":"c","set":1E+2},{"name":"d","set":123456789012345678},{"name":"e","set":999999999999999}]}`,
		"a gauge gauge 0@0\nb gauge gauge -0.5@0\nc gauge gauge 100@0\nd gauge gauge 123456789012345680@0\ne gauge gauge 999999999999999@0\n")
}

func TestPushBatch(t *testing.T) {
	s := serve(push.Options{Identity: who})
	s.push(`{"counters":[{"name":"a","add":1}]}`, "Idempotency-Key: k1", "X-Who: ann")
	s.push(`{"counters":[{"name":"a","add":1}]}`, "Idempotency-Key: k1", "X-Who: ann")
	s.push(`{"counters":[{"name":"a","add":2}]}`, "Idempotency-Key: k1")
	first, again, other := s.batches[0], s.batches[1], s.batches[2]
	if first.ID != "k1" || first.Identity != "ann" || !first.Received.Equal(now) {
		t.Errorf("got id %q, identity %q, received %v", first.ID, first.Identity, first.Received)
	}
	if first.Digest != again.Digest || first.Digest == other.Digest || first.Digest == (narthex.Digest{}) {
		t.Errorf("digests: %x, of the same body %x, of another %x", first.Digest, again.Digest, other.Digest)
	}
}

func TestPushID(t *testing.T) {
	f := func(body, header, want string) {
		t.Helper()
		s := serve(push.Options{})
		b, _ := json.Marshal(map[string]any{"id": body, "counters": []any{map[string]any{"name": "a", "add": 1}}})
		w := s.push(string(b), "Idempotency-Key: "+header)
		got := fields(t, w)
		if w.Code == 200 {
			if got["id"] != want || s.batches[0].ID != want {
				t.Errorf("id %q, header %q: got %v and a batch with %q, want %q", body, header, got["id"], s.batches[0].ID, want)
			}
		} else if e, _ := got["error"].(string); w.Code != 400 || want == "" || !strings.Contains(e, want) || len(s.batches) > 0 {
			t.Errorf("id %q, header %q: got %d %s, want %q", body, header, w.Code, w.Body, want)
		}
	}
	f("a", "", "a")
	f("", "a", "a")
	f("a", "a", "a")
	f("a", `"a"`, "a")
	f("", `"a\"b"`, `a"b`)
	f("grün/1 x", "", "grün/1 x")
	f(strings.Repeat("x", 256), "", strings.Repeat("x", 256))
	f("a", "b", `the header Idempotency-Key is "b" but the body's id is "a"`)
	f(strings.Repeat("x", 257), "", "the id has 257 bytes, the limit is 256")
	f("", strings.Repeat("x", 257), "the id has 257 bytes, the limit is 256")
	f("a\nb", "", "can't be printed")

	s := serve(push.Options{})
	seen := map[string]bool{}
	for range 100 {
		s.push(`{"counters":[{"name":"a","add":1}]}`)
		id := s.batches[len(s.batches)-1].ID
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(id) || seen[id] {
			t.Fatalf("a random id: got %q", id)
		}
		seen[id] = true
	}
}

func who(r *http.Request) (string, narthex.Labels) { return r.Header.Get("X-Who"), nil }
