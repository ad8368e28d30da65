// Command bench measures narthex beside others, and writes docs/benchmarks.md.
//
//	go run ./test/bench                      all that is measured together, some 20 minutes
//	go run ./test/bench -only 'push|logs'    some of it; the rest of the page stays
//	go run ./test/bench -long                the long runs, which the page has with their own date
//	go run ./test/bench -quick               everything once and briefly, to see that it runs; into bin/bench
//	go run ./test/bench -render              the page anew, of the figures that are there
//	go run ./test/bench -compare a.json b.json
//
// What is measured, beside what, and with which aim, is in comparisons.yaml.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only                         *regexp.Regexp
	out                          string
	quick, long, render, compare bool
	runs                         int
	files                        []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := readFlags(os.Args[1:])
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func readFlags(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "", "a regular expression of the comparisons to run, by id")
	f.StringVar(&o.out, "out", "", "where benchmarks.md and benchmarks.json are written (docs; with -quick bin/bench)")
	f.BoolVar(&o.quick, "quick", false, "run everything once and briefly; the figures mean nothing")
	f.BoolVar(&o.long, "long", false, "run the long comparisons, and those only")
	f.BoolVar(&o.render, "render", false, "run nothing; write the page anew")
	f.BoolVar(&o.compare, "compare", false, "print what differs between two files of results")
	f.IntVar(&o.runs, "runs", 3, "how often each is run")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.files = f.Args()
	if want := 2 * btoi(o.compare); len(o.files) != want {
		return o, fmt.Errorf("%d arguments, want %d: -compare takes two files of results, all else none", len(o.files), want)
	}
	if o.quick {
		o.runs = 1
	}
	if o.out == "" {
		o.out = map[bool]string{false: "docs", true: "bin/bench"}[o.quick]
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}

func run(ctx context.Context, o options, w io.Writer) error {
	if o.compare {
		return compareFiles(w, o.files[0], o.files[1])
	}
	t, err := readTable(comparisons)
	if err != nil {
		return err
	}
	root := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if root == "" {
		return errors.New("run it in the repository: go list finds no module here")
	}
	out := o.out
	if !filepath.IsAbs(out) {
		out = filepath.Join(root, out)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	old, err := loadResults(filepath.Join(out, "benchmarks.json"))
	if err != nil {
		return err
	}
	if o.render {
		return write(out, t, old)
	}
	return measure(ctx, o, w, t, root, out, old)
}

// measure runs what is chosen and writes the page of it and of what there was.
func measure(ctx context.Context, o options, w io.Writer, t *Table, root, out string, old []Result) error {
	dir, err := os.MkdirTemp("", "narthex-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	jobs := prepare(ctx, o, w, t, root)
	if len(jobs) == 0 {
		return errors.New("no comparison is chosen: -only matches ids of test/bench/comparisons.yaml, -long those that are long")
	}
	results := func() (all []Result) {
		for _, j := range jobs {
			if j.done > 0 || j.result.Problem != "" {
				all = append(all, j.result)
			}
		}
		return merge(old, all)
	}
	h := &Harness{Root: root, Dir: dir, Quick: o.quick, Runs: o.runs, Out: w}
	if err := h.run(ctx, jobs, func() error { return write(out, t, results()) }); err != nil {
		return err
	}
	return report(w, jobs)
}

// prepare chooses comparisons and says which can't be run.
func prepare(ctx context.Context, o options, w io.Writer, t *Table, root string) (jobs []*job) {
	peers := map[string]string{}
	for _, p := range t.Peers {
		peers[p.id()] = p.find(ctx, root)
		if peers[p.id()] == "" {
			fmt.Fprintf(w, "%s was not found: %s\n", p.Name, p.Install)
		}
	}
	now := Result{Commit: commit(ctx, root), Date: time.Now().Format(time.DateOnly), Machine: thisMachine(), Busy: busy(ctx), Peers: peers, Quick: o.quick}
	if strings.HasSuffix(now.Commit, "changes") {
		fmt.Fprintln(w, "the tree has changes that no commit has; the page says so")
	}
	if now.Busy > 0.2 {
		fmt.Fprintf(w, "the machine is busy (others use %.1f of its processors): figures will be noisy\n", now.Busy)
	}
	for _, c := range t.Comparisons {
		if c.Long != o.long && !o.quick || !o.only.MatchString(c.ID) {
			continue
		}
		j := &job{Comparison: c, runs: o.runs, seconds: c.Seconds, result: now}
		j.result.Comparison = c.ID
		if o.quick {
			j.seconds = min(j.seconds, 15)
		}
		if c.Runs > 0 {
			j.runs = min(o.runs, c.Runs)
		}
		missing := slices.DeleteFunc(slices.Clone(c.Needs), func(id string) bool { return peers[id] != "" })
		if len(missing) > 0 {
			j.result.Problem = "it needs " + strings.Join(missing, ", ") + ", not found here"
			fmt.Fprintf(w, "%s does not run: %s\n", c.ID, j.result.Problem)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// write writes both files.
func write(dir string, t *Table, all []Result) error {
	if err := saveResults(filepath.Join(dir, "benchmarks.json"), all); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(page(t, all)), 0o644)
}

// report prints the tables, and fails if something did not run.
func report(w io.Writer, jobs []*job) error {
	var failed []string
	for _, j := range jobs {
		if j.result.Problem != "" {
			failed = append(failed, j.ID)
		}
		fmt.Fprint(w, section(j.Comparison, j.result, true, j.result))
	}
	if len(failed) > 0 {
		return fmt.Errorf("did not run: %s", strings.Join(failed, ", "))
	}
	return nil
}

func compareFiles(w io.Writer, old, new string) error {
	before, err := loadResults(old)
	if err != nil {
		return err
	}
	after, err := loadResults(new)
	if err != nil {
		return err
	}
	if before == nil || after == nil {
		return fmt.Errorf("%s and %s: both have to be there, with results", old, new)
	}
	compare(w, before, after)
	return nil
}
