package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"narthex/state"
)

// stores are all implementations; each must pass every test here.
func stores(t *testing.T) map[string]func() state.Store {
	all := remote(t, nil)
	maps.Copy(all, map[string]func() state.Store{
		"memory": func() state.Store { return new(state.Memory) },
		"file": func() state.Store {
			s, err := state.OpenFile(filepath.Join(t.TempDir(), "state"))
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	})
	return all
}

func TestStore(t *testing.T) {
	ctx := context.Background()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open()
			save := func(key string, prev state.Entry, data string) state.Entry {
				t.Helper()
				e, err := s.Save(ctx, key, prev, []byte(data))
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			none, err := s.Load(ctx, "a/b")
			if err != nil || none.Data != nil || none.Version != "" {
				t.Fatalf("load of a missing key: %+v, %v", none, err)
			}
			one := save("a/b", none, "one")
			two := save("a/b", one, "two")
			for what, stale := range map[string]state.Entry{"no value": none, "old value": one} {
				if _, err := s.Save(ctx, "a/b", stale, []byte("x")); !errors.Is(err, state.ErrConflict) {
					t.Errorf("save over %s: %v, want ErrConflict", what, err)
				}
			}
			got, err := s.Load(ctx, "a/b")
			if err != nil || string(got.Data) != "two" || got.Version != two.Version {
				t.Fatalf("load: %q %q, %v", got.Data, got.Version, err)
			}
			if _, err := s.Save(ctx, "a/b", one, nil); !errors.Is(err, state.ErrConflict) {
				t.Errorf("delete with an old version: %v", err)
			}
			if _, err := s.Save(ctx, "a/b", got, nil); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Load(ctx, "a/b"); err != nil || got.Data != nil {
				t.Fatalf("load after delete: %+v, %v", got, err)
			}
			// An empty value is a value.
			empty := save("a/b", none, "")
			if got, err := s.Load(ctx, "a/b"); err != nil || got.Data == nil || got.Version != empty.Version {
				t.Fatalf("load of an empty value: %+v, %v", got, err)
			}
		})
	}
}

// Many writers add one to a number; none of the additions may be lost.
func TestStoreRace(t *testing.T) {
	ctx := context.Background()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open()
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 10 {
						if err := increment(ctx, s); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if e, _ := s.Load(ctx, "n"); string(e.Data) != "80" {
				t.Errorf("80 increments gave %s", e.Data)
			}
		})
	}
}

func increment(ctx context.Context, s state.Store) error {
	for {
		e, err := s.Load(ctx, "n")
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(bytes.TrimSpace(e.Data)))
		_, err = s.Save(ctx, "n", e, fmt.Append(nil, n+1))
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
}

// Two processes share a directory.
func TestFileProcesses(t *testing.T) {
	if dir := os.Getenv("NARTHEX_TEST_STATE"); dir != "" {
		s, err := state.OpenFile(dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if err := increment(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFileProcesses$")
			cmd.Env = append(os.Environ(), "NARTHEX_TEST_STATE="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	s, err := state.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := s.Load(t.Context(), "n"); string(e.Data) != "150" {
		t.Errorf("150 increments gave %s", e.Data)
	}
}

func TestFileKeys(t *testing.T) {
	s, err := state.OpenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "../x", "/etc/passwd", "a/../../x", ".lock"} {
		if _, err := s.Save(t.Context(), key, state.Entry{}, []byte("x")); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}
