package test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// With a schedule that comes each minute, and late within it, ticks of less than a
// minute are made within a second of their places on the grid, by messages that
// the queue delays. Scaled down it is ticks
// of 2 s for 12 s, in full of 15 s for 90 s.
func TestFunctionTicksBelowAMinute(t *testing.T) {
	interval, span := 2*time.Second, 12*time.Second
	if full() {
		interval, span = 15*time.Second, 90*time.Second
	}
	c := newAccount(t, `
ledger: {state: "s3://narthex-test/ticks"}
remote_write: [{url: $WRITE}]
lambda: {schedule_queue: "$TICKS", telemetry: false, allow_unauthenticated: true}
`, "", emulator.Options{Memory: 512, Timeout: 20 * time.Second}, "NARTHEX_INTERVAL="+interval.String())
	m := c.mapping(c.ticks)
	base := c.front(emulator.Front{Kind: emulator.FunctionURL})
	if code, text := post(t, base+"/api/v1/push", "application/json", []byte(`{"counters":[{"name":"beat_total","add":1}]}`)); code != http.StatusOK {
		t.Fatalf("a push: %d %s", code, text)
	}
	begun := time.Now()
	answer, failed := c.invoke(string((&emulator.Schedule{Function: c.f}).Event(begun)))
	var out struct{ Sent int }
	if err := json.Unmarshal([]byte(answer), &out); err != nil || failed != "" || out.Sent != int(2*time.Minute/interval) && out.Sent != int(2*time.Minute/interval)+1 {
		t.Fatalf("the schedule: %s", answer)
	}
	// The next minute's schedule, half a minute early: what was sent is not sent
	// again.
	if answer, _ := c.invoke(`{"narthex":"schedule"}`); !strings.Contains(answer, `"sent":0`) && !strings.Contains(answer, `"sent":1`) {
		t.Errorf("a schedule right after it: %s", answer)
	}
	eventuallyWithin(t, span+30*time.Second, "the ticks are made", func() bool { return time.Since(begun) > span && m.Stats().Messages >= int(span/interval)-1 })
	// The recorder knows when each sample came only by its time; the function says
	// how late each tick was.
	late, ticks := 0.0, 0
	for line := range strings.Lines(c.out.String()) {
		var l struct {
			Msg   string
			Late  float64 `json:"late_seconds"`
			Asked bool
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "tick" && l.Asked {
			ticks++
			late = max(late, l.Late)
		}
	}
	if want := int(span/interval) - 1; ticks < want || late > 1 {
		t.Errorf("%d ticks, want %d; the latest was %.3f s late, want at most 1", ticks, want, late)
	}
	t.Logf("%d ticks of %s, at most %.3f s late", ticks, interval, late)
	figure(t, "ticks", float64(ticks))
	figure(t, "late_ms", 1000*late)
	c.received.mu.Lock()
	defer c.received.mu.Unlock()
	times := c.received.values["beat_total"]
	for at := range times {
		if at%interval.Milliseconds() != 0 && len(times) > 1 {
			t.Errorf("a sample at %d is not on the grid", at)
		}
	}
	if len(times) < int(span/interval)-1 {
		t.Errorf("there are %d samples", len(times))
	}
}

// stuck is a service that takes connections and requests, and answers none until
// it is let go.
type stuck struct {
	to   string
	mu   sync.Mutex
	hang chan struct{} // nil: it answers
}

func newStuck(t testing.TB, to string) (*stuck, string) {
	s := &stuck{to: to}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.set(false)
		server.CloseClientConnections()
		server.Close()
	})
	return s, server.URL
}

func (s *stuck) set(hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case hang && s.hang == nil:
		s.hang = make(chan struct{})
	case !hang && s.hang != nil:
		close(s.hang)
		s.hang = nil
	}
}

func (s *stuck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}
	forwardTo(w, r, s.to)
}

// forwardTo hands a request on with the host that was signed.
func forwardTo(w http.ResponseWriter, r *http.Request, to string) {
	out, err := http.NewRequest(r.Method, to+r.URL.RequestURI(), r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Host, out.Header, out.ContentLength = r.Host, r.Header, r.ContentLength
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the asker has gone
}

// With 3 s to answer and something behind it that hangs, the function answers
// every kind of event before it would be killed, keeps its process, and what comes
// again counts once.
func TestFunctionDeadline(t *testing.T) {
	s3 := awstest.S3(t)
	store, storeURL := newStuck(t, s3)
	sqs := emulator.NewSQS("us-east-1")
	queues := httptest.NewServer(sqs)
	t.Cleanup(queues.Close)
	q, err := sqs.CreateQueue("log", nil)
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(t, "")
	sink, sinkURL := newStuck(t, rec.url)
	start := func(env ...string) *account {
		c := &account{t: t, received: rec}
		c.env = append([]string{
			"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + awstest.Key, "AWS_SECRET_ACCESS_KEY=" + awstest.Secret, "AWS_ENDPOINT_URL_S3=" + storeURL, "NARTHEX_ALLOW_UNAUTHENTICATED=true",
			"NARTHEX_INTERVAL=1s", "NARTHEX_STATE=s3://" + awstest.Bucket + "/deadline", "NARTHEX_REMOTE_WRITE_URL=" + sinkURL,
		}, env...)
		var err error
		if c.f, err = emulator.Start(emulator.Options{Code: bootstrap(t), Memory: 512, Timeout: 3 * time.Second, Env: c.env, Log: &c.out}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.f.Close() })
		return c
	}
	direct := start("NARTHEX_MODE=direct")
	front := direct.front(emulator.Front{Kind: emulator.FunctionURL})
	const one = `{"id":"deadline-1","counters":[{"name":"deadline_total","add":1}]}`
	push := func(id string, want int) {
		t.Helper()
		before := time.Now()
		code, text := post(t, front+"/api/v1/push", "application/json", []byte(strings.ReplaceAll(one, "deadline-1", id)))
		if took := time.Since(before); code != want || took > 3*time.Second {
			t.Errorf("a push: %d %s after %v, want %d", code, text, took, want)
		}
	}
	store.set(true) // at a cold start
	push("deadline-1", http.StatusServiceUnavailable)
	store.set(false)
	push("deadline-1", http.StatusOK)
	store.set(true)
	push("deadline-3", http.StatusServiceUnavailable)
	push("deadline-3", http.StatusServiceUnavailable)
	// A batch of the queue, which is folded again once the store is back.
	door := start("NARTHEX_QUEUE="+queues.URL+q.Path(), "AWS_ENDPOINT_URL_SQS="+queues.URL, "NARTHEX_TELEMETRY=false")
	doorURL := door.front(emulator.Front{Kind: emulator.FunctionURL})
	if code, text := post(t, doorURL+"/api/v1/push", "application/json", []byte(strings.ReplaceAll(one, "deadline-1", "deadline-2"))); code != http.StatusOK {
		t.Fatalf("a push to the queue: %d %s", code, text)
	}
	queued := q.Receive(t.Context(), 1, 0, time.Minute)
	if len(queued) != 1 {
		t.Fatal("nothing is queued")
	}
	text, _ := json.Marshal(queued[0].Body)
	batch := `{"Records":[{"messageId":"m-1","body":` + string(text) + `,"eventSource":"aws:sqs"}]}`
	invoke := func(event string) (answer, failed string) {
		t.Helper()
		before := time.Now()
		answer, failed = direct.invoke(event)
		if took := time.Since(before); took > 3*time.Second || strings.Contains(answer, "timed out") {
			t.Errorf("%.40s: %s after %v", event, answer, took)
		}
		return answer, failed
	}
	if answer, failed := invoke(batch); failed == "" && !strings.Contains(answer, "m-1") {
		t.Errorf("a batch while the store hangs: %s", answer)
	}
	if answer, failed := invoke(`{"narthex":"tick"}`); failed == "" {
		t.Errorf("a tick while the store hangs: %s", answer)
	}
	store.set(false)
	for range 2 {
		if answer, failed := invoke(batch); failed != "" || strings.Contains(answer, "m-1") {
			t.Errorf("a batch once the store is back: %s", answer)
		}
		push("deadline-1", http.StatusOK)
		push("deadline-3", http.StatusOK)
	}
	sink.set(true)
	if answer, failed := invoke(`{"narthex":"tick"}`); failed == "" {
		t.Errorf("a tick while the destination hangs: %s", answer)
	}
	sink.set(false)
	direct.writes(map[string]float64{"deadline_total": 3})
	if n := strings.Count(direct.out.String(), "Init Duration"); n != 1 {
		t.Errorf("there were %d cold starts: it was killed\n%s", n, direct.out.String())
	}
}

// What the configuration may be had from, and who is taken by which.
func TestFunctionConfiguration(t *testing.T) {
	t.Parallel()
	store := awstest.S3(t)
	s3 := awstest.Session(t, store).S3()
	const yml = "ledger: {state: \"s3://narthex-test/conf\"}\nremote_write: [{url: http://127.0.0.1:1/x, authorization: {credentials: \"ssm:/narthex/token\"}}]\nlambda: {allow_unauthenticated: true}\n"
	if _, err := s3.Put(t.Context(), awstest.Bucket, "narthex.yml", []byte(yml), aws.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked, away := 0, true
	parameters := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if away {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var in struct{ Name string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		value := map[string]string{"/narthex/token": "hunter2", "/narthex/config": yml}[in.Name]
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]any{"Name": in.Name, "Value": value}})
	}))
	t.Cleanup(parameters.Close)
	for _, from := range []string{"s3://" + awstest.Bucket + "/narthex.yml", "ssm:/narthex/config", yml} {
		c := &account{t: t}
		var err error
		c.f, err = emulator.Start(emulator.Options{Code: bootstrap(t), Memory: 512, Timeout: 5 * time.Second, InitTimeout: 9 * time.Second, Log: &c.out, Env: []string{
			"NARTHEX_CONFIG=" + from, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + awstest.Key, "AWS_SECRET_ACCESS_KEY=" + awstest.Secret,
			"AWS_ENDPOINT_URL_S3=" + store, "AWS_ENDPOINT_URL_SSM=" + parameters.URL,
		}})
		if err != nil {
			t.Fatal(err)
		}
		front := c.front(emulator.Front{Kind: emulator.FunctionURL})
		const push = `{"counters":[{"name":"conf_total","add":1}]}`
		mu.Lock()
		asked, away = 0, true
		mu.Unlock()
		code, text := post(t, front+"/api/v1/push", "application/json", []byte(push))
		if code != http.StatusServiceUnavailable || !strings.Contains(text, "ssm GetParameter") {
			t.Errorf("%.20s: while secrets can't be had: %d %s", from, code, text)
		}
		mu.Lock()
		away = false
		mu.Unlock()
		if code, text := post(t, front+"/api/v1/push", "application/json", []byte(push)); code != http.StatusOK {
			t.Errorf("%.20s: a push: %d %s", from, code, text)
		}
		if log := c.out.String(); strings.Contains(log, "hunter2") {
			t.Errorf("%.20s: the log has a secret", from)
		}
		c.f.Close()
	}
}

// A function URL that anybody may call takes nothing, unless that is meant.
func TestFunctionOpenToAnybody(t *testing.T) {
	t.Parallel()
	c := newAccount(t, "ledger: {state: \"s3://narthex-test/open\"}\nremote_write: [{url: $WRITE}]\n", "", emulator.Options{Memory: 512, Timeout: 10 * time.Second})
	const push = `{"counters":[{"name":"open_total","add":1}]}`
	for _, front := range []emulator.Front{{Kind: emulator.FunctionURL}, {Kind: emulator.RESTAPI}, {Kind: emulator.ALB}} {
		base := c.front(front)
		header := []string{"X-Amzn-Iam-User-Arn", "arn:aws:iam::123456789012:user/x", "X-Amzn-Oidc-Identity", "x"}
		if code, text := post(t, base+"/api/v1/push", "application/json", []byte(push), header...); code != http.StatusForbidden || !strings.Contains(text, "lambda.allow_unauthenticated") {
			t.Errorf("%v: %d %s", front.Kind, code, text)
		}
		resp, err := http.Get(base + "/-/healthy")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%v: /-/healthy: %s", front.Kind, resp.Status)
		}
	}
	base := c.front(emulator.Front{Kind: emulator.FunctionURL, IAM: role("shop")})
	if code, text := post(t, base+"/api/v1/push", "application/json", []byte(push)); code != http.StatusOK {
		t.Errorf("one whom IAM knows: %d %s", code, text)
	}
}
