package test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"narthex/accesslog"
)

const logLines = 1_000_000

// BenchmarkLogs measures the CPU time (user and system) of programs that count
// the requests of a generated CloudFront log of a million lines, on one core
// each, one after the other: it is run several times. narthex makes series
// by status, method and route, and a histogram; "default" is its default
// metrics. gunzip alone, by klauspost/compress, is the floor; inflate is what
// narthex has instead. goaccess and mtail are given the log decompressed, and goaccess makes
// no panel that lists URLs or visitors; where one of them is not installed, it has no figures.
func BenchmarkLogs(b *testing.B) {
	dir := b.TempDir()
	job := filepath.Join(dir, "benchlogs")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", job, "./testdata/benchlogs").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	program := filepath.Join(dir, "cloudfront.mtail")
	if err := os.WriteFile(program, []byte(mtailProgram), 0o600); err != nil {
		b.Fatal(err)
	}
	lines := logLines
	if testing.Short() {
		lines /= 100
	}
	f := writeLogs(b, dir, lines)
	goaccess := []string{"goaccess", f.raw, "--log-format=CLOUDFRONT", "--no-global-config", "--no-progress", "-o", filepath.Join(dir, "report.json")}
	for _, panel := range strings.Fields("VISITORS REQUESTS REQUESTS_STATIC NOT_FOUND HOSTS OS BROWSERS VISIT_TIMES VIRTUAL_HOSTS REFERRERS REFERRING_SITES KEYPHRASES") {
		goaccess = append(goaccess, "--ignore-panel="+panel)
	}
	contenders := []*contender{
		{name: "narthex", args: append([]string{job, "narthex", f.gz}, logRoutes()...)},
		{name: "gunzip", args: []string{job, "gunzip", f.gz}},
		{name: "inflate", args: []string{job, "inflate", f.gz}},
		{name: "naive", args: []string{job, "naive", f.gz}},
		{name: "naive_routes", args: append([]string{job, "naive_routes", f.gz}, logRoutes()...)},
		{name: "default", args: append([]string{job, "default", f.gz}, logRoutes()...)},
		{name: "goaccess", args: goaccess},
		{name: "mtail", args: []string{"mtail", "-one_shot", "-progs", program, "-logs", f.raw, "-logtostderr"}},
		{name: "json", args: append([]string{job, "json", f.json}, logRoutes()...)},
	}
	for _, c := range contenders {
		if _, err := exec.LookPath(c.args[0]); err != nil {
			b.Logf("%s is not measured: %v", c.name, err)
			continue
		}
		c.run(b, lines)
		b.ReportMetric(c.cpu.Seconds(), c.name+"_cpu_s")
		b.ReportMetric(float64(lines)/c.cpu.Seconds(), c.name+"_lines/s")
		if c.memory > 0 {
			b.ReportMetric(float64(c.memory)/1024, c.name+"_MiB")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// mtailProgram counts status by method and the time taken.
const mtailProgram = `counter requests_total by status, method
histogram duration_seconds buckets 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
/^\d{4}-\d\d-\d\d\t\S+\t\S+\t\d+\t\S+\t(?P<method>\S+)\t\S+\t\S+\t(?P<status>\d{3})\t\S+\t\S+\t\S+\t\S+\t\S+\t\S+\t\S+\t\S+\t\S+\t(?P<taken>[\d.]+)\t/ {
  requests_total[$status][$method]++
  duration_seconds = $taken
}
`

// A contender is a program that is measured.
type contender struct {
	name   string
	args   []string
	cpu    time.Duration
	memory int64 // KiB, the most; 0 if the program doesn't say
}

func (c *contender) run(b *testing.B, want int) {
	cmd := exec.CommandContext(b.Context(), c.args[0], c.args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v\n%s", c.name, err, out)
	}
	var lines int
	var memory int64
	if n, _ := fmt.Sscan(string(out), &lines, &memory); n == 2 {
		c.memory = memory
		if lines != want && c.name != "gunzip" && c.name != "inflate" {
			b.Fatalf("%s counted %d lines, not %d", c.name, lines, want)
		}
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// logFiles are the generated log in three shapes.
type logFiles struct{ gz, raw, json string }

func writeLogs(b *testing.B, dir string, lines int) logFiles {
	f := logFiles{filepath.Join(dir, "E123.2026-01-01-00.abcdef01.gz"), filepath.Join(dir, "raw.log"), filepath.Join(dir, "v2.json")}
	var files [3]*os.File
	for i, name := range []string{f.gz, f.raw, f.json} {
		var err error
		if files[i], err = os.Create(name); err != nil {
			b.Fatal(err)
		}
	}
	z, _ := gzip.NewWriterLevel(files[0], 6)
	raw := bufio.NewWriterSize(io.MultiWriter(z, files[1]), 1<<20)
	js := bufio.NewWriterSize(files[2], 1<<20)
	fmt.Fprintf(raw, "#Version: 1.0\n#Fields: %s\n", strings.Join(logColumns, " "))
	g := newLogGenerator()
	for range lines {
		cols := g.next()
		raw.WriteString(strings.Join(cols, "\t"))
		raw.WriteByte('\n')
		for i, c := range cols {
			js.WriteByte(",{"[btoi(i == 0)])
			fmt.Fprintf(js, "%q:%q", logColumns[i], c)
		}
		js.WriteString("}\n")
	}
	for _, err := range []error{raw.Flush(), js.Flush(), z.Close(), files[0].Close(), files[1].Close(), files[2].Close()} {
		if err != nil {
			b.Fatal(err)
		}
	}
	return f
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

var logColumns = strings.Fields(`date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query
	cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher
	x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type
	sc-content-type sc-content-len sc-range-start sc-range-end`)

// logRoutes are the templates that the generator's paths come from.
func logRoutes() []string {
	return []string{
		"/", "/index.html", "/v1/users/{id}", "/v1/users/{id}/orders", "/v1/users/{id}/orders/{order}", "/v1/orders/{id}",
		"/v1/products/{slug}", "/v1/products/{slug}/reviews", "/v1/search", "/v1/cart/{uuid}", "/v1/login", "/v1/logout", "/v2/events",
		"/blog/{slug}", "/docs/**", "/**.js", "/**.css", "/**.png", "/**.woff2", "/health",
	}
}

// A logGenerator makes lines such as CloudFront writes, always the same ones.
type logGenerator struct {
	r    *rand.Rand
	cols []string
	n    int
}

func newLogGenerator() *logGenerator {
	return &logGenerator{r: rand.New(rand.NewPCG(1, 2)), cols: make([]string, len(logColumns))}
}

func (g *logGenerator) one(values ...string) string { return values[g.r.IntN(len(values))] }

func (g *logGenerator) path() string {
	r := g.r
	switch r.IntN(12) {
	case 0:
		return g.one("/", "/index.html", "/health", "/v1/login", "/v1/logout")
	case 1:
		return "/v1/users/" + strconv.Itoa(r.IntN(1e6))
	case 2:
		return fmt.Sprintf("/v1/users/%d/orders/%d", r.IntN(1e5), r.IntN(1e6))
	case 3:
		return "/v1/orders/" + strconv.Itoa(r.IntN(1e6))
	case 4, 5:
		return g.one("/v1/products/", "/blog/") + g.one("red", "large", "cheap", "new", "old") + "-" + g.one("chair", "table", "lamp", "shelf") + "-" + strconv.Itoa(r.IntN(5000))
	case 6:
		return fmt.Sprintf("/v1/cart/%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16)
	case 7:
		return g.one("/v1/search", "/v2/events")
	case 8:
		return "/docs/" + g.one("guide", "api", "faq") + "/" + g.one("install", "run", "upgrade") + "/" + strconv.Itoa(r.IntN(20))
	}
	return "/static/" + g.one("main", "vendor", "theme", "logo") + "." + fmt.Sprintf("%08x", r.IntN(40)*99991) + g.one(".js", ".css", ".png", ".woff2")
}

const logIDs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// next returns the columns of a line, which are overwritten by the next one.
func (g *logGenerator) next() []string {
	r, c := g.r, g.cols
	g.n++
	var id [54]byte
	for i := range id {
		id[i] = logIDs[r.IntN(64)]
	}
	taken := math.Exp(r.NormFloat64()*1.1-3.2) / 1.2
	status := "200"
	switch n := r.IntN(1000); {
	case n < 2:
		status = "000"
	case n < 80:
		status = "304"
	case n < 110:
		status = "404"
	case n < 115:
		status = "500"
	case n < 130:
		status = "301"
	}
	result := g.one("Hit", "Hit", "Hit", "Miss", "RefreshHit")
	size := strconv.Itoa(300 + int(math.Exp(r.NormFloat64()*1.5+8)))
	seconds := g.n / (logLines/3600 + 1)
	copy(c, []string{
		"2026-01-01", fmt.Sprintf("%02d:%02d:%02d", seconds/3600%24, seconds/60%60, seconds%60), g.one("FRA", "SEA", "IAD", "SIN", "LHR") + strconv.Itoa(50+r.IntN(9)) + "-" + g.one("C1", "P2", "P7"),
		size, fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(220), r.IntN(256), r.IntN(256), r.IntN(256)), g.one("GET", "GET", "GET", "GET", "POST", "PUT", "HEAD"),
		"d111111abcdef8.cloudfront.net", g.path(), status, g.one("-", "-", "https://shop.example/", "https://www.google.com/"),
		"Mozilla/5.0%20(" + g.one("Windows%20NT%2010.0;%20Win64;%20x64", "Macintosh;%20Intel%20Mac%20OS%20X%2010_15_7", "X11;%20Linux%20x86_64") + ")%20AppleWebKit/537.36%20(KHTML,%20like%20Gecko)%20Chrome/" + strconv.Itoa(100+r.IntN(40)) + ".0.0.0%20Safari/537.36",
		g.one("-", "-", "-", "page="+strconv.Itoa(r.IntN(50))), "-", result, string(id[:]) + "==", g.one("shop.example", "www.shop.example"), "https",
		strconv.Itoa(100 + r.IntN(900)), fmt.Sprintf("%.3f", taken), "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256", result, g.one("HTTP/2.0", "HTTP/3.0", "HTTP/1.1"), "-", "-",
		strconv.Itoa(1024 + r.IntN(60000)), fmt.Sprintf("%.3f", taken*0.8), result, g.one("application/json", "text/html", "image/png"), size, "-", "-",
	})
	return c
}

// TestLogGenerator sees to it that the benchmark's log is one that narthex and
// the naive program count alike.
func TestLogGenerator(t *testing.T) {
	var log bytes.Buffer
	fmt.Fprintf(&log, "#Version: 1.0\n#Fields: %s\n", strings.Join(logColumns, "\t"))
	g, lines, taken := newLogGenerator(), 5000, 0.0
	for range lines {
		cols := g.next()
		v, err := strconv.ParseFloat(cols[18], 64)
		if err != nil {
			t.Fatal(err)
		}
		taken += v
		log.WriteString(strings.Join(cols, "\t") + "\n")
	}
	r, err := accesslog.New(accesslog.Options{Routes: logRoutes()})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := r.Read(t.Context(), "log", &log)
	if err != nil {
		t.Fatal(err)
	}
	requests, sum := 0.0, 0.0
	for _, s := range counts.Series() {
		switch s.Labels.Get("__name__") {
		case "http_requests_total":
			requests += s.Samples[0].Value
			if route := s.Labels.Get("route"); route == "other" {
				t.Errorf("%s: a path matched none of the routes", s.Labels)
			}
		case "http_request_duration_seconds":
			sum += s.Samples[0].Histogram.Sum
		}
	}
	if requests != float64(lines) || math.Abs(sum-taken) > 1e-6 {
		t.Errorf("%v requests and %v seconds, want %d and %v", requests, sum, lines, taken)
	}
}
