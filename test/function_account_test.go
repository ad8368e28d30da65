package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/internal/narthextest"
	"narthex/lambda/emulator"
)

// account is an AWS on loopback with the function deployed in it: S3, SQS with two
// queues, and a place that samples are written to.
type account struct {
	t        testing.TB
	f        *emulator.Function
	s3       *aws.S3
	sqs      *emulator.SQS
	log      *emulator.Queue // pushes
	ticks    *emulator.Queue // of the schedule
	queues   string          // the address of SQS
	env      []string
	received *recorder
	out      narthextest.Log
}

// newAccount deploys the function with the configuration, in which $QUEUE, $TICKS
// and $WRITE stand for addresses. to is where samples go, "" for nowhere.
func newAccount(t testing.TB, config, to string, o emulator.Options, env ...string) *account {
	t.Helper()
	c := &account{t: t, sqs: emulator.NewSQS("us-east-1"), received: newRecorder(t, to)}
	store := awstest.S3(t)
	c.s3 = awstest.Session(t, store).S3()
	server := httptest.NewServer(c.sqs)
	t.Cleanup(server.Close)
	c.queues = server.URL
	var err error
	for name, q := range map[string]**emulator.Queue{"log": &c.log, "ticks": &c.ticks} {
		if *q, err = c.sqs.CreateQueue(name, map[string]string{"VisibilityTimeout": "5"}); err != nil {
			t.Fatal(err)
		}
	}
	config = strings.NewReplacer("$QUEUE", c.queues+c.log.Path(), "$TICKS", c.queues+c.ticks.Path(), "$WRITE", c.received.url).Replace(config)
	c.env = append([]string{
		"NARTHEX_CONFIG=" + config, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + awstest.Key, "AWS_SECRET_ACCESS_KEY=" + awstest.Secret,
		"AWS_ENDPOINT_URL_S3=" + store, "AWS_ENDPOINT_URL_SQS=" + c.queues,
	}, env...)
	o.Code, o.Env, o.Log = bootstrap(t), c.env, &c.out
	if c.f, err = emulator.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.f.Close()
		if t.Failed() {
			text := c.out.String()
			t.Logf("the function's log ends with\n%s", text[max(0, len(text)-6000):])
		}
	})
	return c
}

// run runs something that does so until its context is done, until the test ends.
func (c *account) run(f func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	c.t.Cleanup(func() {
		stop()
		<-done
	})
}

// map has a queue invoke the function, as production does.
func (c *account) mapping(q *emulator.Queue) *emulator.Mapping {
	m := &emulator.Mapping{Queue: q, Function: c.f, Concurrency: 2, Partial: true}
	c.run(m.Run)
	return m
}

// invoke hands the function an event and returns what it answers, and why it
// failed, "" if it did not.
func (c *account) invoke(event string) (answer, failed string) {
	c.t.Helper()
	r, err := c.f.Invoke(c.t.Context(), []byte(event))
	if err != nil {
		c.t.Fatal(err)
	}
	if r.FunctionError == "" {
		return string(r.Payload), ""
	}
	var e struct{ ErrorMessage string }
	if err := json.Unmarshal(r.Payload, &e); err != nil {
		c.t.Errorf("the function failed with %s", r.Payload)
	}
	return string(r.Payload), e.ErrorMessage
}

// front is the address of a front of the function.
func (c *account) front(o emulator.Front) string {
	server := httptest.NewServer(c.f.Front(o))
	c.t.Cleanup(server.Close)
	return server.URL
}

// role returns an IAM that says that every request is of a session of the role.
func role(name string) func(*http.Request) *emulator.Caller {
	return func(*http.Request) *emulator.Caller {
		return &emulator.Caller{ARN: "arn:aws:sts::123456789012:assumed-role/" + name + "/" + fmt.Sprint(time.Now().UnixNano()), AccountID: "123456789012", UserID: "AROA:" + name, AccessKey: "ASIA"}
	}
}

// last is the last value of a series that was written, and whether it was.
func (c *account) last(series string) (v float64, ok bool) {
	c.received.mu.Lock()
	defer c.received.mu.Unlock()
	newest := int64(0)
	for at, bits := range c.received.values[series] {
		if at >= newest {
			newest, v, ok = at, fromBits(bits), true
		}
	}
	return v, ok
}
