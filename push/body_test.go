package push_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"narthex/push"
)

const one = `{"counters":[{"name":"a","add":1}]}`

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

func TestPushTransport(t *testing.T) {
	f := func(name, method, body string, code int, errorType, msg string, headers ...string) http.Header {
		t.Helper()
		s := serve(push.Options{Limits: push.Limits{Body: 100}})
		w := s.do(method, "/api/v1/push", body, headers...)
		got := fields(t, w)
		text, _ := got["error"].(string)
		if kind, _ := got["errorType"].(string); w.Code != code || kind != errorType || !strings.Contains(text, msg) {
			t.Errorf("%s: got %d %s, want %d %s %s", name, w.Code, w.Body, code, errorType, msg)
		}
		if wrote := len(s.batches) > 0; wrote != (code == 200) {
			t.Errorf("%s: code %d, written: %v", name, w.Code, wrote)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type %q", name, got)
		}
		return w.Header()
	}
	f("plain", "POST", one, 200, "", "")
	for _, typ := range []string{"application/json", "Application/JSON; charset=UTF-8", "text/json", "application/x-www-form-urlencoded"} {
		f(typ, "POST", one, 200, "", "", "Content-Type: "+typ)
	}
	for _, typ := range []string{"text/plain", "application/json; charset=latin1", "application/x-protobuf", "multipart/form-data; boundary=a", "/"} {
		f(typ, "POST", one, 415, "bad_data", "is not taken here: send application/json", "Content-Type: "+typ)
	}
	f("gzip", "POST", zipped(one), 200, "", "", "Content-Encoding: gzip")
	f("GZIP", "POST", zipped(one), 200, "", "", "Content-Encoding: GZIP")
	f("two gzip members", "POST", zipped(one[:9])+zipped(one[9:]), 200, "", "", "Content-Encoding: gzip")
	f("identity", "POST", one, 200, "", "", "Content-Encoding: identity")
	h := f("br", "POST", one, 415, "bad_data", `"br" is not known`, "Content-Encoding: br")
	if got := h.Get("Accept-Encoding"); got != "gzip, identity" {
		t.Errorf("Accept-Encoding: got %q", got)
	}
	f("gzip twice", "POST", one, 415, "bad_data", `"gzip, gzip" is not known`, "Content-Encoding: gzip, gzip")
	f("no gzip", "POST", one, 400, "bad_data", "gzip: invalid header", "Content-Encoding: gzip")
	f("empty gzip", "POST", "", 400, "bad_data", "the body ends too early", "Content-Encoding: gzip")
	f("cut gzip", "POST", zipped(one)[:20], 400, "bad_data", "the body ends too early", "Content-Encoding: gzip")
	f("damaged gzip", "POST", zipped(one)[:len(zipped(one))-5]+"xxxxx", 400, "bad_data", "gzip: invalid checksum", "Content-Encoding: gzip")
	f("exactly the limit", "POST", one+strings.Repeat(" ", 100-len(one)), 200, "", "")
	f("exactly the limit, gzip", "POST", zipped(one+strings.Repeat(" ", 100-len(one))), 200, "", "", "Content-Encoding: gzip")
	f("over the limit", "POST", one+strings.Repeat(" ", 101-len(one)), 413, "too_large", "the body is larger than 100 bytes")
	f("over the limit, gzip", "POST", zipped(one+strings.Repeat(" ", 101-len(one))), 413, "too_large", "the body is larger than 100 bytes", "Content-Encoding: gzip")
	for _, method := range []string{"GET", "PUT", "DELETE", "OPTIONS"} {
		h := f(method, method, one, 405, "method_not_allowed", "use POST")
		if got := h.Get("Allow"); got != "POST" {
			t.Errorf("%s: Allow is %q", method, got)
		}
	}
}

func TestPushTooManySeries(t *testing.T) {
	body := `{"counters":[{"name":"a","add":1},{"name":"b","add":1}],"gauges":[{"name":"c","set":1}]}`
	for limit, want := range map[int]int{3: 200, 2: 413} {
		s := serve(push.Options{Limits: push.Limits{Series: limit}})
		w := s.push(body)
		if w.Code != want || (len(s.batches) > 0) != (want == 200) {
			t.Errorf("limit %d: got %d %s, want %d", limit, w.Code, w.Body, want)
		}
		if want == 413 && fields(t, w)["error"] != "the push has more than 2 series: send it in several" {
			t.Errorf("got %s", w.Body)
		}
	}
}

// endless repeats a block and counts what was read of it.
type endless struct {
	block []byte
	left  int
	read  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.block[e.read%len(e.block):])
	n = min(n, e.left)
	e.left, e.read = e.left-n, e.read+n
	return n, nil
}

// TestPushBombs sends a GiB, plain, compressed and as gzip members without
// content, and looks at what the server allocates and reads of it.
func TestPushBombs(t *testing.T) {
	const limit, gib = 1 << 20, 1 << 30
	f := func(name, encoding string, body io.Reader, read func() int) {
		t.Helper()
		s := serve(push.Options{Limits: push.Limits{Body: limit}})
		r := httptest.NewRequest("POST", "/api/v1/push", body)
		r.ContentLength = -1
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.mux.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if w.Code != http.StatusRequestEntityTooLarge || fields(t, w)["errorType"] != "too_large" {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
		// All that was allocated on the way, freed or not: a buffer that doubles
		// until it has the limit. What was sent is 1024 times the limit.
		if got := after.TotalAlloc - before.TotalAlloc; got > 16*limit {
			t.Errorf("%s: %d bytes were allocated for a limit of %d", name, got, limit)
		}
		if got := read(); got > 2*limit {
			t.Errorf("%s: %d bytes were read for a limit of %d", name, got, limit)
		}
	}
	spaces := &endless{block: bytes.Repeat([]byte(" "), 1<<16), left: gib}
	f("plain", "identity", spaces, func() int { return spaces.read })

	// A MiB of zeros makes a member of about 1 kB; 1024 of them are a GiB.
	member := []byte(zipped(strings.Repeat("\x00", 1<<20)))
	bomb := &endless{block: member, left: 1024 * len(member)}
	f("bomb", "gzip", bomb, func() int { return bomb.read })

	empty := []byte(zipped(""))
	hollow := &endless{block: empty, left: gib / len(empty) * len(empty)}
	f("hollow members", "gzip", hollow, func() int { return hollow.read })
}

func TestPushDeclaredTooLarge(t *testing.T) {
	s := serve(push.Options{})
	r := httptest.NewRequest("POST", "/api/v1/push", iotest.ErrReader(io.ErrClosedPipe)) // must not be read
	r.ContentLength = 10<<20 + 1
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestPushBrokenBody(t *testing.T) {
	f := func(err error, code int, want string) {
		t.Helper()
		s := serve(push.Options{})
		r := httptest.NewRequest("POST", "/api/v1/push", io.MultiReader(strings.NewReader(one), iotest.ErrReader(err)))
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		if got := fields(t, w)["error"].(string); w.Code != code || !strings.Contains(got, want) || len(s.batches) > 0 {
			t.Errorf("%v: got %d %s", err, w.Code, w.Body)
		}
	}
	f(io.ErrUnexpectedEOF, 400, "the body ends too early")
	f(os.ErrDeadlineExceeded, 408, "did not arrive in time")
	f(io.ErrClosedPipe, 400, "read the body")
}
