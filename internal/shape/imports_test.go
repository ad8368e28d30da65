package shape_test

import (
	"slices"
	"strings"
	"testing"
)

// everything stands for "any package of the module but those of heavy".
const everything = "*"

// mayImport says which packages of the module each package may import; "." is
// the root. A package that is not here is refused, so that each new one has
// its place thought about. Test files are free: there the official libraries
// are the oracles.
var mayImport = map[string][]string{
	".": {},

	// Formats: bytes <-> series.
	"openmetrics": {".", "internal/protowire"},
	"otlp":        {".", "internal/protowire"},
	"remotewrite": {".", "internal/message", "internal/protowire"},
	"emf":         {".", "internal/message"},
	"accesslog":   {".", "emf", "internal/gunzip"},

	// What stands between a door and a store.
	"ledger":   {".", "state", "internal/message", "internal/stats"},
	"shard":    {".", "ledger", "state"},
	"queue":    {".", "ledger", "shard", "internal/aws"},
	"state":    {".", "internal/aws"},
	"verify":   {".", "internal/message", "remotewrite"}, // what a backend can do, found out by trying
	"pipeline": {".", "internal/message", "internal/stats"},

	// Doors.
	"push":   {".", "internal/message", "internal/reply", "openmetrics", "otlp", "remotewrite", "emf", "internal/stats"},
	"probe":  {".", "openmetrics", "internal/aws", "internal/message", "internal/protowire", "internal/reply", "internal/stats", "internal/yamldoc", "state"}, // it signs requests, and remembers which series there are
	"scrape": {".", "openmetrics", "pipeline", "internal/stats"},                                                                                              // a door that fetches; it relabels as pipeline does
	"proxy":  {".", "internal/message", "internal/reply", "internal/stats"},                                                                                   // asks other Prometheus APIs, read only
	"lambda": {".", "internal/aws", "internal/stats"},
	"logs":   {".", "accesslog", "state", "internal/aws", "internal/gunzip", "internal/stats", "internal/message"}, // it keeps offsets and what was learned as the ledger keeps its totals
	"auth":   {"."},

	// Apart from probe for their weight.
	"probe/cel":   {},
	"probe/http3": {},
	"probe/icmp":  {},

	// Lambda on this machine; the function itself must not link it.
	"lambda/emulator": {},

	// AWS's client of the Runtime API, which only the programs need.
	"lambda/start": {"lambda"},

	// The file format of Prometheus's exporter-toolkit, which knows no others.
	"auth/webconfig": {},

	// How people come in by a browser, on top of what tells senders apart.
	"auth/signin": {"auth", "internal/message", "internal/reply"},

	// Heavy: Prometheus's storage and engine, and the page over them.
	"tsdb":         {".", "internal/stats"},
	"query":        {".", "internal/stats", "query/syntax"},
	"query/syntax": {},
	"viewer":       {".", "internal/aws", "internal/stats"},

	// Leaves.
	"config":               {".", "internal/message", "internal/yamldoc"},
	"internal/aws":         {},
	"internal/dist":        {},               // make dist
	"internal/awstest":     {"internal/aws"}, // emulators; only tests import it
	"internal/narthextest": {},               // narthex in processes of its own, for tests and what measures
	"internal/protowire":   {"."},
	"internal/golden":      {}, // only tests import it
	"internal/gunzip":      {},
	"internal/stats":       {},
	"internal/message":     {},
	"internal/yamldoc":     {"internal/message"},
	"internal/reply":       {"."},
	"internal/shape":       {},
	"docs":                 {},
	"demo":                 {"push"}, // an invented sender
	"cost":                 {},
	"quota":                {}, // what AWS allows; knows nothing of the rest
	"test":                 {},
	"test/bench":           {}, // make bench
	"test/chaos":           {},
	"test/load":            {".", "remotewrite", "internal/narthextest"}, // clients of a narthex in another process

	// Wiring.
	"app":                {everything},
	"function":           {everything}, // the same for Lambda
	"cmd/narthex":        {everything, "tsdb", "query", "query/syntax", "viewer"},
	"cmd/bootstrap":      {everything},
	"cmd/bootstrap-view": {everything, "query/syntax", "viewer"},
}

// heavy packages must be named in mayImport by those who import them.
var heavy = []string{"tsdb", "query", "query/syntax", "viewer"}

// reserved says who alone may import a package (and those below it) of another
// module. The first rule that fits an import decides.
var reserved = []struct {
	prefix string
	by     []string
	why    string
}{
	{"github.com/prometheus/prometheus/promql/parser", []string{"query", "query/syntax", "tsdb", "viewer"}, "only the query packages and the viewer parse PromQL"},
	{"github.com/prometheus/prometheus", []string{"query", "query/syntax", "tsdb"}, "it would reach the Lambda function"},
	{"github.com/prometheus/client_golang", []string{"query", "tsdb", "cmd/narthex"}, "narthex counts with internal/stats, which is small; only the embedded store brings metrics of its own"},
	{"google.golang.org/grpc", nil, "it costs 1.2 ms of each cold start"},
	{"github.com/aws/aws-sdk-go", nil, "internal/aws signs requests without it"},
	{"github.com/aws/aws-sdk-go-v2", nil, "internal/aws signs requests without it"},
	{"github.com/aws/aws-lambda-go", []string{"cmd/bootstrap", "cmd/bootstrap-view", "lambda/start"}, "only the Lambda programs speak to Lambda"},
}

func TestImportsWithinModule(t *testing.T) {
	for dir, files := range packages(t) {
		allowed, known := mayImport[dir]
		if !known {
			t.Errorf("%s: the package is not in the table mayImport: say there what it may import", dir)
			continue
		}
		for _, f := range files {
			for _, p := range f.imports() {
				if target, own := ownPackage(p); own && !mayReach(allowed, target) {
					t.Errorf("%s imports %s; %s may import %v of this module: pass what is needed through the root's types, or wire it in app or cmd", f.path, p, dir, allowed)
				}
			}
		}
	}
}

// mayReach reports whether a package may import target.
func mayReach(allowed []string, target string) bool {
	if slices.Contains(allowed, target) {
		return true
	}
	program := strings.HasPrefix(target, "cmd/")
	return slices.Contains(allowed, everything) && !program && !slices.Contains(heavy, target)
}

func TestRootImportsStandardLibraryOnly(t *testing.T) {
	for _, f := range packages(t)["."] {
		for _, p := range f.imports() {
			if !standard(p) {
				t.Errorf("%s imports %s: the root imports the standard library only, because everything imports the root", f.path, p)
			}
		}
	}
}

func TestReservedModules(t *testing.T) {
	for dir, files := range packages(t) {
		for _, f := range files {
			for _, p := range f.imports() {
				for _, rule := range reserved {
					if !within(p, rule.prefix) {
						continue
					}
					if !slices.Contains(rule.by, dir) {
						t.Errorf("%s imports %s, which only %v may: %s", f.path, p, rule.by, rule.why)
					}
					break
				}
			}
		}
	}
}

func TestTestsUseStandardTesting(t *testing.T) {
	for _, f := range source(t) {
		for _, p := range f.imports() {
			if within(p, "github.com/stretchr/testify") {
				t.Errorf("%s imports %s: tests use testing and go-cmp", f.path, p)
			}
		}
	}
}

// TestTableIsSound sees to it that the table can't let through what it is for.
func TestTableIsSound(t *testing.T) {
	for dir, allowed := range mayImport {
		for _, target := range allowed {
			if _, known := mayImport[target]; !known && target != everything {
				t.Errorf("mayImport[%q] names %q, which the table does not have", dir, target)
			}
			program := strings.HasPrefix(dir, "cmd/")
			if slices.Contains(heavy, target) && !program && !strings.HasPrefix(target, dir+"/") {
				t.Errorf("mayImport[%q] names %q, which only programs may import", dir, target)
			}
			if target == "config" || target == everything && !program && dir != "app" && dir != "function" {
				t.Errorf("mayImport[%q] names %q: only app, function and cmd import config", dir, target)
			}
		}
	}
}

// ownPackage returns the directory of a package of this module.
func ownPackage(importPath string) (dir string, own bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// standard reports whether a package is of the standard library: only there
// the first element of a path has no dot.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return first != module && !strings.Contains(first, ".")
}

// within reports whether a package is prefix or below it.
func within(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}
