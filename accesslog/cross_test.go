package accesslog_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/accesslog"
)

// samples names a folder with more logs to read: those of CloudFront, load
// balancers and S3 that people have published.
const samples = "NARTHEX_LOG_SAMPLES"

// A naive request is what a line says, read by the documented rules with
// regular expressions and splits, apart from the package.
type naive struct {
	Status, Method, Host, Path, Cache, Edge string
	Sent, Received, Taken                   string // as the line has them, in bytes and seconds; "" is absent
}

var (
	quoted      = `"((?:[^"\\]|\\.)*)"`
	albLine     = regexp.MustCompile(`^(?:\S+ )?(\d{4}-\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) "(\S+) (\S+) (.*?)"(?: |$)`)
	s3Line      = regexp.MustCompile(`^(\S+) (\S+) \[([^\]]+)\] (\S+) (\S+) (\S+) (\S+) (\S+) (?:"(\S+)(?: (\S+) \S+)?"|-) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) `)
	commonLine  = regexp.MustCompile(`^(\S+:\d+ )?\S+ \S+ \S+ \[([^\]]+)\] ` + quoted + ` (\S+) (\S+)(.*)$`)
	requestLine = regexp.MustCompile(`^([A-Z]+) (.*?)(?: HTTP/[\d.]+)?$`)
	absolute    = regexp.MustCompile(`^\w+://(\[[^\]]*\]|[^:/?]*)(?::\d*-?)?([^?]*)`)
)

// none makes "" of what says that there is nothing.
func none(s string) string {
	if s == "-" || strings.HasPrefix(s, "-1") {
		return ""
	}
	return s
}

// naiveTabbed reads a line by a header.
func naiveTabbed(header, line string) naive {
	at := map[string]string{}
	for i, name := range strings.Fields(header) {
		if cols := strings.Split(line, "\t"); i < len(cols) {
			at[name] = none(cols[i])
		}
	}
	return naiveCloudFront(at)
}

func naiveCloudFront(at map[string]string) naive {
	n := naive{Status: at["sc-status"], Method: at["cs-method"], Host: at["x-host-header"], Cache: at["x-edge-result-type"],
		Sent: at["sc-bytes"], Received: at["cs-bytes"], Taken: at["time-taken"]}
	if at["cs-host"] != "" {
		n.Host = at["cs-host"]
	}
	if n.Host == "" {
		n.Host = at["cs(Host)"]
	}
	n.Host = strings.ToLower(n.Host)
	n.Path, _, _ = strings.Cut(at["cs-uri-stem"], "?")
	if edge := at["x-edge-location"]; edge != "" {
		n.Edge = edge[:3]
	}
	return n
}

func naiveJSON(line string) naive {
	var raw map[string]any
	if json.Unmarshal([]byte(line), &raw) != nil {
		return naive{}
	}
	at := map[string]string{}
	for k, v := range raw {
		if s, ok := v.(string); ok {
			at[k] = none(s)
		}
	}
	return naiveCloudFront(at)
}

func naiveALB(line string) naive {
	m := albLine.FindStringSubmatch(line)
	if m == nil {
		return naive{}
	}
	n := naive{Status: none(m[8]), Method: none(m[12]), Received: m[10], Sent: m[11]}
	if u := absolute.FindStringSubmatch(m[13]); u != nil {
		n.Host, n.Path = strings.ToLower(u[1]), u[2]
	}
	sum := 0.0
	for _, part := range m[5:8] {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || v < 0 {
			return n
		}
		sum += v
	}
	n.Taken = strconv.FormatFloat(sum, 'f', 9, 64)
	return n
}

func naiveS3(line string) naive {
	m := s3Line.FindStringSubmatch(line)
	if m == nil {
		return naive{}
	}
	n := naive{Status: none(m[11]), Host: m[2], Method: none(m[9]), Sent: none(m[13])}
	n.Path, _, _ = strings.Cut(m[10], "?")
	if ms, err := strconv.ParseFloat(m[15], 64); err == nil {
		n.Taken = strconv.FormatFloat(ms/1000, 'f', 9, 64)
	}
	return n
}

func naiveCommon(line string) naive {
	m := commonLine.FindStringSubmatch(line)
	if m == nil {
		return naive{}
	}
	n := naive{Status: m[4], Sent: none(m[5])}
	n.Host, _, _ = strings.Cut(m[1], ":")
	if r := requestLine.FindStringSubmatch(m[3]); r != nil {
		n.Method = r[1]
		n.Path, _, _ = strings.Cut(r[2], "?")
	}
	if t := regexp.MustCompile(`(?:" | rt=)(\d+\.\d+)(?: |$)`).FindStringSubmatch(m[6]); t != nil {
		n.Taken = t[1]
	}
	return n
}

// crossMetrics makes one series of each line, with all that a naive request
// has as labels.
func crossMetrics() []accesslog.Metric {
	by := []accesslog.Label{{Name: "status"}, {Name: "method"}, {Name: "host"}, {Name: "path"}, {Name: "cache"}, {Name: "edge"}}
	return []accesslog.Metric{
		{Name: "requests_total", Of: "requests", Labels: by},
		{Name: "sent_total", Of: "response_bytes"},
		{Name: "received_total", Of: "request_bytes"},
		{Name: "taken_seconds_total", Of: "duration", Buckets: "none"},
	}
}

// crossCheck reads each line by itself and compares it with what the naive
// parser makes of it, field by field.
func crossCheck(t *testing.T, name string, log []byte) (lines int64) {
	header := ""
	for line := range strings.Lines(string(log)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "#") {
			if rest, ok := strings.CutPrefix(line, "#Fields:"); ok {
				header = rest
			}
			continue
		}
		o := accesslog.Options{Metrics: crossMetrics()}
		text := line
		if header != "" {
			text = "#Fields:" + header + "\n" + line
		}
		counts, err := newReader(t, o).Read(t.Context(), name, strings.NewReader(text))
		if err != nil || counts.Report.Counted != 1 {
			continue // TestSamples and TestGolden account for them
		}
		lines++
		want := naiveTabbed(header, line)
		switch f := counts.Report.Format; f {
		case "cloudfront":
		case "cloudfront-json":
			want = naiveJSON(line)
		case "alb", "elb":
			want = naiveALB(line)
		case "s3":
			want = naiveS3(line)
		case "common":
			want = naiveCommon(line)
		default:
			return 0 // there is no naive parser for it
		}
		compareNaive(t, line, want, counts.Series())
	}
	return lines
}

func compareNaive(t *testing.T, line string, want naive, series []narthex.Series) {
	t.Helper()
	var got naive
	number := func(want string, s narthex.Series) string {
		w, err := strconv.ParseFloat(want, 64)
		if v := s.Samples[0].Value; err != nil || math.Abs(v-w) > 1e-9*math.Max(1, w) {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return want
	}
	for _, s := range series {
		switch s.Labels.Get(narthex.MetricName) {
		case "requests_total":
			got.Status, got.Method, got.Host = s.Labels.Get("status"), s.Labels.Get("method"), s.Labels.Get("host")
			got.Path, got.Cache, got.Edge = s.Labels.Get("path"), s.Labels.Get("cache"), s.Labels.Get("edge")
		case "sent_total":
			got.Sent = number(want.Sent, s)
		case "received_total":
			got.Received = number(want.Received, s)
		case "taken_seconds_total":
			got.Taken = number(want.Taken, s)
		}
	}
	if status, _ := strconv.Atoi(want.Status); want.Status != "" && (status < 100 || status >= 400) {
		// The answer may not make values of its own.
		if got.Host != "" {
			want.Host = "other"
		}
		if got.Path != "" && want.Path != "" {
			want.Path = "other"
		}
	}
	if want.Method == "PROPFIND" {
		want.Method = "other"
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s\nwant -, got +\n%s", line, d)
	}
}

func TestCrossCheck(t *testing.T) {
	checked := map[string]int64{}
	files, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Ext(f) == ".golden" || strings.Contains(f, "apigateway") || strings.Contains(f, "realtime") {
			continue
		}
		log, err := os.ReadFile(f)
		if err != nil {
			continue // a folder: what fuzzing found
		}
		checked[filepath.Base(f)] = crossCheck(t, filepath.Base(f), log)
	}
	for name, least := range map[string]int64{"cloudfront_v1.log": 9, "cloudfront_12.log": 7, "cloudfront_v2.w3c.log": 7, "cloudfront_v2.json": 5, "alb.log": 5, "elb.log": 4, "s3.log": 4, "common.log": 4, "combined.log": 4} {
		if checked[name] < least {
			t.Errorf("%s: %d lines were compared, want %d", name, checked[name], least)
		}
	}
}

// TestSamples reads published logs, if there is a folder of them: each line is
// accounted for, and says what the naive parser says.
func TestSamples(t *testing.T) {
	dir := os.Getenv(samples)
	if dir == "" {
		t.Skipf("%s names no folder with logs", samples)
	}
	accounted := map[string]bool{}
	for path, want := range map[string]struct{ lines, counted, rejected int64 }{
		"alb/broadstripes_multimember.log.gz":                         {5, 5, 0},
		"alb/opensearch-catalog_raw.log":                              {63, 63, 0},
		"cloudfront_realtime/claygregory_40fields_with_header.log":    {1, 1, 0},
		"cloudfront_v1/E2KG6TMBAL2PBU.2021-01-23-13.23aaa605.gz":      {1, 1, 0},
		"cloudfront_v1/claygregory_24cols_2014_doubleencoded.log":     {2, 2, 0},
		"cloudfront_v1/jsherz_2020_googlebot.log":                     {2, 2, 0},
		"cloudfront_v1/opensearch-catalog_hkg_304_200_40lines.log":    {40, 40, 0},
		"cloudfront_v2_json/highlight_firehose_2024-12_40fields.json": {1, 1, 0},
		"nlb/otelcontrib_tls.log":                                     {1, 1, 0},
		"s3/opensearch-catalog_raw.log":                               {18, 18, 0},
	} {
		accounted[path] = true
		log, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		counts := read(t, accesslog.Options{}, path, log)
		checkReport(t, counts.Report)
		if r := counts.Report; r.Lines != want.lines || r.Counted != want.counted || r.Rejected != want.rejected {
			t.Errorf("%s: %d lines, %d rejected %v, want %+v", path, r.Lines, r.Rejected, r.Examples, want)
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(log))
			if err != nil {
				t.Fatal(err)
			}
			if log, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if n := crossCheck(t, filepath.Base(path), log); n != want.lines && !strings.HasPrefix(path, "nlb") {
			t.Errorf("%s: %d of %d lines were compared", path, n, want.lines)
		}
	}
	sampleRefusals(t, dir, accounted)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if name, _ := filepath.Rel(dir, path); err == nil && !d.IsDir() && !accounted[filepath.ToSlash(name)] {
			t.Errorf("%s is in no table", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sampleRefusals reads the samples that are no logs of requests. Each is refused by
// what it is.
func sampleRefusals(t *testing.T, dir string, accounted map[string]bool) {
	for path, want := range map[string]string{
		"cwlogs/cw_logs_control_and_bad_records.json":                    "Firehose",
		"cwlogs/cw_logs_mixed.json":                                      "Firehose",
		"cwlogs/cw_logs_with_only_control_messages.json":                 "Firehose",
		"cwlogs/cw_logs_with_only_data_messages.json":                    "Firehose",
		"cwlogs/direct_put.json":                                         "Firehose",
		"cwlogs/direct_put_with_non_json_message.json":                   "Firehose",
		"metric_streams/otelcontrib_json_multiple_records_excerpt.jsonl": "a CloudWatch metric stream",
		"metric_streams/logzio_apigw_wrapped_firehose_otlp1.0.json":      "",
	} {
		accounted[path] = true
		log, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		_, err = newReader(t, accesslog.Options{}).Read(t.Context(), path, bytes.NewReader(log))
		if !narthex.IsRejected(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
