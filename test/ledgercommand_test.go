package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// ledger runs narthex ledger and wants it to do.
func (s *server) ledger(args ...string) string {
	s.t.Helper()
	out, code := command(s.t, "", append([]string{"ledger", args[0], "--url", s.url()}, args[1:]...)...)
	if code != 0 {
		s.t.Fatalf("narthex ledger %v: exit %d: %s", args, code, out)
	}
	return out
}

// number returns the one value of an instant query, -1 if there is none.
func (s *server) number(expr string) float64 {
	s.t.Helper()
	v, err := strconv.ParseFloat(s.value(expr), 64)
	if err != nil {
		return -1
	}
	return v
}

// A push was a mistake. What narthex ledger does about it is durable at once, and
// it is on the wire what docs/ledger.md says.
func TestUndoAMistakenPush(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	add := func(name string, n int) {
		t.Helper()
		if code, answer := s.push(fmt.Sprintf(`{"counters":[{"name":%q,"add":%d}]}`, name, n)); code != 200 {
			t.Fatal(code, answer)
		}
	}
	shows := func(name string, want float64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s is %v", name, want), func() bool { return s.number(name) == want })
	}
	for _, name := range []string{"set_total", "zero_total", "gone_total"} {
		add(name, 10)
		shows(name, 10)
		add(name, 1_000_000)
		shows(name, 1_000_010)
	}
	if out := s.ledger("list", `{__name__=~"set_.*"}`); !strings.HasPrefix(out, "set_total 1000010  (counter, changed ") {
		t.Errorf("list: %s", out)
	}
	s.ledger("set", "set_total", "10")
	s.kill() // right after it was acknowledged
	s.start()
	s.ledger("set", "zero_total", "0")
	s.ledger("delete", "gone_total")
	shows("set_total", 10)
	shows("zero_total", 0)
	shows("gone_total", -1)
	for _, name := range []string{"set_total", "zero_total", "gone_total"} {
		add(name, 5)
	}
	shows("set_total", 15)
	shows("zero_total", 5)
	shows("gone_total", 5)

	// The mistake stays in what is stored; the undoing is one counter reset, of
	// which increase() makes the new value. Only set counts that; whoever wants
	// rates that are right from here on sets to 0, or deletes.
	for name, want := range map[string]float64{"set_total": 1_000_000 + 10 + 5, "zero_total": 1_000_000 + 5, "gone_total": 1_000_000 + 5} {
		if n := s.number("resets(" + name + "[1h])"); n != 1 {
			t.Errorf("%s has %v resets", name, n)
		}
		first, total := 0.0, 0.0
		for i, p := range samples(t, s.url(), name) {
			v, _ := strconv.ParseFloat(p.v, 64)
			if i > 0 && v >= first {
				total += v - first
			} else if i > 0 {
				total += v
			}
			first = v
		}
		if total-10 != want { // its first ten rose from the zero that it was born at
			t.Errorf("%s rose by %v, want %v", name, total-10, want)
		}
	}
}

func TestLedgerCommand(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\nhistograms: {small: \"1, 2.5\"}\n")
	command(t, "", "push", "--url", s.url(), "--id", "known", "--buckets", "small", `lat{r="/a"}~=0.5,2,7`, `runs_total{x="1"}+=2`, "temp=21.5")
	file := filepath.Join(t.TempDir(), "m.prom")
	if err := os.WriteFile(file, []byte("up 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "", "push", "--url", s.url(), "--job", "j", "--file", file)
	eventually(t, "it is written", func() bool { return s.number(`lat_count`) == 3 && s.number("up") == 1 })

	f := func(code int, says string, args ...string) string {
		t.Helper()
		out, got := command(t, "", append([]string{"ledger"}, args...)...)
		if got != code || !strings.Contains(out, says) {
			t.Errorf("narthex ledger %v: exit %d, %q; want exit %d and %q", args, got, out, code, says)
		}
		return out
	}
	url := "--url=" + s.url()
	f(0, "3 observations  (histogram, changed", "list", url, "lat")
	f(0, `"count": "3"`, "get", url, `lat{r="/a"}`)
	f(0, `of the group {job="j"}`, "list", url, "up")
	f(0, `"type":"gauge"`, "list", url, "--format", "json", "temp")
	f(0, "there are more than 2", "list", url, "--limit", "2")
	f(3, "keeps no series", "get", url, "runs_total")
	f(3, "DELETE /metrics/job/", "delete", url, `up{job="j"}`)
	f(3, "set it to 0", "set", url, `lat{r="/a"}`, "7")
	f(3, "keeps no such series", "set", url, "none", "7")
	f(2, "neither a finite number", "set", url, "temp", "warm")
	f(2, "picks several series", "delete", url, `runs_total{x=~"1"}`)
	f(2, "want name", "list", url, "=")
	f(2, "say what to do")
	f(2, "no narthex ledger lsit", "lsit")
	f(2, "give one", "list", url, "--data", "x")
	f(2, "no such file", "import", url, file+".gone")
	f(4, "refused", "list", "--url", "http://127.0.0.1:1")
	f(1, "there is no ledger in", "list", "--data", t.TempDir())
	f(1, "in use", "list", "--data", filepath.Join(s.dir, "data"))
	f(3, "is not empty", "import", url, os.DevNull)

	var got struct{ Histogram json.RawMessage }
	if err := json.Unmarshal([]byte(f(0, "", "get", url, `lat{r="/a"}`)), &got); err != nil {
		t.Fatal(err)
	}
	f(0, "is 0 from the next tick on", "set", url, `lat{r="/a"}`, "0")
	eventually(t, "the histogram is 0", func() bool { return s.number("lat_count") == 0 && s.number(`lat_bucket{le="+Inf"}`) == 0 })
	f(0, "from the next tick on", "set", url, `lat{r="/a"}`, string(got.Histogram))
	f(0, "from the next tick on", "set", url, "temp", "-1")
	eventually(t, "the histogram is back", func() bool { return s.number("lat_sum") == 9.5 && s.number("temp") == -1 })

	backup := filepath.Join(t.TempDir(), "backup.jsonl")
	f(0, "bytes", "export", url, backup)
	f(0, "6 series were left as they are", "import", url, "--merge", backup)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	// Of a narthex that does not run: the same, and a restore into a new directory.
	data := "--data=" + filepath.Join(s.dir, "data")
	f(0, "temp -1  (gauge", "list", data, "temp")
	f(0, "from the next tick on", "set", data, "temp", "3")
	f(0, "imported 6 series", "import", "--data", filepath.Join(s.dir, "new"), backup)
	f(3, "is not empty", "import", "--data", filepath.Join(s.dir, "new"), backup)
	store := "--state=file:" + filepath.Join(s.dir, "sharded")
	f(4, "there is no ledger", "list", store)
	f(0, "imported 6 series", "import", store, backup)
	f(0, "2  (counter", "list", store, "runs_total")
	f(0, "from the next tick on", "set", store, `runs_total{x="1"}`, "12")
	f(0, "12  (counter, changed since", "list", store, "runs_total")
	f(0, "1 series end", "delete", store, "temp")
	f(0, `"series":6`, "export", store) // and one that is to end
	s.start()
	eventually(t, "what was set while it did not run", func() bool { return s.number("temp") == 3 })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}

	if err := os.Rename(filepath.Join(s.dir, "data"), filepath.Join(s.dir, "lost")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.dir, "new"), filepath.Join(s.dir, "data")); err != nil {
		t.Fatal(err)
	}
	s.start()
	if out, code := command(t, "", "push", "--url", s.url(), "--id", "known", "--buckets", "small", `lat{r="/a"}~=0.5,2,7`, `runs_total{x="1"}+=2`, "temp=21.5"); code != 0 || !strings.Contains(out, "duplicate") {
		t.Errorf("an id from before the restore: exit %d, %s", code, out)
	}
	eventually(t, "what was restored", func() bool {
		return s.number("temp") == -1 && s.number("lat_count") == 3 && s.number(`runs_total`) == 2 && s.number("up") == 1
	})
}

// The doors are for administrators.
func TestLedgerWantsAdmin(t *testing.T) {
	token, code := command(t, "", "token", "--name", "pusher", "--scope", "push,query")
	if code != 0 {
		t.Fatal(token)
	}
	secret, config, _ := strings.Cut(token, "\n")
	s := newServer(t, config)
	t.Setenv("NARTHEX_TOKEN", secret)
	if out, code := command(t, "", "ledger", "list", "--url", s.url()); code != 3 || !strings.Contains(out, "wants the scope admin") {
		t.Errorf("exit %d, %s", code, out)
	}
	t.Setenv("NARTHEX_TOKEN", "")
	if out, code := command(t, "", "ledger", "export", "--url", s.url()); code != 3 || strings.Contains(out, "narthex_ledger") {
		t.Errorf("exit %d, %s", code, out)
	}
}
