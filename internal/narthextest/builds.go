// Package narthextest runs narthex as those run it who use it: it builds the
// programs, finds addresses for them, and starts, kills and reads a narthex serve.
// Tests and the tools that measure use it; nothing else does.
//
//	binary, err := builds.Program("narthex", "narthex/cmd/narthex")
//	address, err := ports.Address()
//	s := &narthextest.Server{Binary: binary, Config: file, Data: dir, Address: address}
//	err = s.Start()
//	defer s.End(syscall.SIGTERM)
package narthextest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Build builds a program of this module into a file, with flags of go build.
func Build(ctx context.Context, file, program string, flags ...string) error {
	args := append(append([]string{"build", "-o", file}, flags...), program)
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return nil
}

// Builds are programs in a directory of their own, each of them built once. The
// zero value has none yet; all methods may be called at the same time.
type Builds struct {
	mu   sync.Mutex
	dir  string
	done map[string]error
}

// Dir is the directory, in which others may put what is to go with it.
func (b *Builds) Dir() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open()
}

func (b *Builds) open() (string, error) {
	if b.dir != "" {
		return b.dir, nil
	}
	dir, err := os.MkdirTemp("", "narthex-test-")
	if err != nil {
		return "", err
	}
	b.dir, b.done = dir, make(map[string]error)
	return dir, nil
}

// Program returns the file of a program, which is built at the first call with its
// name. What failed once is not tried again.
func (b *Builds) Program(name, program string, flags ...string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dir, err := b.open()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name)
	if _, tried := b.done[name]; !tried {
		b.done[name] = Build(context.Background(), file, program, flags...)
	}
	return file, b.done[name]
}

// Remove removes the directory.
func (b *Builds) Remove() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return nil
	}
	dir := b.dir
	b.dir, b.done = "", nil
	return os.RemoveAll(dir)
}
