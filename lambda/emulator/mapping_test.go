package emulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"narthex/lambda/emulator"
)

// book has the batches that functions were invoked with.
type book struct {
	url     string
	mu      sync.Mutex
	batches [][]string
}

func newBook(t *testing.T) *book {
	b := &book{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		var e events.SQSEvent
		if err := d.Decode(&e); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		var bodies []string
		for _, m := range e.Records {
			bodies = append(bodies, m.Body)
			if m.Attributes["ApproximateReceiveCount"] == "" || m.EventSourceARN != "arn:aws:sqs:us-east-1:123456789012:log" || m.Md5OfBody == "" {
				t.Errorf("%+v", m)
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.batches = append(b.batches, bodies)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *book) read() [][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.batches)
}

// move runs a mapping until the test ends or stop is called.
func move(t *testing.T, m *emulator.Mapping) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { m.Run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

func TestMapping(t *testing.T) {
	t.Parallel()
	s := emulator.NewSQS("us-east-1")
	q := queue(t, s, "log", nil)
	b := newBook(t)
	f := start(t, "batch", func(o *emulator.Options) { o.Env = append(o.Env, "BOOK="+b.url) })
	for n := range 25 {
		q.Send(fmt.Sprint(n), 0)
	}
	m := &emulator.Mapping{Queue: q, Function: f, BatchSize: 25, Window: 30 * time.Second, Concurrency: 1, Partial: true}
	stop := move(t, m)
	eventually(t, "they are taken", func() bool { return q.Len() == 0 })
	stop()
	if got := b.read(); len(got) != 1 || len(got[0]) != 25 || got[0][24] != "24" {
		t.Errorf("%v", got)
	}
	got := m.Stats()
	if got.Receives < 3 || got.Deletes != 3 { // by tens; a receive may find nothing
		t.Errorf("%+v", got)
	}
	got.Receives, got.Deletes = 0, 0
	if want := (emulator.MappingStats{Batches: 1, Messages: 25}); got != want {
		t.Errorf("%+v", got)
	}
}

// What answers mean, by how often their messages come again.
func TestMappingAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer  string
		partial bool
		left    int // of three messages, of which the first one answers
	}{
		{`{"batchItemFailures":[]}`, true, 0}, {`{"batchItemFailures":null}`, true, 0}, {`{}`, true, 0}, {`null`, true, 0},
		{`{"batchItemFailures":[{"itemIdentifier":"ID"}]}`, true, 1},
		{`{"batchItemFailures":[{"itemIdentifier":""}]}`, true, 3}, {`{"batchItemFailures":[{"itemIdentifier":null}]}`, true, 3},
		{`{"batchItemFailures":[{"item":"ID"}]}`, true, 3}, {`{"batchItemFailures":[{"itemIdentifier":"other"}]}`, true, 3},
		{`no JSON`, true, 3}, {`fail`, true, 3}, {`fail`, false, 3},
		{`{"batchItemFailures":[{"itemIdentifier":"ID"}]}`, false, 0}, {`no JSON`, false, 0},
	} {
		q := queue(t, emulator.NewSQS("us-east-1"), "log", nil)
		f := start(t, "batch")
		for _, body := range []string{"answer:" + c.answer, "b", "c"} {
			q.Send(body, 0)
		}
		m := &emulator.Mapping{Queue: q, Function: f, Concurrency: 1, Partial: c.partial}
		stop := move(t, m)
		eventually(t, "a batch is done with", func() bool { return m.Stats().Batches == 1 })
		stop()
		if q.Len() != c.left {
			t.Errorf("%q, %v: %d messages are left, want %d", c.answer, c.partial, q.Len(), c.left)
		}
	}
}

// Duplicates and other orders are drawn by the seed; what fails is redriven.
func TestMappingUnrest(t *testing.T) {
	t.Parallel()
	s := emulator.NewSQS("us-east-1")
	dead := queue(t, s, "dead", nil)
	q := queue(t, s, "log", map[string]string{"VisibilityTimeout": "1", "RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, dead.ARN())})
	b := newBook(t)
	f := start(t, "batch", func(o *emulator.Options) { o.Env = append(o.Env, "BOOK="+b.url) })
	var want []string
	for n := range 90 {
		want = append(want, fmt.Sprintf("%02d", n))
		q.Send(want[n], 0)
	}
	q.Send("answer:fail", 0)
	m := &emulator.Mapping{Queue: q, Function: f, BatchSize: 7, Concurrency: 1, Partial: true, Twice: 0.5, Shuffle: true, Seed: 3}
	stop := move(t, m)
	eventually(t, "all are done with", func() bool { return q.Len() == 0 && dead.Len() > 0 })
	stop()
	if m.Stats().Twice == 0 || m.Stats().Twice == m.Stats().Batches || m.Stats().Errors == 0 {
		t.Errorf("%+v", m.Stats())
	}
	var got []string
	for _, bodies := range b.read() {
		if slices.IsSorted(bodies) && len(bodies) == 7 {
			t.Errorf("%v is in order", bodies)
		}
		for _, body := range bodies {
			if !strings.HasPrefix(body, "answer") {
				got = append(got, body)
			}
		}
	}
	slices.Sort(got)
	if len(got) <= len(want) {
		t.Error("nothing came twice")
	}
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet", func(o *emulator.Options) { o.Concurrency = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	s := &emulator.Schedule{Function: f, Every: time.Second}
	var done sync.WaitGroup
	done.Go(func() { s.Run(ctx) })
	eventually(t, "a tick", func() bool { return len(f.Instances()) > 0 })
	cancel()
	done.Wait()
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	var e events.EventBridgeEvent
	d := json.NewDecoder(strings.NewReader(string(s.Event(at))))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || e.DetailType != "Scheduled Event" || e.Source != "aws.events" || !e.Time.Equal(at) || e.Resources[0] != "arn:aws:events:us-east-1:123456789012:rule/tick" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestObjectEvent(t *testing.T) {
	t.Parallel()
	var e events.S3Event
	d := json.NewDecoder(strings.NewReader(string(emulator.Object{Bucket: "b", Key: "a b/ü", ETag: "x", Size: 7, Time: time.Now()}.Event("us-east-1"))))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if r := e.Records[0]; r.EventSource != "aws:s3" || r.S3.Bucket.Name != "b" || r.S3.Object.Key != "a+b%2F%C3%BC" || r.S3.Object.URLDecodedKey != "a b/ü" || r.S3.Object.Size != 7 {
		t.Errorf("%+v", r)
	}
}

// An asynchronous event is tried three times in all, and waits for a place.
func TestDeliver(t *testing.T) {
	t.Parallel()
	b := newGate(t)
	var tried atomic.Int32
	f := start(t, "puppet", func(o *emulator.Options) {
		o.Concurrency, o.RetryDelays = 1, []time.Duration{time.Millisecond, time.Millisecond}
		o.Report = func(emulator.Report) { tried.Add(1) }
	})
	if r, err := f.Deliver(t.Context(), []byte(`{"do":"fail","text":"{}"}`)); err != nil || r.FunctionError == "" {
		t.Errorf("%+v, %v", r, err)
	}
	eventually(t, "three tries", func() bool { return tried.Load() == 3 })
	go f.Invoke(t.Context(), []byte(`{"do":"visit","text":"`+b.url+`"}`))
	b.wait(1)
	done := make(chan emulator.Result)
	go func() {
		r, err := f.Deliver(t.Context(), []byte(`{"do":"answer","text":"late"}`))
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	b.open()
	if r := <-done; string(r.Payload) != `"late"` {
		t.Errorf("%s", r.Payload)
	}
}

func TestInvokeAPI(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet", func(o *emulator.Options) { o.RetryDelays = []time.Duration{} })
	server := httptest.NewServer(f.API())
	t.Cleanup(server.Close)
	address := "/2015-03-31/functions/function/invocations"
	for _, c := range []struct {
		event, kind string
		status      int
		body, fault string
	}{
		{`{"do":"answer","text":"x"}`, "", 200, `"x"`, ""}, {``, "RequestResponse", 200, `""`, ""}, {`{"do":"fail","text":"{\"a\":1}"}`, "", 200, `{"a":1}`, "Unhandled"},
		{`{}`, "Event", 202, "", ""}, {`{}`, "DryRun", 204, "", ""}, {`{`, "Event", 400, `{"Type":"User","message":"could not parse request body into JSON"}`, ""},
		{`{`, "", 400, `{"Type":"User","message":"could not parse request body into JSON"}`, ""},
		{strings.Repeat(" ", emulator.MaxPayload+1), "", 413, `{"Type":"User","message":"the event must be smaller than 6291456 bytes"}`, ""},
	} {
		resp, body := sent{"POST", address, c.event, http.Header{"X-Amz-Invocation-Type": {c.kind}}}.do(t, server.URL)
		if resp.StatusCode != c.status || body != c.body || resp.Header.Get("X-Amz-Function-Error") != c.fault {
			t.Errorf("%.30s %s: %s %s %v", c.event, c.kind, resp.Status, body, resp.Header)
		}
	}
}
