package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of docs/clients.md.
type block struct {
	line     int
	language string
	text     string
	skipped  bool        // the page says that it is not run
	expect   [][2]string // what PromQL says afterwards: an expression and its value
}

var expectation = regexp.MustCompile(`^<!-- expect: (.+) is (\S+) -->$`)

// clientBlocks reads the page.
func clientBlocks(t *testing.T, path string) []block {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	open, skip := false, false
	for i, line := range strings.Split(string(page), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			blocks = append(blocks, block{line: i + 1, language: language, skipped: skip})
			open, skip = true, false
		case fence:
			open = false
		case open:
			blocks[len(blocks)-1].text += line + "\n"
		case strings.HasPrefix(line, "*Not run: "):
			skip = true
		case strings.HasPrefix(line, "<!--"):
			m := expectation.FindStringSubmatch(line)
			if m == nil || len(blocks) == 0 {
				t.Fatalf("%s:%d: not an expectation: %s", path, i+1, line)
			}
			b := &blocks[len(blocks)-1]
			b.expect = append(b.expect, [2]string{m[1], m[2]})
		case line != "" && skip:
			t.Fatalf("%s:%d: want a block after what says that it is not run", path, i+1)
		}
	}
	return blocks
}

// What docs/clients.md shows works, as it stands there.
func TestClientsPage(t *testing.T) {
	t.Parallel()
	const page = "../docs/clients.md"
	blocks := clientBlocks(t, page)
	s := newServer(t, "scrape_interval: 1s\n")
	r := newRunner(t, s)
	ran := make(map[string]int)
	for _, b := range blocks {
		if b.skipped {
			if len(b.expect) > 0 {
				t.Errorf("%s:%d: a block that is not run leaves nothing behind", page, b.line)
			}
			continue
		}
		if len(b.expect) == 0 {
			t.Errorf("%s:%d: a block that is run says what it leaves behind", page, b.line)
		}
		if out, err := r.run(b); err != nil {
			t.Errorf("%s:%d: %v\n%s", page, b.line, err, out)
			continue
		}
		ran[b.language]++
		for _, e := range b.expect {
			eventually(t, fmt.Sprintf("%s:%d: %s is %s", page, b.line, e[0], e[1]), func() bool { return s.value(e[0]) == e[1] })
		}
	}
	for _, language := range []string{"sh", "js", "cjs", "python", "go"} {
		if ran[language] == 0 {
			t.Errorf("no block of %s was run", language)
		}
	}
}

// runner runs blocks by their languages, in one directory, where the packages
// that they import are.
type runner struct {
	dir, bin string
	env      []string
	python   string
}

func newRunner(t *testing.T, s *server) *runner {
	t.Helper()
	r := &runner{dir: nodeProject(t), bin: filepath.Dir(program(t)), python: pythonWithClient(t)}
	for name, dir := range map[string]string{"prom-client": "clients/node", "prometheus-remote-write": "../clients/node"} {
		r.link(t, name, dir)
	}
	r.env = append(os.Environ(), "NARTHEX_URL="+s.url(), "PATH="+r.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return r
}

// link makes a package that is installed in dir one of the project.
func (r *runner) link(t *testing.T, name, dir string) {
	t.Helper()
	source, err := filepath.Abs(filepath.Join(dir, "node_modules", name))
	if err != nil {
		t.Fatal(err)
	}
	npmInstall(t, dir)
	if err := os.Symlink(source, filepath.Join(r.dir, "node_modules", name)); err != nil {
		t.Fatal(err)
	}
}

// pythonWithClient returns a Python that has the official client: Debian's
// package is for Debian's Python, which need not be the first in PATH.
func pythonWithClient(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import prometheus_client").Run() == nil {
			return name
		}
	}
	t.Fatal("this test needs Python and its Prometheus client: apt-get install python3 python3-prometheus-client")
	return ""
}

// run runs a block and returns what it says.
func (r *runner) run(b block) (string, error) {
	commands := map[string][]string{
		"sh":     {"sh", "-eu"},
		"js":     {"node"},
		"cjs":    {"node"},
		"python": {r.python},
		"go":     {"go", "run"},
	}
	command, known := commands[b.language]
	if !known {
		return "", fmt.Errorf("nothing runs blocks of %q: say above it that it is not run", b.language)
	}
	suffix := map[string]string{"js": "mjs", "python": "py"}[b.language]
	if suffix == "" {
		suffix = b.language
	}
	file := filepath.Join(r.dir, fmt.Sprintf("block%d.%s", b.line, suffix))
	if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command(command[0], append(command[1:], file)...)
	cmd.Env, cmd.Dir = r.env, r.dir
	if b.language == "go" {
		cmd.Dir = "" // its imports are those of this module
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
