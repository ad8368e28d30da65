package shape_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bootstrap is the Lambda function. What it links and weighs is paid for at
// each cold start.
const bootstrap = "cmd/bootstrap"

// The function's budget, in bytes: stripped, and zipped as it is uploaded. The
// aim was 8 MiB and 3.2 MiB; the configuration (the YAML library, package config
// and what checks access: 0.7 MiB) and the probers with their doors and schedule
// (1.9 MiB, of which DNS and HTTP/2 are two fifths) are what is beyond. The latter cost no start:
// of 200 runs of `-version` in turn, the median used 3.41 ms of CPU without them and
// 3.66 ms with them, the fastest 2.42 and 2.46 ms.
//
// What is large, in KiB of symbols, by `go tool nm -size` of a build with symbols;
// the tables of lines and stacks, 36% of the program, come on top in proportion:
//
//	Go itself    runtime 750, functions' data 360, slices and other generics 280, time 65, reflect 75, unicode and idna 140
//	TLS          crypto/tls, x509, asn1, math/big 325, elliptic curves 190
//	HTTP         net/http 150, HTTP/2 115, net 130
//	probe        260, miekg/dns 190, brotli 48
//	config       125, yaml 140, regexp 85
//	the ledger   130, shard 46, push 112, remotewrite 82, s2 59
//	formats      accesslog 115, zstd 77, otlp 76, openmetrics 70
//	AWS          internal/aws 65, encoding/xml 36; encoding/json 68; lambda and function 86
//
// Without inlining (goflags.txt) it is 0.7 MiB less.
const (
	strippedBudget = 105 << 20 / 10
	zippedBudget   = 42 << 20 / 10
)

// unlinkable must not be reached from the function, listed or not.
var unlinkable = []string{
	"github.com/aws/aws-sdk-go",
	"github.com/aws/aws-sdk-go-v2",
	"github.com/prometheus/client_golang",
	"github.com/prometheus/prometheus",
	"go.opentelemetry.io",
	"google.golang.org/grpc",
	module + "/query",
	module + "/tsdb",
	module + "/viewer",
}

// lambdaFlags returns the flags that the function is built with: those of its
// goflags.txt, which says why.
func lambdaFlags(t *testing.T) (flags []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), bootstrap, "goflags.txt"))
	if err != nil {
		t.Fatalf("the flags that the function is built with: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			flags = append(flags, line)
		}
	}
	return flags
}

// goTool runs the go tool at the repository's root, for the system that the
// function runs on.
func goTool(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// linked returns the packages that the function links, each with the path of
// its module ("" for the standard library and for our own).
func linked(t *testing.T, dir string) map[string]string {
	t.Helper()
	modules := map[string]string{}
	dec := json.NewDecoder(bytes.NewReader(goTool(t, slices.Concat([]string{"list"}, lambdaFlags(t), []string{"-deps", "-json=ImportPath,Module", "./" + dir})...)))
	for {
		var p struct {
			ImportPath string
			Module     *struct {
				Path string
				Main bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return modules
		} else if err != nil {
			t.Fatalf("reading what go list says: %v", err)
		}
		modules[p.ImportPath] = ""
		if p.Module != nil && !p.Module.Main {
			modules[p.ImportPath] = p.Module.Path
		}
	}
}

// listed returns the modules in the function's deps.txt: a module and the
// reason for it on each line.
func listed(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), dir, "deps.txt"))
	if err != nil {
		t.Fatalf("the list of what the function links: %v", err)
	}
	var modules []string
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, reason, _ := strings.Cut(line, " ")
		if len(strings.Fields(reason)) < 2 {
			t.Errorf("%s/deps.txt:%d: %s has no reason behind it", dir, i+1, name)
		}
		modules = append(modules, name)
	}
	return modules
}

func TestBootstrapLinksWhatIsListed(t *testing.T) { linksWhatIsListed(t, bootstrap) }

func linksWhatIsListed(t *testing.T, dir string) {
	t.Helper()
	var got []string
	for _, m := range linked(t, dir) {
		if m != "" {
			got = append(got, m)
		}
	}
	slices.Sort(got)
	got = slices.Compact(got)
	if diff := cmp.Diff(listed(t, dir), got); diff != "" {
		t.Errorf("%s/deps.txt (-) is not what the function links (+), in order:\n%s\nA new module needs a line with its reason, or another way.", dir, diff)
	}
}

func TestBootstrapLinksNothingHeavy(t *testing.T) { linksNone(t, bootstrap, unlinkable) }

func linksNone(t *testing.T, dir string, unlinkable []string) {
	t.Helper()
	for p := range linked(t, dir) {
		for _, prefix := range unlinkable {
			if within(p, prefix) {
				t.Errorf("%s reaches %s: see `go list -deps ./%s` for the way there", dir, p, dir)
			}
		}
	}
}

func TestBootstrapSize(t *testing.T) {
	keepsTo(t, bootstrap, strippedBudget, zippedBudget)
}

func keepsTo(t *testing.T, dir string, strippedBudget, zippedBudget int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "bootstrap")
	goTool(t, slices.Concat([]string{"build"}, lambdaFlags(t), []string{"-buildvcs=false", "-o", out, "./" + dir})...)
	binary, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := zipSize(binary)
	if err != nil {
		t.Fatal(err)
	}
	figures := fmt.Sprintf("%s for linux/arm64: %.2f MiB stripped (budget %.2f), %.2f MiB zipped (budget %.2f)",
		dir, mebi(len(binary)), mebi(strippedBudget), mebi(zipped), mebi(zippedBudget))
	t.Log(figures)
	t.Attr("stripped_MiB", fmt.Sprintf("%.2f", mebi(len(binary))))
	t.Attr("zipped_MiB", fmt.Sprintf("%.2f", mebi(zipped)))
	if len(binary) > strippedBudget || zipped > zippedBudget {
		t.Errorf("%s: over the budget; `go tool nm -size -sort size` of a build without -s tells what is large", figures)
	}
}

// zipSize returns the size of a zip file with the function in it.
func zipSize(binary []byte) (int, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	f, err := w.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := f.Write(binary); err != nil {
		return 0, err
	}
	err = w.Close()
	return buf.Len(), err
}

func mebi(n int) float64 { return float64(n) / (1 << 20) }
