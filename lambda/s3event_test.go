package lambda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/lambda"
)

const (
	s3Bare = `{"Records":[{"eventVersion":"2.6","eventSource":"aws:s3","eventTime":"2026-07-16T10:00:00.000Z","eventName":"ObjectCreated:Put",
		"s3":{"bucket":{"name":"logs","awsGeneratedTags":{"a":"b"}},"object":{"key":"a+b/c%2Bd%C3%A4.gz","size":5,"eTag":"e1","sequencer":"0"}}}]}`
	s3Bridge = `{"version":"0","source":"aws.s3","detail-type":"Object Created","time":"2026-07-16T10:00:00Z",
		"detail":{"bucket":{"name":"logs"},"object":{"key":"a b/c+dä.gz","size":5,"etag":"e1"},"reason":"PutObject"}}`
	s3Test = `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-07-16T10:00:00.000Z","Bucket":"logs"}`
)

func quote(s string) string {
	b, _ := json.Marshal(s) // a string
	return string(b)
}

func inSQS(body string) string {
	return `{"Records":[{"messageId":"m1","eventSource":"aws:sqs","body":` + quote(body) + `}]}`
}

func inSNS(body string) string {
	return `{"Records":[{"EventSource":"aws:sns","Sns":{"Type":"Notification","Message":` + quote(body) + `}}]}`
}

func snsEnvelope(body string) string {
	return `{"Type":"Notification","MessageId":"x","Message":` + quote(body) + `}`
}

// takeEvent invokes a function that takes objects and returns them.
func takeEvent(t *testing.T, event string, fail error) ([]lambda.Object, string, error) {
	t.Helper()
	var got []lambda.Object
	f := &lambda.Function{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Object: func(_ context.Context, o lambda.Object) error {
		got = append(got, o)
		return fail
	}}
	answer, err := f.Invoke(t.Context(), []byte(event))
	return got, string(answer), err
}

func TestS3Events(t *testing.T) {
	want := []lambda.Object{{Bucket: "logs", Key: "a b/c+dä.gz", ETag: "e1", Size: 5, Time: time.Date(2026, 7, 16, 10, 0, 0, 0, time.UTC)}}
	for name, event := range map[string]string{
		"bare": s3Bare, "EventBridge": s3Bridge, "SQS": inSQS(s3Bare), "SNS": inSNS(s3Bare), "SNS in SQS": inSQS(snsEnvelope(s3Bare)),
		"EventBridge in SQS": inSQS(s3Bridge), "EventBridge in SNS": inSNS(s3Bridge), "EventBridge in SNS in SQS": inSQS(snsEnvelope(s3Bridge)),
	} {
		got, answer, err := takeEvent(t, event, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if sqs := strings.Contains(name, "SQS"); sqs && answer != `{"batchItemFailures":[]}` {
			t.Errorf("%s: %s", name, answer)
		}
		_, answer, err = takeEvent(t, event, errors.New("not now"))
		if sqs := strings.Contains(name, "SQS"); sqs && (answer != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` || err != nil) || !sqs && err == nil {
			t.Errorf("%s fails: %s, %v", name, answer, err)
		}
	}
}

func TestS3EventsOfNothing(t *testing.T) {
	removed := strings.ReplaceAll(s3Bare, "ObjectCreated:Put", "ObjectRemoved:Delete")
	folder := strings.NewReplacer("a+b/c%2Bd%C3%A4.gz", "folder/", `"size":5`, `"size":0`).Replace(s3Bare)
	deleted := strings.ReplaceAll(s3Bridge, "Object Created", "Object Deleted")
	for _, event := range []string{s3Test, inSQS(s3Test), inSQS(snsEnvelope(s3Test)), inSNS(s3Test), removed, inSQS(removed), folder, deleted} {
		got, _, err := takeEvent(t, event, errors.New("nothing is to be taken"))
		if err != nil || len(got) > 0 {
			t.Errorf("%s: %v, %v", event, got, err)
		}
	}
}

func TestS3EventsMalformed(t *testing.T) {
	for _, event := range []string{
		strings.ReplaceAll(s3Bare, "a+b", "%zz"),
		strings.ReplaceAll(s3Bare, `"name":"logs"`, `"name":""`),
		strings.ReplaceAll(s3Bare, `"size":5`, `"size":"5"`),
		`{"Records":[]}`, `{"Records":[{"eventSource":"aws:kinesis"}]}`,
	} {
		if got, _, err := takeEvent(t, event, nil); err == nil || len(got) > 0 {
			t.Errorf("%s: %v, %v", event, got, err)
		}
	}
	// A message that is nothing of S3's is left to the queue's other reader.
	if _, answer, err := takeEvent(t, inSQS("narthex1:x"), nil); err != nil || !strings.Contains(answer, "m1") {
		t.Errorf("%s, %v", answer, err)
	}
}

// A batch may have both entries and notifications.
func TestS3EventsBesideEntries(t *testing.T) {
	var entries []lambda.Message
	objects := 0
	f := &lambda.Function{
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Object: func(context.Context, lambda.Object) error { objects++; return nil },
		Queue: func(_ context.Context, m []lambda.Message) []string {
			entries = append(entries, m...)
			return []string{m[0].ID}
		},
	}
	event := `{"Records":[{"messageId":"m1","eventSource":"aws:sqs","body":"narthex1:x"},{"messageId":"m2","eventSource":"aws:sqs","body":` + quote(s3Bare) + `}]}`
	answer, err := f.Invoke(t.Context(), []byte(event))
	if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` || objects != 1 || len(entries) != 1 {
		t.Errorf("%s, %v: %d objects, %v", answer, err, objects, entries)
	}
}

func TestCloudWatchEvents(t *testing.T) {
	var got string
	f := &lambda.Function{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), CloudWatch: func(_ context.Context, data []byte) error {
		got = string(data)
		if got == "panic" {
			panic("a defect")
		}
		return nil
	}}
	event := func(data string) []byte {
		return []byte(`{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `"}}`)
	}
	if _, err := f.Invoke(t.Context(), event("zipped")); err != nil || got != "zipped" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := f.Invoke(t.Context(), event("panic")); err == nil {
		t.Error("a panic is no error")
	}
	for _, bad := range []string{`{"awslogs":{"data":"*"}}`, `{"awslogs":{"data":1}}`} {
		if _, err := f.Invoke(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzS3Events(f *testing.F) {
	for _, event := range []string{s3Bare, s3Bridge, s3Test, inSQS(snsEnvelope(s3Bare)), inSNS(s3Bridge)} {
		f.Add([]byte(event))
	}
	fn := &lambda.Function{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Object: func(_ context.Context, o lambda.Object) error {
		if o.Bucket == "" || o.Key == "" {
			panic("an object without a name")
		}
		return nil
	}}
	f.Fuzz(func(t *testing.T, event []byte) {
		if _, err := fn.Invoke(t.Context(), event); err != nil && strings.Contains(err.Error(), "defect") {
			t.Error(err)
		}
	})
}
