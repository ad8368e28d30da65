package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"narthex/push"
)

// The settings that do not go together are told to those that push, who are to
// try again, and to the log; nothing is taken.
func TestServerlessSettings(t *testing.T) {
	program := build(t)
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_URL=https://narthex.example"}, "give one or the other"},
		{[]string{"NARTHEX_QUEUE=https://sqs/q", "NARTHEX_MODE=direct"}, "ledger.state has to say where the totals are"},
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_MODE=queue"}, "lambda.queue has to be the URL"},
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_MODE=both"}, `NARTHEX_MODE: lambda.mode: \"both\" is not known`},
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_GROUPS=257"}, "NARTHEX_GROUPS: lambda.groups: 257 is above 256"},
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_INTERVAL=1h"}, "NARTHEX_INTERVAL: scrape_interval: 1h is above 5m"},
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_REMOTE_WRITE_URL=hunter2"}, "NARTHEX_REMOTE_WRITE_URL is not a URL"},
		{[]string{"NARTHEX_STATE=file:x", "NARTHEX_REMOTE_WRITE_URL=https://aps-workspaces.eu-central-1.amazonaws.com/x", "NARTHEX_REMOTE_WRITE_AUTHORIZATION=Bearer hunter2"}, "does not go with"},
		{[]string{"NARTHEX_QUEUE=https://sqs/q"}, "no AWS region is set"},
		{[]string{"NARTHEX_CONFIG=none.yml"}, "none.yml"},
		{[]string{"NARTHEX_CONFIG=ledger: {state: file:x, colour: red}"}, `NARTHEX_CONFIG:1: ledger: unknown key \"colour\"`},
		{[]string{"NARTHEX_CONFIG=ledger: {state: file:x}\nscrape_configs: [{job_name: a, static_configs: [{targets: [a]}]}]"}, "nothing scrapes: narthex agent does"},
		{[]string{"NARTHEX_CONFIG=s3://bucket/key"}, "no AWS region is set"},
		{[]string{"NARTHEX_CONFIG=ssm:/x"}, "no AWS region is set"},
		{nil, "ledger.state: say where the totals are"},
	} {
		f := start(t, program, c.env...)
		r, _ := f.request(10*time.Second, "POST", "/api/v1/push", `{"gauges": [{"name": "a", "set": 1}]}`, map[string]string{"content-type": jsonType})
		if got := receipt(t, r); r.StatusCode != 503 || got.ErrorType != "unavailable" || !strings.Contains(r.Body, c.want) || r.Headers["Retry-After"] == "" {
			t.Errorf("%v: the answer is %+v, want 503 with %q", c.env, r, c.want)
		}
		out := f.invoke("request-1", 10*time.Second, []byte(`{"Records":[{"messageId":"m","body":"b","eventSource":"aws:sqs"}]}`))
		if !out.failed && string(out.body) != `{"batchItemFailures":[{"itemIdentifier":"m"}]}` {
			t.Errorf("%v: a batch was taken: %s", c.env, out.body)
		}
		if out := f.invoke("request-1", 10*time.Second, []byte(`{"narthex":"tick"}`)); !out.failed {
			t.Errorf("%v: a tick was made: %s", c.env, out.body)
		}
		if log := f.stop(); strings.Contains(log, "hunter2") {
			t.Errorf("%v: the log has a secret", c.env)
		}
	}
}

const allowAnybody = "NARTHEX_ALLOW_UNAUTHENTICATED=true"

// A function that has all roles and its totals in a directory.
func TestServerlessDirect(t *testing.T) {
	got := make(chan string, 100)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", "1")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(store.Close)
	f := start(t, build(t), allowAnybody, "NARTHEX_TELEMETRY=false", "NARTHEX_STATE=file:"+t.TempDir(), "NARTHEX_INTERVAL=1s", "NARTHEX_REMOTE_WRITE_URL="+store.URL, "NARTHEX_REMOTE_WRITE_AUTHORIZATION=Bearer x")
	const one = `{"id": "id-1", "counters": [{"name": "a_total", "add": 1}]}`
	post := func(body string) (reply, push.Receipt) {
		t.Helper()
		r, _ := f.request(10*time.Second, "POST", "/api/v1/push", body, map[string]string{"content-type": jsonType})
		return r, receipt(t, r).Receipt
	}
	if r, got := post(one); r.StatusCode != 200 || got.Status != push.Accepted {
		t.Errorf("a push: %+v", r)
	}
	if r, got := post(one); r.StatusCode != 200 || got.Status != push.Duplicate {
		t.Errorf("its retry: %+v", r)
	}
	if r, _ := post(strings.Replace(one, ": 1}", ": 2}", 1)); r.StatusCode != 422 {
		t.Errorf("the same id with another body: %+v", r)
	}
	var out struct{ Groups, Samples int }
	answer := f.invoke("request-1", 10*time.Second, []byte(`{"narthex":"tick"}`))
	if err := json.Unmarshal(answer.body, &out); err != nil || answer.failed || out.Groups != 1 || out.Samples != 2 {
		t.Errorf("the tick: %s", answer.body)
	}
	if a := <-got; a != "Bearer x" {
		t.Errorf("the destination got the Authorization %q", a)
	}
	r, _ := f.request(10*time.Second, "GET", "/api/v1/receipts/id-1", "", nil)
	var status push.Status
	if err := json.Unmarshal([]byte(r.Body), &status); err != nil || status.Status != push.Written || status.Written.IsZero() {
		t.Errorf("the receipt: %+v", r)
	}
	if answer := f.invoke("request-1", 10*time.Second, []byte(`{"narthex":"regroup","groups":7}`)); string(answer.body) != `{"groups":7}` {
		t.Errorf("regroup: %s", answer.body)
	}
	if answer := f.invoke("request-1", 10*time.Second, []byte(`{"narthex":"regroup"}`)); !answer.failed {
		t.Errorf("regroup without a number: %s", answer.body)
	}
	if r, got := post(one); r.StatusCode != 200 || got.Status != push.Duplicate {
		t.Errorf("a retry after the regrouping: %+v", r)
	}
	for _, path := range []string{"/api/v1/receipts", "/api/v1/metrics", "/metrics"} {
		if r, _ := f.request(10*time.Second, "GET", path, "", nil); r.StatusCode != 404 {
			t.Errorf("GET %s: %+v", path, r)
		}
	}
}
