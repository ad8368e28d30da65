package probe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"narthex/openmetrics"
	"narthex/probe"
)

// A comparison is one module and one target that the exporter and narthex probe
// after each other.
type comparison struct {
	name string
	// module is what stands under the module's name in blackbox.yml; for what is in
	// capitals see authority.places.
	module string
	// target starts what is probed and returns how it is called.
	target func(t *testing.T, ca *authority) string
	// hostname is the parameter of that name.
	hostname string
	// since is the first minor version of the exporter that has what is compared; 0
	// is all of them.
	since int
	// differs are the rows of docs/probe-differences.md that say why the results are
	// not the same; row<25 is for exporters before 0.25,
	// row>25 for that one and later ones.
	differs []string
}

// comparisons are all that there are.
func comparisons() []comparison {
	return slices.Concat(httpComparisons(), redirectComparisons(), bodyComparisons(), tlsComparisons(), proxyComparisons(), addressComparisons(),
		tcpComparisons(), unixComparisons(), dnsComparisons(), icmpComparisons(), grpcComparisons(), webSocketComparisons())
}

// newer are metrics that an exporter has from a minor version on.
var newer = map[string]int{
	"probe_timeout_seconds":     99,
	"probe_tls_cipher_info":     25,
	"probe_failed_due_to_bytes": 28,
}

// lazy are metrics that the exporter has, from 0.28 on, once it is connected.
// narthex has them from the start, as the exporter had before.
var lazy = []string{"probe_failed_due_to_regex", "probe_failed_due_to_bytes"}

// ours are metrics that only narthex has, each explained in the document.
var ours = []string{"probe_failure_info", "probe_attempts", "probe_address_success", "probe_address_duration_seconds", "probe_addresses", "probe_oauth2_token_duration_seconds", "probe_dns_truncated"}

// timing are metrics whose values are never the same.
var timing = regexp.MustCompile(`(duration_seconds|lookup_time_seconds|^probe_timeout_seconds)$`)

func TestDifferential(t *testing.T) {
	ca := newAuthority(t)
	cases := comparisons()
	file := modulesFile(cases, ca)
	modules, err := probe.ParseModules("blackbox.yml", file(99), os.LookupEnv)
	if err != nil {
		t.Fatalf("the modules: %v", err)
	}
	p, err := probe.New(probe.Options{Modules: modules, Guard: probe.Guard{Private: true, Loopback: true}, Features: everything()})
	if err != nil {
		t.Fatal(err)
	}
	rows := documentedDifferences(t)
	for _, ref := range references(t) {
		t.Run(ref.name, func(t *testing.T) {
			base := ref.start(t, file(ref.minor))
			n := 0
			for i, c := range cases {
				if c.since > ref.minor {
					continue
				}
				n++
				t.Run(c.name, func(t *testing.T) {
					target := c.target(t, ca)
					theirs := ref.ask(t, base, moduleName(i), target, c.hostname)
					r, err := p.Run(t.Context(), probe.Request{Target: target, Module: moduleName(i), Hostname: c.hostname, Timeout: 5 * time.Second})
					if err != nil {
						t.Fatal(err)
					}
					compare(t, c, ref, rows, theirs, flatten(r.Families), r)
				})
			}
			t.Logf("%s: %d comparisons", ref.name, n)
		})
	}
	for id := range rows {
		if !slices.ContainsFunc(cases, func(c comparison) bool { return slices.Contains(append(c.differences(0), c.differences(99)...), id) }) {
			t.Errorf("docs/probe-differences.md: no comparison shows %q", id)
		}
	}
}

// differences are the rows that an exporter of a minor version shows.
func (c comparison) differences(minor int) (out []string) {
	for _, row := range c.differs {
		id, before, old := strings.Cut(row, "<")
		id, from, young := strings.Cut(id, ">")
		less, _ := strconv.Atoi(before)
		least, _ := strconv.Atoi(from)
		if (!old || minor < less) && (!young || minor >= least) {
			out = append(out, id)
		}
	}
	return out
}

// compare fails if the two results differ in what no row of the document explains,
// or do not differ where one says so.
func compare(t *testing.T, c comparison, ref reference, rows map[string]difference, theirs, mine map[string]float64, r *probe.Result) {
	t.Helper()
	var unexplained []string
	seen := map[string]bool{}
	differs := c.differences(ref.minor)
	for _, key := range union(theirs, mine) {
		a, inTheirs := theirs[key]
		b, inMine := mine[key]
		name, _, _ := strings.Cut(key, "{")
		if since, ok := newer[name]; ok && !inTheirs && since > ref.minor || slices.Contains(ours, name) && !inTheirs {
			continue
		}
		if slices.Contains(lazy, name) && !inTheirs && b == 0 {
			continue
		}
		if inTheirs && inMine && (a == b || timing.MatchString(name) || math.IsNaN(a) && math.IsNaN(b)) {
			continue
		}
		explained := false
		for _, id := range differs {
			if rows[id].covers(name) {
				explained, seen[id] = true, true
			}
		}
		if !explained {
			unexplained = append(unexplained, fmt.Sprintf("%s: the exporter %s, narthex %s", key, shown(a, inTheirs), shown(b, inMine)))
		}
	}
	for _, id := range differs {
		if !seen[id] {
			unexplained = append(unexplained, fmt.Sprintf("the difference %q does not show", id))
		}
	}
	if len(unexplained) > 0 {
		t.Errorf("differs:\n%s\nfailure: %v\nlog:\n%s", strings.Join(unexplained, "\n"), r.Failure, r.Log)
	}
}

func shown(v float64, is bool) string {
	if !is {
		return "has none"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func union(a, b map[string]float64) []string {
	keys := make([]string, 0, len(a)+len(b))
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// flatten returns each series with its value. The serial number of a certificate is
// left out, since the oldest exporter does not have it; so are empty labels.
func flatten(families []openmetrics.Family) map[string]float64 {
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metrics {
			var labels []string
			for _, l := range m.Labels {
				if l.Name != "serialnumber" && l.Value != "" {
					labels = append(labels, l.Name+"="+strconv.Quote(l.Value))
				}
			}
			out[f.Name+"{"+strings.Join(labels, ",")+"}"] = m.Value
		}
	}
	return out
}

// difference is a row of docs/probe-differences.md.
type difference struct {
	id      string
	metrics []string
}

// covers reports whether a row explains that a metric differs.
func (d difference) covers(metric string) bool {
	return slices.ContainsFunc(d.metrics, func(m string) bool {
		prefix, all := strings.CutSuffix(m, "*")
		return m == metric || all && strings.HasPrefix(metric, prefix)
	})
}

// documentedDifferences reads the table of the document: its first column names a difference,
// the second the metrics that show it.
func documentedDifferences(t *testing.T) map[string]difference {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "probe-differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]difference{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		d := difference{id: strings.Trim(strings.TrimSpace(cells[1]), "`")}
		for m := range strings.FieldsFuncSeq(cells[2], func(r rune) bool { return r == ',' || r == ' ' || r == '`' }) {
			if m != "-" {
				d.metrics = append(d.metrics, m)
			}
		}
		out[d.id] = d
	}
	if len(out) == 0 {
		t.Fatal("docs/probe-differences.md has no table")
	}
	return out
}

func moduleName(i int) string { return "m" + strconv.Itoa(i) }

// modulesFile returns blackbox.yml for an exporter of a minor version.
func modulesFile(cases []comparison, ca *authority) func(minor int) []byte {
	return func(minor int) []byte {
		var b bytes.Buffer
		b.WriteString("modules:\n")
		places := strings.NewReplacer("AUTHPROXY", ca.places["AUTHPROXY"], "PROXY", ca.places["PROXY"], "CA", ca.places["CA"])
		for i, c := range cases {
			if c.since > minor {
				continue
			}
			fmt.Fprintf(&b, "  %s:\n", moduleName(i))
			for line := range strings.Lines(strings.TrimSpace(c.module) + "\n") {
				b.WriteString("    " + places.Replace(line))
			}
		}
		return b.Bytes()
	}
}

// reference is an exporter to compare with.
type reference struct {
	name, path string
	minor      int
}

// references returns the exporter that is installed and, if NARTHEX_BLACKBOX names
// one, another.
func references(t *testing.T) []reference {
	t.Helper()
	installed, err := exec.LookPath("prometheus-blackbox-exporter")
	if err != nil {
		t.Fatal("prometheus-blackbox-exporter is not installed: on Debian, apt-get install prometheus-blackbox-exporter")
	}
	paths := []string{installed}
	if other := os.Getenv("NARTHEX_BLACKBOX"); other != "" {
		paths = append(paths, other)
	}
	var out []reference
	for _, path := range paths {
		text, err := exec.CommandContext(t.Context(), path, "--version").CombinedOutput()
		if err != nil {
			t.Fatalf("%s --version: %v\n%s", path, err, text)
		}
		r := reference{name: "main", path: path, minor: 98}
		if m := regexp.MustCompile(`version 0\.(\d+)\.`).FindSubmatch(text); m != nil {
			r.minor, _ = strconv.Atoi(string(m[1]))
			r.name = "0." + string(m[1])
		}
		out = append(out, r)
	}
	return out
}

// start runs the exporter and returns its address.
func (r reference) start(t *testing.T, modules []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "blackbox.yml")
	if err := os.WriteFile(file, modules, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, r.path, "--config.file="+file, "--web.listen-address="+address, "--log.level=error")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() && said.Len() < 4000 {
			t.Logf("the exporter said:\n%s", &said)
		}
	})
	for end := time.Now().Add(20 * time.Second); ; {
		resp, err := http.Get("http://" + address + "/-/healthy")
		if err == nil {
			resp.Body.Close()
			return "http://" + address
		}
		if time.Now().After(end) {
			t.Fatalf("the exporter does not answer: %v\n%s", err, &said)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ask probes with the exporter.
func (r reference) ask(t *testing.T, base, module, target, hostname string) map[string]float64 {
	t.Helper()
	// The main branch decodes the target a second time.
	if r.minor == 98 {
		target = url.QueryEscape(target)
	}
	q := url.Values{"module": {module}, "target": {target}}
	if hostname != "" {
		q.Set("hostname", hostname)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/probe?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "5.5")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the exporter answers %s: %v\n%s", resp.Status, err, text)
	}
	families, err := openmetrics.Parse(resp.Header.Get("Content-Type"), text, openmetrics.Limits{})
	if err != nil {
		t.Fatalf("the exporter's answer: %v\n%s", err, text)
	}
	return flatten(families)
}
