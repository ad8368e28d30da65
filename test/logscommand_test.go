package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"narthex/internal/golden"
)

// logsRun runs narthex logs in a directory and returns what it printed and its
// exit code.
func logsRun(t *testing.T, dir, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(program(t), append([]string{"logs"}, args...)...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// logsSamples are the package's own samples.
func logsSamples(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../accesslog/testdata")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLogsCommandGolden(t *testing.T) {
	dir := logsSamples(t)
	for name, args := range map[string][]string{
		"table":       {"cloudfront_v1.log", "combined.log"},
		"suggest":     {"--suggest-routes", "cloudfront_v1.log"},
		"json":        {"nginx.json", "-o", "json"},
		"openmetrics": {"-o", "openmetrics", "--preset", "article", "--label", "site=shop", "--route", "/v1/users/{id}", "cloudfront_12.log"},
	} {
		out, errs, code := logsRun(t, dir, "", args...)
		if code != 0 || errs != "" {
			t.Errorf("%s: %d: %s", name, code, errs)
		}
		golden.Check(t, filepath.Join("testdata", "logs", name+".golden"), out)
	}
}

// The exit code says what happened, and the message what to do.
func TestLogsCommandCodes(t *testing.T) {
	dir := t.TempDir()
	samples := logsSamples(t)
	log, err := os.ReadFile(filepath.Join(samples, "combined.log"))
	if err != nil {
		t.Fatal(err)
	}
	packed := gzipLog(log)
	deliver(t, dir, "whole.gz", packed)
	deliver(t, dir, "half.gz", packed[:len(packed)-20])
	deliver(t, dir, "other.txt", []byte("this is no log\n"))
	for _, c := range []struct {
		args, stdin, want string
		code              int
	}{
		{"whole.gz", "", `4 counted`, 0},
		{"-", string(log), `4 counted`, 0},
		{"-", string(packed), `4 counted`, 0},
		{"whole.gz whole.gz", "", `8 counted`, 0},
		{"missing.log", "", `no such file`, 1},
		{"", "", `there is no log to read`, 2},
		{"--format x whole.gz", "", `format "x" is not known`, 2},
		{"--follow whole.gz", "", `--follow goes with --to`, 2},
		{"--nonsense", "", `not defined`, 2},
		{"half.gz", "", `cut off`, 3},
		{"half.gz whole.gz", "", `4 counted`, 3}, // the other is read all the same
		{"other.txt", "", `no format known here`, 3},
		{"whole.gz --to http://127.0.0.1:1 --timeout 300ms", "", `gave up`, 4},
	} {
		out, errs, code := logsRun(t, dir, c.stdin, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("narthex logs %s: %d, want %d and %q:\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
}

// What is rejected is shown, but can't speak to the terminal.
func TestLogsCommandRejected(t *testing.T) {
	log := "192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n" +
		"192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET /\x1b[2J HTTP/1.1\" 2x0 1 \"-\" \"-\"\n"
	out, _, code := logsRun(t, t.TempDir(), log, "-")
	if code != 0 || !strings.Contains(out, "1 counted, 1 rejected") || !strings.Contains(out, "line 2:") || strings.Contains(out, "\x1b") {
		t.Errorf("%d: %q", code, out)
	}
}

// Pushing twice counts once, with other routes too.
func TestLogsCommandPushes(t *testing.T) {
	s := newServer(t, "scrape_interval: 1s\n")
	dir := logsSamples(t)
	for i, want := range []string{`"duplicates": 0`, `"duplicates": 2`} {
		out, errs, code := logsRun(t, dir, "", "--to", s.url(), "-o", "json", "combined.log", "cloudfront_12.log")
		if code != 0 || !strings.Contains(out, want) || errs != "" {
			t.Errorf("%d: exit code %d: %s%s", i, code, out, errs)
		}
		var told struct{ Counted, Duplicates int }
		if err := json.Unmarshal([]byte(out), &told); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "requests are counted", func() bool { return s.value("sum(http_requests_total)") != "" })
	before := s.value("sum(http_requests_total)")
	if got := s.value("sum(http_request_duration_seconds_count)"); got == "" {
		t.Error("there is no histogram")
	}
	// Other routes make other series of it, but it is the same log.
	out, errs, code := logsRun(t, dir, "", "--to", s.url(), "--route", "/x", "combined.log")
	if code != 0 || !regexp.MustCompile(`0 logs pushed, 1 log counted before`).MatchString(out) {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if after := s.value("sum(http_requests_total)"); after != before {
		t.Errorf("%s requests, before %s", after, before)
	}
}
