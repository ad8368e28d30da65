package push_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/push"
	"narthex/remotewrite"
)

// written2 is a 2.0 body with a sample of each name and an exemplar of the
// first.
func written2(t testing.TB, names ...string) string {
	t.Helper()
	symbols := writev2.NewSymbolTable()
	var req writev2.Request
	for i, n := range names {
		ts := writev2.TimeSeries{
			LabelsRefs: []uint32{symbols.Symbolize("__name__"), symbols.Symbolize(n)},
			Samples:    []writev2.Sample{{Value: 1, Timestamp: now.UnixMilli()}},
		}
		if i == 0 {
			ts.Exemplars = []writev2.Exemplar{{LabelsRefs: []uint32{symbols.Symbolize("trace_id"), symbols.Symbolize("x")}, Value: 1, Timestamp: now.UnixMilli()}}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	req.Symbols = symbols.Symbols()
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(s2.EncodeSnappy(nil, body))
}

func written1(t testing.TB, names ...string) string {
	t.Helper()
	var req prompb.WriteRequest
	for _, n := range names {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels: []prompb.Label{{Name: "__name__", Value: n}}, Samples: []prompb.Sample{{Value: 1, Timestamp: now.UnixMilli()}},
		})
	}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(s2.EncodeSnappy(nil, body))
}

func (s *server) write(body string, headers ...string) *httptest.ResponseRecorder {
	return s.do("POST", "/api/v1/write", body, headers...)
}

const (
	type1, type2 = "Content-Type: " + remotewrite.ContentTypeV1, "Content-Type: " + remotewrite.ContentTypeV2
	encoded      = "Content-Encoding: snappy"
)

// counts returns the headers of how much was written, "-" for those that are
// missing.
func counts(w *httptest.ResponseRecorder) string {
	var out []string
	for _, h := range []string{remotewrite.HeaderSamplesWritten, remotewrite.HeaderHistogramsWritten, remotewrite.HeaderExemplarsWritten} {
		if v := w.Header().Values(h); len(v) == 1 {
			out = append(out, v[0])
		} else {
			out = append(out, "-")
		}
	}
	return strings.Join(out, " ")
}

// TestWriteHeaders has what requests and answers say around the body.
func TestWriteHeaders(t *testing.T) {
	one, two := written1(t, "a", "b"), written2(t, "a", "b")
	for _, c := range []struct {
		name, body string
		headers    []string
		code       int
		counts     string
		want       string
	}{
		{"2.0", two, []string{type2, encoded, "X-Prometheus-Remote-Write-Version: 2.0.0"}, 204, "2 0 0", ""},
		{"2.0, blanks and letters", two, []string{"Content-Type: Application/X-Protobuf; proto=io.prometheus.write.v2.Request", "Content-Encoding: Snappy"}, 204, "2 0 0", ""},
		{"1.0", one, []string{type1, encoded, "X-Prometheus-Remote-Write-Version: 0.1.0"}, 204, "- - -", ""},
		{"1.0 in full", one, []string{"Content-Type: application/x-protobuf;proto=prometheus.WriteRequest", encoded}, 204, "- - -", ""},
		{"no headers at all", one, nil, 204, "- - -", ""},
		{"an empty request", string(s2.EncodeSnappy(nil, nil)), []string{type2, encoded}, 204, "0 0 0", ""},
		{"JSON, corrupt", "0" + two[1:], []string{"Content-Type: application/json", encoded}, 415, "- - -", `\"application/json\" is not taken here`},
		{"another message", two, []string{"Content-Type: application/x-protobuf;proto=io.prometheus.write.v3.Request", encoded}, 415, "- - -", "v3.Request"},
		{"a damaged type", two, []string{"Content-Type: application/x-protobuf;;=", encoded}, 415, "- - -", "is not taken here"},
		{"gzip, corrupt", "0" + two[1:], []string{type2, "Content-Encoding: gzip"}, 415, "- - -", "snappy"},
		{"zstd", two, []string{type2, "Content-Encoding: zstd"}, 415, "- - -", "snappy"},
		{"corrupt", "0" + two[1:], []string{type2, encoded}, 400, "- - -", "decompress the body"},
		{"cut", two[:len(two)-2], []string{type2, encoded}, 400, "- - -", "decompress the body"},
		{"empty", "", []string{type2, encoded}, 400, "- - -", "decompress the body"},
		{"not protobuf", string(s2.EncodeSnappy(nil, []byte("hello"))), []string{type2, encoded}, 400, "- - -", "protobuf"},
		{"2.0 sent as 1.0", two, []string{type1, encoded}, 400, "- - -", "the body is a message of remote write 2.0, but the content type says 1.0"},
		{"1.0 sent as 2.0", one, []string{type2, encoded}, 400, "- - -", "the body is a message of remote write 1.0, but the content type says 2.0"},
	} {
		s := serve(push.Options{})
		w := s.write(c.body, c.headers...)
		if w.Code != c.code || counts(w) != c.counts || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d, written %s: %s\nwant %d, %s, %s", c.name, w.Code, counts(w), w.Body, c.code, c.counts, c.want)
		}
		if w.Code != 204 && !strings.Contains(w.Body.String(), `{"status":"error","errorType":"bad_data","error":`) {
			t.Errorf("%s: %s", c.name, w.Body)
		}
	}
	if w := serve(push.Options{}).do("GET", "/api/v1/write", ""); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %s", w.Code, w.Header().Get("Allow"))
	}
}

// TestWriteSink has what the sink says, and how that is answered.
func TestWriteSink(t *testing.T) {
	refuse := func(name string) func(b *narthex.Batch) error {
		return func(b *narthex.Batch) error { b.Reject(name, "it is too old"); return nil }
	}
	fail := func(kind narthex.Kind, after time.Duration) func(*narthex.Batch) error {
		return func(*narthex.Batch) error { return &narthex.Error{Kind: kind, After: after, Msg: "no"} }
	}
	for _, c := range []struct {
		name   string
		on     func(b *narthex.Batch) error
		code   int
		counts string
		want   string
		after  string
	}{
		{"one refused", refuse("b"), 400, "2 0 0", `1 samples or series were refused, the others are stored; the first: b: it is too old`, ""},
		{"limited", fail(narthex.Limited, 3*time.Second), 429, "- - -", `"limited"`, "3"},
		{"unavailable", fail(narthex.Unavailable, 0), 503, "- - -", `"unavailable"`, "5"},
		{"anything", func(*narthex.Batch) error { return fmt.Errorf("secret") }, 503, "- - -", "could not be stored", "5"},
		{"too large", fail(narthex.TooLarge, 0), 413, "- - -", `"too_large"`, ""},
		{"forbidden", fail(narthex.Forbidden, 0), 403, "- - -", `"forbidden"`, ""},
	} {
		s := serve(push.Options{})
		s.on = c.on
		w := s.write(written2(t, "a", "b", "c"), type2, encoded)
		if w.Code != c.code || counts(w) != c.counts || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Retry-After") != c.after {
			t.Errorf("%s: %d, written %s, after %q: %s", c.name, w.Code, counts(w), w.Header().Get("Retry-After"), w.Body)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %s", c.name, w.Body)
		}
	}
}

// TestWriteExact has a sink for samples, which says exactly what it took.
func TestWriteExact(t *testing.T) {
	var got []*narthex.Batch
	var described []narthex.Series
	s := serve(push.Options{
		Samples: narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
			got = append(got, b)
			if len(b.Series) == 2 {
				b.Series[0].Exemplars = nil
				b.Warn("1 exemplars were not taken")
			}
			return nil
		}),
		Describe: func(f []narthex.Series) { described = f },
		Identity: func(*http.Request) (string, narthex.Labels) {
			return "ci", narthex.Labels{{Name: "service", Value: "shop"}}
		},
	})
	if w := s.write(written2(t, "a"), type2, encoded); w.Code != 204 || counts(w) != "1 0 1" {
		t.Errorf("%d %s %s", w.Code, counts(w), w.Body)
	}
	want := []narthex.Series{{
		Labels:    narthex.Labels{{Name: "__name__", Value: "a"}, {Name: "service", Value: "shop"}},
		Samples:   []narthex.Sample{{Time: now.UnixMilli(), Value: 1}},
		Exemplars: []narthex.Exemplar{{Labels: narthex.Labels{{Name: "trace_id", Value: "x"}}, Time: now.UnixMilli(), Value: 1}},
	}}
	if diff := cmp.Diff(want, got[0].Series); diff != "" || got[0].Identity != "ci" || !got[0].Received.Equal(now) {
		t.Errorf("%+v (-want +got)\n%s", got[0], diff)
	}
	if w := s.write(written2(t, "a", "b"), type2, encoded); w.Code != 400 || counts(w) != "2 0 0" || !strings.Contains(w.Body.String(), "exemplars were not taken") {
		t.Errorf("%d %s %s", w.Code, counts(w), w.Body)
	}
	body, err := (&prompb.WriteRequest{Metadata: []prompb.MetricMetadata{{MetricFamilyName: "a", Help: "A."}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if w := s.write(string(s2.EncodeSnappy(nil, body)), type1, encoded); w.Code != 204 || len(described) != 1 || described[0].Help != "A." {
		t.Errorf("%d %v", w.Code, described)
	}
	if len(s.batches) != 0 {
		t.Errorf("the other sink got %v", s.batches)
	}
}

// TestWriteBombs has bodies that would be larger than the limit. What they cost
// is bounded by it.
func TestWriteBombs(t *testing.T) {
	const limit = 1 << 20
	noise := make([]byte, 2*limit)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise) // it can't fail
	announced := s2.EncodeSnappy(nil, make([]byte, 64*limit))
	for _, c := range []struct {
		name, body string
		code       int
	}{
		{"64 limits of zeroes", string(announced), 413},
		{"4 GiB announced", "\xff\xff\xff\xff\x0f" + "\x00a", 413},
		{"more announced than it can hold", "\x80\x80\x3f" + "\x00a", 400},
		{"two limits of noise", string(s2.EncodeSnappy(nil, noise)), 413},
		{"a million entries", string(s2.EncodeSnappy(nil, []byte(strings.Repeat("\x2a\x00", limit/2)))), 413},
		{"a million symbols", string(s2.EncodeSnappy(nil, []byte(strings.Repeat("\x22\x00", limit/2)))), 413},
		{"a million samples", string(s2.EncodeSnappy(nil, []byte("\x2a\x80\x80\x3c"+strings.Repeat("\x12\x00", limit/2-16*1024)))), 413},
	} {
		s := serve(push.Options{Limits: push.Limits{Body: limit, Series: 100}})
		s.write(c.body, type2, encoded) // what is kept for the next one
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := s.write(c.body, type2, encoded)
		runtime.ReadMemStats(&after)
		if w.Code != c.code {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 16*limit {
			t.Errorf("%s: took %d bytes", c.name, used)
		}
		if len(s.batches) != 0 {
			t.Errorf("%s: the sink got it", c.name)
		}
	}
}
