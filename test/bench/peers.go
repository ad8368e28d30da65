package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// A Peer is what narthex is measured beside: a program, a module that go.mod has,
// or a directory with what npm installed.
type Peer struct {
	Name    string `yaml:"name"`
	Program string `yaml:"program"`
	Env     string `yaml:"env"` // a variable that may name the program
	Module  string `yaml:"module"`
	Package string `yaml:"package"` // npm's, in web/node_modules
	Install string `yaml:"install"` // how one gets it
}

// id is what a comparison calls it.
func (p Peer) id() string {
	for _, id := range []string{p.Program, p.Module, p.Package} {
		if id != "" {
			return id
		}
	}
	return p.Env
}

var versionNumber = regexp.MustCompile(`\d+\.\d+[\w.+~-]*`)

// find returns the peer's version, or "" if it isn't there.
func (p Peer) find(ctx context.Context, root string) string {
	switch {
	case p.Module != "":
		return output(ctx, root, "go", "list", "-m", "-f", "{{.Version}}", p.Module)
	case p.Package != "":
		return packageVersion(root + "/web/node_modules/" + p.Package + "/package.json")
	}
	program := p.Program
	if named := os.Getenv(p.Env); p.Env != "" && named != "" {
		program = named
	}
	if path, err := exec.LookPath(program); program == "" || err != nil {
		return ""
	} else if v := versionNumber.FindString(output(ctx, root, path, "--version")); v != "" {
		return strings.TrimRight(v, ".")
	}
	if v := output(ctx, root, "dpkg-query", "-W", "-f", "${Version}", program); v != "" {
		return v
	}
	return "of unknown version"
}

func packageVersion(file string) string {
	var p struct{ Version string }
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &p) != nil {
		return ""
	}
	return p.Version
}

// output returns what a command prints, without blanks around, or "" if it fails.
func output(ctx context.Context, dir, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
