package aws_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/internal/aws"
)

// TestSignAWSVectors runs AWS's own test suite (awslabs/aws-c-auth,
// tests/aws-signing-test-suite/v4) where NARTHEX_SIGV4_VECTORS names its
// folder. It is not ours to keep here; the vectors in sign_test.go are.
func TestSignAWSVectors(t *testing.T) {
	dirs := []string{filepath.Join("testdata", "sigv4")} // one of ours in the suite's form
	if dir := os.Getenv("NARTHEX_SIGV4_VECTORS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*", "request.txt"))
		if err != nil || len(more) < 30 {
			t.Fatalf("%s has %d vectors, want 30 or more (%v)", dir, len(more), err)
		}
		for _, path := range more {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { signVector(t, dir) })
	}
}

// vectorContext is a vector's context.json.
type vectorContext struct {
	Credentials struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
		Token  string `json:"token"`
	}
	Normalize, SignBody bool
	Region, Service     string
	Timestamp           time.Time
	OmitToken           bool `json:"omit_session_token"`
}

func signVector(t *testing.T, dir string) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	var c vectorContext
	if err := json.Unmarshal([]byte(strings.ReplaceAll(read("context.json"), "sign_body", "SignBody")), &c); err != nil {
		t.Fatal(err)
	}
	r, body := parseRequest(t, read("request.txt"), c.Normalize)
	hash := aws.HashBody([]byte(body))
	if c.SignBody {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	cred := aws.Credentials{AccessKeyID: c.Credentials.ID, SecretAccessKey: c.Credentials.Secret, SessionToken: c.Credentials.Token}
	if c.OmitToken { // it is added after signing
		cred.SessionToken = ""
	}
	s := &aws.Signer{Region: c.Region, Service: c.Service, PathAsIs: !c.Normalize}
	s.Sign(r, hash, cred, c.Timestamp)
	want := strings.TrimSpace(read("header-signature.txt"))
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
		t.Errorf("%s, want the signature %s of\n%s", got, want, read("header-canonical-request.txt"))
	}
}

// parseRequest reads a request as the suite writes it: the path is not encoded,
// and a header may go on in the next line. The suite's paths are those that
// arrive, which [http.Request] has in Opaque; where a path is not normalised
// it is not encoded a second time either, and Path does as well.
func parseRequest(t *testing.T, text string, normalize bool) (*http.Request, string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := bufio.NewScanner(strings.NewReader(head))
	lines.Scan()
	line := strings.TrimSuffix(lines.Text(), " HTTP/1.1")
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	r := &http.Request{Method: method, URL: &url.URL{Scheme: "https", RawQuery: query}, Header: make(http.Header)}
	var last string
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && lines.Text()[0] != ' ' {
			last = http.CanonicalHeaderKey(name)
			r.Header.Add(last, value)
		} else { // RFC 9112, 5.2: a fold is a space
			values := r.Header[last]
			values[len(values)-1] += " " + lines.Text()
		}
	}
	r.URL.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	if r.Header.Get("Content-Length") != "" {
		r.ContentLength = int64(len(body))
		r.Header.Del("Content-Length")
	}
	if r.URL.Path = path; normalize {
		r.URL.Opaque = "//" + r.URL.Host + path
	}
	if r.URL.Host == "" {
		t.Fatal("the vector has no host")
	}
	return r, body
}
