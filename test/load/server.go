package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"narthex/internal/narthextest"
)

// server is a narthex serve with a directory of its own.
type server struct {
	narthextest.Server
	dir string
}

// startServer builds narthex, if need be, and starts it.
func startServer(ctx context.Context, o options) (*server, error) {
	dir, err := os.MkdirTemp("", "narthex-load-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := s.start(ctx, o); err != nil {
		s.end()
		return nil, fmt.Errorf("%w\n%s", err, s.Log.Tail())
	}
	return s, nil
}

func (s *server) start(ctx context.Context, o options) (err error) {
	var ports narthextest.Ports
	if s.Address, err = ports.Address(); err != nil {
		return err
	}
	s.Binary, s.Config, s.Data = o.binary, filepath.Join(s.dir, "narthex.yml"), filepath.Join(s.dir, "data")
	if s.Binary == "" {
		s.Binary = filepath.Join(s.dir, "narthex")
		if err := narthextest.Build(ctx, s.Binary, "narthex/cmd/narthex"); err != nil {
			return err
		}
	}
	config := fmt.Sprintf("scrape_interval: %v\n", o.interval)
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		return err
	}
	return s.Start()
}

// alive tells if the process has ended by itself.
func (s *server) alive() error {
	select {
	case <-s.Done():
		return fmt.Errorf("narthex died: %v", s.End(os.Kill))
	default:
		return nil
	}
}

// stop asks it to end and returns how it did.
func (s *server) stop() string {
	s.Process().Signal(syscall.SIGTERM)
	select {
	case <-s.Done():
	case <-time.After(time.Minute):
		return "did not stop within a minute"
	}
	if err := s.End(os.Kill); err != nil {
		return err.Error()
	}
	return ""
}

// end makes sure that nothing is left of it.
func (s *server) end() {
	s.End(os.Kill)
	os.RemoveAll(s.dir)
}

// metrics reads /metrics: the values by the series as written.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/metrics", nil)
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
		line := lines.Text()
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			out[line[:i]], _ = strconv.ParseFloat(line[i+1:], 64)
		}
	}
	return out, lines.Err()
}

// resident returns the memory of the process: all that is resident, and of that what
// is no page of a file.
//
// Source: proc(5).
func (s *server) resident() (all, anonymous float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process().Pid))
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
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Process().Pid))
	return len(list)
}

// stored is how many bytes lie below the data directory.
func (s *server) stored() (n int64) {
	filepath.WalkDir(s.Data, func(_ string, e fs.DirEntry, err error) error {
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
