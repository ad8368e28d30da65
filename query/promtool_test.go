package query_test

import (
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// promtool is the client that everyone has.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing: apt-get install prometheus")
	}
	s := httptest.NewServer(serve(options(fill(t))))
	defer s.Close()
	for _, r := range []struct {
		args []string
		want []string // the lines; in any order
	}{
		{[]string{"instant", "--time", "1800000060", s.URL, "up"}, []string{
			`up{instance="a", job="shop"} => 1 @[1800000060]`,
			`up{instance="b", job="shop"} => 0 @[1800000060]`,
		}},
		{[]string{"range", "--start", "1800000000", "--end", "1800000030", "--step", "15s", s.URL, "req_total"}, []string{
			`req_total{job="shop"} =>`, `0 @[1800000000]`, `10 @[1800000015]`, `20 @[1800000030]`,
		}},
		{[]string{"labels", s.URL, "instance"}, []string{"a", "b"}},
		{[]string{"series", "--match", "up", s.URL}, []string{
			`{__name__="up", instance="a", job="shop"}`, `{__name__="up", instance="b", job="shop"}`,
		}},
	} {
		args := append([]string{"query"}, r.args...)
		out, err := exec.Command(tool, args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %q: %v: %s", args, err, out)
			continue
		}
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(got)
		slices.Sort(r.want)
		if !slices.Equal(got, r.want) {
			t.Errorf("promtool %q says %q", args, got)
		}
	}
}
