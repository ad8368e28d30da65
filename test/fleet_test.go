package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// unsteady is what S3 and SQS do to one request in twelve: throttle it, fail
// although it was done, or lose the answer.
func unsteady(_ *http.Request, n int) awstest.Fault {
	switch n % 47 {
	case 3:
		return awstest.SlowDown
	case 19:
		return awstest.Lose
	case 31:
		return awstest.Fail
	case 43:
		return awstest.Refuse
	}
	return awstest.Pass
}

// cloud is a door, a fold and a tick of the real program under the emulator, with
// a queue between them and a store behind.
type cloud struct {
	t                testing.TB
	queue, dead      *emulator.Queue
	door, fold, tick *emulator.Function
	cold, again      atomic.Int64
}

// newCloud deploys them: the stores' addresses may be those of proxies.
func newCloud(t testing.TB, s3, sqs string, service *emulator.SQS, instances int, write string) *cloud {
	t.Helper()
	c := &cloud{t: t}
	var err error
	if c.dead, err = service.CreateQueue("dead", nil); err == nil {
		c.queue, err = service.CreateQueue("log", map[string]string{"VisibilityTimeout": "6",
			"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":100}`, c.dead.ARN())})
	}
	if err != nil {
		t.Fatal(err)
	}
	deploy := func(name string, concurrency int, env ...string) *emulator.Function {
		f, err := emulator.Start(emulator.Options{
			Code: bootstrap(t), Name: name, Concurrency: concurrency, Timeout: 30 * time.Second, Memory: 512, RetryDelays: []time.Duration{},
			Env: append(append(awsEnv(map[string]string{"s3": s3, "sqs": sqs}), "NARTHEX_STATE=s3://"+awstest.Bucket+"/fleet", "NARTHEX_QUEUE="+sqs+c.queue.Path(),
				"NARTHEX_GROUPS=4", "NARTHEX_INTERVAL=1s", "NARTHEX_REMOTE_WRITE_URL="+write), env...),
			Report: func(r emulator.Report) {
				if r.Cold {
					c.cold.Add(1)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	c.door, c.fold, c.tick = deploy("door", instances), deploy("fold", 20), deploy("tick", 1)
	return c
}

// push pushes as a sender until it is acknowledged.
func (c *cloud) push(front http.Handler, body string) {
	for {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/push", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		front.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusOK:
			return
		case w.Code >= 500: // it was killed, the queue is away, or no instance is free
			c.again.Add(1)
		default:
			c.t.Errorf("a push was answered %d %s", w.Code, w.Body)
			return
		}
	}
}

// strike kills instances at random until the context is done.
func (c *cloud) strike(ctx context.Context, r *rand.Rand) (killed int) {
	pause := time.NewTicker(25 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return killed
		}
		f := []*emulator.Function{c.door, c.door, c.fold, c.fold, c.tick}[r.IntN(5)]
		list := f.Instances()
		if len(list) > 0 && r.IntN(2) == 0 {
			list[r.IntN(len(list))].Kill()
			killed++
		}
	}
}

// checkRefused sees to it that the receiver has each sample which it was sent once:
// what it refuses in a request are others, those that are sent again because an
// instance was killed before it could say that they are written.
func checkRefused(t *testing.T, rc receiver, rec *recorder) {
	t.Helper()
	stored := map[string]bool{}
	for _, x := range rc.query(t, `{__name__!=""}[1h]`, time.Time{}) {
		var labels []narthex.Label
		for name, value := range x.Metric {
			labels = append(labels, narthex.Label{Name: name, Value: value})
		}
		series, err := narthex.NewLabels(labels...)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range x.Values {
			stored[fmt.Sprintf("%s@%.0f", series, p.t*1000)] = true
		}
	}
	for _, sample := range rec.first {
		series, rest, _ := strings.Cut(sample, " ") // no label here has a space
		if _, at, _ := strings.Cut(rest, "@"); !stored[series+"@"+at] {
			t.Errorf("the receiver refused %s, which it had not been sent before", sample)
		}
	}
}

// 200 instances of the function push increments at the same time, through a queue
// that delivers twice and in any order, over stores that throttle and fail, while
// instances are killed: every total is exact and none ever falls.
func TestFunctionFleet(t *testing.T) {
	const names, perPush = 50, 4
	instances, pushes := scaled(200, 20), scaled(100_000, 10_000)/perPush
	rc := inProcess(t, 0)
	rec := newRecorder(t, rc.write)
	service := emulator.NewSQS("us-east-1")
	queues := httptest.NewServer(service)
	t.Cleanup(queues.Close)
	c := newCloud(t, awstest.Proxy(t, awstest.S3(t), unsteady), awstest.Proxy(t, queues.URL, unsteady), service, instances, rec.url)

	begin := time.Now()
	ctx, over := context.WithCancel(t.Context())
	mapping := &emulator.Mapping{Queue: c.queue, Function: c.fold, BatchSize: 50, Window: 200 * time.Millisecond, Concurrency: 4, Partial: true, Twice: 0.2, Shuffle: true, Seed: 1}
	schedule := &emulator.Schedule{Function: c.tick, Every: time.Second}
	var sources, pushing sync.WaitGroup
	sources.Go(func() { mapping.Run(ctx) })
	sources.Go(func() { schedule.Run(ctx) })
	strikes, peace := context.WithCancel(ctx)
	killed := 0
	sources.Go(func() { killed = c.strike(strikes, rand.New(rand.NewPCG(1, 2))) })

	truth := map[string]float64{}
	senders := make([][]string, instances) // the bodies that each pushes
	r := rand.New(rand.NewPCG(3, 4))
	for n := range pushes {
		body := ""
		for i, k := range r.Perm(names)[:perPush] {
			if i > 0 {
				body += ","
			}
			body += fmt.Sprintf(`{"name":"c%d_total","labels":{"which":"c%d"},"add":1}`, k, k)
			truth[fmt.Sprintf("c%d", k)]++
		}
		senders[n%instances] = append(senders[n%instances], fmt.Sprintf(`{"id":"push-%d","counters":[%s]}`, n, body))
	}
	var most atomic.Int64
	for n, bodies := range senders {
		caller := &emulator.Caller{ARN: fmt.Sprintf("arn:aws:sts::%s:assumed-role/shop/%d", emulator.Account, n), AccountID: emulator.Account, UserID: "AROA"}
		front := c.door.Front(emulator.Front{Kind: emulator.HTTPAPI, IAM: func(*http.Request) *emulator.Caller { return caller }})
		pushing.Go(func() {
			for i, body := range bodies {
				c.push(front, body)
				if i%10 == 0 { // its answer was lost, so it is sent again
					c.push(front, body)
				}
				if n == 0 {
					most.Store(max(most.Load(), int64(len(c.door.Instances()))))
				}
			}
		})
	}
	pushing.Wait()
	pushed := time.Since(begin)
	peace()
	eventually(t, "the queue is empty", func() bool { return c.queue.Len() == 0 })
	folded := time.Since(begin)
	eventually(t, "all of it is written", func() bool {
		got := 0
		for _, x := range rc.query(t, `{__name__=~"c.*_total"}`, time.Time{}) {
			if x.Value.v == fmt.Sprint(truth[x.Metric["which"]]) {
				got++
			}
		}
		return got == len(truth)
	})
	over()
	sources.Wait()

	rec.check(rc, truth)
	if n := len(rc.query(t, `{__name__=~"c.*_total"}`, time.Time{})); n != names {
		t.Errorf("%d series, want %d: none for each sender", n, names)
	}
	checkRefused(t, rc, rec)
	if c.dead.Len() > 0 || killed == 0 || mapping.Stats().Twice == 0 || int(most.Load()) < instances*3/4 {
		t.Errorf("%d messages are dead, %d instances were killed, %d batches came twice, %d instances at a time", c.dead.Len(), killed, mapping.Stats().Twice, most.Load())
	}
	figure(t, "increments", float64(pushes*perPush))
	figure(t, "instances", float64(most.Load()))
	figure(t, "pushed_s", pushed.Seconds())
	figure(t, "folded_s", folded.Seconds())
	figure(t, "killed", float64(killed))
	figure(t, "again", float64(c.again.Load()))
	figure(t, "twice", float64(mapping.Stats().Twice))
	figure(t, "refused", float64(rec.refused))
	t.Logf("%d increments in %d pushes by up to %d instances: pushed in %v, folded after %v; %d cold starts, %d killed, %d pushes tried again; %+v; %d requests refused, %d samples sent again",
		pushes*perPush, pushes, most.Load(), pushed.Round(time.Second), folded.Round(time.Second), c.cold.Load(), killed, c.again.Load(), mapping.Stats(), rec.refused, rec.again)
}
