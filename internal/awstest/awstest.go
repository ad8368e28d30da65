// Package awstest starts AWS's services, or what passes for them, on loopback
// for tests: S3 in process, DynamoDB and SQS as Node programs, and a proxy that
// does to their answers what networks do. Each is gone when its test ends.
//
//	s := awstest.Session(t, awstest.S3(t))
//	s.S3().Put(ctx, awstest.Bucket, "key", data, aws.PutOptions{})
package awstest

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"narthex/internal/aws"
)

// What every service here has or takes.
const (
	Bucket = "narthex-test"
	Table  = "narthex-test" // its key is the string "pk"
	Key    = "AKIDTEST"
	Secret = "a-secret-for-tests"
)

// Credentials are those that the strict ones among the services take.
func Credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: Key, SecretAccessKey: Secret}
}

// Session returns a session with all services at one endpoint.
func Session(t testing.TB, endpoint string) *aws.Session {
	t.Helper()
	s, err := aws.Open(Options(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Options are those of [Session]. They take nothing from the environment.
func Options(endpoint string) aws.Options {
	return aws.Options{
		Region: "us-east-1", Endpoint: endpoint, Credentials: Credentials(),
		Getenv: func(string) string { return "" }, Attempts: 12, AttemptTimeout: 10 * time.Second,
	}
}

// S3 starts an S3 with [Bucket] and returns its address. It honours conditions
// on PUT, and takes any signature.
func S3(t testing.TB) string {
	t.Helper()
	fake := gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog()))
	server := httptest.NewServer(fake.Server())
	t.Cleanup(server.Close)
	makeBucket(t, server.URL)
	return server.URL
}

// StrictS3 starts a versitygw with [Bucket], which checks signatures. Its
// binary is a big one to build, so tests use it where NARTHEX_VERSITYGW names
// it.
func StrictS3(t testing.TB, binary string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.Command(binary, "--port", address, "--quiet", "posix", t.TempDir())
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+Key, "ROOT_SECRET_KEY="+Secret)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	makeBucket(t, "http://"+address)
	return "http://" + address
}

// makeBucket retries until the server is up.
func makeBucket(t testing.TB, endpoint string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := Session(t, endpoint).S3().CreateBucket(ctx, Bucket); err != nil {
		t.Fatal(err)
	}
}
