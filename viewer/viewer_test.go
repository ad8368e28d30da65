package viewer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"narthex/viewer"
)

const script = "assets/index-0a1b2c3d.js"

// build is a small build whose script is worth compressing and whose style is not.
func build() fstest.MapFS {
	return fstest.MapFS{
		"index.html":              {Data: []byte("<!doctype html><title>t</title>" + strings.Repeat("<p>text</p>", 50))},
		script:                    {Data: []byte(strings.Repeat("f();", 500))},
		"assets/index-9f8e7d.css": {Data: []byte("a{}")},
	}
}

func get(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryAnswerIsSecured(t *testing.T) {
	h := viewer.Handler(viewer.Options{Assets: build()})
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	for _, c := range []struct{ method, path string }{{"GET", "/"}, {"GET", "/" + script}, {"GET", "/nowhere"}, {"POST", "/"}} {
		r := get(t, h, c.method, c.path)
		got := map[string]string{}
		for k := range want {
			got[k] = r.Header.Get(k)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.path, diff)
		}
		policy := r.Header.Get("Content-Security-Policy")
		for _, d := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
			"font-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(policy+";", d+";") {
				t.Errorf("%s %s: the policy lacks %q: %s", c.method, c.path, d, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s %s: the policy allows what is unsafe: %s", c.method, c.path, policy)
		}
	}
}

func TestCaching(t *testing.T) {
	h := viewer.Handler(viewer.Options{Assets: build()})
	for path, want := range map[string]string{
		"/":           "no-cache",
		"/index.html": "no-cache",
		"/" + script:  "public, max-age=31536000, immutable",
		"/nowhere":    "no-store",
	} {
		if got := get(t, h, "GET", path).Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
}

func TestETag(t *testing.T) {
	h := viewer.Handler(viewer.Options{Assets: build()})
	plain := get(t, h, "GET", "/").Header.Get("ETag")
	gz := get(t, h, "GET", "/", "Accept-Encoding", "gzip").Header.Get("ETag")
	if plain == "" || plain == gz {
		t.Fatalf("ETags of the plain and the compressed form are %q and %q; they must differ", plain, gz)
	}
	for _, c := range []struct {
		name, match, encoding string
		want                  int
	}{
		{"Same", plain, "", 304},
		{"Weak", "W/" + plain, "", 304},
		{"OneOfSeveral", `"x", ` + plain, "", 304},
		{"Any", "*", "", 304},
		{"Other", `"x"`, "", 200},
		{"OtherForm", plain, "gzip", 200},
		{"SameForm", gz, "gzip", 304},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := get(t, h, "GET", "/", "If-None-Match", c.match, "Accept-Encoding", c.encoding)
			if r.StatusCode != c.want {
				t.Fatalf("status %d, want %d", r.StatusCode, c.want)
			}
			if b := body(t, r); (len(b) == 0) != (c.want == 304) {
				t.Errorf("status %d with a body of %d bytes", c.want, len(b))
			}
		})
	}
}

func TestGzip(t *testing.T) {
	files := build()
	h := viewer.Handler(viewer.Options{Assets: files})
	for accept, want := range map[string]string{
		"":                    "",
		"gzip":                "gzip",
		"br, gzip;q=0.5":      "gzip",
		"gzip;q=0":            "",
		"*":                   "gzip",
		"gzip;q=0, *":         "",
		"*;q=0":               "",
		"identity":            "",
		"gzip;q=nonsense, ;;": "",
	} {
		r := get(t, h, "GET", "/"+script, "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, want %q", accept, got, want)
			continue
		}
		if got := r.Header.Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("Vary is %q", got)
		}
		b := body(t, r)
		if r.ContentLength != int64(len(b)) {
			t.Errorf("Content-Length %d, body of %d bytes", r.ContentLength, len(b))
		}
		if want == "gzip" {
			b = gunzip(t, b)
		}
		if !bytes.Equal(b, files[script].Data) {
			t.Errorf("Accept-Encoding %q: the body is not the file", accept)
		}
	}
	if r := get(t, h, "GET", "/assets/index-9f8e7d.css", "Accept-Encoding", "gzip"); r.Header.Get("Content-Encoding") != "" {
		t.Error("a file that compressing makes longer is sent compressed")
	}
}

func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNotThere(t *testing.T) {
	h := viewer.Handler(viewer.Options{Assets: build()})
	for _, path := range []string{"/nowhere", "/assets", "/assets/", "/dist/index.html", "/../viewer.go", "/assets/../index.html", "//", "/index.html/"} {
		r := get(t, h, "GET", path)
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, r.StatusCode)
		}
		var got struct{ Status, ErrorType, Error string }
		if err := json.Unmarshal(body(t, r), &got); err != nil || got.Status != "error" || got.ErrorType == "" || got.Error == "" {
			t.Errorf("%s: the body is no error as in Prometheus's API: %+v, %v", path, got, err)
		}
	}
}

func TestMethods(t *testing.T) {
	h := viewer.Handler(viewer.Options{Assets: build()})
	head := get(t, h, "HEAD", "/")
	if head.StatusCode != 200 || len(body(t, head)) != 0 || head.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: status %d, headers %v", head.StatusCode, head.Header)
	}
	post := get(t, h, "POST", "/")
	if post.StatusCode != http.StatusMethodNotAllowed || post.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d, Allow %q", post.StatusCode, post.Header.Get("Allow"))
	}
}
