package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// narthex push takes observations and files of metrics.
func TestPushCommandObservesAndPushesFiles(t *testing.T) {
	s := newServer(t, "scrape_interval: 1s\nhistograms: {small: \"1, 2.5\"}\n")
	file := filepath.Join(t.TempDir(), "metrics.prom")
	if err := os.WriteFile(file, []byte("# TYPE done counter\ndone 3\n# TYPE up gauge\nup 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(code int, says, stdin string, args ...string) {
		t.Helper()
		out, got := command(t, stdin, append([]string{"push", "--url", s.url()}, args...)...)
		if got != code || !strings.Contains(out, says) {
			t.Errorf("narthex push %v: exit %d, %q; want exit %d and %q", args, got, out, code, says)
		}
	}
	f(0, "accepted: 3", "", "--buckets", "small", `lat{r="/a"}~=0.125,2.5, 7`, `lat{r="/b"}~=1`, "runs_total+=2")
	f(0, "accepted: 1", "", "plain~=0.3")
	f(0, "accepted (id once)", "", "--job", "backup", "--instance", "a/b", "--group", "region=eu", "--group", "none=", "--file", file, "--ttl", "1h", "--id", "once")
	f(0, "accepted (id once)", "", "--job", "backup", "--instance", "a/b", "--group", "region=eu", "--group", "none=", "--file", file, "--ttl", "1h", "--id", "once")
	f(0, "accepted", "more 1\n", "--job", "backup", "--instance", "a/b", "--group", "region=eu", "--add", "--file", "-")
	for range 2 {
		f(0, "accepted: 2", "", "--job", "sum", "--aggregate", "--file", file)
		f(0, "accepted: 2", "", "--job", "totals", "--aggregate", "--source", "me", "--file", file)
	}
	f(0, "accepted", "# TYPE om counter\nom_total 4\n# EOF\n", "--job", "om", "--file", "-")

	f(3, "must not have timestamps", "m 1 5\n", "--job", "x", "--file", "-")
	f(3, "line 1", "what is this?\n", "--job", "x", "--file", "-")
	f(3, `the layout "smal" is not known`, "", "--buckets", "smal", "lat~=1")
	f(2, "--job NAME", "", "--file", file)
	f(2, "--file FILE", "", "--job", "x")
	f(2, "--file goes without items", "", "--job", "x", "--file", file, "runs_total+=1")
	f(2, "--source goes with --aggregate", "", "--job", "x", "--file", file, "--source", "me")
	f(2, "LABEL=VALUE", "", "--job", "x", "--file", file, "--group", "region")
	f(2, "no such file", "", "--job", "x", "--file", file+".gone")
	f(2, "--buckets goes with observations", "", "--buckets", "small", "runs_total+=1")
	f(2, `"" is not a finite number`, "", "lat~=")
	f(2, `"x" is not a finite number`, "", "lat~=1,x")
	f(2, "NAME~=N,N to observe", "", "lat~1")

	for expr, want := range map[string]string{
		`lat_bucket{r="/a",le="2.5"}`:                         "2",
		`lat_sum{r="/a"}`:                                     "9.625",
		`lat_count{r="/b"}`:                                   "1",
		`plain_bucket{le="0.5"}`:                              "1",
		`runs_total`:                                          "2",
		`done{job="backup",instance="a/b",region="eu"}`:       "3",
		`more{job="backup",instance="a/b",region="eu"}`:       "1",
		`done{job="sum"}`:                                     "6",
		`done{job="totals"}`:                                  "3",
		`up{job="sum"}`:                                       "1",
		`om_total{job="om"}`:                                  "4",
		`count(push_time_seconds{job="backup"})`:              "1",
		`push_failure_time_seconds{job="backup"}`:             "0",
		`push_failure_time_seconds{job="x"} > bool 0`:         "1",
		`push_time_seconds{job="backup"} > bool time() - 100`: "1",
	} {
		eventually(t, expr+" is "+want, func() bool { return s.value(expr) == want })
	}
}
