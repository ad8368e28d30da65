package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A server's answer is shown as text: what would make a terminal do things is
// written out.
func TestHostileServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 404 no\x1b]0;owned\x07\r\nContent-Length: 9\r\nConnection: close\r\n\r\n\x1b[2J\u009b31m")
	}))
	defer server.Close()
	out, code := command(t, "", "push", "--url", server.URL, "a_total+=1")
	if code == 0 || strings.ContainsAny(out, "\x1b\x07\u009b") || !strings.Contains(out, `\x1b`) {
		t.Errorf("exit %d, %q", code, out)
	}
}
