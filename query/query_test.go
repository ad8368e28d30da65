package query_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/query"
	"narthex/tsdb"
)

// t0 is when the tests take place, in seconds.
const t0 = 1_800_000_000

func now() time.Time { return time.Unix(t0+60, 0) }

func labelset(pairs ...string) narthex.Labels {
	ls := narthex.Labels{}
	for i := 0; i < len(pairs); i += 2 {
		ls = ls.With(pairs[i], pairs[i+1])
	}
	return ls
}

// every returns a series with one of the values at t0 and every 15 s after it.
func every(ls narthex.Labels, values ...float64) narthex.Series {
	s := narthex.Series{Labels: ls}
	for i, v := range values {
		s.Samples = append(s.Samples, narthex.Sample{Time: (t0 + 15*int64(i)) * 1000, Value: v})
	}
	return s
}

// fill opens a store with a bit of everything.
func fill(t testing.TB) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), tsdb.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	total := every(labelset("__name__", "req_total", "job", "shop"), 0, 10, 20, 30, 40)
	total.Type, total.Help, total.Unit = narthex.TypeCounter, "Requests.", "requests"
	total.Exemplars = []narthex.Exemplar{{Labels: labelset("trace_id", "abc"), Time: t0*1000 + 250, Value: 6}}
	latency := narthex.Series{Labels: labelset("__name__", "latency"), Type: narthex.TypeHistogram}
	latency.Samples = []narthex.Sample{{Time: t0 * 1000, Histogram: &narthex.Histogram{
		Schema: 0, Count: 4, Sum: 7.5, ZeroThreshold: 0.5, ZeroCount: 1,
		Positive: narthex.Buckets{Spans: []narthex.Span{{Offset: 0, Length: 3}}, Counts: []float64{1, 0, 1}},
		Negative: narthex.Buckets{Spans: []narthex.Span{{Offset: 1, Length: 1}}, Counts: []float64{1}},
	}}}
	b := &narthex.Batch{Series: []narthex.Series{
		every(labelset("__name__", "up", "job", "shop", "instance", "a"), 1, 1, 1, 1, 1),
		every(labelset("__name__", "up", "job", "shop", "instance", "b"), 0, 1, 0, 1, 0),
		every(labelset("__name__", "odd"), math.NaN(), math.Inf(1), math.Inf(-1), 1e-7, 1e21),
		every(labelset("__name__", "dotted.name", "label.with.dots", "<x>"), 1),
		total, latency,
	}}
	if err := db.Write(context.Background(), b); err != nil || b.Rejected != nil {
		t.Fatal(err, b.Rejected)
	}
	return db
}

func options(db *tsdb.DB) query.Options {
	return query.Options{
		Queryable: db, ExemplarQueryable: db, Metadata: db.Metadata, Stats: db.Stats, Chunks: db.Chunks,
		Retention: "30d", Now: now, Build: query.BuildInfo{Revision: "abc", GoVersion: "go1.26"},
	}
}

func serve(o query.Options) *http.ServeMux {
	mux := http.NewServeMux()
	query.New(o).Mount(mux)
	return mux
}

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func ask(h http.Handler, method, target, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(method, target, body))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func get(h http.Handler, path string, params ...string) (int, string) {
	return ask(h, http.MethodGet, "/api/v1/"+path+"?"+form(params...), "")
}

func form(params ...string) string {
	v := url.Values{}
	for i := 0; i < len(params); i += 2 {
		v.Add(params[i], params[i+1])
	}
	return v.Encode()
}

// sameJSON compares without regard to the order of members.
func sameJSON(t *testing.T, want, got string) {
	t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if d := cmp.Diff(w, g); d != "" {
		t.Errorf("got %s: %s", got, d)
	}
}

func TestSuccess(t *testing.T) {
	h := serve(options(fill(t)))
	const at = "1800000060"
	upA := `{"__name__":"up","instance":"a","job":"shop"}`
	upB := `{"__name__":"up","instance":"b","job":"shop"}`
	rows := []struct {
		path   string
		params []string
		want   string // what stands in data
	}{
		{"query", []string{"query", "1+1", "time", "4"}, `{"resultType":"scalar","result":[4,"2"]}`},
		{"query", []string{"query", `"x\"<"`, "time", at}, `{"resultType":"string","result":[1800000060,"x\"<"]}`},
		{"query", []string{"query", "up"}, `{"resultType":"vector","result":[{"metric":` + upA + `,"value":[1800000060,"1"]},{"metric":` + upB + `,"value":[1800000060,"0"]}]}`},
		{"query", []string{"query", "up", "time", "2027-01-15T08:00:15.5Z"}, `{"resultType":"vector","result":[{"metric":` + upA + `,"value":[1800000015.5,"1"]},{"metric":` + upB + `,"value":[1800000015.5,"1"]}]}`},
		{"query", []string{"query", "up", "time", "1800000400"}, `{"resultType":"vector","result":[]}`},
		{"query", []string{"query", "up{instance='a'}", "time", "1800000400", "lookback_delta", "10m"}, `{"resultType":"vector","result":[{"metric":` + upA + `,"value":[1800000400,"1"]}]}`},
		{"query", []string{"query", "odd[2m]", "time", at}, `{"resultType":"matrix","result":[{"metric":{"__name__":"odd"},"values":[[1800000000,"NaN"],[1800000015,"+Inf"],[1800000030,"-Inf"],[1800000045,"1e-07"],[1800000060,"1e+21"]]}]}`},
		{"query", []string{"query", "latency", "time", at}, `{"resultType":"vector","result":[{"metric":{"__name__":"latency"},"histogram":[1800000060,{"count":"4","sum":"7.5","buckets":[[1,"-2","-1","1"],[3,"-0.5","0.5","1"],[0,"0.5","1","1"],[0,"2","4","1"]]}]}]}`},
		{"query", []string{"query", "increase(req_total[1m] anchored)", "time", at}, `{"resultType":"vector","result":[{"metric":{"job":"shop"},"value":[1800000060,"40"]}]}`},
		{"query", []string{"query", "req_total offset -15s", "time", "1800000045"}, `{"resultType":"vector","result":[{"metric":{"__name__":"req_total","job":"shop"},"value":[1800000045,"40"]}]}`},
		{"query", []string{"query", "req_total @ 1800000030", "time", "4"}, `{"resultType":"vector","result":[{"metric":{"__name__":"req_total","job":"shop"},"value":[4,"20"]}]}`},
		{"query", []string{"query", `{"dotted.name"}`, "time", "1800000000"}, `{"resultType":"vector","result":[{"metric":{"__name__":"dotted.name","label.with.dots":"<x>"},"value":[1800000000,"1"]}]}`},
		{"query_range", []string{"query", "up{instance='b'}", "start", "1800000000", "end", at, "step", "30s"}, `{"resultType":"matrix","result":[{"metric":` + upB + `,"values":[[1800000000,"0"],[1800000030,"0"],[1800000060,"0"]]}]}`},
		{"query_range", []string{"query", "latency", "start", "1800000000.25", "end", "1800000000.5", "step", "0.25"}, `{"resultType":"matrix","result":[{"metric":{"__name__":"latency"},"histograms":[` +
			`[1800000000.25,{"count":"4","sum":"7.5","buckets":[[1,"-2","-1","1"],[3,"-0.5","0.5","1"],[0,"0.5","1","1"],[0,"2","4","1"]]}],` +
			`[1800000000.5,{"count":"4","sum":"7.5","buckets":[[1,"-2","-1","1"],[3,"-0.5","0.5","1"],[0,"0.5","1","1"],[0,"2","4","1"]]}]]}]}`},
		{"query_range", []string{"query", "1", "start", "-1.5", "end", "0", "step", "1"}, `{"resultType":"matrix","result":[{"metric":{},"values":[[-1.5,"1"],[-0.5,"1"]]}]}`},
		{"labels", nil, `["__name__","instance","job","label.with.dots"]`},
		{"labels", []string{"match[]", "req_total", "match[]", `{"dotted.name"}`}, `["__name__","job","label.with.dots"]`},
		{"labels", []string{"start", "1", "end", "2"}, `[]`},
		{"labels", []string{"start", "-292273086-05-16T16:47:06Z", "end", "292277025-08-18T07:12:54.999999999Z", "match[]", "up"}, `["__name__","instance","job"]`},
		{"label/instance/values", nil, `["a","b"]`},
		{"label/instance/values", []string{"match[]", "req_total"}, `[]`},
		{"label/nothing/values", nil, `[]`},
		{"label/__name__/values", []string{"match[]", `{job="shop"}`, "match[]", "odd"}, `["odd","req_total","up"]`},
		{"label/U__label_2e_with_2e_dots/values", nil, `["<x>"]`},
		{"label/label.with.dots/values", nil, `["<x>"]`},
		{"series", []string{"match[]", "up", "match[]", `{instance="a"}`}, `[` + upA + `,` + upB + `]`},
		{"series", []string{"match[]", "nothing"}, `[]`},
		{"metadata", nil, `{"latency":[{"type":"histogram","unit":"","help":""}],"req_total":[{"type":"counter","unit":"requests","help":"Requests."}]}`},
		{"metadata", []string{"metric", "req_total", "limit_per_metric", "1"}, `{"req_total":[{"type":"counter","unit":"requests","help":"Requests."}]}`},
		{"metadata", []string{"limit", "1"}, `{"latency":[{"type":"histogram","unit":"","help":""}]}`},
		{"metadata", []string{"metric", "nothing"}, `{}`},
		{"query_exemplars", []string{"query", "rate(req_total[5m])", "start", "1800000000", "end", at}, `[{"seriesLabels":{"__name__":"req_total","job":"shop"},"exemplars":[{"labels":{"trace_id":"abc"},"value":"6","timestamp":1800000000.25}]}]`},
		{"query_exemplars", []string{"query", "up"}, `[]`},
		{"query_exemplars", []string{"query", "1"}, `[]`},
		{"format_query", []string{"query", "foo/bar"}, `"foo / bar"`},
		{"status/buildinfo", nil, `{"version":"3.15.0","revision":"abc","branch":"","buildUser":"","buildDate":"","goVersion":"go1.26"}`},
		{"status/tsdb", []string{"limit", "1"}, `{"headStats":{"numSeries":6,"numLabelPairs":9,"chunkCount":6,"minTime":1800000000000,"maxTime":1800000060000},
			"seriesCountByMetricName":[{"name":"up","value":2}],"labelValueCountByLabelName":[{"name":"__name__","value":5}],
			"memoryInBytesByLabelName":[{"name":"__name__","value":94}],"seriesCountByLabelValuePair":[{"name":"job=shop","value":3}]}`},
		{"rules", nil, `{"groups":[]}`},
		{"alerts", nil, `{"alerts":[]}`},
	}
	for _, r := range rows {
		t.Run(r.path+"?"+form(r.params...), func(t *testing.T) {
			code, got := get(h, r.path, r.params...)
			if code != 200 {
				t.Fatalf("%d %s", code, got)
			}
			sameJSON(t, `{"status":"success","data":`+r.want+`}`, got)
		})
	}
}

func TestPost(t *testing.T) {
	h := serve(options(fill(t)))
	for _, r := range []struct{ path, body, want string }{
		{"query", form("query", "1", "time", "4"), `{"resultType":"scalar","result":[4,"1"]}`},
		{"query_range", form("query", "1", "start", "4", "end", "5", "step", "1"), `{"resultType":"matrix","result":[{"metric":{},"values":[[4,"1"],[5,"1"]]}]}`},
		{"labels", form("match[]", "req_total"), `["__name__","job"]`},
		{"series", form("match[]", "odd"), `[{"__name__":"odd"}]`},
		{"query_exemplars", form("query", "up"), `[]`},
		{"format_query", form("query", "a+b"), `"a + b"`},
		{"parse_query", form("query", "1"), `{"type":"numberLiteral","val":"1"}`},
	} {
		code, got := ask(h, http.MethodPost, "/api/v1/"+r.path, r.body)
		if code != 200 {
			t.Errorf("%s: %d %s", r.path, code, got)
			continue
		}
		sameJSON(t, `{"status":"success","data":`+r.want+`}`, got)
	}
}

func TestErrors(t *testing.T) {
	h := serve(options(fill(t)))
	rng := func(more ...string) []string { return append([]string{"query", "up"}, more...) }
	rows := []struct {
		path   string
		params []string
		code   int
		typ    string
		want   string
	}{
		{"query", []string{"query", "up{"}, 400, "bad_data", `invalid parameter "query": 1:4: parse error: unexpected end of input inside braces`},
		{"query", nil, 400, "bad_data", `invalid parameter "query": unknown position: parse error: no expression found in input`},
		{"query", []string{"query", "up", "time", "now"}, 400, "bad_data", `invalid parameter "time": invalid time value for 'time': cannot parse "now" to a valid timestamp`},
		{"query", []string{"query", "up", "time", "NaN"}, 400, "bad_data", `cannot parse "NaN"`},
		{"query", []string{"query", "up", "timeout", "x"}, 400, "bad_data", `invalid parameter "timeout": cannot parse "x" to a valid duration`},
		{"query", []string{"query", "up", "timeout", "0"}, 400, "bad_data", `invalid parameter "timeout"`},
		{"query", []string{"query", "up", "timeout", "1e300"}, 400, "bad_data", `It overflows int64`},
		{"query", []string{"query", "up", "limit", "-1"}, 400, "bad_data", `invalid parameter "limit": limit must be non-negative`},
		{"query", []string{"query", "up", "limit", "x"}, 400, "bad_data", `invalid parameter "limit"`},
		{"query", []string{"query", "up", "lookback_delta", "x"}, 400, "bad_data", `error parsing lookback delta duration: cannot parse "x" to a valid duration`},
		{"query", []string{"query", "up * on(job) up"}, 422, "execution", `many-to-many matching not allowed`},
		{"query", []string{"query", "sort_by_label(up, 'job')"}, 400, "bad_data", `function "sort_by_label" is not enabled`},
		{"query", []string{"query", strings.Repeat("(", 70_000)}, 400, "bad_data", `the limit is 32768`},
		{"query_range", rng(), 400, "bad_data", `invalid parameter "start": cannot parse "" to a valid timestamp`},
		{"query_range", rng("start", "1"), 400, "bad_data", `invalid parameter "end": cannot parse "" to a valid timestamp`},
		{"query_range", rng("start", "2", "end", "1"), 400, "bad_data", `invalid parameter "end": end timestamp must not be before start time`},
		{"query_range", rng("start", "1", "end", "2"), 400, "bad_data", `invalid parameter "step": cannot parse "" to a valid duration`},
		{"query_range", rng("start", "1", "end", "2", "step", "0"), 400, "bad_data", `invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer`},
		{"query_range", rng("start", "1", "end", "1", "step", "0.0001"), 400, "bad_data", `invalid parameter "step"`},
		{"query_range", rng("start", "0", "end", "11001", "step", "1"), 400, "bad_data", `exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)`},
		{"query_range", rng("start", "-292273086-05-16T16:47:06Z", "end", "292277025-08-18T07:12:54.999999999Z", "step", "1y"), 400, "bad_data", `exceeded maximum resolution`},
		{"query_range", []string{"query", "up[5m]", "start", "1", "end", "2", "step", "1"}, 400, "bad_data", `invalid expression type "range vector" for range query, must be Scalar or instant Vector`},
		{"labels", []string{"match[]", "{"}, 400, "bad_data", `parse error`},
		{"labels", []string{"match[]", `{x=""}`}, 400, "bad_data", `match[] must contain at least one non-empty matcher`},
		{"labels", []string{"match[]", strings.Repeat("a", 70_000)}, 400, "bad_data", `the limit is 32768`},
		{"labels", []string{"start", "x"}, 400, "bad_data", `invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp`},
		{"labels", []string{"end", "x"}, 400, "bad_data", `invalid parameter "end"`},
		{"label/x/values", []string{"start", "2", "end", "1"}, 400, "bad_data", `end timestamp must not be before start timestamp`},
		{"label/%FF/values", nil, 400, "bad_data", `invalid label name: "\xff"`},
		{"series", nil, 400, "bad_data", `no match[] parameter provided`},
		{"series", []string{"match[]", "{}"}, 400, "bad_data", `invalid parameter "match[]": match[] must contain at least one non-empty matcher`},
		{"metadata", []string{"limit", "x"}, 400, "bad_data", `limit must be a number`},
		{"metadata", []string{"limit_per_metric", "x"}, 400, "bad_data", `limit_per_metric must be a number`},
		{"query_exemplars", []string{"query", "up{"}, 400, "bad_data", `parse error`},
		{"query_exemplars", []string{"query", "up", "start", "2", "end", "1"}, 400, "bad_data", `end timestamp must not be before start timestamp`},
		{"format_query", []string{"query", "up{"}, 400, "bad_data", `invalid parameter "query": 1:4: parse error`},
		{"parse_query", []string{"query", "up{"}, 400, "bad_data", `invalid parameter "query": 1:4: parse error`},
		{"status/tsdb", []string{"limit", "0"}, 400, "bad_data", `limit must be a positive number`},
		{"status/tsdb", []string{"limit", "10001"}, 400, "bad_data", `limit must not exceed 10000`},
	}
	for _, r := range rows {
		t.Run(r.path+"?"+r.want, func(t *testing.T) {
			code, got := get(h, r.path, r.params...)
			wantError(t, r.code, r.typ, r.want, code, got)
		})
	}
}

func wantError(t *testing.T, wantCode int, typ, text string, code int, body string) {
	t.Helper()
	var e struct{ Status, ErrorType, Error string }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%d %q: %v", code, body, err)
	}
	if code != wantCode || e.Status != "error" || e.ErrorType != typ || !strings.Contains(e.Error, text) {
		t.Errorf("got %d %s, want %d %s %q", code, body, wantCode, typ, text)
	}
}

func TestBadRequests(t *testing.T) {
	h := serve(options(fill(t)))
	code, body := ask(h, http.MethodDelete, "/api/v1/query", "")
	wantError(t, 405, "bad_data", "method DELETE is not allowed here, use GET or POST", code, body)
	code, body = ask(h, http.MethodPost, "/api/v1/metadata", "")
	wantError(t, 405, "bad_data", "use GET", code, body)
	code, body = ask(h, http.MethodPost, "/api/v1/query", "query="+strings.Repeat("x", 1<<20))
	wantError(t, 413, "bad_data", "longer than 1048576 bytes", code, body)
	code, body = ask(h, http.MethodPost, "/api/v1/query", "query=%zz")
	wantError(t, 400, "bad_data", "error parsing form values", code, body)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(http.MethodPut, "/api/v1/labels", ""))
	if got := w.Header().Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow is %q", got)
	}
}

func TestRuntimeInfo(t *testing.T) {
	_, body := get(serve(options(fill(t))), "status/runtimeinfo")
	var got struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"startTime", "CWD", "hostname", "serverTime", "reloadConfigSuccess", "lastConfigTime", "corruptionCount",
		"goroutineCount", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG", "storageRetention",
	} {
		if _, ok := got.Data[key]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
	if got.Data["storageRetention"] != "30d" || got.Data["serverTime"] != "2027-01-15T08:01:00Z" {
		t.Errorf("got %v", got.Data)
	}
}

func TestWithoutStore(t *testing.T) {
	h := serve(query.Options{Queryable: fill(t)})
	code, body := get(h, "status/tsdb")
	wantError(t, 404, "not_found", "no store of its own", code, body)
	for path, want := range map[string]string{"metadata": `{}`, "query_exemplars": `[]`} {
		if code, body := get(h, path, "query", "up"); code != 200 {
			t.Errorf("%s: %d %s", path, code, body)
		} else {
			sameJSON(t, `{"status":"success","data":`+want+`}`, body)
		}
	}
}

func TestHead(t *testing.T) {
	s := httptest.NewServer(serve(options(fill(t))))
	defer s.Close()
	r, err := http.Head(s.URL + "/api/v1/labels")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); r.StatusCode != 200 || len(b) > 0 || err != nil || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %q %v", r.Status, b, err)
	}
}

func askWith(ctx context.Context, h http.Handler, target string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(http.MethodGet, target, "").WithContext(ctx))
	return w.Code, strings.TrimSpace(w.Body.String())
}
