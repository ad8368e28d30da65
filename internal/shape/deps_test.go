package shape_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns what stands under a heading.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, heading+"\n")
	if !found {
		t.Fatalf("there is no %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n#")
	return rest
}

// quoted returns what is in backticks, with {a,b} written out.
func quoted(text string) []string {
	var out []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		before, rest, braces := strings.Cut(m[1], "{")
		names, after, closed := strings.Cut(rest, "}")
		if !braces || !closed {
			out = append(out, m[1])
			continue
		}
		for _, name := range strings.Split(names, ",") {
			out = append(out, before+name+after)
		}
	}
	return out
}

// TestModulesHaveReasons: each module that go.mod requires for this one itself is
// in the table of docs/design.md, and none is there that is not.
func TestModulesHaveReasons(t *testing.T) {
	var table strings.Builder
	for line := range strings.Lines(section(t, read(t, "docs/design.md"), "### Dependencies")) {
		if strings.HasPrefix(line, "| `") {
			names, reason, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
			if len(strings.Trim(reason, "| \n")) < 5 {
				t.Errorf("docs/design.md: %s has no reason", names)
			}
			table.WriteString(names)
		}
	}
	listed := quoted(table.String())
	used := make(map[string]bool)
	required, _, _ := strings.Cut(section(t, read(t, "go.mod"), "require ("), "\n)")
	for line := range strings.Lines(required) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		found := false
		for _, l := range listed {
			prefix := strings.TrimSuffix(l, "…")
			if name == l || strings.HasPrefix(name, prefix+"/") || prefix != l && strings.HasPrefix(name, prefix) {
				found, used[l] = true, true
			}
		}
		if !found {
			t.Errorf("go.mod requires %s, which has no line in docs/design.md, Dependencies", name)
		}
	}
	for _, l := range listed {
		if !used[l] {
			t.Errorf("docs/design.md gives a reason for %s, which go.mod does not require", l)
		}
	}
}

// TestPackagesHaveReasons: the same of npm's packages and the READMEs beside them.
func TestPackagesHaveReasons(t *testing.T) {
	for _, dir := range []string{"web", "deploy/cdk", "clients/node"} {
		var p struct{ Dependencies, DevDependencies, PeerDependencies map[string]string }
		if err := json.Unmarshal([]byte(read(t, dir+"/package.json")), &p); err != nil {
			t.Fatal(err)
		}
		all := make(map[string]bool)
		for _, m := range []map[string]string{p.Dependencies, p.DevDependencies, p.PeerDependencies} {
			for name := range m {
				all[name] = true
			}
		}
		if len(all) < 3 {
			t.Fatalf("%s/package.json has %d packages", dir, len(all))
		}
		reasons := section(t, read(t, dir+"/README.md"), "## Dependencies")
		for name := range all {
			if !strings.Contains(reasons, "`"+name+"`") {
				t.Errorf("%s/package.json has %s, which has no line in its README, Dependencies", dir, name)
			}
		}
		for _, name := range quoted(reasons) {
			if !all[name] && !strings.ContainsAny(name, " .") {
				t.Errorf("%s/README.md gives a reason for %s, which its package.json does not have", dir, name)
			}
		}
	}
}

// TestVulnerabilities: what CI runs fails if a vulnerability is found in a module, and
// says so plainly, without failing, if it is the standard library's or if a database
// does not answer.
func TestVulnerabilities(t *testing.T) {
	const clean, bad, none = `{"auditReportVersion": 2}`, `{"auditReportVersion": 2, "vulnerabilities": {"x": {}}}`, `{"error": {"code": "EAUDIT"}}`
	const found = "Vulnerability #1: GO-2026-1\n    What it is\n%s\nYour code is affected by 1 vulnerability."
	module := fmt.Sprintf(found, "  Module: example.org/m\n    Fixed in: example.org/m@v1.2.3\n  Standard library\n    Fixed in: net/http@go1.26.9")
	standard := fmt.Sprintf(found, "  Standard library\n    Fixed in: net/http@go1.26.9\n    Fixed in: os@go1.26.10")
	for what, x := range map[string]struct {
		asked    bool   // vuln.go.dev answers
		proxied  bool   // the module of the database comes
		check    string // what govulncheck says
		code     int
		npm      string
		npmCode  int
		fails    bool
		says     []string
		saysNone bool // that nothing was checked
	}{
		"all is well":                {true, false, "", 0, clean, 0, false, []string{"(https://vuln.go.dev)", "npm, web: no known", "npm, deploy/cdk: no known", "npm, clients/node: no known"}, false},
		"all is well, by the proxy":  {false, true, "", 0, clean, 0, false, []string{"no known vulnerabilities in modules that the programs reach (file:///"}, false},
		"a module has one":           {true, true, module, 3, clean, 0, true, []string{"known vulnerabilities in example.org/m", "npm, web: no known"}, false},
		"the standard library has":   {false, true, standard, 3, clean, 0, false, []string{"THE STANDARD LIBRARY of go1.26.8", "What it is", "with go1.26.10 or newer"}, false},
		"npm has one":                {true, false, "", 0, bad, 1, true, []string{"npm, web: known vulnerabilities"}, false},
		"nobody answers":             {false, false, "", 0, none, 1, false, []string{"neither vuln.go.dev nor", "npm, web: the registry has no audit"}, true},
		"npm says nothing":           {false, false, "", 0, "", 1, false, []string{"npm, clients/node: the registry has no audit"}, true},
		"one of two answers":         {false, false, "", 0, bad, 1, true, []string{"neither vuln.go.dev nor", "npm, web: known"}, true},
		"govulncheck can't be built": {true, false, "no such module", 1, clean, 0, false, []string{"no such module", "govulncheck does not run here"}, true},
	} {
		t.Run(what, func(t *testing.T) {
			bin, database := t.TempDir(), t.TempDir()
			if err := os.MkdirAll(filepath.Join(database, "data", "osv"), 0o755); err != nil {
				t.Fatal(err)
			}
			code := map[bool]string{true: "0", false: "6"}
			for name, script := range map[string]string{
				"curl": "exit " + code[x.asked],
				"go": "case $1 in\nenv) echo go1.26.8 ;;\nmod) if [ " + code[x.proxied] + " = 0 ]; then printf '{\\n\\t\"Dir\": \"" + database + "\",\\n}\\n'; else exit 1; fi ;;\n" +
					"run) cat <<'OUT'\n" + x.check + "\nOUT\nexit " + string(rune('0'+x.code)) + " ;;\nesac",
				"npm": "echo '" + x.npm + "'; exit " + string(rune('0'+x.npmCode)),
			} {
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(filepath.Join(root(t), ".ci", "vulnerabilities"))
			cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err != nil) != x.fails {
				t.Errorf("it ended with %v:\n%s", err, out)
			}
			for _, text := range x.says {
				if !strings.Contains(string(out), text) {
					t.Errorf("it does not say %q:\n%s", text, out)
				}
			}
			if got := strings.Contains(string(out), "NOTHING WAS CHECKED"); got != x.saysNone {
				t.Errorf("it says that nothing was checked: %v, want %v:\n%s", got, x.saysNone, out)
			}
		})
	}
}
