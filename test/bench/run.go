package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Harness runs comparisons.
type Harness struct {
	Root  string // of the repository
	Dir   string // for what is built
	Quick bool
	Runs  int
	Out   io.Writer

	built map[string]string // package to its test program
}

// A job is a comparison on its way.
type job struct {
	Comparison
	runs    int
	done    int
	seconds float64 // of a run
	result  Result
}

// run runs all comparisons once, then again, so that each is spread over the
// whole time. After each round it hands over what there is.
func (h *Harness) run(ctx context.Context, jobs []*job, save func() error) error {
	if h.built == nil {
		h.built = map[string]string{}
	}
	for _, j := range jobs {
		if err := h.build(ctx, j.Command.Packages); err != nil {
			return err
		}
	}
	for round := range h.Runs {
		for _, j := range jobs {
			if round >= j.runs || j.result.Problem != "" {
				continue
			}
			fmt.Fprintf(h.Out, "%s, run %d of %d; %s left\n", j.ID, round+1, j.runs, left(jobs))
			start := time.Now()
			figures, err := h.measure(ctx, j.Comparison)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			j.done, j.seconds = j.done+1, time.Since(start).Seconds()
			j.result.Figures = join(j.result.Figures, figures)
			if err != nil {
				j.result.Problem = err.Error()
				fmt.Fprintf(h.Out, "%s: %v\n", j.ID, err)
			}
			if err != nil && j.Command.Test == "" { // a test that fails says its figures all the same
				j.result.Figures = nil
			}
		}
		if err := save(); err != nil {
			return err
		}
	}
	return nil
}

// left estimates what is left.
func left(jobs []*job) time.Duration {
	s := 0.0
	for _, j := range jobs {
		if j.result.Problem == "" {
			s += float64(j.runs-j.done) * j.seconds
		}
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// build builds the test programs of packages, so that no compiler runs beside what
// is measured.
func (h *Harness) build(ctx context.Context, packages []string) error {
	for _, p := range packages {
		if h.built[p] != "" {
			continue
		}
		fmt.Fprintf(h.Out, "building the tests of %s\n", p)
		file := filepath.Join(h.Dir, strings.NewReplacer("./", "", "/", "-").Replace(p)+".test")
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", file, p)
		cmd.Dir = h.Root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go test -c %s: %w\n%s", p, err, out)
		}
		h.built[p] = file
	}
	return nil
}

// measure runs a comparison once. What it printed before it failed is returned with
// the error.
func (h *Harness) measure(ctx context.Context, c Comparison) ([]Figure, error) {
	if c.Command.Npm != "" {
		return h.script(ctx, c)
	}
	var figures []Figure
	var failed error
	for _, p := range c.Command.Packages {
		out, err := h.exec(ctx, filepath.Join(h.Root, p), h.env(c), h.built[p], h.args(c)...)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Command, err))
		}
		more, err := parse(out, c.Sides)
		if err != nil {
			return nil, err
		}
		if len(c.Command.Packages) > 1 {
			for i := range more {
				more[i].Name = strings.TrimPrefix(p, "./") + "/" + more[i].Name
			}
		}
		figures = append(figures, more...)
	}
	if len(figures) == 0 {
		return nil, cmp.Or(failed, fmt.Errorf("%s: it printed no figures", c.Command))
	}
	trim(figures)
	return figures, failed
}

// env has the long tests run at their full size.
func (h *Harness) env(c Comparison) []string {
	if c.Long && !h.Quick {
		return append(os.Environ(), "NARTHEX_ACCEPTANCE=1")
	}
	return os.Environ()
}

func (h *Harness) args(c Comparison) []string {
	args := []string{"-test.timeout=30m", "-test.run=^$", "-test.bench=" + c.Command.Bench}
	if c.Command.Test != "" {
		args = []string{"-test.timeout=30m", "-test.v", "-test.run=" + c.Command.Test}
	}
	benchtime := c.Command.Benchtime
	if h.Quick {
		args = append(args, "-test.short")
		if benchtime != "1x" {
			benchtime = "3x"
		}
	}
	if c.Command.Bench != "" && benchtime != "" {
		args = append(args, "-test.benchtime="+benchtime)
	}
	return args
}

// script runs an npm script, which prints its figures or writes them to the file
// that NARTHEX_BENCH_JSON names.
func (h *Harness) script(ctx context.Context, c Comparison) ([]Figure, error) {
	file := filepath.Join(h.Dir, c.ID+".json")
	env := append(os.Environ(), "NARTHEX_BENCH_JSON="+file)
	if h.Quick {
		env = append(env, "NARTHEX_BENCH_QUICK=1")
	}
	out, err := h.exec(ctx, filepath.Join(h.Root, "web"), env, "npm", "run", "--silent", c.Command.Npm)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Command, err)
	}
	fmt.Fprintln(h.Out, strings.TrimSpace(out)) // it says what it did not find
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	os.Remove(file)
	return parseScript(out, text)
}

// exec runs a program; when the context ends, it ends with all that it started.
func (h *Harness) exec(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s", err, tail(out.String()+said.String(), 20))
	}
	return out.String(), nil
}

// tail returns the last lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
