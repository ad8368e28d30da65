package test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo looks for each thing that the invented shop is to show.
func TestDemo(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	tmp := t.TempDir()
	cmd := exec.Command(program(t), "serve", "--demo", "--listen", address)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	base := "http://" + address
	ready(t, "it", base+"/-/ready")
	for _, expr := range []string{
		"orders_total > 0", "checkout_seconds_count > 0", `queue_length{service="mail"}`, "legacy_jobs_total > 0", "backup_bytes",
		`http_requests_total{route="/articles/{id}"} > 0`, "probe_success == 1", "probe_success == 0", "narthex_ledger_duplicates_total",
		"count_over_time(coldroom_celsius[1h]) > 90",
	} {
		eventually(t, expr, func() bool { return len(query(t, base, expr, time.Time{})) > 0 })
	}
	eventually(t, "the careless service is told what it does wrong", func() bool {
		resp, err := http.Get(base + "/api/v1/receipts?limit=100")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(text), `"rejected":[{"series"`)
	})
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, &log)
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
		t.Errorf("it leaves %v behind", left)
	}
}
