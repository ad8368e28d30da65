package aws_test

import (
	"net/http"
	"strings"
	"testing"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// Whatever a service answers, a call ends with a result or an error.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>a%20b</Key><Size>1</Size></Contents></ListBucketResult>`)
	f.Add(200, `{"Messages":[{"MessageId":"i","Body":"b","Attributes":{"SentTimestamp":"x"}}],"Item":{"a":{"S":"b"},"c":{"B":"AA=="},"d":{"M":{}}}}`)
	f.Add(200, `{"Successful":[{"Id":"-1"}],"Failed":[{"Id":"99999999999999999999"}]}`)
	f.Add(200, `<AssumeRoleResponse><AssumeRoleResult><Credentials><Expiration>never</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	f.Add(400, `{"__type":"a#b:c","message":"m"}`)
	f.Add(503, `<Error><Code>SlowDown</Code></Error>`)
	f.Add(404, strings.Repeat("<a>", 1000))
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		s, err := aws.Open(aws.Options{Region: "r", Attempts: 1, Credentials: awstest.Credentials(), Getenv: env(),
			HTTP: &script{answer: func(*http.Request, int) (int, http.Header, string, error) { return status, nil, body, nil }}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, ok := t.Context(), status/100 == 2
		check := func(err error) {
			t.Helper()
			if err == nil && !ok {
				t.Errorf("%d is no error", status)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		}
		_, err = s.S3().List(ctx, "bucket", aws.ListOptions{})
		check(err)
		_, err = s.SQS().ReceiveMessage(ctx, "q", aws.ReceiveOptions{})
		check(err)
		_, err = s.SQS().SendMessageBatch(ctx, "q", make([]aws.SendMessage, 2))
		check(err)
		_, err = s.DynamoDB().GetItem(ctx, "t", nil)
		check(err)
		c, err := s.STS().AssumeRole(ctx, aws.Role{})
		check(err)
		if err == nil && c.SecretAccessKey == "" {
			t.Error("credentials without a secret")
		}
	})
}

// An object that is stored in gzip stays so.
func TestS3ContentEncoding(t *testing.T) {
	s := awstest.Session(t, service(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" || strings.Contains(r.Header.Get("Authorization"), "accept-encoding") {
			t.Errorf("asked for %s, %s", got, r.Header.Get("Authorization"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write([]byte("as it is"))
	})).S3()
	if o, err := s.Get(t.Context(), "bucket", "key", aws.GetOptions{}); err != nil || string(o.Data) != "as it is" || o.ContentEncoding != "gzip" {
		t.Errorf("%+v, %v", o, err)
	}
}
