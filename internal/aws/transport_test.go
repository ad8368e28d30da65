package aws_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

func TestTransport(t *testing.T) {
	cred := aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "T"}
	seen := 0
	server := service(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		seen++
		if wrong := verify(r, body, cred, "eu-central-1", "aps"); wrong != "" {
			t.Error(wrong)
		}
		if list := r.Header.Get("Authorization"); strings.Contains(list, "accept-encoding") || strings.Contains(list, "x-scope") {
			t.Errorf("headers that a proxy may change are signed: %s", list)
		}
		if r.Header.Get("X-Scope") != "kept" || len(r.Header["Authorization"]) != 1 {
			t.Error(r.Header)
		}
		w.Write(body)
	})
	s, err := aws.Open(aws.Options{Region: "eu-central-1", Credentials: cred, Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: s.Transport("aps", nil)}
	for _, c := range []struct {
		method, path string
		body         io.Reader
		want         string
	}{
		{"POST", "/workspaces/ws-1/api/v1/remote_write", strings.NewReader("snappy"), "snappy"},
		{"POST", "/x", io.MultiReader(strings.NewReader("of no "), strings.NewReader("known length")), "of no known length"},
		{"POST", "/x", strings.NewReader(""), ""},
		{"GET", "/workspaces/ws-1/api/v1/query?query=sum+by+(a)(rate(x%7Bb%3D~%22c.*%22%7D%5B5m%5D))&time=1.5", nil, ""},
		{"GET", "/a/c%2Fd/é", nil, ""},
	} {
		r, err := http.NewRequest(c.method, server+c.path, c.body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Scope", "kept")
		r.Header.Set("Authorization", "Bearer other")
		r.Header.Set("Content-Type", "application/x-protobuf")
		before := r.URL.String()
		resp, err := hc.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != c.want {
			t.Errorf("%q, %v", got, err)
		}
		if r.URL.String() != before || r.Header.Get("Authorization") != "Bearer other" || r.Header.Get("X-Amz-Date") != "" {
			t.Error("the request given was changed")
		}
	}
	if seen != 5 {
		t.Errorf("%d requests arrived", seen)
	}
}

// A body that can't be read, or is too large, is closed and not sent.
func TestTransportBody(t *testing.T) {
	server := service(t, func(http.ResponseWriter, *http.Request, []byte) { t.Error("it was sent") })
	for _, in := range []io.Reader{broken{}, io.LimitReader(endless{}, 64<<20+1)} {
		body := &closing{Reader: in}
		r, err := http.NewRequest("POST", server, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := awstest.Session(t, server).Transport("aps", nil).RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		if err == nil || !body.closed {
			t.Errorf("%v, closed: %v", err, body.closed)
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
