package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"narthex/internal/aws"
)

// source is a provider that can be told what to give.
type source struct {
	calls atomic.Int64
	give  func(call int64) (aws.Credentials, error)
}

func (s *source) Credentials(context.Context) (aws.Credentials, error) {
	return s.give(s.calls.Add(1))
}

func lasting(id string, d time.Duration) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: "s", Expires: time.Now().Add(d)}, nil
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{give: func(n int64) (aws.Credentials, error) {
			time.Sleep(time.Second) // so that the callers meet
			if n == 2 || n == 3 {
				return aws.Credentials{}, errors.New("the source is down")
			}
			return lasting(fmt.Sprint("key ", n), time.Hour)
		}}
		c := &aws.Cache{Source: s}
		ask := func(want string, calls int64) {
			t.Helper()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if got, err := c.Credentials(t.Context()); err != nil || got.AccessKeyID != want {
						t.Errorf("%v, %v, want %s", got, err, want)
					}
				})
			}
			wg.Wait()
			time.Sleep(2 * time.Second) // a renewal behind the callers' back ends
			if n := s.calls.Load(); n != calls {
				t.Errorf("the source was asked %d times, want %d", n, calls)
			}
		}
		ask("key 1", 1) // one for all
		time.Sleep(54 * time.Minute)
		ask("key 1", 1) // not yet
		time.Sleep(time.Minute)
		ask("key 1", 2) // fails
		ask("key 1", 2) // too soon to try again
		time.Sleep(20 * time.Second)
		ask("key 1", 3) // fails again
		time.Sleep(20 * time.Second)
		ask("key 1", 4) // succeeds behind the callers' back
		ask("key 4", 4)
	})
}

// Once the old credentials have ended, callers wait for new ones, and learn why
// there are none.
func TestCacheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{give: func(n int64) (aws.Credentials, error) {
			time.Sleep(time.Second)
			if n == 2 {
				return aws.Credentials{}, errors.New("the source is down")
			}
			return lasting("key", time.Minute)
		}}
		c := &aws.Cache{Source: s}
		if _, err := c.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if got, err := c.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "down") {
			t.Errorf("%v, %v, want the source's error", got, err)
		}
		if _, err := c.Credentials(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		time.Sleep(2 * time.Minute)
		if _, err := c.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the caller's deadline", err)
		}
		synctest.Wait()
		time.Sleep(time.Minute) // the renewal ends
	})
}

func TestCacheRefuses(t *testing.T) {
	for name, bad := range map[string]aws.Credentials{
		"nothing":        {},
		"no secret":      {AccessKeyID: "A"},
		"what has ended": {AccessKeyID: "A", SecretAccessKey: "S", Expires: time.Now().Add(-time.Second)},
	} {
		c := &aws.Cache{Source: bad}
		if got, err := c.Credentials(t.Context()); err == nil {
			t.Errorf("%s was taken: %v", name, got)
		}
	}
}

func TestCredentialsPrintNoSecret(t *testing.T) {
	c := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "hush", SessionToken: "hush too"}
	var out strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, format+"\n", c)
		fmt.Fprintf(&out, format+"\n", &c)
		fmt.Fprintf(&out, format+"\n", []any{c, struct{ C aws.Credentials }{c}})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "c", c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "c", c)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hush") || strings.Count(out.String(), "AKIDTEST") != 23 {
		t.Error(out.String())
	}
}

// file writes a file and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
