package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"narthex"
	"narthex/lambda"
)

func TestQueue(t *testing.T) {
	var got []lambda.Message
	f := &lambda.Function{Logger: quiet(), Queue: func(_ context.Context, list []lambda.Message) (failed []string) {
		got = list
		for _, m := range list {
			if m.Body == "bad" {
				failed = append(failed, m.ID)
			}
		}
		return failed
	}}
	for _, c := range []struct{ event, want string }{
		{`{"Records":[{"messageId":"1","body":"a","eventSource":"aws:sqs"},{"messageId":"2","body":"bad","eventSource":"aws:sqs"},{"messageId":"3","body":"","eventSource":"aws:sqs"}]}`,
			`{"batchItemFailures":[{"itemIdentifier":"2"}]}`},
		{`{"Records":[{"messageId":"1","body":"a","eventSource":"aws:sqs"}]}`, `{"batchItemFailures":[]}`},
		{string(event(t, "sqs")), `{"batchItemFailures":[]}`},
	} {
		answer, err := f.Invoke(t.Context(), []byte(c.event))
		if err != nil || string(answer) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.event, answer, err, c.want)
		}
		var in struct {
			Records []struct{ MessageID, Body string }
		}
		if err := json.Unmarshal([]byte(c.event), &in); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, in.Records, func(m lambda.Message, r struct{ MessageID, Body string }) bool {
			return m.ID == r.MessageID && m.Body == r.Body
		}) {
			t.Errorf("the handler got %v", got)
		}
	}
	for _, c := range []struct{ event, want string }{
		{`{"Records":[{"messageId":"","body":"a","eventSource":"aws:sqs"}]}`, "malformed: record 0"},
		{`{"Records":[{"messageId":"1","eventSource":"aws:sqs"}]}`, "malformed: record 0"},
		{`{"Records":[{"messageId":"1","body":"a","eventSource":"aws:sqs"},{"messageId":"2","body":"a","eventSource":"aws:s3"}]}`, "malformed: record 1"},
		{`{"Records":[{"messageId":"1","body":{"a":1},"eventSource":"aws:sqs"}]}`, "an SQS batch is malformed"},
		{`{"Records":[]}`, "is not handled by this function: as it is set up it answers batches of an SQS queue;"},
		{string(event(t, "s3")), "an S3 notification"},
	} {
		got = nil
		if answer, err := f.Invoke(t.Context(), []byte(c.event)); err == nil || !strings.Contains(err.Error(), c.want) || got != nil {
			t.Errorf("%s: %s, %v, want %q", c.event, answer, err, c.want)
		}
	}
}

// What hangs or panics is an error of the whole batch, which then comes again.
func TestQueueThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(context.Context, []lambda.Message) []string
		want  string
		after time.Duration
	}{
		"hangs":  {func(context.Context, []lambda.Message) []string { time.Sleep(time.Hour); return nil }, "time was up before its 1 messages", 2850 * time.Millisecond},
		"panics": {func(context.Context, []lambda.Message) []string { panic("hunter2") }, "because of a defect", 0},
		"obeys":  {func(ctx context.Context, _ []lambda.Message) []string { <-ctx.Done(); return []string{"m-1"} }, "", 2700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithDeadline(t.Context(), start.Add(3*time.Second))
				defer cancel()
				f := &lambda.Function{Logger: quiet(), Queue: c.do}
				answer, err := f.Invoke(ctx, event(t, "sqs"))
				if took := time.Since(start); took != c.after {
					t.Errorf("the answer came after %v, want %v", took, c.after)
				}
				if c.want == "" {
					if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"m-1"}]}` {
						t.Errorf("%s, %v", answer, err)
					}
				} else if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s, %v", answer, err)
				}
				time.Sleep(2 * time.Hour) // so that what was left behind ends
			})
		})
	}
}

func TestCommands(t *testing.T) {
	told := ""
	f := &lambda.Function{Logger: quiet(), Commands: map[string]lambda.Command{
		"tick": func(_ context.Context, event json.RawMessage) (any, error) {
			told += "tick "
			return map[string]int{"samples": len(event)}, nil
		},
		"schedule": func(_ context.Context, event json.RawMessage) (any, error) {
			told += "schedule "
			return map[string]int{"samples": len(event)}, nil
		},
		"fail": func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("no") },
	}}
	const schedule = `{"version":"0","id":"i","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","time":"2026-01-01T00:00:00Z","region":"eu-central-1","resources":["arn:aws:events:eu-central-1:123456789012:rule/tick"],"detail":{}}`
	for _, event := range []string{`{"narthex":"tick"}`, schedule} {
		answer, err := f.Invoke(t.Context(), []byte(event))
		var out struct{ Samples int }
		if err != nil || json.Unmarshal(answer, &out) != nil || out.Samples != len(event) {
			t.Errorf("%s: %s, %v", event, answer, err)
		}
	}
	if told != "tick schedule " {
		t.Errorf("done: %s", told)
	}
	for _, c := range []struct{ event, want string }{
		{`{"narthex":"fail"}`, "no"},
		{`{"narthex":"rm -rf"}`, `the command "rm -rf" is not known to this function: it knows "fail", "schedule", "tick"`},
		{`{"narthex":1}`, "is not handled"},
		{strings.Replace(schedule, "aws.events", "custom.app", 1), "an EventBridge event (source custom.app, detail-type Scheduled Event) is not handled"},
		{string(event(t, "eventbridge")), "an EventBridge event (source aws.s3"},
	} {
		if answer, err := f.Invoke(t.Context(), []byte(c.event)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s, %v, want %q", c.event, answer, err, c.want)
		}
	}
	if _, err := (&lambda.Function{Logger: quiet()}).Invoke(t.Context(), []byte(`{"narthex":"tick"}`)); narthex.KindOf(err) != narthex.Invalid || !strings.Contains(err.Error(), `the command "tick" is not handled`) {
		t.Errorf("without commands: %v", err)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"Records":[{"messageId":"1","body":"a","eventSource":"aws:sqs"}]}`))
	f.Add([]byte(`{"Records":[{"messageId":"1","body":null,"eventSource":"aws:sqs"}],"narthex":"tick"}`))
	f.Add([]byte(`{"source":"aws.events","detail-type":"Scheduled Event"}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		fn := &lambda.Function{Logger: quiet(),
			Queue: func(_ context.Context, list []lambda.Message) (failed []string) {
				for _, m := range list {
					if m.ID == "" {
						t.Error("a message without an id would fail the whole batch")
					}
					failed = append(failed, m.ID)
				}
				return failed
			},
			Commands: map[string]lambda.Command{"tick": func(context.Context, json.RawMessage) (any, error) { return nil, nil }},
		}
		if answer, err := fn.Invoke(t.Context(), event); err == nil && !json.Valid(answer) {
			t.Errorf("the answer is %s", answer)
		}
	})
}
