package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// powertools returns what so many invocations of a function log with AWS Lambda
// Powertools.
func powertools(t *testing.T, invocations int) []byte {
	t.Helper()
	dir := filepath.Join("clients", "node")
	npmInstall(t, dir)
	cmd := exec.Command("node", "emf.mjs", fmt.Sprint(invocations))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("emf.mjs: %v", err)
	}
	return out
}

// What Powertools logs comes out of PromQL as it went in, whatever is sent twice.
func TestEMFPowertools(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	const n = 4
	lines := powertools(t, n)
	half := bytes.IndexByte(lines[len(lines)/2:], '\n') + len(lines)/2 + 1
	// The rest comes as a list, among other lines of the log.
	list := append(bytes.Join(append([][]byte{[]byte(`[{"level":"INFO"}`)}, bytes.Split(bytes.TrimSpace(lines[half:]), []byte("\n"))...), []byte(",")), ']')
	for _, c := range []struct {
		body []byte
		want string
	}{{lines[:half], "accepted"}, {list, "accepted"}, {lines[:half], "duplicate"}, {list, "duplicate"}} {
		if code, answer := s.post("/api/v1/emf", c.body, "Content-Type", "application/json"); code != 200 || answer["status"] != c.want {
			t.Fatalf("%d %v, want %s", code, answer, c.want)
		}
	}
	const of = `{namespace="Serverless Airline",service="booking",environment="prod"}`
	want := map[string]string{
		"successful_booking_total" + of: fmt.Sprint(n*(n+1)/2 + n),
		`cold_start_total{namespace="Serverless Airline",service="booking",function_name="book"}`: "1",
		`searches_total{route="odd"}`:                                    "4",
		`searches_total{route="even"}`:                                   "6",
		`finished_total{step="end"}`:                                     "1",
		"histogram_count(item_seconds" + of + ")":                        fmt.Sprint(150 * n),
		"histogram_sum(item_seconds" + of + ")":                          fmt.Sprint(75 * n),
		"histogram_count(payment_latency_seconds)":                       fmt.Sprint(n),
		"histogram_sum(payment_latency_seconds)":                         "2.5",
		"histogram_sum(ticket_bytes)":                                    "10000",
		"histogram_avg(cache_hit_ratio)":                                 "0.5",
		"seats_left" + of:                                                "96",
		`count({bookingId!=""}) or count({booking_id!=""}) or vector(0)`: "0",
	}
	got := make(map[string]string)
	eventually(t, "the events' metrics", func() bool {
		for expr := range want {
			got[expr] = s.value(expr)
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
}

// Classic buckets, and the namespace in the name.
func TestEMFOptions(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\npush: {emf: {namespace: prefix, buckets: mine, unitless: histogram}}\nhistograms: {mine: \"1, 2\"}\n")
	body := []byte(`{"_aws":{"CloudWatchMetrics":[{"Namespace":"My/App","Metrics":[{"Name":"T","Unit":"Seconds"},{"Name":"n"}]}]},"T":[0.5,1.5,9],"n":1}` + "\n" +
		"not JSON\n" + `{"_aws":{"CloudWatchMetrics":[{"Namespace":"My/App","Metrics":[{"Name":"hits","Unit":"Count"}]}]},"hits":-1}`)
	code, answer := s.post("/api/v1/emf", body)
	rejected := fmt.Sprint(answer["rejected"])
	if code != 200 || answer["status"] != "partial" || answer["accepted"] != 2.0 || !strings.Contains(rejected, "line 2") || !strings.Contains(rejected, "my_app_hits_total") {
		t.Errorf("%d %v", code, answer)
	}
	eventually(t, "classic buckets", func() bool {
		return s.value(`my_app_t_seconds_bucket{le="2.0"}`) == "2" && s.value("my_app_t_seconds_count") == "3" && s.value("my_app_n_count") == "1"
	})
}
