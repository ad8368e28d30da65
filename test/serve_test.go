package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command runs the program to its end and returns what it printed and its exit
// code.
func command(t testing.TB, stdin string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command(program(t), args...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// What is acknowledged before a stop, asked for or not, is there after it.
func TestStopLosesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	for i, end := range []func() error{s.stop, func() error { s.kill(); return nil }} {
		s.push(fmt.Sprintf(`{"id":"%d","counters":[{"name":"a_total","add":1}],"gauges":[{"name":"g","set":%d}],"series":{"labels":{"__name__":"raw"},"samples":[{"value":%d}]}}`, i, i, i))
		if err := end(); err != nil {
			t.Fatalf("stop: %v", err)
		}
		s.start()
		eventually(t, "all of it is there", func() bool {
			return s.value("a_total") == fmt.Sprint(i+1) && s.value("g") == fmt.Sprint(i) && s.value("raw") == fmt.Sprint(i)
		})
	}
	if got := len(samples(t, s.url(), "raw")); got != 2 {
		t.Errorf("%d raw samples, want 2", got)
	}
	code, answer := s.push(`{"id":"0","counters":[{"name":"a_total","add":1}],"gauges":[{"name":"g","set":0}],"series":{"labels":{"__name__":"raw"},"samples":[{"value":0}]}}`)
	if code != http.StatusOK || answer["status"] != "duplicate" {
		t.Errorf("a push from before the restarts: %d %v", code, answer)
	}
	code, answer = s.push(`{"id":"0","counters":[{"name":"a_total","add":9}]}`)
	if code != http.StatusUnprocessableEntity {
		t.Errorf("its id with another body: %d %v", code, answer)
	}
}

func TestServeRefuses(t *testing.T) {
	s := newServer(t, "")
	data := filepath.Join(s.dir, "data")
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"a second start on the same directory", []string{"--data", data, "--listen", "127.0.0.1:0"}, 1, "another"},
		{"a second start on the same port", []string{"--data", t.TempDir(), "--listen", s.Address}, 1, "is another narthex running?"},
		{"listening beyond loopback", []string{"--listen", "0.0.0.0:0"}, 2, "--insecure-no-auth"},
		{"listening on all addresses", []string{"--listen", ":0"}, 2, "--insecure-no-auth"},
		{"no address", []string{"--listen", "nonsense"}, 2, "want host:port"},
		{"an unknown flag", []string{"--lisen", ":0"}, 2, "narthex help serve"},
		{"an argument", []string{"now"}, 2, "no arguments"},
		{"a configuration that is not there", []string{"--config", "none.yml"}, 2, "none.yml"},
	} {
		out, code := command(t, "", append([]string{"serve"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d, %q; want exit %d and %q", c.name, code, out, c.code, c.says)
		}
	}
}

// A web page can't push through its visitor's browser.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := newServer(t, "hosts: [metrics.example]\n")
	const body = `{"counters":[{"name":"a_total","add":1}]}`
	for _, c := range []struct {
		header []string
		want   int
	}{
		{nil, 200},
		{[]string{"Host", "localhost"}, 200},
		{[]string{"Host", "metrics.example:9091"}, 200},
		{[]string{"Host", "127.0.0.1:80", "Origin", "http://127.0.0.1:80"}, 200},
		{[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost"}, 200},
		{[]string{"Host", "evil.example"}, 421},
		{[]string{"Host", "localhost.evil.example"}, 421},
		{[]string{"Host", "evil.example", "Origin", "http://evil.example"}, 421},
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"}, 403},
	} {
		if code, answer := s.push(body, c.header...); code != c.want {
			t.Errorf("%v: %d %v, want %d", c.header, code, answer, c.want)
		}
	}
	eventually(t, "the allowed ones are counted, no others", func() bool { return s.value("a_total") == "5" })
}

func TestPages(t *testing.T) {
	s := newServer(t, "")
	for path, want := range map[string]string{
		"/":                          "text/html",
		"/-/healthy":                 "healthy",
		"/-/ready":                   "ready",
		"/metrics":                   "narthex_ledger_series 0",
		"/api/v1/status/buildinfo":   `"version"`,
		"/api/v1/receipts":           `"receipts":[]`,
		"/api/v1/query?query=1%2B1":  `"2"`,
		"/api/v1/query?query=1&time": `"1"`,
	} {
		resp, err := http.Get(s.url() + path)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(b.String()+resp.Header.Get("Content-Type"), want) {
			t.Errorf("%s: %s %.300s", path, resp.Status, b.String())
		}
	}
	if code, _ := s.push(`[]`); code != http.StatusBadRequest {
		t.Errorf("an array: %d", code)
	}
}

func TestPushCommand(t *testing.T) {
	s := newServer(t, "scrape_interval: 1s\n")
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		{"", []string{"--id", "one", `a_total{shop="zug",note="say \"+=1\", {ok}"}+=2.5`, "g=-7"}, 0, "accepted: 2"},
		{"", []string{"--id", "one", `a_total{shop="zug",note="say \"+=1\", {ok}"}+=2.5`, "g=-7"}, 0, "duplicate: 2"},
		{"", []string{"--id", "one", "a_total+=3"}, 3, "used before"},
		{"", []string{"--service", "shop", "b_total+=1", "9bad+=1"}, 3, "1 of 2 were rejected"},
		{"", []string{"a_total+=-1"}, 3, "rejected"},
		{`{"counters":[{"name":"c_total","add":4}]}`, []string{"-"}, 0, "accepted: 1"},
		{`{"counters":`, []string{"-"}, 3, ""},
		{"", []string{"a_total"}, 2, "NAME+=N"},
		{"", []string{"a_total+=x"}, 2, "finite number"},
		{"", []string{`a{b=c}+=1`}, 2, "quotes"},
		{"", []string{}, 2, "nothing to push"},
		{"", []string{"--timeout", "50ms", "--url", "http://127.0.0.1:1", "a_total+=1"}, 4, "under the id"},
	} {
		args := append([]string{"push", "--url", s.url()}, c.args...)
		if out, code := command(t, c.stdin, args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("push %q: exit %d, %q; want exit %d and %q", c.args, code, out, c.code, c.says)
		}
	}
	eventually(t, "the pushes are shown", func() bool {
		return s.value(`a_total{note="say \"+=1\", {ok}"}`) == "2.5" && s.value("g") == "-7" && s.value(`b_total{service="shop"}`) == "1" && s.value("c_total") == "4"
	})
	out, _ := command(t, "", "push", "--url", s.url(), "--json", "--id", "two", "g=1")
	var receipt struct{ ID, Status string }
	if err := json.Unmarshal([]byte(out), &receipt); err != nil || receipt.ID != "two" || receipt.Status != "accepted" {
		t.Errorf("--json: %q, %v", out, err)
	}
	eventually(t, "the receipt tells the tick", func() bool {
		resp, err := http.Get(s.url() + "/api/v1/receipts/two")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var status struct {
			Status  string
			Written time.Time
		}
		json.NewDecoder(resp.Body).Decode(&status)
		return status.Status == "written" && status.Written.Nanosecond() == 0 && time.Since(status.Written) < time.Minute
	})
}

func TestHelp(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "Commands:"},
		{[]string{"help"}, 0, "narthex push"},
		{[]string{"help", "serve"}, 0, "--insecure-no-auth"},
		{[]string{"serve", "--help"}, 0, "--insecure-no-auth"},
		{[]string{"help", "nothing"}, 2, "no help"},
		{[]string{"nothing"}, 2, "no command"},
		{[]string{"serve", "--nothing"}, 2, "narthex serve: flag provided but not defined: -nothing; narthex help serve tells its flags\n"},
		{[]string{"push", "--url", "nonsense", "a+=1"}, 2, "--url (or $NARTHEX_URL) is no address such as"},
		{[]string{"ledger", "list", "--url", "ftp://a"}, 2, "--url (or $NARTHEX_URL) is no address such as"},
		{[]string{"logs", "--to", "nonsense", "-"}, 2, "--to is no address such as"},
		{[]string{"cost", "--series", "1", "--url", "localhost:9091"}, 2, "--url is no address such as"},
		{[]string{"lambda", "--remote-write", "nonsense"}, 2, "--remote-write is no address such as"},
		{[]string{"agent", "--remote-write", "nonsense"}, 2, "--remote-write is no address such as"},
		{[]string{"agent", "--remote-write", "http://127.0.0.1:1/w", "--scrape", "nonsense"}, 2, "--scrape (number 1) is no address such as"},
		{[]string{"token", "--name", ""}, 2, "--name is empty"},
		{[]string{"version", "nothing"}, 2, "no arguments"},
		{[]string{"version"}, 0, "narthex "},
		{[]string{"check", "--defaults"}, 0, "scrape_interval"},
		{[]string{"check", "--reference"}, 0, "| "},
		{[]string{"check", "testdata/wrong.yml"}, 2, `testdata/wrong.yml:2: unknown key "scrape_intervall"; did you mean "scrape_interval"?`},
	} {
		if out, code := command(t, "", c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("narthex %q: exit %d, %q; want exit %d and %q", c.args, code, out, c.code, c.says)
		} else if code != 0 && len(c.args) > 0 && strings.Contains(out, "usage:") {
			t.Errorf("narthex %q: what is wrong stands below the help:\n%s", c.args, out)
		}
	}
}
