package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// TestDeployed has the CDK make what it would deploy, and runs that: the zip file,
// the settings in their layers, the environment, the mappings and the schedule of
// the template, with emulators for S3 and SQS and a Prometheus for Amazon's.
func TestDeployed(t *testing.T) {
	t.Parallel()
	d := synthesize(t, `{"push": {"settings": {"push": {"preset": "article"}}}, "logs": {"source": {"preset": "article"}}}`)
	d.start(t)

	pushed := d.front(t, "Push")
	for i := range 5 {
		body := fmt.Sprintf(`{"service": "shop", "series": [{"labels": {"__name__": "response_status_code_total", "status_code": "200", "route": "/pay"}, "samples": [{"value": %d}]}]}`, i+1)
		if code, answer := post(t, pushed+"/api/v1/push", "application/json", []byte(body), "Idempotency-Key", fmt.Sprint("push-", i)); code != http.StatusOK && code != http.StatusAccepted {
			t.Fatalf("push: %d %s", code, answer)
		}
	}
	// A log arrives in the bucket that is for logs.
	var log strings.Builder
	log.WriteString(edgeLog)
	for i := range 30 {
		fmt.Fprintf(&log, "2026-01-02\t03:04:%02d\tZRH50-C1\t512\t192.0.2.1\tGET\td1.example\t/v1/users/%d\t%d\t-\tcurl\t-\t-\tHit\tid%d\tshop.example\thttps\t64\t0.0%d\n", i, i, []int{200, 200, 503}[i%3], i, i%9+1)
	}
	d.put(t, "Logs", "cf/E1.2026-01-02-03.abc.gz", gzipLog([]byte(log.String())))

	for _, want := range []struct{ expr, value string }{
		{`sum(response_status_code_total{service="shop", status_code="200", route="/pay"})`, "15"},
		{`count(response_status_code_total{service="shop"})`, "1"},
		{`sum(response_status_code_total{service!="shop", status_code="200"})`, "20"},
		{`sum(response_status_code_total{service!="shop", status_code="503"})`, "10"},
		{`sum(response_time_seconds_count)`, "30"},
	} {
		eventually(t, want.expr+" is "+want.value, func() bool {
			r := query(t, d.store, want.expr, time.Time{})
			return len(r) == 1 && r[0].Value.v == want.value
		})
	}
}

// deployed is a template, and what stands for its resources.
type deployed struct {
	dir       string
	resources map[string]cfnResource
	s3, sqs   string // addresses
	store     string // of the samples
	receiver  string // what remote write is sent to
	queues    map[string]*emulator.Queue
	functions map[string]*emulator.Function

	minute time.Duration // what a minute of the template takes here; 0 is a second
	count  *counts       // what AWS would charge for; nil: it is not counted
	mute   bool          // nothing comes by itself: the test sends what schedules would
}

type cfnResource struct {
	Type       string
	Properties map[string]any
}

// synthesize runs the CDK's app with a deployment.
func synthesize(t *testing.T, deployment string) *deployed {
	t.Helper()
	npmInstall(t, filepath.Join("..", "deploy", "cdk"))
	dir := t.TempDir()
	// What is deployed is for arm64; what runs here is for this machine.
	if err := os.Link(zipFile(t, "bootstrap"), filepath.Join(dir, "bootstrap-arm64.zip")); err != nil {
		t.Fatal(err)
	}
	var settings map[string]any
	if err := json.Unmarshal([]byte(deployment), &settings); err != nil {
		t.Fatal(err)
	}
	settings["bundle"], settings["region"] = dir, "us-east-1"
	file := filepath.Join(dir, "deployment.json")
	text, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--import", "tsx", "app.ts")
	cmd.Dir = filepath.Join("..", "deploy", "cdk")
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+dir, fmt.Sprintf(`CDK_CONTEXT_JSON={"file": %q}`, file), "CDK_DEFAULT_ACCOUNT="+emulator.Account)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("synthesize: %v\n%s", err, out)
	}
	d := &deployed{dir: dir, queues: make(map[string]*emulator.Queue), functions: make(map[string]*emulator.Function)}
	text, err = os.ReadFile(filepath.Join(dir, "narthex.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]cfnResource }
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	d.resources = template.Resources
	return d
}

// start makes buckets, queues and functions, and what moves events between them.
func (d *deployed) start(t *testing.T) {
	t.Helper()
	service := emulator.NewSQS("us-east-1")
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	d.s3, d.sqs = awstest.S3(t), server.URL
	if d.count == nil {
		d.store = newServer(t, "scrape_interval: 1s\n").url()
		d.receiver = amazonsPath(t, d.store)
	} else {
		d.s3, d.sqs, d.receiver = d.count.s3(t, d.s3), d.count.sqs(t, d.sqs), d.count.receiver(t)
	}
	if d.minute == 0 {
		d.minute = time.Second
	}
	each(d, "AWS::S3::Bucket", func(id string, _ map[string]any) {
		if err := awstest.Session(t, d.s3).S3().CreateBucket(t.Context(), bucketName(id)); err != nil {
			t.Fatal(err)
		}
	})
	each(d, "AWS::SQS::Queue", func(id string, p map[string]any) {
		q, err := service.CreateQueue(id, map[string]string{"VisibilityTimeout": fmt.Sprint(max(30, intOf(p["VisibilityTimeout"])))})
		if err != nil {
			t.Fatal(err)
		}
		d.queues[id] = q
	})
	each(d, "AWS::Lambda::Function", func(id string, p map[string]any) {
		if p["Runtime"] == "provided.al2023" {
			d.functions[id] = d.function(t, id, p)
		}
	})
	d.sources(t)
}

// sources runs the mappings and the schedules.
func (d *deployed) sources(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	each(d, "AWS::Lambda::EventSourceMapping", func(_ string, p map[string]any) {
		concurrency := 0
		if s, ok := p["ScalingConfig"].(map[string]any); ok {
			concurrency = intOf(s["MaximumConcurrency"])
		}
		m := &emulator.Mapping{
			Queue: d.queues[named(p["EventSourceArn"])], Function: d.functions[named(p["FunctionName"])],
			BatchSize: intOf(p["BatchSize"]), Window: d.scaled(intOf(p["MaximumBatchingWindowInSeconds"])), Wait: d.scaled(20), Concurrency: concurrency, Partial: p["FunctionResponseTypes"] != nil,
		}
		if d.count != nil {
			d.count.mappings = append(d.count.mappings, m)
		}
		running.Go(func() { m.Run(ctx) })
	})
	each(d, "AWS::Events::Rule", func(_ string, p map[string]any) {
		target := p["Targets"].([]any)[0].(map[string]any)
		s := &emulator.Schedule{Function: d.functions[named(target["Arn"])], Every: d.minute}
		if !d.mute {
			running.Go(func() { s.Run(ctx) })
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
}

// scaled is what so many seconds of the template take.
func (d *deployed) scaled(seconds int) time.Duration {
	return time.Duration(seconds) * d.minute / 60
}

// function starts one with the environment of the template.
func (d *deployed) function(t *testing.T, id string, p map[string]any) *emulator.Function {
	t.Helper()
	env := []string{
		"AWS_ACCESS_KEY_ID=" + awstest.Key, "AWS_SECRET_ACCESS_KEY=" + awstest.Secret,
		"AWS_ENDPOINT_URL_S3=" + d.s3, "AWS_ENDPOINT_URL_SQS=" + d.sqs,
	}
	if d.minute < time.Minute { // so that nobody has to wait for minutes
		env = append(env, "NARTHEX_INTERVAL="+d.minute.String())
	}
	for name, value := range p["Environment"].(map[string]any)["Variables"].(map[string]any) {
		text := d.resolve(t, value)
		if name == "NARTHEX_CONFIG" { // Lambda unpacks the layer into /opt
			layer := d.resources[named(p["Layers"].([]any)[0])]
			text = filepath.Join(d.asset(layer.Properties["Content"]), filepath.Base(text))
		}
		env = append(env, name+"="+text)
	}
	code := p["Code"].(map[string]any)
	f, err := emulator.Start(emulator.Options{
		Code: d.asset(code), Name: id, Memory: intOf(p["MemorySize"]), Timeout: time.Duration(intOf(p["Timeout"])) * time.Second, Env: env, Log: testLog{t}, Report: d.count.report(id),
	})
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// asset returns the file or directory of an asset.
func (d *deployed) asset(code any) string {
	key := code.(map[string]any)["S3Key"].(string)
	path := filepath.Join(d.dir, "asset."+key)
	if _, err := os.Stat(path); err != nil {
		path = strings.TrimSuffix(path, ".zip")
	}
	return path
}

// resolve replaces CloudFormation's functions by what stands for the resources.
func (d *deployed) resolve(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, d.resolve(t, part))
			}
			return strings.Join(parts, join[0].(string))
		}
		id := named(v)
		switch d.resources[id].Type {
		case "AWS::S3::Bucket":
			return bucketName(id)
		case "AWS::SQS::Queue":
			return d.sqs + d.queues[id].Path()
		case "AWS::APS::Workspace":
			return d.receiver + "/"
		}
		if id == "AWS::Region" {
			return "us-east-1"
		}
	}
	t.Fatalf("the template has a value that this test does not know: %v", v)
	return ""
}

// front returns the address of the function's URL.
func (d *deployed) front(t *testing.T, name string) string {
	t.Helper()
	var address string
	each(d, "AWS::Lambda::Url", func(_ string, p map[string]any) {
		id := named(p["TargetFunctionArn"])
		if !strings.Contains(id, name) {
			return
		}
		front := emulator.Front{Kind: emulator.FunctionURL}
		if p["AuthType"] == "AWS_IAM" {
			front.IAM = func(*http.Request) *emulator.Caller {
				return &emulator.Caller{ARN: "arn:aws:sts::" + emulator.Account + ":assumed-role/shop/one", AccountID: emulator.Account, UserID: "AROATEST:one"}
			}
		}
		server := httptest.NewServer(d.functions[id].Front(front))
		t.Cleanup(server.Close)
		address = server.URL
	})
	if address == "" {
		t.Fatalf("there is no function URL for %s", name)
	}
	return address
}

// put puts an object into the bucket of a construct and notifies its queue.
func (d *deployed) put(t *testing.T, name, key string, data []byte) {
	t.Helper()
	each(d, "AWS::S3::Bucket", func(id string, p map[string]any) {
		notify, ok := p["NotificationConfiguration"].(map[string]any)
		if !ok || !strings.Contains(id, name) {
			return
		}
		object, err := awstest.Session(t, d.s3).S3().Put(t.Context(), bucketName(id), key, data, aws.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		event := emulator.Object{Bucket: bucketName(id), Key: key, ETag: strings.Trim(object, `"`), Size: int64(len(data)), Time: time.Now()}.Event("us-east-1")
		target := notify["QueueConfigurations"].([]any)[0].(map[string]any)
		body, err := json.Marshal(map[string]string{"QueueUrl": d.sqs + d.queues[named(target["Queue"])].Path(), "MessageBody": string(event)})
		if err != nil {
			t.Fatal(err)
		}
		if code, answer := post(t, d.sqs, "application/x-amz-json-1.0", body, "X-Amz-Target", "AmazonSQS.SendMessage"); code != http.StatusOK {
			t.Fatalf("notify: %d %s", code, answer)
		}
	})
}

// amazonsPath is Amazon's path of remote write before a narthex.
func amazonsPath(t *testing.T, store string) string {
	t.Helper()
	to, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = to.Host
		r.Out.URL.Path = "/api/v1/write"
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/remote_write" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			http.Error(w, "not signed, or not for remote write", http.StatusForbidden)
			return
		}
		r.Header.Del("Authorization")
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// each calls do with the resources of a type.
func each(d *deployed, typ string, do func(id string, properties map[string]any)) {
	for id, r := range d.resources {
		if r.Type == typ {
			do(id, r.Properties)
		}
	}
}

// named returns the resource that a Ref or a GetAtt names.
func named(v any) string {
	m, _ := v.(map[string]any)
	if ref, ok := m["Ref"].(string); ok {
		return ref
	}
	if att, ok := m["Fn::GetAtt"].([]any); ok {
		return att[0].(string)
	}
	return ""
}

func intOf(v any) int {
	f, _ := v.(float64)
	return int(f)
}

func bucketName(id string) string { return strings.ToLower(id) }

// testLog shows what a function writes if the test fails.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
