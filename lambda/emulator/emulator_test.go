package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/internal/narthextest"
	"narthex/lambda/emulator"
)

// start runs this test program as a function that plays the role.
func start(t testing.TB, role string, change ...func(*emulator.Options)) *emulator.Function {
	t.Helper()
	log := new(narthextest.Log)
	o := emulator.Options{Code: self(t), Name: "narthex-test", Env: []string{roleVariable + "=" + role}, Log: log, Timeout: 20 * time.Second}
	for _, c := range change {
		c(&o)
	}
	f, err := emulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", role, log)
		}
	})
	return f
}

func invoke(t testing.TB, f *emulator.Function, event string) emulator.Result {
	t.Helper()
	r, err := f.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do sends the role "puppet" what it is to do.
func do(t testing.TB, f *emulator.Function, o order) emulator.Result {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return invoke(t, f, string(text))
}

// eventually polls until ok holds or a minute has passed.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-ticker.C {
		if ok() {
			return
		}
	}
	t.Fatalf("after a minute still not: %s", what)
}

func TestInvocation(t *testing.T) {
	t.Parallel()
	log := new(narthextest.Log)
	f := start(t, "puppet", func(o *emulator.Options) {
		o.Log, o.Memory, o.Env = log, 256, append(o.Env, "FOO=bar", "AWS_REGION=eu-central-1")
	})
	begin := time.Now()
	r := invoke(t, f, `{"do":"describe"}`)
	var d description
	if err := json.Unmarshal(r.Payload, &d); err != nil || r.FunctionError != "" {
		t.Fatalf("%s: %v", r.Payload, err)
	}
	deadline := time.UnixMilli(d.Deadline)
	if left := deadline.Sub(begin); left < 20*time.Second || left > 40*time.Second {
		t.Errorf("the deadline is in %v", left)
	}
	if d.ID != r.RequestID || d.ARN != f.ARN() || !strings.HasPrefix(d.Trace, "Root=1-") || d.Event != `{"do":"describe"}` {
		t.Errorf("%+v", d)
	}
	for name, want := range map[string]string{
		"_HANDLER": "bootstrap", "AWS_LAMBDA_FUNCTION_NAME": "narthex-test", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_REGION": "eu-central-1", "LAMBDA_TASK_ROOT": d.Dir, "FOO": "bar", "HOME": "",
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
	} {
		if d.Env[name] != want {
			t.Errorf("%s is %q, want %q", name, d.Env[name], want)
		}
	}
	report := r.Report()
	if !report.Cold || report.Init <= 0 || report.Billed < report.Init || report.Status != "success" || report.MemorySize != 256<<20 {
		t.Errorf("%+v", report)
	}
	if report.MaxMemory < 1<<20 || report.CPU <= 0 || report.InitCPU <= 0 {
		t.Errorf("what it used is not told: %+v", report)
	}
	second := invoke(t, f, `{}`)
	if report := second.Report(); report.Cold || report.Init != 0 || report.Instance != r.Report().Instance {
		t.Errorf("the second one: %+v", report)
	}
	for _, want := range []string{"START RequestId: " + r.RequestID + " Version: $LATEST\n", "END RequestId: " + r.RequestID + "\n", report.String() + "\n", "said by the puppet\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no line %q:\n%s", want, log)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet", func(o *emulator.Options) { o.Timeout = 1500 * time.Millisecond })
	for _, c := range []struct {
		order               order
		kind, message, made string // errorType, what is in errorMessage, the report's status
	}{
		{order{Do: "fail", Text: `{"errorType":"Custom","errorMessage":"so it is"}`}, "Custom", "so it is", "error"},
		{order{Do: "exit", Code: 3}, "Runtime.ExitError", "Error: Runtime exited with error: exit status 3", "error"},
		{order{Do: "exit", Code: 0}, "Runtime.ExitError", "Runtime exited without providing a reason", "error"},
		{order{Do: "kill"}, "Runtime.ExitError", "Runtime exited with error: signal: killed", "error"},
		{order{Do: "hang"}, "Sandbox.Timedout", "Error: Task timed out after 1.50 seconds", "timeout"},
		{order{Do: "answer", Size: emulator.MaxResponse + 1}, "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size (6291556 bytes)", "error"},
	} {
		r := do(t, f, c.order)
		if r.FunctionError != "Unhandled" || r.ErrorType() != c.kind || !strings.Contains(string(r.Payload), c.message) {
			t.Errorf("%+v: %q %s", c.order, r.FunctionError, r.Payload[:min(len(r.Payload), 300)])
		}
		if report := r.Report(); report.Status != c.made {
			t.Errorf("%+v: %+v", c.order, report)
		}
		if r := do(t, f, order{Do: "answer", Text: "ok"}); string(r.Payload) != `"ok"` {
			t.Errorf("after %+v: %s", c.order, r.Payload)
		}
	}
	if r := do(t, f, order{Do: "answer", Size: emulator.MaxResponse}); r.FunctionError != "" || len(r.Payload) != emulator.MaxResponse {
		t.Errorf("the largest answer: %q, %d bytes", r.FunctionError, len(r.Payload))
	}
	if _, err := f.Invoke(t.Context(), make([]byte, emulator.MaxPayload+1)); !errors.Is(err, emulator.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := f.Invoke(t.Context(), []byte("{")); !errors.Is(err, emulator.ErrNotJSON) {
		t.Error(err)
	}
}

// The function is killed at its timeout and not later, and says nothing more.
func TestTimeoutKills(t *testing.T) {
	t.Parallel()
	log := new(narthextest.Log)
	f := start(t, "puppet", func(o *emulator.Options) { o.Timeout, o.Log = time.Second, log })
	do(t, f, order{Do: "answer"})
	begin := time.Now()
	r := do(t, f, order{Do: "count"})
	took := time.Since(begin)
	if r.ErrorType() != "Sandbox.Timedout" || took < time.Second {
		t.Errorf("%s after %v", r.Payload, took)
	}
	if report := r.Report(); report.Duration != time.Second || report.Billed != time.Second {
		t.Errorf("%+v", report)
	}
	if n := len(f.Instances()); n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

// Between two invocations an instance does nothing.
func TestFreeze(t *testing.T) {
	t.Parallel()
	log := new(narthextest.Log)
	f := start(t, "puppet", func(o *emulator.Options) { o.Log = log })
	do(t, f, order{Do: "chatter"}).Report()
	before := strings.Count(log.String(), "chatter")
	if before == 0 {
		t.Fatal("nothing is said even while it works")
	}
	process := f.Instances()[0].PID()
	eventually(t, "the process is stopped", func() bool { return processState(t, process) == "T" })
	do(t, f, order{Do: "chatter"}).Report()
	if after := strings.Count(log.String(), "chatter"); after <= before {
		t.Errorf("it is not thawed: %d lines and then %d", before, after)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet", func(o *emulator.Options) { o.Concurrency = 5 })
	var group sync.WaitGroup
	var mu sync.Mutex
	instances := map[string]bool{}
	gate := newGate(t)
	for range 5 {
		group.Go(func() {
			r := do(t, f, order{Do: "visit", Text: gate.url})
			mu.Lock()
			defer mu.Unlock()
			instances[r.Report().Instance] = true
		})
	}
	gate.wait(5) // each has an instance of its own by now
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, emulator.ErrThrottled) {
		t.Errorf("the sixth: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Invoke(ctx, []byte(`{}`)); !errors.Is(err, context.Canceled) && !errors.Is(err, emulator.ErrThrottled) {
		t.Errorf("one that gave up: %v", err)
	}
	gate.open()
	group.Wait()
	if len(instances) != 5 {
		t.Errorf("%d instances", len(instances))
	}
	for range 20 { // one after the other: they reuse what there is
		if r := do(t, f, order{Do: "answer"}); !instances[r.Report().Instance] {
			t.Error("another instance was started")
		}
	}
	f.Recycle()
	if n := len(f.Instances()); n != 0 {
		t.Errorf("%d instances after they were recycled", n)
	}
	if r := do(t, f, order{Do: "answer"}); !r.Report().Cold {
		t.Error("and none was started")
	}
}

// One after the other needs one instance.
func TestReuse(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet", func(o *emulator.Options) { o.Concurrency = 1 })
	first := do(t, f, order{Do: "answer"}).Report().Instance
	for range 50 {
		if r := do(t, f, order{Do: "answer"}); r.Report().Instance != first {
			t.Fatal("another instance")
		}
	}
	f.Instances()[0].Kill() // while it is idle
	if r := do(t, f, order{Do: "answer"}); r.FunctionError == "" && r.Report().Instance == first {
		t.Error("one that was killed answers")
	}
}

func TestKilledAtWork(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet")
	gate := newGate(t)
	got := make(chan emulator.Result, 1)
	go func() { got <- do(t, f, order{Do: "visit", Text: gate.url}) }()
	gate.wait(1)
	for _, i := range f.Instances() {
		if !i.Busy() {
			t.Error("it is at work")
		}
		i.Kill()
	}
	if r := <-got; r.ErrorType() != "Runtime.ExitError" || r.Report().Status != "error" {
		t.Errorf("%s", r.Payload)
	}
}

func TestInitErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ role, kind, message string }{
		{"init-error", "Runtime.Configuration", "no key"},
		{"init-exit", "Runtime.ExitError", "exit status 4"},
		{"init-hang", "Sandbox.Timedout", "Task timed out after 0.50 seconds"},
	} {
		t.Run(c.role, func(t *testing.T) {
			log := new(narthextest.Log)
			f := start(t, c.role, func(o *emulator.Options) { o.InitTimeout, o.Timeout, o.Log = time.Second, time.Second/2, log })
			r := invoke(t, f, `{}`)
			if r.ErrorType() != c.kind || !strings.Contains(string(r.Payload), c.message) {
				t.Errorf("%s", r.Payload)
			}
			r.Report()
			for _, phase := range []string{"Phase: init", "Phase: invoke"} {
				if !strings.Contains(log.String(), phase) {
					t.Errorf("it was not tried in the phase %q:\n%s", phase, log)
				}
			}
		})
	}
	f := start(t, "init-once", func(o *emulator.Options) { o.Env = append(o.Env, "FLAG="+t.TempDir()+"/flag") })
	if r := invoke(t, f, `{"do":"answer","text":"ok"}`); string(r.Payload) != `"ok"` {
		t.Errorf("one that starts at the second try: %s", r.Payload)
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]emulator.Options{
		"there is no code":         {},
		"no such file":             {Code: t.TempDir() + "/missing.zip"},
		"has no file bootstrap":    {Code: t.TempDir()},
		"is not executable":        {Code: zipOf(t, 0o644, "bootstrap")},
		"leads out of the package": {Code: zipOf(t, 0o755, "../bootstrap")},
		"the memory is 64 MB":      {Code: self(t), Memory: 64},
		"the timeout is 20m0s":     {Code: self(t), Timeout: 20 * time.Minute},
		"the concurrency is -1":    {Code: self(t), Concurrency: -1},
		"there are 11 extensions":  {Code: self(t), Extensions: make([]string, 11)},
	} {
		if f, err := emulator.Start(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
			if f != nil {
				f.Close()
			}
		}
	}
	f := start(t, "puppet", func(o *emulator.Options) { o.Code = zipOf(t, 0o755, "bootstrap") })
	if r := do(t, f, order{Do: "answer", Text: "from a zip"}); string(r.Payload) != `"from a zip"` {
		t.Errorf("%s", r.Payload)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, emulator.ErrClosed) {
		t.Error(err)
	}
}

func TestReportLine(t *testing.T) {
	t.Parallel()
	r := emulator.Report{RequestID: "id", Status: "error", ErrorType: "Runtime.ExitError", Cold: true, Duration: 1500 * time.Microsecond,
		Init: 30 * time.Millisecond, Billed: 32 * time.Millisecond, MemorySize: 128 << 20, MaxMemory: 9<<20 + 1}
	want := "REPORT RequestId: id\tDuration: 1.50 ms\tBilled Duration: 32 ms\tMemory Size: 128 MB\tMax Memory Used: 10 MB\tInit Duration: 30.00 ms\tStatus: error\tError Type: Runtime.ExitError\t"
	if got := fmt.Sprint(r); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
