package aws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// scripted answers requests in memory, for tests whose time is made up.
type scripted func(r *http.Request, n int) (status int, header http.Header, body string, err error)

type script struct {
	answer scripted
	n      atomic.Int64
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	status, header, body, err := s.answer(r, int(s.n.Add(1))-1)
	if err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: readCloser{strings.NewReader(body)}, Request: r}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func scriptedSession(t *testing.T, a scripted) (*aws.Session, *script) {
	t.Helper()
	sc := &script{answer: a}
	s, err := aws.Open(aws.Options{Region: "eu-central-1", Credentials: awstest.Credentials(), HTTP: sc, Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	return s, sc
}

func TestRetry(t *testing.T) {
	fault := errors.New("connection reset")
	for _, c := range []struct {
		name   string
		status int
		body   string
		err    error
		again  bool
	}{
		{"500", 500, "", nil, true},
		{"503", 503, "<Error><Code>SlowDown</Code></Error>", nil, true},
		{"429", 429, "", nil, true},
		{"throttled", 400, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}`, nil, true},
		{"throttled by STS", 400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>", nil, true},
		{"request timeout", 400, "<Error><Code>RequestTimeout</Code></Error>", nil, true},
		{"network", 0, "", fault, true},
		{"400", 400, `{"__type":"ValidationException","message":"no"}`, nil, false},
		{"403", 403, "<Error><Code>AccessDenied</Code></Error>", nil, false},
		{"404", 404, "", nil, false},
		{"409", 409, "", nil, false},
		{"a conflict of S3", 409, "<Error><Code>ConditionalRequestConflict</Code></Error>", nil, true},
		{"412", 412, "", nil, false},
		{"301", 301, "", nil, false},
		{"501", 501, "", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, sc := scriptedSession(t, func(_ *http.Request, n int) (int, http.Header, string, error) {
					if n == 2 {
						return 200, nil, "{}", nil
					}
					return c.status, nil, c.body, c.err
				})
				_, err := s.S3().Get(t.Context(), "bucket", "key", aws.GetOptions{})
				if n := sc.n.Load(); c.again && (err != nil || n != 3) || !c.again && (err == nil || n != 1) {
					t.Errorf("%d attempts, %v", n, err)
				}
			})
		})
	}
}

// Attempts are bounded in number, and by the caller's deadline, which is not
// slept away: the last failure comes back while there is time to report it.
func TestRetryBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sc := scriptedSession(t, func(*http.Request, int) (int, http.Header, string, error) {
			return 503, nil, "<Error><Code>SlowDown</Code><RequestId>r-1</RequestId></Error>", nil
		})
		start := time.Now()
		_, err := s.S3().Head(t.Context(), "bucket", "key")
		var e *aws.Error
		if !errors.As(err, &e) || e.Attempts != 6 || sc.n.Load() != 6 || e.RequestID != "r-1" {
			t.Errorf("%v after %d attempts", err, sc.n.Load())
		}
		if took := time.Since(start); took > 25*time.Second {
			t.Errorf("it took %s", took)
		}
		s, sc = scriptedSession(t, func(*http.Request, int) (int, http.Header, string, error) {
			return 503, http.Header{"Retry-After": {"7"}}, "", nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start = time.Now()
		_, err = s.S3().Head(ctx, "bucket", "key")
		if took := time.Since(start); !errors.As(err, &e) || sc.n.Load() != 2 || took != 7*time.Second {
			t.Errorf("%v after %d attempts and %s, want 2 and 7s", err, sc.n.Load(), took)
		}
	})
}

// A service that hangs costs an attempt, not the call.
func TestRetryHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sc := scriptedSession(t, func(r *http.Request, n int) (int, http.Header, string, error) {
			if n > 0 {
				return 200, nil, "{}", nil
			}
			<-r.Context().Done()
			return 0, nil, "", r.Context().Err()
		})
		start := time.Now()
		if _, err := s.SQS().ReceiveMessage(t.Context(), "q", aws.ReceiveOptions{Wait: 20 * time.Second}); err != nil || sc.n.Load() != 2 {
			t.Errorf("%v after %d attempts", err, sc.n.Load())
		}
		if took := time.Since(start); took < 50*time.Second || took > 51*time.Second {
			t.Errorf("a long poll of 20 s was given up after %s, want 50 s", took)
		}
	})
}

// A clock that is off is corrected by the answer's Date, and stays so.
func TestClockSkew(t *testing.T) {
	for _, off := range []time.Duration{-20 * time.Minute, 6 * time.Minute, 90 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			check := func(r *http.Request, _ int) (int, http.Header, string, error) {
				now := time.Now().Add(off)
				at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
				if err != nil || now.Sub(at).Abs() > 5*time.Minute {
					return 403, http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}, "<Error><Code>RequestTimeTooSkewed</Code></Error>", nil
				}
				return 200, nil, "", nil
			}
			s, sc := scriptedSession(t, check)
			for want := range 3 {
				if _, err := s.S3().Head(t.Context(), "bucket", "key"); err != nil || sc.n.Load() != int64(want+2) {
					t.Errorf("%s: %v after %d requests", off, err, sc.n.Load())
				}
			}
			s, sc = scriptedSession(t, check)
			hc := &http.Client{Transport: s.Transport("aps", nil)}
			for want := range 2 {
				resp, err := hc.Post("https://aps.test/x", "text/plain", strings.NewReader("body"))
				if err != nil || resp.StatusCode != 200 || sc.n.Load() != int64(want+2) {
					t.Errorf("%s: %v after %d requests", off, err, sc.n.Load())
				}
			}
		})
	}
}

// A refusal that has nothing to do with the clock is not sent again because of
// it, even if that is off.
func TestClockSkewOnce(t *testing.T) {
	s, sc := scriptedSession(t, func(*http.Request, int) (int, http.Header, string, error) {
		return 403, http.Header{"Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}, "<Error><Code>AccessDenied</Code></Error>", nil
	})
	_, err := s.S3().Head(t.Context(), "bucket", "key")
	if !errors.Is(err, aws.ErrDenied) || sc.n.Load() != 2 {
		t.Errorf("%v after %d requests, want 2", err, sc.n.Load())
	}
}

// Credentials that the service calls expired are renewed, once.
func TestExpiredToken(t *testing.T) {
	keys := &source{give: func(n int64) (aws.Credentials, error) { return lasting(fmt.Sprint("key", n), time.Hour) }}
	sc := &script{answer: func(r *http.Request, _ int) (int, http.Header, string, error) {
		if strings.Contains(r.Header.Get("Authorization"), "key1/") {
			return 400, nil, "<Error><Code>ExpiredToken</Code></Error>", nil
		}
		return 200, nil, "", nil
	}}
	s, err := aws.Open(aws.Options{Region: "r", Credentials: keys, HTTP: sc, Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.S3().Get(t.Context(), "bucket", "key", aws.GetOptions{}); err != nil || keys.calls.Load() != 2 {
		t.Errorf("%v with %d credentials", err, keys.calls.Load())
	}
}

// An error carries what the service says, and no secrets.
func TestError(t *testing.T) {
	const complaint = "The request signature we calculated does not match the signature you provided.\\n\\nThe Canonical String for this request should have been\\nx-amz-security-token:hush"
	for _, c := range []struct {
		status   int
		header   http.Header
		body     string
		want     string
		sentinel error
	}{
		{400, http.Header{"X-Amzn-Requestid": {"r1"}}, `{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"` + complaint + `"}`,
			"s3 GetObject s3://bucket/key: 400 InvalidSignatureException: The request signature we calculated does not match the signature you provided. (request r1)", aws.ErrDenied},
		{404, http.Header{"X-Amz-Request-Id": {"r2"}}, `<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`,
			"s3 GetObject s3://bucket/key: 404 NoSuchKey: The specified key does not exist. (request r2)", aws.ErrNotFound},
		{301, http.Header{"X-Amz-Bucket-Region": {"us-west-2"}}, `<Error><Code>PermanentRedirect</Code><Message>Elsewhere.</Message></Error>`,
			"s3 GetObject s3://bucket/key: 301 PermanentRedirect: Elsewhere.; the bucket is in the region us-west-2: set AWS_REGION to that", nil},
		{412, nil, "", "s3 GetObject s3://bucket/key: 412: Precondition Failed", aws.ErrPrecondition},
		{304, nil, "", "s3 GetObject s3://bucket/key: 304: Not Modified", aws.ErrNotModified},
		{400, http.Header{"X-Amzn-Errortype": {"QueueDoesNotExist:http://x"}}, "{", "s3 GetObject s3://bucket/key: 400 QueueDoesNotExist", aws.ErrNotFound},
		{418, nil, strings.Repeat("é", 500), "s3 GetObject s3://bucket/key: 418: " + strings.Repeat("é", 150) + "…", nil},
	} {
		s, _ := scriptedSession(t, func(*http.Request, int) (int, http.Header, string, error) { return c.status, c.header, c.body, nil })
		_, err := s.S3().Get(t.Context(), "bucket", "key", aws.GetOptions{})
		if err == nil || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
		if c.sentinel != nil && !errors.Is(err, c.sentinel) {
			t.Errorf("%v is not %v", err, c.sentinel)
		}
	}
}

// No answer is read beyond what was asked for.
func TestAnswerBounds(t *testing.T) {
	s, sc := scriptedSession(t, func(*http.Request, int) (int, http.Header, string, error) {
		return 200, nil, strings.Repeat("x", 101), nil
	})
	if _, err := s.S3().Get(t.Context(), "bucket", "key", aws.GetOptions{Limit: 100}); !errors.Is(err, aws.ErrTooLarge) || sc.n.Load() != 1 {
		t.Errorf("%v after %d attempts", err, sc.n.Load())
	}
	if o, err := s.S3().Get(t.Context(), "bucket", "key", aws.GetOptions{Limit: 101}); err != nil || len(o.Data) != 101 {
		t.Error(err)
	}
}

// Endpoints are AWS's unless the environment or the options say otherwise, and
// a bucket is in the host where it can be.
func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		name    string
		options aws.Options
		env     []string
		bucket  string
		s3, sqs string
	}{
		{"AWS", aws.Options{Region: "eu-central-1"}, nil, "bucket", "https://bucket.s3.eu-central-1.amazonaws.com/a/b%2Bc", "https://sqs.eu-central-1.amazonaws.com/"},
		{"AWS, dotted", aws.Options{Region: "us-east-1"}, nil, "my.bucket", "https://s3.us-east-1.amazonaws.com/my.bucket/a/b%2Bc", "https://sqs.us-east-1.amazonaws.com/"},
		{"China", aws.Options{Region: "cn-north-1"}, nil, "bucket", "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b%2Bc", "https://sqs.cn-north-1.amazonaws.com.cn/"},
		{"one for all", aws.Options{Region: "r"}, []string{"AWS_ENDPOINT_URL", "http://127.0.0.1:9000/x/"}, "bucket", "http://127.0.0.1:9000/x/bucket/a/b%2Bc", "http://127.0.0.1:9000/x"},
		{"one for S3", aws.Options{Region: "r"}, []string{"AWS_ENDPOINT_URL_S3", "https://minio.test"}, "bucket", "https://minio.test/bucket/a/b%2Bc", "https://sqs.r.amazonaws.com/"},
		{"ignored", aws.Options{Region: "r"}, []string{"AWS_ENDPOINT_URL", "http://x", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}, "bucket", "https://bucket.s3.r.amazonaws.com/a/b%2Bc", "https://sqs.r.amazonaws.com/"},
		{"options", aws.Options{Region: "r", Endpoint: "http://o.test:1", VirtualHosts: true}, []string{"AWS_ENDPOINT_URL", "http://x"}, "bucket", "http://bucket.o.test:1/a/b%2Bc", "http://o.test:1/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			o := c.options
			o.Getenv, o.Credentials = env(c.env...), awstest.Credentials()
			o.HTTP = &script{answer: func(r *http.Request, _ int) (int, http.Header, string, error) {
				asked = append(asked, r.URL.String())
				return 200, nil, "{}", nil
			}}
			s, err := aws.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			_, serr := s.S3().Get(t.Context(), c.bucket, "a/b+c", aws.GetOptions{})
			_, qerr := s.SQS().GetQueueURL(t.Context(), "q")
			if serr != nil || qerr != nil || asked[0] != c.s3 || asked[1] != c.sqs {
				t.Errorf("%v %v %q, want %s and %s", serr, qerr, asked, c.s3, c.sqs)
			}
		})
	}
	for _, bad := range []string{"localhost:9000", "ftp://x", "http://", "http://user:pass@x", "http://x?y=z", "%"} {
		s, err := aws.Open(aws.Options{Region: "r", Endpoint: bad, Credentials: awstest.Credentials(), Getenv: env()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.S3().Head(t.Context(), "bucket", "key"); err == nil || !strings.Contains(err.Error(), "endpoint") || strings.Contains(err.Error(), "pass") {
			t.Errorf("endpoint %s: %v", bad, err)
		}
	}
}
