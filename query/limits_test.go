package query_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"narthex/query"
)

// envelope is an answer as a client decodes it.
type envelope struct {
	Status, ErrorType, Error string
	Data                     json.RawMessage
	Warnings, Infos          []string
}

func decode(t *testing.T, body string) (e envelope) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return e
}

func TestLimits(t *testing.T) {
	db := fill(t)
	o := options(db)
	o.MaxResults = 2
	h := serve(o)
	const asked, own = "results truncated due to limit", "results truncated to 2, the server's limit: narrow the selector or the time range"
	for _, r := range []struct {
		path    string
		params  []string
		n       int
		warning string
	}{
		{"query", []string{"query", "up", "limit", "1", "time", "1800000060"}, 1, asked},
		{"query", []string{"query", "up", "limit", "2", "time", "1800000060"}, 2, ""},
		{"query", []string{"query", "up[1m]", "limit", "1", "time", "1800000060"}, 1, asked},
		{"query_range", []string{"query", "up", "limit", "1", "start", "1800000000", "end", "1800000060", "step", "15"}, 1, asked},
		{"labels", []string{"limit", "1"}, 1, asked},
		{"labels", nil, 2, own},
		{"labels", []string{"limit", "9"}, 2, own},
		{"label/__name__/values", []string{"limit", "1"}, 1, asked},
		{"label/__name__/values", nil, 2, own},
		{"label/instance/values", nil, 2, ""},
		{"series", []string{"match[]", `{__name__!=""}`, "limit", "1"}, 1, asked},
		{"series", []string{"match[]", `{__name__!=""}`}, 2, own},
		{"series", []string{"match[]", "up"}, 2, ""},
	} {
		_, body := get(h, r.path, r.params...)
		e := decode(t, body)
		var list []any
		if err := json.Unmarshal(e.Data, &list); err != nil {
			var res struct{ Result []any }
			if err := json.Unmarshal(e.Data, &res); err != nil {
				t.Fatal(err)
			}
			list = res.Result
		}
		if len(list) != r.n || strings.Join(e.Warnings, ";") != r.warning {
			t.Errorf("%s %q: %d results, warnings %q", r.path, r.params, len(list), e.Warnings)
		}
	}
}

func TestAnnotations(t *testing.T) {
	h := serve(options(fill(t)))
	_, body := get(h, "query", "query", "rate(up[1m])", "time", "1800000060")
	if e := decode(t, body); len(e.Infos) != 1 || !strings.Contains(e.Infos[0], "metric might not be a counter") || len(e.Warnings) > 0 {
		t.Errorf("got %s", body)
	}
	_, body = get(h, "query", "query", "quantile(2, up)", "time", "1800000060")
	if e := decode(t, body); len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], "quantile value should be between 0 and 1") {
		t.Errorf("got %s", body)
	}
}

func TestStatsParameter(t *testing.T) {
	h := serve(options(fill(t)))
	for param, want := range map[string][2]bool{"": {false, false}, "true": {true, false}, "all": {true, true}, "x": {true, false}} {
		_, body := get(h, "query_range", "query", "up", "start", "1800000000", "end", "1800000060", "step", "15", "stats", param)
		e := decode(t, body)
		var data struct {
			Stats *struct {
				Timings struct{ EvalTotalTime *float64 }
				Samples struct {
					TotalQueryableSamples        int
					TotalQueryableSamplesPerStep []any
				}
			}
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		s := data.Stats
		if got := [2]bool{s != nil, s != nil && len(s.Samples.TotalQueryableSamplesPerStep) == 5}; got != want {
			t.Errorf("stats=%s: %s", param, body)
		}
		if s != nil && (s.Samples.TotalQueryableSamples != 10 || s.Timings.EvalTotalTime == nil) {
			t.Errorf("stats=%s: %s", param, body)
		}
		if (param == "x") != (len(e.Warnings) == 1) {
			t.Errorf("stats=%s: warnings %q", param, e.Warnings)
		}
	}
}

func TestTooManySamples(t *testing.T) {
	o := options(fill(t))
	o.MaxSamples = 3
	code, body := get(serve(o), "query", "query", "up[1m]", "time", "1800000060")
	wantError(t, 422, "execution", "query processing would load too many samples into memory", code, body)
}

// blocked is a storage whose queries hang until their context ends, or fail.
type blocked struct {
	storage.LabelQuerier
	entered chan struct{}
	fail    error
}

func (b blocked) Querier(int64, int64) (storage.Querier, error) { return b, nil }
func (b blocked) Close() error                                  { return nil }

func (b blocked) Select(ctx context.Context, _ bool, _ *storage.SelectHints, _ ...*labels.Matcher) storage.SeriesSet {
	if b.fail != nil {
		return storage.ErrSeriesSet(b.fail)
	}
	b.entered <- struct{}{}
	<-ctx.Done()
	return storage.ErrSeriesSet(ctx.Err())
}

func (b blocked) LabelNames(ctx context.Context, _ *storage.LabelHints, _ ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, b.Select(ctx, false, nil).Err()
}

func TestTimeouts(t *testing.T) {
	b := blocked{entered: make(chan struct{}, 100)}
	h := serve(query.Options{Queryable: b, Timeout: 20 * time.Millisecond})
	for _, r := range [][]string{{"query", "query", "up"}, {"query_range", "query", "up", "start", "1", "end", "2", "step", "1"}, {"series", "match[]", "up"}, {"labels"}} {
		code, body := get(h, r[0], r[1:]...)
		wantError(t, 503, "timeout", "", code, body)
	}
	h = serve(query.Options{Queryable: b})
	code, body := get(h, "query", "query", "up", "timeout", "20ms")
	wantError(t, 503, "timeout", "query timed out", code, body)
}

// Each selector goes through the whole index, so that there are not many of them;
// and lists wait for each other as queries do.
func TestManySelectors(t *testing.T) {
	h := serve(options(fill(t)))
	sets := func(n int) string { return strings.TrimPrefix(strings.Repeat("&match[]=up", n), "&") }
	for _, path := range []string{"series", "labels"} {
		if code, body := ask(h, "POST", "/api/v1/"+path, sets(100)); code != 200 {
			t.Errorf("%s: %d %s", path, code, body)
		}
		code, body := ask(h, "POST", "/api/v1/"+path, sets(101))
		wantError(t, 400, "bad_data", "the limit is 100", code, body)
	}
}

func TestListsWait(t *testing.T) {
	b := blocked{entered: make(chan struct{}, 100)}
	h := serve(query.Options{Queryable: b, MaxConcurrent: 1})
	ctx, cancel := context.WithCancel(context.Background())
	codes := make(chan int, 2)
	go func() {
		code, _ := askWith(ctx, h, "/api/v1/series?match[]=up")
		codes <- code
	}()
	<-b.entered // it has the only place
	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	if code, body := askWith(short, h, "/api/v1/labels"); code != 503 || len(b.entered) > 0 {
		t.Errorf("a second list: %d %s, and %d more read", code, body, len(b.entered))
	}
	cancel()
	<-codes
}

func TestCanceled(t *testing.T) {
	b := blocked{entered: make(chan struct{}, 100)}
	h := serve(query.Options{Queryable: b, MaxConcurrent: 1})
	ctx, cancel := context.WithCancel(context.Background())
	type reply struct {
		code int
		body string
	}
	replies := make(chan reply)
	send := func() {
		code, body := askWith(ctx, h, "/api/v1/query?query=up")
		replies <- reply{code, body}
	}
	go send()
	<-b.entered // it has the only slot
	go send()   // and this one waits for it
	cancel()
	for range 2 {
		r := <-replies
		wantError(t, 503, "canceled", "", r.code, r.body)
	}
	if len(b.entered) > 1 {
		t.Errorf("%d more queries ran", len(b.entered))
	}
}

func TestStorageFails(t *testing.T) {
	h := serve(query.Options{Queryable: blocked{fail: errors.New("disk on fire")}})
	code, body := get(h, "query", "query", "up")
	wantError(t, 422, "execution", "disk on fire", code, body)
	code, body = get(h, "series", "match[]", "up")
	wantError(t, 422, "execution", "disk on fire", code, body)
	code, body = get(h, "labels")
	wantError(t, 422, "execution", "disk on fire", code, body)
}

// Nesting is bounded: what walks the tree is recursive, and to lay it out takes
// time with the third power of its depth.
func TestDeepQuery(t *testing.T) {
	h := serve(options(fill(t)))
	for name, deep := range map[string]func(n int) string{
		"brackets":  func(n int) string { return strings.Repeat("(", n) + "1" + strings.Repeat(")", n) },
		"operators": func(n int) string { return strings.Repeat("1+", n) + "1" },
		"calls":     func(n int) string { return strings.Repeat("abs(", n) + "up" + strings.Repeat(")", n) },
	} {
		for _, path := range []string{"query", "parse_query", "format_query", "query_exemplars"} {
			if code, body := ask(h, "POST", "/api/v1/"+path, form("query", deep(400))); code != 200 {
				t.Errorf("400 %s, %s: %d %.200s", name, path, code, body)
			}
			code, body := ask(h, "POST", "/api/v1/"+path, form("query", deep(2000)))
			wantError(t, 400, "bad_data", "nested deeper than the limit of 500", code, body)
		}
	}
}

// The engine reserves memory for each step of a subquery before it looks for
// data.
func TestSubquerySteps(t *testing.T) {
	h := serve(options(fill(t)))
	for _, q := range []string{"nothing[100y:1s]", "sum(max_over_time(nothing[1y:1s]))", "max_over_time(nothing[1m:1s])[100y:1d]", "nothing[200y:1m]", "nothing[200y:]"} {
		code, body := get(h, "query", "query", q, "time", "1800000060")
		wantError(t, 400, "bad_data", "steps, the limit is 5000000: use a shorter range or a longer step", code, body)
	}
	code, body := get(h, "query_range", "query", "max_over_time(nothing[1m:1s])", "start", "0", "end", "1800000000", "step", "30d")
	wantError(t, 400, "bad_data", "steps, the limit is 5000000", code, body)
	for _, q := range []string{"nothing[30d:1s]", "up[1h:]", "max_over_time(up[1m:1s])[1d:1h]"} {
		if code, body := get(h, "query", "query", q, "time", "1800000060"); code != 200 {
			t.Errorf("%s: %d %s", q, code, body)
		}
	}
}

// FuzzQuery: no text makes the API fall over or answer something else than JSON.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"up", "rate(up[5m] smoothed)", "up @ end() offset -1m", "sum by (job) (up) / on(x) group_left y", "{\"a.b\"}", "-(1)^2", "up[5m:1m]",
		"label_replace(up, 'a', '$1', 'b', '(.*)')", "histogram_quantile(0.9, latency)", "'\xff'", "up{a=~\"(a+)+\"}", "1e999", "up[1e9y]", "topk(1e9, up)", "up[1y:1]", "up[1d:1s][1d:]",
	} {
		f.Add(s, "1800000060", "15")
	}
	f.Add("up", "-1e18", "1e-9")
	f.Add("up", "2027-01-15T08:00:15.5Z", "1d")
	o := options(fill(f))
	o.MaxSamples = 10_000
	o.Timeout = 5 * time.Second
	h := serve(o)
	f.Fuzz(func(t *testing.T, q, at, step string) {
		for _, target := range []string{
			"query?" + form("query", q, "time", at), "query_range?" + form("query", q, "start", at, "end", at, "step", step),
			"parse_query?" + form("query", q), "format_query?" + form("query", q), "query_exemplars?" + form("query", q, "start", at),
			"series?" + form("match[]", q, "end", at), "labels?" + form("match[]", q), "label/" + strings.ReplaceAll(form("", q), "+", "%20")[1:] + "/values",
		} {
			code, body := ask(h, "GET", "/api/v1/"+target, "")
			switch {
			case code == 404 || code == 301 || code == 307: // not a path of ours
			case !json.Valid([]byte(body)):
				t.Errorf("%s: %d %q", target, code, body)
			case code != 200 && code != 400 && code != 422 && code != 503:
				t.Errorf("%s: %d %s", target, code, body)
			}
		}
	})
}

// The parser's tree, as Prometheus's own user interface reads it.
func TestTree(t *testing.T) {
	h := serve(options(fill(t)))
	sel := func(kind, name, more string) string {
		return fmt.Sprintf(`{"type":%q,"name":%q,"offset":0,"offsetExpr":null,"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false,
			"matchers":[{"name":"__name__","value":%q,"type":"="}]%s}`, kind, name, name, more)
	}
	const fill = `"fillValues":{"lhs":null,"rhs":null}`
	for q, want := range map[string]string{
		`1.5`:        `{"type":"numberLiteral","val":"1.5"}`,
		`"a"`:        `{"type":"stringLiteral","val":"a"}`,
		`(a)`:        `{"type":"parenExpr","expr":` + sel("vectorSelector", "a", "") + `}`,
		`-a`:         `{"type":"unaryExpr","op":"-","expr":` + sel("vectorSelector", "a", "") + `}`,
		`1 > bool 2`: `{"type":"binaryExpr","op":">","bool":true,"matching":null,"lhs":{"type":"numberLiteral","val":"1"},"rhs":{"type":"numberLiteral","val":"2"}}`,
		`a + b`: `{"type":"binaryExpr","op":"+","bool":false,"lhs":` + sel("vectorSelector", "a", "") + `,"rhs":` + sel("vectorSelector", "b", "") + `,
			"matching":{"card":"one-to-one","labels":[],"on":false,"include":[],` + fill + `}}`,
		`a / on(x) group_left(y) b`: `{"type":"binaryExpr","op":"/","bool":false,"lhs":` + sel("vectorSelector", "a", "") + `,"rhs":` + sel("vectorSelector", "b", "") + `,
			"matching":{"card":"many-to-one","labels":["x"],"on":true,"include":["y"],` + fill + `}}`,
		`sum(a)`:                 `{"type":"aggregation","op":"sum","expr":` + sel("vectorSelector", "a", "") + `,"param":null,"grouping":[],"without":false}`,
		`topk without(x) (2, a)`: `{"type":"aggregation","op":"topk","expr":` + sel("vectorSelector", "a", "") + `,"param":{"type":"numberLiteral","val":"2"},"grouping":["x"],"without":true}`,
		`rate(a[5m])`: `{"type":"call","func":{"name":"rate","argTypes":["matrix"],"variadic":0,"returnType":"vector"},"args":[` +
			sel("matrixSelector", "a", `,"range":300000,"rangeExpr":null`) + `]}`,
		`time()`: `{"type":"call","func":{"name":"time","argTypes":[],"variadic":0,"returnType":"scalar"},"args":[]}`,
		`a[5m:1m] offset 2m`: `{"type":"subquery","expr":` + sel("vectorSelector", "a", "") + `,"range":300000,"rangeExpr":null,"offset":120000,"offsetExpr":null,
			"step":60000,"stepExpr":null,"timestamp":null,"startOrEnd":null}`,
		`a{x!~"y"} @ start() offset -1m`: `{"type":"vectorSelector","name":"a","offset":-60000,"offsetExpr":null,"timestamp":null,"startOrEnd":"start","anchored":false,"smoothed":false,
			"matchers":[{"name":"x","value":"y","type":"!~"},{"name":"__name__","value":"a","type":"="}]}`,
		`a[1m] anchored`: `{"type":"matrixSelector","name":"a","offset":0,"offsetExpr":null,"timestamp":null,"startOrEnd":null,"anchored":true,"smoothed":false,
			"matchers":[{"name":"__name__","value":"a","type":"="}],"range":60000,"rangeExpr":null}`,
		`a @ 3`: `{"type":"vectorSelector","name":"a","offset":0,"offsetExpr":null,"timestamp":3000,"startOrEnd":null,"anchored":false,"smoothed":false,
			"matchers":[{"name":"__name__","value":"a","type":"="}]}`,
	} {
		code, body := get(h, "parse_query", "query", q)
		if code != 200 {
			t.Errorf("%s: %d %s", q, code, body)
			continue
		}
		var got struct{ Data, Want any }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(want), &got.Want); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if d := cmp.Diff(got.Want, got.Data); d != "" {
			t.Errorf("%s: %s", q, d)
		}
	}
}
