package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// bigLog is a gzipped log of CloudFront of at least size bytes, and how many lines it
// has.
func bigLog(t *testing.T, size int) (object []byte, lines int) {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(z, "#Version: 1.0\n#Fields: %s\n", strings.Join(logColumns, " "))
	g := newLogGenerator()
	for ; out.Len() < size; lines++ {
		if _, err := fmt.Fprintln(z, strings.Join(g.next(), "\t")); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), lines
}

// A function of the smallest size counts an object of 50 MB, with the default metrics
// and learned routes, within its memory and, with the processor time that it has,
// within a minute.
func TestLogsBigObjectInSmallFunction(t *testing.T) {
	object, lines := bigLog(t, scaled(50_000_000, 8_000_000))
	endpoint := awstest.S3(t)
	const key = "AWSLogs/big.gz"
	etag, err := awstest.Session(t, endpoint).S3().Put(t.Context(), awstest.Bucket, key, object, aws.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	size := len(object)
	object = nil
	s := newServer(t, "scrape_interval: 1s\n")
	const memory, timeout = 128, time.Minute
	f, err := emulator.Start(emulator.Options{
		Code: bootstrap(t), Memory: memory, Timeout: timeout,
		Env: append(awsEnv(map[string]string{"s3": endpoint}), "NARTHEX_STATE=s3://"+awstest.Bucket+"/state", "NARTHEX_INTERVAL=1s", "NARTHEX_REMOTE_WRITE_URL="+s.url()+"/api/v1/write"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	event, err := json.Marshal(s3Notification(0, key, strings.Trim(etag, `"`)))
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), event)
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%s, %v", result.Payload, err)
	}
	r := result.Report()
	// On Lambda the smallest function has 128/1769 of a processor.
	rationed := r.CPU * 1769 / memory
	t.Logf("%.1f MB, %d lines: %v, %v of processor time (%v of a ration), %.1f MiB at most", float64(size)/1e6, lines, r.Duration.Round(time.Millisecond), r.CPU, rationed.Round(time.Millisecond), float64(r.MaxMemory)/(1<<20))
	figure(t, "object_MB", float64(size)/1e6)
	figure(t, "rationed_s", rationed.Seconds())
	figure(t, "MiB", mebibytes(r.MaxMemory))
	if r.Status != "success" || r.MaxMemory > memory<<20 || r.MaxMemory == 0 || rationed > timeout {
		t.Errorf("%+v", r)
	}
	eventually(t, "the requests are counted", func() bool {
		if _, err := f.Invoke(t.Context(), []byte(`{"narthex":"tick"}`)); err != nil {
			t.Fatal(err)
		}
		return s.value("sum(http_requests_total)") == fmt.Sprint(lines)
	})
}
