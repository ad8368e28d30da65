package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is a narthex serve with a directory of its own.
type server struct {
	dir, url string
	cmd      *exec.Cmd
	done     chan struct{}
	ended    error // once done is closed

	mu  sync.Mutex
	log bytes.Buffer
}

// startServer builds narthex, if need be, and starts it.
func startServer(ctx context.Context, o options) (*server, error) {
	dir, err := os.MkdirTemp("", "narthex-load-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, done: make(chan struct{})}
	binary := o.binary
	if binary == "" {
		binary = filepath.Join(dir, "narthex")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "narthex/cmd/narthex").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build narthex: %w\n%s", err, out)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := ln.Addr().String()
	ln.Close()
	s.url = "http://" + address
	config := fmt.Sprintf("scrape_interval: %v\n", o.interval)
	file := filepath.Join(dir, "narthex.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary, "serve", "--config", file, "--data", filepath.Join(dir, "data"), "--listen", address)
	s.cmd.Stderr = s
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.ended = s.cmd.Wait()
		close(s.done)
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		s.end()
		return nil, fmt.Errorf("narthex did not start: %q\n%s", line, s.said())
	}
	go io.Copy(io.Discard, out)
	return s, nil
}

// Write keeps what narthex logs, as far as it is not too much.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log.Len() < 1<<20 {
		s.log.Write(p)
	}
	return len(p), nil
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.log.String()
	return text[max(0, len(text)-4000):]
}

// alive tells if the process has ended by itself.
func (s *server) alive() error {
	select {
	case <-s.done:
		return fmt.Errorf("narthex died: %v", s.ended)
	default:
		return nil
	}
}

// stop asks it to end and returns how it did.
func (s *server) stop() string {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		return "did not stop within a minute"
	}
	if s.ended != nil {
		return s.ended.Error()
	}
	return ""
}

// end makes sure that nothing is left of it.
func (s *server) end() {
	if s.cmd.Process != nil {
		s.cmd.Process.Kill()
		<-s.done
	}
	os.RemoveAll(s.dir)
}

// metrics reads /metrics: the values by the series as written.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := make(map[string]float64)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name != "#" {
			if i := strings.LastIndexByte(lines.Text(), ' '); i > 0 {
				name, value = lines.Text()[:i], lines.Text()[i+1:]
			}
			out[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return out, lines.Err()
}

// resident returns the memory of the process: all that is resident, and of that what
// is no page of a file.
//
// Source: proc(5).
func (s *server) resident() (all, anonymous float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, _ := strconv.ParseFloat(kib, 64)
		switch name {
		case "VmRSS":
			all = n * 1024
		case "RssAnon":
			anonymous = n * 1024
		}
	}
	return all, anonymous
}

func (s *server) descriptors() int {
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	return len(list)
}

// stored is how many bytes lie below the data directory.
func (s *server) stored() (n int64) {
	filepath.WalkDir(filepath.Join(s.dir, "data"), func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
