package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"narthex/internal/narthextest"
)

// laptop is a narthex lambda as a process.
type laptop struct {
	t            testing.TB
	front, store string
	cmd          *exec.Cmd
	done         chan error
	out          narthextest.Log
}

// startLambda starts narthex lambda with our bootstrap, on free ports.
func startLambda(t testing.TB, data string, args ...string) *laptop {
	t.Helper()
	l := &laptop{t: t, done: make(chan error, 1)}
	l.cmd = exec.Command(program(t), append([]string{"lambda", bootstrap(t), "--listen", "127.0.0.1:0", "--store", "127.0.0.1:0", "--data", data}, args...)...)
	l.cmd.Stderr = &l.out
	out, err := l.cmd.StdoutPipe()
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			fmt.Fprintln(&l.out, in.Text())
			if m := regexp.MustCompile(`^samples +(?:are written to )?(http://[^ /]*)`).FindStringSubmatch(in.Text()); m != nil {
				l.store = m[1]
			}
			if m := regexp.MustCompile(`ready at (http://[^ ]*)`).FindStringSubmatch(in.Text()); m != nil {
				l.front = m[1]
				ready <- true
			}
		}
		ready <- false
		l.done <- l.cmd.Wait()
	}()
	t.Cleanup(func() {
		l.cmd.Process.Kill()
		if t.Failed() {
			t.Log(l.out.String())
		}
	})
	if !<-ready {
		t.Fatal("it did not start")
	}
	return l
}

// stop ends it as Ctrl-C does.
func (l *laptop) stop() {
	l.t.Helper()
	l.cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-l.done:
		if err != nil {
			l.t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		l.t.Fatal("it does not stop")
	}
}

// post sends a body and returns the status code and the answer.
func post(t testing.TB, url, contentType string, body []byte, header ...string) (int, string) {
	t.Helper()
	resp, text := fetch(t, http.MethodPost, url, body, append(header, "Content-Type", contentType)...)
	return resp.StatusCode, string(text)
}

// The README's push works against the function on a laptop, behind each front;
// the samples are in the store that came with it, and no push is lost or counted
// twice when it is stopped and started.
func TestLambdaOnALaptop(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	const push = `{"id":%q,"counters":[{"name":"orders_total","labels":{"shop":"zug"},"add":1}]}`
	total := 0
	for _, front := range []string{"url", "http-api", "rest", "alb"} {
		l := startLambda(t, data, "--front", front, "--tick", "1s")
		for range 2 { // the second one is a retry
			code, text := post(t, l.front+"/api/v1/push", "application/x-www-form-urlencoded", fmt.Appendf(nil, push, front)) // as curl -d does
			if code != http.StatusOK || !strings.Contains(text, `"status":"queued"`) {
				t.Errorf("%s: %d %s", front, code, text)
			}
		}
		total++
		want := fmt.Sprint(total)
		eventually(t, "the total is "+want+" in the store", func() bool {
			r := query(t, l.store, "orders_total", time.Time{})
			return len(r) == 1 && r[0].Value.v == want
		})
		l.stop()
		for _, line := range []string{"POST /api/v1/push", "sqs, 1 record", "scheduled event", "cold start"} {
			if !strings.Contains(l.out.String(), line) {
				t.Errorf("%s: it says nothing of %q", front, line)
			}
		}
		if strings.Contains(l.out.String(), "WARN") {
			t.Errorf("%s: it warns of what nobody asked for:\n%s", front, l.out.String())
		}
	}
}

func TestLambdaCommand(t *testing.T) {
	t.Parallel()
	l := startLambda(t, t.TempDir(), "--tick", "2m", "--mode", "direct", "--env", "NARTHEX_GROUPS=2")
	api := l.front + "/2015-03-31/functions/function/invocations"
	code, text := post(t, api, "application/json", []byte(`{"narthex":"tick"}`))
	var answer struct{ Groups int }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK || answer.Groups != 2 {
		t.Errorf("a command: %d %s", code, text)
	}
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		if code, text := post(t, l.front+"/api/v1/push", "text/plain", []byte("{}"), header...); code != http.StatusForbidden {
			t.Errorf("a web page's request with %v: %d %s", header, code, text)
		}
	}
	l.stop()
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--front", "fax"}, `--front is "fax": want url, http-api, rest, alb`, 2},
		{[]string{"--listen", "0.0.0.0:1"}, "want an address of this machine alone", 2},
		{[]string{"--tick", "1ms"}, "want 1s to 2m", 2},
		{[]string{"--mode", "x"}, "want queue or direct", 2},
		{[]string{"--env", "x"}, "want KEY=VALUE", 2},
		{[]string{"a", "b"}, `it takes one program, but got "b" too`, 2},
		{nil, "name the function's program", 2},
		{[]string{"missing.zip", "--listen", "127.0.0.1:0", "--store", "127.0.0.1:0"}, "missing.zip", 1},
		{[]string{bootstrap(t), "--listen", "127.0.0.1:0", "--store", "127.0.0.1:0", "--config", "none.yml"}, "none.yml", 2},
	} {
		cmd := exec.Command(program(t), append([]string{"lambda"}, c.args...)...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: %d %s", c.args, cmd.ProcessState.ExitCode(), out)
		}
	}
}
