package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// backfillRun runs narthex logs --backfill, killed after a time if that is not 0, and
// returns what it told.
func backfillRun(t *testing.T, s *server, killAfter time.Duration, args ...string) (told struct {
	Logs, Duplicates, Live, Counted, Series, Blocks int
	Label                                           string
}) {
	t.Helper()
	ctx := t.Context()
	if killAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, killAfter)
		defer cancel()
	}
	args = append([]string{"logs", "--backfill", "-o", "json", "--config", filepath.Join(s.dir, "backfill.yml"), "--data", filepath.Join(s.dir, "data")}, args...)
	cmd := exec.CommandContext(ctx, program(t), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() < 0 || errors.Is(err, context.DeadlineExceeded) {
		return told // killed, or not even begun
	}
	if err != nil {
		t.Fatalf("narthex %v: %v\n%s", args, err, &errs)
	}
	var live struct {
		Live int `json:"counted_live"`
	}
	if err := errors.Join(json.Unmarshal(out, &told), json.Unmarshal(out, &live)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	told.Live = live.Live
	return told
}

// backfillServer is a server beside which narthex logs finds the truth's metrics.
func backfillServer(t *testing.T, config string) *server {
	s := newServer(t, config)
	text := "logs: [{source: web, from: x, routes: " + logsRoutes + ", metrics: " + logsMetrics + "}]\n"
	if err := os.WriteFile(filepath.Join(s.dir, "backfill.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLogsBackfill writes logs of some hours ago into a store that is served, and
// more of them while it is not, by commands that are killed at random; what PromQL
// says of that time is the truth, in all and by the minute.
func TestLogsBackfill(t *testing.T) {
	t.Parallel()
	r := logsSeed(t)
	from, span := time.Now().Add(-3*time.Hour).Truncate(time.Minute), 50*time.Minute
	objects, truth := logObjects(r, scaled(1_000_000, 50_000), scaled(500, 60), from, span)
	r.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	s := backfillServer(t, "scrape_interval: 1s\n")
	first, all := t.TempDir(), t.TempDir()
	for i, o := range objects {
		if i < len(objects)/2 {
			deliver(t, first, fmt.Sprint(i, ".gz"), o)
		}
		deliver(t, all, fmt.Sprint(i, ".gz"), o)
	}
	if status, answer := s.post("/api/v1/push", []byte(`{"counters":[{"name":"live_total","add":5}]}`)); status != 200 {
		t.Fatal(status, answer)
	}
	eventually(t, "the live counter is there", func() bool { return s.value("live_total") == "5" })
	for range 3 {
		backfillRun(t, s, time.Duration(20+r.IntN(1500))*time.Millisecond, first)
	}
	backfillRun(t, s, 0, first)
	if told := backfillRun(t, s, 0, first); told.Logs != 0 || told.Duplicates != len(objects)/2 {
		t.Errorf("the same once more: %+v", told)
	}
	at := from.Add(span).Add(time.Minute)
	eventually(t, "the store that runs shows it", func() bool {
		return len(query(t, s.url(), "web_requests_total", at)) > 0
	})
	before := s.value("count_over_time(live_total[1h])")
	s.kill()
	for range 3 {
		backfillRun(t, s, time.Duration(20+r.IntN(1500))*time.Millisecond, all)
	}
	backfillRun(t, s, 0, all)
	s.start()
	if told := backfillRun(t, s, 0, all, first); told.Logs != 0 || told.Duplicates != len(objects)+len(objects)/2 {
		t.Errorf("the same once more: %+v", told)
	}
	truth.checkThen(t, s, at)
	// What the log of the store had is still there.
	if after := s.value("count_over_time(live_total[1h])"); number(t, after) < number(t, before) {
		t.Errorf("%s samples of what is live, before it was killed %s", after, before)
	}
	left, err := os.ReadDir(filepath.Join(s.dir, "data", "backfill"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkThen compares what PromQL says of a time with the truth: the totals then, the
// minutes before, and that no series ever fell.
func (l *logsTruth) checkThen(t *testing.T, s *server, at time.Time) {
	t.Helper()
	got := make(map[string]string)
	for _, r := range query(t, s.url(), `sum without (backfill) (label_replace({__name__=~"web_.*", __name__!~".*_sum"}, "n", "$1", "__name__", "(.*)"))`, at) {
		got[r.Metric["n"]+labelText(r.Metric)] = r.Value.v
	}
	for series, v := range l.total {
		if got[series] != fmt.Sprint(v) && !(v == 0 && got[series] == "") {
			t.Errorf("%s is %q, want %d", series, got[series], v)
		}
		delete(got, series)
	}
	for series, v := range got {
		if v != "0" {
			t.Errorf("%s is %s, want none", series, v)
		}
	}
	for _, name := range []string{"web_requests_total", "web_bytes_total", "web_duration_seconds_bucket", "web_duration_seconds_count"} {
		for _, r := range query(t, s.url(), "resets("+name+"[2h])", at) {
			if r.Value.v != "0" {
				t.Errorf("%s%v: %s resets", name, r.Metric, r.Value.v)
			}
		}
	}
	l.checkMinutesThen(t, s, at)
}

// checkMinutesThen compares the differences of stored samples, and what increase
// says, with the truth.
func (l *logsTruth) checkMinutesThen(t *testing.T, s *server, at time.Time) {
	t.Helper()
	rises := make(map[string]map[int64]int64)
	for _, r := range query(t, s.url(), `web_requests_total[2h]`, at) {
		set, last := labelText(r.Metric), 0.0
		if rises[set] == nil {
			rises[set] = make(map[int64]int64)
		}
		for _, p := range r.Values {
			v := number(t, p.v)
			if v < last {
				t.Errorf("%v falls from %v to %v", r.Metric, last, v)
			}
			if v != last {
				rises[set][int64(p.t)] += int64(v - last)
			}
			last = v
		}
	}
	wrong := 0
	for set, want := range l.minutes {
		for end, n := range want {
			if rises[set][end] != n {
				if wrong++; wrong < 10 {
					t.Errorf("%s: %d requests in the minute before %s, want %d", set, rises[set][end], time.Unix(end, 0).UTC().Format("15:04"), n)
				}
			}
		}
		if len(rises[set]) != len(want) {
			t.Errorf("%s rises in %d minutes, want %d", set, len(rises[set]), len(want))
		}
	}
	middle := at.Add(-20 * time.Minute).Truncate(time.Minute)
	for _, r := range query(t, s.url(), `sum without (backfill) (increase(web_requests_total[1m] anchored))`, middle) {
		set := labelText(r.Metric)
		if got := number(t, r.Value.v); got != float64(l.minutes[set][middle.Unix()]) {
			t.Errorf("increase of %s is %v, want %d", set, got, l.minutes[set][middle.Unix()])
		}
	}
}

// What is followed is not backfilled, and what was backfilled is not followed, so
// that no line counts twice.
func TestLogsBackfillAndFollowing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	line := func(n int) string {
		return fmt.Sprintf("192.0.2.7 - - [%s] \"GET /v1/users/%d HTTP/1.1\" 200 1 \"-\" \"-\" 0.012\n", time.Now().Add(-2*time.Hour).UTC().Format("02/Jan/2006:15:04:05 -0700"), n)
	}
	lines := func(from, n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(from + i))
		}
		return b.String()
	}
	deliver(t, dir, "before.gz", gzipLog([]byte(lines(0, 10))))
	deliver(t, dir, "grows.log", []byte(lines(100, 20)))
	s := backfillServer(t, "scrape_interval: 1s\nlogs: [{source: web, from: "+dir+", interval: 1s, routes: "+logsRoutes+", metrics: "+logsMetrics+"}]\n")
	eventually(t, "both are counted as they came", func() bool { return s.value(`sum(web_requests_total{backfill=""})`) == "30" })
	if told := backfillRun(t, s, 0, dir); told.Logs != 0 || told.Live != 2 {
		t.Errorf("what is followed: %+v", told)
	}
	other := t.TempDir()
	deliver(t, other, "new.gz", gzipLog([]byte(lines(200, 5))))
	deliver(t, other, "new.log", []byte(lines(300, 40)))
	if told := backfillRun(t, s, 0, other); told.Logs != 2 || told.Counted != 45 {
		t.Errorf("what is new: %+v", told)
	}
	for _, name := range []string{"new.gz", "new.log"} {
		data, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "new.log" {
			data = append(data, lines(400, 3)...)
		}
		deliver(t, dir, name, data)
	}
	eventually(t, "what was appended is counted", func() bool { return s.value(`sum(web_requests_total{backfill=""})`) == "33" })
	eventually(t, "the backfill is there", func() bool {
		r := query(t, s.url(), `sum(max_over_time(web_requests_total{backfill!=""}[4h]))`, time.Time{})
		return len(r) == 1 && r[0].Value.v == "45"
	})
}

func TestLogsBackfillRefuses(t *testing.T) {
	s := backfillServer(t, "storage: {retention: 1d}\n")
	dir := t.TempDir()
	deliver(t, dir, "old.log", []byte("192.0.2.7 - - [02/Jan/2020:03:04:05 +0000] \"GET / HTTP/1.1\" 200 1\n"))
	deliver(t, dir, "timeless.json", []byte(`{"status":200,"request_uri":"/","request_method":"GET"}`+"\n"))
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"old.log", "storage.retention", 3},
		{"timeless.json", "does not tell when requests ended", 3},
		{"missing.log", "no such file", 1},
		{"-", "not standard input", 2},
		{"--to http://127.0.0.1:1 old.log", "--backfill does not go with --to", 2},
	} {
		args := append([]string{"--backfill", "--data", filepath.Join(s.dir, "data")}, strings.Fields(c.args)...)
		out, errs, code := logsRun(t, dir, "", args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("narthex logs --backfill %s: %d, want %d and %q:\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
	if blocks, err := filepath.Glob(filepath.Join(s.dir, "data", "tsdb", "01*")); err != nil || len(blocks) > 0 {
		t.Errorf("blocks %v, %v", blocks, err)
	}
}

// narthex logs reads what is below a prefix of a bucket, for a dry run and for a
// backfill, and leaves out what is older than --since.
func TestLogsCommandS3(t *testing.T) {
	t.Parallel()
	endpoint := awstest.S3(t)
	s3 := awstest.Session(t, endpoint).S3()
	for i := range 3 {
		at := time.Now().Add(-time.Duration(i+1) * time.Hour).UTC().Format("02/Jan/2006:15:04:05 -0700")
		log := strings.Repeat("192.0.2.7 - - ["+at+"] \"GET /v1/users/1 HTTP/1.1\" 200 1 \"-\" \"-\" 0.012\n", 10)
		if _, err := s3.Put(t.Context(), awstest.Bucket, fmt.Sprintf("logs/%d.gz", i), gzipLog([]byte(log)), aws.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), program(t), append([]string{"logs", "-o", "json"}, args...)...)
		cmd.Env = awsEnv(map[string]string{"s3": endpoint})
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	data := t.TempDir()
	all, one, nothing := "s3://"+awstest.Bucket+"/logs/", "s3://"+awstest.Bucket+"/logs/1.gz", "s3://"+awstest.Bucket+"/none/"
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{all}, `"counted": 30`, 0},
		{[]string{"--since", "1h", one}, `"counted": 10`, 0},
		{[]string{nothing}, "there is no such object", 1},
		{[]string{"--since", "1ns", all}, "there is no such object", 1},
		{[]string{"--backfill", "--data", data, one}, `"counted": 10`, 0},
		{[]string{"--backfill", "--data", data, all}, `"counted": 20`, 0},
		{[]string{"--backfill", "--data", data, all}, `"duplicates": 3`, 0},
	} {
		if out, code := run(c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("narthex logs %v: %d, want %d and %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}
