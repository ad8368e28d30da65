package narthextest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// Server is a narthex serve. Its fields may be changed while it does not run; its
// methods may be called at the same time.
type Server struct {
	Binary  string
	Config  string // the file
	Data    string // the directory
	Address string // where it listens
	TLS     bool
	Env     []string // beyond that of this process
	Log     Log      // what it writes to the standard error, of all its starts

	mu      sync.Mutex
	process *process // nil: it does not run, or nobody has waited for its end
}

// process is one that was started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done is closed
}

// URL is where it is reached.
func (s *Server) URL() string {
	if s.TLS {
		return "https://" + s.Address
	}
	return "http://" + s.Address
}

// Start returns once the program says that it is ready, or an error if it ends
// before that.
func (s *Server) Start() error {
	cmd := exec.Command(s.Binary, "serve", "--config", s.Config, "--data", s.Data, "--listen", s.Address)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stderr = &s.Log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "ready at "+s.URL()) {
		cmd.Process.Kill()
		return fmt.Errorf("narthex did not start: it said %q and ended with %v", line, cmd.Wait())
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		io.Copy(io.Discard, out)
		p.err = cmd.Wait()
		close(p.done)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	return nil
}

// Process is what runs, or nil.
func (s *Server) Process() *os.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	return s.process.cmd.Process
}

// Done is closed when the program that was started last has ended, whyever. It is
// nil if none runs.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	return s.process.done
}

// End sends a signal, waits for the end and returns how the program ended: nil with
// exit code 0, or if it does not run.
func (s *Server) End(signal os.Signal) error {
	s.mu.Lock()
	p := s.process
	s.process = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	p.cmd.Process.Signal(signal)
	<-p.done
	return p.err
}
