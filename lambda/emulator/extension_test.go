package emulator_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"narthex/internal/narthextest"
	"narthex/lambda/emulator"
)

// watched is a function with an extension named watcher.
func watched(t *testing.T, role, mode string, change ...func(*emulator.Options)) (*emulator.Function, string) {
	t.Helper()
	path := t.TempDir() + "/journal"
	return start(t, role, append(change, func(o *emulator.Options) {
		o.Extensions = []string{extension(t, "watcher")}
		o.Env = append(o.Env, roleVariable+"_watcher=watch", "WATCH="+mode, "JOURNAL="+path)
	})...), path
}

func TestExtension(t *testing.T) {
	t.Parallel()
	f, path := watched(t, "puppet", "")
	first := do(t, f, order{Do: "answer"})
	first.Report()
	second := do(t, f, order{Do: "answer"})
	second.Report()
	f.Recycle()
	want := []string{"watcher registered", "INVOKE " + first.RequestID + " within=true", "INVOKE " + second.RequestID + " within=true", "SHUTDOWN spindown within=true", "watcher goes"}
	if got := journal(t, path); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The answer leaves at once; the invocation lasts until the extension is done,
// and so does the instance's work.
func TestSlowExtension(t *testing.T) {
	t.Parallel()
	f, path := watched(t, "puppet", "slow")
	r := do(t, f, order{Do: "answer"})
	report := r.Report()
	if report.Duration < 300*time.Millisecond || report.Response > report.Duration-200*time.Millisecond {
		t.Errorf("answered after %v, over after %v", report.Response, report.Duration)
	}
	if !contains(journal(t, path), "slow is done") {
		t.Error("it was over before the extension was done")
	}
}

func TestExtensionFaults(t *testing.T) {
	t.Parallel()
	for mode, kind := range map[string]string{"crash": "Extension.Crash", "init-error": "Extension.InitError"} {
		f, path := watched(t, "puppet", mode)
		r := do(t, f, order{Do: "hang"})
		if r.ErrorType() != kind {
			t.Errorf("%s: %s", mode, r.Payload)
		}
		r.Report()
		if mode == "init-error" && !contains(journal(t, path), "init error 202") {
			t.Errorf("%q", journal(t, path))
		}
	}
	f, path := watched(t, "puppet", "", func(o *emulator.Options) { o.Timeout = time.Second / 2 })
	do(t, f, order{Do: "hang"}).Report()
	if got := journal(t, path); !contains(got, "SHUTDOWN timeout") {
		t.Errorf("at the timeout: %q", got)
	}
	f, path = watched(t, "puppet", "")
	do(t, f, order{Do: "exit", Code: 1}).Report()
	if got := journal(t, path); !contains(got, "SHUTDOWN failure") {
		t.Errorf("when the runtime ends: %q", got)
	}
	f, _ = watched(t, "puppet", "stay")
	do(t, f, order{Do: "answer"}).Report()
	begin := time.Now()
	f.Recycle()
	if took := time.Since(begin); took < 1900*time.Millisecond {
		t.Errorf("one that stays was killed after %v, want 2 s", took)
	}
}

func TestTelemetry(t *testing.T) {
	t.Parallel()
	f, path := watched(t, "puppet", "telemetry")
	r := do(t, f, order{Do: "describe"})
	r.Report()
	do(t, f, order{Do: "fail", Text: `{"errorType":"Custom"}`}).Report()
	f.Recycle()
	got := journal(t, path)
	for _, want := range []string{
		`telemetry platform.initStart {"functionName":"narthex-test"`, `telemetry platform.initRuntimeDone {"initializationType":"on-demand","phase":"init","status":"success"}`,
		`telemetry platform.initReport {"initializationType":"on-demand","metrics":{"durationMs":`, `telemetry platform.telemetrySubscription {"name":"watcher","state":"Subscribed","types":["platform","function"]}`,
		`telemetry platform.extension {"events":["INVOKE","SHUTDOWN"],"name":"watcher","state":"Ready"}`,
		`telemetry platform.start {"requestId":"` + r.RequestID, `telemetry function "said by the puppet"`, `telemetry platform.runtimeDone {"metrics":{"durationMs":`, `telemetry platform.report {"metrics":{"billedDurationMs":`,
	} {
		if !contains(got, want) {
			t.Errorf("nothing begins with %s", want)
		}
	}
	var reports int
	for _, l := range got {
		text, ok := strings.CutPrefix(l, "telemetry platform.report ")
		if !ok {
			continue
		}
		var record struct {
			Status, ErrorType, RequestID string
			Metrics                      map[string]float64
		}
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			t.Fatal(err)
		}
		reports++
		if cold := record.Metrics["initDurationMs"] > 0; cold != (record.RequestID == r.RequestID) || record.Metrics["memorySizeMB"] != 128 || record.Metrics["maxMemoryUsedMB"] < 1 {
			t.Errorf("%s", text)
		}
		if record.RequestID != r.RequestID && (record.Status != "error" || record.ErrorType != "Custom") {
			t.Errorf("%s", text)
		}
	}
	if reports != 2 || contains(got, "the subscription") || strings.Contains(strings.Join(got, "\n"), "is taken") {
		t.Errorf("%d reports\n%s", reports, strings.Join(got, "\n"))
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}

// AWS's own client of the Runtime API, as it comes.
func TestOfficialClient(t *testing.T) {
	t.Parallel()
	log := new(narthextest.Log)
	f := start(t, "official", func(o *emulator.Options) { o.Timeout, o.Log = 2*time.Second, log })
	r := invoke(t, f, `{"a":[1,"x"]}`)
	want := fmt.Sprintf(`{"arn":%q,"event":{"a":[1,"x"]},"id":%q,"memory":128,"name":"narthex-test","seconds":2}`, f.ARN(), r.RequestID)
	if string(r.Payload) != want {
		t.Errorf("%s, want %s", r.Payload, want)
	}
	if r := invoke(t, f, `{"do":"fail"}`); r.FunctionError != "Unhandled" || string(r.Payload) != `{"errorMessage":"so it is","errorType":"errorString"}` {
		t.Errorf("%s", r.Payload)
	}
	if r := invoke(t, f, `{"do":"panic"}`); r.FunctionError != "Unhandled" || r.ErrorType() != "string" || !strings.Contains(string(r.Payload), "boo") {
		t.Errorf("%s", r.Payload)
	}
	if r := invoke(t, f, `{"do":"large"}`); r.ErrorType() != "Function.ResponseSizeTooLarge" {
		t.Errorf("%s", r.Payload[:100])
	}
	if r := invoke(t, f, `{"do":"answer"}`); r.FunctionError != "" {
		t.Errorf("after that: %s", r.Payload)
	}
	if r := invoke(t, f, `{"do":"deadline"}`); r.FunctionError == "" && r.Report().Response < 1900*time.Millisecond {
		t.Errorf("its deadline was after %v", r.Report().Response)
	}
}

// With the client's SIGTERM handler an internal extension is registered, and the
// process has half a second.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/journal"
	f := start(t, "official", func(o *emulator.Options) { o.Env = append(o.Env, "JOURNAL="+path, "SIGTERM=1") })
	invoke(t, f, `{}`)
	f.Recycle()
	if got := journal(t, path); !slices.Equal(got, []string{"SIGTERM"}) {
		t.Errorf("%q", got)
	}
	f = start(t, "official", func(o *emulator.Options) { o.Env = append(o.Env, "JOURNAL="+path, "STAY=1") })
	invoke(t, f, `{}`)
	f.Recycle() // at once, as it has no extension
	if got := journal(t, path); !slices.Equal(got, []string{"SIGTERM"}) {
		t.Errorf("without an extension: %q", got)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet", func(o *emulator.Options) { o.Idle = 50 * time.Millisecond })
	do(t, f, order{Do: "answer"})
	eventually(t, "it is shut down", func() bool { return len(f.Instances()) == 0 })
	if r := do(t, f, order{Do: "answer"}); r.FunctionError != "" || !r.Report().Cold {
		t.Errorf("%s", r.Payload)
	}
}
