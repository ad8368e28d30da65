package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// deliver writes an object into a directory as a whole.
func deliver(t testing.TB, dir, name string, object []byte) {
	t.Helper()
	part := filepath.Join(dir, "."+name)
	if err := os.WriteFile(part, object, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// deliverAll delivers objects in an order, and kills the program before some.
func deliverAll(t testing.TB, s *server, dir string, objects [][]byte, order []int, kill map[int]bool) {
	t.Helper()
	for i, n := range order {
		if kill[i] {
			s.kill()
			s.start()
		}
		if n < 0 {
			n = -n - 1
			deliver(t, dir, fmt.Sprintf("a%d-%d.gz", i, n), objects[n])
		}
		deliver(t, dir, fmt.Sprintf("b%d-%d.gz", i, n), objects[n])
	}
}

// killsAt returns after how many of n steps the program is killed.
func killsAt(r *rand.Rand, n, kills int) map[int]bool {
	at := make(map[int]bool)
	for len(at) < min(kills, n) {
		at[r.IntN(n)] = true
	}
	return at
}

// TestLogsFollowedExactlyOnce has a server follow a directory into which objects
// come in any order, some as several files, and a log that grows and is rotated,
// while it is killed at random.
func TestLogsFollowedExactlyOnce(t *testing.T) {
	t.Parallel()
	r := logsSeed(t)
	objects, truth := logObjects(r, scaled(1_000_000, 100_000), 500, time.Now().Add(-time.Hour), time.Hour)
	dir := t.TempDir()
	s := newServer(t, "scrape_interval: 1s\nlogs: [{source: web, from: "+dir+", routes: "+logsRoutes+", metrics: "+logsMetrics+"}]\n")
	order := logDeliveries(r, len(objects))
	deliverAll(t, s, dir, objects, order, killsAt(r, len(order), scaled(20, 5)))
	s.kill()
	s.start()
	truth.check(t, s)
	if err := s.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestLogsPushedExactlyOnce has narthex logs push objects, some of them twice,
// some by two commands at the same time, while the commands and the server are
// killed at random.
func TestLogsPushedExactlyOnce(t *testing.T) {
	t.Parallel()
	r := logsSeed(t)
	objects, truth := logObjects(r, scaled(1_000_000, 50_000), scaled(500, 100), time.Now().Add(-time.Hour), time.Hour)
	dir := t.TempDir()
	config := filepath.Join(dir, "narthex.yml")
	if err := os.WriteFile(config, []byte("logs: [{source: web, from: x, routes: "+logsRoutes+", metrics: "+logsMetrics+"}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, o := range objects {
		deliver(t, dir, fmt.Sprint("object", i), o)
	}
	s := newServer(t, "scrape_interval: 1s\n")
	push := func(killAfter time.Duration, names ...string) {
		for {
			ctx, cancel := context.WithCancel(t.Context())
			if killAfter > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), killAfter) // it is killed then
			}
			killAfter = 0
			out, err := exec.CommandContext(ctx, program(t), append([]string{"logs", "--to", s.url(), "--config", config}, names...)...).CombinedOutput()
			cancel()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() < 0 || errors.Is(err, context.DeadlineExceeded) {
				continue // killed, or not even begun: the same command again
			}
			if err != nil {
				t.Errorf("narthex logs %v: %v\n%s", names, err, out)
			}
			return
		}
	}
	order := logDeliveries(r, len(objects))
	kill := killsAt(r, len(order)/10, scaled(10, 3))
	for i := 0; i < len(order); i += 10 {
		var all sync.WaitGroup
		if kill[i/10] {
			s.kill()
			all.Go(s.start) // while the commands try
		}
		var names, both []string
		for _, n := range order[i:min(i+10, len(order))] {
			if n < 0 {
				n = -n - 1
				both = append(both, filepath.Join(dir, fmt.Sprint("object", n)))
			}
			names = append(names, filepath.Join(dir, fmt.Sprint("object", n)))
		}
		killed := time.Duration(0)
		if r.IntN(3) == 0 {
			killed = time.Duration(20+r.IntN(300)) * time.Millisecond
		}
		all.Go(func() { push(killed, names...) })
		if len(both) > 0 {
			all.Go(func() { push(0, both...) })
		}
		all.Wait()
	}
	truth.check(t, s)
}

// TestLogsByTheMinute has a server count logs in the minutes in which their
// requests ended: the stored samples are a minute apart, and each is higher than
// the one before by the requests of its minute.
func TestLogsByTheMinute(t *testing.T) {
	t.Parallel()
	r := logsSeed(t)
	dir := t.TempDir()
	lateness, span := time.Duration(scaled(5, 2))*time.Minute, 70*time.Second
	s := newServer(t, "scrape_interval: 1s\nlogs: [{source: web, from: "+dir+", event_time: true, lateness: "+lateness.String()+", routes: "+logsRoutes+", metrics: "+logsMetrics+"}]\n")
	began := time.Now()
	objects, truth := logObjects(r, scaled(1_000_000, 20_000), scaled(500, 100), began.Add(-span-time.Second), span)
	order := logDeliveries(r, len(objects))
	deliverAll(t, s, dir, objects, order, killsAt(r, len(order), scaled(10, 3)))
	eventually(t, "all files are read", func() bool { return filesRead(t, s, dir) })
	if took, late := time.Since(began), lateness-span; took > late-5*time.Second {
		t.Fatalf("the machine is too slow for this test: it took %v to deliver what is late after %v", took, late)
	}
	all := "sum(web_requests_total offset " + lateness.String() + ")" // where the newest sample is
	for deadline := began.Add(2*lateness + time.Minute); s.value(all) != fmt.Sprint(truth.requests); {
		if time.Now().After(deadline) {
			t.Fatalf("%s requests, want %d", s.value(all), truth.requests)
		}
		time.Sleep(time.Second) // between two looks at a clock that can't be turned
	}
	truth.checkMinutes(t, s)
}

// filesRead reports whether the server is done with the files of a directory.
func filesRead(t *testing.T, s *server, dir string) bool {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.dir, "data", "state", "logs", "web", "read"))
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	var done []struct{ Done bool }
	if err := json.Unmarshal(data, &done); err != nil {
		t.Fatal(err)
	}
	return len(done) >= len(files)
}

// checkMinutes compares the differences of the stored samples with the truth.
func (l *logsTruth) checkMinutes(t *testing.T, s *server) {
	t.Helper()
	for set, want := range l.minutes {
		got, last := make(map[int64]int64), 0.0
		for _, p := range samples(t, s.url(), "web_requests_total"+set) {
			v, err := strconv.ParseFloat(p.v, 64)
			if err != nil {
				t.Fatal(err)
			}
			if v != last {
				got[int64(p.t)] = int64(v - last)
				last = v
			}
		}
		for end, n := range want {
			if got[end] != n {
				t.Errorf("%s: %d requests in the minute before %s, want %d", set, got[end], time.Unix(end, 0).UTC().Format("15:04"), n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s rises in %d minutes, want %d", set, len(got), len(want))
		}
	}
}

// TestLogsThroughTheFunction has functions told of objects in S3 in all the ways
// there are, in any order, some twice, some at once, while instances are killed.
func TestLogsThroughTheFunction(t *testing.T) {
	t.Parallel()
	r := logsSeed(t)
	objects, truth := logObjects(r, scaled(300_000, 20_000), scaled(300, 60), time.Now().Add(-time.Hour), time.Hour)
	endpoint := awstest.S3(t)
	s3 := awstest.Session(t, endpoint).S3()
	etags := make([]string, len(objects))
	for i, o := range objects {
		etag, err := s3.Put(t.Context(), awstest.Bucket, logKey(i), o, aws.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		etags[i] = strings.Trim(etag, `"`)
	}
	s := newServer(t, "scrape_interval: 1s\n")
	env := append(awsEnv(map[string]string{"s3": endpoint}),
		"NARTHEX_STATE=s3://"+awstest.Bucket+"/state", "NARTHEX_GROUPS=4", "NARTHEX_INTERVAL=1s",
		"NARTHEX_REMOTE_WRITE_URL="+s.url()+"/api/v1/write",
		`NARTHEX_LOGS=[{"source": "web", "from": "s3://`+awstest.Bucket+`/AWSLogs/", "routes": `+logsRoutes+`, "metrics": `+logsMetrics+`}]`)
	var instances [2]*function
	for i := range instances {
		instances[i] = startFunction(t, env...)
	}
	tell := func(at int, event any) {
		for tries := 0; ; tries++ {
			a := instances[at].invoke(event)
			switch {
			case a.killed:
				instances[at] = startFunction(t, env...)
			case a.failed || strings.Contains(string(a.body), "itemIdentifier"):
				if tries == 20 {
					t.Errorf("an event failed for good: %s", a.body)
					return
				}
			default:
				return
			}
		}
	}
	for i, n := range logDeliveries(r, len(objects)) {
		both := n < 0
		if both {
			n = -n - 1
		}
		event := s3Notification(i, logKey(n), etags[n])
		var all sync.WaitGroup
		all.Go(func() { tell(0, event) })
		if both {
			all.Go(func() { tell(1, event) })
		}
		if r.IntN(15) == 0 {
			victim := instances[0]
			time.AfterFunc(time.Duration(r.IntN(40))*time.Millisecond, victim.kill)
		}
		all.Wait()
	}
	tick := map[string]string{"narthex": "tick"}
	for range 3 {
		tell(0, tick)
		time.Sleep(1100 * time.Millisecond) // a tick is a step of the clock
	}
	truth.check(t, s)
}

// logKey has what keys in events are encoded for.
func logKey(i int) string { return fmt.Sprintf("AWSLogs/123456789012/web ä+%d.gz", i) }

// s3Notification is one object's notification in one of the ways it may come.
func s3Notification(way int, key, etag string) any {
	encoded := strings.NewReplacer(" ", "+", "ä", "%C3%A4", "+", "%2B").Replace(key)
	at := time.Now().UTC().Format(time.RFC3339)
	bare := map[string]any{"Records": []any{map[string]any{
		"eventVersion": "2.6", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": at,
		"s3": map[string]any{"bucket": map[string]any{"name": awstest.Bucket, "awsGeneratedTags": map[string]string{"a": "b"}}, "object": map[string]any{"key": encoded, "size": 1, "eTag": etag}},
	}}}
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	queued := func(body string) any {
		return map[string]any{"Records": []any{map[string]any{"messageId": "m", "eventSource": "aws:sqs", "body": body}}}
	}
	bridge := map[string]any{"source": "aws.s3", "detail-type": "Object Created", "time": at, "detail": map[string]any{
		"bucket": map[string]any{"name": awstest.Bucket}, "object": map[string]any{"key": key, "size": 1, "etag": etag}}}
	switch way % 6 {
	case 0:
		return bare
	case 1:
		return queued(text(bare))
	case 2:
		return bridge
	case 3:
		return queued(text(map[string]string{"Type": "Notification", "Message": text(bare)}))
	case 4:
		return map[string]any{"Records": []any{map[string]any{"EventSource": "aws:sns", "Sns": map[string]string{"Message": text(bare)}}}}
	}
	return queued(text(bridge))
}
