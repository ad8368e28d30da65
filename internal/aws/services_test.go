package aws_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// s3s are the S3s to test with.
func s3s(t *testing.T) map[string]string {
	all := map[string]string{"gofakes3": awstest.S3(t)}
	if binary := os.Getenv("NARTHEX_VERSITYGW"); binary != "" {
		all["versitygw"] = awstest.StrictS3(t, binary)
	}
	return all
}

// odd are keys that a wrong encoding would lose.
var odd = []string{"plain", "a b+c&d=e?f#g", "ä/é/日本", "100%25", "a:b@c,d;e$f!g'(h)*", "~tilde-_.", `quote"back\slash`}

func TestS3(t *testing.T) {
	for name, endpoint := range s3s(t) {
		t.Run(name, func(t *testing.T) {
			ctx, s := t.Context(), awstest.Session(t, endpoint).S3()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			want := func(err, sentinel error) {
				t.Helper()
				if !errors.Is(err, sentinel) {
					t.Errorf("%v, want %v", err, sentinel)
				}
			}
			for _, key := range odd {
				etag, err := s.Put(ctx, awstest.Bucket, key, []byte(key), aws.PutOptions{ContentType: "text/x", Metadata: map[string]string{"one-two": "3"}})
				must(err)
				o, err := s.Get(ctx, awstest.Bucket, key, aws.GetOptions{})
				must(err)
				if string(o.Data) != key || o.ETag != etag || etag == "" || o.Metadata["one-two"] != "3" || o.ContentType != "text/x" || o.Size != int64(len(key)) || time.Since(o.Modified).Abs() > time.Minute {
					t.Errorf("%q: %q %+v, want the etag %s", key, o.Data, o.ObjectInfo, etag)
				}
				head, err := s.Head(ctx, awstest.Bucket, key)
				must(err)
				if d := cmp.Diff(o.ObjectInfo, head); d != "" {
					t.Error(d)
				}
			}
			first, err := s.Put(ctx, awstest.Bucket, "x", []byte("0123456789"), aws.PutOptions{IfNoneMatch: "*"})
			must(err)
			_, err = s.Put(ctx, awstest.Bucket, "x", []byte("y"), aws.PutOptions{IfNoneMatch: "*"})
			want(err, aws.ErrPrecondition)
			second, err := s.Put(ctx, awstest.Bucket, "x", []byte("abcdefghij"), aws.PutOptions{IfMatch: first})
			must(err)
			_, err = s.Put(ctx, awstest.Bucket, "x", []byte("y"), aws.PutOptions{IfMatch: first})
			want(err, aws.ErrPrecondition)
			_, err = s.Get(ctx, awstest.Bucket, "x", aws.GetOptions{IfNoneMatch: second})
			want(err, aws.ErrNotModified)
			for span, text := range map[string]string{"bytes=2-4": "cde", "bytes=-2": "ij", "bytes=8-": "ij"} {
				o, err := s.Get(ctx, awstest.Bucket, "x", aws.GetOptions{Range: span})
				must(err)
				if string(o.Data) != text {
					t.Errorf("%s gave %q", span, o.Data)
				}
			}
			r, info, err := s.Open(ctx, awstest.Bucket, "x", aws.GetOptions{})
			must(err)
			text, err := io.ReadAll(r)
			must(errors.Join(err, r.Close()))
			if string(text) != "abcdefghij" || info.ETag != second {
				t.Errorf("%q %+v", text, info)
			}
			must(s.Delete(ctx, awstest.Bucket, "x"))
			must(s.Delete(ctx, awstest.Bucket, "x"))
			_, err = s.Get(ctx, awstest.Bucket, "x", aws.GetOptions{})
			want(err, aws.ErrNotFound)
			_, err = s.Head(ctx, awstest.Bucket, "x")
			want(err, aws.ErrNotFound)
			_, _, err = s.Open(ctx, "no-such-bucket", "x", aws.GetOptions{})
			want(err, aws.ErrNotFound)
		})
	}
}

func TestS3List(t *testing.T) {
	for name, endpoint := range s3s(t) {
		t.Run(name, func(t *testing.T) {
			s := awstest.Session(t, endpoint).S3()
			put := func(key string) {
				t.Helper()
				if _, err := s.Put(t.Context(), awstest.Bucket, key, []byte(key), aws.PutOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 7 {
				put(fmt.Sprintf("list/%d", i))
			}
			for _, key := range odd {
				put("odd/" + key)
			}
			list := func(o aws.ListOptions) (keys []string) {
				t.Helper()
				for x, err := range s.All(t.Context(), awstest.Bucket, o) {
					if err != nil {
						t.Fatal(err)
					}
					if x.Size != int64(len(x.Key)) || x.ETag == "" || time.Since(x.Modified).Abs() > time.Minute {
						t.Errorf("%+v", x)
					}
					keys = append(keys, x.Key)
				}
				return keys
			}
			all := []string{"list/0", "list/1", "list/2", "list/3", "list/4", "list/5", "list/6"}
			for want, o := range map[*[]string]aws.ListOptions{&all: {Prefix: "list/", Max: 3}, new(all[4:]): {Prefix: "list/", After: "list/3", Max: 2}} {
				if d := cmp.Diff(*want, list(o)); d != "" {
					t.Errorf("%+v (-want +got)\n%s", o, d)
				}
			}
			found := strings.Join(list(aws.ListOptions{Prefix: "odd/"}), "\n") + "\n"
			for _, key := range odd {
				if !strings.Contains(found, "odd/"+key+"\n") {
					t.Errorf("the list has no %q:\n%s", key, found)
				}
			}
			p, err := s.List(t.Context(), awstest.Bucket, aws.ListOptions{Delimiter: "/"})
			if err != nil || !cmp.Equal(p.Prefixes, []string{"list/", "odd/"}) || len(p.Objects) != 0 || p.Next != "" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// The strict one refuses what is not signed as it should be; what it takes is.
func TestS3Secret(t *testing.T) {
	server := service(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if wrong := verify(r, body, awstest.Credentials(), "us-east-1", "s3"); wrong != "" {
			t.Error(wrong)
		}
		if sum := r.Header.Get("X-Amz-Content-Sha256"); sum != aws.HashBody(body) {
			t.Errorf("the body's hash is given as %s", sum)
		}
	})
	s := awstest.Session(t, server).S3()
	for _, key := range append(odd, "a//b", "./a/../b/.", "/") {
		if _, err := s.Put(t.Context(), "bucket", key, []byte(key), aws.PutOptions{IfMatch: `"x"`}); err != nil {
			t.Error(err)
		}
		if _, err := s.Get(t.Context(), "bucket", key, aws.GetOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func TestSQS(t *testing.T) {
	ctx, s := t.Context(), awstest.Session(t, awstest.SQS(t)).SQS()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	queue, err := s.CreateQueue(ctx, "q", map[string]string{"VisibilityTimeout": "30"})
	must(err)
	got, err := s.GetQueueURL(ctx, "q")
	must(err)
	if got != queue {
		t.Errorf("%s, want %s", got, queue)
	}
	if _, err := s.GetQueueURL(ctx, "other"); !errors.Is(err, aws.ErrNotFound) {
		t.Errorf("a queue that is not there: %v", err)
	}
	const body = "{\"é\": \"<&>\u2028\"}"
	id, err := s.SendMessage(ctx, queue, aws.SendMessage{Body: body})
	must(err)
	receive := func(want int, o aws.ReceiveOptions) []aws.Message {
		t.Helper()
		list, err := s.ReceiveMessage(ctx, queue, o)
		must(err)
		if len(list) != want {
			t.Fatalf("%d messages, want %d: %+v", len(list), want, list)
		}
		return list
	}
	m := receive(1, aws.ReceiveOptions{Max: 10, Wait: time.Second})[0]
	if m.ID != id || m.Body != body || m.Received != 1 || time.Since(m.Sent).Abs() > time.Minute {
		t.Errorf("%+v, want %s", m, id)
	}
	receive(0, aws.ReceiveOptions{})
	must(s.ChangeMessageVisibility(ctx, queue, m.Receipt, 0))
	m = receive(1, aws.ReceiveOptions{Wait: time.Second})[0]
	if m.ID != id || m.Received != 2 {
		t.Errorf("%+v, want %s a second time", m, id)
	}
	must(s.DeleteMessage(ctx, queue, m.Receipt))

	var batch []aws.SendMessage
	for i := range 10 {
		batch = append(batch, aws.SendMessage{Body: fmt.Sprint(i)})
	}
	batch[3].Body = "not XML: \x01"
	failed, err := s.SendMessageBatch(ctx, queue, batch)
	must(err)
	if len(failed) != 1 || failed[0].Index != 3 || !failed[0].Sender || failed[0].Code == "" {
		t.Errorf("%+v, want the fourth", failed)
	}
	var receipts []string
	for _, m := range receive(9, aws.ReceiveOptions{Max: 10, Wait: time.Second, Visibility: time.Minute}) {
		receipts = append(receipts, m.Receipt)
	}
	failed, err = s.DeleteMessageBatch(ctx, queue, receipts)
	must(err)
	if len(failed) != 0 {
		t.Errorf("not deleted: %+v", failed)
	}
	receive(0, aws.ReceiveOptions{})
	for _, n := range []int{0, 11} {
		if _, err := s.DeleteMessageBatch(ctx, queue, make([]string, n)); err == nil {
			t.Errorf("a batch of %d was taken", n)
		}
	}
}

// What SQS does not say it has taken was not taken.
func TestSQSUnconfirmed(t *testing.T) {
	s := awstest.Session(t, service(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if wrong := verify(r, body, awstest.Credentials(), "us-east-1", "sqs"); wrong != "" {
			t.Error(wrong)
		}
		io.WriteString(w, `{"Successful":[{"Id":"1"},{"Id":"x"},{"Id":"7"}],"Failed":[{"Id":"2","Code":"ReceiptHandleIsInvalid","SenderFault":true}]}`)
	})).SQS()
	failed, err := s.SendMessageBatch(t.Context(), "q", make([]aws.SendMessage, 3))
	want := []aws.BatchError{{Index: 0, Code: "NotConfirmed", Message: "the answer does not mention it"}, {Index: 2, Code: "ReceiptHandleIsInvalid", Sender: true}}
	if d := cmp.Diff(want, failed); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if failed, err = s.DeleteMessageBatch(t.Context(), "q", make([]string, 3)); err != nil || !cmp.Equal(want, failed) {
		t.Errorf("deletion: %+v, %v", failed, err)
	}
	if _, err := s.SendMessage(t.Context(), "q", aws.SendMessage{Body: "x"}); err == nil {
		t.Error("an answer without an id was taken")
	}
}

func TestDynamoDB(t *testing.T) {
	ctx, db := t.Context(), awstest.Session(t, awstest.DynamoDB(t)).DynamoDB()
	key := aws.Item{"pk": aws.String("k")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if item, err := db.GetItem(ctx, awstest.Table, key); err != nil || item != nil {
		t.Errorf("%v, %v, want none", item, err)
	}
	fresh := aws.Condition{Expression: "attribute_not_exists(#pk)", Names: map[string]string{"#pk": "pk"}}
	item := aws.Item{"pk": aws.String("k"), "n": {N: new("-7")}, "b": aws.Binary([]byte{0, 255}), "none": aws.Binary(nil), "empty": aws.String("")}
	must(db.PutItem(ctx, awstest.Table, item, fresh))
	if err := db.PutItem(ctx, awstest.Table, item, fresh); !errors.Is(err, aws.ErrPrecondition) {
		t.Errorf("%v, want ErrPrecondition", err)
	}
	got, err := db.GetItem(ctx, awstest.Table, key)
	must(err)
	if d := cmp.Diff(item, got); d != "" || got["n"].Text() != "-7" || !bytes.Equal(got["b"].B, []byte{0, 255}) || got["none"].B == nil || got["gone"].B != nil {
		t.Errorf("(-want +got)\n%s", d)
	}
	one := aws.Condition{Values: aws.Item{":one": {N: new("1")}}}
	got, err = db.UpdateItem(ctx, awstest.Table, key, "ADD n :one REMOVE b", one)
	must(err)
	if got["n"].Text() != "-6" || got["b"].B != nil {
		t.Errorf("%+v", got)
	}
	if err := db.DeleteItem(ctx, awstest.Table, key, aws.Condition{Expression: "n = :one", Values: one.Values}); !errors.Is(err, aws.ErrPrecondition) {
		t.Errorf("%v, want ErrPrecondition", err)
	}
	must(db.DeleteItem(ctx, awstest.Table, key, aws.Condition{}))
	if item, err := db.GetItem(ctx, awstest.Table, key); err != nil || item != nil {
		t.Errorf("%v, %v, want none", item, err)
	}
	if _, err := db.GetItem(ctx, "other", key); !errors.Is(err, aws.ErrNotFound) {
		t.Errorf("a table that is not there: %v", err)
	}
}

func TestCallerIdentity(t *testing.T) {
	s, err := aws.Open(aws.Options{Region: "eu-central-1", Credentials: awstest.Credentials(), Getenv: env("AWS_ENDPOINT_URL_STS", service(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if wrong := verify(r, body, awstest.Credentials(), "eu-central-1", "sts"); wrong != "" {
			t.Error(wrong)
		}
		io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:x</Arn><UserId>u</UserId><Account>123</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.STS().GetCallerIdentity(t.Context())
	if want := (aws.Identity{Account: "123", ARN: "arn:x", UserID: "u"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
