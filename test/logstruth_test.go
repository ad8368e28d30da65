package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"narthex"
)

// logsRoutes and logsMetrics are what the logs of the truth are read with.
const logsRoutes = `["GET /v1/users/{id}", "POST /v1/orders", "/v1/orders/{order}", "/**.js"]`

const logsMetrics = `[{"name": "web_requests_total", "of": "requests", "labels": [{"name": "method"}, {"name": "route"}, {"name": "status"}]},
  {"name": "web_bytes_total", "of": "response_bytes", "labels": [{"name": "route"}]},
  {"name": "web_duration_seconds", "of": "duration", "buckets": "default", "labels": [{"name": "route"}]}]`

var logsBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// logsTruth is what generated logs are to come to: the value of each series as
// PromQL names it, and the requests of each label set by minute.
type logsTruth struct {
	requests int
	total    map[string]int64           // series -> its value
	minutes  map[string]map[int64]int64 // of web_requests_total: the minute's end in s -> requests in it
}

// logObjects generates gzipped logs of the combined format with a time behind, in
// which n requests ended from from on, in so many objects. Times increase from
// object to object.
func logObjects(r *rand.Rand, n, objects int, from time.Time, span time.Duration) ([][]byte, *logsTruth) {
	t := &logsTruth{requests: n, total: make(map[string]int64), minutes: make(map[string]map[int64]int64)}
	paths := []func() (path, route string){
		func() (string, string) { return fmt.Sprint("/v1/users/", r.IntN(1e6)), "/v1/users/{id}" },
		func() (string, string) { return fmt.Sprint("/v1/orders/", r.IntN(1e6)), "/v1/orders/{order}" },
		func() (string, string) { return "/v1/orders", "/v1/orders" },
		func() (string, string) { return fmt.Sprintf("/static/app.%x.js", r.Uint32()), "/**.js" },
		func() (string, string) { return fmt.Sprintf("/scan/%x", r.Uint32()), "other" },
	}
	methods, statuses := []string{"GET", "POST", "PUT"}, []int{200, 200, 200, 204, 301, 404, 500, 503}
	var out [][]byte
	var log bytes.Buffer
	for i := range n {
		path, route := paths[r.IntN(len(paths))]()
		method, status, bytesOut := methods[r.IntN(len(methods))], statuses[r.IntN(len(statuses))], r.IntN(100_000)
		ms := int(r.ExpFloat64() * 80)
		if (route == "/v1/users/{id}") && method != "GET" || route == "/v1/orders" && method != "POST" {
			route = "other" // the pattern is for another method
		}
		at := from.Add(time.Duration(float64(span) * float64(i) / float64(n)))
		fmt.Fprintf(&log, "192.0.2.%d - - [%s] \"%s %s HTTP/1.1\" %d %d \"-\" \"agent\" %d.%03d\n",
			r.IntN(256), at.UTC().Format("02/Jan/2006:15:04:05 -0700"), method, path, status, bytesOut, ms/1000, ms%1000)
		set := fmt.Sprintf(`{method=%q,route=%q,status="%d"}`, method, route, status)
		t.total["web_requests_total"+set]++
		t.total[fmt.Sprintf("web_bytes_total{route=%q}", route)] += int64(bytesOut)
		for _, le := range logsBounds {
			if float64(ms)/1000 <= le {
				t.total[fmt.Sprintf("web_duration_seconds_bucket{le=%q,route=%q}", narthex.FormatBound(le), route)]++
			}
		}
		t.total[fmt.Sprintf(`web_duration_seconds_bucket{le="+Inf",route=%q}`, route)]++
		t.total[fmt.Sprintf("web_duration_seconds_count{route=%q}", route)]++
		if t.minutes[set] == nil {
			t.minutes[set] = make(map[int64]int64)
		}
		t.minutes[set][at.Unix()/60*60+60]++
		if (i+1)*objects/n > len(out) {
			out = append(out, gzipLog(log.Bytes()))
			log.Reset()
		}
	}
	return out, t
}

func gzipLog(text []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	z.Write(text)
	z.Close()
	return b.Bytes()
}

// check compares all that PromQL says with the truth.
func (l *logsTruth) check(t *testing.T, s *server) {
	t.Helper()
	eventually(t, fmt.Sprintf("sum(web_requests_total) = %d", l.requests), func() bool {
		return s.value("sum(web_requests_total)") == fmt.Sprint(l.requests)
	})
	got := make(map[string]string)
	for _, r := range query(t, s.url(), `{__name__=~"web_.*"}`, time.Time{}) {
		name := r.Metric["__name__"]
		if name == "web_duration_seconds_sum" { // a sum of thousandths, not exact by nature
			continue
		}
		got[name+labelText(r.Metric)] = r.Value.v
	}
	wrong := 0
	for series, v := range l.total {
		if f, err := strconv.ParseFloat(got[series], 64); (err != nil || int64(f) != v || f != float64(v)) && !(v == 0 && got[series] == "") {
			if wrong++; wrong < 10 {
				t.Errorf("%s is %q, want %d", series, got[series], v)
			}
		}
		delete(got, series)
	}
	for series, v := range got {
		if v != "0" { // a bucket of which the truth says nothing is empty
			t.Errorf("%s is %s, want none", series, v)
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d series are wrong", wrong, len(l.total))
	}
	for _, r := range query(t, s.url(), "sum(resets(web_requests_total[1h]))", time.Time{}) {
		if r.Value.v != "0" {
			t.Errorf("resets: %s", r.Value.v)
		}
	}
}

// labelText writes labels but for the name, in their order.
func labelText(m map[string]string) string {
	text := "{"
	for _, name := range []string{"le", "method", "route", "status"} {
		if v, ok := m[name]; ok {
			if text != "{" {
				text += ","
			}
			text += fmt.Sprintf("%s=%q", name, v)
		}
	}
	return text + "}"
}

// logsSeed returns a generator whose seed is told, so that it can be set.
func logsSeed(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("NARTHEX_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("NARTHEX_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// logDeliveries returns the order in which objects are delivered: shuffled, three
// in ten twice. Those that are delivered twice at once are negative, less one.
func logDeliveries(r *rand.Rand, n int) (order []int) {
	for i := range n {
		order = append(order, i)
		switch x := r.IntN(100); {
		case x < 5:
			order[len(order)-1] = -i - 1
		case x < 35:
			order = append(order, i)
		}
	}
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
