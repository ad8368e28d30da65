package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"narthex/app"
	"narthex/config"
	"narthex/internal/reply"
	"narthex/lambda/emulator"
)

// lambdaRun is what narthex lambda has running.
type lambdaRun struct {
	*lambdaFlags
	t    terminal
	mu   sync.Mutex // of what is printed
	sqs  *emulator.SQS
	log  *emulator.Queue
	dead *emulator.Queue
	f    *emulator.Function
}

func (r *lambdaRun) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.t.out, format+"\n", args...)
}

// run runs everything until the context is done, and stops it in the order in
// which things flow.
func (l *lambdaFlags) run(ctx context.Context, t terminal) (err error) {
	r := &lambdaRun{lambdaFlags: l, t: t}
	front, err := net.Listen("tcp", l.listen) // first: a second start should say so
	if err != nil {
		return fmt.Errorf("listen on %s: %w; --listen takes another address", l.listen, err)
	}
	defer front.Close()
	closeStore, err := r.openStore()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	queues, err := r.openQueues()
	if err != nil {
		return err
	}
	defer queues.Close()
	if err := r.deploy(queues.Addr().String()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.f.Close()) }()

	sources, stopSources := context.WithCancel(context.WithoutCancel(ctx))
	mapping := &emulator.Mapping{Queue: r.log, Function: r.f, Concurrency: 2, Partial: true}
	schedule := &emulator.Schedule{Function: r.f, Every: l.tick}
	var running sync.WaitGroup
	running.Go(func() { mapping.Run(sources) })
	running.Go(func() { schedule.Run(sources) })

	server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(front)
	r.announce(front.Addr().String())
	<-ctx.Done()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	_ = server.Shutdown(wait) // it has had its time
	r.drain(wait)
	stopSources()
	running.Wait()
	return nil
}

// openStore starts a narthex serve, unless samples go elsewhere.
func (r *lambdaRun) openStore() (stop func() error, err error) {
	if r.remoteWrite != "" {
		return func() error { return nil }, nil
	}
	c := config.Default()
	c.Listen, c.Data = r.store, filepath.Join(r.data, "store")
	log := slog.New(slog.NewTextHandler(r.t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	access, err := app.NewAccess(c, app.AccessOptions{Logger: log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serveOn(ctx, c, access, log, log, in, false)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	line := make([]byte, 512)
	n, _ := out.Read(line) // nothing if it has ended
	go io.Copy(io.Discard, out)
	address := strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "narthex is ready at "))
	if n == 0 {
		cancel()
		return nil, fmt.Errorf("start the store: %w (here --store HOST:PORT does, or send samples to the one that runs: --remote-write http://%s/api/v1/write)", <-ended, r.store)
	}
	r.store = address
	r.remoteWrite, r.local = address+"/api/v1/write", true
	return func() error { cancel(); return <-ended }, nil
}

// openQueues starts the queue service, and puts into the queue what was left in
// it last time.
func (r *lambdaRun) openQueues() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.sqs = emulator.NewSQS("us-east-1")
	if r.dead, err = r.sqs.CreateQueue("narthex-dead", nil); err == nil {
		r.log, err = r.sqs.CreateQueue("narthex", map[string]string{
			"VisibilityTimeout": fmt.Sprint(int((6 * r.timeout).Seconds())), "MessageRetentionPeriod": "86400",
			"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":10}`, r.dead.ARN()),
		})
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	go http.Serve(ln, fromPrograms(r.sqs))
	return ln, nil
}

// deploy starts the function with the queue and the store as its AWS.
func (r *lambdaRun) deploy(queues string) error {
	totals, err := filepath.Abs(filepath.Join(r.data, "totals"))
	if err != nil {
		return err
	}
	env := []string{
		"AWS_ENDPOINT_URL_SQS=http://" + queues, "NARTHEX_STATE=file:" + totals, "NARTHEX_MODE=" + r.mode,
		"NARTHEX_QUEUE=http://" + queues + r.log.Path(), "NARTHEX_INTERVAL=" + r.tick.String(), "NARTHEX_REMOTE_WRITE_URL=" + r.remoteWrite,
	}
	if r.config != "" {
		file, err := filepath.Abs(r.config)
		if err == nil {
			_, err = os.Stat(file)
		}
		if err != nil {
			return usageError("--config: %v", err)
		}
		env = append(env, "NARTHEX_CONFIG="+file)
	}
	if r.caller == "" || r.front.Kind == emulator.ALB {
		env = append(env, "NARTHEX_ALLOW_UNAUTHENTICATED=true")
	}
	o := emulator.Options{
		Code: r.code, Env: append(env, r.env...), Memory: r.memory, Timeout: r.timeout, Concurrency: r.concurrency,
		Idle: 5 * time.Minute, Log: &lambdaLog{r}, Report: r.report,
	}
	if r.throttle {
		o.CPU, o.LimitMemory = emulator.CPUBoost, true
	}
	r.f, err = emulator.Start(o)
	return err
}

// handler is the front, with Lambda's own API beside it.
func (r *lambdaRun) handler() http.Handler {
	if r.caller != "" {
		caller := &emulator.Caller{ARN: r.caller, AccountID: emulator.Account, UserID: "AIDALAPTOP", AccessKey: "AKIALAPTOP"}
		r.front.IAM = func(*http.Request) *emulator.Caller { return caller }
	}
	mux := http.NewServeMux()
	mux.Handle("/2015-03-31/", r.f.API())
	front := r.f.Front(r.front)
	return fromPrograms(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/2015-03-31/") {
			mux.ServeHTTP(w, q)
			return
		}
		front.ServeHTTP(w, q) // paths as they are: no redirects
	}))
}

// fromPrograms keeps web pages out: one of another origin, and one whose owner
// points its name at this machine.
func fromPrograms(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if net.ParseIP(strings.Trim(host, "[]")) == nil && host != "localhost" || origin.Check(r) != nil {
			reply.Error(w, http.StatusForbidden, "forbidden", "this is for programs on this machine: use the address 127.0.0.1 or localhost, and no web page of another origin")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// announce says what runs.
func (r *lambdaRun) announce(address string) {
	r.say("function  %s, %d MB, timeout %v", r.code, r.memory, r.timeout)
	if r.mode == "queue" {
		r.say("queue     in memory, batches of 10, 2 at a time; what fails 10 times goes to a dead-letter queue")
	}
	r.say("schedule  a tick every %v", r.tick)
	r.say("totals    %s", filepath.Join(r.data, "totals"))
	if r.local {
		r.say("samples   %s (narthex serve, data in %s): open it in a browser", r.store, filepath.Join(r.data, "store"))
	} else {
		r.say("samples   are written to %s", r.remoteWrite)
	}
	r.say("narthex lambda is ready at http://%s (%s)", address, r.front.Kind)
	r.say("push      curl -d '{\"counters\":[{\"name\":\"hello_total\",\"add\":1}]}' http://%s/api/v1/push", address)
}

// drain waits until the queue is empty, and has what was folded written.
func (r *lambdaRun) drain(ctx context.Context) {
	r.say("stopping, once what is queued is folded")
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for r.log.Len() > 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
			r.say("%d messages are left in the queue and are lost", r.log.Len())
			return
		}
	}
	if len(r.f.Instances()) > 0 {
		_, _ = r.f.Invoke(ctx, []byte(`{"narthex":"tick"}`)) // its report tells
	}
	if n := r.dead.Len(); n > 0 {
		r.say("%d messages are in the dead-letter queue and are lost", n)
	}
}

// report prints an invocation in a line.
func (r *lambdaRun) report(x emulator.Report) {
	cold := ""
	if x.Cold {
		cold = fmt.Sprintf(", cold start %.0f ms", ms(x.Init))
	}
	fault := ""
	if x.Status != "success" {
		fault = ": " + x.Status + ": " + strings.TrimSpace(string(x.Answer[:min(len(x.Answer), 500)]))
	}
	r.say("%s  %-34s %7.1f ms, billed %d ms, %d of %d MB%s%s", time.Now().Format("15:04:05"), describeEvent(x),
		ms(x.Duration), x.Billed.Milliseconds(), x.MaxMemory>>20, x.MemorySize>>20, cold, fault)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// describeEvent says what an invocation was for.
func describeEvent(x emulator.Report) string {
	var e struct {
		RawPath    string `json:"rawPath"`
		Path       string `json:"path"`
		HTTPMethod string `json:"httpMethod"`
		Context    struct {
			HTTP struct{ Method string } `json:"http"`
		} `json:"requestContext"`
		Records    []struct{ EventSource string } `json:"Records"`
		DetailType string                         `json:"detail-type"`
		Narthex    string                         `json:"narthex"`
	}
	var a struct{ StatusCode json.Number }
	_ = json.Unmarshal(x.Event, &e)  // whatever it is
	_ = json.Unmarshal(x.Answer, &a) // likewise
	switch {
	case e.Context.HTTP.Method != "":
		return strings.TrimSpace(e.Context.HTTP.Method + " " + e.RawPath + " " + a.StatusCode.String())
	case e.HTTPMethod != "":
		return strings.TrimSpace(e.HTTPMethod + " " + e.Path + " " + a.StatusCode.String())
	case len(e.Records) > 0:
		return fmt.Sprintf("%s, %s", strings.TrimPrefix(e.Records[0].EventSource, "aws:"), plural(len(e.Records), "record"))
	case e.DetailType != "":
		return strings.ToLower(e.DetailType)
	case e.Narthex != "":
		return "command " + e.Narthex
	}
	return "an event"
}

// lambdaLog shows of the function's log what is asked for: all, or what is no
// ordinary line of ours or Lambda's. That a schedule comes each minute at most is no
// concern here: this one comes as often as --tick says.
type lambdaLog struct{ r *lambdaRun }

// Write implements [io.Writer]; it gets whole lines.
func (l *lambdaLog) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	var e struct{ Level string }
	ordinary := json.Unmarshal(text, &e) == nil && (e.Level == "INFO" || e.Level == "DEBUG") || bytes.Contains(text, []byte("lambda.schedule_queue"))
	for _, word := range []string{"START ", "END ", "REPORT "} {
		ordinary = ordinary || bytes.HasPrefix(text, []byte(word))
	}
	if l.r.logs || !ordinary {
		l.r.say("          %s", text)
	}
	return len(line), nil
}
