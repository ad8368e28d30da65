package shape_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// The rules below read code, so that a mistake in them would let everything
// pass. Each is shown something it must find and something it must leave.

func TestMutableTellsStateFromTables(t *testing.T) {
	for _, c := range []struct {
		code string
		want string // part of the complaint; "" for none
	}{
		{`var words = []string{"a", "b"}`, ""},
		{`var words = []string{"a"}; func f() { words = nil }`, "is changed here"},
		{`var words = []string{"a"}; func f() { words[0] = "b" }`, "is changed here"},
		{`var words = []string{"a"}; func f() { words := 1; words++; _ = words }`, ""},
		{`var seen = map[string]int{"a": 1}; func f() { seen["b"]++ }`, "is changed here"},
		{`var seen = map[string]int{"a": 1}; func f() { delete(seen, "a") }`, "is changed here"},
		{`var seen = map[string]int{"a": 1}; func f() int { return seen["a"] }`, ""},
		{`var seen = make(map[string]int)`, "to be filled later"},
		{`var n int`, "has no value yet"},
		{`var n = 1; func f() *int { return &n }`, "is changed here"},
		{`type t struct{ n int }; var one = &t{}`, "is a pointer"},
		{`type t struct{ n int }; var one = t{}; func f() { one.n = 2 }`, "is changed here"},
		{`import "sync"; var mu = sync.Mutex{}`, "is a sync.Mutex"},
		{`import "sync"; var mu sync.Mutex`, "has no value yet"},
		{`import "sync"; var pool = sync.Pool{}`, ""},
		{`import "time"; var now = time.Now`, "of another package"},
		{`import "net/http"; var client = http.NewRequest("", "", nil)`, "is made by a function"},
		{`var hook = func() {}`, "can be replaced"},
		{`import "errors"; var ErrGone = errors.New("gone")`, ""},
		{`import "regexp"; var word = regexp.MustCompile("a")`, ""},
		{`type i interface{}; type t struct{}; var _ i = (*t)(nil)`, ""},
		{`func squares() [4]int { return [4]int{} }; var table = squares()`, ""},
		{"import _ \"embed\"\n//go:embed page.html\nvar page string", ""},
	} {
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, "p.go", "package p; "+c.code, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		files := []file{{path: "p.go", dir: "p", syntax: syntax, fset: fset}}
		got := strings.Join(mutable(files, check(files)), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: the complaint is %q, want %q", c.code, got, c.want)
		}
	}
}

func TestPrivateFindsPaths(t *testing.T) {
	for text, want := range map[string]bool{
		"see " + "/root" + "/go/pkg":    true,
		`"` + "/home" + `/ann/narthex"`: true,
		"https://example.com/root/x":    false,
		"../work/x":                     false,
		"/var/lib/narthex":              false,
	} {
		if got := private.MatchString(text); got != want {
			t.Errorf("%q is taken for a private path: %t, want %t", text, got, want)
		}
	}
}

func TestMayReach(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"ledger", "state", true},
		{"state", "ledger", false},
		{"push", "openmetrics", true},
		{"openmetrics", "push", false},
		{"state", "internal/aws", true},
		{"app", "config", true},
		{"app", "tsdb", false},
		{"app", "cmd/narthex", false},
		{"push", "config", false},
		{"cmd/narthex", "tsdb", true},
		{"cmd/bootstrap", "viewer", false},
	} {
		if got := mayReach(mayImport[c.from], c.to); got != c.want {
			t.Errorf("%s may import %s: %t, want %t", c.from, c.to, got, c.want)
		}
	}
}
