package test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// invoker has a function answer an event, and says whether it failed.
type invoker func(event []byte) (answer string, failed bool)

// ours runs the zip file under our emulator.
func ours(t *testing.T, zip string, env []string) invoker {
	f, err := emulator.Start(emulator.Options{Code: zip, Env: env, Memory: 512, Timeout: 30 * time.Second, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func(event []byte) (string, bool) {
		r, err := f.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Payload), r.FunctionError != ""
	}
}

// fun runs it under @vercel/fun, an emulator that is not ours.
func fun(t *testing.T, zip string, env []string) invoker {
	npmInstall(t, "fun")
	variables := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if name != "AWS_REGION" && name != "AWS_ACCESS_KEY_ID" && name != "AWS_SECRET_ACCESS_KEY" { // parameters of their own
			variables[name] = value
		}
	}
	text, err := json.Marshal(variables)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "invoke.mjs", zip, string(text))
	cmd.Dir, cmd.Stderr = "fun", new(bytes.Buffer)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
		if t.Failed() {
			t.Log(cmd.Stderr)
		}
	})
	lines := bufio.NewReader(out)
	return func(event []byte) (string, bool) {
		var one bytes.Buffer
		if err := json.Compact(&one, event); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(in, "%s\n", one.Bytes())
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("@vercel/fun has ended: %v\n%s", err, cmd.Stderr)
			}
			var a struct {
				Failed  bool
				Payload *string
			}
			if json.Unmarshal([]byte(line), &a) == nil && a.Payload != nil {
				return *a.Payload, a.Failed
			}
		}
	}
}

// rie runs it under AWS's own runtime interface emulator, whose program is no
// dependency of ours: NARTHEX_RIE names it.
func rie(t *testing.T, zip string, env []string) invoker {
	dir := t.TempDir()
	if out, err := exec.Command("unzip", "-q", zip, "-d", dir).CombinedOutput(); err != nil {
		t.Fatalf("unzip: %v\n%s", err, out)
	}
	address := freePort(t)
	cmd := exec.Command(os.Getenv("NARTHEX_RIE"), "--runtime-interface-emulator-address", address, filepath.Join(dir, "bootstrap"))
	cmd.Env = append(os.Environ(), append(env, "AWS_LAMBDA_FUNCTION_TIMEOUT=30", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	url := "http://" + address + "/2015-03-31/functions/function/invocations"
	eventually(t, "the runtime interface emulator listens", func() bool {
		resp, err := http.Get("http://" + address)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return func(event []byte) (string, bool) {
		resp, err := http.Post(url, "application/json", bytes.NewReader(event))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text), bytes.Contains(text, []byte(`"errorMessage"`))
	}
}

// known is the caller that AWS_IAM has identified, in an event of format 2.0.
func known(event map[string]any) map[string]any {
	event["requestContext"].(map[string]any)["authorizer"] = map[string]any{"iam": map[string]any{"userArn": "arn:aws:iam::123456789012:user/jane", "accountId": "123456789012", "userId": "AIDA"}}
	return event
}

// lambdaCase is an event and what is to become of it.
type lambdaCase struct {
	name   string
	event  any
	answer string // what the answer has in it
	failed bool
	which  string // the counter that it adds one to
}

// one is a push of one increment.
func one(which string) string {
	return fmt.Sprintf(`{"id":"id-%s","counters":[{"name":"events_total","labels":{"which":"%s"},"add":1}]}`, which, which)
}

// requests are events of all fronts, each as it is and broken.
func requests() []lambdaCase {
	base64Event := known(httpEvent("POST", "/api/v1/push", base64.StdEncoding.EncodeToString([]byte(one("base64")))))
	base64Event["isBase64Encoded"] = true
	packed := known(httpEvent("POST", "/api/v1/push", base64.StdEncoding.EncodeToString(gzipLog([]byte(one("gzip"))))))
	packed["isBase64Encoded"] = true
	packed["headers"].(map[string]string)["content-encoding"] = "gzip"
	broken := known(httpEvent("POST", "/api/v1/push", "!"))
	broken["isBase64Encoded"] = true
	old := map[string]any{ // REST API
		"httpMethod": "POST", "path": "/api/v1/push", "resource": "/{proxy+}", "body": one("rest"), "isBase64Encoded": false,
		"headers": map[string]string{"Content-Type": "application/json"}, "multiValueHeaders": map[string][]string{"Content-Type": {"application/json"}},
		"requestContext": map[string]any{"httpMethod": "POST", "path": "/prod/api/v1/push", "stage": "prod", "resourcePath": "/{proxy+}", "requestId": "r",
			"identity": map[string]any{"sourceIp": "192.0.2.7", "userArn": "arn:aws:iam::123456789012:user/jane", "accountId": "123456789012"}},
	}
	balancer := func(which, headers string, h any) map[string]any {
		return map[string]any{"httpMethod": "POST", "path": "/api/v1/push", "body": one(which), "isBase64Encoded": false, headers: h,
			"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/0"}}}
	}
	return []lambdaCase{
		{"HTTP 2.0", known(httpEvent("POST", "/api/v1/push", one("http"))), `"statusCode":200`, false, "http"},
		{"HTTP 2.0, again", known(httpEvent("POST", "/api/v1/push", one("http"))), `\"duplicate\":1`, false, ""},
		{"HTTP 2.0, base64", base64Event, `\"status\":\"accepted\"`, false, "base64"},
		{"HTTP 2.0, gzip", packed, `\"status\":\"accepted\"`, false, "gzip"},
		{"HTTP 2.0, no base64", broken, `"statusCode":400`, false, ""},
		{"HTTP 2.0, no JSON", known(httpEvent("POST", "/api/v1/push", "{")), `"statusCode":400`, false, ""},
		{"HTTP 2.0, another path", known(httpEvent("GET", "/nowhere", "")), `"statusCode":404`, false, ""},
		{"REST", old, `"statusCode":200`, false, "rest"},
		{"ALB", balancer("alb", "headers", map[string]string{"content-type": "application/json"}), `"statusCode":200`, false, "alb"},
		{"ALB, several values", balancer("multi", "multiValueHeaders", map[string][]string{"content-type": {"application/json"}}), `"multiValueHeaders"`, false, "multi"},
		{"command", map[string]any{"narthex": "tick"}, `"groups":1`, false, ""},
		{"unknown command", map[string]any{"narthex": "dance"}, `dance`, true, ""},
		{"unknown event", map[string]any{"hello": "world"}, `an event with the keys \"hello\"`, true, ""},
		{"an array", []int{1}, `no JSON object`, true, ""},
	}
}

// Every kind of event, whole and broken, from the zip file that make dist makes:
// under our emulator, under one that is not ours, and where NARTHEX_RIE names it
// under AWS's own.
func TestEventsFromTheZip(t *testing.T) {
	t.Parallel()
	zip := zipFile(t, "bootstrap")
	runners := map[string]func(*testing.T, string, []string) invoker{"emulator": ours, "@vercel/fun": fun}
	if os.Getenv("NARTHEX_RIE") != "" {
		runners["AWS's RIE"] = rie
	}
	for name, run := range runners {
		t.Run(name, func(t *testing.T) { runEvents(t, run, zip) })
	}
}

func runEvents(t *testing.T, run func(*testing.T, string, []string) invoker, zip string) {
	endpoint := awstest.S3(t)
	s := newServer(t, "scrape_interval: 1s\n")
	env := append(awsEnv(map[string]string{"s3": endpoint}), "NARTHEX_STATE=s3://"+awstest.Bucket+"/events", "NARTHEX_MODE=direct", "NARTHEX_INTERVAL=1s",
		"NARTHEX_ALLOW_UNAUTHENTICATED=true", "NARTHEX_REMOTE_WRITE_URL="+s.url()+"/api/v1/write",
		`NARTHEX_LOGS=[{"source": "web", "from": "s3://`+awstest.Bucket+`/AWSLogs/", "routes": `+logsRoutes+`, "metrics": `+logsMetrics+`}]`)
	invoke := run(t, zip, env)
	want, got := map[string]string{}, map[string]string{}
	check := func(c lambdaCase) {
		t.Helper()
		event, err := json.Marshal(c.event)
		if err != nil {
			t.Fatal(err)
		}
		answer, failed := invoke(event)
		if failed != c.failed || !strings.Contains(answer, c.answer) {
			t.Errorf("%s: failed %v: %s, want %q", c.name, failed, answer, c.answer)
		}
		if c.which != "" {
			want[c.which] = "1"
		}
	}
	for _, c := range requests() {
		check(c)
	}
	checkBatch(t, zip, check)
	truth := checkObjects(t, endpoint, check)
	tick := lambdaCase{"schedule", json.RawMessage(new(emulator.Schedule).Event(time.Now())), `"groups":1`, false, ""}
	defer func() {
		if t.Failed() {
			t.Log(got)
		}
	}()
	eventually(t, "each has been counted once", func() bool {
		check(tick)
		got = map[string]string{}
		for _, x := range query(t, s.url(), "events_total", time.Time{}) {
			got[x.Metric["which"]] = x.Value.v
		}
		return maps.Equal(got, want)
	})
	truth.check(t, s)
}

// checkBatch has a message of our own folded, beside one that nobody can read.
func checkBatch(t *testing.T, zip string, check func(lambdaCase)) {
	t.Helper()
	service := emulator.NewSQS("us-east-1")
	q, err := service.CreateQueue("log", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	door := ours(t, zip, append(awsEnv(map[string]string{"sqs": server.URL}), "NARTHEX_QUEUE="+server.URL+q.Path()))
	text, err := json.Marshal(known(httpEvent("POST", "/api/v1/push", one("sqs"))))
	if err != nil {
		t.Fatal(err)
	}
	if answer, failed := door(text); failed || !strings.Contains(answer, `\"status\":\"queued\"`) {
		t.Fatalf("the door: %s", answer)
	}
	record := func(id, body string) any {
		return map[string]any{"messageId": id, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs", "eventSourceARN": q.ARN(), "awsRegion": "us-east-1"}
	}
	records := []any{record("bad", "no message of ours")}
	for i, m := range q.Receive(t.Context(), 10, time.Minute, -1) { // the push, and what the door says of itself
		records = append(records, record(fmt.Sprint("good-", i), m.Body), record(fmt.Sprint("twice-", i), m.Body))
	}
	check(lambdaCase{"SQS", map[string]any{"Records": records}, `{"batchItemFailures":[{"itemIdentifier":"bad"}]}`, false, "sqs"})
	check(lambdaCase{"SQS, malformed", map[string]any{"Records": []any{map[string]any{"eventSource": "aws:sqs", "body": 7}}}, "malformed", true, ""})
}

// checkObjects tells the function of an object in each way that there is, and of
// one that is not there, and returns what the objects hold.
func checkObjects(t *testing.T, endpoint string, check func(lambdaCase)) *logsTruth {
	t.Helper()
	objects, truth := logObjects(rand.New(rand.NewPCG(1, 1)), 600, 6, time.Now().Add(-time.Hour), time.Hour)
	s3 := awstest.Session(t, endpoint).S3()
	for i, o := range objects {
		etag, err := s3.Put(t.Context(), awstest.Bucket, logKey(i), o, aws.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // each is told twice
			check(lambdaCase{fmt.Sprint("S3, way ", i), s3Notification(i, logKey(i), strings.Trim(etag, `"`)), "", false, ""})
		}
	}
	check(lambdaCase{"S3, test", map[string]any{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": awstest.Bucket}, "{}", false, ""})
	control := gzipLog([]byte(`{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":0,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`))
	check(lambdaCase{"CloudWatch Logs, control", map[string]any{"awslogs": map[string]string{"data": base64.StdEncoding.EncodeToString(control)}}, "{}", false, ""})
	check(lambdaCase{"CloudWatch Logs, damaged", map[string]any{"awslogs": map[string]string{"data": "!"}}, "malformed", true, ""})
	check(lambdaCase{"Kinesis", map[string]any{"Records": []any{map[string]any{"eventSource": "aws:kinesis"}}}, "Kinesis", true, ""})
	return truth
}
