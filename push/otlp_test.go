package push_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"narthex"
	"narthex/push"
)

const (
	isJSON     = "Content-Type: application/json"
	isProtobuf = "Content-Type: application/x-protobuf"
)

// exported is a request of the service shop with these metrics, in JSON.
func exported(metrics ...string) string {
	return `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"metrics":[` +
		strings.Join(metrics, ",") + `]}]}]}`
}

// sum is a counter with a point of that value, at the time of arrival plus n ns.
func sum(name string, temporality, value, n int) string {
	return fmt.Sprintf(`{"name":"%s","sum":{"aggregationTemporality":%d,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"%d","startTimeUnixNano":"1767225500000000000","asInt":"%d"}]}}`,
		name, temporality, now.UnixNano()+int64(n), value)
}

const (
	delta      = 1
	cumulative = 2
)

// inProtobuf writes a request in JSON in the other encoding.
func inProtobuf(t testing.TB, json string) string {
	t.Helper()
	r := pmetricotlp.NewExportRequest()
	if err := r.UnmarshalJSON([]byte(json)); err != nil {
		t.Fatal(err)
	}
	body, err := r.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The answer's code and body are those of the protocol, in the encoding of the
// request.
func TestOTLPAnswers(t *testing.T) {
	good, mixed := exported(sum("a", delta, 1, 0)), exported(sum("a", delta, 1, 0), sum("b", delta, -1, 0))
	for _, c := range []struct {
		name    string
		body    string
		headers []string
		code    int
		want    string // in the answer
	}{
		{"all of it", good, nil, 200, ""},
		{"nothing", `{}`, nil, 200, ""},
		{"a part", mixed, nil, 200, `b_total{job="shop"}: the increment -1 can't be added`},
		{"nothing of it", exported(sum("b", delta, -1, 0)), nil, 200, `the increment -1 can't be added`},
		{"not OTLP", `[]`, nil, 400, "want an object"},
		{"too much", exported(sum("a", delta, 1, 0), sum("b", delta, 1, 0), sum("c", delta, 1, 0), sum("d", delta, 1, 0)), nil, 413, "more than 3 data points"},
		{"an id that is none", good, []string{"Idempotency-Key: " + strings.Repeat("x", 300)}, 400, "the limit is 256"},
	} {
		for _, encoding := range []string{isJSON, isJSON + "; charset=utf-8", isProtobuf} {
			body := c.body
			if encoding == isProtobuf {
				if c.name == "not OTLP" {
					body, c.want = "[]", "not the protobuf"
				} else {
					body = inProtobuf(t, body)
				}
			}
			s := serve(push.Options{Limits: push.Limits{Series: 3}})
			for _, zip := range []bool{false, true} {
				headers := append([]string{encoding}, c.headers...)
				if zip {
					body = zipped(body)
					headers = append(headers, "Content-Encoding: gzip")
				}
				w := s.do("POST", "/v1/metrics", body, headers...)
				said := saidOTLP(t, w)
				if w.Code != c.code || !strings.Contains(said, c.want) || (c.want == "") != (said == "") {
					t.Errorf("%s, %s: %d %q, want %d %q", c.name, encoding, w.Code, said, c.code, c.want)
				}
				if want := strings.TrimSuffix(strings.TrimPrefix(encoding, "Content-Type: "), "; charset=utf-8"); w.Header().Get("Content-Type") != want {
					t.Errorf("%s, %s: answered in %s", c.name, encoding, w.Header().Get("Content-Type"))
				}
			}
		}
	}
}

// saidOTLP returns the message of an answer: a partial success's or a status's.
func saidOTLP(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	isJSON := w.Header().Get("Content-Type") == "application/json"
	if w.Code == 200 {
		r := pmetricotlp.NewExportResponse()
		err := r.UnmarshalProto(w.Body.Bytes())
		if isJSON {
			err = r.UnmarshalJSON(w.Body.Bytes())
		}
		p := r.PartialSuccess()
		if err != nil || (p.RejectedDataPoints() == 1) != (p.ErrorMessage() != "") {
			t.Errorf("%v: %d %q", err, p.RejectedDataPoints(), p.ErrorMessage())
		}
		return p.ErrorMessage()
	}
	var s status.Status
	if !isJSON {
		if err := proto.Unmarshal(w.Body.Bytes(), &s); err != nil {
			t.Error(err)
		}
		return s.Message
	}
	return fmt.Sprint(fields(t, w)["message"])
}

// What the sink says decides whether an exporter tries again.
func TestOTLPErrors(t *testing.T) {
	for _, c := range []struct {
		err   error
		code  int
		rpc   int32
		after string
	}{
		{errors.New("disk on fire"), 503, 14, "5"},
		{narthex.Errorf(narthex.Unavailable, "later"), 503, 14, "5"},
		{&narthex.Error{Kind: narthex.Limited, Msg: "slower", After: 7 * time.Second}, 429, 8, "7"},
		{narthex.Errorf(narthex.Conflict, "another body"), 422, 3, ""},
		{narthex.Errorf(narthex.Invalid, "wrong"), 400, 3, ""},
		{narthex.Errorf(narthex.Forbidden, "not you"), 403, 7, ""},
		{narthex.Errorf(narthex.TooLarge, "too much"), 413, 8, ""},
	} {
		s := serve(push.Options{})
		s.on = func(*narthex.Batch) error { return c.err }
		for _, temporality := range []int{delta, cumulative} {
			w := s.do("POST", "/v1/metrics", inProtobuf(t, exported(sum("a", temporality, 1, 0))), isProtobuf)
			var st status.Status
			if err := proto.Unmarshal(w.Body.Bytes(), &st); err != nil || w.Code != c.code || st.Code != c.rpc || st.Message == "" || w.Header().Get("Retry-After") != c.after {
				t.Errorf("%v: %d, %v %v, after %q", c.err, w.Code, err, &st, w.Header().Get("Retry-After"))
			}
		}
	}
}

// What is not the protocol is told so.
func TestOTLPTransport(t *testing.T) {
	s := serve(push.Options{})
	for _, c := range []struct {
		method, header string
		code           int
		want           string
	}{
		{"GET", isJSON, 405, "use POST"},
		{"POST", "Content-Type: text/plain", 415, "send application/x-protobuf"},
		{"POST", "Content-Type: application/json; charset=latin1", 415, "in UTF-8"},
		{"POST", "X-None: x", 415, "the content type is missing"},
	} {
		if w := s.do(c.method, "/v1/metrics", "{}", c.header); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.header, w.Code, w.Body)
		}
	}
	if w := s.do("POST", "/v1/metrics", "{}", isJSON, "Content-Encoding: br"); w.Code != 415 || len(s.batches) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A bomb of compressed bytes ends at the limit, with little memory.
func TestOTLPBomb(t *testing.T) {
	bomb := zipped(strings.Repeat("\x0a\x00", 64<<20))
	s := serve(push.Options{Limits: push.Limits{Body: 1 << 20}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := s.do("POST", "/v1/metrics", bomb, isProtobuf, "Content-Encoding: gzip")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; w.Code != http.StatusRequestEntityTooLarge || n > 16<<20 {
		t.Errorf("%d, %d bytes allocated", w.Code, n)
	}
}

// A request with both kinds is acknowledged once both are safe. Whatever fails,
// a retry counts nothing twice and loses nothing.
func TestOTLPMixed(t *testing.T) {
	var fail error
	var samples []*narthex.Batch
	g := newGate(t, push.Options{Samples: narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		if fail != nil {
			return fail
		}
		samples = append(samples, b)
		for _, s := range b.Series {
			if strings.HasPrefix(s.Labels.String(), "bad") {
				b.Reject(s.Labels.String(), "no")
			}
		}
		b.Series = append(b.Series[:0], b.Series[len(b.Rejected):]...) // as the real one does
		return nil
	})})
	body := exported(sum("bad", cumulative, 9, 0), sum("orders", delta, 2, 0), sum("uptime", cumulative, 7, 0))
	fail = errors.New("away")
	if code, answer := g.do("POST", "/v1/metrics", body, isJSON); code != 503 {
		t.Fatalf("%d %s", code, answer)
	}
	if got := g.tick(); got != "" {
		t.Errorf("counted although the samples are not safe: %s", got)
	}
	fail = nil
	for range 3 {
		code, answer := g.do("POST", "/v1/metrics", body, isJSON)
		if want := `{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"bad_total{job=\"shop\"}: no"}}`; code != 200 || answer != want {
			t.Fatalf("%d %s", code, answer)
		}
		if got, want := g.tick(), `orders_total{job="shop"} 2`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if x := samples[2].Series[0].Samples[0]; len(samples) != 3 || x.Value != 7 || x.Time != now.UnixMilli() || x.Start != 1767225500000 {
		t.Errorf("%d times, %v", len(samples), x)
	}
	// The next export says something else, if only its time.
	if code, _ := g.do("POST", "/v1/metrics", exported(sum("orders", delta, 2, 1)), isJSON); code != 200 {
		t.Error(code)
	}
	if got, want := g.tick(), `orders_total{job="shop"} 4`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A key of the sender's own tells requests apart, alike or not.
func TestOTLPKey(t *testing.T) {
	g := newGate(t, push.Options{})
	timeless := exported(`{"name":"a","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"asInt":1}]}}`)
	send := func(body, key string, code int, want string) {
		t.Helper()
		headers := []string{isJSON}
		if key != "" {
			headers = append(headers, "Idempotency-Key: "+key)
		}
		if got, answer := g.do("POST", "/v1/metrics", body, headers...); got != code || !strings.Contains(answer, want) {
			t.Errorf("%s %s: %d %s", body, key, got, answer)
		}
	}
	send(timeless, "", 200, "would be taken for a retry")
	send(timeless, "k1", 200, "{}")
	send(timeless, "k1", 200, "{}")
	send(timeless, "k2", 200, "{}")
	send(exported(sum("a", delta, 5, 0)), "k2", 422, "this id was used before for another body")
	if got, want := g.tick(), `a_total{job="shop"} 2`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Labels forced by the identity win on all that a request becomes, and ids of
// two identities never meet.
func TestOTLPIdentity(t *testing.T) {
	s := serve(push.Options{Identity: func(r *http.Request) (string, narthex.Labels) {
		return r.Header.Get("X-Who"), narthex.Labels{{Name: "job", Value: "ci"}, {Name: "team", Value: "a"}}
	}})
	s.on = func(b *narthex.Batch) error {
		b.Reject(b.Series[0].Labels.String(), "no")
		return nil
	}
	body := exported(sum("a", delta, 1, 0), sum("b", cumulative, 1, 0))
	w := s.do("POST", "/v1/metrics", body, isJSON, "X-Who: github")
	if want := `{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"b_total{job=\"ci\",team=\"a\"}: no; a_total{job=\"ci\",team=\"a\"}: no"}}`; w.Body.String() != want {
		t.Errorf("got %s, want %s", w.Body, want)
	}
	for _, b := range s.batches {
		if b.Identity != "github" || b.Received != now {
			t.Errorf("a batch of %q, received at %v", b.Identity, b.Received)
		}
	}
	if samples, deltas := s.batches[0], s.batches[1]; samples.ID != "" || len(deltas.ID) != 64 || deltas.Digest == (narthex.Digest{}) {
		t.Errorf("ids %q and %q", samples.ID, deltas.ID)
	}
}

// What came in is among the receipts, counted in points.
func TestOTLPReceipts(t *testing.T) {
	s := serve(push.Options{})
	var seen []string
	s2 := serve(push.Options{Observe: func(code int, r *push.Receipt) { seen = append(seen, fmt.Sprint(code, r != nil)) }})
	histogram := fmt.Sprintf(`{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"%d","count":"1","sum":2,"explicitBounds":[1],"bucketCounts":[0,1]}]}}`, now.UnixNano())
	for _, srv := range []*server{s, s2} {
		srv.do("POST", "/v1/metrics", exported(histogram, sum("a", delta, 1, 0), sum("b", delta, -1, 0)), isJSON)
		srv.do("POST", "/v1/metrics", "?", isJSON)
	}
	var b bytes.Buffer
	b.WriteString(s.do("GET", "/api/v1/receipts", "").Body.String())
	for _, want := range []string{`"status":"pending"`, `"accepted":2`, `"series":"b_total{job=\"shop\"}"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, &b)
		}
	}
	if got := strings.Join(seen, ", "); got != "200 true, 400 false" {
		t.Errorf("observed %s", got)
	}
	s.on = func(b *narthex.Batch) error { b.Duplicate = b.ID != ""; return nil }
	w := s.do("POST", "/v1/metrics", exported(sum("a", delta, 1, 0)), isJSON)
	if w.Code != 200 || w.Body.String() != "{}" {
		t.Errorf("a duplicate: %d %s", w.Code, w.Body)
	}
}

// A classic histogram's buckets don't count towards what a push may have, and no
// sink gets more series at once than that.
func TestOTLPParts(t *testing.T) {
	s := serve(push.Options{Limits: push.Limits{Series: 3}})
	series := 0
	s.on = func(b *narthex.Batch) error {
		if series += len(b.Series); len(b.Series) > 3 {
			t.Errorf("%d series at once", len(b.Series))
		}
		b.Reject(b.Series[0].Labels.String(), "no")
		clear(b.Series)
		return nil
	}
	body := exported(fmt.Sprintf(`{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"%d","count":"1","sum":2,"explicitBounds":[1,2,3,4],"bucketCounts":[0,0,0,0,1]}]}}`, now.UnixNano()))
	w := s.do("POST", "/v1/metrics", body, isJSON)
	if w.Code != 200 || series != 7 || len(s.batches) != 3 || !strings.Contains(w.Body.String(), `"rejectedDataPoints":"1"`) {
		t.Errorf("%d %s, %d series in %d batches", w.Code, w.Body, series, len(s.batches))
	}
}

// A media type has no case, and its parameters don't say what it is.
func TestOTLPMediaType(t *testing.T) {
	g := newGate(t, push.Options{})
	json := exported(sum("hits", delta, 1, 1))
	for header, body := range map[string]string{
		"Content-Type: Application/X-Protobuf":             inProtobuf(t, json),
		"Content-Type: application/json; profile=protobuf": json,
	} {
		if code, answer := g.do("POST", "/v1/metrics", body, header); code != 200 {
			t.Errorf("%s: %d %s", header, code, answer)
		}
	}
}
