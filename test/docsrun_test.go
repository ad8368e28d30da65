package test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// typed is what a page has people type: an indented block, or a fenced one of a shell.
type typed struct {
	page     string
	line     int
	commands []string // continued lines joined
}

// notRun are commands that this test does not run, each with the reason. One that
// nothing in the documentation matches any more has to go.
var notRun = []struct {
	command *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`^make `), "a phase of .ci/run, or long; TestDocumentedNames knows the targets"},
	{regexp.MustCompile(`^(NARTHEX_ACCEPTANCE=1 )?go test `), "a benchmark, or a test at full size"},
	{regexp.MustCompile(`^apt-get `), "changes the machine; .ci/run installs the same"},
	{regexp.MustCompile(`^aws `), "wants an account; TestDeployed runs what is deployed"},
	{regexp.MustCompile(`npx cdk deploy`), "wants an account; TestDeployed runs what is deployed"},
	{regexp.MustCompile(`^cd deploy/cdk && npm ci$`), "make deploy-check does it"},
	{regexp.MustCompile(`^narthex lambda$`), "builds the function and uses fixed ports; TestLambda runs it"},
	{regexp.MustCompile(`127\.0\.0\.1:9092`), "asks narthex lambda; TestLambda does"},
	{regexp.MustCompile(`^narthex logs .*--follow`), "runs until it is stopped; TestFollow… run it"},
	{regexp.MustCompile(`^node function\.js`), "the reader's own program"},
	{regexp.MustCompile(`^/aggregate/`), "a path, not a command"},
	{regexp.MustCompile(`^NARTHEX_LOGS=`), "a variable of the function, not a command"},
	{regexp.MustCompile(`^narthex probe --write-scrape-config .*lambda-url`), "has an ellipsis for addresses"},
}

// Every command that the documentation has people type runs, and does not fail.
func TestDocumentedCommandsRun(t *testing.T) {
	r := newReader(t)
	used := make([]bool, len(notRun))
	ran := 0
	for page, text := range pages(t) {
		switch filepath.Base(page) {
		case "clients.md":
			continue // TestEcosystems and others run what is in it
		case "benchmarks.md":
			continue // make bench writes it, and runs what is in it
		}
		for _, b := range typedBlocks(page, text) {
			var script []string
			for _, c := range b.commands {
				skip := false
				for i, n := range notRun {
					if n.command.MatchString(c) {
						used[i], skip = true, true
					}
				}
				if !skip {
					script = append(script, c)
				}
			}
			if len(script) > 0 {
				ran += len(script)
				r.run(b, script)
			}
		}
	}
	for i, n := range notRun {
		if !used[i] {
			t.Errorf("nothing in the documentation is like %s any more: take it out of notRun", n.command)
		}
	}
	if ran < 25 {
		t.Errorf("%d commands were run: the test looks past them", ran)
	}
}

// typedBlocks returns the commands of a page.
func typedBlocks(page, text string) (out []typed) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		b := typed{page: page, line: i + 1}
		lang, fenced := strings.CutPrefix(lines[i], "```")
		switch {
		case fenced:
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); i++ {
				if lang == "sh" {
					b.add(lines[i])
				}
			}
		case strings.HasPrefix(lines[i], "    ") && i > 0 && lines[i-1] == "":
			for ; i < len(lines) && strings.HasPrefix(lines[i], "    "); i++ {
				b.add(lines[i])
			}
		}
		if len(b.commands) > 0 {
			out = append(out, b)
		}
	}
	return out
}

// add adds a line, to the one before if that is continued.
func (b *typed) add(line string) {
	line = strings.TrimSpace(line)
	if n := len(b.commands); n > 0 && strings.HasSuffix(b.commands[n-1], "\\") {
		b.commands[n-1] = strings.TrimSuffix(b.commands[n-1], "\\") + line
	} else if line != "" && !strings.HasPrefix(line, "#") {
		b.commands = append(b.commands, line)
	}
}

// reader does what the documentation says, on a machine of its own: a narthex that
// serves, a page, a place for logs in S3, and a directory with files of the names
// that the documentation uses.
type reader struct {
	t       *testing.T
	server  *server
	replace *strings.Replacer
	env     []string
	log     []byte
}

func newReader(t *testing.T) *reader {
	s := newServer(t, "scrape_interval: 1s\nprobes: {guard: {loopback: true}}\n")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "fine") }))
	t.Cleanup(page.Close)
	workspace := amazon(t, s.url())
	r := &reader{t: t, server: s, log: gzipLog([]byte(edgeLog + time.Now().Add(-time.Hour).UTC().Format("2006-01-02\t15:04:05") + "\tZRH50-C1\t512\t192.0.2.1\tGET\td1.example\t/v1/users/7\t200\t-\tcurl\t-\t-\tHit\tid1\tshop.example\thttps\t64\t0.02\n"))}
	r.replace = strings.NewReplacer(
		"go run ./cmd/narthex", "narthex", "http://127.0.0.1:9091", s.url(), "http://127.0.0.1:9090", s.url(), "http://127.0.0.1:8080", s.url(), "https://narthex.example", s.url(),
		"https://prometheus.example", s.url(), "https://shop.example", page.URL, "https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-…", workspace)
	s3 := awstest.S3(t)
	for _, bucket := range []string{"bucket", "logs"} {
		service := awstest.Session(t, s3).S3()
		if err := service.CreateBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		if _, err := service.Put(t.Context(), bucket, "AWSLogs/E1.2026-01-02-03.abc.gz", r.log, aws.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	r.env = append(os.Environ(), "PATH="+filepath.Dir(program(t))+":"+os.Getenv("PATH"), "TOKEN=any", "NARTHEX_TOKEN=any",
		"AWS_ACCESS_KEY_ID="+awstest.Key, "AWS_SECRET_ACCESS_KEY="+awstest.Secret, "AWS_REGION=us-west-2", "AWS_ENDPOINT_URL_S3="+s3)
	if code, answer := s.push(`{"counters":[{"name":"orders_total","labels":{"shop":"zug"},"add":1}]}`); code != http.StatusOK {
		t.Fatalf("push: %d %v", code, answer)
	}
	eventually(t, "the push is a sample", func() bool { return s.value("orders_total") != "" })
	return r
}

// functionPage tells of the function, and its narthex.yml is a function's.
const functionPage = "../docs/serverless.md"

// config is the narthex.yml of a page.
func (r *reader) config(page string) string {
	if page == filepath.Base(functionPage) {
		return fmt.Sprintf("ledger: {state: \"file:totals\"}\nremote_write: [{url: \"%s/api/v1/write\"}]\n", r.server.url())
	}
	return `scrape_interval: 15s
data: ./somewhere
query: {name: prod, url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-12ab34cd, sigv4: {role_arn: "arn:aws:iam::123456789012:role/narthex-view"}}
probes: {targets: [{name: shop, target: "https://shop.example", module: http_2xx}]}
logs: [{source: cdn, from: "s3://logs/AWSLogs/"}]
`
}

// amazon is a workspace of Amazon's: remote write under its path, and the rest of
// the API.
func amazon(t *testing.T, store string) string {
	t.Helper()
	to, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Authorization")
		r.Out.URL.Path = strings.Replace(r.In.URL.Path, "/remote_write", "/write", 1)
	}})
	t.Cleanup(server.Close)
	return server.URL
}

// run types the commands of a block, in a directory of their own.
func (r *reader) run(b typed, commands []string) {
	r.t.Helper()
	dir := r.t.TempDir()
	for name, text := range map[string]string{
		"narthex.yml": r.config(filepath.Base(b.page)), "event.json": `{"narthex":"tick"}`, "access.log.gz": string(r.log), "metrics.prom": "# TYPE nightly_files_total counter\nnightly_files_total 3\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	for i, c := range commands {
		commands[i] = r.stoppable(c)
	}
	ctx, stop := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.Join(commands, "\n"))
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, r.env, time.Second
	if b.page != functionPage {
		cmd.Env = append(cmd.Env, "NARTHEX_URL="+r.server.url()) // of the function that is another narthex
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("%s:%d: %v\n%s\n%s", b.page, b.line, err, strings.Join(commands, "\n"), out)
	}
}

// longRunning are commands that serve until they are stopped.
var longRunning = regexp.MustCompile(`^narthex (serve|agent)\b`)

// stoppable puts the test's addresses into a command, and has one that serves stop
// once it says that it is ready.
func (r *reader) stoppable(command string) string {
	command, _, _ = strings.Cut(r.replace.Replace(command), "    #")
	command = strings.TrimSpace(command)
	if !longRunning.MatchString(command) {
		// curl alone does not fail if the answer says that something is wrong.
		return regexp.MustCompile(`\bcurl `).ReplaceAllString(command, "curl -fsS ")
	}
	return `coproc P { exec ` + command + ` --listen 127.0.0.1:0; }; pid=$P_PID; while read -r line <&"${P[0]}"; do case $line in *ready*) kill -TERM $pid;; esac; done; wait $pid`
}
