//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// fleet is the Lambda function as three: a door, a fold and a tick, with a queue
// between them, S3 behind, and a Prometheus that they write to.
type fleet struct {
	r                *run
	dir              string
	door, fold, tick *emulator.Function
	front            http.Handler
	queue, dead      *emulator.Queue
	mapping          *emulator.Mapping
	s3, sqs          *unsteady
	out              *hop
	receiver         *receiver
	mu               sync.Mutex
	most, cold       int // instances
}

// unsteady decides what a service does to a request.
type unsteady struct {
	mu     sync.Mutex
	r      *rand.Rand
	share  float64
	faults []awstest.Fault
}

func (u *unsteady) set(share float64, faults ...awstest.Fault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.share, u.faults = share, faults
}

func (u *unsteady) decide(_ *http.Request, _ int) awstest.Fault {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.faults) == 0 || u.r.Float64() >= u.share {
		return awstest.Pass
	}
	return u.faults[u.r.IntN(len(u.faults))]
}

func newFleet(r *run) world {
	f := &fleet{r: r, dir: r.TempDir(), receiver: newReceiver(r), s3: &unsteady{r: rand.New(rand.NewPCG(r.seed, 3))}, sqs: &unsteady{r: rand.New(rand.NewPCG(r.seed, 4))}}
	f.out = newHop(r, f.receiver.base, 2)
	service := emulator.NewSQS("us-east-1")
	queues := httptest.NewServer(service)
	r.Cleanup(queues.Close)
	var err error
	if f.dead, err = service.CreateQueue("dead", nil); err == nil {
		f.queue, err = service.CreateQueue("log", map[string]string{"VisibilityTimeout": "4",
			"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1000}`, f.dead.ARN())})
	}
	if err != nil {
		r.Fatal(err)
	}
	s3, sqs := awstest.Proxy(r, awstest.S3(r), f.s3.decide), awstest.Proxy(r, queues.URL, f.sqs.decide)
	code := withClock(r, "bootstrap", "main.go", []string{"function.Options{Getenv:"}, "-tags", "lambda.norpc")
	config := strings.NewReplacer("BUCKET", awstest.Bucket, "QUEUE", sqs+f.queue.Path(), "RECEIVER", f.out.url).Replace(r.Config)
	env := []string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + awstest.Key, "AWS_SECRET_ACCESS_KEY=" + awstest.Secret,
		"AWS_ENDPOINT_URL_S3=" + s3, "AWS_ENDPOINT_URL_SQS=" + sqs, "NARTHEX_CONFIG=" + config}
	f.door, f.fold, f.tick = f.deploy(code, "door", 12, env), f.deploy(code, "fold", 6, env), f.deploy(code, "tick", 2, env)
	caller := &emulator.Caller{ARN: "arn:aws:sts::" + emulator.Account + ":assumed-role/shop/1", AccountID: emulator.Account, UserID: "AROA"}
	f.front = f.door.Front(emulator.Front{Kind: emulator.HTTPAPI, IAM: func(*http.Request) *emulator.Caller { return caller }})
	f.mapping = &emulator.Mapping{Queue: f.queue, Function: f.fold, BatchSize: 50, Window: 50 * time.Millisecond, Concurrency: 4, Partial: true, Twice: 0.2, Shuffle: true, Seed: r.seed}
	f.run()
	return f
}

// deploy starts one of the functions, with a clock of its own.
func (f *fleet) deploy(code, name string, concurrency int, env []string) *emulator.Function {
	f.move(name, 0)
	fn, err := emulator.Start(emulator.Options{
		Code: code, Name: name, Concurrency: concurrency, Timeout: 20 * time.Second, Memory: 512, RetryDelays: []time.Duration{},
		Env: append([]string{"CHAOS_CLOCK=" + filepath.Join(f.dir, name)}, env...),
		Report: func(x emulator.Report) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if x.Cold {
				f.cold++
			}
		},
	})
	if err != nil {
		f.r.Fatal(err)
	}
	f.r.Cleanup(func() { fn.Close() })
	return fn
}

// run starts what brings events, until the run is over.
func (f *fleet) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var sources sync.WaitGroup
	sources.Go(func() { f.mapping.Run(ctx) })
	sources.Go(func() { (&emulator.Schedule{Function: f.tick, Every: time.Second}).Run(ctx) })
	f.r.Cleanup(func() {
		cancel()
		sources.Wait()
	})
}

// move sets the clock of one of the functions.
func (f *fleet) move(name string, ahead time.Duration) {
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path+".new", fmt.Append(nil, ahead.Milliseconds()), 0o600); err != nil {
		f.r.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.r.Fatal(err)
	}
}

func (f *fleet) actions() map[string]func(r *run) {
	return map[string]func(r *run){
		"kill":   func(r *run) { f.signal(syscall.SIGKILL) },
		"freeze": func(r *run) { f.signal(syscall.SIGSTOP) },
		"throttle": func(r *run) {
			f.s3.set(0.1+0.4*r.r.Float64(), awstest.SlowDown, awstest.Fail)
			f.sqs.set(0.1+0.4*r.r.Float64(), awstest.Throttle, awstest.Fail)
		},
		"lose": func(r *run) {
			f.s3.set(0.1+0.3*r.r.Float64(), awstest.Lose, awstest.Refuse, awstest.Truncate)
			f.sqs.set(0.1+0.3*r.r.Float64(), awstest.Lose, awstest.Refuse, awstest.Truncate)
		},
		"conflict": func(r *run) { f.s3.set(0.1+0.4*r.r.Float64(), awstest.Conflict) },
		"calm":     func(r *run) { f.s3.set(0); f.sqs.set(0) },
		"spoil":    func(r *run) { f.out.spoil(0.2+0.6*r.r.Float64(), r.Set.Faults[r.r.IntN(len(r.Set.Faults))]) },
		"mend":     func(r *run) { f.out.spoil(0) },
		"recycle":  func(r *run) { []*emulator.Function{f.door, f.fold, f.tick}[r.r.IntN(3)].Recycle() },
		"tick":     func(r *run) { f.invoke(`{"narthex":"tick"}`) },
		"regroup":  func(r *run) { f.invoke(fmt.Sprintf(`{"narthex":"regroup","groups":%d}`, 1+r.r.IntN(12))) },
		"skew":     f.skew,
	}
}

// skew moves one clock: those of door and fold by up to an hour, that of the tick
// back, or ahead by no more than what the others catch up with soon.
func (f *fleet) skew(r *run) {
	d := time.Duration(r.r.IntN(7200)-3600) * time.Second
	switch name := []string{"door", "fold", "tick"}[r.r.IntN(3)]; name {
	case "tick":
		f.move(name, min(d, 3*time.Second))
	default:
		f.move(name, d)
	}
}

// signal hits one instance, or none if there is none. A stopped one goes on after a
// while, when others have done its work.
func (f *fleet) signal(s syscall.Signal) {
	list := []*emulator.Function{f.door, f.door, f.fold, f.fold, f.tick}[f.r.r.IntN(5)].Instances()
	n, d := f.r.r.IntN(1000), time.Duration(50+f.r.r.IntN(2500))*time.Millisecond
	if len(list) == 0 {
		return
	}
	i := list[n%len(list)]
	if s == syscall.SIGKILL {
		i.Kill()
		return
	}
	if pid := i.PID(); pid > 0 && i.Busy() {
		syscall.Kill(pid, syscall.SIGSTOP)
		time.AfterFunc(d, func() { syscall.Kill(pid, syscall.SIGCONT) })
	}
}

// invoke brings the tick another event, beside its schedule.
func (f *fleet) invoke(event string) {
	f.r.senders.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, _ = f.tick.Invoke(ctx, []byte(event)) // the store tells what came of it
	})
}

func (f *fleet) deliver(ctx context.Context, e *entry) answer {
	q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/push", strings.NewReader(e.body))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", e.id)
	w := httptest.NewRecorder()
	f.front.ServeHTTP(w, q)
	var said struct{ ErrorType string }
	ours := json.Unmarshal(w.Body.Bytes(), &said) == nil && said.ErrorType != "" // else API Gateway says it
	if w.Code >= 400 && w.Code < 500 && w.Code != http.StatusTooManyRequests {
		ours = true
	}
	return answer{code: w.Code, body: w.Body.Bytes(), ours: ours}
}

func (f *fleet) now() time.Time { return time.Now() }

func (f *fleet) stores() []store {
	return []store{{name: "Prometheus", query: queryAt(http.DefaultClient, f.receiver.base), plain: true}}
}

func (f *fleet) heal(*run) {
	f.s3.set(0)
	f.sqs.set(0)
	f.out.spoil(0)
	for _, name := range []string{"door", "fold", "tick"} {
		f.move(name, 0)
	}
}

// bounds: nothing that a sender pushed is given up.
func (f *fleet) bounds(r *run) {
	if n := f.dead.Len(); n > 0 {
		r.broken("%d messages are in the dead-letter queue", n)
	}
	n := len(f.door.Instances()) + len(f.fold.Instances()) + len(f.tick.Instances())
	f.mu.Lock()
	f.most = max(f.most, n)
	f.mu.Unlock()
	r.peak["instances"], r.peak["cold starts"] = float64(f.most), float64(f.cold)
}
