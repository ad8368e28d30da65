package push_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex/openmetrics"
	"narthex/push"
)

const shop = `# TYPE orders_total counter
orders_total{country="ch"} 3
# TYPE queue gauge
queue 7
free 1.5
# TYPE lat histogram
lat_bucket{le="1"} 1
lat_bucket{le="+Inf"} 2
lat_sum 3
lat_count 2
# TYPE size summary
size{quantile="0.5"} 7
size_sum 3
size_count 2
`

func TestAggregate(t *testing.T) {
	g := newGate(t, push.Options{})
	for i := range 3 {
		method := []string{"PUT", "POST"}[i%2]
		code, answer := g.do(method, "/aggregate/metrics/job/j/country/de", shop)
		if code != 200 || !strings.Contains(answer, `"status":"accepted","accepted":7,`) {
			t.Fatalf("%d %s", code, answer)
		}
	}
	const want = `free{country="de",job="j"} 1.5
lat_bucket{country="de",job="j",le="+Inf"} 6
lat_bucket{country="de",job="j",le="1.0"} 3
lat_count{country="de",job="j"} 6
lat_sum{country="de",job="j"} 9
orders_total{country="de",job="j"} 9
queue{country="de",job="j"} 7
size_count{country="de",job="j"} 6
size_sum{country="de",job="j"} 9
size{country="de",job="j",quantile="0.5"} 7`
	if d := cmp.Diff(want, g.tick()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestAggregateNative(t *testing.T) {
	g := newGate(t, push.Options{})
	for i := range 2 {
		if code, answer := g.do("PUT", "/aggregate/metrics/job/j", delimited(t), "Content-Type: "+openmetrics.Protobuf.ContentType(), fmt.Sprint("Idempotency-Key: ", i)); code != 200 {
			t.Fatalf("%d %s", code, answer)
		}
	}
	if got, want := g.tick(), "c_total{job=\"j\"} 8\nn{job=\"j\"} count 6"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What can't be added is told apart from what can.
func TestAggregateRejects(t *testing.T) {
	f := func(path, body string, code int, want string) {
		t.Helper()
		g := newGate(t, push.Options{})
		g.do("PUT", "/aggregate/metrics/job/j", "# TYPE kept histogram\nkept_bucket{le=\"2\"} 0\nkept_bucket{le=\"+Inf\"} 1\nkept_sum 3\nkept_count 1\n")
		got, answer := g.do("PUT", path, body)
		if got != code || !strings.Contains(answer, want) {
			t.Errorf("%s %q: %d %s, want %d %s", path, body, got, answer, code, want)
		}
	}
	f("/aggregate/metrics/job/j", "# TYPE a counter\na -1\n# TYPE b counter\nb 1\n", 200, `"status":"partial","accepted":1,"duplicate":0,"rejected":[{"series":"a{job=\"j\"}","reason":"the increment -1 can't be added`)
	f("/aggregate/metrics/job/j", "# TYPE a counter\na +Inf\n", 400, `the increment +Inf can't be added`)
	f("/aggregate/metrics/job/j", "# TYPE s summary\ns_sum -3\ns_count 1\n", 200, `the increment -3 can't be added`)
	f("/aggregate/metrics/job/j", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum NaN\nh_count 1\n", 400, `its sum NaN, which can't be added`)
	f("/aggregate/metrics/job/j", "# TYPE kept histogram\nkept_bucket{le=\"3\"} 0\nkept_bucket{le=\"+Inf\"} 1\nkept_sum 3\nkept_count 1\n", 400, `its buckets are [3], but the ledger keeps [2]`)
	f("/aggregate/metrics/job/j", "# TYPE kept counter\nkept 1\n", 400, `it is pushed as a counter, but the ledger keeps it as a histogram`)
	f("/aggregate/metrics/job/j", "# TYPE a counter\na{job=\"1\"} 1\na{job=\"2\"} 1\n", 200, `it is there twice once the path's labels are set`)
	f("/aggregate/metrics/job/j/le/1", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n", 400, `the path sets the label le`)
	f("/aggregate/metrics/job/j/quantile/1", "# TYPE h summary\nh{quantile=\"0.5\"} 1\nh_sum 1\nh_count 1\n", 200, `the path sets the label quantile`)
	f("/aggregate/metrics/job/j", "m 1 5\n", 400, "must not have timestamps")
	f("/aggregate/metrics/job/j", "", 200, `"status":"accepted","accepted":0`)
	f("/aggregate/metrics/job/j?temporality=cumulative", "m 1\n", 400, "add source=ID")
	f("/aggregate/metrics/job/j?source=a", "m 1\n", 400, "add temporality=cumulative")
	f("/aggregate/metrics/job/j?temporality=total", "m 1\n", 400, "want delta")
	f("/aggregate/metrics/job/j?temporality=cumulative&source="+strings.Repeat("x", 300), "m 1\n", 400, "the limit is 256")
}

// Registries that push their totals again and again, in any number, restart
// included.
func TestAggregateTotals(t *testing.T) {
	g := newGate(t, push.Options{})
	totals := func(source string, n, total int) {
		t.Helper()
		body := fmt.Sprintf("# TYPE c counter\nc %d\n# TYPE h histogram\nh_bucket{le=\"1\"} %d\nh_bucket{le=\"+Inf\"} %d\nh_sum %d\nh_count %d\n# TYPE up gauge\nup %d\n", n, n, n+1, n, n+1, n)
		code, answer := g.do("PUT", "/aggregate/metrics/job/j?temporality=cumulative&source="+source, body)
		if code != 200 || strings.Contains(answer, "warning") {
			t.Fatalf("%d %s", code, answer)
		}
		if got := g.tick(); !strings.Contains(got, fmt.Sprintf("c{job=\"j\"} %d\n", total)) || !strings.Contains(got, fmt.Sprintf("h_bucket{job=\"j\",le=\"1.0\"} %d\n", total)) || !strings.HasSuffix(got, fmt.Sprintf("up{job=\"j\"} %d", n)) {
			t.Errorf("%s %d: %s", source, n, got)
		}
	}
	totals("a", 5, 5)
	totals("a", 6, 6)
	totals("a", 6, 6)
	totals("b", 4, 10)
	totals("a", 9, 13)
	totals("a", 2, 15)
	totals("b", 5, 16)
	code, answer := g.do("PUT", "/aggregate/metrics/job/j", "# TYPE c counter\nc 7\n", "X-Narthex-Temporality: cumulative", "X-Narthex-Source: b")
	if got := g.tick(); code != 200 || !strings.Contains(got, "c{job=\"j\"} 18\n") {
		t.Errorf("by headers: %d %s, %s", code, answer, got)
	}
}

// A group whose counters only grow is told that it may be pushing totals: in
// each receipt, and once in the log.
func TestAggregateWarnsOfTotals(t *testing.T) {
	f := func(name string, want string, pushes ...string) {
		t.Helper()
		g := newGate(t, push.Options{})
		got := ""
		for i, body := range pushes {
			var metrics strings.Builder
			for j, v := range strings.Fields(body) {
				fmt.Fprintf(&metrics, "# TYPE c%d counter\nc%d %s\n", j, j, v)
			}
			code, answer := g.do("PUT", "/aggregate/metrics/job/j", metrics.String(), fmt.Sprint("Idempotency-Key: ", i))
			if code != 200 {
				t.Fatalf("%s: %d %s", name, code, answer)
			}
			if strings.Contains(answer, "?temporality=cumulative&source=ID") {
				got += "w"
			} else {
				got += "-"
			}
			// A duplicate is no push, and another group is another's.
			g.do("PUT", "/aggregate/metrics/job/j", metrics.String(), fmt.Sprint("Idempotency-Key: ", i))
			g.do("PUT", "/aggregate/metrics/job/k", "# TYPE c0 counter\nc0 1\n")
		}
		if got != want {
			t.Errorf("%s: warned %s, want %s", name, got, want)
		}
		if n, told := strings.Count(g.log.String(), "group pushes what looks like totals"), strings.Contains(want, "w"); n > 1 || (n == 1) != told {
			t.Errorf("%s: %d lines in the log:\n%s", name, n, g.log)
		}
	}
	f("totals", "--ww", "1 5", "1 6", "2 6", "3 9")
	f("increments", "----", "1 5", "2 2", "3 9", "4 8")
	f("the same increment", "----", "1", "1", "1", "1")
	f("a rise and rests", "------", "1", "2", "2", "2", "3", "3")
	f("a counter that goes", "----", "1 2 3", "2 3 4", "3", "4")
	f("one that comes", "--w-", "1", "2", "3 1", "1 1")
}
