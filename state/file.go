package state

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// File is a Store in a directory: one file a key, replaced by rename. Several
// processes on one machine may share it, by a lock on the directory.
type File struct {
	dir string
	mu  sync.Mutex
}

// OpenFile returns the store in dir, which it makes if need be.
func OpenFile(dir string) (*File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	return &File{dir: dir}, nil
}

// Load implements [Store].
func (s *File) Load(_ context.Context, key string) (Entry, error) {
	path, err := s.path(key)
	if err != nil {
		return Entry{}, err
	}
	return load(path)
}

// Save implements [Store].
func (s *File) Save(_ context.Context, key string, prev Entry, data []byte) (Entry, error) {
	path, err := s.path(key)
	if err != nil {
		return Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := lock(filepath.Join(s.dir, ".lock"))
	if err != nil {
		return Entry{}, fmt.Errorf("save %s: %w", key, err)
	}
	defer unlock()
	now, err := load(path)
	if err != nil {
		return Entry{}, err
	}
	if now.Version != prev.Version {
		return Entry{}, ErrConflict
	}
	if data == nil {
		err = remove(path)
	} else {
		err = replace(path, data)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("save %s: %w", key, err)
	}
	return entry(data), nil
}

func (s *File) path(key string) (string, error) {
	if key == "" || !filepath.IsLocal(filepath.FromSlash(key)) || strings.HasPrefix(filepath.Base(key), ".") {
		return "", fmt.Errorf("state key %q is not allowed", key)
	}
	return filepath.Join(s.dir, filepath.FromSlash(key)), nil
}

func load(path string) (Entry, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, nil
	}
	if err != nil {
		return Entry{}, fmt.Errorf("load state: %w", err)
	}
	return entry(data), nil
}

// entry takes the data's hash for its version: equal states need no telling
// apart, and a version survives restarts.
func entry(data []byte) Entry {
	if data == nil {
		return Entry{}
	}
	sum := sha256.Sum256(data)
	return Entry{Data: data, Version: hex.EncodeToString(sum[:16])}
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// replace writes data beside path and renames it over, so that a crash leaves
// the old value or the new one, whole.
func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes durable which files a directory has: after one was created, renamed or
// removed in it.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" { // it has no such thing
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
