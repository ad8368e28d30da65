package probe_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"narthex/probe"
)

// Reading the system's certificates, which the first probe that checks one waits
// for, is no part of what is measured, but of the time that the asker waits. The
// certificates are a pipe here, which is written to when it has been waited for;
// they are read once in a process, hence one of its own.
func TestFirstCertificates(t *testing.T) {
	const slow, timeout = 200 * time.Millisecond, 10 * time.Second
	if os.Getenv("SSL_CERT_FILE") != "" && os.Getenv("NARTHEX_FIRST_PROBE") != "" {
		p, err := probe.New(probe.Options{Modules: map[string]*probe.Module{"m": moduleOf("http", nil)}, Guard: onLoopback})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Run(context.Background(), probe.Request{Target: os.Getenv("NARTHEX_FIRST_PROBE"), Module: "m", Timeout: timeout})
		if err != nil || r.Timeout > timeout-slow {
			t.Errorf("%v, the probe may take %v, want %v less than the asker waits", err, r.Timeout, slow)
		}
		return
	}
	pipe := filepath.Join(t.TempDir(), "certificates")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFirstCertificates$")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+pipe, "SSL_CERT_DIR="+t.TempDir(), "NARTHEX_FIRST_PROBE=https://"+nobody(t))
	opened := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when it is read
		if err == nil {
			time.Sleep(slow) // it is what is measured
			err = f.Close()
		}
		opened <- err
	}()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := <-opened; err != nil {
		t.Fatal(fmt.Errorf("the certificates: %w", err))
	}
}
