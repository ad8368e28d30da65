package emulator_test

import (
	"strings"
	"testing"
	"time"

	"narthex/lambda/emulator"
)

// rationed starts a function whose processor or memory is rationed, or says that
// this machine does not let it, which is what Start has to say.
func rationed(t *testing.T, change func(*emulator.Options)) *emulator.Function {
	t.Helper()
	o := emulator.Options{Code: self(t), Env: []string{roleVariable + "=puppet"}, Timeout: time.Minute}
	change(&o)
	f, err := emulator.Start(o)
	if err != nil {
		if !strings.Contains(err.Error(), "can't be rationed here") {
			t.Fatal(err)
		}
		t.Log(err)
		return nil
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestCPUShare(t *testing.T) {
	t.Parallel()
	for _, cpu := range []emulator.CPU{emulator.CPUShare, emulator.CPUBoost, emulator.CPUCounted} {
		f := rationed(t, func(o *emulator.Options) { o.CPU = cpu })
		if f == nil {
			return
		}
		const burnt = 60 * time.Millisecond
		r := do(t, f, order{Do: "burn", Code: int(burnt.Milliseconds())}).Report()
		if r.CPU < burnt || r.InitCPU <= 0 {
			t.Errorf("%d: %v and %v of the processor are counted", cpu, r.CPU, r.InitCPU)
		}
		shared := cpu != emulator.CPUCounted
		if (r.Throttled > 0) != shared {
			t.Errorf("%d: throttled for %v", cpu, r.Throttled)
		}
		if shared && r.Duration < 5*burnt { // 128/1769 is a fourteenth
			t.Errorf("%d: %v of the processor took %v", cpu, r.CPU, r.Duration)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	f := rationed(t, func(o *emulator.Options) { o.LimitMemory = true })
	if f == nil {
		return
	}
	if r := do(t, f, order{Do: "eat"}); r.ErrorType() != "Runtime.ExitError" || !strings.Contains(string(r.Payload), "signal: killed") {
		t.Errorf("%s", r.Payload)
	}
	if r := do(t, f, order{Do: "answer"}); r.FunctionError != "" {
		t.Errorf("%s", r.Payload)
	}
}
