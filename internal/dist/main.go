// Dist builds what is deployed: zip files of cmd/bootstrap and cmd/bootstrap-view
// for each processor that Lambda has, and their checksums.
//
//	go run ./internal/dist [-o DIRECTORY] [ARCHITECTURE…]
//
// It is run in the repository's root. The files depend on the source, its commit
// and the version of Go alone, not on the machine, the directory or the hour.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "dist", "directory to write to")
	flag.Parse()
	if err := dist(*out, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// dist builds for the architectures, arm64 and amd64 if none is named.
func dist(dir string, architectures []string, report io.Writer) error {
	if len(architectures) == 0 {
		architectures = []string{"arm64", "amd64"}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, function := range []string{"bootstrap", "bootstrap-view"} {
		for _, arch := range architectures {
			program, err := build(function, arch)
			if err != nil {
				return err
			}
			packed, err := pack(program)
			if err != nil {
				return err
			}
			name := function + "-" + arch + ".zip"
			if err := os.WriteFile(filepath.Join(dir, name), packed, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(packed), name)
			fmt.Fprintf(report, "%s: %.2f MiB, unzipped %.2f MiB\n", filepath.Join(dir, name), mebi(packed), mebi(program))
		}
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

func mebi(b []byte) float64 { return float64(len(b)) / (1 << 20) }

// build returns a program for an architecture, built with the flags of
// cmd/bootstrap/goflags.txt, which says why.
func build(function, arch string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "narthex-dist-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, "bootstrap")
	flags, err := goflags()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "build", "-ldflags=-s -w -buildid=", "-o", path, "./cmd/"+function)
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" "+flags), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("go build for %s: %w", arch, err), errors.New(strings.TrimSpace(stderr.String())))
	}
	return os.ReadFile(path)
}

// goflags returns the flags that the functions are built with, as GOFLAGS has
// them.
func goflags() (string, error) {
	text, err := os.ReadFile(filepath.Join("cmd", "bootstrap", "goflags.txt"))
	if err != nil {
		return "", fmt.Errorf("%w; run this in the repository's root", err)
	}
	var flags []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			flags = append(flags, line)
		}
	}
	return strings.Join(flags, " "), nil
}

// epoch is the earliest time that a zip file knows.
func epoch() time.Time { return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) }

// pack returns a zip file with the program in its root, executable.
func pack(program []byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: epoch()}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
