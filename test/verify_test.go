package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/verify"
)

// verified is what narthex verify prints as JSON.
type verified struct {
	verify.Report
	Strategies []verify.Strategy
}

func verifyAt(t testing.TB, args ...string) verified {
	t.Helper()
	out, code := command(t, "", append([]string{"verify", "--format", "json"}, args...)...)
	var v verified
	if err := json.Unmarshal([]byte(out), &v); code != 0 || err != nil {
		t.Fatalf("narthex verify %q: exit %d, %v: %s", args, code, err, out)
	}
	return v
}

// found are findings by capability; a trailing … stands for anything.
type found map[string]string

func (f found) compare(t testing.TB, r verify.Report) {
	t.Helper()
	for capability, want := range f {
		got := r.Find(capability)
		begin, open := strings.CutSuffix(want, "…")
		if got.Found != want && !(open && strings.HasPrefix(got.Found, begin)) {
			t.Errorf("%s: %q (%s), want %q", capability, got.Found, got.Evidence, want)
		}
	}
}

// What is found of each real receiver, with queries and without.
func TestVerify(t *testing.T) {
	t.Parallel()
	strict := found{
		verify.RemoteWrite1: "yes", verify.OldestSample: "about 1h", verify.OtherValue: "refused",
		verify.UTF8Names: "yes", verify.SameAgain: "taken, stored once", verify.FutureSamples: "",
	}
	prometheus3 := found{
		verify.RemoteWrite2: "yes", verify.NativeHisto: "yes", verify.Exemplars: "yes", verify.StartTimes: "taken, without effect",
		verify.Partial1: "nothing is stored", verify.Partial2: "the good ones are stored", verify.SaysDuplicate: `400 "duplicate sample for timestamp…`,
	}
	prometheus2 := found{
		verify.RemoteWrite2: "no", verify.NativeHisto: "no", verify.Exemplars: "taken, and not stored", verify.StartTimes: "no",
		verify.Partial1: "nothing is stored", verify.Partial2: "", verify.SaysDuplicate: `400 "duplicate sample for timestamp…`,
	}
	noWindow := found{verify.OutOfOrder: "no", verify.SortsRequests: "lost without a word", verify.SaysOutOfOrder: `400 "out of order sample…`}
	window := found{verify.OutOfOrder: "about 1h", verify.SortsRequests: "yes"}
	starts := map[string]func(testing.TB) receiver{"Prometheus of Debian, no window": func(t testing.TB) receiver {
		base := startPrometheus(t, "{}\n").base
		return receiver{write: base + "/api/v1/write", base: base}
	}, "narthex": func(t testing.TB) receiver {
		s := newServer(t, "utf8_names: true\n")
		return receiver{write: s.url() + "/api/v1/write", base: s.url()}
	}}
	for name, start := range startReceiver() {
		starts[name] = start
	}
	for name, want := range map[string][]found{
		"Prometheus 3, no window":         {strict, prometheus3, noWindow},
		"Prometheus 3, 1h window":         {strict, prometheus3, window, {verify.SaysOutOfOrder: `400 "too old sample…`}},
		"Prometheus of Debian":            {strict, prometheus2, window, {verify.SaysOutOfOrder: `500 "too old sample…`}},
		"Prometheus of Debian, no window": {strict, prometheus2, noWindow},
		"narthex": {strict, window, {
			verify.RemoteWrite2: "yes", verify.NativeHisto: "yes", verify.Exemplars: "yes",
			verify.Partial1: "the good ones are stored", verify.Partial2: "the good ones are stored",
		}},
		"VictoriaMetrics": {{
			verify.RemoteWrite1: "yes", verify.RemoteWrite2: "no", verify.OutOfOrder: "at least 6h", verify.OldestSample: "at least 6h",
			verify.SameAgain: "taken, stored twice", verify.OtherValue: "taken, what is stored: 1 and 2", verify.SortsRequests: "yes",
			verify.Partial1: "nothing was refused", verify.NativeHisto: "taken, and not stored", verify.UTF8Names: "yes",
			verify.Exemplars: "taken, and not stored", verify.SaysDuplicate: "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rc := starts[name](t)
			v := verifyAt(t, rc.write, "--query", rc.base)
			for _, f := range want {
				f.compare(t, v.Report)
			}
			if !v.ReadBack {
				t.Error("it was not read back")
			}
			goodSettings(t, v.Settings)
			blind := verifyAt(t, "--empty-workspace", rc.write)
			agrees(t, v.Report, blind.Report)
			goodSettings(t, blind.Settings)
			ahead := blind.Find(verify.FutureSamples).Found
			if want := map[string]string{"Prometheus 3, no window": "about 10m", "Prometheus 3, 1h window": "about 10m", "narthex": ""}[name]; want != "" && ahead != want || ahead == "" {
				t.Errorf("ahead of now: %q, want %q", ahead, want)
			}
		})
	}
}

// goodSettings: narthex check takes them.
func goodSettings(t testing.TB, lines []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "narthex.yml")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := command(t, "", "check", file); code != 0 {
		t.Errorf("narthex check of\n%s\nexit %d: %s", strings.Join(lines, "\n"), code, out)
	}
}

// agrees: what the answers tell is not the contrary of what a query does.
func agrees(t testing.TB, read, blind verify.Report) {
	t.Helper()
	for _, capability := range []string{verify.RemoteWrite1, verify.RemoteWrite2, verify.OutOfOrder, verify.OldestSample, verify.Partial1, verify.Partial2} {
		if a, b := read.Find(capability).Found, blind.Find(capability).Found; a != b {
			t.Errorf("%s: %q, by the answers alone %q", capability, a, b)
		}
	}
}

// The delivery strategies, as in docs/verify.md: who is right, and what the others
// make of the truth.
func TestVerifyStrategies(t *testing.T) {
	t.Parallel()
	for name, right := range map[string]string{
		"Prometheus 3, no window": "S4 S7 S8b",
		"Prometheus 3, 1h window": "S3 S4 S7 S8b",
		"VictoriaMetrics":         "S4 S5 S8b",
	} {
		t.Run(name, func(t *testing.T) {
			rc := startReceiver()[name](t)
			v := verifyAt(t, "--strategies", "--query", rc.base, rc.write)
			by := map[string]verify.Strategy{}
			got := ""
			for _, s := range v.Strategies {
				by[s.Name] = s
				if s.Right() {
					got += " " + s.Name
				}
			}
			if strings.TrimSpace(got) != right {
				t.Errorf("right are%s, want %s\n%+v", got, right, v.Strategies)
			}
			if s := by["S8a"]; s.Falls == 0 || s.Got < 1.5*s.Truth {
				t.Errorf("a counter that its senders stamp has %d falls and counts %v of %v", s.Falls, s.Got, s.Truth)
			}
			if s := by["S1"]; s.Series < 60 {
				t.Errorf("a series for each push makes %d series", s.Series)
			}
			if s := by["S4"]; s.Refused != 0 || s.Falls != 0 || s.Series != 1 {
				t.Errorf("one writer: %+v", s)
			}
		})
	}
}

func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	rc := inProcess(t, time.Hour)
	out, code := command(t, "", "verify", "--query", rc.base, "--strategies", rc.write)
	for _, says := range []string{"remote write 2.0", "about 1h\n", "In narthex.yml:", "    - url: " + rc.write, "S4   one writer adds up", "  right\n"} {
		if code != 0 || !strings.Contains(out, says) {
			t.Errorf("exit %d, %q is missing in\n%s", code, says, out)
		}
	}
	for want, args := range map[string][]string{
		"it takes one address":        {},
		"want text or json":           {rc.write, "--format", "xml"},
		"wants --query":               {rc.write, "--strategies"},
		"NAME:VALUE":                  {rc.write, "--header", "x"},
		"want 1m to 24h":              {rc.write, "--max-age", "1s"},
		"no such file":                {rc.write, "--bearer-token-file", "/nonexistent/token"},
		"is the address right":        {rc.base + "/other"},
		"give one":                    {rc.write, "--sigv4", "x", "--bearer-token-file", "x"},
		"has to be of the form":       {"localhost:9090"},
		"it takes one address; narth": {rc.write, "another"},
	} {
		if out, code := command(t, "", append([]string{"verify"}, args...)...); code != 2 || !strings.Contains(out, want) {
			t.Errorf("narthex verify %q: exit %d, %s; want 2 and %q", args, code, out, want)
		}
	}
	if out, code := command(t, "", "verify", "http://127.0.0.1:1/api/v1/write"); code != 4 || !strings.Contains(out, "can't be reached") {
		t.Errorf("exit %d, %s", code, out)
	}
}

// Credentials: a narthex that wants a token.
func TestVerifyWithToken(t *testing.T) {
	t.Parallel()
	token, element := makeToken(t, "--name", "v", "--scope", "push,query")
	s := newServer(t, "auth:\n  tokens:\n"+element)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--bearer-token-file", file}, {"--header", "Authorization: Bearer " + token}} {
		v := verifyAt(t, append(args, "--query", s.url(), s.url()+"/api/v1/write")...)
		if v.Find(verify.RemoteWrite2).Found != "yes" {
			t.Errorf("%q: %+v", args, v.Findings)
		}
	}
	if out, code := command(t, "", "verify", s.url()+"/api/v1/write"); code != 3 || !strings.Contains(out, "refuses the credentials") {
		t.Errorf("exit %d, %s", code, out)
	}
}
