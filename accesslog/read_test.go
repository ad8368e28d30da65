package accesslog_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"narthex"
	"narthex/accesslog"
)

func testLog(t testing.TB, name string) []byte {
	t.Helper()
	log, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func gzipped(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		if _, err := z.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// However a log is packed, it comes to the same.
func TestPacking(t *testing.T) {
	log := testLog(t, "cloudfront_v1.log")
	want := expose(read(t, accesslog.Options{}, "log", log).Series())
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	half := bytes.IndexByte(log[len(log)/2:], ' ') + len(log)/2 // in the middle of a line
	for name, packed := range map[string][]byte{
		"gzip":         gzipped(t, log),
		"gzip members": gzipped(t, log[:half], nil, log[half:]),
		"zstd":         enc.EncodeAll(log, nil),
		"CRLF":         bytes.ReplaceAll(log, []byte("\n"), []byte("\r\n")),
		"no last LF":   bytes.TrimSuffix(log, []byte("\n")),
		"blank lines":  bytes.ReplaceAll(log, []byte("\n"), []byte("\n \n\n")),
	} {
		if got := expose(read(t, accesslog.Options{}, "log", packed).Series()); got != want {
			t.Errorf("%s: %s", name, cmp.Diff(want, got))
		}
	}
	r := newReader(t, accesslog.Options{})
	for range 3 { // a reader's buffers and decoders serve again
		counts, err := r.Read(t.Context(), "log", iotestOneByte{bytes.NewReader(gzipped(t, log))})
		if err != nil {
			t.Fatal(err)
		}
		if got := expose(counts.Series()); got != want {
			t.Error(cmp.Diff(want, got))
		}
	}
}

// iotestOneByte reads a byte at a time.
type iotestOneByte struct{ r io.Reader }

func (r iotestOneByte) Read(b []byte) (int, error) { return r.r.Read(b[:min(1, len(b))]) }

// A log that is cut off anywhere is an error, and one that another try may
// mend.
func TestTruncated(t *testing.T) {
	log := testLog(t, "cloudfront_v1.log")
	r := newReader(t, accesslog.Options{})
	whole := gzipped(t, log, log)
	first := len(gzipped(t, log))
	for n := 1; n < len(whole); n++ {
		if n == first || n < 2 {
			continue // a whole member, or too short to be gzip at all
		}
		counts, err := r.Read(t.Context(), "log", bytes.NewReader(whole[:n]))
		if err == nil || counts != nil || narthex.IsRejected(err) || !strings.Contains(err.Error(), "cut off") {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	damaged := bytes.Clone(whole)
	damaged[first-6] ^= 1 // the checksum
	if _, err := r.Read(t.Context(), "log", bytes.NewReader(damaged)); !errors.Is(err, gzip.ErrChecksum) && err == nil {
		t.Error("a wrong checksum is no error")
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := enc.EncodeAll(log, nil)
	if _, err := r.Read(t.Context(), "log", bytes.NewReader(packed[:len(packed)/2])); err == nil {
		t.Error("half of a zstd frame is no error")
	}
	failing := errors.New("connection reset")
	if _, err := r.Read(t.Context(), "log", io.MultiReader(bytes.NewReader(log), failingReader{failing})); !errors.Is(err, failing) {
		t.Errorf("the source failed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx, "log", bytes.NewReader(log)); !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended: %v", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// What is no log of requests is refused by what it is.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"log", "#Version: 1.0\n#Fields: date time x-edge-location c-ip x-event sc-bytes x-cf-status x-cf-client-id cs-uri-stem cs-uri-query c-referrer x-page-url c-user-agent x-sname x-sname-query x-file-ext x-sid\n", "RTMP"},
		{"log", "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip sc-status\n", "not CloudFront's: it has s-port, cs-username"},
		{"AWSLogs/1/conn_log_1_elasticloadbalancing.log.gz", "", "connection logs"},
		{"AWSLogs/1/health_check_log_1.log.gz", "", "health check"},
		{"a.parquet", "", "Parquet"},
		{"log", "PAR1xxxx", "Parquet"},
		{"log", "hello\nworld\n", `begins with "hello"`},
		{"log", strings.Repeat("hello\n", 200), "no format known"},
		{"log", `{"a":1}` + "\n", "mapping for JSON lines"},
		{"log", "1.5\t200\tGET\n", "fields for tab-separated"},
		{"log", `{"metric_stream_name":"a","namespace":"AWS/EC2","value":{"max":0}}`, "a CloudWatch metric stream"},
		{"log", "{\n  \"requestId\": \"a\",\n  \"records\": [\n{}", "Firehose"},
		{"log", `{"awslogs":{"data":"H4sI"}}`, "CloudWatch Logs subscription"},
		{"log", `{"_aws":{"CloudWatchMetrics":[]}}`, "no format known"},
	} {
		_, err := newReader(t, accesslog.Options{}).Read(t.Context(), c.name, strings.NewReader(c.log))
		if err == nil || !strings.Contains(err.Error(), c.want) || !narthex.IsRejected(err) {
			t.Errorf("%s %.40q: %v, want %q", c.name, c.log, err, c.want)
		}
	}
	_, err := newReader(t, accesslog.Options{Format: "cloudfront-realtime"}).Read(t.Context(), "log", strings.NewReader("1.5\t200\n"))
	if err == nil || !strings.Contains(err.Error(), "name its columns in fields") {
		t.Errorf("real-time logs without fields: %v", err)
	}
}

// An empty log is no error: CloudFront and S3 write such objects.
func TestEmpty(t *testing.T) {
	for _, log := range [][]byte{nil, []byte("\n\n"), []byte("#Version: 1.0\n"), gzipped(t, nil)} {
		counts := read(t, accesslog.Options{}, "log", log)
		if n := len(counts.Series()); n != 0 || counts.Report.Lines != 0 {
			t.Errorf("%q: %d series, %+v", log, n, counts.Report)
		}
	}
}

// Lines that are too long are rejected without being held.
func TestLongLines(t *testing.T) {
	line := `192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /a HTTP/1.1" 200 1`
	long := `192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /` + strings.Repeat("x", 3<<20) + ` HTTP/1.1" 200 1`
	log := strings.Join([]string{line, long, line, long[:2000], long}, "\n")
	for _, end := range []string{"", "\n"} {
		counts := read(t, accesslog.Options{MaxLine: 1 << 20}, "log", []byte(log+end))
		checkReport(t, counts.Report)
		if r := counts.Report; r.Lines != 5 || r.Counted != 2 || r.Reasons["the line is too long"] != 2 || len(r.Examples[0].Text) > 1000 {
			t.Errorf("%+v", r)
		}
	}
}

// Garbage before, between and behind is counted and shown.
func TestGarbage(t *testing.T) {
	line := `192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /a HTTP/1.1" 200 1`
	counts := read(t, accesslog.Options{}, "log", []byte("?\xff\n?\n"+line+"\n\x00\n"+strings.Repeat("!\n", 50)+line))
	r := counts.Report
	checkReport(t, r)
	if r.Format != "common" || r.Counted != 2 || r.Rejected != 53 || len(r.Examples) != 5 || r.Examples[0].Line != 1 || r.Examples[0].Text != "?\uFFFD" {
		t.Errorf("%+v", r)
	}
}

// Counts of several logs add up to those of one.
func TestAdd(t *testing.T) {
	for name, o := range goldens() {
		log := testLog(t, name)
		r := newReader(t, o)
		once, err := r.Read(t.Context(), name, bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.Read(t.Context(), name, bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		if r.Learned(); expose(once.Series()) != expose(again.Series()) && o.Routes != nil {
			t.Errorf("%s: the second reading differs:\n%s", name, cmp.Diff(expose(once.Series()), expose(again.Series())))
		}
		sum, lines := values(once.Series()), 2*once.Report.Lines
		for k, v := range values(again.Series()) {
			sum[k] += v
		}
		once.Add(again)
		checkReport(t, once.Report)
		got := values(once.Series())
		for k := range sum {
			if diff := got[k] - sum[k]; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("%s: %s is %v, want %v", name, k, got[k], sum[k])
			}
		}
		if once.Report.Lines != lines || len(got) != len(sum) {
			t.Errorf("%s: %d lines, %d values; want %d, %d", name, once.Report.Lines, len(got), lines, len(sum))
		}
	}
}

// values returns what series say, by labels, time and bucket.
func values(series []narthex.Series) map[string]float64 {
	out := map[string]float64{}
	for line := range strings.Lines(expose(series)) {
		if strings.HasPrefix(line, "#") || strings.Contains(line, "_bucket") {
			continue
		}
		fields := strings.Fields(line)
		var v float64
		if n := len(fields); n >= 2 {
			v = parse(fields[1])
			out[fields[0]+" "+strings.Join(fields[2:], "")] = v
		}
	}
	return out
}
