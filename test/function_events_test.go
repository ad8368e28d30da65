package test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

func fromBits(b uint64) float64 { return math.Float64frombits(b) }

// eventsConfig is one function with all roles, before which AWS_IAM is, or a
// load balancer whose senders have a token.
const eventsConfig = `
scrape_interval: 1s
ledger: {state: "s3://narthex-test/totals"}
remote_write: [{url: $WRITE}]
logs: [{source: app, from: "s3://narthex-test/logs/"}, {source: cw, from: "cloudwatch:/app"}]
auth:
  tokens: [{name: ci, hash: "sha256:HASH"}]
  gateway: [{type: iam, claims: {arn: "*"}}]
lambda: {queue: "$QUEUE", bodies: "s3://narthex-test/bodies", telemetry: false}
`

// eventsAccount is the function of the configuration and a token for it.
func eventsAccount(t *testing.T) (c *account, token string) {
	t.Helper()
	token, element := makeToken(t, "--name", "ci")
	hash := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(element)
	return newAccount(t, strings.Replace(eventsConfig, "sha256:HASH", hash, 1), "", emulator.Options{Memory: 512, Timeout: 20 * time.Second}), token
}

// Each front brings pushes, plain and packed, and takes back a receipt; who is not
// known is refused, and what is malformed is, in words.
func TestFunctionFronts(t *testing.T) {
	t.Parallel()
	c, token := eventsAccount(t)
	c.mapping(c.log)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, `{"counters":[{"name":"packed_total","add":1}]}`)
	z.Close()
	fronts := map[string]emulator.Front{
		"url": {Kind: emulator.FunctionURL, IAM: role("shop")}, "http-api": {Kind: emulator.HTTPAPI, Stage: "prod", IAM: role("shop")},
		"rest": {Kind: emulator.RESTAPI, BinaryTypes: []string{"*/*"}, IAM: role("shop")}, "alb": {Kind: emulator.ALB}, "alb-multi": {Kind: emulator.ALB, MultiValue: true},
	}
	for name, front := range fronts {
		base := c.front(front)
		known := []string{}
		if front.IAM == nil {
			known = []string{"Authorization", "Bearer " + token}
		}
		code, text := post(t, base+"/api/v1/push", "application/json", fmt.Appendf(nil, `{"counters":[{"name":"fronts_total","labels":{"front":%q},"add":2}]}`, name), known...)
		if code != http.StatusOK || !strings.Contains(text, `"status":"queued"`) {
			t.Errorf("%s: a push: %d %s", name, code, text)
		}
		if code, text := post(t, base+"/api/v1/push", "application/json", packed.Bytes(), append(known, "Content-Encoding", "gzip")...); code != http.StatusOK {
			t.Errorf("%s: a packed push: %d %s", name, code, text)
		}
		if code, text := post(t, base+"/api/v1/push", "application/json", []byte(`{"counters":`), known...); code != http.StatusBadRequest || !strings.Contains(text, "JSON") {
			t.Errorf("%s: a malformed push: %d %s", name, code, text)
		}
		if front.IAM == nil {
			if code, text := post(t, base+"/api/v1/push", "application/json", []byte(`{}`), "Authorization", "Bearer nxt_wrong"); code != http.StatusUnauthorized {
				t.Errorf("%s: an unknown token: %d %s", name, code, text)
			}
		}
		if code, text := post(t, base+"/api/v1/write", "application/x-protobuf", []byte{0xff, 0x00}, known...); code/100 != 4 {
			t.Errorf("%s: bytes that are nothing: %d %s", name, code, text)
		}
	}
	want := map[string]float64{`packed_total`: float64(len(fronts))}
	for name := range fronts {
		want[fmt.Sprintf(`fronts_total{front=%q}`, name)] = 2
	}
	c.writes(want)
}

// writes ticks until the samples written last are these.
func (c *account) writes(want map[string]float64) {
	c.t.Helper()
	missing := ""
	defer func() {
		if missing != "" {
			c.t.Logf("after the last tick:\n%sThere are %v", missing, slices.Sorted(maps.Keys(c.received.values)))
		}
	}()
	eventually(c.t, "the totals are written", func() bool {
		if answer, failed := c.invoke(`{"narthex":"tick"}`); failed != "" {
			c.t.Errorf("the tick: %s", answer)
		}
		missing = ""
		for series, v := range want {
			if got, ok := c.last(series); !ok || got != v {
				missing += fmt.Sprintf("%s is %v, want %v\n", series, got, v)
			}
		}
		return missing == ""
	})
}

const twoRequests = `192.0.2.1 - - [29/Nov/2026:11:00:00 +0000] "GET /users/1 HTTP/1.1" 200 12 "-" "curl/8"
192.0.2.1 - - [29/Nov/2026:11:00:01 +0000] "GET /users/2 HTTP/1.1" 200 12 "-" "curl/8"
`

// An object is counted once, however S3 tells of it; messages that fail are named,
// and no others.
func TestFunctionObjectsAndMessages(t *testing.T) {
	t.Parallel()
	c, _ := eventsAccount(t)
	etag := func(key string) string {
		tag, err := c.s3.Put(t.Context(), awstest.Bucket, key, []byte(twoRequests), aws.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Trim(tag, `"`)
	}
	notification := func(key, tag string) string {
		return string(emulator.Object{Bucket: awstest.Bucket, Key: key, ETag: tag, Size: int64(len(twoRequests)), Time: time.Now()}.Event("us-east-1"))
	}
	wrap := func(format, inner string) string {
		text, _ := json.Marshal(inner)
		return fmt.Sprintf(format, text)
	}
	const (
		inSQS    = `{"Records":[{"messageId":"m-1","body":%s,"eventSource":"aws:sqs"}]}`
		inSNS    = `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Type":"Notification","Message":%s}}]}`
		fromSNS  = `{"Type":"Notification","TopicArn":"arn:aws:sns:x:1:t","Message":%s}`
		inBridge = `{"version":"0","source":"aws.s3","detail-type":"Object Created","time":"2026-11-29T11:00:00Z","detail":{"bucket":{"name":"narthex-test"},"object":{"key":%q,"size":170,"etag":%q}}}`
	)
	tag := etag("logs/a b.log")
	same := notification("logs/a b.log", tag)
	for name, event := range map[string]string{
		"bare": same, "in SQS": wrap(inSQS, same), "in SNS": wrap(inSNS, same), "in SNS in SQS": wrap(inSQS, wrap(fromSNS, same)),
		"in EventBridge": fmt.Sprintf(inBridge, "logs/a b.log", tag), "in EventBridge in SQS": wrap(inSQS, fmt.Sprintf(inBridge, "logs/a b.log", tag)),
		"a test":            `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-29T11:00:00Z","Bucket":"b","RequestId":"r","HostId":"h"}`,
		"a test in SQS":     wrap(inSQS, `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`),
		"an object deleted": strings.Replace(same, "ObjectCreated:Put", "ObjectRemoved:Delete", 1),
		"a folder":          notification("logs/", ""),
	} {
		answer, failed := c.invoke(event)
		if failed != "" || strings.Contains(event, "aws:sqs") && answer != `{"batchItemFailures":[]}` {
			t.Errorf("%s: %s", name, answer)
		}
	}
	logs := func(data string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		fmt.Fprint(z, data)
		z.Close()
		return fmt.Sprintf(`{"awslogs":{"data":%q}}`, base64.StdEncoding.EncodeToString(b.Bytes()))
	}
	line, _, _ := strings.Cut(twoRequests, "\n")
	text, _ := json.Marshal(line)
	for name, event := range map[string]string{
		"data":            logs(fmt.Sprintf(`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/app/x","logStream":"s","subscriptionFilters":["f"],"logEvents":[{"id":"e-1","timestamp":1,"message":%s}]}`, text)),
		"a control":       logs(`{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination"}]}`),
		"the data again ": logs(fmt.Sprintf(`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/app/x","logStream":"s","subscriptionFilters":["f"],"logEvents":[{"id":"e-1","timestamp":1,"message":%s}]}`, text)),
	} {
		if answer, failed := c.invoke(event); failed != "" {
			t.Errorf("CloudWatch Logs, %s: %s", name, answer)
		}
	}
	for name, x := range map[string]struct{ event, want string }{
		"from elsewhere":         {notification("other/x.log", "0"), "none of the configured logs"},
		"a malformed one":        {strings.Replace(same, "a+b", "%zz", 1), "is not encoded"},
		"without a bucket":       {strings.Replace(same, awstest.Bucket, "", 2), "names no bucket"},
		"of another log group":   {logs(`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/other","logStream":"s","logEvents":[{"id":"e","timestamp":1,"message":"x"}]}`), "none of the configured logs"},
		"that are not base64":    {`{"awslogs":{"data":"?"}}`, "malformed"},
		"a batch without a body": {`{"Records":[{"messageId":"m","eventSource":"aws:sqs"}]}`, "malformed"},
		"Kinesis":                {`{"Records":[{"eventSource":"aws:kinesis","kinesis":{"data":""}}]}`, "a Kinesis batch (there is nothing for these yet)"},
		"Firehose":               {`{"invocationId":"i","deliveryStreamArn":"a","records":[]}`, "a Firehose transformation"},
		"an unknown command":     {`{"narthex":"dance"}`, `the command "dance" is not known`},
		"something else":         {`{"a":1}`, `an event with the keys "a"`},
	} {
		if answer, failed := c.invoke(x.event); !strings.Contains(failed, x.want) {
			t.Errorf("%s: %s, want %q", name, answer, x.want)
		}
	}
	// A batch of all sorts: each that fails is named.
	records := func(bodies ...string) string {
		var list []map[string]any
		for i, b := range bodies {
			list = append(list, map[string]any{"messageId": fmt.Sprint("m-", i), "body": b, "eventSource": "aws:sqs"})
		}
		text, _ := json.Marshal(map[string]any{"Records": list})
		return string(text)
	}
	base := c.front(emulator.Front{Kind: emulator.FunctionURL, IAM: role("shop")})
	if code, text := post(t, base+"/api/v1/push", "application/json", []byte(`{"counters":[{"name":"messages_total","add":3}]}`)); code != http.StatusOK {
		t.Fatalf("a push: %d %s", code, text)
	}
	queued := c.log.Receive(t.Context(), 1, 0, time.Minute)
	if len(queued) != 1 {
		t.Fatal("nothing is queued")
	}
	answer, _ := c.invoke(records("poison", queued[0].Body, same, "narthex1:AAAA", notification("logs/none.log", "0"), queued[0].Body))
	if answer != `{"batchItemFailures":[{"itemIdentifier":"m-0"},{"itemIdentifier":"m-3"}]}` {
		t.Errorf("a batch of all sorts: %s", answer)
	}
	// Schedules: a rule's own event, and an input that a Scheduler was given.
	rule := string((&emulator.Schedule{Function: c.f}).Event(time.Now()))
	for _, event := range []string{rule, `{"narthex":"schedule"}`} {
		if answer, failed := c.invoke(event); failed != "" || !strings.Contains(answer, `"samples"`) {
			t.Errorf("%s: %s", event, answer)
		}
	}
	c.writes(map[string]float64{`http_requests_total{method="GET",route="/users/{id}",status="200"}`: 3, `messages_total`: 3})
}

// The same for the events that others have published, which must not be part of
// this repository: those in the directory NARTHEX_EVENTS, by their names.
func TestFunctionPublishedEvents(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("NARTHEX_EVENTS")
	if dir == "" {
		dir = "../lambda/testdata"
	}
	c, _ := eventsAccount(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no events in %s: %v", dir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		answer, failed := c.invoke(string(text))
		want := ""
		for _, x := range []struct{ part, want string }{
			{"firehose", "not handled"}, {"kinesis", "not handled"}, {"dynamodb", "not handled"}, {"sns", "not handled"}, {"malformed", "malformed"}, {"s3-test", ""},
			{"sqs", "batchItemFailures"}, {"cloudwatch-logs-event", "none of the configured logs"}, {"s3", "none of the configured logs"}, {"eventbridge", "malformed"},
		} {
			if strings.Contains(filepath.Base(file), x.part) {
				want = x.want
				break
			}
		}
		if !strings.Contains(answer, want) || want == "" && failed != "" {
			t.Errorf("%s: %s, want %q", filepath.Base(file), answer, want)
		}
	}
}
