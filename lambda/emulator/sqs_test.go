package emulator_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/internal/aws"
	"narthex/lambda/emulator"
)

// service starts an SQS and returns it with our client for it.
func service(t *testing.T) (*emulator.SQS, *aws.SQS, string) {
	t.Helper()
	s := emulator.NewSQS("us-east-1")
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	session, err := aws.Open(aws.Options{Region: "us-east-1", Endpoint: server.URL, Credentials: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return s, session.SQS(), server.URL
}

func queue(t *testing.T, s *emulator.SQS, name string, attributes map[string]string) *emulator.Queue {
	t.Helper()
	q, err := s.CreateQueue(name, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestSQS(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, c, base := service(t)
	url, err := c.CreateQueue(ctx, "log", map[string]string{"VisibilityTimeout": "1"})
	if err != nil || url != base+"/123456789012/log" {
		t.Fatal(url, err)
	}
	if got, err := c.GetQueueURL(ctx, "log"); got != url || err != nil {
		t.Error(got, err)
	}
	if _, err := c.GetQueueURL(ctx, "nolog"); !errors.Is(err, aws.ErrNotFound) {
		t.Error(err)
	}
	sent := time.Now()
	id, err := c.SendMessage(ctx, url, aws.SendMessage{Body: "one"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ReceiveMessage(ctx, url, aws.ReceiveOptions{Max: 10})
	if err != nil || len(list) != 1 || list[0].ID != id || list[0].Body != "one" || list[0].Received != 1 || list[0].Sent.Sub(sent).Abs() > 10*time.Second {
		t.Fatalf("%+v, %v", list, err)
	}
	if again, err := c.ReceiveMessage(ctx, url, aws.ReceiveOptions{}); err != nil || len(again) != 0 {
		t.Errorf("a hidden one: %+v, %v", again, err)
	}
	if err := c.ChangeMessageVisibility(ctx, url, list[0].Receipt, 0); err != nil {
		t.Error(err)
	}
	again, err := c.ReceiveMessage(ctx, url, aws.ReceiveOptions{Wait: 5 * time.Second})
	if err != nil || len(again) != 1 || again[0].Received != 2 {
		t.Fatalf("one that was given back: %+v, %v", again, err)
	}
	if err := c.DeleteMessage(ctx, url, list[0].Receipt); err != nil {
		t.Errorf("by an old receipt: %v", err)
	}
	if again, err = c.ReceiveMessage(ctx, url, aws.ReceiveOptions{Wait: 10 * time.Second}); err != nil || len(again) != 1 { // it is still there, after a second
		t.Fatalf("%+v, %v", again, err)
	}
	if err := c.DeleteMessage(ctx, url, again[0].Receipt); err != nil {
		t.Error(err)
	}
	if q := queue(t, s, "log", nil); q.Len() != 0 {
		t.Errorf("%d messages are left", q.Len())
	}
}

func TestSQSBatch(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, c, _ := service(t)
	q := queue(t, s, "log", nil)
	url := "http://x" + q.Path()
	half := strings.Repeat("x", emulator.MaxMessage/2+1)
	begin := time.Now()
	failed, err := c.SendMessageBatch(ctx, url, []aws.SendMessage{{Body: "a"}, {Body: "b\x00"}, {Body: "c", Delay: time.Second}, {Body: "d", Delay: time.Hour}})
	if err != nil || len(failed) != 2 || failed[0].Index != 1 || failed[0].Code != "InvalidMessageContents" || !failed[0].Sender || failed[1].Index != 3 {
		t.Errorf("%+v, %v", failed, err)
	}
	var e *aws.Error
	if _, err := c.SendMessageBatch(ctx, url, []aws.SendMessage{{Body: half}, {Body: half}}); !errors.As(err, &e) || e.Code != "BatchRequestTooLong" {
		t.Error(err)
	}
	if _, err := c.SendMessage(ctx, url, aws.SendMessage{Body: half + half}); !errors.As(err, &e) || e.Code != "InvalidParameterValue" {
		t.Error(err)
	}
	var got []string
	var receipts []string
	for len(got) < 2 {
		list, err := c.ReceiveMessage(ctx, url, aws.ReceiveOptions{Max: 10, Wait: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			got, receipts = append(got, m.Body), append(receipts, m.Receipt)
		}
	}
	if took := time.Since(begin); !cmp.Equal(got, []string{"a", "c"}) || took < time.Second {
		t.Errorf("%v after %v, want c a second later", got, took)
	}
	if failed, err := c.DeleteMessageBatch(ctx, url, receipts); err != nil || len(failed) != 0 || q.Len() != 0 {
		t.Errorf("%+v, %v, %d left", failed, err, q.Len())
	}
}

func TestSQSRedrive(t *testing.T) {
	t.Parallel()
	s, c, _ := service(t)
	dead := queue(t, s, "dead", nil)
	var e *aws.Error
	for _, policy := range []string{`{}`, `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:none","maxReceiveCount":3}`, `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":0}`} {
		if _, err := c.CreateQueue(t.Context(), "bad", map[string]string{"RedrivePolicy": policy}); !errors.As(err, &e) || e.Code != "InvalidParameterValue" {
			t.Errorf("%s: %v", policy, err)
		}
	}
	q := queue(t, s, "log", map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"3"}`, dead.ARN())})
	q.Send("x", 0)
	for n := range 3 {
		if got := q.Receive(t.Context(), 10, 0, -1); len(got) != 1 || got[0].Received != n+1 {
			t.Fatalf("%d: %+v", n, got)
		}
	}
	if got := q.Receive(t.Context(), 10, 0, -1); len(got) != 0 || dead.Len() != 1 || q.Len() != 0 {
		t.Errorf("after three: %+v, %d dead, %d left", got, dead.Len(), q.Len())
	}
	if got := dead.Receive(t.Context(), 10, 0, -1); len(got) != 1 || got[0].Body != "x" || got[0].Received != 1 {
		t.Errorf("%+v", got)
	}
}
