package logs_test

import (
	"fmt"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/logs"
	"narthex/state"
)

func TestBucket(t *testing.T) {
	s3 := awstest.Session(t, awstest.S3(t)).S3()
	put := func(key string, body []byte) string {
		t.Helper()
		etag, err := s3.Put(t.Context(), awstest.Bucket, key, body, aws.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return etag
	}
	l, keep := newLedger(), new(state.Memory)
	open := func() *logs.Bucket {
		t.Helper()
		b, err := logs.NewBucket(t.Context(), source(t, l, keep), s3, "s3://"+awstest.Bucket+"/AWSLogs/", 0)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	poll := func(b *logs.Bucket, want int, fails bool) {
		t.Helper()
		if err := b.Poll(t.Context()); (err != nil) != fails {
			t.Errorf("error: %v", err)
		}
		if n := l.requests(); n != want {
			t.Fatalf("%d requests, want %d", n, want)
		}
	}
	for i := range 5 {
		put(fmt.Sprintf("AWSLogs/a b+%d.gz", i), gzipped(lines(i*10, 10)))
	}
	put("elsewhere/x.gz", gzipped(lines(0, 10)))
	put("AWSLogs/folder/", nil)
	b := open()
	poll(b, 50, false)
	poll(b, 50, false)
	whole := gzipped(lines(100, 1000))
	put("AWSLogs/half.gz", whole[:len(whole)/2])
	put("AWSLogs/new.gz", gzipped(lines(50, 5)))
	poll(b, 55, true) // the others are read all the same
	put("AWSLogs/half.gz", whole)
	b = open() // what was read is remembered
	poll(b, 1055, false)

	s := source(t, l, keep)
	object := logs.S3Object{Bucket: awstest.Bucket, Key: "AWSLogs/new.gz", ETag: put("AWSLogs/new.gz", gzipped(lines(50, 5)))}
	if r, err := s.S3Object(t.Context(), s3, object); err != nil || !r.Duplicate {
		t.Errorf("the same content again: %+v, %v", r, err)
	}
	object.Key = "AWSLogs/gone.gz"
	if r, err := s.S3Object(t.Context(), s3, object); err != nil || r.Report.Lines != 0 {
		t.Errorf("an object that is gone: %+v, %v", r, err)
	}
	if _, err := logs.NewBucket(t.Context(), s, s3, "s3://", time.Hour); err == nil {
		t.Error("s3:// is taken for a bucket")
	}
}
