package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// So are the names of logs, which whoever writes to a bucket chooses, and their lines.
func TestHostileLogNames(t *testing.T) {
	dir := t.TempDir()
	const esc = "\x1b]0;owned\x07"
	line := "192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET /" + esc + " HTTP/1.1\" 200 1\n" + esc + " is no line\n"
	good, bad := "good"+esc+".log", "bad"+esc+".log"
	for name, text := range map[string]string{good: line, bad: "PAR1" + esc + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data := "--data=" + filepath.Join(dir, "data")
	for _, args := range [][]string{{good, bad}, {"--suggest-routes", good, bad}, {"--backfill", data, bad}, {"-o", "json", good, bad}} {
		out, errs, _ := logsRun(t, dir, "", args...)
		if all := out + errs; strings.ContainsAny(all, "\x1b\x07") || !strings.Contains(all, "owned") {
			t.Errorf("narthex logs %q:\n%q", args, all)
		}
	}
}
