// Package webconfig reads the web configuration file that Prometheus and its
// exporters share (exporter-toolkit): TLS, the users of basic authentication, a
// few headers, and a limit of the rate of requests.
//
//	f, err := webconfig.Open("web.yml")
//	…
//	srv.TLSConfig = f.TLS()            // nil without tls_server_config
//	hashes := f.Current().Users        // bcrypt hashes by user, as of now
//
// The file, and the certificates that it names, are read again when they have
// changed. What is wrong then is logged, and what held before holds on: a slip
// of the pen must not open the door, nor lose pushes. (exporter-toolkit answers
// 500 to each request until the file is mended.) Whether there is TLS at all is
// decided when the file is opened.
//
// Source: exporter-toolkit, docs/web-configuration.md.
package webconfig

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// maxFile is how large a file may be, in bytes.
const maxFile = 1 << 20

// File is an open web configuration file.
type File struct {
	path string
	log  *slog.Logger
	tls  bool // from the beginning

	mu      sync.Mutex // protects all below
	current *Config
	seen    []stamp // of the files that current, or what is wrong now, was made of
}

// stamp is what changes of a file when its content does.
type stamp struct {
	path string
	time time.Time
	size int64
}

// Open reads the file. Logger gets what is wrong with it later; nil is
// slog.Default().
func Open(path string, log *slog.Logger) (*File, error) {
	if log == nil {
		log = slog.Default()
	}
	f := &File{path: path, log: log}
	f.seen = stamps(path)
	c, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("read the web configuration %s: %w", path, err)
	}
	f.current, f.tls = c, c.tls != nil
	f.seen = stamps(c.paths(path)...)
	return f, nil
}

// Current returns the configuration as it is now. It is not changed any more.
func (f *File) Current() *Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unchanged() {
		return f.current
	}
	// The stamps first: what changes while it is read is then read once more.
	f.seen = stamps(f.current.paths(f.path)...)
	c, err := load(f.path)
	if err == nil && (c.tls != nil) != f.tls {
		err = errors.New("TLS can't be switched on or off while the program runs: start it again")
	}
	if err != nil {
		f.log.Error("the web configuration has changed and is wrong; what held before holds on", "file", f.path, "err", err)
		return f.current
	}
	f.log.Info("the web configuration was read again", "file", f.path)
	f.current = c
	f.seen = stamps(c.paths(f.path)...)
	return c
}

func (f *File) unchanged() bool {
	for _, s := range f.seen {
		if s != stampOf(s.path) {
			return false
		}
	}
	return true
}

// TLS returns what the server's TLS is to be, nil if there is none. Each
// connection gets the certificates as they are then.
func (f *File) TLS() *tls.Config {
	if !f.tls {
		return nil
	}
	first := f.Current().tls.Clone()
	if f.Current().HTTP2 {
		first.NextProtos = []string{"h2", "http/1.1"}
	} else {
		first.NextProtos = []string{"http/1.1"}
	}
	protos := first.NextProtos
	first.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := f.Current().tls.Clone()
		now.NextProtos = protos
		return now, nil
	}
	return first
}

func stamps(paths ...string) []stamp {
	var out []stamp
	for _, p := range paths {
		out = append(out, stampOf(p))
	}
	return out
}

// stampOf returns a stamp without time if there is no such file.
func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{path: path}
	}
	return stamp{path, info.ModTime(), info.Size()}
}

// readFile reads a file within its bound.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return b, err
}
