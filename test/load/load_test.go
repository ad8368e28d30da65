package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/internal/narthextest"
)

// result is what report.json has, as far as it is looked at here.
type result struct {
	Most    float64 `json:"most_per_second"`
	Passed  bool
	Counted int64
	Verdict []struct{ What, Got, Want string }
	Phases  []struct {
		Name string
		Busy int `json:"answered_429"`
	}
	Samples []map[string]any
}

// builds are the two programs, without the race detector: what they measure is
// narthex.
var builds narthextest.Builds

func TestMain(m *testing.M) {
	code := m.Run()
	builds.Remove()
	os.Exit(code)
}

// load runs the program and returns its exit code and its report.
func load(t *testing.T, args ...string) (code int, r result, said string) {
	t.Helper()
	narthex, err := builds.Program("narthex", "narthex/cmd/narthex")
	if err != nil {
		t.Fatal(err)
	}
	program, err := builds.Program("load", "narthex/test/load")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args = append(args, "-narthex", narthex, "-out", dir)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil && code != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	return code, r, string(out)
}

// The short version of what make load does, without bounds that depend on the
// machine: overload is answered with 429s, everything else properly, nothing grows
// out of proportion, and the store has exactly what was acknowledged.
func TestLoad(t *testing.T) {
	code, r, said := load(t, "-loose", "-duration", "5s", "-measure", "2s", "-step", "3s", "-recover", "3s", "-interval", "1s", "-every", "500ms", "-ratio", "0.3", "-overload", "30", "-growth", "1")
	if code != 0 || !r.Passed {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	if r.Counted < 1000 || r.Most < 1 || len(r.Samples) < 10 || len(r.Phases) != 4 || len(r.Verdict) < 15 {
		t.Errorf("the report lacks something: %d counted, %v/s, %d samples, %d phases, %d bounds", r.Counted, r.Most, len(r.Samples), len(r.Phases), len(r.Verdict))
	}
	for _, p := range r.Phases {
		if busy := p.Busy > 0; p.Name == "overload" && !busy {
			t.Errorf("%s: %d answers 429", p.Name, p.Busy)
		}
	}
	t.Logf("%s", said)
}

// It says so if a bound is not kept.
func TestLoadCanFail(t *testing.T) {
	code, r, said := load(t, "-duration", "1s", "-measure", "1s", "-step", "1s", "-recover", "1s", "-interval", "1s", "-every", "250ms", "-calm", "1us")
	if code != 1 || r.Passed || !strings.Contains(said, "It did NOT stand the load") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}

func TestLoadRefusesNonsense(t *testing.T) {
	for _, arg := range []string{"-ratio=1.5", "-duration=0s", "-overload=1", "-nosuch", "argument"} {
		if code, _, said := load(t, arg, "-seed", "2"); code != 2 {
			t.Errorf("%s: exit code %d:\n%s", arg, code, said)
		}
	}
}
