package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"narthex/proxy"
)

// roundTrip is a backend in this process.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func mounted(t testing.TB, f roundTrip) *http.ServeMux {
	b, err := proxy.New(proxy.Options{URL: "http://backend/base", Transport: f})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	b.Mount(mux, "")
	return mux
}

func answered(body string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// Whatever a label is called, what is asked for is its values and nothing else.
func FuzzLabelName(f *testing.F) {
	for _, name := range []string{"job", "..", "../../admin", "a/b", "a?b", "a#b", "größe", "U__a", "%2e", "\x00", " ", "a:b", "_"} {
		f.Add(name)
	}
	plain := regexp.MustCompile(`^/base/api/v1/label/[a-zA-Z_][a-zA-Z0-9_]*/values$`)
	f.Fuzz(func(t *testing.T, name string) {
		asked := ""
		mux := mounted(t, func(r *http.Request) (*http.Response, error) {
			asked = r.URL.EscapedPath()
			return answered(`{"status":"success","data":[]}`), nil
		})
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: "/api/v1/label/" + name + "/values", RawPath: "/api/v1/label/" + url.PathEscape(name) + "/values"}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if asked == "" {
			return // refused, or another path
		}
		if !plain.MatchString(asked) {
			t.Fatalf("%q: %s was asked for", name, asked)
		}
		if strings.HasPrefix(name, "U__") || !utf8.ValidString(name) {
			return
		}
		escaped := strings.TrimSuffix(strings.TrimPrefix(asked, "/base/api/v1/label/"), "/values")
		if back := model.UnescapeName(escaped, model.ValueEncodingEscaping); back != name {
			t.Fatalf("%q became %q, which is %q", name, escaped, back)
		}
	})
}

// Whatever a backend answers, what comes out is JSON of the API.
func FuzzList(f *testing.F) {
	for _, body := range []string{`{"status":"success","data":["a","b"]}`, `{"status":"success","data":["a",`, `{"data":[1,{"a":[]}],"warnings":["x"],"status":"error"}`, `{}`, `[]`, `{"data":null}`, `{"data":["\u0000"]}`, "{\"data\":[\"\xff\"]}"} {
		f.Add(body, "")
		f.Add(body, "1")
	}
	f.Fuzz(func(t *testing.T, body, limit string) {
		mux := mounted(t, func(*http.Request) (*http.Response, error) { return answered(body), nil })
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/labels?"+url.Values{"limit": {limit}}.Encode(), nil))
		var out struct {
			Status string
			Data   []json.RawMessage
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Status != "success" && out.Status != "error" {
			t.Fatalf("%d %v: %q of %q", w.Code, err, w.Body, body)
		}
	})
}
